package document

import "gopkg.in/yaml.v3"

// Entry is one key of a mapping with its value.
type Entry struct {
	// Name is the key as text, "" for a key that is none.
	Name     string
	Key, Val *yaml.Node
}

// Entries gives a mapping's entries in order, merge keys resolved; of equal keys the last
// counts. A node that is no mapping has none. Aliases of values are resolved.
func Entries(n *yaml.Node) []Entry {
	n = resolveAlias(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	pairs, err := flatten(n)
	if err != nil {
		return nil // Parse has reported it
	}
	var out []Entry
	at := make(map[string]int, len(pairs))
	for _, p := range pairs {
		e := Entry{Key: p.key, Val: resolveAlias(p.val)}
		if k := resolveAlias(p.key); k.Kind == yaml.ScalarNode {
			e.Name = k.Value
		}
		if i, ok := at[e.Name]; ok {
			out[i] = e
			continue
		}
		at[e.Name] = len(out)
		out = append(out, e)
	}
	return out
}

// Items gives a sequence's items with aliases resolved; a node that is no sequence has none.
func Items(n *yaml.Node) []*yaml.Node {
	n = resolveAlias(n)
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	out := make([]*yaml.Node, len(n.Content))
	for i, c := range n.Content {
		out[i] = resolveAlias(c)
	}
	return out
}
