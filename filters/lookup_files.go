package filters

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

// searchPath are the folders that a task's files are looked for in, the nearest first.
func (r *request) searchPath() ([]string, error) {
	for _, name := range []string{"ansible_search_path", "role_path"} {
		v, err := r.variable(name)
		if err != nil {
			return nil, err
		}
		if s, ok := v.(string); ok {
			return []string{s}, nil
		}
		if list, ok := v.(*value.List); ok {
			var dirs []string
			for _, item := range list.Items {
				if s, ok := item.(string); ok {
					dirs = append(dirs, s)
				}
			}
			return dirs, nil
		}
	}
	base, err := r.base()
	return []string{base}, err
}

// find gives the first file or folder of a name: in each folder of the search path first in its subdir.
// There is none: "".
func (r *request) find(subdir, name string) (string, error) {
	path := expandUser(name)
	if filepath.IsAbs(path) {
		return existing(filepath.Clean(path)), nil
	}
	dirs, err := r.searchPath()
	if err != nil {
		return "", err
	}
	base, err := r.base()
	if err != nil {
		return "", err
	}
	first, _, _ := strings.Cut(path, "/")
	for _, dir := range append(slices.Clone(dirs), base) {
		if first != subdir {
			if found := existing(filepath.Join(dir, subdir, path)); found != "" {
				return found, nil
			}
		}
		if found := existing(filepath.Join(dir, path)); found != "" {
			return found, nil
		}
	}
	return "", nil
}

func existing(path string) string {
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// expandUser is Python's os.path.expanduser for ~ and ~name.
func expandUser(path string) string {
	if !strings.HasPrefix(path, "~") {
		return path
	}
	name, rest, _ := strings.Cut(path[1:], "/")
	home := homeOf(name)
	if home == "" {
		return path
	}
	if len(path) > 1+len(name) {
		return strings.TrimRight(home, "/") + "/" + rest
	}
	return home
}

// maxText is how many bytes a lookup takes from a file or a program: more could be in no template.
const maxText = 16 << 20

// readFile reads a file, at most maxText of it: a device or a pipe may have no end.
func (l *Lookups) readFile(path string) ([]byte, error) {
	tooLarge := fmt.Errorf("%s has more than %d MiB", path, maxText>>20)
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case st.Mode().IsRegular() && st.Size() > maxText:
		return nil, tooLarge
	case !st.Mode().IsRegular() && !st.IsDir():
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		text, err := io.ReadAll(io.LimitReader(f, maxText+1))
		if len(text) > maxText {
			return nil, tooLarge
		}
		return text, err
	}
	if l.o.ReadFile != nil {
		return l.o.ReadFile(path)
	}
	return os.ReadFile(path)
}

// read gives the text of the file that a term names.
func (r *request) read(subdir, term string) (path, text string, err error) {
	if path, err = r.find(subdir, term); err != nil {
		return "", "", err
	}
	if path == "" {
		return "", "", fmt.Errorf("could not locate file in lookup: %s", term)
	}
	b, err := r.l.readFile(path)
	if err != nil {
		return "", "", fmt.Errorf("read %s: %w", path, err)
	}
	if !utf8.Valid(b) {
		return "", "", fmt.Errorf("%s is no UTF-8 text", path)
	}
	return path, string(b), nil
}

func lookupFile(r *request) ([]any, error) {
	if err := r.only("rstrip", "lstrip"); err != nil {
		return nil, err
	}
	terms, err := r.texts()
	if err != nil {
		return nil, err
	}
	left, err := r.truthOption("lstrip", false)
	if err != nil {
		return nil, err
	}
	right, err := r.truthOption("rstrip", true)
	if err != nil {
		return nil, err
	}
	var out []any
	for _, term := range terms {
		_, text, err := r.read("files", term)
		if err != nil {
			return nil, err
		}
		if left {
			text = strings.TrimLeftFunc(text, pythonSpace)
		}
		if right {
			text = strings.TrimRightFunc(text, pythonSpace)
		}
		out = append(out, text)
	}
	return out, nil
}

// pythonSpace is str.isspace.
func pythonSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

func lookupUnvault(r *request) ([]any, error) {
	terms, err := r.texts()
	if err != nil {
		return nil, err
	}
	var out []any
	for _, term := range terms {
		_, text, err := r.read("files", term)
		if err != nil {
			return nil, err
		}
		out = append(out, text)
	}
	return out, nil
}

func lookupFileglob(r *request) ([]any, error) {
	terms, err := r.texts()
	if err != nil {
		return nil, err
	}
	var out []any
	for _, term := range terms {
		found, err := r.glob(term)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			out = append(out, f)
		}
	}
	return out, nil
}

func (r *request) glob(term string) ([]string, error) {
	name := basename(term)
	var dirs []string
	if name != term {
		dir, err := r.find("files", dirname(term))
		if err != nil || dir == "" {
			return nil, err
		}
		dirs = []string{dir}
	} else {
		path, err := r.searchPath()
		if err != nil {
			return nil, err
		}
		for _, dir := range path {
			dirs = append(dirs, filepath.Join(dir, "files"), dir)
		}
	}
	for _, dir := range dirs {
		if found := globFiles(filepath.Join(dir, name)); len(found) > 0 {
			return found, nil
		}
	}
	return nil, nil
}

// globFiles gives the files that match, sorted. As in Python a * matches no leading dot.
func globFiles(pattern string) []string {
	found, err := filepath.Glob(strings.ReplaceAll(pattern, "[!", "[^"))
	if err != nil {
		return nil
	}
	hidden := strings.HasPrefix(basename(pattern), ".")
	return slices.DeleteFunc(found, func(path string) bool {
		st, err := os.Stat(path)
		return err != nil || !st.Mode().IsRegular() || !hidden && strings.HasPrefix(basename(path), ".")
	})
}

func lookupFirstFound(r *request) ([]any, error) {
	subdir := r.Subdir
	if subdir == "" {
		subdir = "files"
	}
	names, skip, err := r.candidates(r.Terms)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		path, err := r.find(subdir, name)
		if err != nil {
			return nil, err
		}
		if path != "" {
			return []any{path}, nil
		}
	}
	if skip {
		return nil, nil
	}
	return nil, errors.New("No file was found when using first_found.")
}

// candidates gives the names that first_found tries. A term may be a dict with files, paths and skip.
func (r *request) candidates(terms []any) (names []string, skip bool, err error) {
	for _, term := range terms {
		options := r.Options
		text, isText := term.(string)
		if list, ok := sequence(term); ok {
			more, s, err := r.candidates(list)
			if err != nil {
				return nil, false, err
			}
			names, skip = append(names, more...), s
			continue
		}
		if d, ok := term.(*value.Dict); ok {
			options = d
		} else if !isText {
			return nil, false, fmt.Errorf("invalid term: a string, a mapping or a list of strings is needed, not %s", value.TypeName(term))
		}
		files, err := splitNames(options, "files", ",;")
		if err != nil {
			return nil, false, err
		}
		paths, err := splitNames(options, "paths", ",:;")
		if err != nil {
			return nil, false, err
		}
		v, _ := options.Get("skip")
		skip, _ = asBool(v)
		switch {
		case len(paths) > 0:
			for _, p := range paths {
				for _, f := range files {
					names = append(names, filepath.Join(p, f))
				}
			}
		case len(files) > 0:
			names = files
		case isText:
			names = append(names, text)
		}
	}
	return names, skip, nil
}

// splitNames reads an option that is text with separators, or a list of such.
func splitNames(options *value.Dict, name, separators string) ([]string, error) {
	v, ok := options.Get(name)
	if !ok || v == nil {
		return nil, nil
	}
	var out []string
	items, err := flattened(func(int) error { return nil }, listed(v), -1, true)
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		s, err := value.Str(item)
		if err != nil {
			return nil, err
		}
		out = append(out, strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(separators, r) })...)
	}
	return out, nil
}

// scopeOf is a scope of a dict alone.
func scopeOf(d *value.Dict) jinja.Scope { return &overlay{own: d} }

// overlay is a scope with further variables over it, and the folders that templates are included from.
type overlay struct {
	own  *value.Dict
	next jinja.Scope
	dirs []string
	read func(path string) ([]byte, error)
}

// Lookup implements jinja.Scope.
func (o *overlay) Lookup(ctx context.Context, name string) (any, bool, error) {
	if v, ok := o.own.Get(name); ok {
		return v, true, nil
	}
	if o.next == nil {
		return nil, false, nil
	}
	return o.next.Lookup(ctx, name)
}

// Names lists what errors may suggest.
func (o *overlay) Names() []string {
	var names []string
	for _, k := range o.own.Keys() {
		if s, ok := k.(string); ok {
			names = append(names, s)
		}
	}
	if n, ok := o.next.(interface{ Names() []string }); ok {
		names = append(names, n.Names()...)
	}
	return names
}

// Volatile passes on that the value must not be remembered.
func (o *overlay) Volatile() {
	if v, ok := o.next.(interface{ Volatile() }); ok {
		v.Volatile()
	}
}

// Load implements jinja.Loader.
func (o *overlay) Load(_ context.Context, name, _ string) (string, string, error) {
	for _, dir := range o.dirs {
		path := filepath.Join(dir, name)
		if existing(path) == "" {
			continue
		}
		text, err := o.read(path)
		return path, string(text), err
	}
	return "", "", fmt.Errorf("template %s: %w", name, fs.ErrNotExist)
}

func lookupTemplate(r *request) ([]any, error) {
	if err := r.only("convert_data", "variable_start_string", "variable_end_string", "jinja2_native", "template_vars",
		"comment_start_string", "comment_end_string", "trim_blocks", "lstrip_blocks"); err != nil {
		return nil, err
	}
	terms, err := r.texts()
	if err != nil {
		return nil, err
	}
	convert, err := r.truthOption("convert_data", true)
	if err != nil {
		return nil, err
	}
	var out []any
	for _, term := range terms {
		path, text, err := r.read("templates", term)
		if err != nil {
			return nil, fmt.Errorf("the template file %s could not be found for the lookup: %w", term, err)
		}
		text, err = r.rendered(path, text)
		if err != nil {
			return nil, err
		}
		var v any = text
		if convert && (strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "{{") || strings.HasPrefix(text, "[") || text == "True" || text == "False") {
			if lit, ok := value.ParseLooseLiteral(text); ok {
				v = lit
			}
		}
		out = append(out, v)
	}
	return out, nil
}

func (r *request) rendered(path, text string) (string, error) {
	opts := r.l.env.Options()
	for name, to := range map[string]*string{
		"variable_start_string": &opts.VariableStart, "variable_end_string": &opts.VariableEnd,
		"comment_start_string": &opts.CommentStart, "comment_end_string": &opts.CommentEnd,
	} {
		s, err := r.textOption(name, *to)
		if err != nil {
			return "", err
		}
		*to = s
	}
	for name, to := range map[string]*bool{"trim_blocks": &opts.TrimBlocks, "lstrip_blocks": &opts.LstripBlocks} {
		b, err := r.truthOption(name, *to)
		if err != nil {
			return "", err
		}
		*to = b
	}
	own, err := r.l.templateNames(path)
	if err != nil {
		return "", err
	}
	if extra, ok := r.option("template_vars", nil).(*value.Dict); ok {
		own.Update(extra)
	}
	search, err := r.searchPath()
	if err != nil {
		return "", err
	}
	dirs := []string{filepath.Dir(path)}
	for _, dir := range search {
		dirs = append(dirs, filepath.Join(dir, "templates"), dir)
	}
	return RenderFile(r.ctx, r.l.env, path, text, opts, &overlay{own: own, next: r.scope, dirs: dirs, read: r.l.readFile})
}

// templateNames are the variables about itself that a template has.
func (l *Lookups) templateNames(path string) (*value.Dict, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("name of this machine: %w", err)
	}
	managed := any("Ansible managed")
	if l.o.Setting != nil {
		if v, ok := l.o.Setting("DEFAULT_MANAGED_STR"); ok {
			managed = v
		}
	}
	const stamp = "2006-01-02 15:04:05.000000"
	return value.NewDict("template_path", path, "template_fullpath", path, "template_host", host, "template_uid", ownerName(st),
		"template_mtime", st.ModTime().Format(stamp), "template_run_date", time.Now().Format(stamp),
		"ansible_managed", managed), nil
}

func lookupCSV(r *request) ([]any, error) {
	if err := r.only("col", "default", "delimiter", "file", "encoding"); err != nil {
		return nil, err
	}
	terms, err := r.texts()
	if err != nil {
		return nil, err
	}
	var out []any
	for _, term := range terms {
		key, options, err := r.inline(term, "col", "default", "delimiter", "file", "encoding")
		if err != nil {
			return nil, err
		}
		v, err := r.csvCell(key, options)
		if err != nil {
			return nil, fmt.Errorf("csvfile: %w", err)
		}
		if v != nil {
			out = append(out, listed(v)...)
		}
	}
	return out, nil
}

// csvCell finds the row that begins with a key and gives one of its columns.
func (r *request) csvCell(key string, options *value.Dict) (any, error) {
	fallback := func(name, otherwise string) string {
		if v, ok := options.Get(name); ok && v != nil {
			return shown(v)
		}
		return otherwise
	}
	column, err := number64(fallback("col", "1"))
	if err != nil {
		return nil, err
	}
	delimiter := fallback("delimiter", "TAB")
	if delimiter == "TAB" || delimiter == `\t` {
		delimiter = "\t"
	}
	_, text, err := r.read("files", fallback("file", "ansible.csv"))
	if err != nil {
		return nil, err
	}
	rows, err := readCSV(text, delimiter)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if len(row) == 0 || row[0] != key {
			continue
		}
		if column < 0 {
			column += len(row)
		}
		if column < 0 || column >= len(row) {
			return nil, fmt.Errorf("the row of %s has no column %d", key, column)
		}
		return row[column], nil
	}
	v, _ := options.Get("default")
	return v, nil
}

// readCSV reads rows of any length; blank lines are left out.
func readCSV(text, delimiter string) ([][]string, error) {
	comma, size := utf8.DecodeRuneInString(delimiter)
	if size == 0 || size != len(delimiter) {
		return nil, fmt.Errorf("the delimiter %q must be one character", delimiter)
	}
	reader := csv.NewReader(strings.NewReader(text))
	reader.Comma, reader.FieldsPerRecord, reader.LazyQuotes = comma, -1, true
	return reader.ReadAll()
}
