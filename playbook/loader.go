package playbook

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

// Loader reads playbooks. It remembers every file that it parsed, and is safe for concurrent use; its fields must
// not change once it is in use.
type Loader struct {
	// Modules finds a module by name; Actions an action of the run itself.
	Modules, Actions modules.Lookup
	// Names are all names that Modules and Actions know, for hints.
	Names []string
	// RolesPath are further folders with roles, after those beside the playbook.
	RolesPath []string
	// CollectionsPath are folders with ansible_collections.
	CollectionsPath []string
	// Open reads a file; vaulted ones come opened. nil is os.ReadFile.
	Open func(path string) ([]byte, error)
	// CheckTemplate looks at the syntax of a template or, with expr, of a bare expression, and at the names in it;
	// nil leaves them unchecked.
	CheckTemplate func(text string, pos diag.Pos, expr bool) *diag.Error
	// Early renders the name of a static import or role with what is known before any host is: the layers given,
	// lowest first, and extra variables. nil makes a template in such a name an error.
	Early func(t *value.Template, layers ...*value.Dict) (string, error)
	// Skip leaves out findings that the user does not want to hear of. It is asked only about what Ansible would load
	// all the same; nil leaves nothing out.
	Skip func(e *diag.Error) bool
	// Lenient makes warnings of what Ansible itself finds only when it runs.
	Lenient bool

	mu    sync.Mutex
	files map[string]*file
	tasks map[tasksKey]*loaded[[]Node]
	roles map[string]*loaded[*Role]
}

// loaded is what a dynamic include came to, kept for the next one like it.
type loaded[T any] struct {
	val  T
	list diag.List
	err  error
}

// tasksKey tells dynamic includes apart.
type tasksKey struct {
	path    string
	play    *Play
	role    *Role
	parent  *Keywords
	handler bool
}

// file is one YAML file as parsed. Its warnings are reported by each load that reads it.
type file struct {
	docs     []document.Document
	warnings diag.List
	err      error
}

// read parses a file or gives the copy parsed before.
func (l *Loader) read(path string) *file {
	l.mu.Lock()
	f, ok := l.files[path]
	l.mu.Unlock()
	if ok {
		return f
	}
	f = l.parse(path)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.files == nil {
		l.files = make(map[string]*file)
	}
	l.files[path] = f
	return f
}

func (l *Loader) parse(path string) *file {
	open := l.Open
	if open == nil {
		open = os.ReadFile
	}
	text, err := open(path)
	if d, known := errors.AsType[*diag.Error](err); known { // such as a vaulted file without a password
		return &file{err: d}
	}
	if err != nil {
		return &file{err: &diag.Error{Pos: diag.Pos{File: path}, Err: fmt.Errorf("cannot read the file: %w", bareCause(err))}}
	}
	f := &file{}
	f.docs, f.warnings, f.err = document.Parse(path, text)
	if f.err == nil && len(f.docs) > 1 {
		f.err = diag.Errorf(f.docs[1].Pos(f.docs[1].Root), "a second document begins here, only one is allowed in this file").
			WithHint("remove the line ---, or put the document in a file of its own")
	}
	return f
}

// bareCause drops the path that the os package puts in front: the position has it already.
func bareCause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// Load reads a playbook and all that it takes in statically. Mistakes come all at once as a diag.List;
// warnings come also when there is no error.
func (l *Loader) Load(path string) (pb *Playbook, warnings diag.List, err error) {
	pb, warnings, err = l.LoadAll(path)
	if err != nil {
		return nil, warnings, err
	}
	return pb, warnings, nil
}

// LoadAll is Load, but gives also with an error what could be read: what is broken is left out.
func (l *Loader) LoadAll(path string) (pb *Playbook, warnings diag.List, err error) {
	ld := l.start(filepath.Dir(path))
	pb = &Playbook{Path: path}
	pb.Plays = ld.playbook(path, nil)
	pb.Files = ld.files
	ld.pluginsIn(ld.dir, "the playbook", []string{"callback_plugins", "connection_plugins", "vars_plugins", "strategy_plugins"}) // others are told when used
	for _, p := range pb.Plays {
		ld.notified(p)
	}
	warnings, err = ld.end()
	return pb, warnings, err
}

// LoadTasks reads a task file for include_tasks at run time, as if it stood where parent is, as handlers or as tasks. The
// same include again gives the same nodes. It leaves the play as it is: see Imported for the roles among
// them. Warnings come with the first load only.
func (l *Loader) LoadTasks(path string, play *Play, role *Role, parent *Keywords, handler bool) ([]Node, diag.List, error) {
	key := tasksKey{path: path, play: play, role: role, parent: parent, handler: handler}
	l.mu.Lock()
	was, ok := l.tasks[key]
	l.mu.Unlock()
	if ok {
		return was.val, nil, was.err
	}
	ld := l.start(playDir(play))
	ld.running = true
	p := place{play: play, role: role, parent: parent, handler: handler, guard: guarded(parent)}
	now := &loaded[[]Node]{val: ld.taskFile(path, p)}
	now.list, now.err = ld.end()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tasks == nil {
		l.tasks = make(map[tasksKey]*loaded[[]Node])
	}
	l.tasks[key] = now
	return now.val, now.list, now.err
}

func playDir(p *Play) string {
	if p == nil || p.File == "" {
		return "."
	}
	return filepath.Dir(p.File)
}

// load is the state of one call of the loader.
type load struct {
	*Loader
	list  diag.List
	files []string
	dir   string // the playbook's folder
	// running: the play is running already, so it must not be altered.
	running bool
	// soft are the findings that may be skipped.
	soft map[*diag.Error]bool
}

func (l *Loader) start(dir string) *load {
	return &load{Loader: l, dir: dir, soft: make(map[*diag.Error]bool)}
}

// end splits what was found into warnings and, when anything is wrong, an error with all that is wrong.
func (ld *load) end() (warnings diag.List, err error) {
	ld.sort()
	var fatal diag.List
	for _, e := range ld.list {
		if ld.soft[e] && ld.Skip != nil && ld.Skip(e) {
			continue
		}
		if e.Severity == diag.Fatal {
			fatal = append(fatal, e)
		} else {
			warnings = append(warnings, e)
		}
	}
	if len(fatal) == 0 {
		return warnings, nil
	}
	return warnings, fatal
}

// sort brings mistakes into the order of the files and of their lines.
func (ld *load) sort() {
	slices.SortStableFunc(ld.list, func(a, b *diag.Error) int {
		return cmp.Or(
			cmp.Compare(slices.Index(ld.files, a.Pos.File), slices.Index(ld.files, b.Pos.File)),
			cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Col, b.Pos.Col))
	})
}

// found is a mistake that was noted and may still get its hint.
type found struct{ err *diag.Error }

// rule names the check that found it.
func (f found) rule(name string) found {
	if f.err.Rule == RulePlaybook {
		f.err.Rule = name
	}
	return f
}

// hint says what to do about it.
func (f found) hint(format string, args ...any) { f.err.Hint = fmt.Sprintf(format, args...) }

// fail notes a mistake that Ansible refuses as well.
func (ld *load) fail(pos diag.Pos, format string, args ...any) found {
	return ld.note(diag.Errorf(pos, format, args...))
}

// warn notes what is only worth a warning.
func (ld *load) warn(pos diag.Pos, format string, args ...any) found {
	e := diag.Errorf(pos, format, args...)
	e.Severity = diag.Warning
	return ld.softly(ld.note(e))
}

// strict notes a mistake that Ansible finds only when it runs, if at all: an error for what will surely run, a
// warning for what stands under a condition.
func (ld *load) strict(guarded bool, pos diag.Pos, format string, args ...any) found {
	if guarded || ld.Lenient {
		return ld.warn(pos, format, args...)
	}
	return ld.softly(ld.fail(pos, format, args...))
}

// softly marks a finding as one that may be skipped.
func (ld *load) softly(f found) found {
	ld.soft[f.err] = true
	return f
}

// note keeps an error once: a file that is read twice has its mistakes only once.
func (ld *load) note(e *diag.Error) found {
	for _, old := range ld.list {
		if old.Pos == e.Pos && old.Err.Error() == e.Err.Error() {
			return found{old}
		}
	}
	ld.list = append(ld.list, e.WithRule(RulePlaybook))
	return found{e}
}

// open reads a file for this load and notes it and what is wrong with it; ok is false when it could not be read.
func (ld *load) open(path string) (doc document.Document, ok bool) {
	f := ld.read(path)
	if !slices.Contains(ld.files, path) {
		ld.files = append(ld.files, path)
	}
	for _, w := range f.warnings {
		ld.softly(ld.note(w.WithRule(RuleYAML)))
	}
	if f.err != nil {
		var errs diag.List
		errs.Add(f.err)
		for _, e := range errs {
			ld.note(e.WithRule(RuleYAML))
		}
		return document.Document{File: path}, false
	}
	if len(f.docs) == 0 {
		return document.Document{File: path}, true
	}
	return f.docs[0], true
}
