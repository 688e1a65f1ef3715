//go:build integration

package integration

import (
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/internal/document"
	"gopkg.in/yaml.v3"
)

// used are the keywords that playbooks use, as "site keyword".
type used map[string]bool

// TestEveryKeywordIsCompared holds that every keyword that people use is in a playbook that TestRunAsAnsible compares.
func TestEveryKeywordIsCompared(t *testing.T) {
	u := make(used)
	for file, root := range comparedFiles(t, "../testdata/run") {
		u.file(file, root)
	}
	for line := range strings.Lines(readFile(t, "testdata/keywords.txt")) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		for _, keyword := range words[2:] {
			if !u[words[0]+" "+keyword] {
				t.Errorf("no compared playbook uses %s on %s (%s)", keyword, words[0], words[1])
			}
		}
	}
}

// TestCheckAcceptsWhatAnsibleRuns holds that nothing is found wrong before the run with a playbook that Ansible runs.
func TestCheckAcceptsWhatAnsibleRuns(t *testing.T) {
	bin := hostlerBinary(t)
	seen := make(map[string]bool)
	for _, c := range runCases(t, "../testdata/run") {
		if seen[c.file] {
			continue
		}
		seen[c.file] = true
		cmd := exec.CommandContext(t.Context(), bin, "check", "-i", "hosts", filepath.Base(c.file))
		cmd.Dir = filepath.Dir(c.file)
		cmd.Env = append(cmd.Environ(), "ANSIBLE_COLLECTIONS_PATH=collections")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", c.file, err, out)
		}
	}
}

// comparedFiles are the playbooks that are compared and the files of tasks and roles that lie beside them. Each of these
// must be named somewhere, or it would count without being run.
func comparedFiles(t *testing.T, dir string) map[string]*yaml.Node {
	t.Helper()
	texts := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) == ".yml" {
			texts[path] = readFile(t, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]*yaml.Node, len(texts))
	for path, text := range texts {
		if filepath.Dir(path) == filepath.Clean(dir) && !strings.Contains(text, "# run:") || !named(path, text, texts) {
			continue
		}
		docs, _, err := document.Parse(path, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if len(docs) > 0 && docs[0].Root != nil {
			files[path] = docs[0].Root
		}
	}
	return files
}

// named reports whether a playbook is one that is run, or another file names the file or its role.
func named(path, text string, texts map[string]string) bool {
	if strings.Contains(text, "# run:") {
		return true
	}
	name := strings.TrimSuffix(filepath.Base(path), ".yml")
	if name == "main" {
		name = filepath.Base(filepath.Dir(filepath.Dir(path)))
	}
	for other, text := range texts {
		if other != path && strings.Contains(text, name) {
			return true
		}
	}
	return false
}

// file takes in a list of plays, a list of tasks or a role's meta/main.yml; all else holds no keywords.
func (u used) file(path string, root *yaml.Node) {
	if filepath.Base(filepath.Dir(path)) == "meta" && root.Kind == yaml.MappingNode {
		for _, e := range document.Entries(root) {
			if e.Name == "dependencies" {
				u.roles(e.Val)
			}
		}
		return
	}
	if root.Kind != yaml.SequenceNode {
		return
	}
	for _, n := range root.Content {
		entries := document.Entries(n)
		if has(entries, "hosts") || has(entries, "import_playbook") || has(entries, "ansible.builtin.import_playbook") {
			u.play(entries)
		} else {
			u.task(n)
		}
	}
}

func has(entries []document.Entry, name string) bool {
	return slices.ContainsFunc(entries, func(e document.Entry) bool { return e.Name == name })
}

func (u used) play(entries []document.Entry) {
	for _, e := range entries {
		u["play "+e.Name] = true
		switch e.Name {
		case "tasks", "pre_tasks", "post_tasks", "handlers":
			u.tasks(e.Val)
		case "roles":
			u.roles(e.Val)
		case "import_playbook":
			u["include import_playbook"] = true
		}
	}
}

func (u used) roles(n *yaml.Node) {
	for _, r := range n.Content {
		if r.Kind == yaml.ScalarNode {
			u["role plain"] = true
		}
		for _, e := range document.Entries(r) {
			u["role "+e.Name] = true
		}
	}
}

func (u used) tasks(n *yaml.Node) {
	for _, t := range n.Content {
		u.task(t)
	}
}

func (u used) task(n *yaml.Node) {
	entries := document.Entries(n)
	site := "task "
	if has(entries, "block") {
		site = "block "
	}
	for _, e := range entries {
		u[site+e.Name] = true
		name := strings.TrimPrefix(e.Name, "ansible.builtin.")
		switch {
		case e.Name == "block", e.Name == "rescue", e.Name == "always":
			u.tasks(e.Val)
		case strings.HasPrefix(name, "with_"):
			u["with "+strings.TrimPrefix(name, "with_")] = true
		case name == "meta":
			u["meta "+e.Val.Value] = true
		case name == "loop_control", strings.HasPrefix(name, "include_"), strings.HasPrefix(name, "import_"):
			u["include "+name] = true
			for _, arg := range document.Entries(e.Val) {
				u[name+" "+arg.Name] = true
			}
		}
	}
}
