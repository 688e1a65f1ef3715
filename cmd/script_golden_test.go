//go:build script

package cmd_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"
	"golang.org/x/crypto/ssh"
)

func golden(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: golden FILE")
	}
	out, errOut := outputs(ts)
	got := ordered(masked(ts, out))
	if errOut != "" {
		got += "--- stderr\n" + masked(ts, errOut)
	}
	if !strings.HasSuffix(got, "\n") && got != "" {
		got += "\n(no line end)\n"
	}
	want := ts.ReadFile(args[0])
	if got == want {
		return
	}
	if os.Getenv("UPDATE_SCRIPTS") == "" {
		ts.Fatalf("%s differs (-want +got):\n%s\ngot:\n%s", args[0], cmp.Diff(want, got), got)
	}
	s := stateOf(ts)
	if s.updates == nil {
		s.updates = map[string]string{}
		ts.Defer(func() { update(ts, s.updates) })
	}
	s.updates[args[0]] = got
}

func outputs(ts *testscript.TestScript) (out, errOut string) {
	if p := stateOf(ts).last; p != nil {
		return p.out.String(), p.errOut.String()
	}
	return ts.ReadFile("stdout"), ts.ReadFile("stderr")
}

// update writes what golden got into the script.
func update(ts *testscript.TestScript, texts map[string]string) {
	path := filepath.Join("testdata", "script", strings.TrimPrefix(ts.Name(), "script-")+".txtar")
	archive, err := txtar.ParseFile(path)
	if err != nil {
		ts.Logf("update: %v", err)
		return
	}
	for i, f := range archive.Files {
		if text, ok := texts[f.Name]; ok {
			archive.Files[i].Data = []byte(text)
		}
	}
	if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
		ts.Logf("update: %v", err)
	}
}

// masked replaces what differs from run to run: folders, ports, fingerprints, times, the user.
func masked(ts *testscript.TestScript, text string) string {
	for _, name := range []string{"WORK", "EXAMPLES"} {
		text = strings.ReplaceAll(text, ts.Getenv(name), "$"+name)
	}
	f := stateOf(ts).farm
	if f.Farm != nil {
		for i, s := range f.Servers {
			text = strings.ReplaceAll(text, ssh.FingerprintSHA256(s.HostKey()), "SHA256:KEY-OF-"+f.Names[i])
			text = strings.ReplaceAll(text, fmt.Sprint(s.Addr().Port), "PORT-OF-"+f.Names[i])
		}
	}
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		text = strings.ReplaceAll(text, strings.TrimSpace(string(kernel)), "KERNEL")
	}
	for _, m := range masks() {
		text = m.old.ReplaceAllString(text, m.new)
	}
	return text
}

type mask struct {
	old *regexp.Regexp
	new string
}

func masks() []mask {
	return []mask{
		{regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?`), "TIME"},
		{regexp.MustCompile(`"delta": "[^"]*"`), `"delta": "DELTA"`},
		{regexp.MustCompile(`"(seconds|mtime|atime|ctime)": [0-9.e-]+`), `"$1": NUMBER`},
		{regexp.MustCompile(`"(owner|group)": "[^"]*"`), `"$1": "NAME"`},
		{regexp.MustCompile(`"(uid|gid)": \d+`), `"$1": NUMBER`},
		{regexp.MustCompile(`(\.hostler[-.])[0-9a-f]{8,}`), "${1}RANDOM"},
		{regexp.MustCompile(`(?m)^(ASYNC POLL|FAILED - RETRYING: \[\S+\]: Ask \().*\n`), ""}, // how often a job is asked for is chance
		{regexp.MustCompile(`"attempts": \d+, "censored"`), `"attempts": N, "censored"`},
		{regexp.MustCompile(`\bj\d+\.\d+`), "JOB"},
		{regexp.MustCompile(`output-\d+`), "output-RANDOM"},
		{regexp.MustCompile(`(hostler-[a-z]*-?)\d{5,}`), "${1}RANDOM"},
	}
}

var (
	// A new result of a host, in the text of a playbook and of a single module.
	entryStart = regexp.MustCompile(`^(?:(?:ok|changed|skipping|fatal|failed|done before): \[([^\]]*)\]|([\w.-]+) \| [A-Z]+)`)
	bannerLine = regexp.MustCompile(`^[A-Z ]+(?:\[.*\] )?\*+$`)
)

// ordered sorts the results of a task by host: hosts answer in any order.
func ordered(text string) string {
	type entry struct {
		host  string
		lines []string
	}
	var out []string
	var entries []entry
	flush := func() {
		slices.SortStableFunc(entries, func(a, b entry) int { return strings.Compare(a.host, b.host) })
		for _, e := range entries {
			out = append(out, e.lines...)
		}
		entries = nil
	}
	for line := range strings.Lines(text) {
		m := entryStart.FindStringSubmatch(line)
		switch {
		case m != nil:
			entries = append(entries, entry{m[1] + m[2], []string{line}})
		case len(entries) == 0 || line == "\n" || bannerLine.MatchString(strings.TrimSuffix(line, "\n")):
			flush()
			out = append(out, line)
		default:
			last := &entries[len(entries)-1]
			last.lines = append(last.lines, line)
		}
	}
	flush()
	return strings.Join(out, "")
}
