package libvirt

import (
	"fmt"
	"slices"
	"strings"
)

// RecordSpace is the namespace of what we note in an object's <metadata>.
const RecordSpace = "https://github.com/hostlerhq/hostler/libvirt/1"

const recordName = "hostler:applied"

// Owned gives the paths of all the fields that the user wrote, as Compare names them.
func Owned(want *Node) []string {
	var paths []string
	ownedNode(&paths, "", "", folded(want))
	slices.Sort(paths)
	return slices.Compact(paths)
}

func ownedNode(paths *[]string, at, parent string, n *Node) {
	for _, a := range n.Attrs {
		if !ignoredAttr(parent, n.Name, a.Name) {
			*paths = append(*paths, join(at, "@"+a.Name))
		}
	}
	if at != "" && (strings.TrimSpace(n.Text) != "" || len(n.Nodes) == 0) {
		*paths = append(*paths, at)
	}
	for _, group := range groups(n) {
		for i, c := range group {
			ownedNode(paths, join(at, step(n.Name, c, i, len(group))), n.Name, c)
		}
	}
}

// Recorded gives the paths that an earlier definition of ours noted in <metadata>; nil when there is no note.
func Recorded(have *Node) []string {
	n := recordNode(have.At("metadata"))
	if n == nil {
		return nil
	}
	return strings.FieldsFunc(n.Text, func(c rune) bool { return c == '\n' })
}

func recordNode(metadata *Node) *Node {
	if metadata == nil {
		return nil
	}
	for _, c := range metadata.Nodes {
		for _, a := range c.Attrs {
			if strings.HasPrefix(a.Name, "xmlns") && a.Value == RecordSpace {
				return c
			}
		}
	}
	return nil
}

// Plan gives the plan that an object was noted to belong to in <metadata>; "" when none was.
func Plan(have *Node) string {
	if n := recordNode(have.At("metadata")); n != nil {
		return n.Attr("plan")
	}
	return ""
}

// SetPlan notes the plan that an object belongs to beside its record, which must be there.
func SetPlan(def *Node, plan string) {
	if n := recordNode(def.At("metadata")); n != nil {
		n.SetAttr("plan", plan)
	}
}

// SetRecord notes in a definition's <metadata> which fields are ours. It holds names of fields only, no values. A plan that was noted stays.
func SetRecord(def *Node, owned []string) {
	metadata := def.At("metadata")
	if metadata == nil {
		metadata = &Node{Name: "metadata"}
		def.Add(metadata)
	}
	plan := Plan(def)
	if old := recordNode(metadata); old != nil {
		metadata.Remove(old)
	}
	metadata.Add(New(recordName, strings.Join(owned, "\n"), "xmlns:hostler", RecordSpace))
	if plan != "" {
		SetPlan(def, plan)
	}
}

// stalePaths gives the recorded paths that are no longer wanted and still there.
func stalePaths(want, have *Node, record []string) []string {
	if len(record) == 0 {
		return nil
	}
	var now []string
	ownedNode(&now, "", "", want)
	var paths []string
	for _, p := range record {
		if !slices.Contains(now, p) && !identity(p) {
			if _, there := lookPath(have, p); there && !coveredBy(want, have, p) {
				paths = append(paths, p)
			}
		}
	}
	return paths
}

// identity reports fields that stay with an object when the user no longer writes them.
func identity(path string) bool {
	return path == "uuid" || strings.HasSuffix(path, "/mac/@address") || strings.HasSuffix(path, "]/mac") || strings.HasSuffix(path, "/address") ||
		strings.Contains(path, "/address/") || path == "os/type/@machine"
}

// coveredBy reports whether a recorded path names an element that is wanted under another path: it then is no longer named by its place.
func coveredBy(want, have *Node, path string) bool {
	w, h := want, have
	for part := range splitPath(path) {
		if strings.HasPrefix(part, "@") {
			return w.Attr(part[1:]) != ""
		}
		next, name := child(h, part)
		if next == nil {
			return false
		}
		group := w.All(name)
		at := slices.Index(pairs(w.Name, group, h.All(name)), next)
		if at < 0 {
			return false
		}
		w, h = group[at], next
	}
	return true
}

// child finds the child that one part of a path names.
func child(n *Node, part string) (*Node, string) {
	name, key, keyed := strings.Cut(strings.TrimSuffix(part, "]"), "[")
	all := n.All(name)
	var i int
	switch _, err := fmt.Sscanf(key, "#%d", &i); {
	case len(all) == 0:
		return nil, name
	case !keyed:
		return all[0], name
	case err == nil && i >= 1 && i <= len(all):
		return all[i-1], name
	case err == nil:
		return nil, name
	}
	for _, c := range all {
		if keyOf(n.Name, c) == key {
			return c, name
		}
	}
	return nil, name
}

// lookPath gives the value at a path.
func lookPath(n *Node, path string) (string, bool) {
	for part := range splitPath(path) {
		if name, ok := strings.CutPrefix(part, "@"); ok {
			v := n.Attr(name)
			return v, v != ""
		}
		if n, _ = child(n, part); n == nil {
			return "", false
		}
	}
	return strings.TrimSpace(n.Text), true
}

// stale gives the differences that stalePaths are.
func stale(want, have *Node, record []string) []Difference {
	var diffs []Difference
	for _, p := range stalePaths(want, have, record) {
		v, _ := lookPath(have, p)
		if v == "" {
			v = "there"
		}
		diffs = append(diffs, Difference{Path: p, Before: v})
	}
	return diffs
}

// splitPath cuts a path at the slashes outside of brackets.
func splitPath(path string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		depth, from := 0, 0
		for i, c := range path {
			switch {
			case c == '[':
				depth++
			case c == ']':
				depth--
			case c == '/' && depth == 0:
				if !yield(path[from:i]) {
					return
				}
				from = i + 1
			}
		}
		yield(path[from:])
	}
}
