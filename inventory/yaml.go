package inventory

import (
	"fmt"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"gopkg.in/yaml.v3"
)

// readYAML is the yaml plugin.
func (l *loader) readYAML(file string, text []byte) error {
	docs, warnings, err := document.Parse(file, text)
	if err != nil {
		return err
	}
	top := diag.Pos{File: file, Line: 1}
	if len(docs) == 0 || docs[0].Root == nil {
		return diag.Errorf(top, "the inventory is empty")
	}
	if len(docs) > 1 {
		return diag.Errorf(docs[1].Pos(docs[1].Root), "an inventory is one YAML document, this is a second")
	}
	doc := docs[0]
	groups, err := doc.Pairs(doc.Root)
	if err != nil {
		return diag.Errorf(doc.Pos(doc.Root), "an inventory is a mapping of groups").WithHint("begin with all: and below it hosts: or children:")
	}
	for _, g := range groups {
		if g.Key == "plugin" {
			return diag.Errorf(doc.Pos(g.KeyNode), "this configures an inventory plugin and is no inventory")
		}
	}
	y := yamlReader{loader: l, doc: doc}
	for _, g := range groups {
		y.group(g)
	}
	l.warnings.Add(warnings)
	return y.errs.Err()
}

// yamlReader walks a YAML inventory and gathers its mistakes.
type yamlReader struct {
	*loader
	doc  document.Document
	errs diag.List
}

// group reads one group and gives it, or nil when its name cannot be used.
func (y *yamlReader) group(e document.Pair) *Group {
	pos := y.doc.Pos(e.KeyNode)
	name, ok := e.Key.(string)
	if !ok || name == "" {
		y.errs.Add(diag.Errorf(pos, "the name of a group must be text, not %v", e.Key).
			WithHint("quote it: YAML reads %s as a %s", e.KeyNode.Value, kindOf(e.Key)))
		return nil
	}
	node := document.Deref(e.Value)
	if node.Kind == yaml.ScalarNode && y.isNull(node) {
		return y.loader.group(name, pos)
	}
	if node.Kind != yaml.MappingNode {
		y.warn(pos, "", "skipping %q: it is no group definition", name)
		return nil
	}
	g := y.loader.group(name, pos)
	sections, err := y.doc.Pairs(node)
	if err != nil {
		y.errs.Add(err)
		return g
	}
	for _, s := range sections {
		y.section(g, s)
	}
	return g
}

func (y *yamlReader) isNull(n *yaml.Node) bool {
	v, err := y.doc.Value(n)
	return err == nil && v == nil
}

// section reads vars, children or hosts of a group.
func (y *yamlReader) section(g *Group, s document.Pair) {
	pos := y.doc.Pos(s.KeyNode)
	switch s.Key {
	case "vars", "children", "hosts":
	default:
		hint := "only vars, children and hosts are known"
		if key, ok := s.Key.(string); ok {
			if near := diag.Near(key, []string{"vars", "children", "hosts"}); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
		}
		y.warn(pos, hint, "skipping key %q of group %q", s.KeyNode.Value, g.Name)
		return
	}
	node := document.Deref(s.Value)
	entries, err := y.doc.Pairs(node)
	if err != nil {
		v, valueErr := y.doc.Value(node)
		text, isText := v.(string)
		switch {
		case valueErr == nil && v == nil:
			return
		case isText:
			// A single name may stand without its colon.
			entries = []document.Pair{{Key: text, KeyNode: node, Value: &yaml.Node{Kind: yaml.ScalarNode, Line: node.Line, Column: node.Column}}}
		default:
			y.errs.Add(diag.Errorf(y.doc.Pos(node), "%s of group %q must be a mapping, not a list or value", s.Key, g.Name).
				WithHint("write each name with a colon behind it, not with a dash before it"))
			return
		}
	}
	for _, e := range entries {
		y.entry(g, s.Key.(string), e)
	}
}

func (y *yamlReader) entry(g *Group, section string, e document.Pair) {
	pos := y.doc.Pos(e.KeyNode)
	switch section {
	case "vars":
		v, err := y.doc.Value(e.Value)
		if err != nil {
			y.errs.Add(err)
			return
		}
		y.errs.Add(setGroupVar(g, y.file, keyText(e.Key, e.KeyNode), v, pos))
	case "children":
		if child := y.group(e); child != nil {
			_, err := y.inv.addChild(g, child, pos)
			y.errs.Add(err)
		}
	case "hosts":
		y.hosts(g, e)
	}
}

func (y *yamlReader) hosts(g *Group, e document.Pair) {
	pos := y.doc.Pos(e.KeyNode)
	pattern, ok := e.Key.(string)
	if !ok || pattern == "" {
		y.errs.Add(diag.Errorf(pos, "the name of a host must be text, not %v", e.Key).
			WithHint("quote it: YAML reads %s as a %s", e.KeyNode.Value, kindOf(e.Key)))
		return
	}
	names, port, err := expandPattern(pattern)
	if err != nil {
		y.errs.Add(diag.Errorf(pos, "%w", err))
		return
	}
	node := document.Deref(e.Value)
	entries, err := y.doc.Pairs(node)
	if err != nil && !y.isNull(node) {
		y.errs.Add(diag.Errorf(y.doc.Pos(node), "the variables of host %q must be a mapping", pattern))
		return
	}
	for _, name := range names {
		h := y.host(name, port, pos)
		y.inv.addMember(g, h)
		for _, v := range entries {
			val, err := y.doc.Value(v.Value)
			if err != nil {
				y.errs.Add(err)
				continue
			}
			y.setHostVar(h, keyText(v.Key, v.KeyNode), val)
		}
	}
}

// keyText is the text of a key that names a variable.
func keyText(key any, n *yaml.Node) string {
	if s, ok := key.(string); ok {
		return s
	}
	return n.Value
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	}
	return "number"
}
