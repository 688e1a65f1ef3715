package value

import (
	"iter"
	"slices"
)

// scanLimit is the size up to which a Dict is searched one by one, which is as quick as a
// map and much smaller.
const scanLimit = 8

type entry struct{ key, val any }

// Dict is Python's dict: it keeps the order of insertion, and its keys are
// equal as in Python (1, 1.0 and True are one key; tuples are equal by their items).
// A list or dict as a key is found by identity only: ask Hashable first.
type Dict struct {
	entries []entry
	text    map[string]int // places of string keys; nil up to scanLimit entries
	other   map[any]int    // places of other keys by hashKey; nil up to scanLimit entries
}

// NewDict makes a dict from key, value, key, value ….
func NewDict(pairs ...any) *Dict {
	d := &Dict{}
	if n := len(pairs) / 2; n > 0 {
		d.entries = make([]entry, 0, n)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		d.Set(pairs[i], pairs[i+1])
	}
	return d
}

// NewDictSize makes an empty dict with room for n entries.
func NewDictSize(n int) *Dict {
	return &Dict{entries: make([]entry, 0, n)}
}

// Len gives the number of entries; a nil dict has none.
func (d *Dict) Len() int {
	if d == nil {
		return 0
	}
	return len(d.entries)
}

func (d *Dict) find(key any) int {
	switch k := key.(type) {
	case string:
		return d.findText(k)
	case Markup:
		return d.findText(string(k))
	}
	h := hashKey(key)
	if d.text == nil {
		for i := range d.entries {
			if _, isText := d.entries[i].key.(string); !isText && hashKey(d.entries[i].key) == h {
				return i
			}
		}
		return -1
	}
	if i, ok := d.other[h]; ok {
		return i
	}
	return -1
}

func (d *Dict) findText(key string) int {
	if d.text == nil {
		for i := range d.entries {
			if s, ok := d.entries[i].key.(string); ok && s == key {
				return i
			}
		}
		return -1
	}
	if i, ok := d.text[key]; ok {
		return i
	}
	return -1
}

// Get looks a key up; a nil dict has none.
func (d *Dict) Get(key any) (any, bool) {
	if d == nil {
		return nil, false
	}
	if i := d.find(key); i >= 0 {
		return d.entries[i].val, true
	}
	return nil, false
}

// GetText is Get for a key that is text; it makes no value of it.
func (d *Dict) GetText(key string) (any, bool) {
	if d == nil {
		return nil, false
	}
	if i := d.findText(key); i >= 0 {
		return d.entries[i].val, true
	}
	return nil, false
}

// Str gives the entry of a key when it is a string, else "".
func (d *Dict) Str(key string) string {
	v, _ := d.GetText(key)
	s, _ := v.(string)
	return s
}

// Set adds or replaces an entry; a replaced one keeps its place.
func (d *Dict) Set(key, v any) {
	if m, ok := key.(Markup); ok {
		key = string(m)
	}
	if i := d.find(key); i >= 0 {
		d.entries[i].val = v
		return
	}
	d.entries = append(d.entries, entry{key, v})
	switch {
	case d.text != nil:
		d.note(len(d.entries) - 1)
	case len(d.entries) > scanLimit:
		d.reindex()
	}
}

func (d *Dict) note(at int) {
	if s, ok := d.entries[at].key.(string); ok {
		d.text[s] = at
		return
	}
	if d.other == nil {
		d.other = make(map[any]int)
	}
	d.other[hashKey(d.entries[at].key)] = at
}

func (d *Dict) reindex() {
	if len(d.entries) <= scanLimit {
		d.text, d.other = nil, nil
		return
	}
	d.text, d.other = make(map[string]int, len(d.entries)), nil
	for i := range d.entries {
		d.note(i)
	}
}

// Delete removes an entry and reports whether there was one. It takes time in
// proportion to the entries behind it.
func (d *Dict) Delete(key any) bool {
	if d == nil {
		return false
	}
	at := d.find(key)
	if at < 0 {
		return false
	}
	if d.text != nil {
		if s, ok := d.entries[at].key.(string); ok {
			delete(d.text, s)
		} else {
			delete(d.other, hashKey(d.entries[at].key))
		}
	}
	d.entries = slices.Delete(d.entries, at, at+1)
	if d.text != nil {
		for i := at; i < len(d.entries); i++ {
			d.note(i)
		}
	}
	return true
}

// Clear removes all entries.
func (d *Dict) Clear() { *d = Dict{} }

// All iterates in the order of insertion. Changing values is allowed meanwhile; adding or
// removing entries is not.
func (d *Dict) All() iter.Seq2[any, any] {
	return func(yield func(any, any) bool) {
		if d == nil {
			return
		}
		for _, e := range d.entries {
			if !yield(e.key, e.val) {
				return
			}
		}
	}
}

// At gives the entry at place i in the order of insertion.
func (d *Dict) At(i int) (key, v any) { return d.entries[i].key, d.entries[i].val }

// Keys gives the keys in order.
func (d *Dict) Keys() []any {
	if d == nil {
		return nil
	}
	keys := make([]any, len(d.entries))
	for i, e := range d.entries {
		keys[i] = e.key
	}
	return keys
}

// Values gives the values in order.
func (d *Dict) Values() []any {
	if d == nil {
		return nil
	}
	vals := make([]any, len(d.entries))
	for i, e := range d.entries {
		vals[i] = e.val
	}
	return vals
}

// Copy gives a dict with the same entries.
func (d *Dict) Copy() *Dict {
	c := NewDictSize(d.Len())
	if d != nil {
		c.entries = append(c.entries, d.entries...)
		c.reindex()
	}
	return c
}

// Update sets all entries of other.
func (d *Dict) Update(other *Dict) {
	for k, v := range other.All() {
		d.Set(k, v)
	}
}
