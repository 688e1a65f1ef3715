package files

import (
	"context"
	_ "embed"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed ini_file.go
var iniFileSource string

// IniFile sees to one option of an INI file.
var IniFile = modules.Define("ini_file", iniFileSource+attributesSource, runIniFile, modules.Aliases("community.general.ini_file"))

// IniFileArgs see to one option, or one section, of an INI file. The rest of the file, comments included, stays as it is; an
// option that is commented out takes its value in place.
//
//	# Smaller logs.
//	- ini_file:
//	    path: /etc/libvirt/virtlogd.conf
//	    section: logs
//	    option: max_size
//	    value: "4194304"
type IniFileArgs struct {
	// Path of the file.
	Path modules.Path `arg:"path,alias=dest" required:"true"`
	// Section in which the option is; without, before the first one.
	Section *string `arg:"section"`
	// Option to see to; without, all of the section.
	Option *string `arg:"option"`
	// Value of the option.
	Value *string `arg:"value" exclusive:"value"`
	// Values of an option that may be there several times.
	Values []string `arg:"values" exclusive:"value"`
	// State is whether the option or section shall be there.
	State modules.Presence `arg:"state" default:"present"`
	// Exclusive removes all other values of the option; without, values are added to those there or removed from them.
	Exclusive bool `arg:"exclusive" default:"yes"`
	// NoExtraSpaces writes option=value.
	NoExtraSpaces bool `arg:"no_extra_spaces"`
	// AllowNoValue lets the option be there without a value.
	AllowNoValue bool `arg:"allow_no_value"`
	// Create makes the file, and folders above it, when it is not there.
	Create bool `arg:"create" default:"yes"`
	// Backup keeps the old file, with the time in its name.
	Backup bool `arg:"backup"`
	// Follow edits what a symbolic link leads to; without, the link is replaced by a file.
	Follow bool `arg:"follow"`
	Attributes
}

// Check holds the rules over several arguments.
func (a IniFileArgs) Check() error {
	switch {
	case a.State == modules.Present && !a.AllowNoValue && a.Value == nil && len(a.Values) == 0:
		return errors.New("parameter 'value(s)' must be defined if state=present and allow_no_value=False")
	case a.Option == nil && (a.Value != nil || len(a.Values) > 0) && a.State == modules.Present:
		return errors.New("a value needs an option")
	}
	return nil
}

// IniFileResult is what became of the file.
type IniFileResult struct {
	// Path of the file.
	Path string `json:"path"`
	// Msg says what was done.
	Msg string `json:"msg"`
	// BackupFile is the copy of the old file.
	BackupFile string `json:"backup_file,omitempty"`
	// RC is 256 for a folder and 257 for a file that is not there.
	RC int `json:"rc,omitempty"`
	PathInfo
}

func runIniFile(ctx context.Context, h *modules.Host, a IniFileArgs) (IniFileResult, error) {
	e := newEdit(a.Path, a.Attributes, a.Backup, "")
	e.follow, e.parted = a.Follow, true
	if !a.Create {
		e.missing = "Destination %s does not exist!"
	}
	e.change = func(before string, exists bool) (edited, error) {
		f := a.newIni(before)
		changed := f.edit()
		switch {
		case !changed && !exists:
			return edited{msg: f.msg, leave: true}, nil
		case !changed:
			return edited{content: before, msg: f.msg}, nil
		}
		return edited{content: strings.Join(f.all(), ""), msg: f.msg}, nil
	}
	o, err := e.run(ctx, h)
	if modules.IgnorePlanned(err) != nil {
		return IniFileResult{Path: string(a.Path), RC: editCode(err)}, err
	}
	return IniFileResult{Path: o.after.at.path, Msg: o.msg, BackupFile: o.backup, PathInfo: o.pathInfo(a.State)}, err
}

// ini is an INI file cut at the section that is seen to.
type ini struct {
	IniFileArgs
	values                 []string // that are still to be there
	before, section, after []string // lines
	seen                   []bool   // lines of the section that are as they shall be
	found                  bool     // there is such a section
	loose                  bool     // what is seen to are the lines before any section
	changed                bool
	msg                    string
	option, active         *regexp.Regexp // also one that is commented out; one that counts
}

// newIni reads a file. Line ends become newlines.
func (a IniFileArgs) newIni(text string) *ini {
	f := &ini{IniFileArgs: a, msg: "OK"}
	values := a.Values
	if a.Value != nil {
		values = []string{*a.Value}
	}
	for _, value := range values {
		if !slices.Contains(f.values, value) {
			f.values = append(f.values, value)
		}
	}
	if a.Option != nil {
		option := regexp.QuoteMeta(*a.Option)
		f.option = regexp.MustCompile(`^[#;]?[ \t]*` + option + `[ \t]*(?:=|$)[ \t]*(.*)`)
		f.active = regexp.MustCompile(`^[ \t]*` + option + `[ \t]*(?:=|$)[ \t]*(.*)`)
	}
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimPrefix(text, "\ufeff"))
	if text == "" {
		text = "\n"
	}
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
		f.changed = true
	}
	f.cut(splitLines(text))
	return f
}

// cut finds the section: the last of several that stand one after another.
func (f *ini) cut(lines []string) {
	start, end := -1, len(lines)
	if present(f.Section) == "" {
		f.loose, f.found, start = true, true, 0
	}
	for i, line := range lines {
		switch {
		case !f.loose && strings.HasPrefix(line, "["+*f.Section+"]"):
			start = i
		case strings.HasPrefix(line, "[") && start >= 0:
			end = i
		}
		if end < len(lines) {
			break
		}
	}
	if start < 0 {
		f.after = lines
		return
	}
	f.found = true
	f.before, f.section, f.after = lines[:start], slices.Clone(lines[start:end]), lines[end:]
	if f.loose {
		f.section = slices.Insert(f.section, 0, "[]") // stands for the head that other sections have
	}
	f.seen = make([]bool, len(f.section))
}

// all gives the file's lines.
func (f *ini) all() []string {
	section := f.section
	if f.loose && len(section) > 0 {
		section = section[1:]
	}
	return slices.Concat(f.before, section, f.after)
}

// edit brings the section to what is asked and tells whether that changed anything.
func (f *ini) edit() bool {
	switch {
	case f.State == modules.Absent:
		f.remove()
		return f.changed
	case !f.found:
		f.add()
		return true
	}
	if f.option != nil {
		f.keepValues()
		if f.Exclusive && !f.AllowNoValue {
			f.replaceOthers()
		}
		f.insert()
	}
	return f.changed
}

// line is an assignment as it is written; without a value, the option alone.
func (f *ini) line(value string) string {
	switch {
	case value == "" && f.AllowNoValue:
		return *f.Option + "\n"
	case f.NoExtraSpaces:
		return *f.Option + "=" + value + "\n"
	}
	return *f.Option + " = " + value + "\n"
}

// iniValue gives what a line assigns to the option.
func iniValue(option *regexp.Regexp, line string) (string, bool) {
	m := option.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
	if m == nil {
		return "", false
	}
	return m[1], true
}

func (f *ini) set(i int, line string) {
	if f.section[i] != line {
		f.section[i], f.changed, f.msg = line, true, "option changed"
	}
	f.seen[i] = true
}

// keepValues sees to the lines that have one of the values already.
func (f *ini) keepValues() {
	none := len(f.values) == 0
	for i, line := range f.section {
		is, ok := iniValue(f.option, line)
		switch at := slices.Index(f.values, is); {
		case !ok:
		case at >= 0:
			f.set(i, f.line(is))
			f.values = slices.Delete(f.values, at, at+1)
		case none && f.AllowNoValue:
			f.set(i, f.line(""))
			return
		}
	}
}

// replaceOthers gives the values to other lines with the option, and removes those that are left.
func (f *ini) replaceOthers() {
	for i, line := range f.section {
		if len(f.values) == 0 {
			break
		}
		if _, ok := iniValue(f.option, line); ok && !f.seen[i] {
			f.set(i, f.line(f.values[0]))
			f.values = f.values[1:]
		}
	}
	for i := len(f.section) - 1; i > 0; i-- {
		if _, ok := iniValue(f.option, f.section[i]); ok && !f.seen[i] {
			f.section, f.seen = slices.Delete(f.section, i, i+1), slices.Delete(f.seen, i, i+1)
			f.changed, f.msg = true, "option changed"
		}
	}
}

var blankOrComment = regexp.MustCompile(`^[ \t]*([#;].*)?$`)

// insert puts lines that are missing behind the last one of the section that is neither blank nor a comment.
func (f *ini) insert() {
	missing := f.values
	if len(missing) == 0 && f.AllowNoValue && !slices.Contains(f.seen, true) {
		missing = []string{""}
	}
	if len(missing) == 0 {
		return
	}
	at := len(f.section)
	for at > 1 && blankOrComment.MatchString(strings.TrimSuffix(f.section[at-1], "\n")) {
		at--
	}
	lines := make([]string, len(missing))
	for i, value := range missing {
		lines[i] = f.line(value)
	}
	f.section = slices.Insert(f.section, at, lines...)
	f.changed, f.msg = true, "option added"
}

// add puts a new section at the end of the file.
func (f *ini) add() {
	f.after = append(f.after, "["+*f.Section+"]\n")
	f.changed, f.msg = true, "section and option added"
	switch {
	case f.option != nil && len(f.values) > 0:
		for _, value := range f.values {
			f.after = append(f.after, f.line(value))
		}
	case f.option != nil && f.AllowNoValue:
		f.after = append(f.after, f.line(""))
	default:
		f.msg = "only section added"
	}
}

// remove takes the option, some of its values, or the section away.
func (f *ini) remove() {
	if f.option == nil {
		if len(f.section) > 0 {
			f.section, f.changed, f.msg = nil, true, "section removed"
		}
		return
	}
	kept := slices.DeleteFunc(slices.Clone(f.section), func(line string) bool {
		is, ok := iniValue(f.active, line)
		return ok && (f.Exclusive || slices.Contains(f.values, is))
	})
	if len(kept) < len(f.section) {
		f.section, f.changed, f.msg = kept, true, "option changed"
	}
}
