package modules

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/transport"
)

// Result is what a module came to.
type Result struct {
	// Data are the register keys, in order: the module's own and changed, failed, msg, skipped, diff,
	// warnings, ansible_facts as far as they apply; our extras under "hostler".
	Data     *value.Dict
	Changed  bool
	Failed   bool
	Skipped  bool
	Msg      string
	Diff     []Diff
	Warnings []string
	Facts    *value.Dict // new facts, without the ansible_ prefix unless the name itself has it
	NoLog    bool        // the module itself asks that its result be hidden
}

// Diff is one difference in Ansible's shape.
type Diff struct {
	Before       string `json:"before"`
	After        string `json:"after"`
	BeforeHeader string `json:"before_header,omitempty"`
	AfterHeader  string `json:"after_header,omitempty"`
	Prepared     string `json:"prepared,omitempty"`
}

// Run runs the module on a host. Args are rendered, but for those that the module takes late.
// A module's failure is in the Result; err is for what is not the module's: *transport.UnreachableError,
// *transport.BecomeError, transport.ErrLost, ErrDetached, a cancelled context.
func (m *Module) Run(ctx context.Context, h *Host, args *value.Dict) (Result, error) {
	if m.executable {
		return m.execute(ctx, h, args)
	}
	var d decoder
	decoded := d.decode(m.args, args, nil)
	h.warnings = append(h.warnings, d.warnings...)
	if len(d.errs) > 0 {
		return m.finish(h, decoded, nil, ArgErrors(d.errs)), nil
	}
	h.converge = m.converge
	defer h.closePeers()
	out, err := m.guarded(ctx, h, decoded)
	if fatal := notTheModules(ctx, err); fatal != nil {
		return Result{}, fatal
	}
	if errors.Is(err, ErrPlanned) {
		err = nil
	}
	return m.finish(h, decoded, out, err), nil
}

// guarded runs the module's function; a panic becomes its failure, for one host's oddity must not end the
// whole run.
func (m *Module) guarded(ctx context.Context, h *Host, args reflect.Value) (out any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("module %s crashed, which is a bug in hostler: %v\n%s", m.Name, p, debug.Stack())
		}
	}()
	return m.run(ctx, h, args)
}

// notTheModules gives the error when it says nothing about the task but about the way to the host.
func notTheModules(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*transport.UnreachableError](err); ok {
		return err
	}
	if _, ok := errors.AsType[*transport.BecomeError](err); ok {
		return err
	}
	if errors.Is(err, ErrDetached) || errors.Is(err, transport.ErrLost) || ctx.Err() != nil {
		return err
	}
	return nil
}

// finish makes the result of what the module gave and of what the host noted.
func (m *Module) finish(h *Host, args reflect.Value, out any, err error) Result {
	data := value.NewDict("changed", h.altered || h.planned)
	if out != nil {
		mergeStruct(data, reflect.ValueOf(out))
	}
	r := Result{Data: data, Diff: h.diffs, NoLog: h.noLog}
	if err != nil {
		r.Failed = true
		data.Set("failed", true)
		data.Set("msg", err.Error())
		addFailure(data, err)
	}
	h.addLines(data)
	r.Warnings = h.warnings
	r.Changed, r.Skipped = isTrue(data, "changed"), isTrue(data, "skipped")
	if isTrue(data, "failed") {
		r.Failed = true
	}
	if r.Skipped {
		r.Changed = false
	}
	data.Set("changed", r.Changed)
	r.Msg = data.Str("msg")
	if facts, ok := data.Get("ansible_facts"); ok {
		r.Facts, _ = facts.(*value.Dict)
	}
	if len(r.Diff) > 0 {
		data.Set("diff", diffValue(r.Diff))
	}
	if len(r.Warnings) > 0 {
		data.Set("warnings", toValue(reflect.ValueOf(r.Warnings)))
	}
	if len(h.actions) > 0 {
		extras := value.NewDict()
		if old, ok := data.Get("hostler"); ok {
			if dict, ok := old.(*value.Dict); ok {
				extras = dict
			}
		}
		extras.Set("actions", actionsValue(h.actions))
		data.Set("hostler", extras)
	}
	if secrets := m.args.secrets(args); len(secrets) > 0 {
		r.mask(secrets)
		data = r.Data
		r.Msg = data.Str("msg")
	}
	data.Set("invocation", value.NewDict("module_args", m.args.show(args)))
	return r
}

// addFailure adds what a failed program gave under the keys that Ansible's modules use for it.
func addFailure(data *value.Dict, err error) {
	if one, ok := errors.AsType[*ActionError](err); ok {
		setNew(data, "cmd", one.Command)
		setNew(data, "rc", one.Status)
		setNew(data, "stdout", Clean(one.Stdout))
		setNew(data, "stderr", Clean(one.Stderr))
		return
	}
	if one, ok := errors.AsType[*transport.ExitError](err); ok {
		setNew(data, "cmd", one.Command)
		setNew(data, "rc", one.Status)
		setNew(data, "stderr", Clean(one.Stderr))
		if text := strings.TrimSpace(Clean(one.Stderr)); text != "" && !strings.Contains(data.Str("msg"), text) {
			data.Set("msg", data.Str("msg")+": "+text)
		}
	}
}

func setNew(d *value.Dict, key string, v any) {
	if _, ok := d.Get(key); !ok {
		d.Set(key, v)
	}
}

// maxLines bounds stdout_lines and stderr_lines: a line costs 32 bytes besides its text, and 16 MiB may be 16 million lines.
const maxLines = 1 << 18

// addLines adds stdout_lines and stderr_lines.
func (h *Host) addLines(data *value.Dict) {
	for _, key := range []string{"stdout", "stderr"} {
		v, ok := data.Get(key)
		text, isText := v.(string)
		if !ok || !isText {
			continue
		}
		if _, ok := data.Get(key + "_lines"); ok {
			continue
		}
		lines, more := splitLines(text, maxLines)
		if more {
			h.Warn("%s_lines holds the first %d lines only", key, maxLines)
		}
		list := &value.List{Items: make([]any, len(lines))}
		for i, line := range lines {
			list.Items[i] = line
		}
		data.Set(key+"_lines", list)
	}
}

func diffValue(diffs []Diff) *value.List {
	list := value.NewList()
	for _, d := range diffs {
		list.Append(toValue(reflect.ValueOf(d)))
	}
	return list
}

func actionsValue(done []Done) *value.List {
	list := value.NewList()
	for _, d := range done {
		one := value.NewDict("why", d.Why, "cmd", d.Command)
		if !d.Planned {
			one.Set("rc", d.Status)
		}
		list.Append(one)
	}
	return list
}

// Clean makes text of a program's output: what is no UTF-8 becomes U+FFFD.
func Clean(b []byte) string { return strings.ToValidUTF8(string(b), "\ufffd") }

// SplitLines splits as Python's str.splitlines: at every kind of line end, without an empty line at the end.
func SplitLines(s string) []string {
	lines, _ := splitLines(s, len(s))
	return lines
}

// splitLines is SplitLines for the first lines; more says that there are others.
func splitLines(s string, limit int) (lines []string, more bool) {
	start := 0
	for i, r := range s {
		if i < start {
			continue // the \n of a \r\n
		}
		width := 0
		switch r {
		case '\r':
			width = 1
			if i+1 < len(s) && s[i+1] == '\n' {
				width = 2
			}
		case '\n', '\v', '\f', 0x1c, 0x1d, 0x1e:
			width = 1
		case 0x85:
			width = 2
		case 0x2028, 0x2029:
			width = 3
		default:
			continue
		}
		if len(lines) == limit {
			return lines, true
		}
		lines = append(lines, s[start:i])
		start = i + width
	}
	if start == len(s) {
		return lines, false
	}
	if len(lines) == limit {
		return lines, true
	}
	return append(lines, s[start:]), false
}

func isTrue(d *value.Dict, key string) bool {
	v, _ := d.Get(key)
	b, _ := v.(bool)
	return b
}
