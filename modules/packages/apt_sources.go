package packages

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

// sources are the files of one line a source that apt reads, and the lines of each.
type sources struct {
	list     string // sources.list
	parts    string // the folder beside it
	codename string
	files    map[string][]string
}

// sourcesScript tells apt's files of sources, and the release's name.
const sourcesScript = `
command -v apt-get >/dev/null || { echo 'there is no apt-get on this host' >&2; exit 1; }
eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
say list "$list"
say parts "$parts"
say codename "$(. /etc/os-release 2>/dev/null; echo "${VERSION_CODENAME:-$UBUNTU_CODENAME}")"
i=0
for file in "$list" "$parts"*.list; do
	[ -f "$file" ] || continue
	i=$((i + 1))
	say "name.$i" "$file"
	show "text.$i" "$file"
done
`

func readSources(r *modules.Report) (sources, error) {
	s := sources{list: r.Text("list"), parts: r.Text("parts"), codename: r.Text("codename"), files: map[string][]string{}}
	for _, key := range r.Keys() {
		if n, ok := strings.CutPrefix(key, "name."); ok {
			s.files[r.Text(key)] = strings.Split(strings.TrimSuffix(string(r.Bytes("text."+n)), "\n"), "\n")
			if len(r.Bytes("text."+n)) == 0 {
				s.files[r.Text(key)] = nil
			}
		}
	}
	return s, nil
}

func (s sources) clone() sources {
	s.files = maps.Clone(s.files)
	for name, lines := range s.files {
		s.files[name] = slices.Clone(lines)
	}
	return s
}

// text gives a file's content.
func (s sources) text(name string) string {
	if len(s.files[name]) == 0 {
		return ""
	}
	return strings.Join(s.files[name], "\n") + "\n"
}

// names gives the files' names, sources.list first.
func (s sources) names() []string {
	return slices.SortedFunc(maps.Keys(s.files), func(a, b string) int {
		if (a == s.list) != (b == s.list) {
			if a == s.list {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
}

// source is one line read: whether it names a source, whether that counts, and what stands behind it.
type source struct {
	valid, enabled bool
	text, comment  string
}

func parseSource(line string) source {
	line = strings.TrimSpace(line)
	s := source{enabled: true}
	if rest, ok := strings.CutPrefix(line, "#"); ok {
		s.enabled, line = false, rest
	}
	if at := strings.IndexByte(line, '#'); at > 0 {
		s.comment, line = strings.TrimSpace(line[at+1:]), line[:at]
	}
	words := strings.Fields(line)
	s.valid = len(words) > 1 && (words[0] == "deb" || words[0] == "deb-src")
	s.text = strings.Join(words, " ")
	return s
}

// add sees to a source: a disabled line with it is enabled, or it becomes a line at the end of the file.
func (s sources) add(text, file string) {
	found := false
	for name, lines := range s.files {
		for i, line := range lines {
			one := parseSource(line)
			if !one.valid || one.text != text {
				continue
			}
			found = true
			if one.enabled {
				continue
			}
			lines[i] = text
			if one.comment != "" {
				lines[i] += " # " + one.comment
			}
		}
		s.files[name] = lines
	}
	if !found {
		s.files[file] = append(s.files[file], text)
	}
}

// remove takes every line with the source away that counts; a file without any lines goes as well.
func (s sources) remove(text string) {
	for name, lines := range s.files {
		left := slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
			one := parseSource(line)
			return one.valid && one.enabled && one.text == text
		})
		if len(left) == len(lines) {
			continue
		}
		s.files[name] = left
		if len(left) == 0 {
			delete(s.files, name)
		}
	}
}

var (
	sourceOptions  = regexp.MustCompile(`\[[^\]]+\]`)
	sourceProtocol = regexp.MustCompile(`\w+://`)
	notInName      = regexp.MustCompile(`[^a-zA-Z0-9]+`)
)

// fileFor gives the path of the file that a source goes to: filename, when given, or made of the source's address without passwords.
func (s sources) fileFor(text, filename string) string {
	name := filename
	if name == "" {
		words := strings.Fields(sourceProtocol.ReplaceAllString(sourceOptions.ReplaceAllString(text, ""), ""))
		words = slices.DeleteFunc(words, func(w string) bool { return w == "deb" || w == "deb-src" })
		if len(words) > 0 {
			_, address, ok := strings.Cut(words[0], "@")
			if !ok {
				address = words[0]
			}
			name = strings.Trim(notInName.ReplaceAllString(address, "_"), "_")
		}
	}
	name += ".list"
	if strings.Contains(name, "/") {
		return name
	}
	return path.Join(s.parts, name)
}
