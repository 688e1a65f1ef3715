package libvirt

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
)

// Patch is one change of a definition. One of Set, Append and Remove is given.
type Patch struct {
	// Path leads from the root to an element or attribute: os/boot/@dev, devices/disk[vda]/driver/@cache, devices/graphics[@type='vnc']. In brackets is what
	// Compare names an element by, its number (#2), or a condition.
	Path   string
	Set    *string
	Append *Node
	Remove bool
}

// Apply gives a definition with patches applied in their order; the given one stays as it is. A path that finds nothing is an error that names
// the nearest element, but the last step of what is to be removed or of an attribute that is to be set may be missing. What is appended takes the place of
// the element that it is already.
func Apply(doc *Node, patches []Patch) (*Node, error) {
	out := doc.Clone()
	for i, p := range patches {
		if err := p.apply(out); err != nil {
			return nil, fmt.Errorf("xml_patch[%d]: %w", i, err)
		}
	}
	return out, nil
}

// Changed gives the differences between a definition and what became of it, and the paths of what is gone.
func Changed(from, to *Node) (diffs []Difference, gone []string) {
	diffs = Compare(to, from, nil)
	for _, d := range Compare(from, to, nil) {
		if slices.ContainsFunc(diffs, func(known Difference) bool { return known.Path == d.Path }) {
			continue
		}
		diffs = append(diffs, Difference{Path: d.Path, Before: d.After, After: d.Before})
		if d.Before == "" {
			gone = append(gone, d.Path)
		}
	}
	return diffs, gone
}

func (p Patch) apply(doc *Node) error {
	at, path, rest := doc, "", strings.TrimPrefix(strings.TrimPrefix(p.Path, "/"), doc.Name+"/")
	if rest == doc.Name || rest == "." {
		rest = ""
	}
	var steps []string
	for s := range splitPath(rest) {
		if s != "" {
			steps = append(steps, s)
		}
	}
	for i, s := range steps {
		if name, ok := strings.CutPrefix(s, "@"); ok {
			return p.applyAttr(at, name, i == len(steps)-1)
		}
		next, err := find(at, s)
		if err != nil {
			return fmt.Errorf("%s: %w", p.Path, err)
		}
		if next == nil && p.Remove && i == len(steps)-1 {
			return nil // it is gone already
		}
		if next == nil {
			return fmt.Errorf("%s finds nothing: <%s> has no %s; the nearest is %s", p.Path, at.Name, s, nearest(at, path, s))
		}
		if p.Remove && i == len(steps)-1 {
			at.Remove(next)
			return nil
		}
		at, path = next, join(path, s)
	}
	switch {
	case p.Append != nil:
		place(at, p.Append)
	case p.Remove:
		return fmt.Errorf("%q is the whole definition", p.Path)
	case len(at.Nodes) > 0:
		return fmt.Errorf("%s has elements in it: set gives an element without any its text; append one in its place", p.Path)
	default:
		at.Text = *p.Set
	}
	return nil
}

func (p Patch) applyAttr(at *Node, name string, last bool) error {
	switch {
	case !last:
		return fmt.Errorf("%s: nothing lies below an attribute", p.Path)
	case p.Append != nil:
		return fmt.Errorf("%s: nothing can be appended to an attribute", p.Path)
	case p.Remove:
		at.SetAttr(name, "")
	default:
		at.SetAttr(name, *p.Set)
	}
	return nil
}

// place appends an element, in the place of the one that it is already.
func place(parent, n *Node) {
	all := parent.All(n.Name)
	if have := pairs(parent.Name, []*Node{n}, all)[0]; have != nil {
		if diffs := sameNode(parent.Name, n, have); len(diffs) == 0 {
			return
		}
		overlay(have, n)
		return
	}
	parent.Add(n.Clone())
}

func sameNode(parent string, want, have *Node) []Difference {
	w, h := folded(want), folded(have)
	foldNode(w, parent)
	foldNode(h, parent)
	var diffs []Difference
	compareNode(&diffs, "", parent, w, h)
	return diffs
}

// find gives the child that one step of a path names, nil when there is none.
func find(n *Node, s string) (*Node, error) {
	name, cond, has := strings.Cut(strings.TrimSuffix(s, "]"), "[")
	all := n.All(name)
	if !has {
		if len(all) > 1 {
			return nil, fmt.Errorf("there are %d <%s> in <%s>: say which, %s", len(all), name, n.Name, step(n.Name, all[0], 0, len(all)))
		}
		return append(all, nil)[0], nil
	}
	if where, value, ok := strings.Cut(cond, "="); ok {
		value = strings.Trim(strings.TrimSpace(value), `'"`)
		for _, c := range all {
			if got, there := lookPath(c, strings.TrimSpace(where)); there && got == value {
				return c, nil
			}
		}
		return nil, nil
	}
	if i := slices.IndexFunc(all, func(c *Node) bool { return keyOf(n.Name, c) == cond }); i >= 0 {
		return all[i], nil
	}
	if i, err := strconv.Atoi(strings.TrimPrefix(cond, "#")); err == nil && i >= 1 && i <= len(all) {
		return all[i-1], nil
	}
	return nil, nil
}

// nearest gives the path of the element below n that a step was probably meant to be, n's own when none is near.
func nearest(n *Node, path, s string) string {
	var steps []string
	for _, group := range groups(n) {
		for i, c := range group {
			steps = append(steps, step(n.Name, c, i, len(group)))
		}
	}
	if near := diag.Near(s, steps); near != "" {
		return join(path, near)
	}
	name, _, _ := strings.Cut(s, "[")
	for _, one := range steps {
		if same, _, _ := strings.Cut(one, "["); same == name {
			return join(path, one)
		}
	}
	if path == "" {
		return n.Name
	}
	return path
}
