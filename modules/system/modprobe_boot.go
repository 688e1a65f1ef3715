package system

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

// Where the next boot finds which modules to load, and with which parameters.
const (
	loadFolder   = "/etc/modules-load.d"
	optionFolder = "/etc/modprobe.d"
)

// modprobeBootScript: name, list and folder of modules as modprobeScript, then the folders of what is loaded at boot and of
// parameters. It tells every file there.
const modprobeBootScript = modprobeScript + `
n=0
for f in "$4"/* "$5"/*; do
	[ -f "$f" ] || continue
	n=$((n + 1)); say "path.$n" "$f"; show "text.$n" "$f"
done
for d in "$4" "$5"; do [ -d "$d" ] || say "missing.$d" yes; done
`

// bootFile is a file that the boot reads.
type bootFile struct{ path, text string }

// parseBoot reads the files that modprobeBootScript told.
func parseBoot(r *modules.Report) ([]bootFile, error) {
	var files []bootFile
	for n := 1; r.Has(fmt.Sprintf("path.%d", n)); n++ {
		f := bootFile{path: r.Text(fmt.Sprintf("path.%d", n))}
		var err error
		if f.text, _, err = r.ReadText(fmt.Sprintf("text.%d", n), f.path); err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// isModule reports that two names are the same module's: the kernel writes every - as _.
func isModule(a, b string) bool {
	return strings.ReplaceAll(a, "-", "_") == strings.ReplaceAll(b, "-", "_")
}

var lineComment = regexp.MustCompile(`(?s)\s*[#;].*$`)

// loads reports that a line of modules-load.d names the module.
func (a ModprobeArgs) loads(line string) bool {
	return isModule(strings.TrimSpace(lineComment.ReplaceAllString(line, "")), a.Name)
}

// options gives the parameters that a line of modprobe.d sets for the module.
func (a ModprobeArgs) options(line string) []string {
	rest, ok := strings.CutPrefix(strings.TrimSpace(line), "options")
	if !ok {
		return nil
	}
	words, err := modules.SplitWords(lineComment.ReplaceAllString(rest, ""))
	if err != nil || len(words) < 2 || !isModule(words[0], a.Name) {
		return nil
	}
	return words[1:]
}

// quoted writes a parameter as modprobe.d(5) has it.
func quoted(param string) string {
	name, text, ok := strings.Cut(param, "=")
	if ok && strings.ContainsAny(text, " \t") {
		return name + `="` + text + `"`
	}
	return param
}

// comment puts a # before the lines that fit.
func comment(text string, fits func(string) bool) string {
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		if fits(line) {
			lines[i] = "#" + line
		}
	}
	return strings.Join(lines, "")
}

// boot gives the files as the next boot is to find them: those that change, in the order in which they were told, new ones last.
func (a ModprobeArgs) boot(files []bootFile, folders [2]string) ([]bootFile, error) {
	var named bool
	var set []string
	for _, f := range files {
		for _, line := range modules.SplitLines(f.text) {
			if path.Dir(f.path) == folders[0] {
				named = named || a.loads(line)
			} else {
				set = append(set, a.options(line)...)
			}
		}
	}
	params, err := modules.SplitWords(a.Params)
	if err != nil {
		return nil, err
	}
	present := a.Persistent == "present"
	same := slices.Equal(slices.Compact(slices.Sorted(slices.Values(set))), slices.Compact(slices.Sorted(slices.Values(params))))
	want := map[string]string{}
	if present && !named {
		want[path.Join(folders[0], a.Name+".conf")] = a.Name + "\n"
	}
	if present && !same && len(params) > 0 {
		var b strings.Builder
		for _, p := range params {
			fmt.Fprintf(&b, "options %s %s\n", a.Name, quoted(p))
		}
		want[path.Join(folders[1], a.Name+".conf")] = b.String()
	}
	var out []bootFile
	for _, f := range files {
		text, own := want[f.path]
		switch loading := path.Dir(f.path) == folders[0]; {
		case own:
		case loading && !present:
			text = comment(f.text, a.loads)
		case !loading && (!present || !same):
			text = comment(f.text, func(line string) bool { return a.options(line) != nil })
		default:
			text = f.text
		}
		delete(want, f.path)
		if text != f.text {
			out = append(out, bootFile{f.path, text})
		}
	}
	for _, folder := range folders {
		p := path.Join(folder, a.Name+".conf")
		if text, ok := want[p]; ok {
			out = append(out, bootFile{p, text})
		}
	}
	return out, nil
}

// bootActions give the files that change their new text; missing are the folders that are not there.
func (a ModprobeArgs) bootActions(files []bootFile, missing []string) ([]modules.Action, error) {
	folders := [2]string{loadFolder, optionFolder}
	changes, err := a.boot(files, folders)
	if err != nil {
		return nil, err
	}
	var actions []modules.Action
	for _, f := range changes {
		why := "load " + a.Name + " at boot"
		if a.Persistent == "absent" {
			why = "not load " + a.Name + " at boot"
		}
		if path.Dir(f.path) == folders[1] {
			why = "set parameters of " + a.Name
		}
		if dir := path.Dir(f.path); slices.Contains(missing, dir) {
			actions = append(actions, modules.Action{Why: "create directory " + dir, Argv: []string{"mkdir", "-p", "--", dir}})
		}
		actions = append(actions, modules.TextFile{Path: f.path, Text: f.text}.Write(why+" by "+f.path))
	}
	return actions, nil
}
