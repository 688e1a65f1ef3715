package report

import (
	"fmt"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/run"
)

// copied gives a shallow copy to take keys out of.
func copied(d *value.Dict) *value.Dict {
	c := value.NewDict()
	for k, v := range d.All() {
		c.Set(k, v)
	}
	return c
}

// shown gives what of a result people see at a verbosity: its status is in the line's first word already, and
// details wait for -vvv.
func shown(o *run.Outcome, verbosity int) *value.Dict { return shownOf(o, verbosity, true) }

// flatDump is a result in lines without indentation, joined by sep: what Python's indent=0 gives. Results that show always are
// indented, and debug's are not tidied: both as Ansible's oneline and junit callbacks have it.
func flatDump(o *run.Outcome, verbosity int, sep string) string {
	d := shownOf(o, verbosity, false)
	if o.Verbose && !o.Task.Loop {
		return strings.ReplaceAll(JSON(d, 4), "\n", sep)
	}
	lines := strings.Split(JSON(d, 1), "\n")
	for i := range lines {
		lines[i] = strings.TrimLeft(lines[i], " ")
	}
	return strings.Join(lines, sep)
}

func shownOf(o *run.Outcome, verbosity int, tidy bool) *value.Dict {
	d := copied(o.Result)
	for _, key := range []string{"failed", "skipped", "exception"} {
		d.Delete(key)
	}
	if tidy && o.Task != nil && isAction(o.Task.Action, "debug") {
		cleanDebug(d)
	}
	if verbosity < 3 {
		for _, key := range []string{"invocation", "diff", "hostler"} {
			d.Delete(key)
		}
	}
	return d
}

func cleanDebug(d *value.Dict) {
	if _, ok := d.Get("msg"); !ok {
		for _, key := range []string{"changed", "invocation", "skip_reason"} {
			d.Delete(key)
		}
		return
	}
	for _, k := range d.Keys() {
		if k != "msg" && k != "warnings" && k != "deprecations" {
			d.Delete(k)
		}
	}
}

// isAction compares an action as written with a built-in's short name.
func isAction(written, short string) bool {
	written = strings.TrimPrefix(written, "ansible.builtin.")
	return strings.TrimPrefix(written, "ansible.legacy.") == short
}

// noJSON are the modules whose ad-hoc result is their text.
func noJSON(action string) bool {
	for _, name := range []string{"command", "shell", "raw", "script", "win_command", "win_shell"} {
		if isAction(action, name) {
			return true
		}
	}
	return false
}

// text gives a value as Python's str does in a message: text as it is, anything else as a literal.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case string:
		return v
	case bool:
		if v {
			return "True"
		}
		return "False"
	case float64:
		return pyFloat(v)
	case *value.Dict, *value.List, value.Tuple:
		return repr(v)
	default:
		return fmt.Sprint(v)
	}
}

// repr gives a value as Python's repr does.
func repr(v any) string {
	switch v := v.(type) {
	case string:
		return quoted(v)
	case *value.Dict:
		var parts []string
		for k, item := range v.All() {
			parts = append(parts, repr(k)+": "+repr(item))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case *value.List:
		return "[" + reprs(v.Items) + "]"
	case value.Tuple:
		if len(v) == 1 {
			return "(" + repr(v[0]) + ",)"
		}
		return "(" + reprs(v) + ")"
	default:
		return text(v)
	}
}

func reprs(items []any) string {
	parts := make([]string, len(items))
	for i, item := range items {
		parts[i] = repr(item)
	}
	return strings.Join(parts, ", ")
}

func quoted(s string) string {
	quote := `'`
	if strings.Contains(s, `'`) && !strings.Contains(s, `"`) {
		quote = `"`
	}
	var b strings.Builder
	b.WriteString(quote)
	for _, r := range s {
		switch {
		case string(r) == quote || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String() + quote
}

// diffText gives a task's differences as Ansible prints them, coloured line by line.
func (d *display) diffText(diffs []modules.Diff) string {
	var out strings.Builder
	for _, one := range diffs {
		if one.Before != "" || one.After != "" || one.BeforeHeader != "" || one.AfterHeader != "" {
			out.WriteString(d.oneDiff(one))
		}
		out.WriteString(one.Prepared)
	}
	return out.String()
}

func (d *display) oneDiff(one modules.Diff) string {
	from, to := "before", "after"
	if one.BeforeHeader != "" {
		from += ": " + one.BeforeHeader
	}
	if one.AfterHeader != "" {
		to += ": " + one.AfterHeader
	}
	context := d.opts.DiffContext
	if context == 0 {
		context = 3
	}
	lines := unifiedDiff(diffLines(one.Before), diffLines(one.After), from, to, context)
	if len(lines) == 0 {
		return ""
	}
	var out strings.Builder
	for _, l := range lines {
		color := ""
		switch {
		case strings.HasPrefix(l, "+"):
			color = green
		case strings.HasPrefix(l, "-"):
			color = red
		case strings.HasPrefix(l, "@@"):
			color = cyan
		}
		out.WriteString(d.paint(l, color))
	}
	out.WriteString("\n")
	return out.String()
}

func diffLines(s string) []string {
	lines := splitLines(s)
	if n := len(lines); n > 0 && !strings.HasSuffix(lines[n-1], "\n") {
		lines[n-1] += "\n\\ No newline at end of file\n"
	}
	return lines
}
