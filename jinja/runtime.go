package jinja

import (
	"cmp"
	"context"

	"github.com/hostlerhq/hostler/jinja/value"
)

// runtime is one rendering.
type runtime struct {
	ctx   context.Context
	env   *Env
	opts  *Options
	scope Scope
	out   output
	chain []step
	loops int // loop steps so far
	// special is set once a value was made that must not leave the template as it is, or a container was
	// changed and so may contain itself.
	special    bool
	mutates    bool           // values of the Scope are copied before they are used
	copies     map[string]any // by name, of what the Scope gave
	autoescape bool
	captured   any   // the text a filter block or set block is about
	stack      []any // arguments of the calls under way
	calls      []*Call
	inUse      int  // of calls
	operand    expr // what the test under way is about
	maxOutput  int
	frames     []*frame // under way
	kept       []any    // see keep
	fresh      int      // bytes made since the last measure
	total      int      // bytes made up to the last measure
	given      int      // bytes of copies of what the Scope gave
	waiting    int      // bytes of texts under way
}

// step is a macro call, include or the like that is under way.
type step struct {
	what string
	from place
	// frames were under way before it.
	frames int
}

const (
	defaultMaxOutput = 16 << 20
	defaultMaxSteps  = 10_000_000
	defaultMaxDepth  = 200
)

func newRuntime(ctx context.Context, e *Env, o *Options, s Scope) *runtime {
	rt := &runtime{ctx: ctx, env: e, opts: o, scope: s, maxOutput: cmp.Or(o.MaxOutput, defaultMaxOutput)}
	rt.out.rt = rt
	return rt
}

// enter begins a macro call, include or block.
func (rt *runtime) enter(what string, from place) error {
	if len(rt.chain) >= cmp.Or(rt.opts.MaxDepth, defaultMaxDepth) {
		return value.Errorf(value.RecursionError, "%s: more than %d calls deep", what, len(rt.chain))
	}
	if err := rt.ctx.Err(); err != nil {
		return err
	}
	rt.chain = append(rt.chain, step{what, from, len(rt.frames)})
	return nil
}

func (rt *runtime) leave() {
	last := len(rt.chain) - 1
	clear(rt.frames[rt.chain[last].frames:])
	rt.frames = rt.frames[:rt.chain[last].frames]
	rt.chain = rt.chain[:last]
}

// looped counts a step of a loop.
func (rt *runtime) looped() error {
	rt.loops++
	if rt.loops&255 == 0 {
		if err := rt.ctx.Err(); err != nil {
			return err
		}
		if rt.loops > cmp.Or(rt.opts.MaxSteps, defaultMaxSteps) {
			return value.Errorf(value.LimitError, "more than %d loop steps", rt.loops-1)
		}
	}
	return nil
}

// candidates are the names that something missing may have been meant to be.
func (rt *runtime) candidates(owner any) []string {
	var names []string
	switch o := owner.(type) {
	case *value.Dict:
		for _, k := range o.Keys() {
			if s, ok := k.(string); ok {
				names = append(names, s)
			}
		}
	case *module:
		names = o.names()
	case nil:
		if n, ok := rt.scope.(interface{ Names() []string }); ok {
			names = n.Names()
		}
	}
	return names
}

// output gathers what a template prints: text, or in native mode values.
type output struct {
	rt     *runtime
	b      []byte
	native bool
	parts  []any
	held   int // captures under way, which keep their parts as they are up to their end
}

func (o *output) text(s string) error {
	if o.native {
		return o.part(s)
	}
	if len(o.b)+len(s) > o.rt.maxOutput {
		return o.rt.tooBig()
	}
	o.b = append(o.b, s...)
	return nil
}

func (rt *runtime) tooBig() error {
	return value.Errorf(value.LimitError, "output grows past %d bytes", rt.maxOutput)
}

func (o *output) value(v any) error {
	if o.rt.autoescape {
		m, err := o.rt.escape(v)
		if err != nil {
			return err
		}
		v = m
	}
	if o.native {
		if u, ok := v.(*Undefined); ok && !u.lenient() {
			return u.Use()
		}
		return o.part(v)
	}
	if v == nil && o.rt.opts.NoneEmpty {
		return nil
	}
	b, err := value.AppendStr(o.b, v, o.rt.maxOutput)
	if err != nil {
		return err
	}
	if len(b) > o.rt.maxOutput {
		return o.rt.tooBig()
	}
	o.b = b
	return nil
}

// part keeps a native part. Outside of macros and blocks that set or filter, parts become text at once from the second on,
// as in Python: what changes later does not change what was printed.
func (o *output) part(v any) error {
	if len(o.parts) >= maxItems {
		return o.rt.tooMany(len(o.parts) + 1)
	}
	o.parts = append(o.parts, v)
	if len(o.parts) < 2 || o.held > 0 {
		return nil
	}
	from := len(o.parts) - 1
	if from == 1 {
		from = 0
	}
	for i := from; i < len(o.parts); i++ {
		if o.parts[i] == nil && o.rt.opts.NoneEmpty {
			o.parts[i] = ""
			continue
		}
		s, err := o.rt.str(o.parts[i])
		if err != nil {
			return err
		}
		o.parts[i] = s
	}
	return nil
}

// capture gives the text that do prints.
func (rt *runtime) capture(do func() error) (any, error) {
	if rt.out.native {
		return rt.captureNative(do)
	}
	mark := len(rt.out.b)
	if err := do(); err != nil {
		return nil, err
	}
	s := string(rt.out.b[mark:])
	rt.out.b = rt.out.b[:mark]
	if err := rt.made(len(s)); err != nil {
		return nil, err
	}
	if rt.autoescape {
		return Markup(s), nil
	}
	return s, nil
}

// captureNative is capture where parts stay values: a macro that prints one value gives that value.
func (rt *runtime) captureNative(do func() error) (any, error) {
	outer := rt.out.parts
	rt.out.parts = nil
	rt.out.held++
	err := do()
	rt.out.held--
	parts := rt.out.parts
	rt.out.parts = outer
	if err != nil {
		return nil, err
	}
	v, err := rt.combine(parts)
	if err == nil {
		err = rt.madeValue(v)
	}
	return v, err
}

// nativeResult makes one value of the parts printed.
func (rt *runtime) nativeResult() (any, error) {
	v, err := rt.combine(rt.out.parts)
	if err != nil {
		return nil, err
	}
	return rt.finalize(v)
}

// combine makes one value of parts: none gives None, one itself, more their text.
func (rt *runtime) combine(parts []any) (any, error) {
	if len(parts) == 0 {
		return nil, nil
	}
	v := parts[0]
	if len(parts) > 1 {
		var b []byte
		for _, p := range parts {
			if p == nil && rt.opts.NoneEmpty {
				continue
			}
			var err error
			if b, err = value.AppendStr(b, p, rt.maxOutput); err != nil {
				return nil, err
			}
			if len(b) > rt.maxOutput {
				return nil, rt.tooBig()
			}
		}
		v = string(b)
	}
	return rt.literal(v), nil
}

// finalize makes a value fit to leave the template: undefined values in it are errors, views and
// ranges become lists.
func (rt *runtime) finalize(v any) (any, error) {
	if u, ok := v.(*Undefined); ok {
		if u.lenient() {
			return "", nil
		}
		return nil, u.Use()
	}
	if m, ok := v.(Markup); ok {
		return string(m), nil
	}
	if !rt.special {
		return v, nil
	}
	return rt.finalizeDeep(v, 0)
}

func (rt *runtime) finalizeDeep(v any, depth int) (any, error) {
	if depth > deepest {
		return nil, value.Errorf(value.RecursionError, "the value contains itself or nests too deeply")
	}
	if err := rt.looped(); err != nil {
		return nil, err
	}
	switch x := v.(type) {
	case *Undefined:
		if x.lenient() {
			return "", nil
		}
		return nil, x.Use()
	case Markup:
		return string(x), nil
	case *value.List:
		items, changed, err := rt.finalizeItems(x.Items, depth)
		if changed {
			return &value.List{Items: items}, err
		}
		return v, err
	case value.Tuple:
		items, _, err := rt.finalizeItems(x, depth)
		return value.Tuple(items), err
	case *value.Dict:
		var out *value.Dict
		for k, item := range x.All() {
			w, err := rt.finalizeDeep(item, depth+1)
			if err != nil {
				return nil, err
			}
			if out == nil && !same(w, item) {
				out = x.Copy()
			}
			if out != nil {
				out.Set(k, w)
			}
		}
		if out != nil {
			return out, nil
		}
	case *groupTuple:
		return rt.finalizeDeep(x.Tuple(), depth+1)
	case *dictView, rangeValue:
		items, err := rt.items(v)
		if err != nil {
			return nil, err
		}
		return rt.finalizeDeep(&value.List{Items: items}, depth+1)
	}
	return v, nil
}

func (rt *runtime) finalizeItems(items []any, depth int) ([]any, bool, error) {
	out := items
	changed := false
	for i, item := range items {
		w, err := rt.finalizeDeep(item, depth+1)
		if err != nil {
			return nil, false, err
		}
		if !changed && !same(w, item) {
			changed = true
			out = append([]any(nil), items...)
		}
		if changed {
			out[i] = w
		}
	}
	return out, changed, nil
}

// same is identity for values that finalizeDeep may replace.
func same(a, b any) bool {
	switch x := a.(type) {
	case *value.List:
		y, ok := b.(*value.List)
		return ok && x == y
	case *value.Dict:
		y, ok := b.(*value.Dict)
		return ok && x == y
	}
	switch a.(type) {
	case value.Tuple:
		return false
	}
	switch b.(type) {
	case *Undefined, Markup, *dictView, rangeValue, *groupTuple, value.Tuple, *value.List, *value.Dict:
		return false
	}
	return true
}
