package playbook

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
)

// noPlugin is what templates say of a filter or test that there is not.
var noPlugin = regexp.MustCompile(`No (filter|test) named '([\w.]+)'`)

// Explain adds to a mistake in a template which Python file defines the filter or test that is missing here, if one does.
func (l *Loader) Explain(e *diag.Error) {
	m := noPlugin.FindStringSubmatch(e.Err.Error())
	if m == nil {
		return
	}
	path := l.Plugin(m[1], m[2], e.Pos.File)
	if path == "" {
		return
	}
	hint := path + " defines it, but Python cannot run here"
	if base := m[2][strings.LastIndexByte(m[2], '.')+1:]; base != m[2] && l.CheckTemplate != nil {
		text := "{{ x | " + base + " }}"
		if m[1] == "test" {
			text = "{{ x is " + base + " }}"
		}
		if l.CheckTemplate(text, diag.Pos{}, false) == nil {
			hint += "; the built-in " + m[1] + " " + base + " may do the job"
		}
	}
	e.Hint = hint
}

// Plugin finds the Python file that defines a plugin of a kind (filter, test, lookup, …) for what stands in a file: beside it or
// above, in the roles there are, and in collections; "" is none.
func (l *Loader) Plugin(kind, name, file string) string {
	var dirs []string
	if parts := strings.SplitN(name, ".", 3); len(parts) == 3 {
		for _, dir := range l.CollectionsPath {
			if filepath.Base(dir) != "ansible_collections" {
				dir = filepath.Join(dir, "ansible_collections")
			}
			dirs = append(dirs, filepath.Join(dir, parts[0], parts[1], "plugins", kind))
		}
		name = parts[2]
	} else {
		dirs = l.pluginDirs(kind, file)
	}
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*.py"))
		if err != nil {
			continue
		}
		for _, path := range files {
			if definesPlugin(path, kind, name) {
				return path
			}
		}
	}
	return ""
}

// pluginDirs are the folders of a kind of plugins that may count for a file.
func (l *Loader) pluginDirs(kind, file string) []string {
	const levels = 6 // as deep as the tasks of a role of a collection lie below it
	var dirs []string
	roles := slices.Clone(l.RolesPath)
	dir := filepath.Dir(file)
	for range levels {
		dirs = append(dirs, filepath.Join(dir, kind+"_plugins"), filepath.Join(dir, "plugins", kind))
		roles = append(roles, filepath.Join(dir, "roles"))
		up := filepath.Dir(dir)
		if up == dir {
			break
		}
		dir = up
	}
	for _, r := range roles {
		if found, err := filepath.Glob(filepath.Join(r, "*", kind+"_plugins")); err == nil {
			dirs = append(dirs, found...)
		}
	}
	return dirs
}

// definesPlugin reports whether a Python file defines a plugin: filters and tests stand in it by their names, others have a file each.
func definesPlugin(path, kind, name string) bool {
	if strings.TrimSuffix(filepath.Base(path), ".py") == name {
		return true
	}
	if kind != "filter" && kind != "test" {
		return false
	}
	text, err := os.ReadFile(path)
	return err == nil && (bytes.Contains(text, []byte("'"+name+"'")) || bytes.Contains(text, []byte(`"`+name+`"`)))
}

// plugins warns of Python that a role brings along and that cannot run here.
func (ld *load) plugins(r *Role) {
	ld.pluginsIn(r.Path, "role "+r.Name, []string{
		"library", "filter_plugins", "lookup_plugins", "test_plugins", "action_plugins", "callback_plugins",
		"connection_plugins", "module_utils", "vars_plugins", "strategy_plugins",
	})
}

// pluginsIn warns of the Python files in folders of plugins.
func (ld *load) pluginsIn(root, whose string, dirs []string) {
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(root, dir, "*.py"))
		if err != nil {
			continue
		}
		for _, f := range files {
			if filepath.Base(f) != "__init__.py" {
				ld.warn(diag.Pos{File: f}, "%s brings Python in %s, which cannot run here", whose, dir).rule(RulePython)
			}
		}
	}
}
