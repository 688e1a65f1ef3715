package playbook

import "github.com/hostlerhq/hostler/jinja/value"

// RoleUse is what an include_role asks for, when all of it is known without a host.
func (t *Task) RoleUse() (use RoleUse, known bool) {
	use = RoleUse{Parent: t.Role, AllowDuplicates: true}
	name, pos, ok := t.argText("name", "role")
	use.Pos = pos
	use.Name, known = name.(string)
	if !ok || !known || t.Args.Whole.Set {
		return use, false
	}
	for arg, into := range map[string]*string{
		"tasks_from": &use.TasksFrom, "vars_from": &use.VarsFrom, "defaults_from": &use.DefaultsFrom, "handlers_from": &use.HandlersFrom,
	} {
		v, _, given := t.argText(arg)
		if !given {
			continue
		}
		if *into, known = v.(string); !known {
			return use, false
		}
	}
	for arg, into := range map[string]*bool{"allow_duplicates": &use.AllowDuplicates, "public": &use.Public} {
		if v, given := t.Args.Values.Get(arg); given {
			*into, _ = truth(v)
		}
	}
	if v, given := t.Args.Values.Get("rolespec_validate"); given {
		_, late := v.(*value.Template)
		check, _ := truth(v)
		use.SkipSpec = !check && !late
	}
	return use, true
}

// IncludedFile is the file that an include_tasks names, when that is known without a host.
func (t *Task) IncludedFile() (name string, known bool) {
	v, _, ok := t.argText("file")
	name, known = v.(string)
	return name, ok && known && !t.Args.Whole.Set
}
