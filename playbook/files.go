package playbook

import (
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// SearchPath are the folders in which a task's files are looked for, the nearest first: its role and those that led to
// it, the task's own file's, the playbook's.
func (t *Task) SearchPath(playbookDir string) []string {
	var out []string
	add := func(dir string) {
		if !slices.Contains(out, dir) {
			out = append(out, dir)
		}
	}
	for r := t.Role; r != nil; r = r.Parent {
		add(r.Path)
	}
	if t.File != "" {
		if dir, err := filepath.Abs(filepath.Dir(t.File)); err == nil {
			add(dir)
		}
	}
	add(playbookDir)
	return out
}

// FindFile looks a task's file up in folders in turn, in each below kind ("files", "templates", "vars") first. ~ is the user's
// home; an absolute name stands alone. Path is empty when the file is in none of the places tried.
func FindFile(dirs []string, kind, name string) (path string, tried []string) {
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			name = filepath.Join(home, rest)
		}
	}
	if filepath.IsAbs(name) {
		if _, err := os.Stat(name); err != nil {
			return "", []string{name}
		}
		return name, nil
	}
	for _, dir := range dirs {
		for _, path := range []string{filepath.Join(dir, kind, name), filepath.Join(dir, name)} {
			if slices.Contains(tried, path) {
				continue
			}
			if _, err := os.Stat(path); err == nil {
				return path, nil
			}
			tried = append(tried, path)
		}
	}
	return "", tried
}

// Fields are the keywords with a value that plays, blocks and tasks share, by name: all but vars, tags and when.
func (k *Keywords) Fields() iter.Seq2[string, Field] {
	return func(yield func(string, Field) bool) {
		for name, kw := range keywords {
			if kw.field == nil {
				continue
			}
			if f := *kw.field(k); f.Set && !yield(name, f) {
				return
			}
		}
	}
}
