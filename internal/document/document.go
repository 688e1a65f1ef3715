// Package document reads YAML and JSON as users of Ansible write them: YAML
// 1.1 booleans and octals (a MAC address stays a string), merge keys, !vault
// and !unsafe, several documents, duplicate keys warned of. It gives the tree with its
// positions (yaml.Node) and turns a node into values of jinja/value.
package document

import (
	"github.com/hostlerhq/hostler/internal/diag"
	"gopkg.in/yaml.v3"
)

// Document is one YAML document and the file that it was read from.
type Document struct {
	File string
	Root *yaml.Node // nil for an empty document
}

// Parse reads every document of a file. Errors are *diag.Error or diag.List
// with their place; warnings (duplicate keys, octal modes, tabs) come apart.
func Parse(file string, text []byte) (docs []Document, warnings diag.List, err error) {
	panic("skeleton")
}

// Pos gives the place of a node.
func (d Document) Pos(n *yaml.Node) diag.Pos {
	return diag.Pos{File: d.File, Line: n.Line, Col: n.Column}
}

// Value turns a node into a value: mappings become *value.Dict, sequences
// *value.List, strings with Jinja in them *value.Template with their place,
// !vault *value.Sealed, !unsafe a plain string.
func (d Document) Value(n *yaml.Node) (any, error) { panic("skeleton") }

// Locate follows a path of keys (string) and indexes (int) from a node and
// gives the place of what it finds: of the key when key is set, else of the
// value; of the deepest node found when the path ends early.
func (d Document) Locate(n *yaml.Node, path []any, key bool) diag.Pos { panic("skeleton") }
