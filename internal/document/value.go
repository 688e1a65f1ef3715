package document

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
	"gopkg.in/yaml.v3"
)

// Value turns a node into a value: mappings become *value.Dict, sequences
// *value.List, strings with Jinja in them *value.Template with their place,
// !vault *value.Sealed, !unsafe a plain string. Keys are never templates. A
// node used through several aliases becomes one value, shared, as in Python.
// A nil node is nil.
func (d Document) Value(n *yaml.Node) (any, error) {
	b := builder{doc: d}
	return b.value(n, false)
}

// HasTemplate reports whether text holds Jinja: an expression, a statement or a comment.
func HasTemplate(text string) bool {
	for i := strings.IndexByte(text, '{'); i >= 0 && i+1 < len(text); {
		switch text[i+1] {
		case '{', '%', '#':
			return true
		}
		next := strings.IndexByte(text[i+1:], '{')
		if next < 0 {
			return false
		}
		i += 1 + next
	}
	return false
}

// builder makes values of nodes and remembers those that aliases share.
type builder struct {
	doc    Document
	shared map[*yaml.Node]any
}

func (b *builder) value(n *yaml.Node, unsafe bool) (any, error) {
	if n == nil {
		return nil, nil
	}
	if n.Kind == yaml.AliasNode {
		return b.value(n.Alias, unsafe)
	}
	if n.Anchor != "" && !unsafe {
		if v, ok := b.shared[n]; ok {
			return v, nil
		}
		v, err := b.build(n, unsafe)
		if err != nil {
			return nil, err
		}
		if b.shared == nil {
			b.shared = map[*yaml.Node]any{}
		}
		b.shared[n] = v
		return v, nil
	}
	return b.build(n, unsafe)
}

func (b *builder) build(n *yaml.Node, unsafe bool) (any, error) {
	tag, err := tagOf(n)
	if err != nil {
		return nil, b.fail(n, err)
	}
	if tag == tagUnsafe {
		unsafe = true
	}
	switch n.Kind {
	case yaml.ScalarNode:
		return b.scalar(n, tag, unsafe)
	case yaml.SequenceNode:
		items := make([]any, len(n.Content))
		for i, c := range n.Content {
			if items[i], err = b.value(c, unsafe); err != nil {
				return nil, err
			}
		}
		return value.NewList(items...), nil
	case yaml.MappingNode:
		return b.mapping(n, unsafe)
	}
	return nil, b.fail(n, fmt.Errorf("unexpected kind of YAML node %d", n.Kind))
}

func (b *builder) mapping(n *yaml.Node, unsafe bool) (any, error) {
	pairs, err := flatten(n)
	if err != nil {
		return nil, err
	}
	dict := value.NewDict()
	for _, p := range pairs {
		k, err := keyOf(p.key)
		if err != nil {
			return nil, b.fail(p.key, err)
		}
		v, err := b.value(p.val, unsafe)
		if err != nil {
			return nil, err
		}
		dict.Set(k, v)
	}
	return dict, nil
}

func (b *builder) scalar(n *yaml.Node, tag string, unsafe bool) (any, error) {
	switch tag {
	case tagVault:
		return &value.Sealed{Text: n.Value, Pos: b.doc.Pos(n)}, nil
	case tagUnsafe:
		return n.Value, nil
	}
	v, err := scalarValue(n, tag)
	if err != nil {
		return nil, b.fail(n, err)
	}
	if s, ok := v.(string); ok && !unsafe && HasTemplate(s) {
		return &value.Template{Text: s, Pos: b.doc.TextPos(n)}, nil
	}
	return v, nil
}

func (b *builder) fail(n *yaml.Node, err error) error {
	return &diag.Error{Pos: b.doc.Pos(n), Err: err}
}

// The tags understood; the short forms are yaml.v3's.
const (
	tagVault          = "!vault"
	tagVaultEncrypted = "!vault-encrypted"
	tagUnsafe         = "!unsafe"
)

// tagOf gives the tag that a node was written with, "" when it has none.
func tagOf(n *yaml.Node) (string, error) {
	if n.Style&yaml.TaggedStyle == 0 {
		return "", nil
	}
	switch n.Tag {
	case tagVault, tagVaultEncrypted:
		if n.Kind != yaml.ScalarNode {
			return "", errors.New("!vault must be followed by vaulted text")
		}
		return tagVault, nil
	case tagUnsafe:
		return tagUnsafe, nil
	case "!!map":
		if n.Kind == yaml.MappingNode {
			return "", nil
		}
	case "!!seq":
		if n.Kind == yaml.SequenceNode {
			return "", nil
		}
	case "!!str", "!!int", "!!float", "!!bool", "!!null", "!!binary", "!!timestamp":
		if n.Kind == yaml.ScalarNode {
			return n.Tag, nil
		}
	}
	return "", fmt.Errorf("unknown tag %s", n.Tag)
}

// scalarValue resolves a scalar that is neither !vault nor !unsafe.
func scalarValue(n *yaml.Node, tag string) (any, error) {
	const quoted = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	var v any
	ok := true
	switch tag {
	case "":
		if n.Style&quoted != 0 {
			return n.Value, nil
		}
		return Scalar(n.Value), nil
	case "!!str", "!!timestamp":
		return n.Value, nil
	case "!!null":
		return nil, nil
	case "!!binary":
		raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(n.Value), ""))
		if err != nil {
			return nil, fmt.Errorf("decoding !!binary: %w", err)
		}
		return value.Bytes(raw), nil
	case "!!int":
		v, ok = parseInt(n.Value)
	case "!!float":
		v, ok = parseFloat(n.Value)
		if i, isInt := parseInt(n.Value); !ok && isInt {
			v, ok = toFloat(i)
		}
	case "!!bool":
		v, ok = parseBool(strings.ToLower(n.Value))
	}
	if !ok {
		return nil, fmt.Errorf("%q is no %s", n.Value, tag)
	}
	return v, nil
}

// keyOf gives a mapping's key. Ansible never renders keys.
func keyOf(n *yaml.Node) (any, error) {
	n = resolveAlias(n)
	if n.Kind != yaml.ScalarNode {
		return nil, errors.New("a key must be text, a number or a boolean, not a list or mapping")
	}
	tag, err := tagOf(n)
	if err != nil {
		return nil, err
	}
	if tag == tagVault {
		return nil, errors.New("a key cannot be vaulted")
	}
	if tag == tagUnsafe {
		return n.Value, nil
	}
	v, err := scalarValue(n, tag)
	if raw, isBytes := v.(value.Bytes); isBytes {
		return string(raw), err
	}
	return v, err
}

// pair is one entry of a mapping.
type pair struct{ key, val *yaml.Node }

// flatten gives the entries of a mapping, merged ones first, so that setting them in
// order lets a mapping's own keys win and, of several merged ones, the first.
func flatten(n *yaml.Node) ([]pair, error) {
	var merged, own []pair
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if !isMerge(k) {
			own = append(own, pair{k, v})
			continue
		}
		m, err := mergedPairs(v)
		if err != nil {
			return nil, err
		}
		merged = append(merged, m...)
	}
	if merged == nil {
		return own, nil
	}
	return append(merged, own...), nil
}

func isMerge(k *yaml.Node) bool {
	return k.Kind == yaml.ScalarNode && k.Tag == "!!merge"
}

func mergedPairs(v *yaml.Node) ([]pair, error) {
	v = resolveAlias(v)
	switch v.Kind {
	case yaml.MappingNode:
		return flatten(v)
	case yaml.SequenceNode:
		var out []pair
		for _, item := range slices.Backward(v.Content) {
			item = resolveAlias(item)
			if item.Kind != yaml.MappingNode {
				return nil, &diag.Error{Pos: diag.Pos{Line: item.Line, Col: item.Column}, Err: errMerge}
			}
			m, err := flatten(item)
			if err != nil {
				return nil, err
			}
			out = append(out, m...)
		}
		return out, nil
	}
	return nil, &diag.Error{Pos: diag.Pos{Line: v.Line, Col: v.Column}, Err: errMerge}
}

var errMerge = errors.New("<<: must be followed by a mapping or a list of mappings")

// Pair is one entry of a mapping, merged ones included, with its key resolved.
type Pair struct {
	Key            any // string, int, bool …
	KeyNode, Value *yaml.Node
}

// Pairs gives the entries of a mapping in the order in which Value sets them; of
// equal keys only the last. It is an error when n is no mapping.
func (d Document) Pairs(n *yaml.Node) ([]Pair, error) {
	n = Deref(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, diag.Errorf(d.Pos(n), "expected a mapping")
	}
	pairs, err := flatten(n)
	if err != nil {
		return nil, err
	}
	out := make([]Pair, 0, len(pairs))
	at := make(map[any]int, len(pairs))
	for _, p := range pairs {
		k, err := keyOf(p.key)
		if err != nil {
			return nil, &diag.Error{Pos: d.Pos(p.key), Err: err}
		}
		e := Pair{Key: k, KeyNode: p.key, Value: p.val}
		if i, again := at[value.HashKey(k)]; again {
			out[i] = e
			continue
		}
		at[value.HashKey(k)] = len(out)
		out = append(out, e)
	}
	return out, nil
}

// Deref follows aliases to the node that they stand for.
func Deref(n *yaml.Node) *yaml.Node { return resolveAlias(n) }
