package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ours runs the binary and gives its wall time.
func (b *bench) ours(ctx context.Context, args ...string) (time.Duration, error) {
	c := command(ctx, b.hostler, args...)
	c.Env = append(os.Environ(), "HOME="+b.dir) // no configuration and no keys of the user's
	return timed(c)
}

func benchRun(ctx context.Context, b *bench) error {
	f, err := b.newFarm(ctx, 100, 0)
	if err != nil {
		return err
	}
	defer f.stop()
	return b.compare("run -m command -a true, 100 hosts", 1.25, func() (time.Duration, error) {
		return b.ours(ctx, "run", "all", "-i", f.inventory, "--host-keys", "off", "--forks", "100", "-m", "command", "-a", "true")
	}, func() (time.Duration, error) { return b.floor(ctx, f, 1) })
}

func benchPlay(ctx context.Context, b *bench) error {
	return b.playbook(ctx, "20 command tasks, 50 hosts", 0, 1.25)
}

func benchDelay(ctx context.Context, b *bench) error {
	return b.playbook(ctx, "20 command tasks, 50 hosts, 20 ms round trip", 20*time.Millisecond, 1)
}

func (b *bench) playbook(ctx context.Context, what string, delay time.Duration, limit float64) error {
	const tasks = 20
	f, err := b.newFarm(ctx, 50, delay)
	if err != nil {
		return err
	}
	defer f.stop()
	site := filepath.Join(filepath.Dir(f.inventory), "site.yml")
	text := "- hosts: all\n  gather_facts: false\n  tasks:\n" + strings.Repeat("    - command: \"true\"\n", tasks)
	if err := os.WriteFile(site, []byte(text), 0o600); err != nil {
		return err
	}
	return b.compare(what, limit, func() (time.Duration, error) {
		return b.ours(ctx, "play", "-i", f.inventory, "--host-keys", "off", site)
	}, func() (time.Duration, error) { return b.floor(ctx, f, tasks) })
}

// benchMemory connects to 1,000 simulated hosts, which live in another process, and reads how much
// memory the controller took at its peak.
func benchMemory(ctx context.Context, b *bench) error {
	const hosts = 1000
	f, err := b.newSimulated(ctx, hosts)
	if err != nil {
		return err
	}
	defer f.stop()
	c := command(ctx, b.hostler, "run", "all", "-i", f.inventory, "--host-keys", "off",
		"--forks", strconv.Itoa(hosts), "-m", "command", "-a", "true", "-o")
	c.Env = append(os.Environ(), "HOME="+b.dir)
	out, err := c.Output()
	if err != nil {
		return fmt.Errorf("%w\n%.2000s", err, out)
	}
	answered := strings.Count(string(out), " | CHANGED |")
	peak := c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10
	verdict := "within"
	if peak > 120 || answered != hosts {
		verdict = "OVER"
	}
	fmt.Printf("  %-48s %d of %d answered; peak %d MB resident (%s the goal of 120)\n",
		"1,000 hosts at once, --forks 1000", answered, hosts, peak, verdict)
	return nil
}
