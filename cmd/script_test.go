//go:build script

package cmd_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/cmd"
	"github.com/hostlerhq/hostler/transport/practice"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"hostler": func() { os.Exit(cmd.Main(os.Args, cmd.SystemStreams())) },
	})
}

// TestScript runs every testdata/script/*.txtar over the real command line. Besides testscript's own
// commands there are:
//
//	hosts NAME...        start practice hosts and write their inventory to hosts.ini, their keys to known_hosts
//	hosts -password P … / -nosftp … / -path DIR …   the same with a login password, without sftp, with DIR first in PATH
//	stop NAME            stop one host: from now on its port refuses connections
//	status N hostler …   run and want this exit status
//	golden FILE          compare stdout and stderr of the last command with FILE, after folder and port names
//	                     were replaced by $WORK and PORT
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: setUp,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"hosts":  hosts,
			"stop":   stop,
			"status": status,
			"golden": golden,
		},
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
	})
}

// farmKey finds the farm of a script.
type farmKey struct{}

func setUp(env *testscript.Env) error {
	// Nothing of the user's own: no configuration, no keys, no agent, no proxy.
	home := filepath.Join(env.WorkDir, "home")
	env.Setenv("HOME", home)
	env.Setenv("NO_COLOR", "1")
	env.Setenv("SSH_AUTH_SOCK", "")
	env.Setenv("PATH", os.Getenv("PATH"))
	env.Values[farmKey{}] = &farm{}
	return os.MkdirAll(home, 0o700)
}

// farm is the practice hosts of one script.
type farm struct{ *practice.Farm }

func hosts(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("unsupported: ! hosts")
	}
	var each practice.Options
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "-password":
			each.Password, args = args[1], args[2:]
		case "-path":
			each.Env = append(each.Env, "PATH="+ts.MkAbs(args[1])+":"+os.Getenv("PATH"))
			args = args[2:]
		case "-nosftp":
			each.NoSFTP, args = true, args[1:]
		case "-sessions":
			each.MaxSessions, args = 2, args[1:]
		default:
			ts.Fatalf("hosts: unknown option %s", args[0])
		}
	}
	f, err := practice.StartFarm(ts.MkAbs("."), args, each)
	ts.Check(err)
	ts.Value(farmKey{}).(*farm).Farm = f
	ts.Defer(func() { f.Close() })
	ts.Check(os.WriteFile(ts.MkAbs("hosts.ini"), []byte(f.Inventory("hypervisors")), 0o600))
}

func stop(ts *testscript.TestScript, _ bool, args []string) {
	f := ts.Value(farmKey{}).(*farm)
	for i, name := range f.Names {
		if name == args[0] {
			ts.Check(f.Servers[i].Close())
			return
		}
	}
	ts.Fatalf("stop: no host %s", args[0])
}

func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N program args...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit status %s, want %s\nstdout:\n%s\nstderr:\n%s", got, args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

func golden(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: golden FILE")
	}
	got := ts.ReadFile("stdout")
	if errOut := ts.ReadFile("stderr"); errOut != "" {
		got += "--- stderr\n" + errOut
	}
	got = masked(ts, got)
	want := ts.ReadFile(args[0])
	if got == want {
		return
	}
	if os.Getenv("UPDATE_SCRIPTS") != "" {
		ts.Check(os.WriteFile(filepath.Join(os.Getenv("UPDATE_SCRIPTS"), filepath.Base(ts.Name())+"."+args[0]), []byte(got), 0o600))
	}
	ts.Fatalf("%s differs.\nwant:\n%s\ngot:\n%s", args[0], want, got)
}

// masked replaces what differs from run to run: folder, ports.
func masked(ts *testscript.TestScript, text string) string {
	text = strings.ReplaceAll(text, ts.Getenv("WORK"), "$WORK")
	if f := ts.Value(farmKey{}).(*farm); f.Farm != nil {
		for _, s := range f.Servers {
			text = strings.ReplaceAll(text, fmt.Sprint(s.Addr().Port), "PORT")
		}
	}
	return text
}
