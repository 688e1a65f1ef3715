package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// floorMain is the floor in a process of its own: -key FILE -user NAME -commands N ADDRESS…. It
// dials every address at once and runs `true` N times on each, one session and one exec a command.
func floorMain(args []string) error {
	fs := flag.NewFlagSet("floor", flag.ContinueOnError)
	keyFile := fs.String("key", "", "private key")
	user := fs.String("user", "root", "login")
	commands := fs.Int("commands", 1, "commands a host")
	if err := fs.Parse(args); err != nil {
		return err
	}
	pem, err := os.ReadFile(*keyFile)
	if err != nil {
		return err
	}
	key, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		return err
	}
	config := &ssh.ClientConfig{
		User:            *user,
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(key)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), //nolint:gosec // the bench's own server on loopback
		Timeout:         30 * time.Second,
	}
	var wg sync.WaitGroup
	errs := make(chan error, fs.NArg())
	for _, address := range fs.Args() {
		wg.Go(func() { errs <- floorHost(config, address, *commands) })
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func floorHost(config *ssh.ClientConfig, address string, commands int) error {
	client, err := ssh.Dial("tcp", address, config)
	if err != nil {
		return err
	}
	defer client.Close()
	for range commands {
		session, err := client.NewSession()
		if err != nil {
			return fmt.Errorf("%s: %w", address, err)
		}
		var out, errOut bytes.Buffer
		session.Stdout, session.Stderr = &out, &errOut
		if err := session.Run("true"); err != nil {
			return fmt.Errorf("%s: %w: %s", address, err, errOut.Bytes())
		}
		session.Close()
	}
	return nil
}

// floor runs the floor and gives its wall time.
func (b *bench) floor(ctx context.Context, f *farm, commands int) (time.Duration, error) {
	args := append([]string{"-role", "floor", "--", "-key", f.key, "-user", f.user, "-commands", strconv.Itoa(commands)}, f.addresses...)
	return timed(command(ctx, b.self, args...))
}
