package check

import (
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/playbook"
	"gopkg.in/yaml.v3"
)

// decimalMode is a mode written as three or four digits without the 0 that makes them octal.
var decimalMode = regexp.MustCompile(`^[1-7][0-7]{2,3}$`)

// traps looks for what YAML and the forms of arguments make of a task against what its author meant.
func (w *walker) traps(t *playbook.Task) {
	if t.Module != nil {
		args, read := w.docs[t.Module]
		if !read {
			args = t.Module.Docs().Args
			w.docs[t.Module] = args
		}
		for _, n := range []*yaml.Node{t.Args.Node, t.Args.Extra} {
			w.scalars(t, n, args)
		}
	}
	w.lostText(t)
	w.colons(t)
	w.bareLoop(t)
}

// scalars checks the plain scalars among a module's arguments.
func (w *walker) scalars(t *playbook.Task, n *yaml.Node, args []modules.ArgDoc) {
	doc := document.Document{File: t.Args.File}
	for _, e := range document.Entries(n) {
		if e.Val == nil || e.Val.Kind != yaml.ScalarNode || e.Val.Style != 0 {
			continue
		}
		arg := docOf(e.Name, args)
		switch {
		case arg == nil:
		case arg.Type == "mode" || strings.HasSuffix(e.Name, "mode") && arg.Type == "str" || arg.Type == "any" && e.Name == "mode":
			if decimalMode.MatchString(e.Val.Value) {
				w.warn(ruleMode, doc.Pos(e.Val), "%s: %s is a decimal number and stands for the permissions %s", e.Name, e.Val.Value, octal(e.Val.Value)).
					hint("write \"0%s\"", strings.TrimPrefix(e.Val.Value, "0"))
			}
		case len(arg.Choices) == 0 && (arg.Type == "str" || arg.Name == "content"):
			w.altered(doc.Pos(e.Val), e.Name, e.Val.Value)
		}
	}
}

func docOf(name string, args []modules.ArgDoc) *modules.ArgDoc {
	for i, a := range args {
		if a.Name == name || slices.Contains(a.Aliases, name) {
			return &args[i]
		}
	}
	return nil
}

// octal is a decimal number in octal digits.
func octal(s string) string {
	n, _ := new(big.Int).SetString(s, 10)
	return "0" + n.Text(8)
}

// altered warns of a plain scalar that YAML reads as something whose text is another.
func (w *walker) altered(pos diag.Pos, name, text string) {
	var becomes string
	switch v := document.Scalar(text).(type) {
	case bool:
		becomes = map[bool]string{true: "True", false: "False"}[v]
	case int, *big.Int:
		becomes = fmt.Sprint(v)
	case float64:
		becomes, _ = value.Str(v)
	default:
		return
	}
	if strings.EqualFold(becomes, text) { // true is meant as such
		return
	}
	w.warn(ruleScalar, pos, "%s: YAML reads %s as %s", name, text, becomes).hint("quote it: \"%s\"", text)
}

// lostText warns of free text that an action with key=value arguments has no use for.
func (w *walker) lostText(t *playbook.Task) {
	switch t.BaseAction() {
	case "set_fact", "add_host", "group_by":
	default:
		return
	}
	v, given := t.Args.Values.Get("_raw_params")
	text, isText := v.(string)
	if given && isText && text != "" && t.Args.Values.Len() > 1 {
		w.warn(ruleLostText, t.Args.Text, "%s: %q behind the key=value arguments is lost", t.BaseAction(), text).
			hint("quote values with blanks, or write the arguments as a dict below %s:", t.BaseAction())
	}
}

// colons warns of a loop's items that end with a colon, so that YAML makes dicts of them.
func (w *walker) colons(t *playbook.Task) {
	list, ok := t.Loop.Value.(*value.List)
	if !ok {
		return
	}
	for _, item := range list.Items {
		d, isDict := item.(*value.Dict)
		if !isDict || d.Len() != 1 {
			continue
		}
		for k, v := range d.All() {
			if v == nil {
				w.warn(ruleColon, t.Loop.Pos, "the item %q ends with a colon, which makes it a dict", fmt.Sprint(k, ":")).
					hint("quote it if the colon is part of the text, else remove the colon")
			}
		}
	}
}

// bareLoop warns of with_items: name, which old versions of Ansible took for the variable.
func (w *walker) bareLoop(t *playbook.Task) {
	switch t.LoopWith {
	case "items", "dict", "nested", "together", "flattened", "indexed_items", "list", "random_choice", "subelements":
	default:
		return
	}
	if name, ok := t.Loop.Value.(string); ok && bareName.MatchString(name) {
		w.warn(playbook.RuleDeprecated, t.Loop.Pos, "with_%s: %s is the text %q, not the variable", t.LoopWith, name, name).
			hint("write \"{{ %s }}\"", name)
	}
}

// bareName is the name of a variable, perhaps with attributes.
var bareName = regexp.MustCompile(`^[A-Za-z_]\w*(\.\w+)*$`)

// renamed warns of variables under an old name.
func (c *checker) renamed(k *playbook.Keywords, file string) {
	if k.Vars == nil {
		return
	}
	for key, v := range k.Vars.All() {
		name, _ := key.(string)
		if now, old := renamedVars()[name]; old {
			c.warn(playbook.RuleDeprecated, c.wherein(file, name, v), "the variable %s is an old name", name).hint("write %s", now)
		}
	}
}
