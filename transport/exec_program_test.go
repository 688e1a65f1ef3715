package transport

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// FuzzProgram sends values every way there is through the real shells.
func FuzzProgram(f *testing.F) {
	var conns []*conn
	for _, shell := range [][]string{{"/bin/dash"}, {"/bin/bash", "--posix"}, {"/bin/busybox", "sh"}} {
		if _, err := os.Stat(shell[0]); err != nil {
			f.Logf("not asked: %v", err)
			continue
		}
		m := newMachine(newLocalLink(), machineOptions{shell: shell})
		f.Cleanup(func() { _ = m.close() })
		conns = append(conns, m.conn(Become{}, nil))
	}
	for _, s := range []string{"", "-n", "a\nb\n", "it's", "\\", "\x81\x88\xff", "%s\\n", "$x`y`", "é\r", "\x01\x7f"} {
		f.Add(s, s+"x", []byte(s+"\x00"+s))
	}
	f.Fuzz(func(t *testing.T, arg, env string, stdin []byte) {
		if strings.Contains(arg+env, "\x00") {
			t.Skip("no shell can carry a NUL byte")
		}
		want := arg + "\n" + env + "\n" + string(stdin)
		script := `printf '%s\n%s\n' "$1" "$V"; cat`
		for _, c := range conns {
			for _, cmd := range []Command{
				{Script: script, Args: []string{arg}, Stdin: stdin},
				{Script: script, Args: []string{arg}, Input: bytes.NewReader(stdin)},
				{Argv: []string{"sh", "-c", script, "sh", arg}, Stdin: stdin, User: true},
			} {
				cmd.Env = map[string]string{"V": env}
				out, err := c.Exec(t.Context(), cmd)
				if err != nil || string(out.Stdout) != want || len(out.Stderr) > 0 {
					t.Errorf("%s: %q %q %v, want %q", c.m.opts.shell[0], out.Stdout, out.Stderr, err, want)
				}
			}
		}
	})
}

func TestProgramTextIsThis(t *testing.T) {
	for name, test := range map[string]struct {
		cmd  Command
		from source
		want string
	}{
		"argv": {
			Command{Argv: []string{"ls", "a b"}, Dir: "/x y", Env: map[string]string{"B": "2", "A": "it's"}},
			fromNull,
			`printf 'TS;' >&3;(cd '/x y'||exit 1;export A='it'"'"'s';export B=2;exec ls 'a b') >&3 2>&4 3>&- 4>&- </dev/null;` +
				`printf 'TE%s;' "$?" >&3;printf 'TE;' >&4` + "\n",
		},
		"script with stdin": {
			Command{Script: "cat", Args: []string{"-x"}, Stdin: []byte("-a%'\x00\n")},
			fromPipe,
			`printf 'TS;' >&3;printf '\055a%%\047\000` + "\n" + `' 2>/dev/null|(set -- -x;eval cat) >&3 2>&4 3>&- 4>&-;` +
				`printf 'TE%s;' "$?" >&3;printf 'TE;' >&4` + "\n",
		},
		"user": {
			Command{Argv: []string{"id"}, User: true},
			fromNull,
			`h_last;h_a=$h_b;printf 'TS;' >&3;(exec id) >&3 2>&4 3>&- 4>&- </dev/null;` +
				`printf 'TE%s;' "$?" >&3;printf 'TE;' >&4;h_left T` + "\n",
		},
	} {
		if got, err := program("T", test.cmd, test.from, true); err != nil || got != test.want {
			t.Errorf("%s:\n%s\nwant\n%s\n%v", name, got, test.want, err)
		}
	}
}
