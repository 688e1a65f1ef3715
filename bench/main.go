// Command bench measures hostler against a floor in the same run and prints ratios. The floor
// is the least that any tool can do over SSH: dial every host at once, and one exec a command on one
// connection a host. Nothing here is a test: times depend on the machine, ratios much less so.
//
//	go run ./bench            all of it
//	go run ./bench -only run  one part: run, play, delay, files, memory, check, engine, template, virt
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// part is one measurement.
type part struct {
	name, about string
	run         func(ctx context.Context, b *bench) error
}

func parts() []part {
	return []part{
		{"run", "hostler run -m command -a true on 100 hosts", benchRun},
		{"play", "a playbook of 20 command tasks on 50 hosts", benchPlay},
		{"delay", "the same playbook with 20 ms of round trip", benchDelay},
		{"files", "facts and ten tasks about files on 50 hosts", benchFiles},
		{"memory", "1,000 hosts connected at once", benchMemory},
		{"check", "a playbook of 500 tasks beside ansible-playbook --syntax-check", benchCheck},
		{"engine", "tasks that contact no host, beside ansible-playbook", benchEngine},
		{"template", "templates beside python3-jinja2", benchTemplate},
		{"virt", "300 domains, and a playbook about 120 objects of libvirt's, beside loops of virsh", benchVirt},
	}
}

// bench is what the parts share.
type bench struct {
	dir     string // 0700, removed at the end
	hostler string // the binary, built for this run
	self    string // this program, for the floor and the simulated hosts in processes of their own
	rounds  int
}

func main() {
	only := flag.String("only", "", "names of parts, separated by commas")
	rounds := flag.Int("rounds", 5, "how often each is measured; the median counts")
	role := flag.String("role", "", "used by the bench itself: floor, hosts or virt")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := choose(ctx, *role, *only, *rounds)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func choose(ctx context.Context, role, only string, rounds int) error {
	switch role {
	case "floor":
		return floorMain(flag.Args())
	case "hosts":
		return hostsMain(ctx, flag.Args())
	case "virt":
		return virtMain(ctx, flag.Args(), rounds)
	}
	b, cleanup, err := prepare(ctx, rounds)
	if err != nil {
		return err
	}
	defer cleanup()
	for _, p := range parts() {
		if only != "" && !slices.Contains(strings.Split(only, ","), p.name) {
			continue
		}
		fmt.Printf("\n%s: %s\n", p.name, p.about)
		if err := p.run(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

func prepare(ctx context.Context, rounds int) (*bench, func(), error) {
	dir, err := os.MkdirTemp("", "hostler-bench-")
	if err != nil {
		return nil, nil, err
	}
	cleanup := func() { os.RemoveAll(dir) }
	self, err := os.Executable()
	if err != nil {
		cleanup()
		return nil, nil, err
	}
	b := &bench{dir: dir, hostler: filepath.Join(dir, "hostler"), self: self, rounds: rounds}
	build := command(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.hostler, "./cmd/hostler")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		cleanup()
		return nil, nil, fmt.Errorf("build hostler: %w\n%s", err, out)
	}
	return b, cleanup, nil
}

// compare measures two things in turns, so that whatever else the machine does falls on both, and
// prints the ratio of their medians.
func (b *bench) compare(what string, limit float64, ours, floor func() (time.Duration, error)) error {
	var a, f []time.Duration
	for range b.rounds {
		d, err := floor()
		if err != nil {
			return fmt.Errorf("floor: %w", err)
		}
		f = append(f, d)
		if d, err = ours(); err != nil {
			return err
		}
		a = append(a, d)
	}
	ratio := float64(median(a)) / float64(median(f))
	verdict := "within"
	if ratio > limit {
		verdict = "OVER"
	}
	fmt.Printf("  %-48s %5.2f × floor (%s the goal of %.2f; hostler %v, floor %v)\n",
		what, ratio, verdict, limit, median(a).Round(time.Millisecond), median(f).Round(time.Millisecond))
	return nil
}

func median(d []time.Duration) time.Duration {
	s := slices.Sorted(slices.Values(d))
	return s[len(s)/2]
}
