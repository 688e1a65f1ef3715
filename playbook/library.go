package playbook

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/modules"
)

// library finds a module in library/, or an action in action_plugins/, of the role or beside the playbook; "" is none.
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
		found = append(found, filepath.Join(dir, "library", name), filepath.Join(dir, "action_plugins", name+".py"))
		for _, path := range found {
			if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() {
				return path
			}
		}
	}
	return ""
}

// Named gives a task whose action was a template until a host was known its module of library/, or the built-in one. It sets Module
// and Executable; Module stays nil when there is none. Errors say why a program cannot run, with file:line:col.
func (l *Loader) Named(t *Task) error {
	ld := l.start(playDir(t.Play))
	p := place{doc: document.Document{File: t.File}, play: t.Play, role: t.Role, handler: t.Handler}
	m, _, _ := ld.find(t.Action)
	t.Module = ld.ownModule(p, t, m)
	_, err := ld.end()
	return err
}

// ownModule takes up a program from library/ as the task's module, also in place of a built-in one of that name, as Ansible does. Python
// cannot run here: then the built-in one does the job.
func (ld *load) ownModule(p place, t *Task, builtIn *modules.Module) *modules.Module {
	path := ld.library(strings.TrimPrefix(t.Action, "ansible.legacy."), p)
	if path == "" {
		return builtIn // or reported already
	}
	if isPython(path) {
		if builtIn != nil {
			ld.warn(t.ActionPos, "module %s is Python (%s), which cannot run here: the built-in module %s is used", t.Action, path, builtIn.Name).
				rule(RulePython)
			return builtIn
		}
		bad := ld.strict(p.guard, t.ActionPos, "module %s is Python (%s), which cannot run here", t.Action, path).rule(RulePython)
		if near := diag.Near(t.Action, ld.Names); near != "" {
			bad.hint("does the built-in module %q do the job?", near)
		} else {
			bad.hint("use a built-in module, or make it a program of another kind")
		}
		t.Executable = path
		return nil
	}
	text, err := os.ReadFile(path)
	if err == nil {
		err = modules.CheckExecutable(text)
	}
	if err != nil {
		ld.strict(p.guard, t.ActionPos, "module %s (%s) cannot be used: %w", t.Action, path, err).rule(RuleModule).
			hint("its first line must name what runs it, for instance #!/bin/sh")
		return nil
	}
	t.Executable = path
	return modules.NewExecutable(t.Action, text)
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
