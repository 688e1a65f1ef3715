package libvirt

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
)

//go:embed elements.txt
var elements string

// Unknown finds the elements and attributes of a document that libvirt's schema has nowhere under that parent: without --validate libvirt
// drops them without a word, and <forwad mode='nat'/> makes an isolated network. Certain says that libvirt is no newer than the schema that
// we know (9.0), so that what is unknown to us is unknown to it.
func Unknown(doc *Node, v Version) (problems []string, certain bool) {
	table := elementTable(doc.Name)
	if len(table) == 0 {
		return nil, false
	}
	unknownIn(&problems, table, doc)
	return problems, v <= tableVersion
}

// elementTable reads the part of the table for one kind of document.
func elementTable(root string) map[string][]string {
	_, part, ok := strings.Cut(elements, "\n= "+root+"\n")
	if !ok {
		return nil
	}
	part, _, _ = strings.Cut(part, "\n= ")
	table := map[string][]string{}
	for line := range strings.Lines(part) {
		name, words, _ := strings.Cut(strings.TrimSpace(line), ":")
		table[name] = strings.Fields(words)
	}
	return table
}

func unknownIn(problems *[]string, table map[string][]string, n *Node) {
	known, ok := table[n.Name]
	if !ok || n.Name == "metadata" {
		return
	}
	for _, a := range n.Attrs {
		if !strings.Contains(a.Name, ":") && a.Name != "xmlns" && !slices.Contains(known, "@"+a.Name) {
			report(problems, n, n.Line, "attribute "+a.Name, a.Name, known, "@")
		}
	}
	for _, c := range n.Nodes {
		switch {
		case strings.Contains(c.Name, ":"):
		case !slices.Contains(known, c.Name):
			report(problems, n, c.Line, "element <"+c.Name+">", c.Name, known, "")
		default:
			unknownIn(problems, table, c)
		}
	}
}

func report(problems *[]string, n *Node, line int, what, name string, known []string, mark string) {
	var names []string
	for _, k := range known {
		if strings.HasPrefix(k, "@") == (mark == "@") {
			names = append(names, strings.TrimPrefix(k, "@"))
		}
	}
	text := fmt.Sprintf("line %d: libvirt knows no %s in <%s>", line, what, n.Name)
	if near := diag.Near(name, names); near != "" {
		text += "; did you mean " + near + "?"
	}
	*problems = append(*problems, text)
}
