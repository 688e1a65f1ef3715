package run

import (
	"context"
	"time"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

// Sink takes what happens. Emit is called from one goroutine at a time, in the order in which things
// happened; work on hosts never waits for it. Close flushes and is called once, by whoever made the Sink.
type Sink interface {
	Emit(ctx context.Context, e Event)
	Close() error
}

// Event is one of the types of this file. Results in events are already censored where no_log asks for it.
type Event interface{ event() }

// Status is what a task came to on a host.
type Status string

// The statuses. A rescued or ignored failure is StatusFailed with Rescued or Ignored set beside it; so is StatusUnreachable.
const (
	StatusOK          Status = "ok"
	StatusChanged     Status = "changed"
	StatusSkipped     Status = "skipped"
	StatusFailed      Status = "failed"
	StatusUnreachable Status = "unreachable"
)

// TaskInfo is a task as sinks see it. It is shared by all events of one pass over the task.
type TaskInfo struct {
	ID      int    // counts the tasks of a run as they are reached, from 1
	Name    string // rendered, with the role's name before it as Ansible shows it
	Own     string // the task's own name, rendered, without the role's; Name where it has none
	Action  string // the module or action as written
	Path    string // file:line
	Handler bool
	NoLog   bool
	// FreeForm is the argument that text without a name gives, "" when the module takes none.
	FreeForm string
	Args     *value.Dict // as written, templates not rendered; nil under no_log
	Check    bool
	Loop     bool // has loop or with_X
	Include  bool // include_tasks or include_role: has no result lines of its own
}

// Outcome is the part that results of hosts and of loop items have in common.
type Outcome struct {
	Host string
	// Delegated is the host that did the work when it is another, Address how it is reached when that differs.
	Delegated, Address string
	Task               *TaskInfo
	Status             Status
	Ignored            bool // failed or unreachable, and told to go on all the same
	Result             *value.Dict
	Diffs              []modules.Diff
	Verbose            bool // shows its result always (debug, a loud assert)
	Item               any  // the label of a loop's item
	HasItem            bool
	Censored           bool
	Resumed            bool // the run that is resumed did it
	Start              time.Time
	Duration           time.Duration
}

// PlaybookStarted opens a playbook file.
type PlaybookStarted struct {
	Path  string
	Plays int
}

// PlayStarted opens a play, or one batch of it under serial.
type PlayStarted struct {
	Path  string // file:line
	Name  string // rendered; the pattern when it has none
	Hosts []string
	// Free says that hosts go their own pace, so that results of several tasks mix.
	Free  bool
	Check bool
}

// TaskStarted opens a task; Hosts is how many take part.
type TaskStarted struct {
	Task  *TaskInfo
	Hosts int
}

// HostStarted says that a task begins on a host.
type HostStarted struct {
	Host string
	Task *TaskInfo
}

// ItemFinished is one item of a loop.
type ItemFinished struct{ Outcome }

// HostFinished is a task's end on one host.
type HostFinished struct {
	Outcome
	// Rescued says that a rescue section takes the failure over.
	Rescued bool
	// Items says that ItemFinished events told the details.
	Items bool
}

// StillWaiting says that a task runs for long on some hosts.
type StillWaiting struct {
	Task  *TaskInfo
	Hosts []string      // sorted
	For   time.Duration // the longest of them
}

// Retrying says that until did not hold and another attempt follows.
type Retrying struct {
	Outcome
	Left int // retries left
}

// Stepped says that the user was asked whether a task is to run.
type Stepped struct{ Question string }

// Said is what a task tells the user besides its result.
type Said struct{ Text string }

// RetryFile says where the hosts to try again were written.
type RetryFile struct{ Path string }

// JobPolled says that a job (async) still runs.
type JobPolled struct{ Host, ID string }

// JobEnded says that a job that was waited for is over.
type JobEnded struct {
	Host, ID string
	Failed   bool
}

// Included says that a file or role of tasks was taken in for some hosts.
type Included struct {
	File    string
	Hosts   []string
	Item    any
	HasItem bool
}

// NoHosts says that a play's pattern matched nothing.
type NoHosts struct{}

// NoMoreHosts says that no host is left to go on with.
type NoMoreHosts struct{}

// Notified says that a handler will run on a host.
type Notified struct{ Host, Handler string }

// MetaDone says what a meta task did.
type MetaDone struct {
	Host    string
	Text    string
	Skipped bool
}

// Output is a piece of a running command's output.
type Output struct {
	Host   string
	Task   *TaskInfo
	Stderr bool
	Chunk  []byte
}

// Warning is something odd that stops nothing.
type Warning struct{ Text string }

// Deprecated warns of something that will go away.
type Deprecated struct{ Text, Version string }

// Problem is an error of the run itself, not of one host's task.
type Problem struct{ Err error }

// StatsFinished ends a playbook; Stats are those of the whole run so far.
type StatsFinished struct {
	Hosts  []HostStats // sorted by name
	Custom *value.Dict // set_stats: by host, and "_run"
	Check  bool
}

// HostStats counts one host's results as Ansible's recap does.
type HostStats struct {
	Host                                                        string
	OK, Changed, Unreachable, Failed, Skipped, Rescued, Ignored int
}

func (PlaybookStarted) event() {}
func (PlayStarted) event()     {}
func (TaskStarted) event()     {}
func (HostStarted) event()     {}
func (ItemFinished) event()    {}
func (HostFinished) event()    {}
func (Retrying) event()        {}
func (StillWaiting) event()    {}
func (Stepped) event()         {}
func (Said) event()            {}
func (RetryFile) event()       {}
func (JobPolled) event()       {}
func (JobEnded) event()        {}
func (Included) event()        {}
func (NoHosts) event()         {}
func (NoMoreHosts) event()     {}
func (Notified) event()        {}
func (MetaDone) event()        {}
func (Output) event()          {}
func (Warning) event()         {}
func (Deprecated) event()      {}
func (Problem) event()         {}
func (StatsFinished) event()   {}

// Has reports whether the result has a key.
func (o *Outcome) Has(key string) bool {
	_, ok := o.Result.Get(key)
	return ok
}
