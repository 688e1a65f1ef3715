package vars

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

// Scope is the variables of one host and task. It remembers what it rendered, so
// make a new one for the next task. It is for one goroutine at a time.
type Scope struct {
	engine *Engine
	layers []Layer // highest level first; of equals the later given first
	added  []Layer // those of them that With added to parent's
	parent *Scope
	memory map[string]*remembered
	stack  []frame // what is being rendered, outermost first
	spare  store
	omits  bool // omit was read
	// keepText is set by what was rendered last when its text must not become anything else.
	keepText bool
}

// remembered is a variable once rendered.
type remembered struct {
	v     any
	needs []string // the other names that it reads itself; what those need stands with them
}

// frame is one variable being rendered.
type frame struct {
	name     string
	raw      any
	needs    []string
	volatile bool
}

// store is room for what a scope remembers, got many at a time.
type store struct {
	entries []remembered
	names   []string
}

// storeSize is how many variables of a host one task reads, more or less.
const storeSize = 32

// keep gives an entry of its own with a copy of the needs.
func (st *store) keep(v any, needs []string) *remembered {
	if len(st.entries) == 0 {
		st.entries = make([]remembered, storeSize)
	}
	if free := cap(st.names) - len(st.names); free < len(needs) {
		st.names = make([]string, 0, max(2*storeSize, len(needs)))
	}
	from := len(st.names)
	st.names = append(st.names, needs...)
	r := &st.entries[0]
	st.entries = st.entries[1:]
	r.v, r.needs = v, st.names[from:len(st.names):len(st.names)]
	return r
}

// Scope makes one from layers in any order; among equal levels the later wins.
func (e *Engine) Scope(layers ...Layer) *Scope {
	return &Scope{engine: e, layers: ordered(layers)}
}

func ordered(layers []Layer) []Layer {
	sorted := slices.Clone(layers)
	slices.Reverse(sorted)
	slices.SortStableFunc(sorted, func(a, b Layer) int { return cmp.Compare(b.Level, a.Level) })
	return sorted
}

// With gives a scope with further layers (a loop's item, a task's vars). It shares what s
// remembers, and later comes to remember, of variables that the new layers do not touch.
func (s *Scope) With(layers ...Layer) *Scope {
	all := slices.Clone(s.layers)
	slices.Reverse(all)
	return &Scope{engine: s.engine, layers: ordered(append(all, layers...)), added: layers, parent: s}
}

// Sealed reports whether a variable, or an entry of one (a.b), is written as a vaulted value.
func (s *Scope) Sealed(ctx context.Context, path string) (bool, error) {
	name, rest, more := strings.Cut(path, ".")
	v, _, err := s.raw(ctx, name)
	for more && err == nil {
		name, rest, more = strings.Cut(rest, ".")
		d, _ := v.(*value.Dict)
		v, _ = d.GetText(name)
	}
	_, sealed := v.(*value.Sealed)
	return sealed, err
}

// Layers gives the layers that define a name, the winning one first, each with its value as
// written.
func (s *Scope) Layers(ctx context.Context, name string) ([]Layer, []any, error) {
	var layers []Layer
	var values []any
	for i := range s.layers {
		v, ok, err := s.layers[i].get(ctx, name)
		if err != nil {
			return nil, nil, err
		}
		if ok {
			layers, values = append(layers, s.layers[i]), append(values, v)
		}
	}
	return layers, values, nil
}

// Names gives every name that a layer with a Dict defines, sorted.
func (s *Scope) Names() []string {
	seen := map[string]struct{}{}
	for i := range s.layers {
		for k := range s.layers[i].Vars.All() {
			if name, ok := k.(string); ok {
				seen[name] = struct{}{}
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// Volatile tells that what is being rendered must not be remembered, since it gives another
// value each time: lookups, random, now. Filters and functions call it.
func (s *Scope) Volatile() {
	for i := range s.stack {
		s.stack[i].volatile = true
	}
}

// Lookup implements jinja.Scope: the rendered value of a variable. A variable whose own
// template needs an undefined one is itself undefined, with the reason in it.
func (s *Scope) Lookup(ctx context.Context, name string) (any, bool, error) {
	s.note(name)
	if r, ok := s.recall(name); ok {
		return r.v, true, nil
	}
	raw, found, err := s.raw(ctx, name)
	if err != nil || !found {
		return nil, found, err
	}
	if raw == Omit {
		s.omits = true
	}
	if !unrendered(raw) {
		return raw, true, nil
	}
	if err := s.cycle(name); err != nil {
		return nil, false, err
	}
	s.push(name, raw)
	v, err := s.lenient(ctx, raw)
	f := &s.stack[len(s.stack)-1]
	s.stack = s.stack[:len(s.stack)-1]
	if err != nil {
		return nil, false, fmt.Errorf("variable %q: %w", name, err)
	}
	if !f.volatile {
		s.remember(name, s.spare.keep(v, f.needs))
	}
	return v, true, nil
}

// push notes that a variable is being rendered. Its frame keeps the room for needs of the one that was there before.
func (s *Scope) push(name string, raw any) {
	n := len(s.stack)
	if n < cap(s.stack) {
		s.stack = s.stack[:n+1]
		s.stack[n] = frame{name: name, raw: raw, needs: s.stack[n].needs[:0]}
		return
	}
	s.stack = append(s.stack, frame{name: name, raw: raw, needs: make([]string, 0, 4)})
}

// raw finds the value as written, merged over the levels where hash_behaviour says so.
func (s *Scope) raw(ctx context.Context, name string) (any, bool, error) {
	var merged *value.Dict
	for i := range s.layers {
		v, ok, err := s.layers[i].get(ctx, name)
		if err != nil {
			return nil, false, err
		}
		if !ok {
			continue
		}
		d, isDict := v.(*value.Dict)
		if !s.engine.MergeHashes || !isDict {
			if merged != nil {
				break // a lower level with something else than a dict is hidden
			}
			return v, true, nil
		}
		if merged == nil {
			merged = d
			continue
		}
		merged = Merge(d, merged)
	}
	if merged == nil {
		return nil, false, nil
	}
	return merged, true, nil
}

// Merge gives low with high's entries over it, dicts within dicts merged too. It alters neither.
func Merge(low, high *value.Dict) *value.Dict {
	out := value.NewDict()
	for k, v := range low.All() {
		out.Set(k, v)
	}
	for k, v := range high.All() {
		if under, ok := out.Get(k); ok {
			a, isA := under.(*value.Dict)
			b, isB := v.(*value.Dict)
			if isA && isB {
				v = Merge(a, b)
			}
		}
		out.Set(k, v)
	}
	return out
}

// recall finds what this scope, or a scope below whose view of the name is the same, remembers.
func (s *Scope) recall(name string) (*remembered, bool) {
	if r, ok := s.memory[name]; ok {
		return r, true
	}
	if s.parent == nil {
		return nil, false
	}
	r, ok := s.parent.recall(name)
	if !ok || s.touches(name, r.needs) {
		return nil, false
	}
	return r, true
}

// remember keeps an outcome in the lowest scope for which it holds.
func (s *Scope) remember(name string, r *remembered) {
	for s.parent != nil && !s.touches(name, r.needs) {
		s = s.parent
	}
	if s.memory == nil {
		s.memory = make(map[string]*remembered, storeSize)
	}
	s.memory[name] = r
}

// touches reports whether a layer that With added may define the name or one that it needs, be it through others.
func (s *Scope) touches(name string, needs []string) bool {
	for i := range s.added {
		if s.added[i].Lookup != nil {
			return true
		}
	}
	return s.reaches(name, needs, map[string]struct{}{})
}

// reaches follows the needs. What this scope remembers itself is touched, else a scope below would remember it.
func (s *Scope) reaches(name string, needs []string, seen map[string]struct{}) bool {
	if _, ok := seen[name]; ok {
		return false
	}
	seen[name] = struct{}{}
	if _, own := s.memory[name]; own {
		return true
	}
	for i := range s.added {
		if _, ok := s.added[i].Vars.GetText(name); ok {
			return true
		}
	}
	for _, need := range needs {
		var further []string
		if r := s.parent.find(need); r != nil {
			further = r.needs
		}
		if s.reaches(need, further, seen) {
			return true
		}
	}
	return false
}

// find gives what the scope or one below it remembers of a name, whether it holds here or not.
func (s *Scope) find(name string) *remembered {
	for ; s != nil; s = s.parent {
		if r, ok := s.memory[name]; ok {
			return r
		}
	}
	return nil
}

// note records that what is being rendered needs a name.
func (s *Scope) note(name string) {
	if n := len(s.stack); n > 0 {
		if f := &s.stack[n-1]; !slices.Contains(f.needs, name) {
			f.needs = append(f.needs, name)
		}
	}
}

// cycle reports a variable that needs itself, with the chain of names.
func (s *Scope) cycle(name string) error {
	for i := range s.stack {
		if s.stack[i].name != name {
			continue
		}
		chain := make([]string, 0, len(s.stack)-i+1)
		for _, f := range s.stack[i:] {
			chain = append(chain, f.name)
		}
		chain = append(chain, name)
		return diag.Errorf(place(s.stack[i].raw), "recursive loop detected in variable %q: %s", name, strings.Join(chain, " → ")).
			WithHint("one of these must not be defined by the others")
	}
	return nil
}

// place gives where the first template in a value stands.
func place(v any) diag.Pos {
	switch v := v.(type) {
	case *value.Template:
		return v.Pos
	case *value.Sealed:
		return v.Pos
	case *value.List:
		for _, item := range v.Items {
			if p := place(item); !p.IsZero() {
				return p
			}
		}
	case *value.Dict:
		for _, item := range v.All() {
			if p := place(item); !p.IsZero() {
				return p
			}
		}
	}
	return diag.Pos{}
}

// undefined gives the undefined value that an error of the template engine is about.
func undefined(err error) (*jinja.Undefined, bool) {
	if err == nil {
		return nil, false
	}
	var u jinja.UndefinedError
	if !errors.As(err, &u) {
		return nil, false
	}
	return u.Undefined(), true
}

// Added gives the layers that With added since the scope was first made, the earliest first.
func (s *Scope) Added() []Layer {
	if s.parent == nil {
		return nil
	}
	return append(s.parent.Added(), s.added...)
}
