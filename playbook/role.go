package playbook

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja/value"
	"gopkg.in/yaml.v3"
)

// LoadRole reads a role for include_role at run time, with its dependencies. The same include again gives the same role.
// It leaves the play as it is: the role's handlers, and those of roles that it imports (see Imported), are for the run to add.
// Warnings come with the first load only.
func (l *Loader) LoadRole(use RoleUse, play *Play, parent *Keywords) (*Role, diag.List, error) {
	key := fmt.Sprintf("%p %p %p %+v", play, parent, use.Parent, useKey(use))
	l.mu.Lock()
	was, ok := l.roles[key]
	l.mu.Unlock()
	if ok {
		return was.val, nil, was.err
	}
	ld := l.start(playDir(play))
	ld.running = true
	p := place{doc: document.Document{File: use.Pos.File}, play: play, role: use.Parent, parent: parent, guard: guarded(parent)}
	now := &loaded[*Role]{val: ld.role(p, use, Keywords{})}
	if now.val != nil {
		now.val.Included = true
	}
	now.list, now.err = ld.end()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.roles == nil {
		l.roles = make(map[string]*loaded[*Role])
	}
	l.roles[key] = now
	return now.val, now.list, now.err
}

// useKey is what makes two uses of a role the same.
func useKey(use RoleUse) string {
	return fmt.Sprint(use.Name, "|", use.TasksFrom, "|", use.VarsFrom, "|", use.DefaultsFrom, "|", use.HandlersFrom, "|",
		plain(use.Params), use.AllowDuplicates, use.Public, use.SkipSpec)
}

// plain writes a value with all that is in it, templates as their text.
func plain(v any) string {
	switch v := v.(type) {
	case *value.Dict:
		var b strings.Builder
		for k, item := range v.All() {
			fmt.Fprintf(&b, "%v=%s,", k, plain(item))
		}
		return "{" + b.String() + "}"
	case *value.List:
		var b strings.Builder
		for _, item := range v.Items {
			b.WriteString(plain(item) + ",")
		}
		return "[" + b.String() + "]"
	case *value.Template:
		return v.Text
	}
	return fmt.Sprintf("%T:%v", v, v)
}

// role reads a role, its dependencies first. Own are the keywords of its use, not yet linked to p.parent.
func (ld *load) role(p place, use RoleUse, own Keywords) *Role {
	r := &Role{
		Name: use.Name, Params: use.Params, Pos: use.Pos, Parent: use.Parent,
		AllowDuplicates: use.AllowDuplicates, Public: use.Public,
	}
	r.Tasks = &Block{Keywords: own, Pos: use.Pos, Role: r, RoleEnd: true}
	r.Tasks.inherit(p.parent)
	var tried []string
	r.Path, r.Collection, tried = ld.findRole(use.Name, p)
	if r.Path == "" {
		ld.roleNotFound(use, tried)
		return nil
	}
	if r.Collection != "" && !strings.HasPrefix(r.Name, r.Collection+".") {
		r.Name = r.Collection + "." + r.Name
	}
	if slices.Contains(p.chain, r.Path) {
		ld.fail(use.Pos, "the role depends on itself: %s", roleChain(r))
		return nil
	}
	conditions := make([]string, 0, len(own.When))
	for _, w := range own.When {
		conditions = append(conditions, plain(w.Value))
	}
	r.Key = fmt.Sprint(r.Path, "|", useKey(use), "|", own.Tags, "|", conditions, "|", plain(own.Vars))

	inner := p
	inner.role, inner.parent, inner.handler, inner.inBlock = r, &r.Tasks.Keywords, false, false
	inner.guard = p.guard || guarded(inner.parent)
	inner.chain = append(slices.Clone(p.chain), r.Path)
	r.Defaults = ld.roleVars(r, "defaults", use.DefaultsFrom, use.Pos)
	r.Vars = ld.roleVars(r, "vars", use.VarsFrom, use.Pos)
	specs := ld.roleMeta(inner, r)
	ld.roleTasks(inner, r, use, specs)
	ld.plugins(r)
	return r
}

// roleChain names a role and those that led to it.
func roleChain(r *Role) string {
	names := []string{r.Name}
	for up := r.Parent; up != nil; up = up.Parent {
		names = append(names, up.Name)
	}
	slices.Reverse(names)
	return strings.Join(names, " → ")
}

// findRole looks a role up: collections for ns.collection.role and for the collections keyword, then roles beside the
// playbook, RolesPath, the folder that the role using it lies in, the playbook's folder.
func (ld *load) findRole(name string, p place) (path, collection string, tried []string) {
	names := []string{}
	if strings.Count(name, ".") >= 2 && !strings.Contains(name, "/") {
		names = append(names, name)
	} else {
		names = ld.collectionNames(name, p)
	}
	for _, full := range names {
		parts := strings.SplitN(full, ".", 3)
		for _, dir := range ld.collectionDirs() {
			path := filepath.Join(dir, parts[0], parts[1], "roles", strings.ReplaceAll(parts[2], ".", "/"))
			if isDir(path) {
				return path, parts[0] + "." + parts[1], nil
			}
			if full == name {
				tried = append(tried, path)
			}
		}
	}
	dirs := append([]string{filepath.Join(ld.dir, "roles")}, ld.RolesPath...)
	if p.role != nil {
		dirs = append(dirs, filepath.Dir(p.role.Path))
	}
	dirs = append(dirs, ld.dir)
	if filepath.IsAbs(name) {
		dirs = []string{""}
	}
	for _, dir := range dirs {
		path := filepath.Join(dir, name)
		if isDir(path) {
			return path, "", nil
		}
		if !slices.Contains(tried, path) {
			tried = append(tried, path)
		}
	}
	return "", "", tried
}

// collectionDirs are the folders that hold namespaces: the one beside the playbook, then those of CollectionsPath.
func (ld *load) collectionDirs() []string {
	dirs := []string{filepath.Join(ld.dir, "collections", "ansible_collections")}
	for _, dir := range ld.CollectionsPath {
		if filepath.Base(dir) != "ansible_collections" {
			dir = filepath.Join(dir, "ansible_collections")
		}
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// collectionNames are the full names that the collections keyword, and the role's own collection, give a short one.
func (ld *load) collectionNames(name string, p place) []string {
	var out []string
	if p.role != nil && p.role.Collection != "" {
		out = append(out, p.role.Collection+"."+name)
	}
	f := p.parent.Inherited(func(k *Keywords) Field { return k.Collections })
	switch v := f.Value.(type) {
	case string:
		out = append(out, v+"."+name)
	case *value.List:
		for _, c := range v.Items {
			out = append(out, pyText(c)+"."+name)
		}
	}
	return slices.DeleteFunc(out, func(s string) bool { return strings.Count(s, ".") < 2 })
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

func (ld *load) roleNotFound(use RoleUse, tried []string) {
	e := ld.fail(use.Pos, "role %q not found, looked for %s", use.Name, strings.Join(tried, ", ")).rule(RuleRole)
	if strings.Count(use.Name, ".") >= 2 {
		e.hint("install its collection in the folder collections beside the playbook, or below one of the folders of collections_path")
		return
	}
	for _, path := range tried {
		dirs, err := os.ReadDir(filepath.Dir(path))
		if err != nil {
			continue
		}
		var names []string
		for _, d := range dirs {
			names = append(names, d.Name())
		}
		if near := diag.Near(filepath.Base(use.Name), names); near != "" && len(near) > 2 {
			e.hint("did you mean %q?", near)
			return
		}
	}
}

// roleFile finds a role's file: main, or the one that X_from names. "" is none.
func roleFile(r *Role, part, from string, folder bool) string {
	base, exts := "main", []string{".yml", ".yaml", ".json", ""}
	if from != "" {
		base = from
		exts = []string{"", ".yml", ".yaml", ".json"}
		if filepath.Ext(from) == "" {
			exts = []string{".yml", ".yaml", ".json", ""}
		}
	}
	for _, ext := range exts {
		path := filepath.Join(r.Path, part, base+ext)
		if st, err := os.Stat(path); err == nil && (folder || !st.IsDir()) {
			return path
		}
	}
	return ""
}

// roleVars reads defaults or vars: a file or a folder of files, in the order of their names.
func (ld *load) roleVars(r *Role, part, from string, pos diag.Pos) *value.Dict {
	path := roleFile(r, part, from, true)
	if path == "" {
		if from != "" {
			ld.fail(pos, "role %s has no file %s/%s", r.Name, part, from)
		}
		return nil
	}
	out := value.NewDict()
	for _, f := range varFiles(path) {
		doc, ok := ld.open(f)
		if !ok || isEmpty(doc.Root) {
			continue
		}
		d, isDict := ld.value(doc, doc.Root).(*value.Dict)
		if !isDict {
			ld.fail(doc.Pos(doc.Root), "a role's %s must be a dict of variables, not %s", part, nodeKind(doc.Root))
			continue
		}
		for k, v := range d.All() {
			out.Set(k, v)
		}
	}
	return out
}

// varFiles is a file, or the YAML and JSON files below a folder.
func varFiles(path string) []string {
	if !isDir(path) {
		return []string{path}
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") {
			continue
		}
		full := filepath.Join(path, name)
		switch ext := filepath.Ext(name); {
		case e.IsDir():
			out = append(out, varFiles(full)...)
		case ext == ".yml" || ext == ".yaml" || ext == ".json" || ext == "":
			out = append(out, full)
		}
	}
	return out
}

// roleTasks reads the role's tasks and handlers, with the check of its arguments in front when it has a spec.
func (ld *load) roleTasks(p place, r *Role, use RoleUse, specs *value.Dict) {
	if path := roleFile(r, "handlers", use.HandlersFrom, false); path != "" {
		h := p
		h.handler = true
		r.Handlers = ld.taskFileIn(path, h)
	} else if use.HandlersFrom != "" {
		ld.fail(use.Pos, "role %s has no file handlers/%s", r.Name, use.HandlersFrom)
	}
	path := roleFile(r, "tasks", use.TasksFrom, false)
	switch {
	case path != "":
		r.Tasks.File = path
		r.Tasks.Body = ld.taskFileIn(path, p)
	case use.TasksFrom != "":
		e := ld.fail(use.Pos, "role %s has no file tasks/%s", r.Name, use.TasksFrom)
		if files, err := os.ReadDir(filepath.Join(r.Path, "tasks")); err == nil {
			var names []string
			for _, f := range files {
				names = append(names, f.Name(), strings.TrimSuffix(f.Name(), filepath.Ext(f.Name())))
			}
			if near := diag.Near(use.TasksFrom, names); near != "" {
				e.hint("did you mean %q?", near)
			}
		}
	}
	if check := ld.specTask(p, r, use, specs); check != nil {
		r.Tasks.Body = append([]Node{check}, r.Tasks.Body...)
	}
}

// taskFileIn reads a role's own file of tasks; an empty one is no mistake.
func (ld *load) taskFileIn(path string, p place) []Node {
	doc, ok := ld.open(path)
	if !ok || isEmpty(doc.Root) {
		return nil
	}
	return ld.taskFile(path, p)
}

// specTask is the task that checks a role's arguments against its spec.
func (ld *load) specTask(p place, r *Role, use RoleUse, specs *value.Dict) *Task {
	entry := "main"
	if use.TasksFrom != "" {
		entry = strings.TrimSuffix(use.TasksFrom, filepath.Ext(use.TasksFrom))
	}
	v, _ := specs.Get(entry)
	spec, ok := v.(*value.Dict)
	if !ok || use.SkipSpec {
		return nil
	}
	options, _ := spec.Get("options")
	if options == nil {
		options = value.NewDict()
	}
	name := fmt.Sprintf("Validating arguments against arg spec '%s'", entry)
	if short := spec.Str("short_description"); short != "" {
		name += " - " + short
	}
	t := &Task{Pos: r.Pos, Play: p.play, Role: r, File: filepath.Join(r.Path, "meta"), Action: "ansible.builtin.validate_argument_spec", ActionPos: r.Pos}
	t.Name = Field{Value: name, Pos: r.Pos, Set: true}
	t.Tags = []string{"always"}
	t.inherit(p.parent)
	provided := r.Params
	if provided == nil {
		provided = value.NewDict()
	}
	t.Args = Args{Pos: r.Pos, File: r.Pos.File, Values: value.NewDict(
		"argument_spec", options,
		"provided_arguments", provided,
		"validate_args_context", value.NewDict("type", "role", "name", r.Name, "argument_spec_name", entry, "path", r.Path),
	)}
	return t
}

// roleEntries reads roles: of a play or dependencies of a role.
func (ld *load) roleEntries(p place, n *yaml.Node, what string) []*Role {
	if isEmpty(n) {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		ld.fail(p.pos(n), "%s must be a list of roles, not %s", what, nodeKind(n))
		return nil
	}
	var out []*Role
	for _, item := range document.Items(n) {
		if r := ld.roleEntry(p, item); r != nil {
			out = append(out, r)
		}
	}
	return out
}

// roleEntry reads one role: its name, or a dict with role, keywords and, as other keys, parameters.
func (ld *load) roleEntry(p place, n *yaml.Node) *Role {
	use := RoleUse{Pos: p.pos(n), Parent: p.role}
	var own Keywords
	var name *yaml.Node
	switch {
	case isEmpty(n):
		ld.fail(p.pos(n), "a role's name is empty")
		return nil
	case n.Kind == yaml.ScalarNode:
		name = n
		if strings.Contains(n.Value, ",") {
			ld.fail(p.pos(n), "%q is the old form of a role with a version", shorten(n.Value)).hint("write only the role's name")
			return nil
		}
	case n.Kind == yaml.MappingNode:
		name = ld.roleDict(p, n, &use, &own)
	default:
		ld.fail(p.pos(n), "a role must be its name or a dict, not %s", nodeKind(n))
		return nil
	}
	if name == nil {
		ld.fail(p.pos(n), "the role entry names no role").hint("write role: name")
		return nil
	}
	v := ld.value(p.doc, name)
	use.Pos = p.pos(name)
	k := own
	k.Level.Parent = p.parent
	var ok bool
	if use.Name, ok = ld.early(v, use.Pos, &k, p, "include_role in the tasks"); !ok {
		return nil
	}
	return ld.role(p, use, own)
}

// roleDict reads a role entry that is a dict and gives the node of its name.
func (ld *load) roleDict(p place, n *yaml.Node, use *RoleUse, own *Keywords) *yaml.Node {
	var name, alias *yaml.Node
	for _, e := range document.Entries(n) {
		kw := keywords[e.Name]
		switch {
		case e.Name == "role":
			name = e.Val
		case e.Name == "name":
			alias = e.Val
		case e.Name == "src" && p.role != nil && name == nil:
			alias = e.Val
		case kw.in&onRole != 0 && ld.shared(p, e, own):
		default:
			if use.Params == nil {
				use.Params = value.NewDict()
			}
			use.Params.Set(e.Name, ld.value(p.doc, e.Val))
		}
	}
	if name == nil {
		name = alias
	}
	return name
}
