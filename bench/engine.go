package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// engineTasks are set_fact, debug and when in turns: what the engine itself does, for no host is contacted.
func engineTasks(n int) string {
	var b strings.Builder
	b.WriteString("- hosts: all\n  gather_facts: false\n  tasks:\n")
	for i := range n {
		switch i % 3 {
		case 0:
			fmt.Fprintf(&b, "    - set_fact: {v%d: \"{{ inventory_hostname }}-%[1]d\"}\n", i)
		case 1:
			fmt.Fprintf(&b, "    - debug: {msg: \"{{ v%d }}\"}\n", i-1)
		default:
			fmt.Fprintf(&b, "    - {debug: {msg: never}, when: v%d == 'x'}\n", i-2)
		}
	}
	return b.String()
}

// engineSite writes a playbook of some tasks and an inventory of some hosts.
func (b *bench) engineSite(hosts, tasks int) (inventory, site string, err error) {
	dir, err := os.MkdirTemp(b.dir, "engine-")
	if err != nil {
		return "", "", err
	}
	inventory, site = filepath.Join(dir, "hosts"), filepath.Join(dir, "site.yml")
	var inv strings.Builder
	for i := range hosts {
		fmt.Fprintf(&inv, "h%05d\n", i)
	}
	if err := os.WriteFile(inventory, []byte(inv.String()), 0o600); err != nil {
		return "", "", err
	}
	return inventory, site, os.WriteFile(site, []byte(engineTasks(tasks)), 0o600)
}

// engine runs a playbook of the engine's own tasks once: its wall time, and the most memory that it held, in KB.
func (b *bench) engine(ctx context.Context, program []string, hosts, tasks int) (time.Duration, int64, error) {
	inventory, site, err := b.engineSite(hosts, tasks)
	if err != nil {
		return 0, 0, err
	}
	args := append(program[1:len(program):len(program)], "-i", inventory, site)
	c := command(ctx, program[0], args...)
	c.Env = append(os.Environ(), "HOME="+b.dir)
	took, err := timed(c)
	if err != nil {
		return 0, 0, err
	}
	return took, c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss, nil
}

// engineMedian runs it some times.
func (b *bench) engineMedian(ctx context.Context, hosts, tasks int) (time.Duration, error) {
	var all []time.Duration
	for range b.rounds {
		took, _, err := b.engine(ctx, []string{b.hostler, "play"}, hosts, tasks)
		if err != nil {
			return 0, err
		}
		all = append(all, took)
	}
	return median(all), nil
}

// benchEngine measures what a run costs besides its hosts: beside ansible-playbook, which runs once for it takes minutes;
// how that grows with the hosts; and how much memory a host takes.
func benchEngine(ctx context.Context, b *bench) error {
	few, err := b.engineMedian(ctx, 100, 50)
	if err != nil {
		return err
	}
	theirs, _, err := b.engine(ctx, []string{"ansible-playbook"}, 100, 50)
	if err != nil {
		return err
	}
	tell("100 hosts × 50 debug, set_fact, when", few.Seconds()/theirs.Seconds(), 0.01, "ansible-playbook",
		fmt.Sprintf("hostler %v, ansible-playbook %v", few.Round(time.Millisecond), theirs.Round(time.Second)))
	many, err := b.engineMedian(ctx, 1000, 50)
	if err != nil {
		return err
	}
	tell("1,000 hosts × 50", many.Seconds()/few.Seconds(), 12, "100 hosts", many.Round(time.Millisecond).String())
	_, least, err := b.engine(ctx, []string{b.hostler, "play"}, 1, 5)
	if err != nil {
		return err
	}
	took, most, err := b.engine(ctx, []string{b.hostler, "play"}, 10_000, 5)
	if err != nil {
		return err
	}
	tell("10,000 hosts × 5, a host", float64(most-least)/10_000, 30, "1 KB resident", took.Round(time.Millisecond).String())
	return nil
}

// tell prints one ratio and its goal.
func tell(what string, ratio, limit float64, unit, detail string) {
	verdict := "within"
	if ratio > limit {
		verdict = "OVER"
	}
	fmt.Printf("  %-48s %7.4f × %s (%s the goal of %.2f; %s)\n", what, ratio, unit, verdict, limit, detail)
}
