package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/hostlerhq/hostler/transport/practice"
)

// hostsMain is many practice hosts in a process of their own: -dir FOLDER -count N. It prints the inventory's
// path when they listen, and serves until it is ended.
func hostsMain(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("hosts", flag.ContinueOnError)
	dir := fs.String("dir", "", "folder for their files")
	count := fs.Int("count", 1, "how many")
	if err := fs.Parse(args); err != nil {
		return err
	}
	names := make([]string, *count)
	for i := range names {
		names[i] = fmt.Sprintf("h%04d", i+1)
	}
	farm, err := practice.StartFarm(*dir, names, practice.Options{})
	if err != nil {
		return err
	}
	path := filepath.Join(*dir, "inventory.ini")
	if err := os.WriteFile(path, []byte(farm.Inventory("hosts")), 0o600); err != nil {
		return err
	}
	fmt.Println(path)
	<-ctx.Done()
	return farm.Close()
}

// newSimulated starts practice hosts in another process, so that only the controller's memory is measured.
func (b *bench) newSimulated(ctx context.Context, n int) (*farm, error) {
	dir, err := os.MkdirTemp(b.dir, "hosts-")
	if err != nil {
		return nil, err
	}
	c := command(ctx, b.self, "-role", "hosts", "--", "-dir", dir, "-count", fmt.Sprint(n))
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	f := &farm{stop: func() { _ = c.Process.Kill(); _ = c.Wait() }}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		f.stop()
		return nil, fmt.Errorf("the practice hosts did not start: %w", err)
	}
	f.inventory = strings.TrimSpace(line)
	me, err := user.Current()
	if err != nil {
		f.stop()
		return nil, err
	}
	f.user = me.Username
	return f, nil
}
