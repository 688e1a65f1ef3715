package playbook

import (
	"path/filepath"
	"strings"

	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja/value"
	"gopkg.in/yaml.v3"
)

// checkVarsFiles looks for the files of variables whose names are known, and reads them for mistakes. Each entry is a
// file, or a list of which the first that exists is taken.
func (ld *load) checkVarsFiles(p place, n *yaml.Node) {
	nodes := []*yaml.Node{n}
	switch {
	case isEmpty(n):
		return
	case n.Kind == yaml.SequenceNode:
		nodes = document.Items(n)
	}
	for _, one := range nodes {
		names := []*yaml.Node{one}
		if one.Kind == yaml.SequenceNode {
			names = document.Items(one)
		}
		ld.varsFile(p, one, names)
	}
}

// varsFile checks one entry: the first of the files that exists.
func (ld *load) varsFile(p place, entry *yaml.Node, names []*yaml.Node) {
	var tried []string
	var last string
	for _, n := range names {
		v, err := p.doc.Value(n)
		if err != nil {
			return // reported with the keyword
		}
		name, isText := v.(string)
		if _, late := v.(*value.Template); late {
			return
		}
		if !isText {
			ld.strict(false, p.pos(n), "vars_files must hold the names of files, not %s", describe(v))
			return
		}
		path, looked := findIn(name, []string{filepath.Join(ld.dir, "vars"), ld.dir})
		if path != "" {
			ld.varsIn(path)
			return
		}
		last, tried = name, append(tried, looked...)
	}
	if len(tried) == 0 {
		return
	}
	e := ld.strict(false, p.pos(entry), "file of variables %q not found, looked for %s", last, strings.Join(tried, ", ")).rule(RuleFile)
	nearFile(e, last, tried)
}

// varsIn reads a file of variables for what is wrong with it.
func (ld *load) varsIn(path string) {
	doc, ok := ld.open(path)
	if !ok || isEmpty(doc.Root) {
		return
	}
	if doc.Root.Kind != yaml.MappingNode {
		ld.fail(doc.Pos(doc.Root), "a file of variables must be a dict, not %s", nodeKind(doc.Root))
		return
	}
	ld.value(doc, doc.Root)
}
