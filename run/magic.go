package run

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/inventory"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/playbook"
	"github.com/hostlerhq/hostler/vars"
)

// magic makes the variables that no one writes down, when they are read. Host and task may be missing.
type magic struct {
	r    *runner
	p    *play
	b    *batch
	h    *hostVars
	task *playbook.Task
	// scope is what vars and hostvars[inventory_hostname] see.
	scope *vars.Scope
	check *bool // the task's own check mode
	diff  *bool
}

// lookup implements vars.Layer.Lookup.
func (m *magic) lookup(ctx context.Context, name string) (any, bool, error) {
	if m.h != nil {
		if v, ok := m.ofHost(name); ok {
			return v, true, nil
		}
	}
	if m.p != nil {
		if v, ok := m.ofPlay(name); ok {
			return v, true, nil
		}
	}
	if m.task != nil {
		if v, ok := m.ofTask(name); ok {
			return v, true, nil
		}
	}
	v, ok := m.ofRun(name)
	return v, ok, nil
}

func (m *magic) ofHost(name string) (any, bool) {
	switch name {
	case "inventory_hostname":
		return m.h.name, true
	case "inventory_hostname_short":
		short, _, _ := strings.Cut(m.h.name, ".")
		return short, true
	case "group_names":
		return m.r.groupNames(m.h.host), true
	case "inventory_file":
		return m.h.host.Pos.File, m.h.host.Pos.File != ""
	case "inventory_dir":
		if m.h.host.Pos.File == "" {
			return nil, true
		}
		dir, err := filepath.Abs(filepath.Dir(m.h.host.Pos.File))
		return dir, err == nil
	case "vars":
		if m.scope != nil {
			return &allVars{s: m.scope, h: m.h}, true
		}
	}
	return nil, false
}

func (m *magic) ofPlay(name string) (any, bool) {
	switch name {
	case "playbook_dir":
		return m.p.dir, true
	case "ansible_play_name":
		return m.p.name, true
	case "ansible_play_hosts_all":
		return texts(m.p.all), true
	case "ansible_play_hosts":
		return m.p.left(m.p.all), true
	case "play_hosts", "ansible_play_batch":
		if m.b != nil {
			return m.p.left(m.b.names), true
		}
	case "ansible_play_role_names", "role_names":
		return texts(m.p.roleNames()), true
	case "ansible_dependent_role_names":
		return texts(m.p.dependencyNames()), true
	case "ansible_role_names":
		return texts(unique(append(m.p.dependencyNames(), m.p.roleNames()...))), true
	}
	return nil, false
}

func (m *magic) ofTask(name string) (any, bool) {
	switch name {
	case "ansible_search_path":
		return texts(m.task.SearchPath(m.p.dir)), true
	case "environment":
		return environments(m.task), true
	}
	role := m.task.Role
	if role == nil {
		return nil, false
	}
	switch name {
	case "role_path":
		return role.Path, true
	case "role_name":
		return shortName(role), true
	case "ansible_role_name":
		return role.Name, true
	case "ansible_collection_name":
		return role.Collection, role.Collection != ""
	case "ansible_parent_role_names", "ansible_parent_role_paths":
		l := value.NewList()
		for up := includer(role); up != nil; up = includer(up) {
			if name == "ansible_parent_role_names" {
				l.Append(up.Name)
			} else {
				l.Append(up.Path)
			}
		}
		return l, l.Len() > 0
	}
	return nil, false
}

// shortName is a role's name without its collection's.
func shortName(r *playbook.Role) string {
	if r.Collection == "" {
		return r.Name
	}
	return strings.TrimPrefix(r.Name, r.Collection+".")
}

// includer is the role whose include_role or import_role brought a role, be it as a dependency of what was asked for.
func includer(r *playbook.Role) *playbook.Role {
	for r.Parent != nil && slices.Contains(r.Parent.Dependencies, r) {
		r = r.Parent
	}
	return r.Parent
}

func (m *magic) ofRun(name string) (any, bool) {
	o := &m.r.o
	switch name {
	case "omit":
		return vars.Omit, true
	case "hostvars":
		return &hostsMapping{m: m}, true
	case "groups":
		return m.r.groups(), true
	case "ansible_check_mode":
		return flag(m.check, o.Check), true
	case "ansible_diff_mode":
		return flag(m.diff, o.Diff), true
	case "ansible_verbosity":
		return o.Verbosity, true
	case "ansible_forks":
		return o.Forks, true
	case "ansible_version":
		return ansibleVersion(), true
	case "ansible_run_tags":
		if len(o.Tags) == 0 {
			return value.NewList("all"), true
		}
		return texts(o.Tags), true
	case "ansible_skip_tags":
		return texts(o.SkipTags), true
	case "ansible_limit":
		return o.Limit, o.Limit != ""
	case "ansible_config_file":
		return o.ConfigFile, o.ConfigFile != ""
	case "ansible_inventory_sources":
		return texts(o.InventorySources), true
	case "ansible_playbook_python":
		return "/usr/bin/python3", true
	}
	return nil, false
}

func flag(own *bool, general bool) bool {
	if own != nil {
		return *own
	}
	return general
}

func ansibleVersion() *value.Dict {
	return value.NewDict("string", modules.AnsibleVersion, "full", modules.AnsibleVersion, "major", 2, "minor", 14, "revision", 18)
}

func texts(in []string) *value.List {
	l := &value.List{Items: make([]any, len(in))}
	for i, s := range in {
		l.Items[i] = s
	}
	return l
}

// left are the hosts of a list that neither failed nor ended.
func (p *play) left(names []string) *value.List {
	if len(names) == 0 {
		return value.NewList()
	}
	p.r.mu.RLock()
	l, ok := p.lists[&names[0]]
	p.r.mu.RUnlock()
	if ok {
		return l
	}
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	l = &value.List{Items: make([]any, 0, len(names))}
	for _, n := range names {
		if !p.removed[n] {
			l.Items = append(l.Items, n)
		}
	}
	if p.lists == nil {
		p.lists = make(map[*string]*value.List)
	}
	p.lists[&names[0]] = l
	return l
}

// roleNames are the names of the play's roles without their dependencies, in order.
func (p *play) roleNames() []string {
	var out []string
	for _, r := range p.src.Roles {
		out = append(out, r.Name)
	}
	for _, r := range p.public {
		out = append(out, r.role.Name)
	}
	return out
}

// dependencyNames are the names of the roles that the play's depend on, each once.
func (p *play) dependencyNames() []string {
	var out []string
	var add func([]*playbook.Role)
	add = func(roles []*playbook.Role) {
		for _, r := range roles {
			out = append(out, r.Name)
			add(r.Dependencies)
		}
	}
	for _, r := range p.src.Roles {
		add(r.Dependencies)
	}
	for _, r := range p.public {
		add(r.role.Dependencies)
	}
	return unique(out)
}

// unique leaves out texts that were there before.
func unique(in []string) []string {
	seen := make(map[string]bool, len(in))
	return slices.DeleteFunc(in, func(s string) bool {
		was := seen[s]
		seen[s] = true
		return was
	})
}

func (r *runner) groupNames(h *inventory.Host) *value.List {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var names []string
	for _, g := range r.inv.GroupsOf(h) {
		if g.Name != "all" {
			names = append(names, g.Name)
		}
	}
	if len(names) == 0 && !h.Implicit {
		names = []string{"ungrouped"}
	}
	slices.Sort(names)
	return texts(slices.Compact(names))
}

// groups is the variable groups: every group's hosts, those of its children included.
func (r *runner) groups() *value.Dict {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.groupsDict == nil {
		d := value.NewDict()
		for _, g := range r.inv.Groups() {
			d.Set(g.Name, texts(membersOf(r.inv, g)))
		}
		r.groupsDict = d
	}
	return r.groupsDict
}

func membersOf(inv *inventory.Inventory, g *inventory.Group) []string {
	var out []string
	if g.Name == "all" {
		for _, h := range inv.Hosts() {
			if !h.Implicit {
				out = append(out, h.Name)
			}
		}
		return out
	}
	seen := map[string]bool{}
	var walk func(*inventory.Group)
	walk = func(g *inventory.Group) {
		for _, h := range g.Hosts {
			if !seen[h.Name] {
				seen[h.Name] = true
				out = append(out, h.Name)
			}
		}
		for _, c := range g.Children {
			walk(c)
		}
	}
	walk(g)
	return out
}

// hostsMapping is hostvars: every host of the inventory, its variables read as they are asked for.
type hostsMapping struct{ m *magic }

func (h *hostsMapping) TypeName() string { return "HostVars" }

func (h *hostsMapping) Keys(context.Context) ([]any, error) {
	h.m.r.mu.RLock()
	defer h.m.r.mu.RUnlock()
	var out []any
	for _, host := range h.m.r.inv.Hosts() {
		out = append(out, host.Name)
	}
	return out, nil
}

func (h *hostsMapping) Lookup(_ context.Context, key any) (any, bool, error) {
	name, ok := key.(string)
	if !ok {
		return nil, false, nil
	}
	hv := h.m.r.varsOf(name)
	if hv == nil {
		return nil, false, nil
	}
	return &allVars{s: h.m.r.hostScope(h.m.p, h.m.b, hv), h: hv}, true, nil
}

// hostScope sees what hostvars shows of a host: no play's, role's or task's variables.
func (r *runner) hostScope(p *play, b *batch, h *hostVars) *vars.Scope {
	layers := h.layers(r)
	m := &magic{r: r, p: p, b: b, h: h}
	layers = append(layers,
		vars.Layer{Level: vars.Extra, Source: "extra vars", Vars: r.o.ExtraVars},
		vars.Layer{Level: vars.Magic, Source: "magic", Lookup: m.lookup})
	return r.o.Engine.Scope(layers...)
}

// allVars is one host's variables as a mapping: the value of vars and of hostvars' entries.
type allVars struct {
	s *vars.Scope
	h *hostVars
}

func (a *allVars) TypeName() string { return "HostVarsVars" }

func (a *allVars) Lookup(ctx context.Context, key any) (any, bool, error) {
	name, ok := key.(string)
	if !ok {
		return nil, false, nil
	}
	return a.s.Lookup(ctx, name)
}

func (a *allVars) Keys(context.Context) ([]any, error) {
	if a.s == nil {
		return nil, errors.New("no variables")
	}
	names := append(a.s.Names(), a.h.names()...)
	names = append(names, "inventory_hostname", "inventory_hostname_short", "inventory_dir", "inventory_file", "group_names", "groups", "playbook_dir",
		"ansible_check_mode", "ansible_version", "omit")
	slices.Sort(names)
	names = slices.Compact(names)
	out := make([]any, len(names))
	for i, n := range names {
		out[i] = n
	}
	return out, nil
}

// environments is the variable environment: what environment says at each level, as written, the play's first.
func environments(t *playbook.Task) *value.List {
	l := value.NewList()
	for k := &t.Keywords; k != nil; k = k.Level.Parent {
		if !k.Environment.Set {
			continue
		}
		if many, ok := k.Environment.Value.(*value.List); ok {
			l.Items = append(slices.Clone(many.Items), l.Items...)
		} else {
			l.Items = append([]any{k.Environment.Value}, l.Items...)
		}
	}
	return l
}
