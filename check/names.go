package check

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/inventory"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/playbook"
)

// names are the variables of everything that is checked: who defines and who reads them. Where a name is defined for one
// play or host only it counts for all: a name is reported when nothing at all defines it.
type names struct {
	defined map[string]bool
	// soft are names that some template asks for with default or "is defined".
	soft map[string]bool
	uses []use
	// open says that names may come from where nothing is known of.
	open bool
}

// use is a name where a template reads it.
type use struct {
	name string
	pos  diag.Pos
	// excused uses are reported only when the name looks like a slip: nothing breaks when it is undefined.
	excused bool
}

func newNames() names { return names{defined: map[string]bool{}, soft: map[string]bool{}} }

// loosely defines all that the text of a file which could not be read as a whole may define: what stands before a colon or an equals
// sign, and what register names.
func (n *names) loosely(text string) {
	for _, m := range looseName.FindAllStringSubmatch(text, -1) {
		n.defined[m[1]+m[2]] = true
	}
}

var looseName = regexp.MustCompile(`\bregister:\s*["']?(\w+)|\b(\w+)["']?\s*[:=]`)

func (n *names) define(name string) {
	if document.HasTemplate(name) {
		n.open = true
		return
	}
	n.defined[name] = true
}

// defineKeys takes a dict's keys as names.
func (n *names) defineKeys(d *value.Dict) {
	if d == nil {
		return
	}
	for k := range d.All() {
		switch k := k.(type) {
		case string:
			n.define(k)
		case *value.Template:
			n.open = true
		}
	}
}

// scan takes up the names that the templates in a value read.
func (c *checker) scan(v any, guard bool) {
	switch v := v.(type) {
	case *value.Template:
		if t, err := c.Env.TemplateAt(v.Pos, v.Text); err == nil {
			c.uses(t.Uses(), guard)
		}
	case *value.List:
		for _, item := range v.Items {
			c.scan(item, guard)
		}
	case *value.Dict:
		if v == nil {
			return
		}
		for k, item := range v.All() {
			c.scan(k, guard)
			c.scan(item, guard)
		}
	}
}

// condition is scan for bare expressions.
func (c *checker) condition(v any, pos diag.Pos, guard bool) {
	switch v := v.(type) {
	case string:
		if x, err := c.Env.ConditionAt(pos, v); err == nil && v != "" {
			c.uses(x.Uses(), guard)
		}
	case *value.List:
		for _, item := range v.Items {
			c.condition(item, pos, guard)
		}
	default:
		c.scan(v, guard)
	}
}

// builtInLookup names the lookup that is called as one of a collection.
func builtInLookup(name string) string {
	if base := name[strings.LastIndexByte(name, '.')+1:]; slices.Contains(lookups(), base) {
		return fmt.Sprintf("; the built-in lookup %s may do the job", base)
	}
	return ""
}

// excusing does something within which names may be undefined, if on is true.
func (c *checker) excusing(on bool, do func()) {
	was := c.excused
	c.excused = was || on
	do()
	c.excused = was
}

// uses takes up what a template asks for. With guard it may not be reached.
func (c *checker) uses(u jinja.Uses, guard bool) {
	for _, n := range u.Names {
		if n.Guarded {
			c.names.soft[n.Name] = true
			continue
		}
		if !c.Env.HasGlobal(n.Name) {
			c.names.uses = append(c.names.uses, use{n.Name, n.Pos, c.excused})
		}
	}
	for _, name := range u.Binds {
		c.names.define(name)
	}
	for _, l := range u.Lookups {
		if c.HasLookup != nil && !c.HasLookup(l.Name) {
			e := c.fail(guard || l.Guarded, ruleLookup, l.Pos, "there is no lookup %q", l.Name)
			if path := c.Loader.Plugin("lookup", l.Name, l.Pos.File); path != "" {
				e.hint("%s defines it, but Python cannot run here%s", path, builtInLookup(l.Name))
			} else if near := diag.Near(l.Name, lookups()); near != "" {
				e.hint("did you mean %q?", near)
			}
		}
	}
}

// keywords takes up what the keywords of a play, block or task in a file define and read.
func (c *checker) keywords(k *playbook.Keywords, file string, guard bool) {
	c.names.defineKeys(k.Vars)
	c.excusing(true, func() { // a variable may never be read, and a name is shown as written
		c.scan(k.Vars, true)
		c.scan(k.Name.Value, true)
	})
	own := k.When
	if k.Level.Parent != nil && len(own) >= len(k.Level.Parent.When) {
		own = own[len(k.Level.Parent.When):]
	}
	for _, f := range own {
		c.condition(f.Value, f.Pos, guard)
	}
	for _, f := range k.Fields() {
		c.scan(f.Value, guard)
	}
	c.renamed(k, file)
	c.values(k, guard)
}

// taskNames takes up what a task defines and reads.
func (w *walker) taskNames(t *playbook.Task, guard bool) {
	n := &w.names
	w.keywords(&t.Keywords, t.File, guard)
	n.loop(t)
	if t.Register != "" {
		n.define(t.Register)
	}
	for _, f := range []playbook.Field{
		t.Loop, t.Retries, t.Delay, t.Async, t.Poll, t.Args.Whole, t.LoopControl.Label, t.LoopControl.Pause, t.LoopControl.BreakWhen,
	} {
		w.scan(f.Value, guard)
	}
	for _, list := range [][]playbook.Field{t.Until, t.ChangedWhen, t.FailedWhen} {
		for _, f := range list {
			w.condition(f.Value, f.Pos, guard)
		}
	}
	for _, f := range t.Notify {
		w.scan(f.Value, guard)
	}
	w.arguments(t, guard)
}

// loop defines the variables of a task's loop.
func (n *names) loop(t *playbook.Task) {
	if !t.Loop.Set {
		return
	}
	c := t.LoopControl
	switch {
	case c.LoopVar != "":
		n.define(c.LoopVar)
	default:
		n.define("item")
	}
	if c.IndexVar != "" {
		n.define(c.IndexVar)
	}
	n.define("ansible_loop")
}

// arguments takes up what a task's arguments define and read.
func (w *walker) arguments(t *playbook.Task, guard bool) {
	n, args := &w.names, t.Args.Values
	base := t.BaseAction()
	switch base {
	case "set_fact", "add_host":
		n.defineKeys(args)
		n.open = n.open || t.Args.Whole.Set
	case "include_vars":
		w.includeVars(t, guard)
	case "validate_argument_spec":
		if spec, ok := args.Get("argument_spec"); ok {
			d, _ := spec.(*value.Dict)
			n.defineKeys(d)
		}
	}
	if t.Module == nil { // such modules often give a fact of their own name
		n.define(base[strings.LastIndexByte(base, '.')+1:])
	}
	if t.Module == nil && (strings.HasSuffix(base, "_facts") || strings.HasSuffix(base, "_info")) && base != "gather_facts" {
		n.open = true // of a collection that is not here
	}
	bare := map[string]string{"assert": "that", "debug": "var"}[base]
	var late []string
	if t.Module != nil {
		late = t.Module.Late()
	}
	for k, v := range args.All() {
		name, _ := k.(string)
		switch {
		case name == bare:
			w.excusing(name == "var", func() { w.bare(t, []any{name}, v, guard) }) // debug shows also what is not there
		case slices.Contains(late, name), base == "include_role" && name == "apply", base == "include_tasks" && name == "apply":
		default:
			w.scan(v, guard)
		}
	}
}

// bare takes up arguments that are expressions without braces.
func (w *walker) bare(t *playbook.Task, path []any, v any, guard bool) {
	list, many := v.(*value.List)
	if !many {
		w.condition(v, t.Args.Where(path, false), guard)
		return
	}
	for i, item := range list.Items {
		w.bare(t, append(slices.Clone(path), i), item, guard)
	}
}

// includeVars defines what the file of an include_vars holds.
func (w *walker) includeVars(t *playbook.Task, guard bool) {
	n := &w.names
	if v, ok := t.Args.Values.Get("name"); ok {
		if name, isText := v.(string); isText {
			n.define(name)
		}
		n.open = n.open || !ok
	}
	if dir, ok := t.Args.Values.Get("dir"); ok {
		name, isText := dir.(string)
		path, _ := playbook.FindFile(t.SearchPath(w.dir), "vars", name)
		if !isText || path == "" {
			n.open = true
			return
		}
		n.folder(w.checker, path)
		return
	}
	for _, arg := range []string{"file", "_raw_params"} {
		v, ok := t.Args.Values.Get(arg)
		if !ok {
			continue
		}
		name, isText := v.(string)
		if !isText {
			n.openFolder(w.checker, t)
			return
		}
		path, tried := playbook.FindFile(t.SearchPath(w.dir), "vars", name)
		if path == "" {
			n.open = true
			w.missing(t, arg, name, tried, guard)
			return
		}
		w.varsFile(path)
	}
}

// openFolder defines all that the files of variables which a name with a template may stand for hold: those in the vars folders of
// the role and of the playbook.
func (n *names) openFolder(c *checker, t *playbook.Task) {
	dirs := t.SearchPath(".")
	if t.Play != nil {
		dirs = t.SearchPath(filepath.Dir(t.Play.File))
	}
	for _, dir := range dirs {
		n.folder(c, filepath.Join(dir, "vars"))
	}
	if t.BaseAction() != "include_vars" {
		n.open = true // the tasks that are included
	}
}

// folder defines what the files of variables below a folder hold.
func (n *names) folder(c *checker, dir string) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, f := range files {
		path := filepath.Join(dir, f.Name())
		switch ext := filepath.Ext(path); {
		case strings.HasPrefix(f.Name(), "."):
		case f.IsDir():
			n.folder(c, path)
		case ext == ".yml", ext == ".yaml", ext == ".json", ext == "":
			c.varsFile(path)
		}
	}
}

// varsFile reads a file of variables: what it defines, and what is wrong with it. One that cannot be read may define anything.
func (c *checker) varsFile(path string) {
	if c.varsFiles[path] {
		return
	}
	c.varsFiles[path] = true
	text, err := c.ReadFile(path)
	if err != nil {
		c.names.open = true
		return
	}
	path = relative(path)
	docs, warnings, err := document.Parse(path, text)
	for _, e := range append(warnings, asList(err)...) {
		e.Severity = diag.Warning // the file may never be read
		c.found = append(c.found, e.WithRule(playbook.RuleYAML))
	}
	if err != nil {
		c.names.open = true
		return
	}
	if len(docs) == 0 {
		return
	}
	v, err := docs[0].Value(docs[0].Root)
	if d, ok := v.(*value.Dict); ok && err == nil {
		c.names.defineKeys(d)
		c.syntax(d)
	}
}

// relative shortens a path to one below the working folder, as users write them.
func relative(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	rel, err := filepath.Rel(here, path)
	if err != nil || strings.HasPrefix(rel, "..") {
		return path
	}
	return rel
}

// playFiles reads vars_files.
func (w *walker) playFiles(v any) {
	switch v := v.(type) {
	case *value.List:
		for _, item := range v.Items {
			w.playFiles(item)
		}
	case *value.Template:
		w.excusing(true, func() { w.scan(v, true) })
		w.names.folder(w.checker, filepath.Join(w.dir, "vars"))
		w.names.open = w.names.open || strings.Contains(v.Text, "/")
	case string:
		for _, dir := range []string{filepath.Join(w.dir, "vars"), w.dir, ""} {
			path := filepath.Join(dir, v)
			if _, err := os.Stat(path); err == nil {
				w.varsFile(path)
				return
			}
		}
	}
}

// inventoryNames defines the inventory's variables.
func (n *names) inventory(inv *inventory.Inventory) {
	for _, h := range inv.Hosts() {
		for _, l := range h.Vars {
			n.defineKeys(l.Vars)
		}
	}
	for _, g := range inv.Groups() {
		for _, l := range g.Vars {
			n.defineKeys(l.Vars)
		}
	}
}

// undefined reports the names that nothing defines, each where it is read first. Where names may come from anywhere, and where a task
// may fail, only slips of known names are reported.
func (c *checker) undefined() {
	n := &c.names
	n.defineKeys(c.ExtraVars)
	if c.Inventory != nil {
		n.inventory(c.Inventory)
	}
	var known []string
	for name := range n.defined {
		known = append(known, name)
	}
	known = append(known, facts()...)
	slices.Sort(known)
	told, nears := map[string]bool{}, map[string]string{} // once is enough
	for _, u := range n.uses {
		if n.defined[u.name] || n.soft[u.name] || slices.Contains(magic(), u.name) || slices.Contains(facts(), u.name) {
			continue
		}
		if told[u.name] || c.Kept != nil && c.Kept(u.name) {
			continue
		}
		near, looked := nears[u.name]
		if !looked {
			near = slip(u.name, known)
			nears[u.name] = near
		}
		switch {
		case near != "":
		case strings.HasPrefix(u.name, "ansible_"), isFact(u.name), n.open, u.excused:
			continue
		}
		told[u.name] = true
		where := "nowhere"
		if c.Inventory == nil {
			where = "nowhere in these files (no inventory was given)"
		}
		e := c.warn(ruleUndefined, u.pos, "the variable %q is defined %s", u.name, where)
		if near != "" {
			e.hint("did you mean %q?", near)
		} else {
			e.hint("define it, or say {{ %s | default(…) }} where it may be missing", u.name)
		}
	}
}

// slip gives the known name that another is probably meant to be. It is stricter than diag.Near, for names in a playbook are
// often near each other on purpose: short ones, and those that differ in digits, in an s or in their end, are no slips.
func slip(name string, known []string) string {
	const short = 5
	near := diag.Near(name, known)
	if len(name) < short || near == "" || strings.ContainsAny(name[len(name)-1:], "0123456789") {
		return ""
	}
	letters := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' || r == '_' {
				return -1
			}
			return r
		}, s)
	}
	a, b := letters(name), letters(near)
	if a == b || strings.HasPrefix(a, b) || strings.HasPrefix(b, a) || strings.HasSuffix(a, b) || strings.HasSuffix(b, a) {
		return ""
	}
	if len(a) != len(b) && strings.ReplaceAll(a, "s", "") == strings.ReplaceAll(b, "s", "") { // sites and site, https and http
		return ""
	}
	slipped := len(name) - len(near)
	if slipped < -1 || slipped > 1 || sameLetters(a, b) < len(a)-1 {
		return ""
	}
	return near
}

// sameLetters counts the letters that two words have in common, wherever they stand.
func sameLetters(a, b string) int {
	counts := map[rune]int{}
	for _, r := range b {
		counts[r]++
	}
	same := 0
	for _, r := range a {
		if counts[r] > 0 {
			counts[r]--
			same++
		}
	}
	return same
}
