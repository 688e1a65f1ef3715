package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hostlerhq/hostler/internal/diag"
)

// load reads settings in a folder of the test's own.
func load(t *testing.T, files, env map[string]string) (*Config, []string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	work := filepath.Join(dir, "work")
	if err := os.MkdirAll(work, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(work)
	c, found := Load(Source{
		Env:  func(name string) string { return strings.ReplaceAll(env[name], "DIR", dir) },
		Home: filepath.Join(dir, "home"), Etc: filepath.Join(dir, "etc"),
	})
	var lines []string
	for _, e := range diag.Sorted(found) {
		line := strings.ReplaceAll(e.Error(), dir+"/", "")
		if e.Severity == diag.Fatal {
			line = "fatal: " + line
		}
		lines = append(lines, line+" | "+strings.ReplaceAll(e.Hint, dir+"/", ""))
	}
	return c, lines
}

func TestWhichWins(t *testing.T) {
	all := map[string]string{
		"work/hostler.cfg":         "[defaults]\nforks = 2",
		"home/.hostler.cfg":        "[defaults]\nforks = 3",
		"etc/hostler/hostler.cfg":  "[defaults]\nforks = 4",
		"named.cfg":                "[defaults]\nforks = 6",
		"work/ansible.cfg":         "[defaults]\nforks = 7",
		"home/.ansible.cfg":        "[defaults]\nforks = 8",
		"etc/ansible/ansible.cfg":  "[defaults]\nforks = 9",
		"folder/ansible.cfg":       "[defaults]\nforks = 10",
		"elsewhere/unrelated.conf": "",
	}
	only := func(names ...string) map[string]string {
		out := map[string]string{}
		for _, n := range names {
			out[n] = all[n]
		}
		return out
	}
	for _, c := range []struct {
		files, env map[string]string
		want       int
	}{
		{all, map[string]string{"HOSTLER_FORKS": "1", "ANSIBLE_FORKS": "5"}, 1},
		{all, map[string]string{"ANSIBLE_FORKS": "5"}, 2},
		{all, map[string]string{"HOSTLER_CONFIG": "DIR/named.cfg"}, 6},
		{only("home/.hostler.cfg", "etc/hostler/hostler.cfg"), nil, 3},
		{only("etc/hostler/hostler.cfg", "work/ansible.cfg"), nil, 4},
		{only("work/ansible.cfg"), map[string]string{"ANSIBLE_FORKS": "5"}, 5},
		{only("work/ansible.cfg", "home/.ansible.cfg"), nil, 7},
		{only("home/.ansible.cfg", "etc/ansible/ansible.cfg"), nil, 8},
		{only("etc/ansible/ansible.cfg"), nil, 9},
		{only("folder/ansible.cfg", "work/ansible.cfg"), map[string]string{"ANSIBLE_CONFIG": "DIR/folder"}, 10},
		{nil, nil, 64},
	} {
		got, mistakes := load(t, c.files, c.env)
		if got.Int(Forks) != c.want || len(mistakes) > 0 {
			t.Errorf("%v %v: forks %d (%s) %v, want %d", c.files, c.env, got.Int(Forks), got.Value(Forks).Origin, mistakes, c.want)
		}
	}
}

func TestWorldWritableFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ansible.cfg"), []byte("[defaults]\nforks=2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	c, found := Load(Source{Env: func(string) string { return "" }, Etc: dir})
	if c.Int(Forks) != 64 || len(found) != 1 || found[0].Severity != diag.Warning {
		t.Errorf("forks %d, %v", c.Int(Forks), found)
	}
}

func TestMistakes(t *testing.T) {
	_, got := load(t, map[string]string{"work/ansible.cfg": `[defaults]
forks = many
hsot_key_checking = no
gathering = smrt
filter_plugins = ./plugins
jinja2_native = perhaps
nonsense
[colors]
anything = goes
[galaxy]
server = x
[mine]
key = value
`}, map[string]string{"ANSIBLE_TIMEOUT": "soon", "ANSIBLE_NULL_REPRESENTATION": "none"})
	want := []string{
		`fatal: setting ANSIBLE_TIMEOUT cannot be "soon" | it takes a whole number`,
		`setting defaults.null_representation (ANSIBLE_NULL_REPRESENTATION) does nothing here | leave it out: its default is what happens`,
		`fatal: work/ansible.cfg:2:1: setting defaults.forks cannot be "many" | it takes a whole number`,
		`work/ansible.cfg:3:1: unknown setting "hsot_key_checking" in [defaults] | did you mean "host_key_checking"?`,
		`fatal: work/ansible.cfg:4:1: setting defaults.gathering cannot be "smrt" | it is one of implicit, explicit, smart; did you mean "smart"?`,
		`work/ansible.cfg:5:1: setting defaults.filter_plugins (work/ansible.cfg:5) does nothing here | plugins and modules in Python cannot run here; hostler doc lists the modules that are built in`,
		`fatal: work/ansible.cfg:6:1: setting defaults.jinja2_native cannot be "perhaps" | it is yes or no`,
		`fatal: work/ansible.cfg:7:1: "nonsense" is no setting | write key = value`,
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestForms(t *testing.T) {
	c, mistakes := load(t, map[string]string{"work/ansible.cfg": `# comment
; another
[defaults]
Inventory = hosts.ini ; here
roles_path: ./roles:~/more:/abs
remote_user="admin"
callbacks_enabled = timer,
    profile_tasks
ansible_managed = Made by # hand
log_path=$LOGS/run.log
`, "work/hosts.ini": ""}, map[string]string{"LOGS": "/logs"})
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	work, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(filepath.Dir(work), "home")
	got := []any{c.Sources(Inventory), c.Paths(RolesPath), c.Text(RemoteUser), c.List(CallbacksEnabled), c.Text(AnsibleManaged), c.Path(LogPath)}
	want := []any{
		[]string{work + "/hosts.ini"},
		[]string{work + "/roles", home + "/more", "/abs"},
		"admin",
		[]string{"timer", "profile_tasks"},
		"Made by # hand", "/logs/run.log",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if c, _ = load(t, nil, map[string]string{"ANSIBLE_INVENTORY": "a,b"}); len(c.Sources(Inventory)) != 1 {
		t.Errorf("a list of hosts became %q", c.Sources(Inventory))
	}
}

// TestTable holds the rows to each other: no name and no variable twice, defaults that pass their own check.
func TestTable(t *testing.T) {
	names, variables := map[Name]bool{}, map[string]Name{}
	for _, s := range Table() {
		for _, name := range s.keys() {
			if names[name] {
				t.Errorf("%s stands there twice", name)
			}
			names[name] = true
		}
		for _, v := range s.Env {
			if other, ok := variables[v]; ok {
				t.Errorf("%s sets %s and %s", v, other, s.Name)
			}
			variables[v] = s.Name
		}
		if bad := s.check(Value{Text: s.Default, Origin: defaultOrigin}); bad != nil {
			t.Errorf("default of %s: %v", s.Name, bad)
		}
		if s.Support != Works && s.Note == "" {
			t.Errorf("%s does nothing and does not say why", s.Name)
		}
	}
}
