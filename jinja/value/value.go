// Package value holds the values that templates, variables, module arguments
// and results are made of, with Python's meaning.
//
// A value is an any holding one of: nil (None), bool, int, *big.Int (an integer
// too large for int), float64, string, Bytes, *List, *Dict, Tuple, and while a
// template runs also undefined values, functions and the like of package jinja.
// What is written in files may also hold *Template (text still to be
// rendered) and *Sealed (vaulted text still to be opened); neither ever comes
// out of rendering.
package value

import (
	"iter"

	"github.com/hostlerhq/hostler/internal/diag"
)

// Template is text with Jinja in it, as read from a file; rendering replaces
// it by its result. A string that is not a Template is never rendered: facts,
// registered results and !unsafe text are plain strings.
type Template struct {
	Text string
	Pos  diag.Pos
}

// Sealed is a !vault value still to be opened.
type Sealed struct {
	Text string
	Pos  diag.Pos
}

// Bytes is Python's bytes.
type Bytes []byte

// Tuple is Python's tuple. It is a slice and so must not be used as a Dict key
// directly; Dict handles tuple keys itself.
type Tuple []any

// List is Python's list: a reference, so that append is seen by all who hold it.
type List struct{ Items []any }

// NewList makes a list of the items; it keeps the slice.
func NewList(items ...any) *List { return &List{Items: items} }

// Len gives the number of items.
func (l *List) Len() int { return len(l.Items) }

// Append adds items at the end.
func (l *List) Append(items ...any) { l.Items = append(l.Items, items...) }

// Dict is Python's dict: it keeps the order of insertion, and its keys are
// equal as in Python (1, 1.0 and True are one key).
type Dict struct {
	keys  []any
	index map[any]int
	vals  []any
}

// NewDict makes a dict from key, value, key, value ….
func NewDict(pairs ...any) *Dict {
	d := &Dict{index: make(map[any]int, len(pairs)/2)}
	for i := 0; i+1 < len(pairs); i += 2 {
		d.Set(pairs[i], pairs[i+1])
	}
	return d
}

// Len gives the number of entries; a nil dict has none.
func (d *Dict) Len() int {
	if d == nil {
		return 0
	}
	return len(d.keys)
}

// Get looks a key up; a nil dict has none.
func (d *Dict) Get(key any) (any, bool) {
	if d == nil {
		return nil, false
	}
	i, ok := d.index[hashKey(key)]
	if !ok {
		return nil, false
	}
	return d.vals[i], true
}

// Str gives the entry of a key when it is a string, else "".
func (d *Dict) Str(key string) string {
	v, _ := d.Get(key)
	s, _ := v.(string)
	return s
}

// Set adds or replaces an entry; a replaced one keeps its place.
func (d *Dict) Set(key, v any) {
	h := hashKey(key)
	if i, ok := d.index[h]; ok {
		d.vals[i] = v
		return
	}
	if d.index == nil {
		d.index = make(map[any]int)
	}
	d.index[h] = len(d.keys)
	d.keys = append(d.keys, key)
	d.vals = append(d.vals, v)
}

// Delete removes an entry and reports whether there was one.
func (d *Dict) Delete(key any) bool {
	if d == nil {
		return false
	}
	h := hashKey(key)
	at, ok := d.index[h]
	if !ok {
		return false
	}
	delete(d.index, h)
	d.keys = append(d.keys[:at:at], d.keys[at+1:]...)
	d.vals = append(d.vals[:at:at], d.vals[at+1:]...)
	for k, i := range d.index {
		if i > at {
			d.index[k] = i - 1
		}
	}
	return true
}

// All iterates in the order of insertion.
func (d *Dict) All() iter.Seq2[any, any] {
	return func(yield func(any, any) bool) {
		if d == nil {
			return
		}
		for i, k := range d.keys {
			if !yield(k, d.vals[i]) {
				return
			}
		}
	}
}

// Keys gives the keys in order.
func (d *Dict) Keys() []any {
	if d == nil {
		return nil
	}
	return append([]any(nil), d.keys...)
}

// HashKey maps keys that Python holds equal (1, 1.0 and True) to one Go key.
func HashKey(key any) any { return hashKey(key) }

// hashKey maps keys that Python holds equal to one Go key.
func hashKey(key any) any {
	switch k := key.(type) {
	case bool:
		if k {
			return 1
		}
		return 0
	case float64:
		if i := int(k); float64(i) == k {
			return i
		}
		return k
	default:
		return key
	}
}
