package catalog_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/catalog"
	"github.com/hostlerhq/hostler/modules/packages"
)

func TestNamesAreUnique(t *testing.T) {
	seen := map[string]string{}
	for _, m := range catalog.All() {
		for _, name := range append([]string{m.Name}, m.Names...) {
			if other, twice := seen[name]; twice {
				t.Errorf("%s: the modules %s and %s both answer to it", name, other, m.Name)
			}
			seen[name] = m.Name
		}
	}
	find := catalog.Lookup()
	for name, want := range seen {
		if m, ok := find(name); !ok || m.Name != want {
			t.Errorf("lookup of %s does not give %s", name, want)
		}
	}
}

func TestEverythingIsDocumented(t *testing.T) {
	for _, m := range catalog.All() {
		docs := m.Docs()
		if docs.Summary == "" {
			t.Errorf("%s: its arguments' struct has no comment, or source is not the file that it stands in", m.Name)
		}
		checkArgs(t, m.Name, docs.Args)
		for _, r := range docs.Returns {
			// The keys of a nested dict may speak for themselves.
			if r.Text == "" && !strings.Contains(r.Name, ".") {
				t.Errorf("%s: return key %s has no comment", m.Name, r.Name)
			}
		}
	}
}

// TestExamplesAreTasks reads the examples of the manuals: tasks whose arguments the modules know. One that does not begin with a comment
// gofmt makes a list of, and then it is no example any more.
func TestExamplesAreTasks(t *testing.T) {
	find := catalog.Lookup()
	for _, m := range catalog.All() {
		docs := m.Docs()
		if listed.MatchString(docs.Description) {
			t.Errorf("%s: its example has become a list, for it begins with no # comment", m.Name)
		}
		var tasks []map[string]any
		if err := yaml.Unmarshal([]byte(docs.Examples), &tasks); err != nil {
			t.Errorf("%s: its examples: %v", m.Name, err)
		}
		for _, task := range tasks {
			for name, args := range task {
				used, ok := find(name)
				given, isMap := args.(map[string]any)
				for arg := range given {
					if ok && isMap && !takes(used, arg) {
						t.Errorf("%s: its example gives %s the argument %s, which it has not", m.Name, name, arg)
					}
				}
			}
		}
	}
}

var listed = regexp.MustCompile(`(?m)^ +- \w+:`)

// takes reports that a module has an argument, or hands it on.
func takes(m *modules.Module, arg string) bool {
	names := m.ArgNames()
	if m == packages.Package {
		names = append(names, packages.PackageArgs{}.Knows()...)
	}
	return slices.Contains(names, arg)
}

func checkArgs(t *testing.T, at string, args []modules.ArgDoc) {
	t.Helper()
	for _, a := range args {
		if a.Text == "" {
			t.Errorf("%s: argument %s has no comment", at, a.Name)
		}
		checkArgs(t, at+"."+a.Name, a.Args)
	}
}

var defined = regexp.MustCompile(`(?m)^(?:var (\w+) =|\treturn) modules\.Define(?:\[[^\]]*\])?\(\s*"(\w+)"`)

// TestEveryModuleIsListed reads the families' sources for modules that no list has.
func TestEveryModuleIsListed(t *testing.T) {
	find := catalog.Lookup()
	files, err := filepath.Glob("../*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range defined.FindAllStringSubmatch(string(text), -1) {
			count++
			if _, ok := find(m[2]); !ok {
				t.Errorf("%s: module %s is in no list of its family, or its family is not in the catalog", file, m[2])
			}
		}
	}
	if count != len(catalog.All()) {
		t.Errorf("%d modules are defined, %d are listed", count, len(catalog.All()))
	}
}
