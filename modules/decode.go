package modules

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
)

// decoder turns arguments into a struct and gathers every mistake on the way.
type decoder struct {
	// load: the arguments are as written; what is still to be rendered is unknown and passes.
	load     bool
	unknown  bool // something was
	errs     []*ArgError
	warnings []string
}

func (d *decoder) fail(path []any, key bool, hint, format string, args ...any) {
	d.errs = append(d.errs, &ArgError{Path: slices.Clone(path), Key: key, Hint: hint, Msg: fmt.Sprintf(format, args...)})
}

// pending reports whether a value is still to be rendered or opened.
func (d *decoder) pending(v any) bool {
	if !d.load {
		return false
	}
	switch v.(type) {
	case *value.Template, *value.Sealed:
		d.unknown = true
		return true
	}
	return false
}

// decode fills a new struct of the schema's type.
func (d *decoder) decode(s *schema, args *value.Dict, path []any) reflect.Value {
	out := reflect.New(s.typ).Elem()
	before := len(d.errs)
	given, others := d.match(s, args, path)
	if s.others != nil {
		out.FieldByIndex(s.others).Set(reflect.ValueOf(others))
	}
	for _, f := range s.fields {
		at := append(slices.Clone(path), f.name)
		g, ok := given[f.name]
		if ok {
			at[len(at)-1] = g.key
		}
		switch {
		case ok && g.val != nil && f.late:
			setField(out, f, reflect.ValueOf(g.val))
		case ok && g.val != nil && d.pending(g.val):
		case ok && g.val != nil:
			if v, good := d.value(f, f.typ, g.val, at); good {
				setField(out, f, v)
			}
		case f.required:
			d.errs = append(d.errs, &ArgError{Path: slices.Clone(path), Key: true, Missing: true, Msg: fmt.Sprintf("missing required argument %q", dotted(at))})
		case f.hasDef:
			if v, good := d.value(f, f.typ, f.def, at); good {
				setField(out, f, v)
			}
		}
	}
	d.rules(s, given, path)
	if len(d.errs) > before || d.unknown {
		return out
	}
	d.own(out, path)
	return out
}

// own asks the struct's own rules.
func (d *decoder) own(out reflect.Value, path []any) {
	c, ok := reflect.TypeAssert[checker](out)
	if !ok {
		c, ok = reflect.TypeAssert[checker](out.Addr())
	}
	if !ok {
		return
	}
	err := c.Check()
	if err == nil {
		return
	}
	if one, ok := errors.AsType[*ArgError](err); ok {
		at := *one
		at.Path = append(slices.Clone(path), one.Path...)
		d.errs = append(d.errs, &at)
		return
	}
	d.fail(path, false, "", "%v", err)
}

// setField sets an argument, through embedded structs.
func setField(out reflect.Value, f *field, v reflect.Value) {
	out.FieldByIndex(f.index).Set(v)
}

type givenArg struct {
	key string // as written
	val any
}

// match sorts what was written to the arguments it means. Others are those of no argument's name, where such are allowed.
func (d *decoder) match(s *schema, args *value.Dict, path []any) (given map[string]givenArg, others *value.Dict) {
	given, others = map[string]givenArg{}, value.NewDict()
	names, open := s.names(), s.open
	if k, ok := reflect.TypeAssert[knower](reflect.Zero(s.typ)); ok && open {
		names, open = append(names, k.Knows()...), false
	}
	for k, v := range args.All() {
		name, ok := k.(string)
		if !ok {
			d.fail(append(slices.Clone(path), k), true, "", "argument names are text, not %s", describe(k))
			continue
		}
		f := s.field(name)
		if f == nil && (open || s.open && slices.Contains(names, name)) {
			others.Set(name, v)
			continue
		}
		if f == nil {
			d.fail(append(slices.Clone(path), name), true, nearHint(name, names), "unknown argument %q", name)
			continue
		}
		if old, twice := given[f.name]; twice && old.val != nil {
			d.warnings = append(d.warnings, fmt.Sprintf("Both option %s and its alias %s are set.", f.name, name))
			if name != f.name { // the name itself wins over an alias
				continue
			}
		}
		given[f.name] = givenArg{name, v}
	}
	return given, others
}

// rules checks the groups of exclusive, alternative and joint arguments.
func (d *decoder) rules(s *schema, given map[string]givenArg, path []any) {
	for _, g := range s.groups {
		var known, there, missing []string
		for _, name := range g.names {
			a, ok := given[name]
			switch {
			case !ok || a.val == nil:
				missing = append(missing, name)
			case d.pending(a.val):
				there = append(there, name)
			default:
				there, known = append(there, name), append(known, name)
			}
		}
		kind, _, _ := strings.Cut(g.kind, ":")
		switch {
		case kind == "exclusive" && len(known) > 1:
			d.fail(append(slices.Clone(path), given[known[1]].key), true, "", "arguments are mutually exclusive: %s", strings.Join(g.names, ", "))
		case kind == "oneof" && len(there) == 0:
			d.missing(path, "one of these arguments is required: %s", strings.Join(g.names, ", "))
		case kind == "together" && len(known) > 0 && len(missing) > 0:
			d.missing(path, "arguments are required together: %s", strings.Join(g.names, ", "))
		}
	}
	for _, f := range s.fields {
		if a, ok := given[f.name]; !ok || a.val == nil || d.pending(a.val) {
			continue
		}
		for _, need := range f.needs {
			if a, ok := given[need]; !ok || a.val == nil {
				d.missing(path, "argument %q is required by %q", need, f.name)
			}
		}
	}
}

func (d *decoder) missing(path []any, format string, args ...any) {
	d.errs = append(d.errs, &ArgError{Path: slices.Clone(path), Key: true, Missing: true, Msg: fmt.Sprintf(format, args...)})
}

// dotted writes a path as people do: disks[0].size.
func dotted(path []any) string {
	var b strings.Builder
	for _, p := range path {
		if i, ok := p.(int); ok {
			fmt.Fprintf(&b, "[%d]", i)
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		fmt.Fprint(&b, p)
	}
	return b.String()
}
