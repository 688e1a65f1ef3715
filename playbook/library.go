package playbook

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
)

// library finds a module in library/ of the role or beside the playbook; "" is none.
func (ld *load) library(name string, p place) string {
	if strings.ContainsAny(name, "./*?[ ") {
		return ""
	}
	var dirs []string
	for r := p.role; r != nil; r = r.Parent {
		dirs = append(dirs, r.Path)
	}
	for _, dir := range append(dirs, ld.dir) {
		found, err := filepath.Glob(filepath.Join(dir, "library", name+".*"))
		if err != nil {
			return ""
		}
		found = append(found, filepath.Join(dir, "library", name))
		for _, path := range found {
			if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() {
				return path
			}
		}
	}
	return ""
}

// ownModule takes up a program from library/ as the task's module. Python cannot run here.
func (ld *load) ownModule(p place, t *Task) {
	path := ld.library(t.Action, p)
	if path == "" {
		return // reported already
	}
	t.Executable = path
	if isPython(path) {
		ld.strict(p.guard, t.ActionPos, "module %s is Python (%s), which cannot run here", t.Action, path).rule(RulePython).
			hint("use a built-in module, or make it a program of another kind")
	}
}

// isPython reports whether a program is Python by its name or first line.
func isPython(path string) bool {
	if filepath.Ext(path) == ".py" {
		return true
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 128)
	n, _ := f.Read(head)
	line, _, _ := bytes.Cut(head[:n], []byte("\n"))
	return bytes.HasPrefix(line, []byte("#!")) && bytes.Contains(line, []byte("python"))
}
