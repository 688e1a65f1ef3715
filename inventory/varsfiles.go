package inventory

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja/value"
)

// varsFiles reads group_vars and host_vars beside the sources and the playbook.
type varsFiles struct {
	opts     Options
	dirs     []varsDir
	warnings diag.List
	cache    map[string]*value.Dict
}

// varsDir is a folder that may hold group_vars and host_vars.
type varsDir struct {
	path  string
	kind  LayerKind
	order int
	// names are what group_vars and host_vars hold, to save a look for each host.
	groups, hosts map[string]bool
}

func newVarsFiles(sources []string, opts Options) *varsFiles {
	f := &varsFiles{opts: opts, cache: map[string]*value.Dict{}}
	for _, source := range sources {
		info, err := os.Stat(source)
		if err != nil && strings.Contains(source, ",") {
			continue
		}
		dir := filepath.Dir(source)
		if err == nil && info.IsDir() {
			dir = source
		}
		// A folder named twice counts where it comes last.
		f.dirs = slices.DeleteFunc(f.dirs, func(d varsDir) bool { return filepath.Clean(d.path) == filepath.Clean(dir) })
		f.dirs = append(f.dirs, varsDir{path: dir, kind: FromInventory})
	}
	if opts.PlaybookDir != "" {
		f.dirs = append(f.dirs, varsDir{path: opts.PlaybookDir, kind: FromPlaybook})
	}
	for i := range f.dirs {
		f.dirs[i].order = i
		f.dirs[i].groups = f.names(filepath.Join(f.dirs[i].path, "group_vars"))
		f.dirs[i].hosts = f.names(filepath.Join(f.dirs[i].path, "host_vars"))
	}
	return f
}

func (f *varsFiles) names(dir string) map[string]bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			f.warnings.Add(&diag.Error{Err: fmt.Errorf("skipping variables: %w", err), Severity: diag.Warning})
		}
		return nil
	}
	names := make(map[string]bool, len(entries))
	for _, e := range entries {
		names[e.Name()] = true
	}
	return names
}

// loadAll gives every group and host its layers and all mistakes found.
func (f *varsFiles) loadAll(inv *Inventory) error {
	var errs diag.List
	var err error
	for _, g := range inv.groups {
		g.Vars, err = f.group(g.Name, g.Vars)
		errs.Add(err)
	}
	for _, h := range inv.hosts {
		h.Vars, err = f.host(h.Name, h.Vars)
		errs.Add(err)
	}
	return errs.Err()
}

func (f *varsFiles) group(name string, layers []Layer) ([]Layer, error) {
	return f.entity("group_vars", name, layers, func(d varsDir) map[string]bool { return d.groups })
}

func (f *varsFiles) host(name string, layers []Layer) ([]Layer, error) {
	return f.entity("host_vars", name, layers, func(d varsDir) map[string]bool { return d.hosts })
}

// entity appends the layers of a host or group to those it has.
func (f *varsFiles) entity(sub, name string, layers []Layer, names func(varsDir) map[string]bool) ([]Layer, error) {
	if strings.HasPrefix(name, "/") {
		return layers, nil
	}
	var errs diag.List
	for _, dir := range f.dirs {
		known := names(dir)
		if len(known) == 0 {
			continue
		}
		files, err := findVars(filepath.Join(dir.path, sub), name, known)
		errs.Add(err)
		for _, file := range files {
			vars, err := f.read(file)
			errs.Add(err)
			if vars.Len() > 0 {
				layers = append(layers, Layer{Kind: dir.kind, File: file, Vars: vars, order: dir.order})
			}
		}
	}
	return layers, errs.Err()
}

// findVars finds the file or the files of the folder of a name: NAME, else NAME.yml, .yaml or .json.
func findVars(dir, name string, known map[string]bool) ([]string, error) {
	for _, ext := range []string{"", ".yml", ".yaml", ".json"} {
		if !strings.Contains(name, "/") && !known[name+ext] {
			continue
		}
		path := filepath.Join(dir, name+ext)
		info, err := os.Stat(path)
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			return nil, fmt.Errorf("looking for variables: %w", err)
		}
		if info.IsDir() {
			return varsTree(path)
		}
		return []string{path}, nil
	}
	return nil, nil
}

// varsTree lists the variable files below a folder in the order of their names.
func varsTree(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("looking for variables: %w", err)
	}
	var out []string
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") {
			continue
		}
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("looking for variables: %w", err)
		}
		ext := filepath.Ext(name)
		switch {
		case info.IsDir() && ext == "":
			more, err := varsTree(path)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
		case info.Mode().IsRegular() && slices.Contains([]string{"", ".yml", ".yaml", ".json"}, ext):
			out = append(out, path)
		}
	}
	return out, nil
}

// read reads one file of variables, once.
func (f *varsFiles) read(path string) (*value.Dict, error) {
	if vars, ok := f.cache[path]; ok {
		return vars, nil
	}
	text, err := f.opts.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading variables: %w", err)
	}
	vars, warnings, err := document.Variables(path, text)
	f.warnings.Add(warnings)
	if err != nil {
		return nil, err
	}
	if f.opts.Loaded != nil {
		vars = f.opts.Loaded(path, vars)
	}
	f.cache[path] = vars
	return vars, nil
}
