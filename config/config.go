package config

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/modules"
)

// Source is where settings are read from.
type Source struct {
	Env  func(name string) string
	Home string // of the user; "" is unknown
	Etc  string // "/etc" when empty
	// Defaults stand in for those of the table.
	Defaults map[Name]string
}

// Config is the settings of one run. It does not change.
type Config struct {
	// Files are those that were read: hostler.cfg, then ansible.cfg, where there are such.
	Files []string
	src   Source
	table []Setting
	where map[Name]int // a name's row
	vals  []Value      // one a row
}

// Load reads the settings. Mistakes are fatal where a value is not what the setting takes, and warnings where a key is unknown
// or does nothing here; the Config is complete in any case, with the default in place of what is wrong.
func Load(src Source) (*Config, diag.List) {
	if src.Etc == "" {
		src.Etc = "/etc"
	}
	c := &Config{src: src, table: Table(), where: make(map[Name]int)}
	for i := range c.table {
		if d, ok := src.Defaults[c.table[i].Name]; ok {
			c.table[i].Default = d
		}
		for _, name := range c.table[i].keys() {
			c.where[name] = i
		}
	}
	ours, mistakes := c.read("HOSTLER_CONFIG", "hostler.cfg", filepath.Join(src.Etc, "hostler", "hostler.cfg"))
	theirs, more := c.read("ANSIBLE_CONFIG", "ansible.cfg", filepath.Join(src.Etc, "ansible", "ansible.cfg"))
	mistakes = append(mistakes, more...)
	c.vals = make([]Value, len(c.table))
	for i := range c.table {
		s := &c.table[i]
		v := c.value(s, ours, theirs)
		if bad := s.check(v); bad != nil {
			mistakes = append(mistakes, bad)
			v = Value{Text: s.Default, Origin: defaultOrigin}
		}
		if s.Support == Unsupported && !v.IsDefault() && !sameText(v.Text, s.Default) {
			warning := diag.Errorf(v.Pos, "setting %s (%s) does nothing here", s.Name, v.Origin).WithHint("%s", s.Note)
			warning.Severity = diag.Warning
			mistakes = append(mistakes, warning)
		}
		c.vals[i] = v
	}
	return c, mistakes
}

// sameText compares loosely: True is true.
func sameText(a, b string) bool {
	x, err := modules.Bool(a)
	y, err2 := modules.Bool(b)
	return strings.EqualFold(a, b) || err == nil && err2 == nil && x == y
}

// read finds the first file of the search order and reads it.
func (c *Config) read(variable, name, system string) (map[Name]entry, diag.List) {
	path, warnings := c.find(variable, name, system)
	if path == "" {
		return nil, warnings
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, append(warnings, &diag.Error{Err: fmt.Errorf("read settings: %w", err)})
	}
	c.Files = append(c.Files, path)
	entries, mistakes := parse(path, text)
	mistakes = append(warnings, mistakes...)
	out := make(map[Name]entry)
	for _, e := range entries {
		name := Name(e.section + "." + e.key)
		if _, known := c.where[name]; !known {
			mistakes = append(mistakes, c.unknown(e)...)
			continue
		}
		out[name] = e
	}
	return out, mistakes
}

// find gives the file to read: the one that the variable names (a file, or a folder with one), the one of the working
// folder unless everybody may write there, the user's, the system's.
func (c *Config) find(variable, name, system string) (string, diag.List) {
	if path := c.src.Env(variable); path != "" {
		path = c.expand(path)
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			path = filepath.Join(path, name)
		}
		if there(path) {
			return path, nil
		}
	}
	var warnings diag.List
	if here, err := os.Getwd(); err == nil && there(filepath.Join(here, name)) {
		info, err := os.Stat(here)
		if err == nil && info.Mode().Perm()&0o002 == 0 {
			return filepath.Join(here, name), nil
		}
		warning := diag.Errorf(diag.Pos{}, "%s of the working folder %s is not read, for everybody may write there", name, here).
			WithHint("chmod o-w the folder, or name the file with %s", variable)
		warning.Severity = diag.Warning
		warnings = append(warnings, warning)
	}
	if c.src.Home != "" && there(filepath.Join(c.src.Home, "."+name)) {
		return filepath.Join(c.src.Home, "."+name), warnings
	}
	if there(system) {
		return system, warnings
	}
	return "", warnings
}

func there(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&fs.ModeDir == 0
}

// unknown warns of a key of a section that settings of the table are in. Other sections belong to plugins.
func (c *Config) unknown(e entry) diag.List {
	var keys []string
	for name := range c.where {
		if key, ok := strings.CutPrefix(string(name), e.section+"."); ok {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 || openSection(e.section) {
		return nil
	}
	slices.Sort(keys)
	warning := diag.Errorf(e.pos, "unknown setting %q in [%s]", e.key, e.section)
	warning.Severity = diag.Warning
	if near := diag.Near(e.key, keys); near != "" {
		warning = warning.WithHint("did you mean %q?", near)
	} else {
		warning = warning.WithHint("hostler config list shows all settings")
	}
	return diag.List{warning}
}

// value finds what sets a setting.
func (c *Config) value(s *Setting, ours, theirs map[Name]entry) Value {
	for _, layer := range []struct {
		prefix string
		file   map[Name]entry
	}{{"HOSTLER_", ours}, {"ANSIBLE_", theirs}} {
		for _, name := range s.Env {
			full, plain := strings.CutPrefix(name, "=")
			if !plain {
				full = layer.prefix + name
			}
			if text := c.src.Env(full); text != "" {
				return Value{Text: text, Origin: full}
			}
		}
		for _, name := range s.keys() {
			if e, ok := layer.file[name]; ok {
				return Value{
					Text: unquoted(e.value), Origin: fmt.Sprintf("%s:%d", e.pos.File, e.pos.Line),
					Pos: e.pos, dir: filepath.Dir(e.pos.File),
				}
			}
		}
	}
	return Value{Text: s.Default, Origin: defaultOrigin}
}

// All gives every setting with its value, in the table's order.
func (c *Config) All() func(yield func(Setting, Value) bool) {
	return func(yield func(Setting, Value) bool) {
		for i := range c.table {
			if !yield(c.table[i], c.vals[i]) {
				return
			}
		}
	}
}

// Value gives a setting that is in the table; one that is not is empty.
func (c *Config) Value(name Name) Value {
	i, ok := c.where[name]
	if !ok {
		return Value{Origin: defaultOrigin}
	}
	return c.vals[i]
}

// Constant finds a setting by the name that Ansible's config lookup takes, such as DEFAULT_FORKS.
func (c *Config) Constant(name string) (string, bool) {
	short := strings.TrimPrefix(name, "DEFAULT_")
	for i := range c.table {
		s := &c.table[i]
		_, key, _ := strings.Cut(string(s.Name), ".")
		if slices.Contains(s.Env, short) || slices.Contains(s.Env, name) || strings.EqualFold(key, short) {
			return c.vals[i].Text, true
		}
	}
	return "", false
}

// Text gives a setting as it was written.
func (c *Config) Text(name Name) string { return c.Value(name).Text }

// Bool gives a truth value; what is none was told of by Load and is false.
func (c *Config) Bool(name Name) bool {
	b, err := modules.Bool(c.Text(name))
	return err == nil && b
}

// Int gives a number, 0 when it is empty.
func (c *Config) Int(name Name) int {
	n, err := strconv.Atoi(c.Text(name))
	if err != nil {
		return 0
	}
	return n
}

// List gives the words of a list.
func (c *Config) List(name Name) []string { return c.split(name, ",", false) }

// Path gives a path, made absolute when a file sets it.
func (c *Config) Path(name Name) string {
	v := c.Value(name)
	if v.Text == "" {
		return ""
	}
	return c.resolve(v)
}

// Paths gives the folders of a path list.
func (c *Config) Paths(name Name) []string { return c.split(name, ":", true) }

// Sources gives the inventory's kind of list: files between commas, or a list of hosts, which is one source.
func (c *Config) Sources(name Name) []string {
	files := c.split(name, ",", true)
	for _, f := range files {
		if _, err := os.Stat(f); err == nil {
			return files
		}
	}
	if text := c.Text(name); strings.Contains(text, ",") {
		return []string{text}
	}
	return files
}

func (c *Config) split(name Name, sep string, paths bool) []string {
	v := c.Value(name)
	var out []string
	for word := range strings.SplitSeq(v.Text, sep) {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		if paths {
			word = c.resolve(Value{Text: word, dir: v.dir})
		}
		out = append(out, word)
	}
	return out
}

func (c *Config) resolve(v Value) string {
	path := c.expand(v.Text)
	if rest, ok := strings.CutPrefix(path, "{{CWD}}"); ok {
		here, err := os.Getwd()
		if err == nil {
			return here + rest
		}
	}
	if v.dir != "" && !filepath.IsAbs(path) {
		return filepath.Join(v.dir, path)
	}
	return path
}

// expand puts in ~ and $NAME.
func (c *Config) expand(path string) string {
	if rest, ok := strings.CutPrefix(path, "~"); ok && c.src.Home != "" && (rest == "" || rest[0] == '/') {
		path = c.src.Home + rest
	}
	return os.Expand(path, func(name string) string {
		if v := c.src.Env(name); v != "" {
			return v
		}
		return "$" + name
	})
}
