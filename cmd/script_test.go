//go:build script

package cmd_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/cmd"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	program := func() {
		status := cmd.Main(os.Args, cmd.SystemStreams())
		notePeak()
		os.Exit(status)
	}
	testscript.Main(m, map[string]func(){
		"hostler": program, "ansible": program, "ansible-playbook": program, "ansible-inventory": program, "ansible-vault": program,
	})
}

// notePeak writes what the program's memory came to into the file that the script names.
func notePeak() {
	file := os.Getenv("PEAK_FILE")
	if file == "" {
		return
	}
	text, err := os.ReadFile("/proc/self/status")
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// TestScript runs every testdata/script/*.txtar over the real command line. Besides testscript's own
// commands there are:
//
//	hosts [OPTION...] NAME...
//	                     start practice hosts and write their inventory to hosts.ini, their keys to known_hosts.
//	                     -password P lets P log in too, -nosftp leaves the subsystem out, -sessions N bounds sessions,
//	                     -small DIR mounts a disk of 1 MiB there,
//	                     -become P puts a sudo and a su into PATH that want the password P, -path DIR puts DIR there
//	down NAME            stop one host: from now on its port refuses connections
//	contacts N           N connections were made to the hosts, all together
//	newkey FILE          make a key: FILE and FILE.pub
//	status N hostler …   run and want this exit status
//	start hostler …      run in the background; only one at a time
//	appears FILE         wait until the file exists
//	says TEXT            wait until the program in the background printed TEXT
//	interrupt            send it Ctrl-C
//	kill9                send it SIGKILL
//	finish N             wait for its end and want this exit status, -1 for a signal
//	gone FILE            wait until the process whose number the file holds is no more
//	golden FILE          compare stdout and stderr of the last program with FILE, after masked and ordered
//	                     made them the same from run to run
//	peak MEGABYTES       the last program that ran with PEAK_FILE set needed less
//
// UPDATE_SCRIPTS=1 writes what golden got into the scripts.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: setUp,
		// [namespaces]
		Condition: condition,
		// While scripts are written one wants to see all that differs.
		ContinueOnError: os.Getenv("UPDATE_SCRIPTS") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"hosts":     hosts,
			"down":      down,
			"contacts":  contacts,
			"newkey":    newkey,
			"status":    status,
			"start":     start,
			"appears":   appears,
			"says":      says,
			"interrupt": interrupt,
			"kill9":     killed,
			"finish":    finish,
			"gone":      gone,
			"golden":    golden,
			"peak":      peak,
		},
	})
}

// stateKey finds the state of a script.
type stateKey struct{}

// state is what the commands of one script share.
type state struct {
	farm    farm
	env     []string
	program *program
	last    *program // whose output golden compares; nil is testscript's own last one
	updates map[string]string
}

func stateOf(ts *testscript.TestScript) *state { return ts.Value(stateKey{}).(*state) }

func setUp(env *testscript.Env) error {
	// Nothing of the user's own: no configuration, no keys, no agent, no proxy.
	home := filepath.Join(env.WorkDir, "home")
	examples, err := filepath.Abs("../examples")
	if err != nil {
		return err
	}
	env.Setenv("HOME", home)
	env.Setenv("NO_COLOR", "1")
	env.Setenv("SSH_AUTH_SOCK", "")
	env.Setenv("PATH", os.Getenv("PATH"))
	env.Setenv("EXAMPLES", examples)
	env.Setenv("LC_ALL", "C.UTF-8")
	s := &state{env: env.Vars}
	env.Values[stateKey{}] = s
	env.Defer(func() { s.farm.close() })
	return os.MkdirAll(home, 0o700)
}

func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N program args...")
	}
	stateOf(ts).last = nil
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit status %s, want %s\nstdout:\n%s\nstderr:\n%s", got, args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}
