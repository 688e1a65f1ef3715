package modules

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/shell"
	"github.com/hostlerhq/hostler/jinja/value"
)

// AnsibleVersion is the version of ansible-core whose behaviour a run has, as in ansible_version.
const AnsibleVersion = "2.14.18"

// NewExecutable makes a module of a program of the user's, such as lie in a role's library. It is brought to the host for each task and
// run there with one argument: a file, mode 0600, with the task's arguments. They are JSON when the program is no text or has WANT_JSON in it,
// else words such as a='b c'. What it prints must be a JSON object: the result.
func NewExecutable(name string, text []byte) *Module {
	m := Declare[struct{}](name, "", AnyKeys(), Detaches())
	m.executable, m.text = true, text
	return m
}

// ErrNoInterpreter is about a program whose first line does not name one.
var ErrNoInterpreter = errors.New("it is missing the interpreter line")

// CheckExecutable tells what keeps a program from being a module: ErrNoInterpreter.
func CheckExecutable(text []byte) error {
	if !isBinary(text) && interpreter(text) == nil {
		return ErrNoInterpreter
	}
	return nil
}

// isBinary reports whether a program is no text.
func isBinary(text []byte) bool {
	return bytes.IndexByte(text[:min(len(text), 1024)], 0) >= 0
}

// interpreter gives the words of a program's first line; nil when it names none.
func interpreter(text []byte) []string {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	rest, ok := bytes.CutPrefix(line, []byte("#!"))
	if !ok {
		return nil
	}
	return strings.Fields(string(rest))
}

// InterpreterVar is the variable that names another program to run an executable module, such as ansible_perl_interpreter; ""
// for all others.
func (m *Module) InterpreterVar() string {
	words := interpreter(m.text)
	if len(words) == 0 {
		return ""
	}
	return "ansible_" + path.Base(words[0]) + "_interpreter"
}

// jsonArgs stands in a program for its arguments as JSON.
const jsonArgs = "<<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>"

// execute runs an executable module.
func (m *Module) execute(ctx context.Context, h *Host, args *value.Dict) (Result, error) {
	p, err := m.programFor(h, args)
	if err != nil {
		return executed(value.NewDict("failed", true, "msg", err.Error()), h), nil
	}
	ran, err := h.RunUser(ctx, p)
	if fatal := notTheModules(ctx, err); fatal != nil {
		return Result{}, fatal
	}
	if err != nil {
		return executed(value.NewDict("failed", true, "msg", err.Error()), h), nil
	}
	return executed(m.answer(h, ran), h), nil
}

// programFor makes the program of an executable module, its arguments in the form that it understands.
func (m *Module) programFor(h *Host, args *value.Dict) (Program, error) {
	p := Program{FileName: "module", Upload: m.text, TellsCheck: true}
	all := args.Copy()
	for k, v := range m.internals(h).All() {
		all.Set(k, v)
	}
	words := interpreter(m.text)
	if own := strings.Fields(h.opts.Interpreter); len(own) > 0 && len(words) > 0 {
		words = append(own, words[1:]...)
	}
	line, err := shell.Join(words...)
	if err != nil {
		return p, fmt.Errorf("module %s: its first line: %w", m.Name, err)
	}
	p.Argv = []string{"/bin/sh", "-c", strings.TrimSpace(line + ` "$1" "$2"`), "/bin/sh"}
	text, err := value.EncodeJSON(all, value.JSONOptions{})
	if err != nil {
		return p, fmt.Errorf("module %s: its arguments: %w", m.Name, err)
	}
	switch {
	case isBinary(m.text) || bytes.Contains(m.text, []byte("WANT_JSON")):
	case bytes.Contains(m.text, []byte(jsonArgs)):
		p.Upload = bytes.ReplaceAll(m.text, []byte(jsonArgs), []byte(text))
	default:
		if text, err = keyWords(all); err != nil {
			return p, fmt.Errorf("module %s: %w", m.Name, err)
		}
	}
	p.ArgsFile = []byte(text)
	return p, nil
}

// internals are the arguments that Ansible adds to a module's own.
func (m *Module) internals(h *Host) *value.Dict {
	return value.NewDict(
		"_ansible_check_mode", h.opts.Check, "_ansible_no_log", h.opts.NoLog, "_ansible_debug", false, "_ansible_diff", h.opts.Diff,
		"_ansible_verbosity", h.opts.Verbose, "_ansible_version", AnsibleVersion, "_ansible_module_name", m.Name,
		"_ansible_syslog_facility", "LOG_USER",
		"_ansible_selinux_special_fs", value.NewList("fuse", "nfs", "vboxsf", "ramfs", "9p", "vfat"),
		"_ansible_string_conversion_action", "warn", "_ansible_socket", nil, "_ansible_shell_executable", "/bin/sh",
		"_ansible_keep_remote_files", false, "_ansible_tmpdir", nil, "_ansible_remote_tmp", "~/.ansible/tmp")
}

// keyWords writes arguments as a='b c'.
func keyWords(args *value.Dict) (string, error) {
	var b strings.Builder
	for k, v := range args.All() {
		text, err := value.Str(v)
		if err != nil {
			return "", fmt.Errorf("argument %v: %w", k, err)
		}
		word, err := shell.Quote(text)
		if err != nil {
			return "", fmt.Errorf("argument %v: %w", k, err)
		}
		fmt.Fprintf(&b, "%v=%s ", k, word)
	}
	return b.String(), nil
}

// answer reads what an executable module printed.
func (m *Module) answer(h *Host, ran Ran) *value.Dict {
	stdout, stderr := Clean(ran.Stdout), Clean(ran.Stderr)
	text, junk := jsonLines(stdout)
	if v, err := value.DecodeJSON(text); err == nil {
		if d, ok := v.(*value.Dict); ok {
			if junk != "" {
				h.Warn("Module invocation had junk after the JSON data: %s", junk)
			}
			return d
		}
	}
	d := value.NewDict("failed", true, "module_stdout", stdout, "module_stderr", stderr, "rc", ran.Status)
	msg := "MODULE FAILURE"
	if words := interpreter(m.text); words != nil {
		missing := regexp.MustCompile(regexp.QuoteMeta(strings.Join(words, " ")) + ": (?:No such file or directory|not found)")
		if missing.MatchString(stderr) || missing.MatchString(stdout) {
			msg = "The module failed to execute correctly, you probably need to set the interpreter."
		}
	}
	d.Set("msg", msg+"\nSee stdout/stderr for the exact error")
	return d
}

// jsonLines finds the JSON object in a module's output: from the first line that begins with { to the last that ends with }.
func jsonLines(out string) (text, junk string) {
	lines := SplitLines(out)
	first := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(strings.TrimSpace(l), "{") })
	if first < 0 {
		return "", ""
	}
	for last := len(lines) - 1; last >= first; last-- {
		if !strings.HasSuffix(strings.TrimSpace(lines[last]), "}") {
			continue
		}
		after := lines[last+1:]
		if slices.ContainsFunc(after, func(l string) bool { return strings.TrimSpace(l) != "" }) {
			junk = strings.Join(after, "\n")
		}
		return strings.Join(lines[first:last+1], "\n"), junk
	}
	return "", ""
}

// executed makes the Result of an executable module's answer.
func executed(d *value.Dict, h *Host) Result {
	for _, k := range slices.Clone(d.Keys()) {
		if name, ok := k.(string); ok && strings.HasPrefix(name, "_ansible_") {
			d.Delete(k)
		}
	}
	h.addLines(d)
	r := Result{Data: d, Changed: says(d, "changed"), Failed: says(d, "failed"), Skipped: says(d, "skipped"), NoLog: h.noLog, Warnings: h.warnings}
	if rc, ok := d.Get("rc"); ok && rc != 0 && rc != "0" {
		r.Failed = true
		d.Set("failed", true)
	}
	r.Facts, _ = firstOf(d, "ansible_facts").(*value.Dict)
	if one, ok := firstOf(d, "diff").(*value.Dict); ok {
		r.Diff = []Diff{{Before: one.Str("before"), After: one.Str("after"), BeforeHeader: one.Str("before_header"), AfterHeader: one.Str("after_header"), Prepared: one.Str("prepared")}}
	}
	if len(h.warnings) > 0 {
		list, ok := firstOf(d, "warnings").(*value.List)
		if !ok {
			list = value.NewList()
			d.Set("warnings", list)
		}
		for _, w := range h.warnings {
			list.Append(w)
		}
	}
	return r
}

func firstOf(d *value.Dict, key string) any {
	v, _ := d.Get(key)
	return v
}

// says reads a flag as programs of other languages write it.
func says(d *value.Dict, key string) bool {
	v, ok := d.Get(key)
	b, err := Bool(v)
	return ok && err == nil && b
}
