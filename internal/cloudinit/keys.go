package cloudinit

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"gopkg.in/yaml.v3"
)

// keyList names the keys that cloud-init's schema (schema-cloud-config-v1.json, 22.4 and what came to it until 25) has, by their path: [] are
// items of a list, * any key. A word after the path says that cloud-init will drop it.
//
//go:embed keys.txt
var keyList string

// keys are what may stand at a place of cloud-config.
type keys struct {
	named      map[string]*keys
	items, any *keys
	deprecated bool
}

// keyTree reads the list.
func keyTree() *keys {
	root := &keys{}
	for line := range strings.Lines(keyList) {
		path, note, _ := strings.Cut(strings.TrimSpace(line), " ")
		at := root
		for step := range strings.SplitSeq(path, ".") {
			name := strings.TrimRight(step, "[]")
			at = at.child(name)
			for range (len(step) - len(name)) / 2 {
				if at.items == nil {
					at.items = &keys{}
				}
				at = at.items
			}
		}
		at.deprecated = note != ""
	}
	return root
}

func (k *keys) child(name string) *keys {
	if name == "*" {
		if k.any == nil {
			k.any = &keys{}
		}
		return k.any
	}
	if k.named == nil {
		k.named = map[string]*keys{}
	}
	if k.named[name] == nil {
		k.named[name] = &keys{}
	}
	return k.named[name]
}

// walker looks for keys that are not in the tree.
type walker struct {
	doc   document.Document
	found diag.List
}

func (w *walker) walk(k *keys, n *yaml.Node, at string) {
	for _, item := range document.Items(n) {
		if k.items != nil {
			w.walk(k.items, item, at)
		}
	}
	for _, e := range document.Entries(n) {
		next := k.named[e.Name]
		switch {
		case next == nil && k.any != nil:
			next = k.any
		case next == nil && len(k.named) == 0:
			continue // anything may stand here
		case next == nil:
			unknown := warning(w.doc.Pos(e.Key), "cloud-init does not know %q%s", e.Name, at).WithRule("cloud-config")
			if near := diag.Near(e.Name, slices.Sorted(maps.Keys(k.named))); near != "" {
				unknown.Hint = fmt.Sprintf("did you mean %q?", near)
			}
			w.found.Add(unknown)
			continue
		case next.deprecated:
			w.found.Add(warning(w.doc.Pos(e.Key), "%q%s is deprecated and will be dropped by cloud-init", e.Name, at).WithRule("cloud-config"))
		}
		w.walk(next, e.Val, " in "+e.Name)
	}
}
