// Package run runs plays over hosts: forks, order, strategies, handlers, failure rules, check mode,
// delegation. What happens is told to a Sink; it prints nothing. Its main entries are Play and AdHoc.
package run

import (
	"context"
	"time"

	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/inventory"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/playbook"
	"github.com/hostlerhq/hostler/run/journal"
	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/vars"
)

// DefaultForks is how many hosts work at once unless configured.
const DefaultForks = 64

// Opener gives connections; *transport.Pool is one.
type Opener interface {
	Open(ctx context.Context, e transport.Endpoint, b transport.Become) (transport.Conn, error)
}

// Lookup runs a lookup plugin for with_X: the values for the terms, as query() gives them. Subdir is where
// first_found and its like search: "files", "templates" or "vars".
type Lookup func(ctx context.Context, s *vars.Scope, name string, terms *value.List, subdir string) (*value.List, error)

// FactCache keeps facts of hosts, named as modules return them, with the mark that they came from gathering. Calls for one
// host never overlap. *cache.Folder is one.
type FactCache interface {
	// Load gives nil when there are none.
	Load(host string) (facts *value.Dict, gathered bool, err error)
	Store(host string, facts *value.Dict, gathered bool) error
	Delete(host string) error
}

// Options are everything a run needs. Inventory, Engine, Pool, Sink are required, and for plays Loader.
type Options struct {
	Inventory *inventory.Inventory
	Playbooks []*playbook.Playbook // loaded and checked
	Engine    *vars.Engine
	Pool      Opener
	Modules   modules.Lookup   // for AdHoc, gather_facts and module_defaults
	Loader    *playbook.Loader // for include_tasks and include_role
	Lookup    Lookup           // for with_X; nil makes with_X an error
	Sink      Sink
	// ReadFile reads a file of the controller, opening vaulted ones; nil is os.ReadFile.
	ReadFile func(path string) ([]byte, error)
	// RefreshInventory reads the inventory anew for meta: refresh_inventory; nil makes that an error.
	RefreshInventory func(ctx context.Context) (*inventory.Inventory, error)
	// Prompt asks the user (pause, vars_prompt); nil means that nobody can be asked.
	Prompt func(ctx context.Context, question string, echo bool) (secret.Text, error)

	Forks         int // 0 is DefaultForks
	Check, Diff   bool
	Limit         string
	Tags          []string // empty is all
	SkipTags      []string
	ExtraVars     *value.Dict
	Verbosity     int
	StartAtTask   string
	ForceHandlers bool
	// Step asks before a task (--step) and gives the answer in small letters: y or yes, c or continue; any other leaves it out.
	Step func(question string) (answer string)
	// Debug asks for a line of the debugger (debugger, strategy debug); nil means that there is nobody at a terminal.
	Debug func(ctx context.Context, prompt string) (line string, err error)
	// RetryFile writes the hosts that a playbook lost to a file and gives its name; nil writes none.
	RetryFile func(playbook string, hosts []string) (file string, err error)

	// What settings give where no keyword says otherwise. Gathering is "implicit", "explicit" or "smart".
	AnyErrorsFatal, NoLog bool
	Gathering, Strategy   string
	TaskTimeout           time.Duration
	// GatherSubset, GatherTimeout (seconds) and FactPath are what a play gathers with when it does not say; zero is the module's own.
	GatherSubset  []string
	GatherTimeout int
	FactPath      string
	Poll          time.Duration // between two looks at a job (async); 0 is 15 s
	// HideFacts keeps facts from being variables of their own (inject_facts_as_vars=false).
	HideFacts bool
	// MissingHandlerWarns makes a notify without handler a warning.
	MissingHandlerWarns bool
	Managed             string // ansible_managed
	// LiveOutput makes Output events of what commands print while they run.
	LiveOutput bool
	// TellWaiting makes StillWaiting events of hosts that are at a task for so long, and again each time that doubled; 0 makes none.
	TellWaiting time.Duration

	// Facts keeps the facts of hosts from run to run; nil keeps them for this run only.
	Facts FactCache

	// Journal keeps how far each host got, and of a run that is resumed gives what was done already; nil keeps nothing.
	Journal *journal.Journal

	Connect ConnectDefaults
	// Names of files for magic variables.
	ConfigFile       string
	InventorySources []string

	// Stop, once closed, ends the run gently: no further task starts, running ones end. Cancelling the context
	// cuts running ones too.
	Stop <-chan struct{}
}

// ConnectDefaults are how hosts are reached where no variable or keyword says otherwise: what command line and settings give.
type ConnectDefaults struct {
	Connection     string // "ssh" when empty
	User           string
	Port           int
	PrivateKey     string
	Timeout        time.Duration
	Retries        int
	Args           []string // ssh arguments of settings and --ssh-common-args
	HostKeys       string   // as transport.Endpoint.HostKeys
	KnownHosts     []string
	Password       secret.Text
	Become         bool
	BecomeMethod   string
	BecomeUser     string
	BecomeExe      string
	BecomeFlags    []string
	BecomePassword secret.Text
}

// Result is what a run came to.
type Result struct {
	Hosts []HostStats // sorted by name
	// Failed and Unreachable are the hosts that were lost for the run, sorted.
	Failed, Unreachable []string
	// BrokenOff says that any_errors_fatal or max_fail_percentage ended a play.
	BrokenOff bool
	// Interrupted says that Stop or the context ended the run.
	Interrupted bool
}
