package facts

import (
	"bytes"
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"
)

// output is what Script printed, taken apart.
type output struct {
	files    map[string][]string // lines of each file read
	order    []string            // the files as they came
	sections map[string][]string
	exist    map[string]bool
	locals   []localFile
	environ  []string
}

type localFile struct {
	name  string
	lines []string
}

// Parse makes Facts of what Script printed for the parts. An output without the script's sections is an error; a fact
// that cannot be read is left out.
func Parse(parts []string, printed []byte) (*Facts, error) {
	o, err := split(printed)
	if err != nil {
		return nil, err
	}
	f := &Facts{}
	want := func(part string) bool { return slices.Contains(parts, part) }
	if want("platform") {
		f.Platform = o.platform()
	}
	if want("distribution") {
		f.Distribution = o.distribution()
	}
	if want("user") {
		f.User = o.user()
	}
	if want("date_time") {
		f.DateTime = o.dateTime()
	}
	if want("network") {
		f.Network = o.network()
	}
	if want("hardware") {
		f.Hardware = o.hardware()
		if hung := o.sections["timeout"]; len(hung) > 0 {
			f.Warnings = append(f.Warnings, "no answer in time from what is mounted at "+strings.Join(hung, ", ")+": its sizes are missing from the mounts")
		}
	}
	if want("virtual") {
		f.Virtual = o.virtual()
	}
	if want("env") {
		f.Env = o.env()
	}
	if want("local") {
		f.Local = o.local()
	}
	f.Security = o.security(want)
	f.Misc = o.misc(want, f.Distribution)
	return f, nil
}

// split takes the output apart: lines of files, then sections, the environment last.
func split(printed []byte) (*output, error) {
	o := &output{files: map[string][]string{}, sections: map[string][]string{}, exist: map[string]bool{}}
	text, environ, found := bytes.Cut(printed, []byte("\n#env\n"))
	if found {
		for entry := range bytes.SplitSeq(environ, []byte{0}) {
			if len(entry) > 0 {
				o.environ = append(o.environ, string(entry))
			}
		}
	}
	section := ""
	for line := range strings.SplitSeq(string(text), "\n") {
		name, header := strings.CutPrefix(line, "#")
		switch {
		case header && strings.HasPrefix(name, "local "):
			o.locals = append(o.locals, localFile{name: strings.TrimPrefix(name, "local ")})
			section = "local"
		case header:
			section = name
			o.sections[section] = []string{}
		case section == "":
			if file, content, ok := strings.Cut(line, ":"); ok && strings.HasPrefix(file, "/") {
				if _, seen := o.files[file]; !seen {
					o.order = append(o.order, file)
				}
				o.files[file] = append(o.files[file], content)
			}
		case section == "local":
			last := &o.locals[len(o.locals)-1]
			last.lines = append(last.lines, strings.TrimPrefix(line, " "))
		case line != "":
			o.sections[section] = append(o.sections[section], line)
		}
	}
	if _, ok := o.sections["exist"]; !ok {
		return nil, errors.New("read facts: the host's answer is not what the script prints")
	}
	for _, p := range o.sections["exist"] {
		o.exist[p] = true
	}
	return o, nil
}

// first gives a file's first line without blanks around it, "" when it is missing or empty.
func (o *output) first(file string) string {
	if lines := o.files[file]; len(lines) > 0 {
		return strings.TrimSpace(lines[0])
	}
	return ""
}

// content gives a file's text and whether there is any but blanks.
func (o *output) content(file string) (string, bool) {
	text := strings.TrimSpace(strings.Join(o.files[file], "\n"))
	return text, text != ""
}

// matching iterates over the files read whose path matches, in the order of the output.
func (o *output) matching(pattern string) []string {
	var found []string
	for _, file := range o.order {
		if ok, _ := path.Match(pattern, file); ok {
			found = append(found, file)
		}
	}
	return found
}

// line gives a section's i-th line or "".
func (o *output) line(section string, i int) string {
	if lines := o.sections[section]; i < len(lines) {
		return lines[i]
	}
	return ""
}

func atoi(s string) int {
	n, _ := strconv.Atoi(strings.TrimSpace(s))
	return n
}

// assignments reads shell-like KEY=value lines, quotes taken off.
func assignments(lines []string) map[string]string {
	vals := map[string]string{}
	for _, line := range lines {
		key, val, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || strings.HasPrefix(key, "#") {
			continue
		}
		vals[key] = strings.Trim(strings.TrimSpace(val), `'"`)
	}
	return vals
}
