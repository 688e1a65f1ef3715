package run

import (
	"slices"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/playbook"
)

// unsupported are the keywords that the loader reads and a run does not honour, each with the values that are
// harmless all the same. A keyword that is not here works.
var unsupported = []struct {
	name     string
	of       func(*playbook.Task) playbook.Field
	harmless func(v any) bool
	hint     string
}{
	{
		name: "debugger", of: func(t *playbook.Task) playbook.Field {
			return t.Inherited(func(k *playbook.Keywords) playbook.Field { return k.Debugger })
		},
		harmless: func(v any) bool { return v == "never" },
		hint:     "run with -vvv, or with --step",
	},
}

// Check finds the keywords of a playbook that a run would not honour. Play returns them as
// its error before any host is contacted.
func Check(pb *playbook.Playbook) diag.List {
	var found diag.List
	for _, p := range pb.Plays {
		found = append(found, Unsupported(slices.Concat(p.PreTasks, p.RoleTasks, p.Tasks, p.PostTasks, p.Handlers))...)
	}
	return found
}

// Unsupported finds the keywords in tasks and blocks that a run would not honour.
func Unsupported(list []playbook.Node) diag.List {
	c := checker{seen: make(map[diag.Pos]bool)}
	c.nodes(list)
	return c.found
}

// checkNodes is Unsupported for tasks that are included while the play runs.
func checkNodes(list []playbook.Node) error {
	c := checker{seen: make(map[diag.Pos]bool)}
	c.nodes(list)
	for _, r := range playbook.Imported(list) {
		c.nodes(r.AllHandlers())
	}
	return c.found.Err()
}

type checker struct {
	seen  map[diag.Pos]bool
	found diag.List
}

func (c *checker) nodes(list []playbook.Node) {
	for _, n := range list {
		switch n := n.(type) {
		case *playbook.Block:
			c.nodes(n.Body)
			c.nodes(n.Rescue)
			c.nodes(n.Always)
		case *playbook.Task:
			c.task(n)
		}
	}
}

func (c *checker) task(t *playbook.Task) {
	for _, u := range unsupported {
		f := u.of(t)
		if !f.Set || u.harmless(f.Value) || c.seen[f.Pos] {
			continue
		}
		c.seen[f.Pos] = true
		c.found = append(c.found, diag.Errorf(f.Pos, "%s is not supported", u.name).WithHint("%s", u.hint))
	}
}
