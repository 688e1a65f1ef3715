package system

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"time"

	"github.com/hostlerhq/hostler/internal/pyre"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed wait_for.go
var waitForSource string

// WaitFor waits for a port or a file.
var WaitFor = modules.Define("wait_for", waitForSource, runWaitFor,
	modules.Aliases("ansible.builtin.wait_for", "ansible.legacy.wait_for"))

// WaitState is what is waited for.
type WaitState string

// Choices lists the states.
func (WaitState) Choices() []string {
	return []string{"absent", "drained", "present", "started", "stopped"}
}

// WaitForArgs wait until a port is open or closed, until a file is there or not, or until either shows a text. Connections are made from
// the host, through the connection to it; it needs no tool for that. Without port and path the timeout is waited out.
//
//	# A port, a file, a line in a file.
//	- wait_for:
//	    port: 16514
//	    timeout: 60
//	- wait_for:
//	    path: /run/libvirt/libvirt-sock
//	- wait_for:
//	    path: /var/log/cloud-init.log
//	    search_regex: 'finished at (\S+)'
type WaitForArgs struct {
	// Host to connect to, as the host itself knows it.
	Host string `arg:"host" default:"127.0.0.1"`
	// Port to connect to.
	Port *int `arg:"port"`
	// Path of a file or folder.
	Path *modules.Path `arg:"path"`
	// State is what to wait for: started and present are an open port or a path that is there, stopped and absent the opposite,
	// and drained is a port without active connections.
	State WaitState `arg:"state" default:"started"`
	// SearchRegex is looked for in the file, or in what the port sends.
	SearchRegex *string `arg:"search_regex"`
	// Timeout in seconds.
	Timeout int `arg:"timeout" default:"300"`
	// ConnectTimeout is how many seconds one connection may take.
	ConnectTimeout int `arg:"connect_timeout" default:"5"`
	// Delay is how many seconds to wait before the first look; it counts towards the timeout.
	Delay int `arg:"delay" default:"0"`
	// Sleep is how many seconds to wait between looks.
	Sleep int `arg:"sleep" default:"1"`
	// Msg is what to say when the time is over.
	Msg string `arg:"msg"`
	// ActiveStates are the states of a connection that counts for drained.
	ActiveStates []tcpState `arg:"active_connection_states" default:"ESTABLISHED,FIN_WAIT1,FIN_WAIT2,SYN_RECV,SYN_SENT,TIME_WAIT"`
	// ExcludeHosts are those whose connections do not count for drained.
	ExcludeHosts []string `arg:"exclude_hosts"`
}

// WaitForResult tells what was waited for.
type WaitForResult struct {
	// State that was waited for.
	State string `json:"state"`
	// Port that was asked about.
	Port *int `json:"port"`
	// SearchRegex that was looked for.
	SearchRegex *string `json:"search_regex"`
	// MatchGroups are the groups of what was found.
	MatchGroups []any `json:"match_groups"`
	// MatchGroupdict are the named groups of what was found.
	MatchGroupdict map[string]any `json:"match_groupdict"`
	// Path that was asked about.
	Path *modules.Path `json:"path"`
	// Elapsed seconds.
	Elapsed int `json:"elapsed"`
	// Skipped in check mode.
	Skipped bool `json:"skipped,omitempty"`
	// Msg says why it was skipped.
	Msg string `json:"msg,omitempty"`
}

// Check refuses what cannot be waited for.
func (a WaitForArgs) Check() error {
	onlyPort := a.State == "stopped" || a.State == "drained"
	switch {
	case a.Port != nil && a.Path != nil:
		return errors.New("port and path parameter can not both be passed to wait_for")
	case a.Path != nil && onlyPort:
		return fmt.Errorf("state=%s should only be used for checking a port in the wait_for module", a.State)
	case a.ExcludeHosts != nil && a.State != "drained":
		return errors.New("exclude_hosts should only be with state=drained")
	case a.State == "drained" && a.Port == nil:
		return errors.New("state=drained needs a port")
	case a.Port != nil && (*a.Port < 1 || *a.Port > 65535):
		return &modules.ArgError{Path: []any{"port"}, Msg: fmt.Sprintf("port must be 1 to 65535, not %d", *a.Port)}
	}
	_, err := a.pattern()
	return err
}

// pattern compiles search_regex; nil when there is none.
func (a WaitForArgs) pattern() (*pyre.Regexp, error) {
	if a.SearchRegex == nil {
		return nil, nil
	}
	re, err := pyre.Compile(*a.SearchRegex, pyre.Options{Bytes: true, Multiline: true})
	if err != nil {
		return nil, &modules.ArgError{Path: []any{"search_regex"}, Msg: fmt.Sprintf("Invalid regular expression: %v: %s", err, *a.SearchRegex)}
	}
	return re, nil
}

// waiting is one task that waits.
type waiting struct {
	WaitForArgs
	h     *modules.Host
	re    *pyre.Regexp
	end   time.Time
	found *pyre.Match
}

func runWaitFor(ctx context.Context, h *modules.Host, a WaitForArgs) (WaitForResult, error) {
	res := WaitForResult{
		State: string(a.State), Port: a.Port, SearchRegex: a.SearchRegex, Path: a.Path,
		MatchGroups: []any{}, MatchGroupdict: map[string]any{},
	}
	if h.Planning() {
		res.Skipped, res.Msg = true, "remote module (wait_for) does not support check mode"
		return res, nil
	}
	start := time.Now()
	re, err := a.pattern()
	if err != nil {
		return res, err
	}
	w := &waiting{WaitForArgs: a, h: h, re: re, end: start.Add(time.Duration(a.Timeout) * time.Second)}
	err = w.wait(ctx)
	res.Elapsed = int(time.Since(start).Seconds())
	if err != nil || w.found == nil {
		return res, err
	}
	for i := range w.found.Groups() {
		res.MatchGroups = append(res.MatchGroups, groupOf(w.found, strconv.Itoa(i+1)))
	}
	for _, name := range w.re.Names() {
		res.MatchGroupdict[name] = groupOf(w.found, name)
	}
	return res, nil
}

// groupOf gives a group's text, nil when it took no part.
func groupOf(m *pyre.Match, name string) any {
	if text, matched, _ := m.Group(name); matched {
		return modules.Clean([]byte(text))
	}
	return nil
}

// wait looks until what is waited for has come.
func (w *waiting) wait(ctx context.Context) error {
	if err := pause(ctx, w.Delay); err != nil {
		return err
	}
	if w.Port == nil && w.Path == nil {
		return pause(ctx, w.Timeout)
	}
	for time.Now().Before(w.end) {
		come, err := w.look(ctx)
		if err != nil || come {
			return err
		}
		if err := pause(ctx, w.Sleep); err != nil {
			return err
		}
	}
	return errors.New(w.late())
}

// pause waits for some seconds.
func pause(ctx context.Context, seconds int) error {
	timer := time.NewTimer(time.Duration(seconds) * time.Second)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// look tells whether it has come.
func (w *waiting) look(ctx context.Context) (bool, error) {
	gone := w.State == "absent" || w.State == "stopped"
	switch {
	case w.State == "drained":
		n, err := w.connections(ctx)
		return n == 0, err
	case w.Path != nil:
		return w.lookPath(ctx, gone)
	case gone:
		open, err := w.connect(ctx, nil)
		return !open, err
	}
	return w.connect(ctx, w.re)
}

// late is what to say when the time is over.
func (w *waiting) late() string {
	what := w.Host
	if w.Port != nil {
		what += ":" + strconv.Itoa(*w.Port)
	} else {
		what = string(*w.Path)
	}
	switch {
	case w.Msg != "":
		return w.Msg
	case w.State == "drained":
		return "Timeout when waiting for " + what + " to drain"
	case w.State == "absent" || w.State == "stopped":
		if w.Path != nil {
			return "Timeout when waiting for " + what + " to be absent."
		}
		return "Timeout when waiting for " + what + " to stop."
	case w.SearchRegex != nil:
		return "Timeout when waiting for search string " + *w.SearchRegex + " in " + what
	case w.Path != nil:
		return "Timeout when waiting for file " + what
	}
	return "Timeout when waiting for " + what
}

// missing is how ls tells, under LC_ALL=C, of a path that is not there.
var missing = regexp.MustCompile(`No such file or directory`)

// waitPathScript: path. A path that cannot be looked at is told apart from one that is not there.
const waitPathScript = modules.ExpandLib + `
__expand "$1"
say path "$__v"
if [ -e "$__v" ]; then say there yes; else tell ls ls -dL -- "$__v"; fi
exit 0
`

func (w *waiting) lookPath(ctx context.Context, gone bool) (bool, error) {
	r, err := w.h.Probe(ctx, waitPathScript, string(*w.Path))
	if err != nil {
		return false, err
	}
	switch there := r.Has("there"); {
	case gone:
		return !there, nil
	case !there && r.Status("ls") != 0 && !missing.MatchString(r.Text("ls.err")):
		return false, fmt.Errorf("Failed to stat %s: %s", *w.Path, r.Text("ls.err"))
	case !there || w.re == nil:
		return there, nil
	}
	data, err := w.h.ReadFile(ctx, r.Text("path"), 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return w.search(data)
}

// search looks for search_regex in what was read.
func (w *waiting) search(data []byte) (bool, error) {
	m, err := w.re.Search(string(data))
	if err != nil {
		return false, fmt.Errorf("search_regex: %w", err)
	}
	if m != nil {
		w.found = m
	}
	return m != nil, nil
}
