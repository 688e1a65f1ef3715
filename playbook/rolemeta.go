package playbook

import (
	"os"
	"path/filepath"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja/value"
	"gopkg.in/yaml.v3"
)

// metaKeys are the keys of a role's meta/main.yml.
var metaKeys = []string{
	"allow_duplicates", "argument_specs", "collections", "cloud_platforms", "dependencies", "galaxy_info", "standalone",
}

// roleMeta reads meta/main and meta/argument_specs: r's dependencies and the specs by entry point.
func (ld *load) roleMeta(p place, r *Role) (specs *value.Dict) {
	if path := roleFile(r, "meta", "", false); path != "" {
		specs = ld.metaMain(p, r, path)
	}
	for _, name := range []string{"argument_specs.yml", "argument_specs.yaml", "argument_specs.json"} {
		path := filepath.Join(r.Path, "meta", name)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		doc, ok := ld.open(path)
		if !ok {
			break
		}
		for _, e := range document.Entries(doc.Root) {
			if e.Name == "argument_specs" {
				specs = ld.argumentSpecs(doc, e)
			}
		}
		break
	}
	return specs
}

func (ld *load) metaMain(p place, r *Role, path string) (specs *value.Dict) {
	doc, ok := ld.open(path)
	if !ok || isEmpty(doc.Root) {
		return nil
	}
	if doc.Root.Kind != yaml.MappingNode {
		ld.fail(doc.Pos(doc.Root), "a role's meta must be a dict, not %s", nodeKind(doc.Root))
		return nil
	}
	p.doc = doc
	var deps *yaml.Node
	for _, e := range document.Entries(doc.Root) {
		switch e.Name {
		case "dependencies":
			deps = e.Val
		case "allow_duplicates":
			if f := ld.field(p, e, flag); f.Set {
				r.AllowDuplicates, _ = f.Value.(bool)
			}
		case "argument_specs":
			specs = ld.argumentSpecs(doc, e)
		case "collections":
			r.Tasks.Collections = ld.field(p, e, list)
		case "galaxy_info", "cloud_platforms", "standalone":
		default:
			bad := ld.fail(doc.Pos(e.Key), "%q is not a key of a role's meta", e.Name)
			if near := diag.Near(e.Name, metaKeys); near != "" {
				bad.hint("did you mean %q?", near)
			}
		}
	}
	r.Dependencies = ld.roleEntries(p, deps, "dependencies")
	return specs
}

func (ld *load) argumentSpecs(doc document.Document, e document.Entry) *value.Dict {
	if isEmpty(e.Val) {
		return nil
	}
	v, err := doc.Value(e.Val)
	d, ok := v.(*value.Dict)
	if err != nil || !ok {
		ld.fail(doc.Pos(e.Val), "argument_specs must be a dict of entry points, not %s", nodeKind(e.Val))
		return nil
	}
	return d
}

// importRole reads a role for import_role and gives its tasks in a block with the import's keywords.
func (ld *load) importRole(p place, t *Task) []Node {
	if !ld.staticLoop(t, "import_role", "include_role") {
		return nil
	}
	v, pos, ok := t.argText("name", "role")
	if !ok {
		ld.fail(t.ActionPos, "import_role needs the name of the role")
		return nil
	}
	use := RoleUse{Pos: pos, Parent: p.role, AllowDuplicates: true, Public: true}
	if use.Name, ok = ld.early(v, pos, &t.Keywords, p, "include_role"); !ok {
		return nil
	}
	for name, into := range map[string]*string{
		"tasks_from": &use.TasksFrom, "vars_from": &use.VarsFrom, "defaults_from": &use.DefaultsFrom, "handlers_from": &use.HandlersFrom,
	} {
		v, pos, ok := t.argText(name)
		if !ok {
			continue
		}
		if *into, ok = ld.early(v, pos, &t.Keywords, p, "include_role"); !ok {
			return nil
		}
	}
	if v, ok := t.Args.Values.Get("allow_duplicates"); ok {
		use.AllowDuplicates, _ = truth(v)
	}
	if v, ok := t.Args.Values.Get("rolespec_validate"); ok {
		check, known := truth(v)
		use.SkipSpec = known && !check
	}
	b := &Block{Keywords: t.Keywords, Pos: t.Pos, Role: p.role, File: p.doc.File, Static: "import_role", Notify: t.Notify}
	inner := p
	inner.parent = &b.Keywords
	r := ld.role(inner, use, Keywords{})
	if r == nil {
		return nil
	}
	r.Included = true
	b.Body = r.Blocks()
	if b.Notify != nil {
		inheritNotify(b.Notify, b.Body)
	}
	if p.play != nil && !ld.running {
		p.play.Handlers = append(p.play.Handlers, r.AllHandlers()...)
		p.play.Roles = append(p.play.Roles, r)
	}
	return []Node{b}
}
