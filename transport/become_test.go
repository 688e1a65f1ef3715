package transport

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/internal/shell"
)

// The tests of sudo, su and doas use Debian's own programs, as a user "tlogin" in a mount namespace with
// users, passwords and rules of the test's: nothing of the machine changes. That takes root.
const (
	becomePassword = "s3cret pass'"
	becomeHash     = "$6$saltsalt$E8x8XhRIwjn8pUojBhDTNf6JQ2CJiZbQj77xP31N.qZpCYbszKY0DbVl/CFry0QJ71SIPEE3LgtSIXuxOhRic."
	becomeRules    = `Defaults !lecture, timestamp_timeout=0, passwd_tries=3
Defaults:ttyuser requiretty
Defaults:ptyuser use_pty
tnopass ALL=(ALL) NOPASSWD: ALL
tlogin ALL=(ALL) ALL
ptyuser ALL=(ALL) NOPASSWD: ALL
ttyuser ALL=(ALL) ALL
`
	becomeEnter = `set -e
mount --make-rprivate /
mount -t overlay none -o "lowerdir=$1:/etc" /etc
mount -t tmpfs none /run/sudo 2>/dev/null || :
mount -t tmpfs none /var/lib/sudo 2>/dev/null || :
mount -t tmpfs none /var/log
exec setpriv --reuid="$2" --regid=47001 --clear-groups --reset-env sh -c "cd /tmp; $3"`
)

// userLink is this machine as an ordinary user.
type userLink struct {
	*localLink
	dir, user string
}

func (l userLink) start(ctx context.Context, req startRequest) (session, error) {
	line, err := shell.Join("exec", "unshare", "-m", "sh", "-c", becomeEnter, "sh", l.dir, l.user, req.line)
	if err != nil {
		return nil, err
	}
	req.line = line
	return l.localLink.start(ctx, req)
}

// becomeHost is a machine whose login user has the rules above.
func becomeHost(t *testing.T, user string) *machine {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("sudo, su and doas are tested as root only: the test needs a mount namespace")
	}
	dir, err := os.MkdirTemp("/run", "become-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	users, shadow, groups := "root:x:0:0:root:/root:/bin/sh\n", "root:"+becomeHash+":19000:0:99999:7:::\n", "root:x:0:\ntest:x:47001:\n"
	for i, name := range []string{"tlogin", "tnopass", "other", "ttyuser", "ptyuser", "ttylast"} {
		users += fmt.Sprintf("%s:x:%d:47001::/tmp:/bin/sh\n", name, 47001+i)
		shadow += name + ":" + becomeHash + ":19000:0:99999:7:::\n"
	}
	doas := "permit nopass tnopass\npermit tlogin\n"
	for name, text := range map[string]string{"passwd": users, "group": groups, "shadow": shadow, "sudoers": becomeRules, "doas.conf": doas} {
		mode := os.FileMode(0o644)
		if name == "sudoers" || name == "shadow" {
			mode = 0o440
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	m := newMachine(userLink{newLocalLink(), dir, user}, machineOptions{name: "here", log: func(e string) { t.Log(e) }})
	t.Cleanup(func() { _ = m.close() })
	return m
}

func TestBecome(t *testing.T) {
	right, wrong := secret.New(becomePassword), secret.New("nonsense")
	for _, test := range []struct {
		name, login string
		become      Become
		reason      string // "" is success
	}{
		{"sudo without password", "tnopass", Become{Method: "sudo"}, ""},
		{"sudo to a user", "tnopass", Become{Method: "sudo", User: "other"}, ""},
		{"sudo with use_pty", "ptyuser", Become{Method: "sudo"}, ""},
		{"sudo with needless password", "tnopass", Become{Method: "sudo", Password: right}, ""},
		{"sudo with password", "tlogin", Become{Method: "sudo", Password: right}, ""},
		{"sudo with password to a user", "tlogin", Become{Method: "sudo", User: "other", Password: right}, ""},
		{"sudo with flags", "tlogin", Become{Method: "sudo", Password: right, Flags: []string{"-H", "-S"}}, ""},
		{"sudo, wrong password", "tlogin", Become{Method: "sudo", Password: wrong}, "Incorrect sudo password"},
		{"sudo, missing password", "tlogin", Become{Method: "sudo"}, "Missing sudo password"},
		{"sudo, missing password, flags", "tlogin", Become{Method: "sudo", Flags: []string{"-S"}}, "Missing sudo password"},
		{"sudo, unknown user", "tnopass", Become{Method: "sudo", User: "nosuch"}, "sudo: unknown user nosuch"},
		{"sudo, not allowed", "other", Become{Method: "sudo", Password: right}, "other is not in the sudoers file."},
		{"sudo, missing program", "tnopass", Become{Method: "sudo", Exe: "sudo-here"}, "sudo-here: command not found"},
		{"sudo with requiretty", "ttyuser", Become{Method: "sudo", Password: right}, ""},
		{"sudo to a user with requiretty", "ttyuser", Become{Method: "sudo", Password: right, User: "other"}, ""},
		{"sudo with requiretty, wrong password", "ttyuser", Become{Method: "sudo", Password: wrong}, "Incorrect sudo password"},
		{"su with password", "tlogin", Become{Method: "su", Password: right}, ""},
		{"su to a user", "tlogin", Become{Method: "su", User: "other", Password: right}, ""},
		{"su as root", "root", Become{Method: "su", User: "other"}, ""},
		{"su, wrong password", "tlogin", Become{Method: "su", Password: wrong}, "Incorrect su password"},
		{"su, missing password", "tlogin", Become{Method: "su"}, "Missing su password"},
		{"su, unknown user", "root", Become{Method: "su", User: "nosuch"}, "su: user nosuch does not exist or the user entry does not contain all the required fields"},
		{"doas without password", "tnopass", Become{Method: "doas"}, ""},
		{"doas with password", "tlogin", Become{Method: "doas", Password: right}, ""},
		{"doas to a user with password", "tlogin", Become{Method: "doas", Password: right, User: "other"}, ""},
		{"doas, missing password", "tlogin", Become{Method: "doas"}, "Missing doas password"},
		{"doas, wrong password", "tlogin", Become{Method: "doas", Password: wrong}, "Incorrect doas password"},
		{"unknown method", "tlogin", Become{Method: "magic"}, `unknown become method "magic": sudo, su and doas are known`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := exec.LookPath(test.become.Method); err != nil && test.become.Method != "magic" {
				t.Skipf("%s is not installed here (make prepare)", test.become.Method)
			}
			ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
			defer stop()
			c := becomeHost(t, test.login).conn(test.become, nil)
			if test.reason != "" {
				_, err := c.Exec(ctx, Command{Argv: []string{"id", "-un"}})
				refused, ok := errors.AsType[*BecomeError](err)
				if err == nil || err.Error() != test.reason || !ok && test.name != "unknown method" {
					t.Errorf("got %v, want %q", err, test.reason)
				}
				if ok && strings.Contains(refused.Output, becomePassword) {
					t.Error("the password is in the output")
				}
				return
			}
			becomesAndWorks(ctx, t, c)
		})
	}
}

// becomesAndWorks runs one of each kind of command as the other user.
func becomesAndWorks(ctx context.Context, t *testing.T, c *conn) {
	t.Helper()
	want := c.id.become.user() + "\n"
	in := []byte("a\x00b\xff\n")
	for _, cmd := range []Command{
		{Argv: []string{"id", "-un"}},
		{Argv: []string{"id", "-un"}, User: true},
		{Script: "cat >&2; id -un", Stdin: in},
		{Script: "cat >&2; id -un", Input: strings.NewReader(string(in))},
		{Raw: "id -un"},
	} {
		out, err := c.Exec(ctx, cmd)
		if err != nil || string(out.Stdout) != want {
			t.Errorf("%+v: %q %q %+v", cmd, out.Stdout, out.Stderr, err)
		}
		if cmd.Script != "" && string(out.Stderr) != string(in) {
			t.Errorf("stderr %q", out.Stderr)
		}
	}
	_, err := c.Exec(ctx, Command{Argv: []string{"sh", "-c", "sleep 81.5 & wait"}, User: true, Timeout: 200 * time.Millisecond})
	if _, ok := errors.AsType[*TimeoutError](err); !ok {
		t.Error(err)
	}
	for range 100 { // a killed process takes a moment to go
		out, err := c.Exec(ctx, Command{Script: `cat /proc/[0-9]*/cmdline | tr '\0' ' ' | grep -c '[s]leep 81.5'; exit 0`})
		if err != nil {
			t.Fatal(err)
		}
		if string(out.Stdout) == "0\n" {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("the command still runs")
}
