package check

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/playbook"
)

// sources say which argument of a module names a file of the controller, and in which folder it is looked for.
func sources() map[string]struct{ arg, kind string } {
	return map[string]struct{ arg, kind string }{
		"copy": {"src", "files"}, "template": {"src", "templates"}, "script": {"cmd", "files"}, "unarchive": {"src", "files"},
	}
}

// files checks that the file that a task takes from the controller is there, and what stands in a template.
func (w *walker) files(t *playbook.Task, guard bool) {
	base := t.BaseAction()
	s, ok := sources()[base]
	if !ok || onTarget(t) {
		return
	}
	v, given := t.Args.Values.Get(s.arg)
	if !given && base == "script" {
		v, given = t.Args.Values.Get("_raw_params")
	}
	name, isText := v.(string)
	if !given || !isText || name == "" || strings.Contains(name, "://") {
		return
	}
	if base == "script" {
		words, err := modules.SplitWords(name)
		if err != nil || len(words) == 0 {
			return
		}
		name = words[0]
	}
	path, tried := playbook.FindFile(t.SearchPath(w.dir), s.kind, name)
	if path == "" {
		w.missing(t, s.arg, name, tried, guard)
		return
	}
	if base == "template" {
		w.template(t, relative(path), delimiters(w.Env.Options(), t.Args.Values), guard)
	}
}

// onTarget reports whether the source of a task lies on the target.
func onTarget(t *playbook.Task) bool {
	for arg, on := range map[string]bool{"remote_src": true, "copy": false} {
		v, given := t.Args.Values.Get(arg)
		if !given {
			continue
		}
		b, err := modules.Bool(v)
		if err != nil || b == on {
			return true
		}
	}
	return false
}

// missing reports a file that is in none of the places tried.
func (w *walker) missing(t *playbook.Task, arg, name string, tried []string, guard bool) {
	shown := make([]string, len(tried))
	for i, path := range tried {
		shown[i] = relative(path)
	}
	e := w.fail(guard, playbook.RuleFile, t.Args.Where([]any{arg}, false), "%s: file %q not found, looked for %s", t.BaseAction(), name, strings.Join(shown, ", "))
	e.err.Hint = nearFile(name, tried)
	w.absent = append(w.absent, e.err)
}

// nearFile hints at a file beside one of the places tried that may be meant.
func nearFile(name string, tried []string) string {
	for _, path := range tried {
		files, err := os.ReadDir(filepath.Dir(path))
		if err != nil {
			continue
		}
		var names []string
		for _, f := range files {
			names = append(names, f.Name())
		}
		if near := diag.Near(filepath.Base(name), names); near != "" {
			return fmt.Sprintf("did you mean %q?", filepath.Join(filepath.Dir(name), near))
		}
	}
	return ""
}

// delimiters are the options that a template task gives, as far as they are literals.
func delimiters(o jinja.Options, args *value.Dict) jinja.Options {
	for arg, to := range map[string]*string{
		"block_start_string": &o.BlockStart, "block_end_string": &o.BlockEnd,
		"variable_start_string": &o.VariableStart, "variable_end_string": &o.VariableEnd,
		"comment_start_string": &o.CommentStart, "comment_end_string": &o.CommentEnd,
	} {
		if v, ok := args.Get(arg); ok {
			if s, isText := v.(string); isText {
				*to = s
			}
		}
	}
	return o
}

// template checks a template file and those that it takes in by literal names.
func (w *walker) template(t *playbook.Task, path string, o jinja.Options, guard bool) {
	if w.templates[path] {
		return
	}
	w.templates[path] = true
	text, err := w.ReadFile(path)
	if err != nil {
		return
	}
	o, rest, err := jinja.ParseHeader(string(text), o)
	if err != nil {
		w.fail(guard, playbook.RuleTemplate, diag.Pos{File: path, Line: 1}, "%w", err)
		return
	}
	o.KeepTrailingNewline = false                                          // as in a run
	lines := strings.Count(string(text), "\n") - strings.Count(rest, "\n") // those of the header
	compiled, err := w.Env.TemplateWith(path, rest, o)
	if err != nil {
		w.badTemplate(path, lines, err, guard)
		return
	}
	u := compiled.Uses()
	for _, list := range [][]jinja.Use{u.Names, u.Lookups, u.Templates} {
		for i := range list {
			list[i].Pos.Line += lines
		}
	}
	w.uses(u, guard)
	for _, part := range u.Templates {
		found := filepath.Join(filepath.Dir(path), part.Name)
		if _, err := os.Stat(found); err != nil {
			var tried []string
			if found, tried = playbook.FindFile(t.SearchPath(w.dir), "templates", part.Name); found == "" {
				if !part.Guarded {
					e := w.fail(guard, playbook.RuleFile, part.Pos, "template %q not found", part.Name)
					e.err.Hint = nearFile(part.Name, tried)
					w.absent = append(w.absent, e.err)
				}
				continue
			}
		}
		w.template(t, relative(found), o, guard || part.Guarded)
	}
}

// badTemplate reports a mistake in a template file.
func (w *walker) badTemplate(path string, lines int, err error, guard bool) {
	j, ok := errors.AsType[*jinja.Error](err)
	if !ok {
		w.fail(guard, playbook.RuleTemplate, diag.Pos{File: path}, "%w", err)
		return
	}
	pos := j.Pos
	pos.Line += lines
	e := w.fail(guard, playbook.RuleTemplate, pos, "template: %w", j.Err)
	e.err.Hint = j.Hint
	w.Loader.Explain(e.err)
}
