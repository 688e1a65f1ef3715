package jinja

import (
	"context"

	"github.com/hostlerhq/hostler/jinja/value"
)

// Values of the Scope are shared: between templates, hosts and tasks. A template that may alter one ({% set _ =
// l.append(1) %}) works on deep copies, made once for each name when it is read first.

// mutator tells the methods that alter what they are called on.
func mutator(name string) bool {
	switch name {
	case "append", "extend", "insert", "pop", "remove", "clear", "sort", "reverse", "update", "setdefault", "popitem",
		"__setitem__", "__delitem__":
		return true
	}
	return false
}

// noteCall records whether what is called may alter a value.
func (c *code) noteCall(fn expr) {
	switch x := fn.(type) {
	case *attrExpr:
		c.mutates = c.mutates || mutator(x.name)
	case *itemExpr:
		k, ok := x.key.(*constExpr)
		name, isText := "", false
		if ok {
			name, isText = k.v.(string)
		}
		c.mutates = c.mutates || !ok || isText && mutator(name)
	case *filterExpr: // attr('append')
		c.mutates = true
	}
}

// own gives v, or a copy of it when the rendering may alter it.
func (rt *runtime) own(v any) any {
	if !rt.mutates {
		return v
	}
	return value.DeepCopy(v)
}

// mapped reads an entry of a Mapping.
func (rt *runtime) mapped(m value.Mapping, key any) (any, bool, error) {
	v, found, err := m.Lookup(rt.ctx, key)
	v = rt.own(v)
	if err == nil && rt.mutates {
		err = rt.made(sizeOf(v))
	}
	return v, found, err
}

// read gives a name of the Scope: the value that the template has read already, else the Scope's.
func (sp *namespaceOf) read(ctx context.Context, rt *runtime, name string) (any, bool, error) {
	for id, n := range sp.code.names {
		if n == name && sp.cache[id] != unset {
			return sp.cache[id], true, nil
		}
	}
	if sp.scope == nil {
		return nil, false, nil
	}
	return rt.fromScope(ctx, sp.scope, name)
}

// fromScope reads a name of a scope. What the rendering was given is copied when it may be altered, once for each name:
// included templates and blocks share the copy. The rendering's own frames are read as they are.
func (rt *runtime) fromScope(ctx context.Context, s Scope, name string) (any, bool, error) {
	if !rt.mutates {
		return s.Lookup(ctx, name)
	}
	switch x := s.(type) {
	case emptyScope:
		return nil, false, nil
	case *localScope:
		if x.f.rt == rt {
			return x.Lookup(ctx, name)
		}
	}
	if v, ok := rt.copies[name]; ok {
		return v, true, nil
	}
	v, found, err := s.Lookup(ctx, name)
	if err != nil || !found {
		return v, found, err
	}
	v = rt.own(v)
	rt.given += sizeOf(v)
	if rt.copies == nil {
		rt.copies = map[string]any{}
	}
	rt.copies[name] = v
	return v, true, nil
}
