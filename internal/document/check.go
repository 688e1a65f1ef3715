package document

import (
	"math"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
	"gopkg.in/yaml.v3"
)

// maxExpanded bounds how many nodes a document may have once its aliases are
// followed, so that a few lines of nested aliases cannot eat all memory.
const maxExpanded = 2_000_000

// checker looks through a document for what Value would refuse or a user should know.
type checker struct {
	file     string
	errs     diag.List
	warnings diag.List
	// sizes are the numbers of nodes of anchored subtrees, aliases followed; 0 while being counted.
	sizes map[*yaml.Node]int
}

func (c *checker) document(root *yaml.Node) {
	if root == nil {
		return
	}
	c.sizes = map[*yaml.Node]int{}
	if c.node(root) > maxExpanded {
		c.fail(root, "", "aliases expand to more than %d values", maxExpanded)
	}
}

func (c *checker) pos(n *yaml.Node) diag.Pos {
	return diag.Pos{File: c.file, Line: n.Line, Col: n.Column}
}

func (c *checker) fail(n *yaml.Node, hint, format string, args ...any) {
	c.errs.Add(diag.Errorf(c.pos(n), format, args...).WithHint("%s", hint))
}

// node checks a subtree and gives the number of its nodes.
func (c *checker) node(n *yaml.Node) int {
	if n.Kind == yaml.AliasNode {
		size, seen := c.sizes[n.Alias]
		if seen && size == 0 {
			c.fail(n, "", "alias *%s is part of its own anchor", n.Value)
			return 1
		}
		return max(size, 1)
	}
	if n.Anchor != "" {
		c.sizes[n] = 0
	}
	if _, err := tagOf(n); err != nil {
		c.fail(n, "!vault and !unsafe are the tags for playbooks", "%w", err)
	}
	size := 1
	switch {
	case unquotedTemplate(n):
		c.fail(n, `write "{{ … }}" with quotes around the whole value`, "a value that starts with {{ must be quoted")
	case n.Kind == yaml.MappingNode:
		size += c.mapping(n)
	case n.Kind == yaml.SequenceNode:
		for _, item := range n.Content {
			size = addCapped(size, c.node(item))
		}
	case n.Kind == yaml.ScalarNode && n.Style == 0 && base60(n.Value):
		warning := diag.Errorf(c.pos(n), "%s is a number in base 60 (%v) in YAML 1.1", n.Value, Scalar(n.Value)).
			WithHint("quote it if it is not a duration")
		warning.Severity = diag.Warning
		c.warnings.Add(warning)
	}
	if n.Anchor != "" {
		c.sizes[n] = size
	}
	return size
}

func (c *checker) mapping(n *yaml.Node) int {
	size := 0
	first := map[any]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		size = addCapped(size, addCapped(c.node(v), 1))
		if isMerge(k) {
			c.merge(v)
			continue
		}
		key, err := keyOf(k)
		if err != nil {
			c.fail(k, "", "%w", err)
			continue
		}
		c.duplicate(first, key, k)
	}
	return size
}

// duplicate warns when a key was there before. Keys equal in Python count as equal.
func (c *checker) duplicate(first map[any]*yaml.Node, key any, k *yaml.Node) {
	same := value.HashKey(key)
	before, again := first[same]
	if !again {
		first[same] = k
		return
	}
	warning := diag.Errorf(c.pos(k), "duplicate key %q, first at line %d; the last one counts", k.Value, before.Line)
	warning.Severity = diag.Warning
	c.warnings.Add(warning)
}

func (c *checker) merge(v *yaml.Node) {
	target := resolveAlias(v)
	items := []*yaml.Node{target}
	if target.Kind == yaml.SequenceNode {
		items = target.Content
	}
	for _, item := range items {
		if resolveAlias(item).Kind != yaml.MappingNode {
			c.fail(v, "", "%w", errMerge)
			return
		}
	}
}

// unquotedTemplate recognises key: {{ x }}, which YAML reads as a mapping whose key is a mapping.
func unquotedTemplate(n *yaml.Node) bool {
	if n.Kind != yaml.MappingNode || n.Style&yaml.FlowStyle == 0 || len(n.Content) < 2 {
		return false
	}
	k := n.Content[0]
	return k.Kind == yaml.MappingNode && k.Style&yaml.FlowStyle != 0 && k.Line == n.Line && k.Column == n.Column+1
}

func addCapped(a, b int) int {
	if a > math.MaxInt/2 || b > math.MaxInt/2 {
		return math.MaxInt / 2
	}
	return a + b
}
