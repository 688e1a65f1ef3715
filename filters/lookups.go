package filters

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

// Lookups runs lookup plugins by name. It is safe for concurrent use.
type Lookups struct {
	o     Options
	env   *jinja.Env
	table map[string]lookup
}

// Query is one use of a lookup.
type Query struct {
	// Name is short or fully qualified (ansible.builtin.file).
	Name    string
	Terms   []any
	Options *value.Dict // nil is none
	// Subdir is where first_found searches: "files" when empty.
	Subdir string
}

// request is a Query under way.
type request struct {
	Query
	l     *Lookups
	ctx   context.Context
	scope jinja.Scope
}

// lookup is one plugin.
type lookup func(r *request) ([]any, error)

func lookupTable() map[string]lookup {
	return map[string]lookup{
		"items": lookupItems, "list": lookupList, "dict": lookupDict, "nested": lookupNested, "cartesian": lookupNested,
		"together": lookupTogether, "subelements": lookupSubelements, "indexed_items": lookupIndexed,
		"flattened": lookupFlattened, "random_choice": lookupRandomChoice, "sequence": lookupSequence,
		"file": lookupFile, "unvault": lookupUnvault, "fileglob": lookupFileglob, "first_found": lookupFirstFound,
		"template": lookupTemplate, "csvfile": lookupCSV, "ini": lookupINI, "env": lookupEnv, "pipe": lookupPipe,
		"lines": lookupLines, "url": lookupURL, "vars": lookupVars, "varnames": lookupVarNames, "config": lookupConfig,
		"inventory_hostnames": lookupHostnames, "password": lookupPassword,
	}
}

// shortName strips the collection's name that a lookup of ours may be called with.
func shortName(name string) string {
	for _, collection := range []string{"ansible.builtin.", "ansible.legacy.", "community.general."} {
		if rest, ok := strings.CutPrefix(name, collection); ok {
			return rest
		}
	}
	return name
}

// Has reports whether there is a lookup of that name.
func (l *Lookups) Has(name string) bool { return l.table[shortName(name)] != nil }

// Run gives the values for the terms, as query() does. It may read files, run programs and
// contact servers, as the lookup says.
func (l *Lookups) Run(ctx context.Context, scope jinja.Scope, q Query) (*value.List, error) {
	do := l.table[shortName(q.Name)]
	if do == nil {
		err := fmt.Errorf("lookup plugin (%s) not found", q.Name)
		if near := diag.Near(shortName(q.Name), slices.Sorted(maps.Keys(l.table))); near != "" {
			return nil, diag.Errorf(diag.Pos{}, "%w", err).WithHint("did you mean %s?", near)
		}
		return nil, err
	}
	out, err := do(&request{Query: q, l: l, ctx: ctx, scope: scope})
	if err != nil {
		return nil, err
	}
	return &value.List{Items: out}, nil
}

// register adds the globals lookup, query and q.
func (l *Lookups) register() {
	l.env.AddFunction("lookup", "name, *terms, **options", l.call(false))
	l.env.AddFunction("query", "name, *terms, **options", l.call(true))
	l.env.AddFunction("now", "utc=False, fmt=''", now)
	l.env.AddFunction("undef", "hint=None", undef)
	l.env.AddFunction("q", "name, *terms, **options", l.call(true))
}

// undef is Ansible's global for a value that somebody else must define.
func undef(c *jinja.Call) (any, error) {
	u := &jinja.Undefined{Reason: "Mandatory variable has not been overridden"}
	if c.Args[0] != nil {
		var err error
		if u.Reason, err = c.Text(c.Args[0]); err != nil {
			return nil, err
		}
	}
	return u, nil
}

func (l *Lookups) call(wantList bool) jinja.Func {
	return func(c *jinja.Call) (any, error) {
		volatile(c)
		name, ok := c.Args[0].(string)
		if !ok {
			return nil, value.Errorf(value.TypeError, "%s: the name of the lookup must be text, not %s", c.Name, value.TypeName(c.Args[0]))
		}
		options, onError := value.NewDict(), "strict"
		want := wantList
		for k, v := range c.Kwargs.All() {
			switch k {
			case "wantlist":
				var err error
				if want, err = c.Truth(v); err != nil {
					return nil, err
				}
			case "errors":
				onError, _ = v.(string)
			case "allow_unsafe":
			default:
				options.Set(k, v)
			}
		}
		if len(c.Rest) == 1 { // one list is the terms
			if list, ok := c.Rest[0].(*value.List); ok && flatTerms(name) {
				c.Rest = list.Items
			}
		}
		list, err := l.Run(c.Ctx, c.Caller(), Query{Name: name, Terms: slices.Clone(c.Rest), Options: options})
		if err != nil {
			return l.failed(c.Ctx, name, onError, want, err)
		}
		if want {
			return list, nil
		}
		if keep, ok := c.Caller().(interface{ KeepText() }); ok && shortName(name) == "template" && isFalse(options, "convert_data") {
			keep.KeepText()
		}
		return joined(list), nil
	}
}

// isFalse tells whether an option is given and false.
func isFalse(options *value.Dict, name string) bool {
	v, ok := options.Get(name)
	b, isBool := asBool(v)
	return ok && isBool && !b
}

// flatTerms reports whether a lookup takes text terms, for which Ansible's plugins accept one list of
// them too.
func flatTerms(name string) bool {
	switch shortName(name) {
	case "first_found":
		return true
	}
	return false
}

// failed does what errors= says.
func (l *Lookups) failed(ctx context.Context, name, onError string, want bool, err error) (any, error) {
	_, undefined := errors.AsType[jinja.UndefinedError](err)
	if undefined || !l.Has(name) || ctx.Err() != nil || onError != "warn" && onError != "ignore" {
		return nil, fmt.Errorf("lookup '%s': %w", name, err)
	}
	if onError == "warn" && l.o.Warn != nil {
		l.o.Warn("Lookup failed but the error is being ignored: " + err.Error())
	}
	if want {
		return value.NewList(), nil
	}
	return nil, nil
}

// joined is what lookup() gives: text joined by commas, one other value as it is, several as a list.
func joined(list *value.List) any {
	if list.Len() == 0 {
		return list
	}
	texts := make([]string, 0, list.Len())
	for _, item := range list.Items {
		s, ok := item.(string)
		if !ok {
			if list.Len() == 1 {
				return item
			}
			return list
		}
		texts = append(texts, s)
	}
	return strings.Join(texts, ",")
}

// texts gives the terms, each of which must be text or a number.
func (r *request) texts() ([]string, error) {
	out := make([]string, 0, len(r.Terms))
	for _, t := range r.Terms {
		switch t.(type) {
		case string, value.Markup, int, float64, bool:
		default:
			return nil, value.Errorf(value.TypeError, "a term must be text, not %s", value.TypeName(t))
		}
		s, err := value.Str(t)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// option gives an option, or the default.
func (r *request) option(name string, fallback any) any {
	if v, ok := r.Options.Get(name); ok {
		return v
	}
	return fallback
}

// only complains of options that the lookup does not know.
func (r *request) only(names ...string) error {
	for k := range r.Options.All() {
		if name, ok := k.(string); !ok || !slices.Contains(names, name) {
			return fmt.Errorf("unknown option %v; it takes %s", k, strings.Join(names, ", "))
		}
	}
	return nil
}

func (r *request) textOption(name, fallback string) (string, error) {
	v, ok := r.Options.Get(name)
	if !ok || v == nil {
		return fallback, nil
	}
	return value.Str(v)
}

func (r *request) truthOption(name string, fallback bool) (bool, error) {
	v, ok := r.Options.Get(name)
	if !ok {
		return fallback, nil
	}
	b, ok := asBool(v)
	if !ok {
		return false, fmt.Errorf("%s must be a boolean, not %v", name, v)
	}
	return b, nil
}

// asBool reads a boolean, or a word for one.
func asBool(v any) (b, ok bool) {
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

// variable gives a variable's value; nil when there is none.
func (r *request) variable(name string) (any, error) {
	if r.scope == nil {
		return nil, nil
	}
	v, _, err := r.scope.Lookup(r.ctx, name)
	return v, err
}

// base is the folder that relative paths count from.
func (r *request) base() (string, error) {
	v, err := r.variable("playbook_dir")
	if dir, ok := v.(string); ok && err == nil {
		return dir, nil
	}
	if err != nil {
		return "", err
	}
	if r.l.o.BaseDir != "" {
		return r.l.o.BaseDir, nil
	}
	return os.Getwd()
}
