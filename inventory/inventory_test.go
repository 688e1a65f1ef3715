package inventory

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
)

// write makes a file below a folder of the test and gives its path.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustLoad(t *testing.T, opts Options, sources ...string) *Inventory {
	t.Helper()
	opts.UnparsedFatal = true
	inv, _, err := Load(t.Context(), sources, opts)
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

func names(hosts []*Host) string {
	var out []string
	for _, h := range hosts {
		out = append(out, h.Name)
	}
	return strings.Join(out, " ")
}

func TestMistakesHaveTheirPlace(t *testing.T) {
	for _, c := range []struct{ name, text, want, hint string }{
		{"hosts", "[web]\nh1\n[wbe:vars]\na=1\n", `hosts:3:1: [wbe:vars] is for the undefined group "wbe"`, `did you mean "web"?`},
		{"hosts", "[a:children]\n  nope # x\n", `hosts:2:3: [a:children] names the undefined group "nope"`, "declare it with a section [nope]"},
		{"hosts", "[a:chidren]\nb\n", `hosts:1:1: section [a:chidren] has the unknown type "chidren"`, "did you mean :children?"},
		{"hosts", "[a]\nh1 x = 1\n", `hosts:2:4: expected key=value after the host, got "x"`, "one host a line"},
		{"hosts", "[a]\nh1 x='1\n", `hosts:2:1: reading host line: no closing quotation`, "close the quotes"},
		{"hosts", "[a b]\n", `hosts:1:1: invalid section [a b]`, "write [group]"},
		{"hosts", "[a]\nh[1:x]\n", `hosts:2:1: host range "h[1:x]": its end "x" is no number or letter`, ""},
		{"hosts", "[a]\nh[001:10]\n", `hosts:2:1: host range "h[001:10]": its begin and end must have equal lengths when begin has leading zeros`, ""},
		{"hosts", "[a:vars]\nx\n[a]\n", `hosts:2:1: expected key=value, got "x"`, ""},
		{"hosts", "[a:children]\nb\n[b:children]\nc\n[c:children]\na\n", `hosts:6:1: groups contain each other: c > a > b > c`, "take one of them out"},
		{"h.yml", "all:\n  hosts:\n    - a\n", "h.yml:3:5: hosts of group \"all\" must be a mapping", "write each name with a colon"},
		{"h.yml", "all:\n  hosts:\n    no:\n", "h.yml:3:5: the name of a host must be text, not false", "quote it: YAML reads no as a boolean"},
		{"h.yml", "all:\n  children:\n    12:\n", "h.yml:3:5: the name of a group must be text, not 12", "quote it"},
		{"h.yml", "all:\n  hosts:\n    a:\n      x: {{ y }}\n", "h.yml:4:10: a value that starts with {{ must be quoted", "write \"{{"},
		{"h.yml", "a:\n  children:\n    b:\n      children:\n        a:\n", "h.yml:3:5: groups contain each other: a > b > a", ""},
		{"h.toml", "[web]\nx = \n", "h.toml:2:", ""},
	} {
		path := write(t, t.TempDir(), c.name, c.text)
		_, _, err := Load(t.Context(), []string{path}, Options{AnyUnparsedFatal: true})
		list, ok := errors.AsType[diag.List](err)
		if !ok {
			t.Errorf("%q: got %v", c.text, err)
			continue
		}
		got := strings.ReplaceAll(list[0].Error(), filepath.Dir(path)+"/", "")
		if !strings.HasPrefix(got, c.want) || !strings.HasPrefix(list[0].Hint, c.hint) {
			t.Errorf("%q:\n got %s (%s)\nwant %s (%s)", c.text, got, list[0].Hint, c.want, c.hint)
		}
	}
}

func TestMissingSource(t *testing.T) {
	_, warnings, err := Load(t.Context(), []string{"/nonexistent/hosts"}, Options{})
	if err != nil || len(warnings) != 1 {
		t.Fatalf("got %v, %v", warnings, err)
	}
	_, _, err = Load(t.Context(), []string{"/nonexistent/hosts"}, Options{UnparsedFatal: true})
	list, _ := errors.AsType[diag.List](err)
	if len(list) != 1 {
		t.Fatalf("got %v", err)
	}
	if missing, ok := errors.AsType[*NotFoundError](list[0]); !ok || missing.Path != "/nonexistent/hosts" {
		t.Errorf("got %v", list[0])
	}
}

func TestPrecedence(t *testing.T) {
	dir, play := t.TempDir(), t.TempDir()
	src := write(t, dir, "hosts", "[child]\nh v=host\n[parent:children]\nchild\n[all:vars]\nv=all-src\n[parent:vars]\nv=parent-src\n[child:vars]\nv=child-src\n")
	for _, f := range []struct{ dir, name string }{
		{dir, "group_vars/all.yml"},
		{play, "group_vars/all.yml"},
		{dir, "group_vars/parent.yml"},
		{dir, "group_vars/child.yml"},
		{play, "group_vars/child.yml"},
		{dir, "host_vars/h.yml"},
		{play, "host_vars/h.yml"},
	} {
		write(t, f.dir, f.name, "v: "+filepath.Base(f.name)+"\n")
	}
	inv := mustLoad(t, Options{PlaybookDir: play}, src)
	h, _ := inv.Host("h")
	var got []string
	for _, l := range inv.LayersOf(h) {
		v, _ := l.Vars.Get("v")
		got = append(got, fmt.Sprintf("%d %s %v", l.Level, l.Group, v))
	}
	want := []string{
		"3 all all-src", "3 parent parent-src", "3 child child-src", "4 all all.yml", "5 all all.yml", "6 parent parent.yml",
		"6 child child.yml", "7 child child.yml", "8  host", "9  h.yml", "10  h.yml",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAddingDuringARun(t *testing.T) {
	dir := t.TempDir()
	src := write(t, dir, "hosts", "[web]\nh1\n")
	write(t, dir, "host_vars/new.yml", "from: file\n")
	write(t, dir, "group_vars/fresh.yml", "g: 1\n")
	inv := mustLoad(t, Options{}, src)
	vars := value.NewDict("x", 1)
	changed, err := inv.AddHost("new", []string{"web", "fresh"}, vars)
	if err != nil || !changed {
		t.Fatalf("got %v, %v", changed, err)
	}
	changed, err = inv.AddHost("new", []string{"web", "fresh"}, vars)
	if err != nil || changed {
		t.Errorf("again: got %v, %v", changed, err)
	}
	h, _ := inv.Host("new")
	got := inv.HostVars(h)
	if diff := cmp.Diff("{'g': 1, 'x': 1, 'from': 'file'}", pythonRepr(got)); diff != "" {
		t.Error(diff)
	}
	hosts, _, err := inv.Match("web:&fresh", "")
	if err != nil || names(hosts) != "new" {
		t.Errorf("got %s, %v", names(hosts), err)
	}
	changed, err = inv.AddToGroup(h, "os_debian", "os")
	if err != nil || !changed {
		t.Errorf("got %v, %v", changed, err)
	}
	if changed, _ = inv.AddToGroup(h, "os_debian", "os"); changed {
		t.Error("adding to a group twice changed something")
	}
	if hosts, _, _ = inv.Match("os", ""); names(hosts) != "new" {
		t.Errorf("got %s", names(hosts))
	}
	if _, err = inv.AddHost(" ", nil, nil); err == nil {
		t.Error("a host without a name was added")
	}
}

func TestImplicitLocalhost(t *testing.T) {
	inv := mustLoad(t, Options{}, "a,b,")
	h, ok := inv.Host("localhost")
	if !ok || !h.Implicit || len(inv.GroupsOf(h)) != 0 {
		t.Errorf("got %+v", h)
	}
	hosts, _, err := inv.Match("all", "")
	if err != nil || names(hosts) != "a b" {
		t.Errorf("all: got %s, %v", names(hosts), err)
	}
	inv = mustLoad(t, Options{}, "a,127.0.0.1,")
	if h, _ = inv.Host("localhost"); h.Name != "127.0.0.1" || h.Implicit {
		t.Errorf("got %+v", h)
	}
}

func TestUnsortableKeysStayInOrder(t *testing.T) {
	got := jsonText(value.NewDict("b", value.NewDict("x", 1, 2, 3), "a", nil))
	want := "{\n    \"b\": {\n        \"x\": 1,\n        \"2\": 3\n    },\n    \"a\": null\n}\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAddHostWithWhatItHasChangesNothing(t *testing.T) {
	src := write(t, t.TempDir(), "hosts", "[web]\nh x=1\n")
	inv := mustLoad(t, Options{}, src)
	if changed, err := inv.AddHost("h", []string{"web"}, value.NewDict("x", 1)); err != nil || changed {
		t.Errorf("got %v, %v", changed, err)
	}
}

func TestLimit(t *testing.T) {
	inv := mustLoad(t, Options{}, "a,b,c,d,")
	file := write(t, t.TempDir(), "retry", "b\n\nc\n")
	for _, c := range []struct{ pattern, limit, want string }{
		{"all", "b,c", "b c"},
		{"all", "!b", "a c d"},
		{"all", "@" + file, "b c"},
		{"all", "@" + file + ",!c", "b"},
		{"a,b", "c", ""},
	} {
		hosts, _, err := inv.Match(c.pattern, c.limit)
		if err != nil || names(hosts) != c.want {
			t.Errorf("%s limited to %s: got %s, %v", c.pattern, c.limit, names(hosts), err)
		}
	}
	if _, _, err := inv.Match("all", "@/nonexistent"); err == nil {
		t.Error("a missing limit file is no error")
	}
	_, warnings, _ := inv.Match("all:aa", "")
	if len(warnings) != 1 || warnings[0].Error() != "Could not match supplied host pattern, ignoring: aa" {
		t.Errorf("got %v", warnings)
	}
	if _, _, err := inv.Match("all[7]", ""); err == nil {
		t.Error("a subscript beyond the end is no error")
	}
}

// evaluate is a template engine that knows just what the tests below say.
func evaluate(_ context.Context, text string, expr bool, vars *value.Dict) (any, error) {
	switch text {
	case "missing":
		return nil, errors.New("missing is undefined")
	case "{% if is_web %}True{% else %}False{% endif %}":
		_, ok := vars.Get("web")
		return map[bool]string{true: "True", false: "False"}[ok], nil
	case "{{ env }}-{{ n }}":
		n, _ := vars.Get("n")
		return vars.Str("env") + "-" + pythonText(n), nil
	}
	v, _ := vars.Get(text)
	return v, nil
}

func TestConstructed(t *testing.T) {
	dir := t.TempDir()
	hosts := write(t, dir, "10-hosts.yml", "all:\n  hosts:\n    a: {os: debian, web: 1, tags: {env: prod, x: ''}, zone: [z1, '']}\n    b: {os: '', tags: {}}\n")
	conf := write(t, dir, "20-groups.yml", `
plugin: constructed
compose: {copy: os, bad: missing}
groups: {web-hosts: is_web}
keyed_groups:
  - {key: os, prefix: os, default_value: unknown, parent_group: all_os}
  - {key: tags, separator: '=', trailing_separator: false}
  - {key: zone, default_value: nowhere}
`)
	inv := mustLoad(t, Options{Evaluate: evaluate}, hosts, conf)
	var got []string
	for _, g := range inv.Groups() {
		got = append(got, g.Name+": "+names(g.AllHosts()))
	}
	want := []string{
		"all: a b", "ungrouped: ", "web_hosts: a", "os_debian: a", "all_os: a b", "_env_prod: a", "_x: a", "_z1: a", "_nowhere: a", "os_unknown: b",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	h, _ := inv.Host("a")
	if v, _ := inv.HostVars(h).Get("copy"); v != "debian" {
		t.Errorf("compose: got %v", v)
	}
	strict := write(t, dir, "strict.yml", "plugin: ansible.builtin.constructed\nstrict: true\ncompose:\n  bad: missing\n")
	_, _, err := Load(t.Context(), []string{hosts, strict}, Options{Evaluate: evaluate, AnyUnparsedFatal: true})
	if err == nil || !strings.Contains(err.Error(), "strict.yml:4:3: composing bad of host a: missing is undefined") {
		t.Errorf("got %v", err)
	}
}

func TestGenerator(t *testing.T) {
	conf := write(t, t.TempDir(), "gen.yml", `
plugin: generator
hosts:
  name: "{{ env }}-{{ n }}"
  parents:
    - {name: top, vars: {kind: web}, parents: [{name: above}]}
layers:
  env: [prod, test]
  n: [1, 2]
`)
	inv := mustLoad(t, Options{Evaluate: evaluate}, conf)
	hosts, _, err := inv.Match("above", "")
	if err != nil || names(hosts) != "prod-1 prod-2 test-1 test-2" {
		t.Errorf("got %s, %v", names(hosts), err)
	}
}

func TestUnknownPluginIsNamed(t *testing.T) {
	conf := write(t, t.TempDir(), "aws.yml", "plugin: amazon.aws.aws_ec2\n")
	_, _, err := Load(t.Context(), []string{conf}, Options{UnparsedFatal: true})
	if err == nil || !strings.Contains(err.Error(), `aws.yml:1:9: inventory plugin "amazon.aws.aws_ec2" is not known`) {
		t.Errorf("got %v", err)
	}
}

func TestMergeHashes(t *testing.T) {
	src := write(t, t.TempDir(), "h.yml", "g:\n  vars: {d: {a: 1, b: 1}}\n  hosts:\n    h: {d: {b: 2}}\n")
	for merge, want := range map[bool]string{true: "{'d': {'a': 1, 'b': 2}}", false: "{'d': {'b': 2}}"} {
		inv := mustLoad(t, Options{MergeHashes: merge}, src)
		h, _ := inv.Host("h")
		if got := pythonRepr(inv.HostVars(h)); got != want {
			t.Errorf("merge %v: got %s", merge, got)
		}
	}
}

func TestLayersAreSharedAmongHosts(t *testing.T) {
	src := write(t, t.TempDir(), "hosts", "[web]\nh[1:10000]\n[web:vars]\nx=1\n[site:children]\nweb\n")
	inv := mustLoad(t, Options{}, src)
	a, _ := inv.Host("h1")
	b, _ := inv.Host("h10000")
	if &inv.GroupsOf(a)[0] != &inv.GroupsOf(b)[0] || inv.LayersOf(a)[0].Vars != inv.LayersOf(b)[0].Vars {
		t.Error("hosts in the same groups do not share them")
	}
	if len(inv.Hosts()) != 10000 {
		t.Errorf("got %d hosts", len(inv.Hosts()))
	}
}

func FuzzINI(f *testing.F) {
	text, err := os.ReadFile("../testdata/inventory/ini/hosts")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("[a]\nh[1:3]x=\"\\"))
	f.Fuzz(func(t *testing.T, text []byte) {
		inv := newInventory(nil, Options{})
		l := &loader{inv: inv, warned: map[string]bool{}, file: "f"}
		if len(text) < 200 && !strings.Contains(string(text), "000") {
			if err := l.readINI("f", text); err == nil {
				inv.settle()
				_ = Printer{Inventory: inv}.List()
			}
		}
	})
}

func FuzzPattern(f *testing.F) {
	for _, p := range []string{"web[0:2]:&x:!y", "~(a|b", "[!]]*", "[[::1]]:22", "a[-1]"} {
		f.Add(p, p)
	}
	inv, _, err := Load(f.Context(), []string{"a,b,c,web1,web2,"}, Options{Open: func(string) ([]byte, error) { return nil, os.ErrNotExist }})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, pattern, limit string) {
		hosts, _, err := inv.Match(pattern, limit)
		if err != nil && hosts != nil {
			t.Errorf("%q: hosts and an error %v", pattern, err)
		}
	})
}
