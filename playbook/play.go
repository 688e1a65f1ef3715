package playbook

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja/value"
	"gopkg.in/yaml.v3"
)

// playbook reads a file of plays and imports of playbooks.
func (ld *load) playbook(path string, chain []string) []*Play {
	doc, ok := ld.open(path)
	if !ok {
		return nil
	}
	if isEmpty(doc.Root) {
		ld.fail(diag.Pos{File: path}, "the playbook is empty").hint("a playbook is a list of plays, each with hosts: and tasks:")
		return nil
	}
	if doc.Root.Kind != yaml.SequenceNode {
		e := ld.fail(doc.Pos(doc.Root), "a playbook must be a list of plays, not %s", nodeKind(doc.Root))
		if doc.Root.Kind == yaml.MappingNode {
			e.hint("write \"- \" before the first key of the play")
		}
		return nil
	}
	if len(doc.Root.Content) == 0 {
		ld.fail(doc.Pos(doc.Root), "the playbook is empty")
	}
	var plays []*Play
	for _, n := range document.Items(doc.Root) {
		if n.Kind != yaml.MappingNode {
			ld.fail(doc.Pos(n), "a play must be a dict, not %s", nodeKind(n)).hint("a play begins with \"- hosts: …\"")
			continue
		}
		plays = append(plays, ld.entry(place{doc: doc, chain: chain}, n)...)
	}
	return plays
}

// entry reads one play, or the plays of an import.
func (ld *load) entry(p place, n *yaml.Node) []*Play {
	entries := document.Entries(n)
	for _, e := range entries {
		switch baseName(e.Name) {
		case "import_playbook":
			return ld.importPlaybook(p, entries, e)
		case "include":
			ld.fail(p.pos(e.Key), "include is no longer in Ansible").rule(RuleDeprecated).hint("write import_playbook")
			return nil
		}
	}
	if at := ld.looksLikeTask(entries); at != nil {
		ld.fail(p.pos(n), "this is a task, not a play: it has %s and no hosts", at.Name).
			hint("put it under tasks: of a play, or let a play import this file with import_tasks")
		return nil
	}
	return []*Play{ld.play(p, n, entries)}
}

// looksLikeTask finds the key that shows an entry of a playbook to be a task, nil when it may be a play.
func (ld *load) looksLikeTask(entries []document.Entry) (at *document.Entry) {
	for i, e := range entries {
		kw, isKeyword := keywords[e.Name]
		_, _, isModule := ld.find(e.Name)
		switch {
		case kw.in&onPlay != 0 && kw.in&onTasks == 0:
			return nil
		case at != nil:
		case isKeyword && kw.in&onPlay == 0, !isKeyword && isModule && (ld.Modules != nil || ld.Actions != nil):
			at = &entries[i]
		}
	}
	return at
}

// importPlaybook reads the playbook imported and hands the import's tags, conditions and variables on to its plays.
func (ld *load) importPlaybook(p place, entries []document.Entry, e document.Entry) []*Play {
	var own Keywords
	for _, kw := range entries {
		switch {
		case kw.Name == e.Name:
		case keywords[kw.Name].in&onImport != 0 && ld.shared(p, kw, &own):
		default:
			ld.misplaced(p.pos(kw.Key), kw.Name, onImport)
		}
	}
	pos := p.pos(e.Val)
	v := ld.value(p.doc, e.Val)
	if v == nil || !scalar(v) {
		ld.fail(pos, "import_playbook needs the path of a playbook, not %s", nodeKind(e.Val))
		return nil
	}
	name, ok := ld.early(v, pos, &own, p, "a name that is known, or give the variable with -e")
	if !ok {
		return nil
	}
	path, tried := ld.findPlaybook(strings.TrimSpace(name), p)
	if path == "" {
		ld.notFound(pos, "playbook", name, tried)
		return nil
	}
	chain := append(slices.Clone(p.chain), p.doc.File)
	if slices.Contains(chain, path) {
		ld.fail(pos, "the import never ends: %s", strings.Join(append(chain, path), " → "))
		return nil
	}
	was := ld.dir
	ld.dir = filepath.Dir(path)
	plays := ld.playbook(path, chain)
	ld.dir = was
	for _, play := range plays {
		handOn(play, own)
	}
	return plays
}

// findPlaybook finds an imported playbook beside the one that imports it, or as ns.collection.playbook.
func (ld *load) findPlaybook(name string, p place) (path string, tried []string) {
	path, tried = findIn(name, []string{filepath.Dir(p.doc.File)})
	parts := strings.SplitN(name, ".", 3)
	if path != "" || len(parts) < 3 || strings.Contains(name, "/") {
		return path, tried
	}
	for _, dir := range ld.collectionDirs() {
		base := filepath.Join(dir, parts[0], parts[1], "playbooks", strings.ReplaceAll(parts[2], ".", "/"))
		for _, ext := range []string{".yml", ".yaml"} {
			if st, err := os.Stat(base + ext); err == nil && !st.IsDir() {
				return base + ext, nil
			}
			tried = append(tried, base+ext)
		}
	}
	return "", tried
}

// handOn gives a play the keywords of its import.
func handOn(play *Play, own Keywords) {
	for k, v := range own.Vars.All() {
		if play.Vars == nil {
			play.Vars = value.NewDict()
		}
		play.Vars.Set(k, v)
	}
	if len(own.Tags) == 0 && len(own.When) == 0 {
		return
	}
	add := func(k *Keywords) {
		for _, t := range own.Tags {
			if !slices.Contains(k.Tags, t) {
				k.Tags = append(slices.Clone(k.Tags), t)
			}
		}
		k.When = slices.Concat(own.When, k.When)
	}
	add(&play.Keywords)
	for _, list := range [][]Node{play.PreTasks, play.RoleTasks, play.Tasks, play.PostTasks} {
		each(list, add)
	}
}

// each calls f for the keywords of every block and task.
func each(list []Node, f func(*Keywords)) {
	for _, n := range list {
		switch n := n.(type) {
		case *Task:
			f(&n.Keywords)
			if n.Apply != nil {
				f(n.Apply)
			}
		case *Block:
			f(&n.Keywords)
			each(n.Body, f)
			each(n.Rescue, f)
			each(n.Always, f)
		}
	}
}

// play reads one play.
func (ld *load) play(p place, n *yaml.Node, entries []document.Entry) *Play {
	play := &Play{Pos: p.pos(n), File: p.doc.File}
	lists := make(map[string]*yaml.Node)
	hosts := false
	var hostsNode *yaml.Node
	for _, e := range entries {
		if e.Name == "hosts" {
			hosts, hostsNode = true, e.Val
		}
		ld.playEntry(p, play, e, lists)
	}
	ld.checkSerial(play)
	if !hosts && !ld.meantHosts(entries) {
		ld.fail(play.Pos, "the play has no hosts").hint("write hosts: with a pattern of the inventory, for instance hosts: all")
	}
	ld.checkHosts(play, hostsNode, hosts)
	p.play, p.parent = play, &play.Keywords
	p.chain = nil
	ld.sections(p, play, lists)
	return play
}

// meantHosts reports whether a key of a play is hosts with a slip in it, which is reported as such.
func (ld *load) meantHosts(entries []document.Entry) bool {
	return slices.ContainsFunc(entries, func(e document.Entry) bool {
		return keywords[e.Name].in == 0 && removed[e.Name] == "" && diag.Near(e.Name, keywordNames(onPlay)) == "hosts"
	})
}

// playEntry reads one key of a play; lists of tasks and roles are kept for later.
func (ld *load) playEntry(p place, play *Play, e document.Entry, lists map[string]*yaml.Node) {
	kw := keywords[e.Name]
	switch {
	case (e.Name == "user" || e.Name == "remote_user") && play.RemoteUser.Set:
		ld.fail(p.pos(e.Key), "user and remote_user are the same keyword").hint("keep remote_user")
	case e.Name == "user":
		play.RemoteUser = ld.field(p, e, text)
	case kw.in&onPlay == 0:
		ld.notOnPlay(p, e)
	case ld.shared(p, e, &play.Keywords):
	case kw.play != nil:
		*kw.play(play) = ld.field(p, e, kw.kind)
		if e.Name == "vars_files" {
			ld.checkVarsFiles(p, e.Val)
		}
	case e.Name == "vars_prompt":
		ld.prompts(p, play, e)
	default:
		lists[e.Name] = e.Val
	}
}

// notOnPlay reports a key that is no keyword of a play, with a word more when it is a module.
func (ld *load) notOnPlay(p place, e document.Entry) {
	_, isKeyword := keywords[e.Name]
	if _, _, ok := ld.find(e.Name); ok && !isKeyword && (ld.Modules != nil || ld.Actions != nil) {
		ld.fail(p.pos(e.Key), "a module cannot stand on a play: %s", e.Name).hint("put it in a task under tasks:")
		return
	}
	ld.misplaced(p.pos(e.Key), e.Name, onPlay)
}

// sections reads a play's lists in the order in which Ansible does: roles first.
func (ld *load) sections(p place, play *Play, lists map[string]*yaml.Node) {
	roles := ld.roleEntries(p, lists["roles"], "roles")
	play.Roles = roles
	var roleHandlers []Node
	for _, r := range roles {
		play.RoleTasks = append(play.RoleTasks, r.Blocks()...)
		roleHandlers = append(roleHandlers, r.AllHandlers()...)
	}
	play.PreTasks = ld.nodes(p, lists["pre_tasks"], "pre_tasks")
	play.Tasks = ld.nodes(p, lists["tasks"], "tasks")
	play.PostTasks = ld.nodes(p, lists["post_tasks"], "post_tasks")
	imported := play.Handlers
	h := p
	h.handler = true
	own := ld.nodes(h, lists["handlers"], "handlers")
	play.Handlers = slices.Concat(roleHandlers, own, imported)
}

// checkSerial refuses sizes of batches that are neither numbers nor percentages.
func (ld *load) checkSerial(play *Play) {
	sizes := []any{play.Serial.Value}
	if l, many := play.Serial.Value.(*value.List); many {
		sizes = l.Items
	}
	for _, v := range sizes {
		s, isText := v.(string)
		if _, problem := coerce(v, percent); v != nil && problem != "" || isText && s == "" {
			ld.strict(false, play.Serial.Pos, "serial must be numbers or percentages, not %s", describe(v))
		}
	}
}

// checkHosts refuses hosts that can match nothing.
func (ld *load) checkHosts(play *Play, node *yaml.Node, given bool) {
	f := play.Hosts
	switch v := f.Value.(type) {
	case nil:
		if given && isEmpty(node) {
			ld.fail(play.Pos, "hosts is empty").hint("name a pattern of the inventory, for instance hosts: all")
		}
	case string:
		if strings.TrimSpace(v) == "" {
			ld.fail(f.Pos, "hosts is empty")
		}
	case bool:
		ld.fail(f.Pos, "hosts must be text or a list of texts, not %s", describe(v)).rule(RuleYAML).
			hint("YAML reads no, yes, on and off as truth values: quote the name of the host")
	case int, float64:
		ld.fail(f.Pos, "hosts must be text or a list of texts, not %s", describe(v)).rule(RuleYAML).
			hint("YAML reads a name of digits as a number, with a 0 in front as an octal one: quote the name of the host")
	case *value.List:
		if v.Len() == 0 {
			ld.fail(f.Pos, "hosts is empty")
		}
		for _, item := range v.Items {
			switch item.(type) {
			case string, *value.Template, *value.Sealed:
			default:
				ld.fail(f.Pos, "hosts must be text or a list of texts, not %s", describe(item)).
					hint("quote the name of the host")
			}
		}
	}
}

// promptKeys are the keys of an entry of vars_prompt.
var promptKeys = []string{"name", "prompt", "default", "private", "confirm", "encrypt", "salt_size", "salt", "unsafe"}

// prompts reads vars_prompt.
func (ld *load) prompts(p place, play *Play, e document.Entry) {
	nodes := []*yaml.Node{e.Val}
	if e.Val.Kind == yaml.SequenceNode {
		nodes = document.Items(e.Val)
	}
	for _, n := range nodes {
		if n.Kind != yaml.MappingNode {
			if !isEmpty(n) {
				ld.fail(p.pos(n), "an entry of vars_prompt must be a dict, not %s", nodeKind(n)).hint("write \"- name: variable\"")
			}
			continue
		}
		one := Prompt{Pos: p.pos(n), Private: true}
		for _, e := range document.Entries(n) {
			ld.promptEntry(p, &one, e)
		}
		if one.Name == "" {
			ld.fail(one.Pos, "an entry of vars_prompt has no name")
			continue
		}
		play.VarsPrompt = append(play.VarsPrompt, one)
	}
}

func (ld *load) promptEntry(p place, one *Prompt, e document.Entry) {
	switch e.Name {
	case "name":
		one.Name = pyText(ld.field(p, e, text).Value)
	case "prompt":
		one.Text = pyText(ld.field(p, e, text).Value)
	case "encrypt":
		one.Encrypt = pyText(ld.field(p, e, text).Value)
	case "salt":
		one.Salt = pyText(ld.field(p, e, text).Value)
	case "salt_size":
		one.SaltSize, _ = ld.field(p, e, integer).Value.(int)
	case "default":
		one.Default = ld.field(p, e, anything)
	case "private":
		one.Private = ld.flagOr(p, e, true)
	case "confirm":
		one.Confirm = ld.flagOr(p, e, false)
	case "unsafe":
		one.Unsafe = ld.flagOr(p, e, false)
	default:
		bad := ld.fail(p.pos(e.Key), "%q is not a key of vars_prompt", e.Name)
		if near := diag.Near(e.Name, promptKeys); near != "" {
			bad.hint("did you mean %q?", near)
		}
	}
}

func (ld *load) flagOr(p place, e document.Entry, otherwise bool) bool {
	if f := ld.field(p, e, flag); f.Set {
		b, isBool := f.Value.(bool)
		return isBool && b || !isBool && otherwise
	}
	return otherwise
}
