// Package playbook reads playbooks and roles: plays, blocks and tasks, each
// keyword and argument with its position. Names and arguments are checked before
// any host is contacted. It runs nothing.
package playbook

import (
	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"gopkg.in/yaml.v3"
)

// Playbook is one file with the files that it imports statically.
type Playbook struct {
	Path  string // as given; Dir of it is playbook_dir
	Plays []*Play
	Files []string // every file that was read, in order
}

// Field is a keyword's value as written: a value of jinja/value, perhaps still a *value.Template.
// The zero Field is a keyword that is not there.
type Field struct {
	Value any
	Pos   diag.Pos
	Set   bool
}

// Keywords are those that plays, roles, blocks and tasks share; the inner one wins where one
// is inherited.
type Keywords struct {
	Name  Field
	Vars  *value.Dict // unrendered
	Tags  []string    // own and, once loaded, inherited ones
	When  []Field     // own and, once loaded, inherited ones, outermost first; all must hold
	Level Level

	AnyErrorsFatal, Become, BecomeExe, BecomeFlags, BecomeMethod, BecomeUser,
	CheckMode, Collections, Connection, Debugger, Diff, Environment, IgnoreErrors,
	IgnoreUnreachable, RescueUnreachable, KeepRegistered, ModuleDefaults, NoLog, Port, RemoteUser, RunOnce, Throttle,
	Timeout, DelegateTo, DelegateFacts Field
}

// Level links keywords to those around them: Task → Block … → Role or Play.
type Level struct {
	Parent *Keywords // nil for a play
}

// Inherited gives the innermost setting of a keyword from k outwards.
func (k *Keywords) Inherited(pick func(*Keywords) Field) Field {
	for ; k != nil; k = k.Level.Parent {
		if f := pick(k); f.Set {
			return f
		}
	}
	return Field{}
}

// Play is one play.
type Play struct {
	Keywords
	Pos   diag.Pos
	File  string // the playbook that it stands in, perhaps an imported one; its folder is playbook_dir
	Hosts Field  // a pattern or a list of them

	GatherFacts, GatherSubset, GatherTimeout, FactPath, Serial, Strategy, Order,
	MaxFailPercentage, ForceHandlers, VarsFiles Field
	VarsPrompt []Prompt

	// Each is what the user wrote, roles at their place; run in this order.
	PreTasks, RoleTasks, Tasks, PostTasks []Node
	// Handlers are those of the roles (dependencies first), then the play's own, then those that static imports
	// brought. Of several with one name the last counts, as in Ansible.
	Handlers []Node
	// Roles are those of roles: and of import_role, in order, without their dependencies.
	Roles []*Role
}

// Prompt is one entry of vars_prompt.
type Prompt struct {
	Name, Text, Encrypt, Salt string
	SaltSize                  int
	Default                   Field
	Private, Confirm, Unsafe  bool
	Pos                       diag.Pos
}

// Node is a *Block or a *Task.
type Node interface{ node() }

func (*Block) node() {}
func (*Task) node()  {}

// Block is a block with its rescue and always, or the tasks of a role or of a static import.
type Block struct {
	Keywords
	Pos                  diag.Pos
	Body, Rescue, Always []Node
	Notify               []Field
	Role                 *Role // the role that the block belongs to, if any
	RoleEnd              bool  // the last block of a role
	File                 string
	// Static is the statement that a static import's block stands for: "import_tasks", "import_role" or "".
	Static string
}

// Task is one task or handler.
type Task struct {
	Keywords
	Pos  diag.Pos
	Play *Play
	Role *Role
	File string // the file that it stands in

	// Action is the module's name as written, without free-form text; Module is set for a module, nil
	// for an action of the run itself (debug, set_fact, include_tasks …), see ActionSpec.
	Action    string
	ActionPos diag.Pos
	Module    *modules.Module
	// Executable is the path of a program in library/ of the role or playbook that is the module; Module is nil when it cannot run.
	Executable string
	Args       Args

	Loop        Field  // of loop, or of with_X
	LoopWith    string // "items" for with_items; "" for loop
	LoopControl LoopControl
	Register    string
	Until       []Field
	Retries     Field
	Delay       Field
	ChangedWhen []Field
	FailedWhen  []Field
	Notify      []Field
	Listen      []string
	Async, Poll Field
	Handler     bool

	// Apply are the keywords of include_tasks' and include_role's apply, nil without any. Tasks that are included
	// have Apply as their parent, else the include's own Level.Parent: an include hands nothing else down.
	Apply *Keywords
}

// BaseAction is the action's name without the collections that stand for Ansible itself.
func (t *Task) BaseAction() string { return baseName(t.Action) }

// LoopControl is loop_control.
type LoopControl struct {
	LoopVar, IndexVar                                   string
	Label, Pause, Extended, ExtendedAllItems, BreakWhen Field
	// Parallel is how many items of a module's loop a host works on at once; unset is one after another.
	Parallel Field
}

// Args are a task's arguments as written.
type Args struct {
	// Values by name; leaves may be *value.Template. When Whole is set (args: "{{ dict }}"), its rendering
	// is merged under them.
	Values *value.Dict
	Whole  Field
	Pos    diag.Pos
	File   string
	Node   *yaml.Node // of the arguments, to find places in; nil for free-form text
	// Extra is the node of args: beside a module's own arguments.
	Extra *yaml.Node
	// Text is the place of free-form text, zero without any.
	Text diag.Pos
}

// Role is one use of a role.
type Role struct {
	Name   string // as written; FQCN roles keep theirs
	Path   string // its folder
	Params *value.Dict
	Pos    diag.Pos
	Parent *Role // the role whose dependency or include this is
	// Collection is the collection that the role belongs to, "" without one.
	Collection string
	// Key is equal for uses that Ansible holds to be the same: a host runs only the first of them in a play,
	// unless AllowDuplicates.
	Key string
	// Defaults and Vars are unrendered.
	Defaults, Vars *value.Dict
	// Tasks is the role's own block; Dependencies run before it, see Blocks. It is there even when the role
	// has no tasks.
	Tasks                   *Block
	Handlers                []Node // its own; see AllHandlers
	Dependencies            []*Role
	AllowDuplicates, Public bool
	// Included is set for include_role and import_role.
	Included bool
}

// Blocks are the role's tasks in the order in which they run: dependencies first.
func (r *Role) Blocks() []Node {
	var out []Node
	for _, d := range r.Dependencies {
		out = append(out, d.Blocks()...)
	}
	return append(out, r.Tasks)
}

// AllHandlers are the role's handlers, those of its dependencies first.
func (r *Role) AllHandlers() []Node {
	var out []Node
	for _, d := range r.Dependencies {
		out = append(out, d.AllHandlers()...)
	}
	return append(out, r.Handlers...)
}

// ActionSpec describes an action of the run itself to the loader, so that its arguments are checked like
// a module's.
type ActionSpec = modules.Module

// RoleUse is what include_role and import_role take.
type RoleUse struct {
	Name                                            string
	TasksFrom, VarsFrom, DefaultsFrom, HandlersFrom string
	Params                                          *value.Dict
	AllowDuplicates, Public                         bool
	// SkipSpec leaves the role's argument spec unchecked (rolespec_validate: false).
	SkipSpec bool
	Pos      diag.Pos
	Parent   *Role
}
