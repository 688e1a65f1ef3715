package actions

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/transport/transporttest"
)

// rebootRun is a run of which a reboot needs the connection only. It never waits.
type rebootRun struct {
	Run
	conn       transport.Conn
	reconnects int
	pauses     int
}

func (r *rebootRun) Conn(context.Context) (transport.Conn, bool, error) { return r.conn, false, nil }

func (r *rebootRun) Reconnect(context.Context) error {
	if r.reconnects++; r.reconnects == 1 {
		return &transport.UnreachableError{}
	}
	return nil
}

func (r *rebootRun) Sleep(ctx context.Context, _ time.Duration) error {
	r.pauses++
	return ctx.Err()
}

func section(key, text string) string {
	return "@@" + key + " " + strconv.Itoa(len(text)) + " 0\n" + text + "\n"
}

func scripted(part string) func(transport.Command) bool {
	return func(c transport.Command) bool { return strings.Contains(c.Script, part) }
}

func typed(words ...string) func(transport.Command) bool {
	return func(c transport.Command) bool { return slices.Equal(c.Argv, words) }
}

// TestReboot takes a hypervisor through a reboot on which the connection breaks, the first attempt to reach it fails and the second
// finds it still in the old boot.
func TestReboot(t *testing.T) {
	const boot = "cat /proc/sys/kernel/random/boot_id"
	conn := transporttest.NewFake(t,
		transporttest.Reply{Match: scripted("tell boot"), Stdout: section("vms", "a\nb") + section("boot", "one") + section("id", "debian") + section("program", "shutdown") + section("path", "/sbin/shutdown")},
		transporttest.Reply{Match: typed("virsh", "-q", "shutdown", "--domain", "a")},
		transporttest.Reply{Match: typed("virsh", "-q", "shutdown", "--domain", "b")},
		transporttest.Reply{Match: scripted("say vms"), Stdout: section("vms", "b")},
		transporttest.Reply{Match: scripted("say vms"), Stdout: section("vms", "")},
		transporttest.Reply{Match: typed("/sbin/shutdown", "-r", "0", "Reboot initiated by Ansible"), Err: transport.ErrLost},
		transporttest.Reply{Match: typed("/bin/sh", "-c", boot), Stdout: "one\n"},
		transporttest.Reply{Match: typed("/bin/sh", "-c", boot), Stdout: "two\n"},
		transporttest.Reply{Match: typed("/bin/sh", "-c", "whoami"), Status: 1, Stderr: "not yet"},
		transporttest.Reply{Match: typed("/bin/sh", "-c", "whoami"), Stdout: "root\n"},
	)
	run := &rebootRun{conn: conn}
	r, err := reboot.Run(t.Context(), &Task{Args: value.NewDict("vms", "shutdown"), Run: run})
	done, _ := r.Data.Get("rebooted")
	if err != nil || !r.Changed || r.Failed || done != true {
		t.Errorf("%+v, %v", r, err)
	}
	if run.reconnects != 3 {
		t.Errorf("reached anew %d times, want 3", run.reconnects)
	}
}

// TestRebootWays has the command of each distribution.
func TestRebootWays(t *testing.T) {
	for _, c := range []struct {
		id, program, path string
		args              []any
		want              []string
	}{
		{"alpine", "reboot", "/sbin/reboot", nil, []string{"/sbin/reboot"}},
		{"void", "shutdown", "/usr/bin/shutdown", []any{"pre_reboot_delay", 60, "msg", "it's $HOME"}, []string{"/usr/bin/shutdown", "-r", "+1", "it's $HOME"}},
		{"fedora", "shutdown", "/sbin/shutdown", []any{"pre_reboot_delay", 59}, []string{"/sbin/shutdown", "-r", "0", "Reboot initiated by Ansible"}},
		{"fedora", "systemctl", "/bin/systemctl", []any{"reboot_command", "systemctl reboot --no-wall"}, []string{"/bin/sh", "-c", "/bin/systemctl reboot --no-wall"}},
	} {
		conn := transporttest.NewFake(t,
			transporttest.Reply{Match: scripted("tell boot"), Stdout: section("boot", "one") + section("id", c.id) + section("program", c.program) + section("path", c.path)},
			transporttest.Reply{Match: typed(c.want...), Status: 1, Stdout: "no", Stderr: "way"},
		)
		r, err := reboot.Run(t.Context(), &Task{Args: value.NewDict(c.args...), Run: &rebootRun{conn: conn}})
		if msg := r.Data.Str("msg"); err != nil || !r.Failed || msg != "Reboot command failed. Error was: 'no, way'" {
			t.Errorf("%s: %q, %v", c.id, msg, err)
		}
	}
}

func TestRebootMistakes(t *testing.T) {
	for _, c := range []struct {
		want string
		args []any
	}{
		{"test_command cannot be blank", []any{"test_command", " "}},
		{"boot_time_command cannot be blank", []any{"boot_time_command", ""}},
		{"reboot_command cannot be blank", []any{"reboot_command", ""}},
		{`argument "vms" must be one of refuse, shutdown, leave, not "migrate"`, []any{"vms", "migrate"}},
	} {
		_, err := reboot.Run(t.Context(), &Task{Args: value.NewDict(c.args...)})
		if err == nil || err.Error() != c.want {
			t.Errorf("%v: %v, want %s", c.args, err, c.want)
		}
	}
}
