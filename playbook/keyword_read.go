package playbook

import (
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja/value"
	"gopkg.in/yaml.v3"
)

// shared reads one of the keywords that plays, roles, blocks and tasks share into k; false means that it is none.
func (ld *load) shared(p place, e document.Entry, k *Keywords) bool {
	kw := keywords[e.Name]
	switch {
	case kw.field != nil:
		*kw.field(k) = ld.field(p, e, kw.kind)
	case e.Name == "vars":
		k.Vars = ld.vars(p.doc, e)
	case e.Name == "tags":
		k.Tags = ld.tagList(p, e)
	case e.Name == "when":
		k.When = ld.conditions(p, e)
	default:
		return false
	}
	return true
}

// inherit links k to those around it and adds their tags and conditions.
func (k *Keywords) inherit(parent *Keywords) {
	k.Level.Parent = parent
	if parent == nil {
		return
	}
	tags := slices.Clone(parent.Tags)
	for _, t := range k.Tags {
		if !slices.Contains(tags, t) {
			tags = append(tags, t)
		}
	}
	k.Tags = tags
	k.When = slices.Concat(parent.When, k.When)
}

// vars reads vars: a dict, or as in old playbooks a list of dicts.
func (ld *load) vars(doc document.Document, e document.Entry) *value.Dict {
	out := value.NewDict()
	nodes := []*yaml.Node{e.Val}
	if e.Val.Kind == yaml.SequenceNode {
		nodes = document.Items(e.Val)
	}
	for _, n := range nodes {
		switch v := ld.value(doc, n).(type) {
		case nil:
		case *value.Dict:
			ld.varNames(doc, n)
			for key, val := range v.All() {
				out.Set(key, val)
			}
		default:
			ld.fail(doc.Pos(n), "vars must be a dict, not %s", describe(v))
		}
	}
	return out
}

// varNames checks the names of variables as Ansible does when it loads them.
func (ld *load) varNames(doc document.Document, n *yaml.Node) {
	for _, e := range document.Entries(n) {
		if !validName(e.Name) {
			ld.fail(doc.Pos(e.Key), "%q is not a valid name for a variable", e.Name).
				hint("a name is letters, digits and underscores, does not begin with a digit, and is no word of Python")
		}
	}
}

// pythonWords cannot be names of variables.
var pythonWords = []string{
	"False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif",
	"else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not", "or",
	"pass", "raise", "return", "try", "while", "with", "yield",
}

func validName(s string) bool {
	if s == "" || slices.Contains(pythonWords, s) {
		return false
	}
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return true
}

// misplaced reports a key that may not stand where it does: a keyword of elsewhere, an old one, or a slip.
func (ld *load) misplaced(pos diag.Pos, name string, at site) {
	if hint, old := removed[name]; old {
		ld.fail(pos, "%s is no longer a keyword", name).rule(RuleDeprecated).hint("%s", hint)
		return
	}
	if name == "import_playbook" {
		ld.fail(pos, "import_playbook cannot stand on %s", at).hint("it is an entry of the playbook's own list, beside the plays")
		return
	}
	if kw, ok := keywords[name]; ok {
		ld.fail(pos, "%s cannot stand on %s", name, at).rule(RuleKeyword).hint("it belongs to %s", kw.in)
		return
	}
	if strings.HasPrefix(name, "with_") && at&onTasks != 0 {
		e := ld.fail(pos, "there is no loop %s", name).rule(RuleKeyword)
		if near := diag.Near(strings.TrimPrefix(name, "with_"), withLoops); near != "" {
			e.hint("did you mean with_%s?", near)
		}
		return
	}
	e := ld.fail(pos, "%q is not a keyword of %s", name, at).rule(RuleKeyword)
	if near := diag.Near(name, keywordNames(at)); near != "" {
		e.hint("did you mean %q?", near)
	}
}
