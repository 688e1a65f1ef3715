package playbook

import (
	"iter"
	"slices"
)

// Selected reports whether --tags and --skip-tags choose a task. No tags to run means all. A tag of the task that still
// holds a template counts as its text; SelectedTags takes rendered ones.
func Selected(t *Task, only, skip []string) bool { return SelectedTags(t.Tags, only, skip) }

// SelectedTags is Selected for a list of tags. always runs unless it is skipped itself, never only when one of the
// task's tags is asked for; tagged, untagged and all stand for what they say.
func SelectedTags(tags, only, skip []string) bool {
	untagged := len(tags) == 0
	if untagged {
		tags = []string{"untagged"}
	}
	if len(only) == 0 {
		only = []string{"all"}
	}
	has := func(list []string, tag string) bool { return slices.Contains(list, tag) }
	shares := func(list []string) bool {
		return slices.ContainsFunc(list, func(tag string) bool { return has(tags, tag) })
	}
	never := has(tags, "never")
	run := has(tags, "always") || shares(only) ||
		has(only, "all") && !never ||
		has(only, "tagged") && !untagged && !never
	if !run {
		return false
	}
	switch {
	case has(skip, "all"):
		return has(tags, "always") && !has(skip, "always")
	case shares(skip), has(skip, "tagged") && !untagged:
		return false
	}
	return true
}

// AllTasks are the play's tasks in the order in which they run, rescue and always included, handlers not.
func (p *Play) AllTasks() iter.Seq[*Task] {
	return func(yield func(*Task) bool) {
		for _, list := range [][]Node{p.PreTasks, p.RoleTasks, p.Tasks, p.PostTasks} {
			if !walk(list, yield) {
				return
			}
		}
	}
}

// AllHandlers are the play's handlers in order.
func (p *Play) AllHandlers() iter.Seq[*Task] {
	return func(yield func(*Task) bool) { walk(p.Handlers, yield) }
}

// walk gives the tasks of a list in order; false means that yield wants no more.
func walk(list []Node, yield func(*Task) bool) bool {
	for _, n := range list {
		switch n := n.(type) {
		case *Task:
			if !yield(n) {
				return false
			}
		case *Block:
			if !walk(n.Body, yield) || !walk(n.Rescue, yield) || !walk(n.Always, yield) {
				return false
			}
		}
	}
	return true
}

// Imported gives the roles that import_role brought into nodes that were loaded for an include.
func Imported(nodes []Node) []*Role {
	var out []*Role
	for _, n := range nodes {
		b, ok := n.(*Block)
		if !ok {
			continue
		}
		if b.RoleEnd && b.Role != nil && b.Role.Included {
			out = append(out, b.Role)
		}
		out = append(out, Imported(b.Body)...)
		out = append(out, Imported(b.Rescue)...)
		out = append(out, Imported(b.Always)...)
	}
	return out
}

// ListedTask is a line of --list-tasks.
type ListedTask struct {
	Task *Task
	Name string   // with its role in front; the action of a task without name
	Tags []string // the task's and the play's, sorted
}

// ListTasks are the tasks that --list-tasks prints for the tags given: all that they choose, but as in Ansible those of
// rescue and always.
func (p *Play) ListTasks(only, skip []string) []ListedTask {
	var out []ListedTask
	for _, list := range [][]Node{p.PreTasks, p.RoleTasks, p.Tasks, p.PostTasks} {
		out = listNodes(out, list, only, skip)
	}
	return out
}

func listNodes(out []ListedTask, list []Node, only, skip []string) []ListedTask {
	for _, n := range list {
		switch n := n.(type) {
		case *Block:
			out = listNodes(out, n.Body, only, skip)
		case *Task:
			if !Selected(n, only, skip) {
				continue
			}
			name := n.Action
			if n.Name.Set {
				name = n.Title()
			}
			tags := slices.Clone(n.Tags)
			slices.Sort(tags)
			out = append(out, ListedTask{Task: n, Name: name, Tags: slices.Compact(tags)})
		}
	}
	return out
}

// ListTags are the tags that --list-tags prints for the tags given, sorted.
func (p *Play) ListTags(only, skip []string) []string {
	var out []string
	for _, t := range p.ListTasks(only, skip) {
		out = append(out, t.Tags...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Title is the task's name as Ansible shows it, unrendered: "role : name", with the action in place of a missing
// name.
func (t *Task) Title() string {
	name := t.Action
	if t.Name.Set {
		name = pyText(t.Name.Value)
	}
	if t.Role != nil {
		return t.Role.Name + " : " + name
	}
	return name
}
