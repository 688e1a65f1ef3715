package inventory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
)

// Load reads the sources in order; later ones win. A source with a comma is a list of hosts. Warnings come also
// when there is no error.
func Load(ctx context.Context, sources []string, opts Options) (*Inventory, diag.List, error) {
	if opts.Open == nil {
		opts.Open = os.ReadFile
	}
	inv := newInventory(sources, opts)
	l := &loader{ctx: ctx, inv: inv, opts: opts, warned: map[string]bool{}}
	if err := l.compileIgnored(); err != nil {
		return nil, nil, err
	}
	var failed diag.List
	parsed := false
	for _, source := range sources {
		if source == "" {
			continue
		}
		ok, errs := l.source(source)
		parsed = parsed || ok
		failed.Add(errs...)
		if err := ctx.Err(); err != nil {
			return nil, l.warnings, fmt.Errorf("reading inventory: %w", err)
		}
	}
	for _, e := range failed {
		if !opts.AnyUnparsedFatal && (!opts.UnparsedFatal || parsed) {
			e.Severity = diag.Warning
		}
	}
	inv.settle()
	inv.loaded()
	inv.files = newVarsFiles(sources, opts)
	failed.Add(inv.files.loadAll(inv))
	l.warnConflicts()
	if err := failed.Err(); err != nil {
		return nil, append(l.warnings, inv.files.warnings...), err
	}
	return inv, slices.Concat(l.warnings, inv.files.warnings, failed), nil
}

// loaded passes the variables that the sources themselves hold through Options.Loaded.
func (inv *Inventory) loaded() {
	if inv.opts.Loaded == nil {
		return
	}
	each := func(layers []Layer) {
		for i, layer := range layers {
			layers[i].Vars = inv.opts.Loaded(layer.File, layer.Vars)
		}
	}
	for _, g := range inv.groups {
		each(g.Vars)
	}
	for _, h := range inv.hosts {
		each(h.Vars)
	}
}

// loader reads the sources of one Load.
type loader struct {
	ctx      context.Context
	inv      *Inventory
	opts     Options
	warnings diag.List
	warned   map[string]bool
	ignored  *regexp.Regexp
	file     string // the source being read, as layers name it
	path     string // its absolute path
}

// ignoredExtensions are Ansible's, for files in a folder of sources.
func ignoredExtensions() []string {
	return []string{".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".ini", ".cfg", ".retry"}
}

func (l *loader) compileIgnored() error {
	parts := append([]string{`^\.`, `^host_vars$`, `^group_vars$`, `^vars_plugins$`}, l.opts.IgnorePatterns...)
	extensions := l.opts.IgnoreExtensions
	if extensions == nil {
		extensions = ignoredExtensions()
	}
	for _, ext := range extensions {
		parts = append(parts, regexp.QuoteMeta(ext)+"$")
	}
	var err error
	if l.ignored, err = regexp.Compile(strings.Join(parts, "|")); err != nil {
		return fmt.Errorf("inventory ignore_patterns: %w", err)
	}
	return nil
}

// source reads a file, a folder or a list of hosts and tells whether anything could be read.
func (l *loader) source(source string) (parsed bool, errs []error) {
	info, err := os.Stat(source)
	switch {
	case err == nil && info.IsDir():
		return l.folder(source)
	case err == nil:
		if err := l.sourceFile(source); err != nil {
			return false, []error{err}
		}
		return true, nil
	case IsGuests(source):
		l.file, l.path = source, source
		if err := l.readGuests(source); err != nil {
			return false, []error{err}
		}
		return true, nil
	case strings.Contains(source, ","):
		l.file, l.path = source, source
		l.hostList(source)
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		missing := &diag.Error{Err: &NotFoundError{Path: source}}
		return false, []error{missing.WithHint("-i takes a file, a folder, a script, libvirt:HOST, or a list of hosts with a comma: %q", source+",")}
	}
	return false, []error{fmt.Errorf("reading inventory: %w", err)}
}

// folder reads the files of a folder in the order of their names.
func (l *loader) folder(dir string) (parsed bool, errs []error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, []error{fmt.Errorf("reading inventory folder: %w", err)}
	}
	for _, e := range entries {
		if l.ignored.MatchString(e.Name()) {
			continue
		}
		ok, more := l.source(filepath.Join(dir, e.Name()))
		parsed = parsed || ok
		errs = append(errs, more...)
	}
	return parsed, errs
}

// hostList reads h1,h2[1:3],h3:22.
func (l *loader) hostList(list string) {
	for part := range strings.SplitSeq(list, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		names, port, err := []string{part}, 0, error(nil)
		if l.enabled("advanced_host_list") {
			names, port, err = expandPattern(part)
		} else if host, p, ok := parseAddress(part); ok && !strings.Contains(host, "[") {
			names, port = []string{host}, p
		}
		if err != nil {
			names, port = []string{part}, 0
		}
		for _, name := range names {
			if _, known := l.inv.hostByName[name]; !known {
				l.inv.addMember(l.inv.ungrouped, l.host(name, port, diag.Pos{}))
			}
		}
	}
}

// enabled tells whether a plugin is among those to try.
func (l *loader) enabled(name string) bool {
	if len(l.opts.Enabled) == 0 {
		return name != "advanced_host_list"
	}
	return slices.ContainsFunc(l.opts.Enabled, func(e string) bool {
		return strings.TrimPrefix(strings.TrimSpace(e), "ansible.builtin.") == name
	})
}

// sourceFile reads one file with the first plugin that takes it.
func (l *loader) sourceFile(path string) error {
	l.file = path
	abs, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("reading inventory: %w", err)
	}
	l.path = abs
	text, err := l.opts.Open(path)
	if err != nil {
		return fmt.Errorf("reading inventory: %w", err)
	}
	if l.enabled("script") && isScript(path, text) {
		return l.readScript(path)
	}
	ext := filepath.Ext(path)
	switch ext {
	case ".toml":
		if l.enabled("toml") {
			return l.readTOML(path, text)
		}
	case ".yml", ".yaml", ".json", ".config", "":
		if name := pluginName(path, text); name != "" {
			return l.readPlugin(name, path, text)
		}
	}
	mayBeYAML := ext == "" || ext == ".yml" || ext == ".yaml" || ext == ".json"
	var yamlErr error
	if mayBeYAML && l.enabled("yaml") {
		if yamlErr = l.readYAML(path, text); yamlErr == nil {
			return nil
		}
		if ext != "" || looksYAML(text) || !l.enabled("ini") {
			return yamlErr
		}
	}
	if l.enabled("ini") {
		return l.readINI(path, text)
	}
	return diag.Errorf(diag.Pos{File: path}, "no enabled inventory plugin reads this file").
		WithHint("enabled are %s", strings.Join(l.opts.Enabled, ", "))
}

// isScript tells an inventory script: executable, or with a shebang.
func isScript(path string, text []byte) bool {
	if strings.HasPrefix(string(text[:min(2, len(text))]), "#!") {
		return true
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode().Perm()&0o111 != 0
}

// groupName is the name under which a group goes, and warns of odd ones.
func (l *loader) groupName(name string, pos diag.Pos) string {
	mode := l.opts.GroupNames
	if mode == "" {
		mode = "never"
	}
	bad := invalidNameChars.FindString(name)
	if bad == "" || mode == "ignore" {
		return name
	}
	used := name
	if mode != "never" {
		used = safeName(name)
	}
	if mode != "silently" && !l.warned[name] {
		l.warned[name] = true
		if used == name {
			l.warn(pos, "letters, digits and underscores are safe", "group name %q holds %q, which no variable's name may", name, bad)
		} else {
			l.warn(pos, "", "group name %q holds %q and was changed to %q", name, bad, used)
		}
	}
	return used
}

func (l *loader) warn(pos diag.Pos, hint, format string, args ...any) {
	e := diag.Errorf(pos, format, args...).WithHint("%s", hint)
	e.Severity = diag.Warning
	l.warnings.Add(e)
}

func (l *loader) group(name string, pos diag.Pos) *Group {
	g, _ := l.inv.addGroup(l.groupName(name, pos), pos)
	return g
}

func (l *loader) host(name string, port int, pos diag.Pos) *Host {
	h, _ := l.inv.addHost(name, port, l.path, pos)
	return h
}

// warnConflicts warns of groups that are named like hosts.
func (l *loader) warnConflicts() {
	for _, g := range l.inv.groups {
		if h, ok := l.inv.hostByName[g.Name]; ok {
			l.warn(h.Pos, "in a pattern the name means the host", "both a group and a host are named %q", g.Name)
		}
	}
}
