package packages

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

// aptLook tells how packages are. Its arguments: the release, whether candidates are needed in any case (1), where a package is not
// installed (empty) or never (0), and names or patterns. apt's own cache is opened only where candidates are needed, for that takes time.
const aptLook = `
command -v apt-get >/dev/null || { echo 'there is no apt-get on this host' >&2; exit 1; }
arch=$(dpkg --print-architecture) || exit
say arch "$arch"
at=/var/lib/apt/periodic/update-success-stamp
[ -e "$at" ] || at=/var/lib/apt/lists
say updated "$(stat -c %Y "$at" 2>/dev/null)"
say now "$(date +%s)"
release=$1 need=$2
shift 2
nl='
'
n=$#
while [ "$n" -gt 0 ]; do
	name=$1 n=$((n - 1))
	shift
	case $name in
	*[*?!]* | *\[*)
		only= pattern=$name
		case $name in *:*) only=:${name##*:} pattern=${name%:*} ;; esac
		all=$(apt-cache pkgnames "${pattern%%[*?!\[]*}" | while read -r one; do case $one in $pattern) echo "$one$only" ;; esac; done | sort)
		say "match.$name" "$all"
		[ -z "$all" ] || set -- "$@" $all
		;;
	*) set -- "$@" "$name" ;;
	esac
done
[ $# != 0 ] || exit 0
query() { dpkg-query -W -f '${Package} ${db:Status-Status} ${Architecture} ${Version}\n' "$@" 2>/dev/null; }
is=$(query "$@")
say is "$is"
[ ! -r /var/lib/apt/extended_states ] || say auto "$(awk -v names=" $* " '/^Package: / { p = $2 }
	/^Architecture: / { a = $2 }
	/^Auto-Installed: 1/ && (index(names, " " p " ") || index(names, " " p ":" a " ")) { print p ":" a }' /var/lib/apt/extended_states)"
if [ -z "$need" ]; then
	for name; do
		case "$nl$is$nl" in
		*"$nl$name installed $arch "* | *"$nl$name installed all "* | *"$nl${name%:*} installed ${name##*:} "*) ;;
		*) need=1 ;;
		esac
	done
fi
[ "$need" = 1 ] || exit 0
table=$(apt-cache ${release:+-o "APT::Default-Release=$release"} policy "$@") || exit
say policy "$table"
none=$(printf '%s\n' "$table" | sed -n -e '/^[^ ]/h' -e '/^  Candidate: (none)/{' -e x -e 's/:$//' -e p -e x -e '}')
[ -n "$none" ] || exit 0
show=$(apt-cache showpkg $none | sed -n -e '/^Package: /p' -e '/^Reverse Provides:/,/^$/p')
say showpkg "$show"
providers=$(printf '%s\n' "$show" | sed -n 's/^\([^ :][^ :]*\) .*/\1/p' | sort -u)
[ -z "$providers" ] || say providers "$(query $providers)"
`

// aptState is what aptLook told.
type aptState struct {
	arch         string
	updated, now int // seconds since 1970
	packages     map[string]*aptPackage
	matches      map[string][]string // of the patterns
	known        bool                // the versions that can be had were looked at
}

// aptPackage is one package by its name, with :ARCHITECTURE where that is not the host's.
type aptPackage struct {
	status    string // dpkg's word: installed, config-files …
	version   string // that is installed
	auto      bool   // it was installed for another one
	candidate string // version that apt would take
	versions  []string
	provided  bool // other packages provide it
	satisfied bool // and one of them is installed
}

func (p aptPackage) installed() bool {
	return p.status == "installed" || p.status == "triggers-pending"
}

func readApt(r *modules.Report) (aptState, error) {
	s := aptState{
		arch: r.Text("arch"), updated: r.Int("updated"), now: r.Int("now"),
		packages: map[string]*aptPackage{}, matches: map[string][]string{}, known: r.Has("policy"),
	}
	if s.arch == "" || s.now == 0 {
		return s, errors.New("look at the packages: dpkg did not tell the host's architecture")
	}
	for _, key := range r.Keys() {
		if pattern, ok := strings.CutPrefix(key, "match."); ok {
			s.matches[pattern] = r.Lines(key)
		}
	}
	for _, line := range r.Lines("is") {
		if name, status, version, ok := s.queried(line); ok {
			p := s.at(name)
			p.status, p.version = status, version
		}
	}
	for _, line := range r.Lines("auto") {
		s.at(line).auto = true
	}
	s.readPolicy(r.Lines("policy"))
	s.readProviders(r)
	return s, nil
}

// queried reads a line of dpkg-query: name, status, architecture, version.
func (s aptState) queried(line string) (name, status, version string, ok bool) {
	w := strings.Fields(line)
	if len(w) < 4 {
		return "", "", "", false // not-installed: neither architecture nor version
	}
	if w[2] == "all" {
		w[2] = s.arch
	}
	return w[0] + ":" + w[2], w[1], w[3], true
}

// at gives a package by a name, made if it is new.
func (s aptState) at(name string) *aptPackage {
	name = strings.TrimSuffix(strings.TrimSuffix(name, ":all"), ":"+s.arch)
	if s.packages[name] == nil {
		s.packages[name] = &aptPackage{}
	}
	return s.packages[name]
}

// readPolicy reads apt-cache policy: a line NAME:, the candidate, and versions from the newest to the oldest.
func (s aptState) readPolicy(lines []string) {
	var p *aptPackage
	for _, line := range lines {
		switch {
		case !strings.HasPrefix(line, " "):
			p = s.at(strings.TrimSuffix(line, ":"))
		case p == nil:
		case strings.HasPrefix(line, "  Candidate: "):
			if v := strings.TrimPrefix(line, "  Candidate: "); v != "(none)" {
				p.candidate = v
			}
		case strings.HasPrefix(line, " *** ") || strings.HasPrefix(line, "     ") && !strings.HasPrefix(line, "      "):
			if w := strings.Fields(line[5:]); len(w) > 0 {
				p.versions = append(p.versions, w[0])
			}
		}
	}
}

// readProviders reads the Reverse Provides of apt-cache showpkg, for packages that are but names for others.
func (s aptState) readProviders(r *modules.Report) {
	installed := map[string]bool{}
	for _, line := range r.Lines("providers") {
		if name, status, _, ok := s.queried(line); ok && status == "installed" {
			installed[strings.TrimSuffix(name, ":"+s.arch)] = true
		}
	}
	var p *aptPackage
	for _, line := range r.Lines("showpkg") {
		if name, ok := strings.CutPrefix(line, "Package: "); ok {
			p = s.at(name)
			continue
		}
		if p == nil || strings.HasPrefix(line, "Reverse Provides:") || len(p.versions) > 0 {
			continue
		}
		p.provided = true
		name, _, _ := strings.Cut(line, " ")
		p.satisfied = p.satisfied || installed[name]
	}
}

// expand replaces patterns by what they match.
func (s aptState) expand(list []want) ([]want, error) {
	var out []want
	for _, w := range list {
		if !strings.ContainsAny(w.name, "*?[]!") {
			out = append(out, w)
			continue
		}
		if len(s.matches[w.name]) == 0 {
			return nil, fmt.Errorf("No package(s) matching '%s' available", w.name)
		}
		for _, name := range s.matches[w.name] {
			out = append(out, want{spec: name, name: name})
		}
	}
	return out, nil
}

// target gives what apt-get is to install for a package, "" when it is as asked. The error says that it cannot be had.
func (s aptState) target(w want, latest, onlyUpgrade bool) (string, error) {
	p := *s.at(w.name)
	if onlyUpgrade && !p.installed() {
		return "", nil
	}
	if !s.known && p.installed() {
		return "", nil
	}
	if len(p.versions) == 0 && !p.installed() {
		switch {
		case p.satisfied:
			return "", nil
		case p.provided:
			return w.spec, nil
		}
		return "", fmt.Errorf("No package matching '%s' is available", w.name)
	}
	best := p.candidate
	if w.op == "=" {
		best = ""
		if at := slices.IndexFunc(p.versions, w.fits); at >= 0 {
			best = p.versions[at]
		}
	}
	if !w.fits(best) {
		best = ""
	}
	has := p.installed() && w.fits(p.version)
	switch {
	case !has && best == "":
		return "", fmt.Errorf("no available installation candidate for %s", w.spec)
	case best == "" || has && best == p.version:
		return "", nil
	case has && !latest && w.op != "=":
		return "", nil
	}
	return w.name + "=" + best, nil
}

// fits reports whether a version is as asked.
func (w want) fits(version string) bool {
	switch w.op {
	case "=":
		ok, err := path.Match(w.version, version)
		return ok && err == nil || version == w.version
	case ">=":
		return version != "" && compareDebian(version, w.version) >= 0
	}
	return true
}
