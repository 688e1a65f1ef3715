//go:build integration

package integration

import (
	"fmt"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/modules/command"
	"github.com/hostlerhq/hostler/transport"
)

var commandTasks = []fileTask{
	{command.Ping, a{}},
	{command.Ping, a{"data": "x y"}},
	{command.Command, a{freeText: "echo one  two 'three  four' \"five\\\"\""}},
	{command.Command, a{freeText: "echo a=b creates=/nonexistent/x c='d e'"}},
	{command.Command, a{freeText: "echo 100% \\\\ \\n * ? ~ $HOME $NOPE_X ${HOME}x '$HOME'"}},
	{command.Command, a{freeText: "echo x chdir=$D"}},
	{command.Command, a{freeText: "pwd chdir=/"}},
	{command.Command, a{freeText: "touch made creates=made chdir=$D"}},
	{command.Command, a{"cmd": "rm made", "removes": "made", "chdir": "$D"}},
	{command.Command, a{"cmd": "touch 'a b' -- -x", "chdir": "$D"}},
	{command.Command, a{"argv": []any{"printf", "%s|", "a b", "", "*", "$HOME", "c\nd", "'", "\"", "\\"}}},
	{command.Command, a{"argv": []any{"-nosuch"}}},
	{command.Command, a{"argv": []any{"echo"}, "creates": "$D/a*"}},
	{command.Command, a{"argv": []any{"echo"}, "removes": "$D/z*"}},
	{command.Command, a{"cmd": "cat", "stdin": "line\n\n", "strip_empty_ends": false}},
	{command.Command, a{"cmd": "cat", "stdin": "line", "stdin_add_newline": false, "strip_empty_ends": false}},
	{command.Command, a{"cmd": "cat", "stdin": ""}},
	{command.Command, a{"cmd": "cat", "stdin": "\n\n x \n\n"}},
	{command.Command, a{"cmd": "nosuchprogram 'a b'"}},
	{command.Command, a{"cmd": "/etc"}},
	{command.Command, a{"cmd": "/etc/passwd x"}},
	{command.Command, a{"cmd": "./nosuch", "chdir": "/tmp"}},
	{command.Command, a{"cmd": "true", "chdir": "/nonexistent"}},
	{command.Command, a{"cmd": "true", "chdir": "/etc/passwd"}},
	{command.Command, a{"cmd": "ls /nonexistent"}},
	{command.Command, a{"cmd": "sh -c 'exit 255'"}},
	{command.Command, a{"cmd": "true", "argv": []any{"x"}}},
	{command.Command, a{"cmd": "printf 'a\\r\\nb\\x0bc\\x1cd\\n\\n'"}},
	{command.Command, a{"cmd": "env LC_ALL=C.UTF-8 printf 'ü€'"}},
	{command.Shell, a{freeText: "echo $((1+1)) | cat; echo err >&2; false"}},
	{command.Shell, a{freeText: "echo one\necho two && echo 'three   four'\n"}},
	{command.Shell, a{freeText: "echo a # comment creates=/nonexistent"}},
	{command.Shell, a{freeText: "cat <<X chdir=/tmp\nhere  doc\nX\n"}},
	{command.Shell, a{"cmd": "echo *", "chdir": "$D"}},
	{command.Shell, a{"cmd": "echo ${BASH_VERSION:+bash} {a,b}", "executable": "/bin/bash"}},
	{command.Shell, a{"cmd": "echo x", "executable": "/nonexistent/sh"}},
	{command.Shell, a{"cmd": "cat; exit 3", "stdin": "in"}},
	{command.Shell, a{"cmd": "sleep 0.01; exit 127"}},
	{command.Shell, a{"cmd": "echo x", "creates": "$D/a b"}},
	{command.Shell, a{"cmd": "umask; test -t 0 || echo no terminal"}},
	{command.Raw, a{freeText: "echo raw  text; echo e >&2; exit 3"}},
	{command.Raw, a{freeText: "echo $0 executable=/bin/bash"}},
	{command.Script, a{freeText: "$S/s.sh one 'two three' $HOME chdir=$D"}},
	{command.Script, a{freeText: "$S/s.sh creates=/etc/passwd"}},
	{command.Script, a{freeText: "$S/s.sh removes=/nonexistent"}},
	{command.Script, a{freeText: "$S/s.sh a chdir=/"}},
	{command.Script, a{freeText: "$S/s.sh executable=/bin/cat"}},
	{command.Script, a{"cmd": "$S/fails.sh"}},
}

// commandKeys must be Ansible's in every result.
var commandKeys = []string{
	"changed", "failed", "skipped", "rc", "cmd", "stdout", "stderr", "stdout_lines", "stderr_lines", "msg", "ping", "start", "end", "delta",
}

// clock is what a program's times look like.
var clock = regexp.MustCompile(`^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}|\d:\d\d:\d\d\.\d{6})$`)

func TestCommandsAreAnsibles(t *testing.T) {
	src := t.TempDir()
	mustWrite(t, src+"/s.sh", "#!/bin/sh\nprintf '%s|' \"$@\"\npwd\necho e >&2\n", 0o644)
	mustWrite(t, src+"/fails.sh", "#!/bin/sh\nexit 7\n", 0o755)
	pool := transport.NewPool(transport.PoolOptions{})
	t.Cleanup(func() { _ = pool.Close() })
	conn, err := pool.Open(t.Context(), transport.Endpoint{Name: "localhost", Kind: "local"}, transport.Become{})
	if err != nil {
		t.Fatal(err)
	}
	theirs, ours := t.TempDir(), t.TempDir()
	for _, check := range []bool{true, false} {
		t.Run(fmt.Sprintf("check=%v", check), func(t *testing.T) {
			want := ansibleResults(t, commandTasks, src, theirs, check)
			for i, task := range commandTasks {
				got := ourResult(t, conn, task, src, ours, check)
				what := fmt.Sprintf("task %d, %s %v", i, task.module.Name, task.args)
				for _, key := range commandKeys {
					w, g := rename(want[i][key], theirs), rename(got[key], ours)
					if slices.Contains([]string{"changed", "failed", "skipped"}, key) {
						w, g = w == true, g == true
					}
					if text, ok := w.(string); ok && clock.MatchString(text) {
						if other, _ := g.(string); !clock.MatchString(other) {
							t.Errorf("%s: %s is %q", what, key, other)
						}
						continue
					}
					if n, ok := g.(int); ok {
						g = float64(n)
					}
					if diff := cmp.Diff(w, g); diff != "" {
						t.Errorf("%s: %s (-Ansible +ours):\n%s", what, key, diff)
					}
				}
			}
			if diff := cmp.Diff(treeListing(t, theirs), treeListing(t, ours)); diff != "" {
				t.Errorf("folders (-Ansible +ours):\n%s", diff)
			}
		})
	}
}
