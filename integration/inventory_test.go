//go:build integration

package integration

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/inventory"
)

// samples are the inventories that ours and Ansible's readers are held against each other with.
func samples(t *testing.T) []string {
	t.Helper()
	dir := filepath.Join("..", "testdata", "inventory")
	return []string{
		filepath.Join(dir, "ini", "hosts"),
		filepath.Join(dir, "yaml", "site.yml"),
		filepath.Join(dir, "yaml", "text.yml"),
		filepath.Join(dir, "vars", "hosts.ini"),
		filepath.Join(dir, "folder"),
		filepath.Join(dir, "toml", "hosts.toml"),
		filepath.Join(dir, "script", "dyn.sh"),
		"a,b.example.com,10.0.0.1:22,",
	}
}

// ansible runs a tool of ansible-core and gives its output. It is the judge, so its absence fails the test.
func ansible(t *testing.T, tool string, args ...string) string {
	t.Helper()
	// An empty configuration, so that the machine's own has no say.
	config := filepath.Join(t.TempDir(), "ansible.cfg")
	if err := os.WriteFile(config, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), tool, args...)
	cmd.Env = append(os.Environ(), "ANSIBLE_CONFIG="+config, "ANSIBLE_NOCOLOR=1", "LC_ALL=C.UTF-8")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", tool, args, err, stderr.String())
	}
	return string(out)
}

// load reads an inventory with ours.
func load(t *testing.T, source string) *inventory.Inventory {
	t.Helper()
	inv, _, err := inventory.Load(t.Context(), []string{source}, inventory.Options{RunScript: runScript})
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

func runScript(ctx context.Context, path string, args ...string) ([]byte, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, abs, args...).Output()
}

func TestInventoryListsAsAnsible(t *testing.T) {
	for _, source := range samples(t) {
		t.Run(filepath.Base(source), func(t *testing.T) {
			p := inventory.Printer{Inventory: load(t, source)}
			check := func(got string, args ...string) {
				t.Helper()
				want := ansible(t, "ansible-inventory", append([]string{"-i", source}, args...)...)
				if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
					t.Errorf("%v (-ansible +hostler):\n%s", args, diff)
				}
			}
			check(p.List(), "--list")
			export := p
			export.Export = true
			check(export.List(), "--list", "--export")
			graph, err := p.Graph("all", false)
			if err != nil {
				t.Fatal(err)
			}
			check(graph, "--graph")
			graph, err = p.Graph("all", true)
			if err != nil {
				t.Fatal(err)
			}
			check(graph, "--graph", "--vars")
			check(p.YAML(), "--list", "--yaml")
			check(export.YAML(), "--list", "--yaml", "--export")
			if filepath.Ext(source) == ".toml" {
				// The other samples hold values that TOML cannot, at which Ansible gives up.
				check(p.TOML(), "--list", "--toml")
				check(export.TOML(), "--list", "--toml", "--export")
			}
			h := p.Inventory.Hosts()[0]
			check(p.Host(h), "--host", h.Name)
		})
	}
}

func TestPatternsMatchAsAnsible(t *testing.T) {
	source := samples(t)[0]
	inv := load(t, source)
	for _, pattern := range []string{
		"all", "*", "web", "web:db", "web,db", "web:&prio1", "all:!web", "all:!web:!db", "!web", "&prio2",
		"~web0[12]", "~(web|db).*", "web[0]", "web[-1]", "web[0:1]", "web[1:]", "web[0:0]", "web*", "web0?.example.com",
		"*.example.com", "lone", "lone*", "ungrouped", "prio*:!prio1", "db-[ab]", "db-[!a]", "web*[0:2]",
		"datacentre:!db:&web", "web01.example.com,lone", "10.1.*", "later[0]", "lonely", "localhost", "prio?[0]",
		"web:!web[0]", "2001:db8::2", "web[2:1]", "all[3]", "*[0]",
	} {
		hosts, _, err := inv.Match(pattern, "")
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		var got []string
		for _, h := range hosts {
			got = append(got, h.Name)
		}
		var want []string
		for line := range strings.Lines(ansible(t, "ansible", "-i", source, pattern, "--list-hosts")) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "hosts (") {
				want = append(want, line)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-ansible +hostler):\n%s", pattern, diff)
		}
	}
}
