package jinja

import (
	"github.com/hostlerhq/hostler/jinja/value"
)

func (x *constExpr) eval(*frame) (any, error) { return x.v, nil }

func (x *nameExpr) eval(f *frame) (any, error) {
	for _, r := range x.refs {
		fr := f
		for range r.up {
			fr = fr.up
		}
		if v := fr.slots[r.slot]; v != unset {
			return v, nil
		}
	}
	v, missing, err := f.lookup(x.id, x.name, x.pos)
	if err != nil {
		return nil, f.fail(x.pos, err)
	}
	if missing {
		return f.undefined(x.pos, x.name, "'"+x.name+"' is undefined", nil, x.name), nil
	}
	return v, nil
}

func (f *frame) undefined(pos int, name, text string, owner any, key string) *Undefined {
	f.rt.special = true
	return &Undefined{Name: name, Reason: text, place: f.place(pos), rt: f.rt, owner: owner, key: key}
}

// pathOf gives an expression as a path, for messages: vm.disks.
func pathOf(x expr) string {
	switch x := x.(type) {
	case *nameExpr:
		return x.name
	case *attrExpr:
		if p := pathOf(x.x); p != "" {
			return p + "." + x.name
		}
	case *itemExpr:
		if k, ok := x.key.(*constExpr); ok {
			if p := pathOf(x.x); p != "" {
				r, _ := value.Repr(k.v)
				return p + "[" + r + "]"
			}
		}
	}
	return ""
}

func (x *attrExpr) eval(f *frame) (any, error) {
	v, err := x.x.eval(f)
	if err != nil {
		return nil, err
	}
	r, found, err := f.rt.attr(v, x.name)
	if err != nil {
		return nil, f.fail(x.pos, err)
	}
	if found {
		return r, nil
	}
	if u, ok := v.(*Undefined); ok {
		return f.ofUndefined(u)
	}
	return f.undefined(x.pos, pathOf(x), missingAttr(v, x.name), v, x.name), nil
}

// ofUndefined is an attribute or item of an undefined value: itself.
func (f *frame) ofUndefined(u *Undefined) (any, error) {
	if u.lenient() {
		return nil, u.Use() // it may be printed, but has no attributes
	}
	return u, nil
}

func (x *itemExpr) eval(f *frame) (any, error) {
	v, err := x.x.eval(f)
	if err != nil {
		return nil, err
	}
	k, err := x.key.eval(f)
	if err != nil {
		return nil, err
	}
	if u, ok := v.(*Undefined); ok {
		return f.ofUndefined(u)
	}
	r, found, err := f.rt.item(v, k)
	if err != nil {
		return nil, f.fail(x.pos, err)
	}
	if !found {
		key, _ := k.(string)
		return f.undefined(x.pos, pathOf(x), missingItem(v, k), v, key), nil
	}
	return r, nil
}

func (x *sliceExpr) eval(f *frame) (any, error) {
	v, err := x.x.eval(f)
	if err != nil {
		return nil, err
	}
	var bounds [3]any
	for i, b := range [3]expr{x.from, x.to, x.step} {
		if b == nil {
			continue
		}
		if bounds[i], err = b.eval(f); err != nil {
			return nil, err
		}
	}
	if u, ok := v.(*Undefined); ok {
		return f.ofUndefined(u)
	}
	r, found, err := f.rt.slice(v, bounds)
	if err == nil {
		err = f.rt.madeValue(r)
	}
	if err == nil && !found {
		return f.undefined(x.pos, "", objectName(v)+" has no element slice(...)", nil, ""), nil
	}
	return r, f.fail(x.pos, err)
}

func (x *unaryExpr) eval(f *frame) (any, error) {
	v, err := x.x.eval(f)
	if err != nil {
		return nil, err
	}
	r, err := unary(x.op, v)
	return r, f.fail(x.pos, err)
}

func (x *binaryExpr) eval(f *frame) (any, error) {
	a, err := x.a.eval(f)
	if err != nil {
		return nil, err
	}
	kept := len(f.rt.kept)
	f.rt.keep(a)
	b, err := x.b.eval(f)
	if err != nil {
		return nil, err
	}
	f.rt.drop(kept)
	r, err := f.rt.binary(x.op, a, b)
	if err == nil {
		err = f.rt.madeText(r)
	}
	if err != nil {
		return nil, f.fail(x.pos, err)
	}
	return r, nil
}

func (x *compareExpr) eval(f *frame) (any, error) {
	a, err := x.first.eval(f)
	if err != nil {
		return nil, err
	}
	for i := range x.rest {
		o := &x.rest[i]
		b, err := o.x.eval(f)
		if err != nil {
			return nil, err
		}
		ok, err := f.rt.compare(o.op, a, b)
		if err != nil {
			return nil, f.fail(o.pos, err)
		}
		if !ok {
			return false, nil
		}
		a = b
	}
	return true, nil
}

func (rt *runtime) compare(op string, a, b any) (bool, error) {
	switch op {
	case "==":
		return value.Equal(a, b)
	case "!=":
		eq, err := value.Equal(a, b)
		return !eq, err
	case "in":
		return rt.contains(b, a)
	case "not in":
		in, err := rt.contains(b, a)
		return !in, err
	}
	return value.Ordered(op, a, b)
}

func (x *logicExpr) eval(f *frame) (any, error) {
	a, err := x.a.eval(f)
	if err != nil {
		return nil, err
	}
	ok, err := value.Truth(a)
	if err != nil {
		return nil, f.fail(x.a.at(), err)
	}
	if ok == x.or {
		return a, nil
	}
	return x.b.eval(f)
}

func (x *notExpr) eval(f *frame) (any, error) {
	ok, err := f.truth(x.x)
	return !ok, err
}

// truth evaluates a condition.
func (f *frame) truth(x expr) (bool, error) {
	v, err := x.eval(f)
	if err != nil {
		return false, err
	}
	if b, ok := v.(bool); ok {
		return b, nil
	}
	ok, err := value.Truth(v)
	if err != nil {
		return false, f.fail(x.at(), err)
	}
	return ok, nil
}

func (x *concatExpr) eval(f *frame) (any, error) {
	if f.rt.autoescape {
		return x.evalEscaped(f)
	}
	var b []byte
	for _, p := range x.parts {
		f.rt.waiting += len(b)
		v, err := p.eval(f)
		f.rt.waiting -= len(b)
		if err != nil {
			return nil, err
		}
		if s, ok := value.AsString(v); ok && len(b)+len(s) > f.rt.maxOutput {
			return nil, f.fail(p.at(), f.rt.tooBig())
		}
		if b, err = value.AppendStr(b, v, f.rt.maxOutput); err != nil {
			return nil, f.fail(p.at(), err)
		}
		if len(b) > f.rt.maxOutput {
			return nil, f.fail(p.at(), f.rt.tooBig())
		}
	}
	return string(b), f.fail(x.at(), f.rt.made(len(b)))
}

// evalEscaped gives HTML as soon as one part is.
func (x *concatExpr) evalEscaped(f *frame) (any, error) {
	parts, err := f.evalAll(x.parts)
	if err != nil {
		return nil, err
	}
	r, err := f.rt.joinEscaped(parts, "", getter{})
	return r, f.fail(x.at(), err)
}

func (x *condExpr) eval(f *frame) (any, error) {
	ok, err := f.truth(x.test)
	switch {
	case err != nil:
		return nil, err
	case ok:
		return x.then.eval(f)
	case x.other != nil:
		return x.other.eval(f)
	}
	u := f.undefined(x.pos, "", "the inline if-expression evaluated to false and no else section was defined.", nil, "")
	u.soft = true
	return u, nil
}

// evalAll evaluates expressions one after another.
func (f *frame) evalAll(items []expr) ([]any, error) {
	out := make([]any, len(items))
	kept := len(f.rt.kept)
	for i, item := range items {
		var err error
		if out[i], err = item.eval(f); err != nil {
			return nil, err
		}
		f.rt.keep(out[i])
	}
	f.rt.drop(kept)
	if err := f.rt.made(itemSize * len(items)); err != nil {
		return nil, f.fail(items[0].at(), err)
	}
	return out, nil
}

func (x *tupleExpr) eval(f *frame) (any, error) {
	items, err := f.evalAll(x.items)
	return value.Tuple(items), err
}

func (x *listExpr) eval(f *frame) (any, error) {
	items, err := f.evalAll(x.items)
	return &value.List{Items: items}, err
}

func (x *dictExpr) eval(f *frame) (any, error) {
	d := value.NewDictSize(len(x.keys))
	kept := len(f.rt.kept)
	for i := range x.keys {
		k, err := x.keys[i].eval(f)
		if err != nil {
			return nil, err
		}
		if _, ok := k.(string); !ok {
			if err := value.Hashable(k); err != nil {
				return nil, f.fail(x.keys[i].at(), err)
			}
		}
		v, err := x.vals[i].eval(f)
		if err != nil {
			return nil, err
		}
		d.Set(k, v)
		f.rt.keep(v)
	}
	f.rt.drop(kept)
	return d, f.fail(x.pos, f.rt.made(entrySize*d.Len()))
}

func (x *capturedExpr) eval(f *frame) (any, error) { return f.rt.captured, nil }

func (t *nameTarget) assign(f *frame, v any) error {
	f.slots[t.slot] = v
	return nil
}

func (t *tupleTarget) assign(f *frame, v any) error {
	items, err := f.rt.items(v)
	if err != nil {
		if _, undefined := v.(*Undefined); !undefined {
			err = value.Errorf(value.TypeError, "cannot unpack non-iterable %s object", value.TypeName(v))
		}
		return f.fail(t.pos, err)
	}
	switch {
	case len(items) < len(t.items):
		return f.fail(t.pos, value.Errorf(value.ValueError, "not enough values to unpack (expected %d, got %d)", len(t.items), len(items)))
	case len(items) > len(t.items):
		return f.fail(t.pos, value.Errorf(value.ValueError, "too many values to unpack (expected %d)", len(t.items)))
	}
	for i, item := range items {
		if err := t.items[i].assign(f, item); err != nil {
			return err
		}
	}
	return nil
}

func (t *attrTarget) assign(f *frame, v any) error {
	ns, err := t.ns.eval(f)
	if err != nil {
		return err
	}
	n, ok := ns.(*namespace)
	if !ok {
		return f.fail(t.pos, value.Errorf(value.TypeError, "cannot assign attribute on non-namespace object"))
	}
	n.d.Set(t.name, v)
	return nil
}
