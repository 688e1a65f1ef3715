package playbook_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/playbook"
)

// load reads site.yml of an archive and fails the test when it is broken.
func load(t *testing.T, archive string) (*playbook.Loader, *playbook.Playbook) {
	t.Helper()
	dir := unpack(t, txtar.Parse([]byte(archive)))
	l := testLoader()
	l.CollectionsPath = []string{filepath.Join(dir, "collections")}
	pb, _, err := l.Load(filepath.Join(dir, "site.yml"))
	if err != nil {
		t.Fatal(err)
	}
	return l, pb
}

// outline writes tasks with what they inherit.
func outline(list []playbook.Node) string {
	var b strings.Builder
	var walk func(list []playbook.Node, in string)
	walk = func(list []playbook.Node, in string) {
		for _, n := range list {
			switch n := n.(type) {
			case *playbook.Task:
				fmt.Fprintf(&b, "%s%s %v when%s", in, n.Title(), n.Tags, whens(n.When))
				if f := n.Inherited(func(k *playbook.Keywords) playbook.Field { return k.BecomeUser }); f.Set {
					fmt.Fprintf(&b, " as %v", f.Value)
				}
				for _, f := range n.Notify {
					fmt.Fprintf(&b, " notify %v", f.Value)
				}
				b.WriteString("\n")
			case *playbook.Block:
				fmt.Fprintf(&b, "%sblock %s\n", in, n.Static)
				walk(n.Body, in+"  ")
				walk(n.Rescue, in+"  rescue ")
				walk(n.Always, in+"  always ")
			}
		}
	}
	walk(list, "")
	return b.String()
}

func whens(list []playbook.Field) string {
	var out []string
	for _, f := range list {
		out = append(out, fmt.Sprint(f.Value))
	}
	return "[" + strings.Join(out, "; ") + "]"
}

func TestInheritance(t *testing.T) {
	_, pb := load(t, `
-- site.yml --
- hosts: all
  tags: play
  become_user: one
  tasks:
    - block:
        - {name: a, command: "true", when: inner, tags: [x, outer]}
        - {name: b, command: "true", become_user: three, notify: own}
        - import_tasks: more.yml
          when: imported
          tags: imp
      rescue:
        - {name: r, command: "true"}
      when: [first, second]
      tags: outer
      become_user: two
      notify: h
  handlers:
    - {name: h, command: "true"}
    - {name: other, listen: own, command: "true"}
-- more.yml --
- {name: m, command: "true", when: last}
`)
	want := `block 
  a [play outer x] when[first; second; inner] as two notify h
  b [play outer] when[first; second] as three notify own
  block import_tasks
    m [play outer imp] when[first; second; imported; last] as two notify h
  rescue r [play outer] when[first; second] as two notify h
`
	if d := cmp.Diff(want, outline(pb.Plays[0].Tasks)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestRoles(t *testing.T) {
	_, pb := load(t, `
-- site.yml --
- hosts: all
  roles:
    - {role: app, tags: t, when: cond, size: 3}
    - my.coll.web
    - app
    - app
  handlers:
    - {name: own, command: "true"}
-- roles/app/meta/main.yml --
dependencies:
  - {role: base, tags: dep, when: depcond}
-- roles/app/tasks/main.yml --
- {name: app task, command: "true", notify: base handler}
-- roles/app/defaults/main/b.yml --
x: 2
-- roles/app/defaults/main/a.yml --
x: 1
y: 1
-- roles/base/tasks/main.yml --
- {name: base task, command: "true"}
-- roles/base/handlers/main.yml --
- {name: base handler, command: "true"}
-- collections/ansible_collections/my/coll/roles/web/meta/main.yml --
dependencies: [inner]
-- collections/ansible_collections/my/coll/roles/inner/tasks/main.yml --
- {name: inner task, command: "true"}
`)
	p := pb.Plays[0]
	want := `block 
  base : base task [t dep] when[cond; depcond]
block 
  app : app task [t] when[cond] notify base handler
block 
  my.coll.inner : inner task [] when[]
block 
block 
  base : base task [dep] when[depcond]
block 
  app : app task [] when[] notify base handler
block 
  base : base task [dep] when[depcond]
block 
  app : app task [] when[] notify base handler
`
	if d := cmp.Diff(want, outline(p.RoleTasks)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if got := p.Roles[0].Params; got.Len() != 1 {
		t.Errorf("role has %d parameters, want size alone", got.Len())
	}
	if x, _ := p.Roles[0].Defaults.Get("x"); x != 2 {
		t.Errorf("x is %v, want 2 of the file that sorts last", x)
	}
	if p.Roles[0].Key == p.Roles[2].Key || p.Roles[2].Key != p.Roles[3].Key {
		t.Errorf("keys of the same use differ, or of others not: %q %q %q", p.Roles[0].Key, p.Roles[2].Key, p.Roles[3].Key)
	}
	var handlers []string
	for h := range p.AllHandlers() {
		handlers = append(handlers, h.Title())
	}
	if want := []string{"base : base handler", "base : base handler", "base : base handler", "own"}; !slices.Equal(handlers, want) {
		t.Errorf("handlers are %q, want %q", handlers, want)
	}
	if got := p.Roles[1].Dependencies[0].Collection; got != "my.coll" {
		t.Errorf("the short dependency is of collection %q", got)
	}
}

func TestArguments(t *testing.T) {
	tests := []struct{ task, action, delegate, args string }{
		{`command: echo a=b chdir=/tmp "c d"`, "command", "", `chdir=/tmp cmd=echo a=b "c d"`},
		{`copy: src=a dest="/x y"`, "copy", "", `src=a dest=/x y`},
		{`{copy: {src: a}, args: {src: under, dest: /b}}`, "copy", "", `src=a dest=/b`},
		{`{command: , args: {cmd: ls}}`, "command", "", `cmd=ls`},
		{`action: copy src=a dest=/b`, "copy", "", `src=a dest=/b`},
		{`action: {module: copy, src: a, dest: /b}`, "copy", "", `src=a dest=/b`},
		{`action: {module: "copy src=a", dest: /b}`, "copy", "", `dest=/b src=a`},
		{`local_action: command uptime`, "command", "localhost", `cmd=uptime`},
		{`ansible.builtin.shell: "echo {{ x }} creates={{ y }}"`, "ansible.builtin.shell", "", `creates=<{{ y }}> cmd=<echo {{ x }}>`},
		{`meta: flush_handlers`, "meta", "", `_raw_params=flush_handlers`},
		{`include_tasks: a.yml`, "include_tasks", "", `file=a.yml`},
	}
	for _, test := range tests {
		t.Run(test.task, func(t *testing.T) {
			_, pb := load(t, "-- site.yml --\n- hosts: all\n  tasks:\n    - "+test.task+"\n")
			task := pb.Plays[0].Tasks[0].(*playbook.Task)
			var args []string
			for k, v := range task.Args.Values.All() {
				if tmpl, ok := v.(*value.Template); ok {
					v = "<" + tmpl.Text + ">"
				}
				args = append(args, fmt.Sprintf("%v=%v", k, v))
			}
			if got := strings.Join(args, " "); got != test.args {
				t.Errorf("arguments are %q, want %q", got, test.args)
			}
			if task.Action != test.action {
				t.Errorf("action is %q, want %q", task.Action, test.action)
			}
			if got, _ := task.DelegateTo.Value.(string); got != test.delegate {
				t.Errorf("delegated to %q, want %q", got, test.delegate)
			}
		})
	}
}

func TestDynamicIncludes(t *testing.T) {
	l, pb := load(t, `
-- site.yml --
- hosts: all
  tasks:
    - block:
        - include_tasks:
            file: more.yml
            apply: {become_user: applied, tags: new}
          tags: only_the_include
          loop: [1, 2]
      when: around
-- more.yml --
- {name: m, command: "true"}
-- importing.yml --
- import_role: {name: r, tasks_from: other}
-- roles/r/tasks/other.yml --
- {name: o, command: "true"}
-- roles/r/handlers/main.yml --
- {name: h, command: "true"}
`)
	p := pb.Plays[0]
	include := p.Tasks[0].(*playbook.Block).Body[0].(*playbook.Task)
	path, err := l.FindTasks("more.yml", include)
	if err != nil {
		t.Fatal(err)
	}
	nodes, _, err := l.LoadTasks(path, p, nil, include.Apply, false)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := outline(nodes), "m [new] when[around] as applied\n"; got != want {
		t.Errorf("included %q, want %q", got, want)
	}
	again, _, err := l.LoadTasks(path, p, nil, include.Apply, false)
	if err != nil || again[0] != nodes[0] {
		t.Errorf("the second include gave other nodes (%v)", err)
	}
	handlers, _, err := l.LoadTasks(path, p, nil, include.Apply, true)
	if err != nil || handlers[0] == nodes[0] || !handlers[0].(*playbook.Task).Handler || nodes[0].(*playbook.Task).Handler {
		t.Errorf("included as handlers the tasks are %v (%v)", handlers[0], err)
	}
	if _, err := l.FindTasks("mor.yml", include); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("error for a missing file is %v", err)
	}
	importing, _, err := l.LoadTasks(filepath.Join(filepath.Dir(path), "importing.yml"), p, nil, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	if got := playbook.Imported(importing); len(got) != 1 || got[0].Name != "r" || len(p.Handlers) != 0 || len(p.Roles) != 0 {
		t.Errorf("imported %v; the play has %d handlers and %d roles, want none", got, len(p.Handlers), len(p.Roles))
	}
	r, _, err := l.LoadRole(playbook.RoleUse{Name: "r", TasksFrom: "other"}, p, include.Level.Parent)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := outline(r.Blocks()), "block \n  r : o [] when[around]\n"; got != want {
		t.Errorf("role gave %q, want %q", got, want)
	}
	if len(r.AllHandlers()) != 1 || !r.Included {
		t.Errorf("role has %d handlers, included %v", len(r.AllHandlers()), r.Included)
	}
	_, _, err = l.LoadRole(playbook.RoleUse{Name: "none"}, p, nil)
	if err == nil || !strings.Contains(err.Error(), `role "none" not found`) {
		t.Errorf("error for a missing role is %v", err)
	}
}

// TestSelected holds the choice by tags to what Ansible 2.14's evaluate_tags answers.
func TestSelected(t *testing.T) {
	tests := []struct {
		tags, only, skip string
		want             bool
	}{
		{"", "", "", true},
		{"a", "", "", true},
		{"never", "", "", false},
		{"never a", "a", "", true},
		{"never a", "all", "", false},
		{"never a", "tagged", "", false},
		{"a", "b", "", false},
		{"a b", "b", "", true},
		{"always", "b", "", true},
		{"always never", "", "", true},
		{"", "tagged", "", false},
		{"a", "tagged", "", true},
		{"", "untagged", "", true},
		{"a", "untagged", "", false},
		{"a", "", "a", false},
		{"", "", "untagged", false},
		{"a", "", "tagged", false},
		{"", "", "tagged", true},
		{"always", "", "always", false},
		{"always", "", "all", true},
		{"always", "", "all always", false},
		{"a", "a", "all", false},
		{"always", "", "tagged", false},
	}
	for _, test := range tests {
		got := playbook.SelectedTags(strings.Fields(test.tags), strings.Fields(test.only), strings.Fields(test.skip))
		if got != test.want {
			t.Errorf("tags %q, --tags %q, --skip-tags %q: %v, want %v", test.tags, test.only, test.skip, got, test.want)
		}
	}
}

func TestTemplatesAreChecked(t *testing.T) {
	dir := unpack(t, txtar.Parse([]byte(`
-- site.yml --
- hosts: all
  vars: {v: "{{ bad }}"}
  tasks:
    - debug: {msg: "x {{ bad }}"}
      when: bad cond
    - debug: {var: bad var}
`)))
	l := testLoader()
	l.CheckTemplate = func(text string, pos diag.Pos, expr bool) *diag.Error {
		if !strings.Contains(text, "bad") {
			return nil
		}
		return diag.Errorf(pos, "%q expr=%v", text, expr)
	}
	_, _, err := l.Load(filepath.Join(dir, "site.yml"))
	list, _ := errors.AsType[diag.List](err)
	want := `site.yml:2:14: "{{ bad }}" expr=false
site.yml:4:21: "x {{ bad }}" expr=false
site.yml:5:13: "bad cond" expr=true
site.yml:6:20: "bad var" expr=true
`
	if d := cmp.Diff(want, report(dir, list)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestLenient(t *testing.T) {
	dir := unpack(t, txtar.Parse([]byte("-- site.yml --\n- hosts: all\n  become: perhaps\n  tasks:\n    - copy: {src: a}\n      notify: nobody\n")))
	l := testLoader()
	l.Lenient = true
	_, warnings, err := l.Load(filepath.Join(dir, "site.yml"))
	if err != nil || len(warnings) != 3 {
		t.Errorf("error %v, warnings %v; want three warnings", err, warnings)
	}
}

// FuzzLoad holds the loader to answer anything with plays or an error.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"../testdata/broken/*.txtar", "testdata/samples/*.txtar"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			a, err := txtar.ParseFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(a.Files[0].Data)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		l := testLoader()
		l.Open = func(path string) ([]byte, error) {
			if path == "site.yml" {
				return text, nil
			}
			return nil, os.ErrNotExist
		}
		pb, _, err := l.Load("site.yml")
		if (pb == nil) == (err == nil) {
			t.Errorf("playbook %v and error %v", pb, err)
		}
	})
}
