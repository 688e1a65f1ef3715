package inventory

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja/value"
	"gopkg.in/yaml.v3"
)

// pluginName gives the value of a file's plugin: key, or "".
func pluginName(path string, text []byte) string {
	if !strings.Contains(string(text), "plugin") {
		return ""
	}
	docs, _, err := document.Parse(path, text)
	if err != nil || len(docs) == 0 || docs[0].Root == nil || docs[0].Root.Kind != yaml.MappingNode {
		return ""
	}
	v, err := docs[0].Value(docs[0].Root)
	if dict, ok := v.(*value.Dict); ok && err == nil {
		return dict.Str("plugin")
	}
	return ""
}

// readPlugin reads the configuration of an inventory plugin (what auto does in Ansible).
func (l *loader) readPlugin(name, path string, text []byte) error {
	docs, _, err := document.Parse(path, text)
	if err != nil {
		return err
	}
	doc := docs[0]
	short := strings.TrimPrefix(name, "ansible.builtin.")
	known := []string{"constructed", "generator", "libvirt", "community.libvirt.libvirt"}
	if !slices.Contains(known, short) {
		e := diag.Errorf(doc.Locate(doc.Root, []any{"plugin"}, false), "inventory plugin %q is not known", name)
		if near := diag.Near(name, known); near != "" {
			return e.WithHint("did you mean %q?", near)
		}
		return e.WithHint("known are constructed, generator and libvirt; plugins written in Python can serve through an inventory script")
	}
	if l.opts.Evaluate == nil {
		return diag.Errorf(doc.Pos(doc.Root), "the inventory plugin %s needs templates, which are not to be had here", short)
	}
	v, err := doc.Value(doc.Root)
	if err != nil {
		return err
	}
	switch short {
	case "generator":
		return l.generate(doc, v.(*value.Dict))
	case "libvirt", "community.libvirt.libvirt":
		return l.readLibvirt(doc, v.(*value.Dict))
	}
	c := constructed{loader: l, doc: doc, config: v.(*value.Dict)}
	return c.run()
}

// constructed makes variables and groups from expressions, for the hosts that
// the sources before it defined.
type constructed struct {
	*loader
	doc    document.Document
	config *value.Dict
	strict bool
}

func (c *constructed) run() error {
	c.strict = c.flag("strict", false)
	for key := range c.config.All() {
		name, _ := key.(string)
		known := []string{"plugin", "strict", "compose", "groups", "keyed_groups", "use_vars_plugins", "use_extra_vars", "leading_separator"}
		if !slices.Contains(known, name) {
			hint := ""
			if near := diag.Near(name, known); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			c.warn(c.at(name), hint, "skipping option %q of the constructed inventory", name)
		}
	}
	var files *varsFiles
	if c.flag("use_vars_plugins", false) {
		opts := c.opts
		opts.PlaybookDir = ""
		files = newVarsFiles(c.inv.Sources, opts)
	}
	var errs diag.List
	for _, h := range slices.Clone(c.inv.hosts) {
		errs.Add(c.host(h, files))
	}
	return errs.Err()
}

func (c *constructed) at(path ...any) diag.Pos { return c.doc.Locate(c.doc.Root, path, true) }

func (c *constructed) flag(name string, def bool) bool {
	v, ok := c.config.Get(name)
	if b, isBool := v.(bool); ok && isBool {
		return b
	}
	return def
}

func (c *constructed) dict(name string) *value.Dict {
	v, _ := c.config.Get(name)
	d, _ := v.(*value.Dict)
	return d
}

func (c *constructed) host(h *Host, files *varsFiles) error {
	vars, err := c.vars(h, files)
	if err != nil {
		return err
	}
	compose := c.dict("compose")
	for k, expr := range compose.All() {
		name := fmt.Sprint(k)
		v, err := c.evaluate(expr, c.withExtra(vars))
		if err != nil {
			if c.strict {
				return diag.Errorf(c.at("compose", k), "composing %s of host %s: %w", name, h.Name, err)
			}
			continue
		}
		c.setHostVar(h, name, v)
	}
	if compose.Len() > 0 {
		if vars, err = c.vars(h, files); err != nil {
			return err
		}
	}
	for k, cond := range c.dict("groups").All() {
		yes, err := c.condition(cond, vars)
		if err != nil {
			if c.strict {
				return diag.Errorf(c.at("groups", k), "group %v for host %s: %w", k, h.Name, err)
			}
			continue
		}
		if yes {
			g, _ := c.inv.addGroup(safeName(fmt.Sprint(k)), c.at("groups", k))
			c.inv.addMember(g, h)
		}
	}
	keyed, _ := c.config.Get("keyed_groups")
	list, _ := keyed.(*value.List)
	if list == nil {
		return nil
	}
	for i, entry := range list.Items {
		if err := c.keyed(h, entry, vars, c.at("keyed_groups", i)); err != nil {
			return err
		}
	}
	return nil
}

// vars are what a host's expressions see: its groups' variables, its own, and who it is.
func (c *constructed) vars(h *Host, files *varsFiles) (*value.Dict, error) {
	set := map[*Group]bool{}
	for _, g := range h.Groups {
		g.ancestors(set)
	}
	groups := make([]*Group, 0, len(set))
	names := []string{}
	for g := range set {
		groups = append(groups, g)
		if g != c.inv.all {
			names = append(names, g.Name)
		}
	}
	slices.SortFunc(groups, compareGroups)
	slices.Sort(names)
	out := value.NewDict()
	for _, g := range groups {
		c.inv.mergeInto(out, c.inv.layerVars(g.Vars))
	}
	own := h.Vars
	if files != nil {
		for _, g := range groups {
			layers, err := files.group(g.Name, nil)
			if err != nil {
				return nil, err
			}
			c.inv.mergeInto(out, c.inv.layerVars(layers))
		}
		var err error
		if own, err = files.host(h.Name, slices.Clone(h.Vars)); err != nil {
			return nil, err
		}
	}
	c.inv.mergeInto(out, c.inv.layerVars(own))
	groupNames := value.NewList()
	for _, n := range names {
		groupNames.Append(n)
	}
	out.Set("inventory_hostname", h.Name)
	out.Set("inventory_hostname_short", ShortName(h.Name))
	out.Set("group_names", groupNames)
	out.Set("inventory_file", h.Source)
	out.Set("inventory_dir", filepath.Dir(h.Source))
	return out, nil
}

// ShortName is a host's name up to its first dot (inventory_hostname_short); addresses stay whole.
func ShortName(name string) string {
	if ipv4Form.MatchString(name) || ipv6Form.MatchString(name) {
		return name
	}
	short, _, _ := strings.Cut(name, ".")
	return short
}

func (c *constructed) withExtra(vars *value.Dict) *value.Dict {
	if !c.flag("use_extra_vars", false) {
		return vars
	}
	out := value.NewDict()
	c.inv.mergeInto(out, vars)
	c.inv.mergeInto(out, c.opts.ExtraVars)
	return out
}

// evaluate gives the value of an expression; numbers and booleans stand for themselves.
func (c *constructed) evaluate(expr any, vars *value.Dict) (any, error) {
	switch e := expr.(type) {
	case string:
		return c.opts.Evaluate(c.ctx, e, true, vars)
	case *value.Template:
		return c.opts.Evaluate(c.ctx, e.Text, true, vars)
	}
	return expr, nil
}

func (c *constructed) condition(expr any, vars *value.Dict) (bool, error) {
	text := fmt.Sprint(expr)
	switch e := expr.(type) {
	case bool:
		return e, nil
	case *value.Template:
		text = e.Text
	}
	v, err := c.opts.Evaluate(c.ctx, "{% if "+text+" %}True{% else %}False{% endif %}", false, vars)
	return v == true || v == "True", err
}

// keyed puts a host in the groups that one entry of keyed_groups names for it.
func (c *constructed) keyed(h *Host, entry any, vars *value.Dict, pos diag.Pos) error {
	conf, ok := entry.(*value.Dict)
	if !ok || conf.Len() == 0 {
		return diag.Errorf(pos, "an entry of keyed_groups must be a mapping with a key")
	}
	def, hasDefault := conf.Get("default_value")
	hasDefault = hasDefault && def != nil
	trailing, hasTrailing := conf.Get("trailing_separator")
	if hasTrailing && trailing != nil && hasDefault {
		return diag.Errorf(pos, "default_value and trailing_separator exclude each other")
	}
	expr, _ := conf.Get("key")
	key, err := c.evaluate(expr, c.withExtra(vars))
	if err != nil {
		if c.strict {
			return diag.Errorf(pos, "keyed group for host %s: %w", h.Name, err)
		}
		return nil
	}
	sep := "_"
	if v, ok := conf.Get("separator"); ok {
		sep = plainText(v)
	}
	var names []string
	orDefault := func(v any) string {
		if v == "" && hasDefault {
			return plainText(def)
		}
		return plainText(v)
	}
	switch k := key.(type) {
	case string:
		if k != "" || hasDefault {
			names = []string{orDefault(k)}
		} else if c.strict {
			return diag.Errorf(pos, "the key is empty for host %s", h.Name)
		}
	case *value.List:
		for _, item := range k.Items {
			names = append(names, orDefault(item))
		}
	case *value.Dict:
		for gname, v := range k.All() {
			name := plainText(gname) + sep + orDefault(v)
			if v == "" && !hasDefault && trailing == false {
				name = plainText(gname)
			}
			names = append(names, name)
		}
	default:
		if falsy(key) {
			if c.strict {
				return diag.Errorf(pos, "the key is empty for host %s", h.Name)
			}
			return nil
		}
		return diag.Errorf(pos, "the key must be text, a list or a dict, not %v", key).WithHint("end the expression with | string")
	}
	return c.addKeyed(h, conf, names, sep, vars, pos)
}

func (c *constructed) addKeyed(h *Host, conf *value.Dict, names []string, sep string, vars *value.Dict, pos diag.Pos) error {
	prefix := ""
	if v, ok := conf.Get("prefix"); ok {
		prefix = plainText(v)
	}
	if prefix == "" && !c.flag("leading_separator", true) {
		sep = ""
	}
	parentName := ""
	if v, ok := conf.Get("parent_group"); ok && !falsy(v) && len(names) > 0 {
		parentName = plainText(v)
		if _, isTemplate := v.(*value.Template); isTemplate {
			rendered, err := c.opts.Evaluate(c.ctx, parentName, false, vars)
			if err != nil {
				if c.strict {
					return diag.Errorf(pos, "parent_group for host %s: %w", h.Name, err)
				}
				return nil
			}
			parentName = plainText(rendered)
		}
	}
	for _, name := range names {
		g, _ := c.inv.addGroup(safeName(prefix+sep+name), pos)
		c.inv.addMember(g, h)
		if parentName == "" {
			continue
		}
		parent, _ := c.inv.addGroup(safeName(parentName), pos)
		if _, err := c.inv.addChild(parent, g, pos); err != nil {
			return err
		}
	}
	return nil
}

func falsy(v any) bool {
	switch x := v.(type) {
	case nil:
		return true
	case bool:
		return !x
	case int:
		return x == 0
	case float64:
		return x == 0
	case string:
		return x == ""
	case *value.List:
		return x.Len() == 0
	case *value.Dict:
		return x.Len() == 0
	}
	return false
}

// plainText is str() of the simple values that name groups.
func plainText(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case *value.Template:
		return x.Text
	}
	return pythonText(v)
}

// generate is the generator plugin: the product of layers gives hosts and their parents.
func (l *loader) generate(doc document.Document, config *value.Dict) error {
	layersValue, _ := config.Get("layers")
	layers, ok := layersValue.(*value.Dict)
	hostsValue, _ := config.Get("hosts")
	hosts, hostsOK := hostsValue.(*value.Dict)
	if !ok || !hostsOK {
		return diag.Errorf(doc.Pos(doc.Root), "a generator needs layers and hosts, both mappings")
	}
	combos := []*value.Dict{value.NewDict()}
	for name, v := range layers.All() {
		list, ok := v.(*value.List)
		if !ok {
			return diag.Errorf(doc.Locate(doc.Root, []any{"layers", name}, true), "layer %v must be a list", name)
		}
		var next []*value.Dict
		for _, combo := range combos {
			for _, item := range list.Items {
				d := value.NewDict()
				l.inv.mergeInto(d, combo)
				d.Set(name, item)
				next = append(next, d)
			}
			if len(next) > maxRange {
				return diag.Errorf(doc.Pos(doc.Root), "the layers give more than %d hosts", maxRange)
			}
		}
		combos = next
	}
	pos := doc.Locate(doc.Root, []any{"hosts"}, true)
	for _, vars := range combos {
		name, err := l.renderName(hosts, vars, pos)
		if err != nil {
			return err
		}
		h := l.host(name, 0, pos)
		parents, _ := hosts.Get("parents")
		err = l.generateParents(parents, vars, pos, func(g *Group) error {
			l.inv.addMember(g, h)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// renderName renders the name entry of a host or parent.
func (l *loader) renderName(entry *value.Dict, vars *value.Dict, pos diag.Pos) (string, error) {
	v, ok := entry.Get("name")
	if !ok {
		return "", diag.Errorf(pos, "a host or parent of a generator needs a name")
	}
	rendered, err := l.render(v, vars)
	if err != nil {
		return "", diag.Errorf(pos, "rendering name: %w", err)
	}
	name := plainText(rendered)
	if strings.TrimSpace(name) == "" {
		return "", diag.Errorf(pos, "a name renders to nothing")
	}
	return name, nil
}

func (l *loader) render(v any, vars *value.Dict) (any, error) {
	t, ok := v.(*value.Template)
	if !ok {
		return v, nil
	}
	return l.opts.Evaluate(l.ctx, t.Text, false, vars)
}

// generateParents makes the parents of a host or group; link puts the child below each.
func (l *loader) generateParents(v any, vars *value.Dict, pos diag.Pos, link func(*Group) error) error {
	list, ok := v.(*value.List)
	if !ok {
		if v == nil {
			return nil
		}
		return diag.Errorf(pos, "parents must be a list")
	}
	var errs []error
	for _, item := range list.Items {
		parent, ok := item.(*value.Dict)
		if !ok {
			return diag.Errorf(pos, "a parent must be a mapping with a name")
		}
		name, err := l.renderName(parent, vars, pos)
		if err != nil {
			return err
		}
		g := l.group(name, pos)
		groupVars, _ := parent.Get("vars")
		dict, _ := groupVars.(*value.Dict)
		for k, v := range dict.All() {
			rendered, err := l.render(v, vars)
			if err != nil {
				return diag.Errorf(pos, "rendering variable %v of group %s: %w", k, name, err)
			}
			if err := setGroupVar(g, l.file, fmt.Sprint(k), rendered, pos); err != nil {
				return err
			}
		}
		errs = append(errs, link(g))
		above, _ := parent.Get("parents")
		errs = append(errs, l.generateParents(above, vars, pos, func(p *Group) error {
			_, err := l.inv.addChild(p, g, pos)
			return err
		}))
	}
	return errors.Join(errs...)
}
