// Package document reads YAML and JSON as users of Ansible write them: YAML
// 1.1 booleans and octals (a MAC address stays a string), merge keys, !vault
// and !unsafe, several documents, duplicate keys warned of. It gives the tree with its
// positions (yaml.Node) and turns a node into values of jinja/value.
//
// It opens no files and renders nothing.
package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/hostlerhq/hostler/internal/diag"
	"gopkg.in/yaml.v3"
)

// Document is one YAML document and the file that it was read from.
type Document struct {
	File string
	Root *yaml.Node // nil for an empty document
}

// Parse reads every document of a file. Errors are *diag.Error or diag.List
// with their place; warnings (duplicate keys, numbers in base 60) come apart. What Value
// would refuse in a document (unknown tags, unquoted templates, keys that are
// lists, endless aliases) is an error here already, all of it at once.
func Parse(file string, text []byte) (docs []Document, warnings diag.List, err error) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if err := checkText(file, text); err != nil {
		return nil, nil, err
	}
	roots, err := nodes(text)
	if err != nil {
		return nil, nil, syntaxError(file, text, err)
	}
	c := checker{file: file}
	for _, root := range roots {
		c.document(root)
		docs = append(docs, Document{File: file, Root: root})
	}
	if err := c.errs.Err(); err != nil {
		return nil, c.warnings, err
	}
	return docs, c.warnings, nil
}

// nodes decodes every document; a nil node stands for an empty one.
func nodes(text []byte) (roots []*yaml.Node, err error) {
	// yaml.v3 panics on some broken input with "internal error".
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: %v", r)
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var n yaml.Node
		switch err := dec.Decode(&n); {
		case errors.Is(err, io.EOF):
			return roots, nil
		case err != nil:
			return nil, err
		}
		roots = append(roots, documentRoot(&n))
	}
}

// documentRoot is the content of a document, or nil when there is none: text of
// comments only, or a bare "---".
func documentRoot(n *yaml.Node) *yaml.Node {
	if n.Kind != yaml.DocumentNode || len(n.Content) == 0 {
		return nil
	}
	root := n.Content[0]
	if root.Kind == yaml.ScalarNode && root.Value == "" && root.Style == 0 && root.Anchor == "" {
		return nil
	}
	return root
}

// checkText finds the first byte that is no UTF-8, or character that YAML forbids.
func checkText(file string, text []byte) error {
	pos := diag.Pos{File: file, Line: 1, Col: 1}
	for i := 0; i < len(text); {
		if c := text[i]; c < utf8.RuneSelf {
			if c == '\n' {
				pos.Line, pos.Col = pos.Line+1, 1
			} else {
				if c < ' ' && c != '\t' && c != '\r' || c == 0x7f {
					return diag.Errorf(pos, "control character %#x is not allowed in YAML", c).
						WithHint("remove it, or write it as an escape in a double-quoted string")
				}
				pos.Col++
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return diag.Errorf(pos, "byte %#x is not valid UTF-8", text[i]).WithHint("save the file as UTF-8")
		}
		i += size
		pos.Col++
	}
	return nil
}

// Pos gives the place of a node; that of the document's file when n is nil.
func (d Document) Pos(n *yaml.Node) diag.Pos {
	if n == nil {
		return diag.Pos{File: d.File}
	}
	return diag.Pos{File: d.File, Line: n.Line, Col: n.Column}
}

// TextPos gives the place where the text of a scalar begins: behind the quote of a quoted one, in the line below
// the mark of a block.
func (d Document) TextPos(n *yaml.Node) diag.Pos {
	pos := d.Pos(n)
	switch {
	case n == nil:
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		pos.Col++
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		pos.Line, pos.Col = pos.Line+1, 1
	}
	return pos
}

// Locate follows a path of keys (string) and indexes (int) from a node and
// gives the place of what it finds: of the key when key is set, else of the
// value; of the deepest node found when the path ends early.
func (d Document) Locate(n *yaml.Node, path []any, key bool) diag.Pos {
	keyNode := n
	for _, step := range path {
		k, v := child(n, step)
		if v == nil {
			break
		}
		keyNode, n = k, v
	}
	if key {
		return d.Pos(keyNode)
	}
	return d.Pos(n)
}

// child finds an entry of a mapping or sequence: its key (the item itself in a
// sequence) and its value, or nil. The last of several equal keys counts, then merged ones.
func child(n *yaml.Node, step any) (key, val *yaml.Node) {
	n = resolveAlias(n)
	if n == nil {
		return nil, nil
	}
	switch s := step.(type) {
	case int:
		if n.Kind == yaml.SequenceNode && s >= 0 && s < len(n.Content) {
			return n.Content[s], n.Content[s]
		}
	case string:
		if n.Kind != yaml.MappingNode {
			return nil, nil
		}
		pairs, err := flatten(n)
		if err != nil {
			return nil, nil
		}
		for _, p := range slices.Backward(pairs) {
			if k := resolveAlias(p.key); k.Kind == yaml.ScalarNode && k.Value == s {
				return p.key, p.val
			}
		}
	}
	return nil, nil
}

func resolveAlias(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}
