// Package moduletest runs a module's fixtures: txtar files with arguments, a scripted host, and
// the result and changes that are expected. Its main function is Run.
//
// A fixture has these files, of which all but args may be left out:
//
//	-- args --          the module's arguments as YAML
//	-- host --          what the host is asked, and what it answers
//	-- host NAME --     the same for another host of the play; "down" alone is one that cannot be reached
//	-- file/PATH --     a file of the host, for ReadFile and Download
//	-- local/NAME --    a file of the controller
//	-- changes --       each change's Why, one a line
//	-- result --        the result as JSON, without invocation, hostler and times
//
// In host, a line that begins with a word below opens an exchange, and the lines after it are the answer:
//
//	probe ARGS…         a probe script with these arguments
//	query ARGV…         a program that only looks
//	change ARGV…        an action; that of a Script is shown by its Args after "script"
//	run ARGV…           a program of the user's
//	put PATH            a file written; lines "< TEXT" are its content
//	> TEXT              a line of stdout; after "> @KEY STATUS" a section as say, tell and show tell it
//	! TEXT              a line of stderr
//	status N            the exit status
//
// A question that is not there fails the test, and so does an answer that nobody asked for. Then the fixture runs once more
// in check mode: it must announce the same changes and execute none. UPDATE=1 in the environment writes changes and result anew.
package moduletest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"golang.org/x/tools/txtar"
)

// Run runs every fixture that the pattern finds, each as a subtest. None at all fails the test.
func Run(t *testing.T, m *modules.Module, pattern string) {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures at %s (%v)", pattern, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) { runFile(t, m, path) })
	}
}

func runFile(t *testing.T, m *modules.Module, path string) {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	args := readArgs(t, path, section(archive, "args"))
	real, host, others := runOnce(t, m, archive, args, false)
	host.unused(t)
	for _, name := range others.names {
		if h := others.hosts[name]; h != nil {
			h.unused(t)
		}
	}
	got := map[string]string{"result": resultText(t, real), "changes": changesText(real)}
	if os.Getenv("UPDATE") == "1" {
		for _, name := range []string{"changes", "result"} {
			set(archive, name, got[name])
		}
		if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range got {
		if diff := cmp.Diff(section(archive, name), text); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	checked, host, others := runOnce(t, m, archive, args, true)
	executed := host.executed
	for _, h := range others.hosts {
		executed += h.executed
	}
	if executed > 0 {
		t.Errorf("check mode executed %d changes", executed)
	}
	if real.Failed || checked.Skipped {
		return // a failed change stops the plan, and what was left out announces nothing
	}
	if diff := cmp.Diff(got["changes"], changesText(checked)); diff != "" {
		t.Errorf("check mode announces other changes (-real +check):\n%s", diff)
	}
	if real.Changed != checked.Changed {
		t.Errorf("changed is %v, in check mode %v", real.Changed, checked.Changed)
	}
}

func runOnce(t *testing.T, m *modules.Module, archive *txtar.Archive, args *value.Dict, check bool) (modules.Result, *host, *others) {
	t.Helper()
	for _, e := range m.Check(args) {
		t.Logf("mistake in the arguments: %s", e.Msg)
	}
	fake, others := newHost(t, archive, check), newOthers(t, archive, check)
	h := modules.NewHost(modules.HostOptions{
		Name: "host1", Conn: fake, Executor: fake, Check: check, Diff: true, Local: local{archive}, Peers: others,
	})
	r, err := m.Run(t.Context(), h, args)
	if err != nil {
		t.Fatalf("check mode %v: %v", check, err)
	}
	return r, fake, others
}

func readArgs(t *testing.T, path, text string) *value.Dict {
	t.Helper()
	docs, _, err := document.Parse(path, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(docs) == 0 || docs[0].Root == nil {
		return value.NewDict()
	}
	v, err := docs[0].Value(docs[0].Root)
	if err != nil {
		t.Fatal(err)
	}
	args, ok := v.(*value.Dict)
	if !ok {
		t.Fatalf("%s: args are no dict", path)
	}
	return args
}

// resultText is a result as JSON with sorted keys, without what differs from run to run.
func resultText(t *testing.T, r modules.Result) string {
	t.Helper()
	plain, ok := toPlain(r.Data).(map[string]any)
	if !ok {
		t.Fatal("the result is no dict")
	}
	for _, key := range []string{"invocation", "hostler", "start", "end", "delta"} {
		delete(plain, key)
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(plain); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func changesText(r modules.Result) string {
	extras, _ := r.Data.Get("hostler")
	dict, _ := extras.(*value.Dict)
	actions, _ := dict.Get("actions")
	list, ok := actions.(*value.List)
	if !ok {
		return ""
	}
	var b strings.Builder
	for _, a := range list.Items {
		b.WriteString(a.(*value.Dict).Str("why") + "\n")
	}
	return b.String()
}

func toPlain(v any) any {
	switch x := v.(type) {
	case *value.Dict:
		m := map[string]any{}
		for k, item := range x.All() {
			if key, ok := k.(string); ok {
				m[key] = toPlain(item)
			}
		}
		return m
	case *value.List:
		l := make([]any, 0, x.Len())
		for _, item := range x.Items {
			l = append(l, toPlain(item))
		}
		return l
	}
	return v
}

func section(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

// set replaces a file of a fixture; an empty one is left out.
func set(a *txtar.Archive, name, text string) {
	for i := range a.Files {
		if a.Files[i].Name == name {
			a.Files[i].Data = []byte(text)
			return
		}
	}
	if text != "" {
		a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(text)})
	}
}
