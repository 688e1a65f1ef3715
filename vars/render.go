package vars

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

// Render gives v with every *value.Template in it rendered and every *value.Sealed
// opened. Dict entries and list items that come to Omit are left out; v itself may come to it. What is
// undefined is an error.
func (s *Scope) Render(ctx context.Context, v any) (any, error) {
	return s.render(ctx, v, false)
}

// Text renders v and gives it as text: nil is "".
func (s *Scope) Text(ctx context.Context, v any) (string, error) {
	v, err := s.Render(ctx, v)
	if err != nil {
		return "", err
	}
	if v == nil {
		return "", nil
	}
	return value.Str(v)
}

// lenient renders a variable's value. What is undefined in it becomes an undefined value, which
// fails only where it is used.
func (s *Scope) lenient(ctx context.Context, v any) (any, error) {
	return s.render(ctx, v, true)
}

func (s *Scope) render(ctx context.Context, v any, lenient bool) (any, error) {
	switch v := v.(type) {
	case *value.Template:
		out, err := s.template(ctx, v)
		if u, ok := undefined(err); ok && lenient {
			return u, nil
		}
		if err == nil && !lenient {
			err = jinja.Defined(out)
		}
		if err != nil {
			return nil, err
		}
		if s.omits {
			out = withoutOmit(out)
		}
		return out, nil
	case *value.Sealed:
		return s.unseal(v)
	case *value.List:
		if !unrendered(v) {
			return v, nil
		}
		return s.list(ctx, v, lenient)
	case *value.Dict:
		if !unrendered(v) {
			return v, nil
		}
		return s.dict(ctx, v, lenient)
	default:
		return v, nil
	}
}

func (s *Scope) list(ctx context.Context, l *value.List, lenient bool) (any, error) {
	out := &value.List{Items: make([]any, 0, len(l.Items))}
	for _, item := range l.Items {
		r, err := s.render(ctx, item, lenient)
		if err != nil {
			return nil, err
		}
		if r != Omit {
			out.Items = append(out.Items, r)
		}
	}
	return out, nil
}

func (s *Scope) dict(ctx context.Context, d *value.Dict, lenient bool) (any, error) {
	out := value.NewDict()
	for k, item := range d.All() {
		if t, ok := k.(*value.Template); ok {
			text, err := s.template(ctx, t)
			if err != nil {
				return nil, err
			}
			k = text
		}
		r, err := s.render(ctx, item, lenient)
		if err != nil {
			return nil, err
		}
		if r != Omit {
			out.Set(k, r)
		}
	}
	return out, nil
}

// withoutOmit leaves the entries of dicts out that an expression made of omit. As in Ansible items of lists stay.
func withoutOmit(v any) any {
	switch v := v.(type) {
	case *value.List:
		for i, item := range v.Items {
			if d, ok := item.(*value.Dict); ok {
				if w := withoutOmit(d); w != item {
					v = &value.List{Items: slices.Clone(v.Items)}
					v.Items[i] = w
				}
			}
		}
		return v
	case *value.Dict:
		out := value.NewDictSize(v.Len())
		same := true
		for k, item := range v.All() {
			if item == Omit || item == omitText {
				same = false
				continue
			}
			w := item
			switch item.(type) {
			case *value.Dict, *value.List:
				w = withoutOmit(item)
				same = same && w == item
			}
			out.Set(k, w)
		}
		if !same {
			return out
		}
	}
	return v
}

// unseal opens a vaulted value. Its errors name the value's place, which is not that of the template that reads it.
func (s *Scope) unseal(v *value.Sealed) (any, error) {
	if s.engine.Unseal == nil {
		return nil, fmt.Errorf("the value at %s is vaulted, and nothing here can open it", v.Pos)
	}
	text, err := s.engine.Unseal(v)
	if d, ok := errors.AsType[*diag.Error](err); ok {
		hint := ""
		if d.Hint != "" {
			hint = " (" + d.Hint + ")"
		}
		return nil, fmt.Errorf("the value at %s: %v%s", v.Pos, d.Err, hint) //nolint:errorlint // d's place is that of no file
	}
	if err != nil {
		return nil, fmt.Errorf("open the value at %s: %w", v.Pos, err)
	}
	return text, nil
}

// template renders one template, in native mode or as ansible-core 2.14 does.
func (s *Scope) template(ctx context.Context, t *value.Template) (any, error) {
	compiled, err := s.engine.Env.TemplateAt(t.Pos, t.Text)
	if err != nil {
		return nil, err
	}
	if !s.engine.Legacy {
		return compiled.Native(ctx, s)
	}
	return s.legacy(ctx, compiled, t)
}

// legacy is ansible-core 2.14 without native types: a template that is nothing but the name of a variable written
// as a boolean, a number or null gives that; text that looks like a list, a dict or a boolean becomes one, unless it
// comes of a filter that makes text on purpose.
func (s *Scope) legacy(ctx context.Context, compiled *jinja.Template, t *value.Template) (any, error) {
	if name, ok := singleName(t.Text); ok {
		raw, found, err := s.raw(ctx, name)
		if err != nil {
			return nil, err
		}
		switch raw.(type) {
		case nil, bool, int, float64, *big.Int, *omit:
			if found {
				s.note(name)
				return raw, nil
			}
		}
	}
	s.keepText = false
	text, err := compiled.Render(ctx, s)
	if err != nil {
		return nil, err
	}
	if text == omitText {
		return Omit, nil
	}
	if s.keepText || makesText(compiled.LastFilter()) {
		return text, nil
	}
	if strings.HasPrefix(text, "[") || strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "{{") || text == "True" || text == "False" {
		if v, ok := value.ParseLooseLiteral(text); ok {
			return v, nil
		}
	}
	return text, nil
}

// makesText tells the filters whose text is never turned into something else (Ansible's string_type_filters).
func makesText(filter string) bool {
	switch strings.TrimPrefix(filter, "ansible.builtin.") {
	case "string", "to_json", "to_nice_json", "to_yaml", "to_nice_yaml", "ppretty", "json":
		return true
	}
	return false
}

// KeepText makes what is being rendered stay text, whatever it looks like: the template lookup with convert_data=False.
func (s *Scope) KeepText() { s.keepText = true }

// singleName gives the variable's name when a template is "{{ name }}".
func singleName(text string) (string, bool) {
	inner, ok := strings.CutPrefix(text, "{{")
	if !ok {
		return "", false
	}
	inner, ok = strings.CutSuffix(inner, "}}")
	if !ok {
		return "", false
	}
	name := strings.TrimSpace(inner)
	return name, isName(name)
}

func isName(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

// Expression evaluates an expression without braces, as in var: of debug.
func (s *Scope) Expression(ctx context.Context, text string, pos diag.Pos) (any, error) {
	compiled, err := s.engine.Env.ExpressionAt(pos, text)
	if err != nil {
		return nil, err
	}
	return compiled.Value(ctx, s)
}

func (s *Scope) condition(ctx context.Context, text string, pos diag.Pos) (any, error) {
	compiled, err := s.engine.Env.ConditionAt(pos, text)
	if err != nil {
		return nil, err
	}
	return compiled.Value(ctx, s)
}

// Condition evaluates a bare expression (when, until, changed_when …). v may also be a boolean or
// another native value, whose truth is Python's; nothing at all holds.
func (s *Scope) Condition(ctx context.Context, v any, pos diag.Pos) (bool, error) {
	shown := v
	if t, ok := v.(*value.Template); ok { // with braces, which Ansible warns of and takes all the same
		shown = t.Text
		var err error
		if v, err = s.template(ctx, t); err != nil {
			return false, conditionError(shown, pos, err)
		}
	}
	text, ok := v.(string)
	if !ok {
		truth, err := value.Truth(v)
		return v == nil || truth, err
	}
	if strings.TrimSpace(text) == "" {
		return true, nil
	}
	out, err := s.condition(ctx, text, pos)
	if err == nil {
		var truth bool
		if truth, err = value.Truth(out); err == nil {
			s.doubt(out, text, pos)
			return truth, nil
		}
	}
	return false, conditionError(shown, pos, err)
}

// doubt warns of a text that counts as true and reads as false: -e x=false gives one.
func (s *Scope) doubt(out any, text string, pos diag.Pos) {
	word, ok := value.AsString(out)
	if !ok || s.engine.Warn == nil {
		return
	}
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "false", "no", "off", "n", "f", "0":
		s.engine.Warn(fmt.Sprintf("%s: the condition %q holds: it is the text %q, and any text but an empty one counts as true; write \"%s | bool\"", pos, text, word, text))
	}
}

func conditionError(shown any, pos diag.Pos, err error) error {
	return &diag.Error{Pos: pos, Err: fmt.Errorf("The conditional check '%v' failed. The error was: %w", shown, err)}
}

// unrendered reports whether a value holds anything still to be rendered.
func unrendered(v any) bool {
	switch v := v.(type) {
	case *value.Template, *value.Sealed:
		return true
	case *omit:
		return false
	case *value.List:
		for _, item := range v.Items {
			if unrendered(item) || item == Omit {
				return true
			}
		}
	case *value.Dict:
		for k, item := range v.All() {
			if _, ok := k.(*value.Template); ok || unrendered(item) || item == Omit {
				return true
			}
		}
	}
	return false
}
