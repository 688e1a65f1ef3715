package actions

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/internal/shell"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/transport"
)

//go:embed reboot.go
var rebootSource string

// RebootArgs reboot the host and wait until it is there again: by another boot_id, over a new connection, and with a command that succeeds.
// A hypervisor with virtual machines that run is not rebooted unless vms says what is to become of them.
//
//	# Guests are shut down first.
//	- reboot:
//	    reboot_timeout: 1800
//	    vms: shutdown
type RebootArgs struct {
	// Seconds before the reboot, which shutdown takes as whole minutes.
	PreRebootDelay int `arg:"pre_reboot_delay" default:"0"`
	// Seconds after the command before the host is asked for the first time.
	PostRebootDelay int `arg:"post_reboot_delay" default:"0"`
	// Seconds to wait for the host, and as many again for the test command.
	RebootTimeout int `arg:"reboot_timeout" default:"600"`
	// Seconds for one attempt to reach the host; 0 is what holds for connections anyway.
	ConnectTimeout int `arg:"connect_timeout" default:"0"`
	// Command that must succeed for the host to count as there.
	TestCommand string `arg:"test_command" default:"whoami"`
	// Text for the users who are logged in.
	Msg string `arg:"msg" default:"Reboot initiated by Ansible"`
	// Folders in which the rebooting program is looked for, and nowhere else.
	SearchPaths []string `arg:"search_paths" default:"/sbin,/bin,/usr/sbin,/usr/bin,/usr/local/sbin"`
	// Command whose output is another after each boot, and the same until then.
	BootTimeCommand string `arg:"boot_time_command" default:"cat /proc/sys/kernel/random/boot_id"`
	// Command that reboots, in place of shutdown (on Alpine reboot). Then msg and pre_reboot_delay do not count.
	RebootCommand *string `arg:"reboot_command"`
	// What becomes of virtual machines that run: the reboot is refused, they are told to shut down first, or they are left to the host.
	VMs vmsOnReboot `arg:"vms" default:"refuse"`
	// Seconds to wait for virtual machines to shut down.
	VMsTimeout int `arg:"vms_timeout" default:"300"`
}

type vmsOnReboot string

// Choices lists what may become of virtual machines.
func (vmsOnReboot) Choices() []string { return []string{"refuse", "shutdown", "leave"} }

// Check refuses commands that are none.
func (a RebootArgs) Check() error {
	for name, text := range map[string]string{"test_command": a.TestCommand, "boot_time_command": a.BootTimeCommand} {
		if strings.TrimSpace(text) == "" {
			return &modules.ArgError{Path: []any{name}, Msg: name + " cannot be blank"}
		}
	}
	if a.RebootCommand != nil && strings.TrimSpace(*a.RebootCommand) == "" {
		return &modules.ArgError{Path: []any{"reboot_command"}, Msg: "reboot_command cannot be blank"}
	}
	return nil
}

var reboot = define("reboot", rebootSource, runReboot, builtin("reboot"))

// Virtual machines that run: libvirt tells, or else the files that it keeps of them.
const runningVMs = `vms() {
	if command -v virsh >/dev/null 2>&1 && list=$(virsh -q list --name 2>/dev/null </dev/null); then printf '%s\n' "$list"; return; fi
	for f in /run/libvirt/qemu/*.xml /run/libvirt/lxc/*.xml /run/libvirt/libxl/*.xml; do
		if [ -e "$f" ]; then f=${f##*/}; printf '%s\n' "${f%.xml}"; fi
	done
}
say vms "$(vms)"
`

// rebootScript: command that tells the boot, program that reboots ("" for the distribution's), then the folders to find it in.
const rebootScript = runningVMs + `tell boot /bin/sh -c "$1"
p=$2; shift 2
id=$(. /etc/os-release 2>/dev/null && printf '%s' "$ID")
say id "$id"
if [ -z "$p" ]; then case $id in alpine) p=reboot ;; *) p=shutdown ;; esac; fi
say program "$p"
case $p in /*) say path "$p"; exit 0 ;; esac
for d in "$@"; do
	if [ -e "$d/$p" ]; then say path "$d/$p"; exit 0; fi
done
exit 0
`

// rebooting is one reboot of a host.
type rebooting struct {
	t     *Task
	a     RebootArgs
	conn  transport.Conn
	start time.Time
}

func runReboot(ctx context.Context, t *Task, a RebootArgs) (Result, error) {
	conn, local, err := t.Run.Conn(ctx)
	if err != nil {
		return Result{}, err
	}
	defer conn.Close()
	if local {
		return rebooted(failed("Running reboot with local connection would reboot the control node."), 0, false), nil
	}
	if t.Check {
		return rebooted(Result{Changed: true, Data: value.NewDict("changed", true)}, 0, true), nil
	}
	b := &rebooting{t: t, a: a, conn: conn, start: time.Now()}
	boot, command, err := b.prepare(ctx)
	if err != nil {
		return b.end(err, false)
	}
	if err := b.reboot(ctx, command); err != nil {
		return b.end(err, false)
	}
	b.start = time.Now()
	if err := t.Run.Sleep(ctx, time.Duration(max(a.PostRebootDelay, 0))*time.Second); err != nil {
		return Result{}, err
	}
	if err := b.until(ctx, "last boot time check", func(ctx context.Context) error { return b.another(ctx, boot) }); err != nil {
		return b.end(err, true)
	}
	return b.end(b.until(ctx, "post-reboot test command", b.test), true)
}

// rebooted adds what every result of a reboot has.
func rebooted(r Result, elapsed time.Duration, done bool) Result {
	r.Data.Set("elapsed", int(elapsed.Seconds()))
	r.Data.Set("rebooted", done)
	return r
}

// end gives the result; an error that is the connection's or the run's stays one.
func (b *rebooting) end(err error, done bool) (Result, error) {
	elapsed := time.Since(b.start)
	switch {
	case err == nil:
		return rebooted(Result{Changed: true, Data: value.NewDict("changed", true)}, elapsed, true), nil
	case errors.Is(err, context.Canceled), errors.Is(err, transport.ErrLost):
		return Result{}, err
	}
	if _, ok := errors.AsType[*transport.UnreachableError](err); ok {
		return Result{}, err
	}
	return rebooted(failed(err.Error()), elapsed, done), nil
}

// look probes the host.
func (b *rebooting) look(ctx context.Context, script string, args ...string) (*modules.Report, error) {
	return modules.NewHost(modules.HostOptions{Name: b.t.Host, Conn: b.conn}).Probe(ctx, script, args...)
}

// prepare gives what tells the present boot, and the command that ends it. Virtual machines are seen to.
func (b *rebooting) prepare(ctx context.Context) (boot string, command transport.Command, err error) {
	program, rest := "", ""
	if b.a.RebootCommand != nil {
		program, rest, _ = strings.Cut(*b.a.RebootCommand, " ")
	}
	r, err := b.look(ctx, rebootScript, slices.Concat([]string{b.a.BootTimeCommand, program}, b.a.SearchPaths)...)
	if err != nil {
		return "", command, err
	}
	if rc := r.Status("boot"); rc != 0 {
		return "", command, fmt.Errorf("reboot: failed to get host boot time info, rc: %d, stdout: %s, stderr: %s", rc, r.Text("boot"), r.Text("boot.err"))
	}
	path := r.Text("path")
	if path == "" {
		return "", command, fmt.Errorf("Unable to find command %q in search paths: %s", r.Text("program"), strings.Join(b.a.SearchPaths, ", "))
	}
	switch minutes := fmt.Sprint(max(b.a.PreRebootDelay, 0) / 60); {
	case b.a.RebootCommand != nil:
		quoted, err := shell.Quote(path)
		if err != nil {
			return "", command, err
		}
		command.Argv = []string{"/bin/sh", "-c", quoted + " " + rest} // the words after the program are the user's own shell text
	case r.Text("program") == "reboot":
		command.Argv = []string{path}
	case r.Text("id") == "void":
		command.Argv = []string{path, "-r", "+" + minutes, b.a.Msg}
	default:
		command.Argv = []string{path, "-r", minutes, b.a.Msg}
	}
	return strings.TrimSpace(r.Text("boot")), command, b.settleVMs(ctx, r.Lines("vms"))
}

// settleVMs does what is asked with virtual machines that run.
func (b *rebooting) settleVMs(ctx context.Context, names []string) error {
	if len(names) == 0 || b.a.VMs == "leave" {
		return nil
	}
	if b.a.VMs == "refuse" {
		return fmt.Errorf("%d virtual machines run here and would go down with the host: %s; shut them down or move them first, or say vms: shutdown or vms: leave",
			len(names), strings.Join(names, ", "))
	}
	for _, name := range names {
		out, err := b.conn.Exec(ctx, transport.Command{Argv: []string{"virsh", "-q", "shutdown", "--domain", name}})
		if _, refused := errors.AsType[*transport.ExitError](err); refused {
			return fmt.Errorf("shut down %s: %s", name, strings.TrimSpace(modules.Clean(out.Stderr)))
		}
		if err != nil {
			return err
		}
	}
	for waited := time.Now(); ; {
		r, err := b.look(ctx, runningVMs)
		if err != nil {
			return err
		}
		left := r.Lines("vms")
		if len(left) == 0 {
			return nil
		}
		if time.Since(waited) > time.Duration(b.a.VMsTimeout)*time.Second {
			return fmt.Errorf("still running %d seconds after they were told to shut down: %s", b.a.VMsTimeout, strings.Join(left, ", "))
		}
		if err := b.t.Run.Sleep(ctx, time.Second); err != nil {
			return err
		}
	}
}

// reboot gives the command. A connection that breaks meanwhile is what it is for.
func (b *rebooting) reboot(ctx context.Context, command transport.Command) error {
	command.Timeout = time.Duration(max(b.a.RebootTimeout, 1)) * time.Second
	out, err := b.conn.Exec(ctx, command)
	switch _, exited := errors.AsType[*transport.ExitError](err); {
	case err == nil || errors.Is(err, transport.ErrLost):
		return nil
	case exited:
		return fmt.Errorf("Reboot command failed. Error was: '%s, %s'",
			strings.TrimSpace(modules.Clean(out.Stdout)), strings.TrimSpace(modules.Clean(out.Stderr)))
	}
	return err
}

// The pauses between attempts to reach the host.
const (
	firstPause = 250 * time.Millisecond
	maxPause   = 5 * time.Second
)

// until tries something until it succeeds or the time is over.
func (b *rebooting) until(ctx context.Context, what string, try func(context.Context) error) error {
	limit := time.Duration(b.a.RebootTimeout) * time.Second
	over, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		err := try(over)
		if err == nil {
			return nil
		}
		if err := b.t.Run.Sleep(over, pause); err != nil && over.Err() == nil {
			return err // the run is being stopped
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if over.Err() != nil {
			return fmt.Errorf("Timed out waiting for %s (timeout=%d): %s", what, b.a.RebootTimeout, err.Error())
		}
	}
}

// run runs a command of the user's over the connection that there is.
func (b *rebooting) run(ctx context.Context, text string) (transport.Output, error) {
	return b.conn.Exec(ctx, transport.Command{Argv: []string{"/bin/sh", "-c", text}})
}

// another reaches the host anew and fails while it is still in the same boot.
func (b *rebooting) another(ctx context.Context, boot string) error {
	if b.a.ConnectTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(b.a.ConnectTimeout)*time.Second)
		defer cancel()
	}
	if err := b.t.Run.Reconnect(ctx); err != nil {
		return err
	}
	out, err := b.run(ctx, b.a.BootTimeCommand)
	if err != nil {
		return err
	}
	if now := strings.TrimSpace(modules.Clean(out.Stdout)); now == "" || now == boot {
		return errors.New("boot time has not changed")
	}
	return nil
}

// test fails while the test command does.
func (b *rebooting) test(ctx context.Context) error {
	out, err := b.run(ctx, b.a.TestCommand)
	if _, exited := errors.AsType[*transport.ExitError](err); exited {
		return fmt.Errorf("Test command failed: %s %s", strings.TrimSpace(modules.Clean(out.Stderr)), strings.TrimSpace(modules.Clean(out.Stdout)))
	}
	if err != nil { // perhaps another reboot
		return errors.Join(err, b.t.Run.Reconnect(ctx))
	}
	return nil
}
