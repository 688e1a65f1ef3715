// Package pyyaml writes YAML byte for byte as Python's PyYAML does over libyaml 0.2.5, which is what Ansible
// prints. Its main entry is Dump.
package pyyaml

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja/value"
)

// Options are those of yaml.dump; the zero value prints in block style with keys in their own order.
type Options struct {
	// Indent is the number of blanks of a level; 0 is 2.
	Indent int
	// Width is the column beyond which text is folded; 0 is 80.
	Width int
	// SortKeys sorts the keys of dicts; where Python cannot compare them they stay in their own order.
	SortKeys bool
	// Flow says where brackets are used instead of lines.
	Flow Flow
	// Style is the style of scalars: 0, '"', '\'', '|' or '>'.
	Style byte
	// ExplicitStart and ExplicitEnd write --- and ... around the document.
	ExplicitStart, ExplicitEnd bool
	// Blocks writes text of several lines as blocks (|), where it can stand so.
	Blocks bool
	// ASCII escapes all other characters.
	ASCII bool
	// Anchors writes a list or dict that appears again as an alias of the first.
	Anchors bool
	// Limit, when not zero, makes YAML of about more than so many bytes an error.
	Limit int
}

// Long reports whether a text has several lines, by any of the line ends that Unicode knows.
func Long(s string) bool { return strings.ContainsAny(s, "\n\r\x1c\x1d\x1e\u0085\u2028\u2029") }

// Flow is default_flow_style.
type Flow int

// The styles of lists and dicts.
const (
	FlowNever  Flow = iota // False
	FlowAlways             // True
	FlowLeaves             // None: those with scalars only
)

// Dump gives v as YAML, ending in a newline.
func Dump(v any, o Options) (string, error) {
	if o.Indent < 2 || o.Indent > 9 {
		o.Indent = 2
	}
	if o.Width == 0 {
		o.Width = 80
	}
	if o.Width < 0 || o.Width <= o.Indent*2 {
		o.Width = 80
	}
	r := representer{o: o, open: map[any]bool{}, count: map[any]int{}, names: map[any]string{}}
	if o.Anchors {
		r.anchors(v)
	}
	root, err := r.node(v)
	if err != nil {
		return "", err
	}
	e := emitter{o: o, indent: -1, whitespace: true, indention: true}
	e.document(root)
	return e.out.String(), nil
}

// node is a value with the style it is to be written in.
type node struct {
	kind   kind
	text   string // of a scalar
	plain  bool   // whether the text is read back as this value when it stands plain
	quoted bool   // and when it is quoted
	style  byte   // 0 is plain
	tag    string
	anchor string // "&id001" or, for an alias, "*id001"
	flow   bool
	items  []*node // of a mapping: keys and values in turn
}

type kind int

const (
	scalar kind = iota
	sequence
	mapping
	alias
)

type representer struct {
	o       Options
	open    map[any]bool // what is being written, to find what contains itself
	count   map[any]int
	names   map[any]string
	written map[any]bool
	size    int // roughly, of the nodes so far
}

// nodeSize is roughly what a node takes in memory and as text.
const nodeSize = 64

// identity is what makes a list or dict the same one again; nil for plain values.
func identity(v any) any {
	switch x := v.(type) {
	case *value.List, *value.Dict, *value.Sealed:
		return v
	case value.Tuple:
		if len(x) > 0 {
			return &x[0]
		}
	}
	return nil
}

// anchors names what appears more than once, in the order in which it is met again.
func (r *representer) anchors(v any) {
	if id := identity(v); id != nil {
		if r.count[id]++; r.count[id] > 1 {
			if r.count[id] == 2 {
				r.names[id] = fmt.Sprintf("id%03d", len(r.names)+1)
			}
			return
		}
	}
	switch x := v.(type) {
	case *value.List:
		for _, item := range x.Items {
			r.anchors(item)
		}
	case value.Tuple:
		for _, item := range x {
			r.anchors(item)
		}
	case *value.Dict:
		for _, k := range r.keys(x) {
			item, _ := x.Get(k)
			r.anchors(item)
		}
	}
}

// keys gives a dict's keys in the order in which they are written.
func (r *representer) keys(d *value.Dict) []any {
	keys := d.Keys()
	if !r.o.SortKeys {
		return keys
	}
	comparable := true
	slices.SortStableFunc(keys, func(a, b any) int {
		c, err := value.Compare(a, b)
		comparable = comparable && err == nil
		return c
	})
	if !comparable {
		return d.Keys()
	}
	return keys
}

func (r *representer) node(v any) (*node, error) {
	text, _ := value.AsString(v)
	if r.size += nodeSize + len(text); r.o.Limit > 0 && r.size > r.o.Limit {
		return nil, value.Errorf(value.LimitError, "the YAML grows past %d bytes", r.o.Limit)
	}
	id := identity(v)
	name := r.names[id]
	if name != "" && r.written[id] {
		return &node{kind: alias, anchor: "*" + name}, nil
	}
	if id != nil {
		if r.open[id] {
			return nil, value.Errorf(value.ValueError, "the value contains itself")
		}
		r.open[id] = true
		defer delete(r.open, id)
	}
	if name != "" {
		if r.written == nil {
			r.written = map[any]bool{}
		}
		r.written[id] = true
	}
	n, err := r.bare(v)
	if err == nil && name != "" {
		n.anchor = "&" + name
	}
	return n, err
}

func (r *representer) bare(v any) (*node, error) {
	switch x := v.(type) {
	case *value.List:
		return r.list(x.Items)
	case value.Tuple:
		return r.list(x)
	case *value.Dict:
		return r.dict(x)
	case *value.Sealed:
		return &node{text: strings.TrimRight(x.Text, "\n") + "\n", style: '|', tag: "!vault"}, nil
	case *value.Template:
		return r.text(x.Text), nil
	case value.Bytes:
		return r.text(string(x)), nil
	case nil:
		return r.other("null"), nil
	case bool:
		return r.other(map[bool]string{true: "true", false: "false"}[x]), nil
	case float64:
		return r.other(float(x)), nil
	}
	if s, ok := value.AsString(v); ok {
		return r.text(s), nil
	}
	if value.IsNumber(v) {
		s, err := value.Str(v)
		return r.other(s), err
	}
	if u, ok := v.(interface{ Use() error }); ok {
		return nil, u.Use()
	}
	if c, ok := v.(interface{ YAML() string }); ok {
		return r.other(c.YAML()), nil
	}
	return nil, value.Errorf(value.TypeError, "cannot represent an object of type %s", value.TypeName(v))
}

func (r *representer) text(s string) *node {
	n := &node{text: s, plain: resolvesToText(s), quoted: true, style: r.o.Style}
	if r.o.Blocks && Long(s) {
		n.style = '|'
	}
	return n
}

func (r *representer) other(s string) *node { return &node{text: s, plain: true, style: r.o.Style} }

func float(f float64) string {
	s := value.FormatFloat(f)
	switch s {
	case "nan":
		return ".nan"
	case "inf":
		return ".inf"
	case "-inf":
		return "-.inf"
	}
	if !strings.Contains(s, ".") {
		s = strings.Replace(s, "e", ".0e", 1)
	}
	return s
}

func (r *representer) list(items []any) (*node, error) {
	n := &node{kind: sequence, items: make([]*node, 0, len(items))}
	for _, item := range items {
		c, err := r.node(item)
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, c)
	}
	n.flow = r.flow(n.items)
	return n, nil
}

func (r *representer) dict(d *value.Dict) (*node, error) {
	keys := r.keys(d)
	n := &node{kind: mapping, items: make([]*node, 0, 2*len(keys))}
	for _, k := range keys {
		v, _ := d.Get(k)
		for _, part := range [2]any{k, v} {
			c, err := r.node(part)
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, c)
		}
	}
	n.flow = r.flow(n.items)
	return n, nil
}

func (r *representer) flow(items []*node) bool {
	if r.o.Flow != FlowLeaves {
		return r.o.Flow == FlowAlways
	}
	return !slices.ContainsFunc(items, func(c *node) bool { return c.kind != scalar || c.style != 0 })
}

var timestampForm = regexp.MustCompile(`^(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?)$`)

var base60Form = regexp.MustCompile(`^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$`)

// resolvesToText tells whether PyYAML would read plain text back as text.
func resolvesToText(s string) bool {
	_, text := document.Scalar(s).(string)
	return text && s != "=" && s != "<<" && !timestampForm.MatchString(s) && !base60Form.MatchString(s)
}
