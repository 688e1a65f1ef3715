package command_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/command"
	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/transport/transporttest"
)

// shConn runs scripts by one of this machine's shells, in home.
type shConn struct {
	shell []string
	home  string
	trips int
}

func (c *shConn) Exec(ctx context.Context, cmd transport.Command) (transport.Output, error) {
	c.trips++
	argv := append(append([]string{}, c.shell...), "-c")
	if cmd.Raw != "" {
		argv = append(argv, cmd.Raw)
	} else {
		argv = append(append(argv, cmd.Script, "sh"), cmd.Args...)
	}
	p := exec.CommandContext(ctx, argv[0], argv[1:]...)
	p.Dir, p.Env = c.home, append(os.Environ(), "HOME="+c.home)
	for k, v := range cmd.Env {
		p.Env = append(p.Env, k+"="+v)
	}
	p.Stdin = bytes.NewReader(cmd.Stdin)
	if cmd.Input != nil {
		p.Stdin = cmd.Input
	}
	var out, errs bytes.Buffer
	p.Stdout, p.Stderr = &out, &errs
	err := p.Run()
	o := transport.Output{Stdout: out.Bytes(), Stderr: errs.Bytes()}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		o.Status = exit.ExitCode()
		return o, &transport.ExitError{Command: argv[0], Status: o.Status, Stderr: o.Stderr}
	}
	return o, err
}

func (c *shConn) Put(context.Context, string, io.Reader, transport.PutOptions) error {
	return errors.New("not here")
}

func (c *shConn) Get(context.Context, string) (io.ReadCloser, error) {
	return nil, errors.New("not here")
}
func (c *shConn) Close() error { return nil }

// files lends one folder.
type files struct {
	modules.Local
	dir string
}

func (f files) Find(_, name string) (string, error) {
	path := filepath.Join(f.dir, name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("could not find %s: %w", name, fs.ErrNotExist)
	}
	return path, nil
}

func (f files) Open(path string) (io.ReadCloser, error) { return os.Open(path) }

// summary is what of a result is told in the tables below.
func summary(r modules.Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "changed=%v failed=%v skipped=%v", r.Changed, r.Failed, r.Skipped)
	for _, key := range []string{"rc", "cmd", "stdout", "stderr", "msg", "ping"} {
		v, ok := r.Data.Get(key)
		if !ok || v == nil || v == "" {
			continue
		}
		if l, isList := v.(*value.List); isList {
			v = l.Items
		}
		fmt.Fprintf(&b, " %s=%q", key, fmt.Sprint(v))
	}
	return b.String()
}

var tmpName = regexp.MustCompile(`[^\s"]*/hostler\.\w+/`)

// TestAsAnsible holds the modules to what ansible-core 2.14 answered for the same tasks.
func TestAsAnsible(t *testing.T) {
	args := func(pairs ...any) *value.Dict { return value.NewDict(pairs...) }
	for name, sh := range map[string][]string{"dash": {"dash"}, "bash": {"bash"}, "busybox": {"busybox", "sh"}} {
		t.Run(name, func(t *testing.T) {
			transporttest.Installed(t, sh[0])
			home := t.TempDir()
			t.Setenv("TMPDIR", t.TempDir())
			local := t.TempDir()
			script := "#!/bin/sh\necho \"$0|$1|$2|$PWD\"; echo e >&2; exit ${3:-0}\n"
			if err := os.WriteFile(filepath.Join(local, "s x.sh"), []byte(script), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, c := range []struct {
				m     *modules.Module
				args  *value.Dict
				check bool
				want  string
			}{
				{command.Command, args("cmd", "foo bar"), false, `changed=false failed=true skipped=false rc="2" cmd="foo bar" msg="[Errno 2] No such file or directory: b'foo'"`},
				{command.Command, args("cmd", "/etc/passwd"), false, `changed=false failed=true skipped=false rc="13" cmd="/etc/passwd" msg="[Errno 13] Permission denied: b'/etc/passwd'"`},
				{command.Command, args("cmd", `echo $HOME ~ "$HOME x" ~root/x $NOPE ${HOME} ~nobody9 a$`), false, `changed=true failed=false skipped=false rc="0" cmd="[echo $HOME ~ $HOME x ~root/x $NOPE ${HOME} ~nobody9 a$]" stdout="HOME HOME HOME x /root/x $NOPE HOME ~nobody9 a$"`},
				{command.Command, args("cmd", "echo $UID ${RANDOM} $LINENO $_ $__n"), false, `changed=true failed=false skipped=false rc="0" cmd="[echo $UID ${RANDOM} $LINENO $_ $__n]" stdout="$UID ${RANDOM} $LINENO $_ $__n"`},
				{command.Command, args("cmd", "echo $HOME", "expand_argument_vars", false), false, `changed=true failed=false skipped=false rc="0" cmd="[echo $HOME]" stdout="$HOME"`},
				{command.Command, args("cmd", `printf 'a\377b\0c\n'`), false, `changed=true failed=false skipped=false rc="0" cmd="[printf a\\377b\\0c\\n]" stdout="a�b\x00c"`},
				{command.Command, args("cmd", "echo hi", "chdir", "/nonexistent"), false, `changed=false failed=true skipped=false cmd="[echo hi]" msg="Unable to change directory before execution: [Errno 2] No such file or directory: b'/nonexistent'"`},
				{command.Command, args("cmd", "echo hi", "creates", "/etc/pass*"), false, `changed=false failed=false skipped=false rc="0" cmd="[echo hi]" stdout="skipped, since /etc/pass* exists" msg="Did not run command since '/etc/pass*' exists"`},
				{command.Command, args("cmd", "echo hi", "creates", "/etc/pass*"), true, `changed=false failed=false skipped=false rc="0" cmd="[echo hi]" stdout="skipped, since /etc/pass* exists" msg="Would not run command since '/etc/pass*' exists"`},
				{command.Command, args("cmd", "echo hi", "removes", "/nope"), false, `changed=false failed=false skipped=false rc="0" cmd="[echo hi]" stdout="skipped, since /nope does not exist" msg="Did not run command since '/nope' does not exist"`},
				{command.Command, args("cmd", "touch x", "creates", "~/x"), false, `changed=true failed=false skipped=false rc="0" cmd="[touch x]"`},
				{command.Command, args("cmd", "touch x", "creates", "$HOME/x"), true, `changed=false failed=false skipped=false rc="0" cmd="[touch x]" stdout="skipped, since $HOME/x exists" msg="Would not run command since '$HOME/x' exists"`},
				{command.Command, args("cmd", "touch y", "creates", "y"), true, `changed=true failed=false skipped=false rc="0" cmd="[touch y]" msg="Command would have run if not in check mode"`},
				{command.Command, args("cmd", "touch y"), true, `changed=false failed=false skipped=true rc="0" cmd="[touch y]" msg="Command would have run if not in check mode"`},
				{command.Command, args("cmd", "touch y", "unless", "test -e x"), false, `changed=false failed=false skipped=false rc="0" cmd="[touch y]" stdout="skipped, since test -e x succeeds" msg="Did not run command since 'test -e x' succeeds"`},
				{command.Command, args("cmd", "ls", "onlyif", "test -e z"), false, `changed=false failed=false skipped=false rc="0" cmd="[ls]" stdout="skipped, since test -e z fails" msg="Did not run command since 'test -e z' fails"`},
				{command.Command, args("cmd", "ls", "onlyif", "test -e x"), false, `changed=true failed=false skipped=false rc="0" cmd="[ls]" stdout="x"`},
				{command.Command, args("cmd", "cd /"), false, `changed=false failed=true skipped=false rc="2" cmd="cd /" msg="[Errno 2] No such file or directory: b'cd'"`},
				{command.Command, args("argv", value.NewList("cat"), "stdin", "abc"), false, `changed=true failed=false skipped=false rc="0" cmd="[cat]" stdout="abc"`},
				{command.Command, args("cmd", "wc -c", "stdin", strings.Repeat("x", 100000), "stdin_add_newline", "no"), false, `changed=true failed=false skipped=false rc="0" cmd="[wc -c]" stdout="100000"`},
				{command.Command, args("cmd", "cat"), false, `changed=true failed=false skipped=false rc="0" cmd="[cat]"`},
				{command.Command, args("cmd", "echo hi", "argv", value.NewList("a")), false, `changed=false failed=true skipped=false rc="256" msg="only command or argv can be given, not both"`},
				{command.Command, args(), false, `changed=false failed=true skipped=false rc="256" msg="no command given"`},
				{command.Shell, args("cmd", "exit 3"), false, `changed=true failed=true skipped=false rc="3" cmd="exit 3" msg="non-zero return code"`},
				{command.Shell, args("cmd", `echo $0; echo "a  b"   |  cat; echo err >&2`, "chdir", "/tmp"), false, `changed=true failed=false skipped=false rc="0" cmd="echo $0; echo \"a  b\"   |  cat; echo err >&2" stdout="/bin/sh\na  b" stderr="err"`},
				{command.Shell, args("cmd", "echo; echo", "strip_empty_ends", false), false, `changed=true failed=false skipped=false rc="0" cmd="echo; echo" stdout="\n\n"`},
				{command.Shell, args("cmd", "echo hi", "executable", "/bin/nope"), false, `changed=false failed=true skipped=false rc="2" cmd="/bin/nope -c 'echo hi'" msg="[Errno 2] No such file or directory: b'/bin/nope'"`},
				{command.Shell, args("cmd", "kill -9 $$"), false, `changed=true failed=true skipped=false rc="-1" cmd="kill -9 $$" msg="non-zero return code"`},
				{command.Raw, args("_raw_params", "echo hi; echo err >&2; exit 2"), false, `changed=true failed=true skipped=false rc="2" stdout="hi\n" stderr="err\n" msg="non-zero return code"`},
				{command.Raw, args("_raw_params", "echo $0", "executable", "/bin/bash"), false, `changed=true failed=false skipped=false rc="0" stdout="/bin/bash\n"`},
				{command.Raw, args("_raw_params", "echo hi"), true, `changed=false failed=false skipped=true`},
				{command.Script, args("cmd", "'s x.sh' a 'b c'"), false, `changed=true failed=false skipped=false rc="0" stdout="TMP/s x.sh|a|b c|HOME\n" stderr="e\n"`},
				{command.Script, args("cmd", "'s x.sh' a b 4", "chdir", "/"), false, `changed=true failed=true skipped=false rc="4" stdout="TMP/s x.sh|a|b|/\n" stderr="e\n" msg="non-zero return code"`},
				{command.Script, args("cmd", "s\\ x.sh", "creates", "/etc/passwd"), false, `changed=false failed=false skipped=true msg="/etc/passwd exists, matching creates option"`},
				{command.Script, args("cmd", "s\\ x.sh", "removes", "/nope"), false, `changed=false failed=false skipped=true msg="/nope does not exist, matching removes option"`},
				{command.Script, args("cmd", "s\\ x.sh"), true, `changed=false failed=false skipped=true msg="Check mode is not supported for this task."`},
				{command.Script, args("cmd", "s\\ x.sh", "chdir", "rel"), false, `changed=false failed=true skipped=false msg="chdir rel must be an absolute path for a Unix-aware remote node"`},
				{command.Script, args("cmd", "'s x.sh'", "executable", "sh -x"), false, `changed=true failed=false skipped=false rc="0" stdout="TMP/s x.sh|||HOME\n" stderr="+ echo TMP/s x.sh|||HOME\n+ echo e\ne\n+ exit 0\n"`},
				{command.Script, args("cmd", "nope.sh"), false, `changed=false failed=true skipped=false msg="could not find nope.sh: file does not exist"`},
				{command.Script, args("cmd", "'s x.sh' a", "unless", "true"), true, `changed=false failed=false skipped=true msg="true succeeds, matching unless option"`},
				{command.Script, args("cmd", "'s x.sh' a", "onlyif", "test -e z"), false, `changed=false failed=false skipped=true msg="test -e z fails, matching onlyif option"`},
				{command.Script, args("cmd", "'s x.sh' a", "onlyif", "test -e x", "unless", "test -e z"), true, `changed=true failed=false skipped=false`},
				{command.Script, args("cmd", "'s x.sh' a", "onlyif", "test -e x", "unless", "test -e z"), false, `changed=true failed=false skipped=false rc="0" stdout="TMP/s x.sh|a||HOME\n" stderr="e\n"`},
				{command.Script, args("cmd", "'s x.sh"), false, `changed=false failed=true skipped=false msg="split \"'s x.sh\": No closing quotation"`},
				{command.Script, args("cmd", " "), false, `changed=false failed=true skipped=false msg="no script given"`},
				{command.Script, args("chdir", "/"), false, `changed=false failed=true skipped=false msg="missing required argument \"cmd\""`},
				{command.Script, args("cmd", "'s x.sh'", "chdir", "/etc/passwd"), false, `changed=false failed=true skipped=false msg="run the script: [Errno 20] Not a directory: b'/etc/passwd'"`},
				{command.Script, args("cmd", "'s x.sh'", "stdin", "x"), false, `changed=false failed=true skipped=false msg="unknown argument \"stdin\""`},
				{command.Command, args("cmd", "echo 'x"), false, `changed=false failed=true skipped=false msg="split the command \"echo 'x\": No closing quotation"`},
				{command.Command, args("argv", value.NewList()), false, `changed=false failed=true skipped=false rc="256" msg="no command given"`},
				{command.Command, args("argv", value.NewList("")), false, `changed=false failed=true skipped=false rc="2" cmd="''" msg="[Errno 2] No such file or directory: b''"`},
				{command.Command, args("cmd", "ls", "stdin_add_newline", "perhaps"), false, `changed=false failed=true skipped=false msg="argument \"stdin_add_newline\" must be a truth value (yes or no), not \"perhaps\""`},
				{command.Command, args("cmd", "ls", "creats", "/x"), false, `changed=false failed=true skipped=false msg="unknown argument \"creats\" (did you mean \"creates\"?)"`},
				{command.Command, args("cmd", "ls", "onlyif", "if then"), false, `changed=false failed=false skipped=false rc="0" cmd="[ls]" stdout="skipped, since if then fails" msg="Did not run command since 'if then' fails"`},
				{command.Command, args("cmd", "ls", "onlyif", "test -e x", "chdir", "/nope"), false, `changed=false failed=true skipped=false cmd="[ls]" msg="Unable to change directory before execution: [Errno 2] No such file or directory: b'/nope'"`},
				{command.Command, args("cmd", "pwd", "onlyif", "test -e passwd", "chdir", "/etc"), true, `changed=true failed=false skipped=false rc="0" cmd="[pwd]" msg="Command would have run if not in check mode"`},
				{command.Command, args("cmd", "ls", "onlyif", "false", "unless", "true"), false, `changed=false failed=false skipped=false rc="0" cmd="[ls]" stdout="skipped, since true succeeds" msg="Did not run command since 'true' succeeds"`},
				{command.Shell, args(), false, `changed=false failed=true skipped=false rc="256" msg="no command given"`},
				{command.Shell, args("cmd", "\n"), false, `changed=false failed=true skipped=false rc="256" msg="no command given"`},
				{command.Shell, args("cmd", "ls", "executable", "/etc"), false, `changed=false failed=true skipped=false rc="13" cmd="/etc -c ls" msg="[Errno 13] Permission denied: b'/etc'"`},
				{command.Shell, args("cmd", "ls", "argv", value.NewList("x")), false, `changed=false failed=true skipped=false msg="unknown argument \"argv\""`},
				{command.Raw, args(), false, `changed=false failed=true skipped=false msg="missing required argument \"_raw_params\""`},
				{command.Raw, args("_raw_params", "echo", "creates", "/etc"), false, `changed=false failed=true skipped=false msg="unknown argument \"creates\""`},
				{command.Ping, args("data", "hello"), false, `changed=false failed=false skipped=false ping="hello"`},
				{command.Ping, args("data", "crash"), true, `changed=false failed=true skipped=false msg="boom"`},
			} {
				conn := &shConn{shell: sh, home: home}
				h := modules.NewHost(modules.HostOptions{Conn: conn, Check: c.check, Local: files{dir: local}})
				r, err := c.m.Run(t.Context(), h, c.args)
				if err != nil {
					t.Errorf("%s: %v", c.m.Name, err)
					continue
				}
				got := tmpName.ReplaceAllString(strings.ReplaceAll(summary(r), home, "HOME"), "TMP/")
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("%s %v: %s", c.m.Name, c.args.Keys(), diff)
				}
				if conn.trips > 1 {
					t.Errorf("%s: %d round trips", c.m.Name, conn.trips)
				}
			}
			left, err := filepath.Glob(filepath.Join(os.TempDir(), "hostler.*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %q, %v", left, err)
			}
		})
	}
}
