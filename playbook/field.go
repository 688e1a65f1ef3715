package playbook

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja/value"
	"gopkg.in/yaml.v3"
)

// place is where tasks are being read.
type place struct {
	doc     document.Document
	play    *Play
	role    *Role
	parent  *Keywords
	handler bool
	inBlock bool
	guard   bool     // a condition may keep what is being read from running
	chain   []string // files and roles that are being imported, outermost first
}

func (p place) pos(n *yaml.Node) diag.Pos { return p.doc.Pos(n) }

// guarded reports whether a condition may keep what stands here from running.
func guarded(k *Keywords) bool { return k != nil && len(k.When) > 0 }

// value turns a node into a value and checks the templates in it.
func (ld *load) value(doc document.Document, n *yaml.Node) any {
	v, err := doc.Value(n)
	if err != nil {
		var errs diag.List
		errs.Add(err)
		for _, e := range errs {
			ld.note(e.WithRule(RuleYAML))
		}
		return nil
	}
	ld.templates(v)
	return v
}

// templates checks the syntax of every template in a value.
func (ld *load) templates(v any) {
	if ld.CheckTemplate == nil {
		return
	}
	switch v := v.(type) {
	case *value.Template:
		if e := ld.CheckTemplate(v.Text, v.Pos, false); e != nil {
			ld.Explain(e)
			ld.note(e.WithRule(RuleTemplate))
		}
	case *value.List:
		for _, item := range v.Items {
			ld.templates(item)
		}
	case *value.Dict:
		for _, item := range v.All() {
			ld.templates(item)
		}
	}
}

// field reads a keyword's value; an empty one is as if it were not there.
func (ld *load) field(p place, e document.Entry, k kind) Field {
	pos := p.pos(e.Val)
	v := ld.value(p.doc, e.Val)
	if v == nil {
		return Field{}
	}
	out, problem := coerce(v, k)
	if problem == "" {
		ld.choice(p, e, out, pos)
		return Field{Value: out, Pos: pos, Set: true}
	}
	if k == dict || k == sequence || k == list || e.Name == "name" {
		ld.fail(pos, "%s %s, not %s", e.Name, problem, describe(out))
		return Field{}
	}
	// Ansible finds these only when it comes to them; the run then refuses the value.
	ld.strict(p.guard, pos, "%s %s, not %s", e.Name, problem, describe(out))
	return Field{Value: v, Pos: pos, Set: true}
}

// choices are the values of keywords that have only a few.
var choices = map[string][]string{
	"order":         {"inventory", "reverse_inventory", "sorted", "reverse_sorted", "shuffle"},
	"strategy":      {"linear", "free", "host_pinned", "debug"},
	"become_method": {"sudo", "su", "doas"},
	"debugger":      {"always", "never", "on_failed", "on_unreachable", "on_skipped"},
}

// choice reports a keyword's value that is none of its few.
func (ld *load) choice(p place, e document.Entry, v any, pos diag.Pos) {
	allowed, few := choices[e.Name]
	s, isText := v.(string)
	if !few || !isText || slices.Contains(allowed, baseName(s)) {
		return
	}
	bad := ld.strict(p.guard, pos, "%s must be one of %s, not %q", e.Name, strings.Join(allowed, ", "), s)
	if near := diag.Near(s, allowed); near != "" {
		bad.hint("did you mean %q?", near)
	}
}

// coerce brings a value to a kind as Ansible does; problem says what it should be.
func coerce(v any, k kind) (out any, problem string) {
	if _, late := v.(*value.Template); late {
		return v, ""
	}
	switch k {
	case text:
		switch v := v.(type) {
		case string, *value.Sealed:
			return v, ""
		case int, float64, bool:
			return pyText(v), ""
		}
		return v, "must be text"
	case flag:
		if b, ok := truth(v); ok {
			return b, ""
		}
		return v, "must be true or false"
	case integer:
		if n, ok := wholeNumber(v); ok {
			return n, ""
		}
		return v, "must be a whole number"
	case number, percent:
		return coerceNumber(v, k)
	case list:
		switch v := v.(type) {
		case *value.Dict:
			return v, "must be text or a list"
		case *value.List:
			for _, item := range v.Items {
				if !scalar(item) {
					return item, "must hold text only"
				}
			}
		}
		return v, ""
	case dict:
		if _, ok := v.(*value.Dict); !ok {
			return v, "must be a dict"
		}
	case dicts:
		return coerceDicts(v)
	case sequence:
		if _, ok := v.(*value.List); !ok {
			return v, "must be a list"
		}
	}
	return v, ""
}

func coerceNumber(v any, k kind) (any, string) {
	if s, ok := v.(string); ok && k == percent {
		if n, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64); err == nil {
			return n, ""
		}
		return v, "must be a percentage"
	}
	switch n := v.(type) {
	case int, float64:
		return n, ""
	case string:
		if f, err := strconv.ParseFloat(n, 64); err == nil {
			return f, ""
		}
	}
	if k == percent {
		return v, "must be a percentage"
	}
	return v, "must be a number"
}

func coerceDicts(v any) (any, string) {
	switch v := v.(type) {
	case *value.Dict:
		return v, ""
	case *value.List:
		for _, item := range v.Items {
			switch item.(type) {
			case *value.Dict, *value.Template:
			default:
				return item, "must be a dict or a list of dicts"
			}
		}
		return v, ""
	}
	return v, "must be a dict or a list of dicts"
}

// truth reads what Ansible takes as a truth value.
func truth(v any) (val, ok bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case int:
		return v == 1, v == 0 || v == 1
	case string:
		switch strings.ToLower(v) {
		case "y", "yes", "on", "1", "true", "t":
			return true, true
		case "n", "no", "off", "0", "false", "f":
			return false, true
		}
	}
	return false, false
}

func wholeNumber(v any) (int, bool) {
	switch v := v.(type) {
	case int:
		return v, true
	case string:
		n, err := strconv.Atoi(strings.TrimSpace(v))
		return n, err == nil
	case float64:
		n := int(v)
		return n, float64(n) == v
	}
	return 0, false
}

func scalar(v any) bool {
	switch v.(type) {
	case *value.Dict, *value.List:
		return false
	}
	return true
}

// pyText is a scalar as Python's str() writes it.
func pyText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case bool:
		if v {
			return "True"
		}
		return "False"
	case *value.Template:
		return v.Text
	}
	return fmt.Sprint(v)
}

// describe says what a value is, for messages.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "empty"
	case bool:
		if v {
			return "true"
		}
		return "false"
	case int, float64:
		return fmt.Sprintf("the number %v", v)
	case string:
		return fmt.Sprintf("%q", shorten(v))
	case *value.Template:
		return fmt.Sprintf("%q", shorten(v.Text))
	case *value.Dict:
		return "a dict"
	case *value.List:
		return "a list"
	case *value.Sealed:
		return "a vaulted text"
	}
	return fmt.Sprintf("%v", v)
}

func shorten(s string) string {
	const most = 40
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most]) + "…"
}

// conditions reads when and its like: one or a list.
func (ld *load) conditions(p place, e document.Entry) []Field {
	doc := p.doc
	nodes := []*yaml.Node{e.Val}
	if e.Val.Kind == yaml.SequenceNode {
		nodes = document.Items(e.Val)
	}
	var out []Field
	for _, n := range nodes {
		pos := doc.Pos(n)
		v, err := doc.Value(n)
		if err != nil {
			ld.value(doc, n)
			continue
		}
		switch v := v.(type) {
		case nil:
			continue
		case *value.Dict:
			ld.strict(false, pos, "%s must be a condition or a list of them, not a dict", e.Name).
				hint("a condition with \": \" in it must be quoted")
		case *value.List:
			ld.strict(false, pos, "%s must be a condition or a list of them, not a list in a list", e.Name)
		case *value.Template:
			ld.warn(pos, "%s holds template braces; a condition is an expression already", e.Name).rule(RuleBraces).
				hint("write the expression without {{ }}")
			ld.templates(v)
		case string:
			ld.expression(v, doc.TextPos(n))
		}
		out = append(out, Field{Value: v, Pos: pos, Set: true})
	}
	return out
}

// expression checks the syntax of a bare expression.
func (ld *load) expression(text string, pos diag.Pos) {
	if ld.CheckTemplate == nil || text == "" {
		return
	}
	if e := ld.CheckTemplate(text, pos, true); e != nil {
		ld.Explain(e)
		ld.note(e.WithRule(RuleTemplate))
	}
}

// texts reads one text or a list of texts; each comes as a Field.
func (ld *load) texts(p place, e document.Entry) []Field {
	doc := p.doc
	f := ld.field(p, e, list)
	if !f.Set {
		return nil
	}
	if _, many := f.Value.(*value.List); !many {
		return []Field{f}
	}
	var out []Field
	for _, n := range document.Items(e.Val) {
		v, err := doc.Value(n)
		if err != nil || v == nil {
			continue
		}
		out = append(out, Field{Value: v, Pos: doc.Pos(n), Set: true})
	}
	return out
}

// tagList reads tags: one text, parted by commas, or a list of texts.
func (ld *load) tagList(p place, e document.Entry) []string {
	var out []string
	for _, f := range ld.texts(p, e) {
		if t, late := f.Value.(*value.Template); late {
			out = append(out, t.Text)
			continue
		}
		if e.Val.Kind == yaml.SequenceNode {
			out = append(out, pyText(f.Value))
			continue
		}
		for tag := range strings.SplitSeq(pyText(f.Value), ",") {
			if tag = strings.TrimSpace(tag); tag != "" {
				out = append(out, tag)
			}
		}
	}
	return out
}
