package libvirt

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Attr is one attribute; its name has its prefix as written.
type Attr struct{ Name, Value string }

// Node is an element of libvirt's XML as it was written: names with their prefixes, attributes and children in order. Comments are
// left out. Text is the element's own text with its white space; libvirt knows no text between elements.
type Node struct {
	Name  string
	Attrs []Attr
	Nodes []*Node
	Text  string
	Line  int // in the document that was parsed, 0 for nodes made otherwise
}

// maxDepth bounds the nesting of a document; libvirt's own schemas stay below 20.
const maxDepth = 100

// Parse reads a document of one element. An entity other than XML's own five is an error: nothing is ever fetched or expanded.
func Parse(text string) (*Node, error) {
	dec := xml.NewDecoder(strings.NewReader(text))
	var root *Node
	var open []*Node
	for {
		tok, err := dec.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		line, _ := dec.InputPos()
		if err != nil {
			return nil, parseError(err, line)
		}
		switch t := tok.(type) {
		case xml.StartElement:
			n := startNode(t, line)
			switch {
			case len(open) > 0:
				parent := open[len(open)-1]
				parent.Nodes = append(parent.Nodes, n)
			case root != nil:
				return nil, fmt.Errorf("line %d: <%s> stands after the end of <%s>", line, n.Name, root.Name)
			default:
				root = n
			}
			if open = append(open, n); len(open) > maxDepth {
				return nil, fmt.Errorf("line %d: elements are nested more than %d deep", line, maxDepth)
			}
		case xml.EndElement:
			if name := rawName(t.Name); len(open) == 0 || open[len(open)-1].Name != name {
				return nil, fmt.Errorf("line %d: </%s> ends nothing that is open", line, name)
			}
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].Text += string(t)
			} else if strings.TrimSpace(string(t)) != "" {
				return nil, fmt.Errorf("line %d: text stands outside of the element", line)
			}
		case xml.Directive:
			return nil, fmt.Errorf("line %d: a document type is not allowed", line)
		}
	}
	switch {
	case root == nil:
		return nil, errors.New("there is no element in it")
	case len(open) > 0:
		return nil, fmt.Errorf("line %d: <%s> is not ended", open[len(open)-1].Line, open[len(open)-1].Name)
	}
	return root, nil
}

func parseError(err error, line int) error {
	if syntax, ok := errors.AsType[*xml.SyntaxError](err); ok {
		return fmt.Errorf("line %d: %s", syntax.Line, syntax.Msg)
	}
	return fmt.Errorf("line %d: %w", line, err)
}

func rawName(n xml.Name) string {
	if n.Space != "" {
		return n.Space + ":" + n.Local
	}
	return n.Local
}

func startNode(t xml.StartElement, line int) *Node {
	n := &Node{Name: rawName(t.Name), Line: line}
	for _, a := range t.Attr {
		n.Attrs = append(n.Attrs, Attr{rawName(a.Name), a.Value})
	}
	return n
}

// ParseRoot is Parse for a document whose element must have the name.
func ParseRoot(text, name string) (*Node, error) {
	n, err := Parse(text)
	if err != nil {
		return nil, err
	}
	if n.Name != name {
		return nil, fmt.Errorf("line %d: the element is <%s>, not <%s>", n.Line, n.Name, name)
	}
	return n, nil
}

// New makes an element with text and attributes given as name, value, name, value …; those with an empty value are left out.
func New(name, text string, attrs ...string) *Node {
	n := &Node{Name: name, Text: text}
	for i := 0; i+1 < len(attrs); i += 2 {
		if attrs[i+1] != "" {
			n.Attrs = append(n.Attrs, Attr{attrs[i], attrs[i+1]})
		}
	}
	return n
}

// Add appends children, leaving out nil ones, and gives n.
func (n *Node) Add(nodes ...*Node) *Node {
	for _, one := range nodes {
		if one != nil {
			n.Nodes = append(n.Nodes, one)
		}
	}
	return n
}

// At gives the first element on the way of names below n, nil when there is none. It may be asked of nil.
func (n *Node) At(names ...string) *Node {
	for _, name := range names {
		if n == nil {
			return nil
		}
		i := slices.IndexFunc(n.Nodes, func(c *Node) bool { return c.Name == name })
		if i < 0 {
			return nil
		}
		n = n.Nodes[i]
	}
	return n
}

// All gives the children of a name. It may be asked of nil.
func (n *Node) All(name string) []*Node {
	var all []*Node
	if n != nil {
		for _, c := range n.Nodes {
			if c.Name == name {
				all = append(all, c)
			}
		}
	}
	return all
}

// Attr gives an attribute's value, "" when there is none. It may be asked of nil.
func (n *Node) Attr(name string) string {
	if n == nil {
		return ""
	}
	for _, a := range n.Attrs {
		if a.Name == name {
			return a.Value
		}
	}
	return ""
}

// SetAttr sets an attribute, and removes it when the value is "".
func (n *Node) SetAttr(name, value string) {
	i := slices.IndexFunc(n.Attrs, func(a Attr) bool { return a.Name == name })
	switch {
	case i < 0 && value != "":
		n.Attrs = append(n.Attrs, Attr{name, value})
	case i >= 0 && value == "":
		n.Attrs = slices.Delete(n.Attrs, i, i+1)
	case i >= 0:
		n.Attrs[i].Value = value
	}
}

// Val gives the trimmed text of the first element on the way, "" when there is none.
func (n *Node) Val(names ...string) string {
	if n = n.At(names...); n == nil {
		return ""
	}
	return strings.TrimSpace(n.Text)
}

// Set sets the text of a child, made as the first one where there is none.
func (n *Node) Set(name, text string) {
	c := n.At(name)
	if c == nil {
		c = &Node{Name: name}
		n.Nodes = slices.Insert(n.Nodes, 0, c)
	}
	c.Text = text
}

// Remove takes a child out.
func (n *Node) Remove(child *Node) {
	n.Nodes = slices.DeleteFunc(n.Nodes, func(c *Node) bool { return c == child })
}

// Clone copies a tree.
func (n *Node) Clone() *Node {
	if n == nil {
		return nil
	}
	c := *n
	c.Attrs = slices.Clone(n.Attrs)
	c.Nodes = make([]*Node, len(n.Nodes))
	for i, one := range n.Nodes {
		c.Nodes[i] = one.Clone()
	}
	return &c
}

// String gives the tree as XML, one element a line.
func (n *Node) String() string {
	var b strings.Builder
	n.write(&b, "")
	return b.String()
}

func (n *Node) write(b *strings.Builder, indent string) {
	b.WriteString(indent + "<" + n.Name)
	for _, a := range n.Attrs {
		b.WriteString(" " + a.Name + `="` + escape(a.Value) + `"`)
	}
	text := n.Text
	if len(n.Nodes) > 0 {
		text = strings.TrimSpace(text)
	}
	switch {
	case text == "" && len(n.Nodes) == 0:
		b.WriteString("/>\n")
		return
	case len(n.Nodes) == 0:
		b.WriteString(">" + escape(text))
	default:
		b.WriteString(">" + escape(text) + "\n")
		for _, c := range n.Nodes {
			c.write(b, indent+"  ")
		}
		b.WriteString(indent)
	}
	b.WriteString("</" + n.Name + ">\n")
}

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder never fails
	return b.String()
}
