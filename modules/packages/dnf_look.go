package packages

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/transport"
)

// dnfTool finds the program: its argument is what use_backend says. yum of Red Hat 8 and later is dnf.
const dnfTool = `
case $1 in auto) tools='dnf dnf5 yum' ;; dnf4) tools='dnf-3 dnf' ;; yum | yum4) tools='yum dnf' ;; *) tools=$1 ;; esac
tool=
for p in $tools; do
	at=$(command -v "$p") || continue
	tool=$p at=$(readlink -f "$at")
	break
done
[ -n "$tool" ] || { echo "there is none of $tools on this host" >&2; exit 1; }
case ${at##*/} in dnf5*) kind=dnf5 ;; dnf*) kind=dnf4 ;; *) kind=yum ;; esac
say tool "$tool"
say kind "$kind"
`

// curlFetch downloads on hosts with dnf or zypper, of which all have curl: fetch URL FILE. With $insecure certificates do not count.
const curlFetch = `insecure=
fetch() {
	if command -v curl >/dev/null; then
		curl -sSfL --retry 2 ${insecure:+--insecure} -o "$2" "$1"
	elif command -v wget >/dev/null; then
		wget -q ${insecure:+--no-check-certificate} -O "$2" "$1"
	else
		echo 'there is neither curl nor wget on this host' >&2
		return 1
	fi
}
`

// dnfLook tells what of the packages that are asked for is installed. Its arguments: use_backend, the folder of another system, the
// configuration, whether certificates count, the number of dnf's options, these, and what to look for: name:NAME, try:NAME (what may
// be the name in a NAME-VERSION), file:FILE or URL, glob:PATTERN, which is held against the repositories as well, gone:PATTERN, which is not.
const dnfLook = dnfTool + `
root=$2 conf=$3 verify=$4 n=$5
shift 5
[ -z "$conf" ] || [ -r "$conf" ] || { echo "cannot read configuration file $conf" >&2; exit 1; }
` + rpmLook

// rpmLook holds names against rpm's database: the folder of another system in $root, $verify whether certificates count, $n the number of dnf's
// options among its arguments.
const rpmLook = `
command -v rpm >/dev/null || { echo 'there is no rpm on this host' >&2; exit 1; }
d=$(mktemp -d "${TMPDIR:-/tmp}/hostler.XXXXXX") || exit 1
trap 'rm -rf "$d"' EXIT
trap 'exit 1' HUP INT TERM
: >"$d/options"
while [ "$n" -gt 0 ]; do printf '%s\n' "$1" >>"$d/options"; n=$((n - 1)); shift; done
` + curlFetch + `
[ -n "$verify" ] || insecure=1
format='` + rpmFormat + `'
ask() { rpm ${root:+"--root=$root"} -q --qf "$format" "$@" 2>/dev/null; }
repoquery() {
	set -- --available --queryformat '%{name} %{epoch} %{version} %{release} %{arch}\n' "$1"
	while read -r option; do set -- "$@" "$option"; done <"$d/options"
	"$tool" -q repoquery "$@" </dev/null
}
i=0
for one; do
	i=$((i + 1)) text=${one#*:}
	case $one in
	name:* | try:*) printf '%s\n' "$text" >>"$d/names" ;;
	gone:* | glob:*)
		case $one in glob:*)
			if [ "$kind" != yum ]; then
				all=$(repoquery "$text" 2>"$d/err") || { say "query" "$(cat "$d/err")"; exit 1; }
				say "offered.$i" "$all"
			fi ;;
		esac
		found=$(ask -a "$text")
		say "found.$i" "$found"
		;;
	file:*)
		case $text in *://*)
			fetch "$text" "$d/file" 2>"$d/err" || { say fetch "$text: $(cat "$d/err")"; exit 1; }
			text=$d/file ;;
		esac
		[ -e "$text" ] || { say missing "$text"; exit 1; }
		of=$(rpm -qp --nosignature --qf "$format" "$text" 2>"$d/err") || { say broken "${one#*:}: $(cat "$d/err")"; exit 1; }
		say "file.$i" "$of"
		is=$(ask "${of%% *}")
		say "found.$i" "$is"
		;;
	esac
done
[ -s "$d/names" ] || exit 0
is=$(tr '\n' '\0' <"$d/names" | xargs -0 rpm ${root:+"--root=$root"} -q --qf "$format" -- 2>/dev/null)
say is "$is"
nl='
'
i=0
for one; do
	i=$((i + 1))
	case $one in name:*) ;; *) continue ;; esac
	case "$nl$is$nl" in *"${nl}package ${one#*:} is not installed$nl"*)
		by=$(ask --whatprovides "${one#*:}") && say "found.$i" "$by" ;;
	esac
done
exit 0
`

// kind is how dnfLook is asked for a name.
func (a DnfArgs) kind(name string) string {
	switch {
	case isRPMFile(name):
		return "file:"
	case name[0] == '@' || name[0] != '/' && strings.Contains(name, "/"):
		return "group:"
	case strings.ContainsAny(name, "*?[") && a.absent():
		return "gone:"
	case strings.ContainsAny(name, "*?["):
		return "glob:"
	}
	return "name:"
}

// relation splits "NAME OP VERSION".
func relation(spec string) (name, op, version string) {
	w := strings.Fields(spec)
	if len(w) == 3 && slices.Contains([]string{"<", "<=", "=", "==", ">=", ">"}, w[1]) {
		return w[0], w[1], w[2]
	}
	return spec, "", ""
}

// nameCandidates are the names that a NAME[-VERSION[-RELEASE]][.ARCH] may begin with.
func nameCandidates(spec string) []string {
	if name, op, _ := relation(spec); op != "" {
		return []string{name}
	}
	var list []string
	rest := spec
	for range 2 {
		before, after, ok := cutDash(rest)
		if !ok || before == "" || after == "" {
			break
		}
		list, rest = append(list, before), before
	}
	return list
}

// dnfState is what dnfLook told.
type dnfState struct {
	tool, kind string // kind is dnf4, dnf5 or yum
	names      []dnfName
}

// dnfName is one of the names that are asked for.
type dnfName struct {
	spec    string
	group   bool
	file    *rpmPackage  // what is in the file
	offered []rpmPackage // what matches a pattern in the repositories; nil where these were not asked
	found   []rpmPackage // what is installed by that name
	named   []rpmPackage // what is installed by what may be the name of NAME-VERSION
	queried bool
}

func readDnf(told *modules.Report, names []string) (dnfState, error) {
	s := dnfState{tool: told.Text("tool"), kind: told.Text("kind"), names: readNames(told, names)}
	if s.tool == "" {
		return s, errors.New("look at the packages: the host did not tell which program it has")
	}
	return s, nil
}

// readNames reads what rpmLook told of names.
func readNames(told *modules.Report, names []string) (list []dnfName) {
	is := parseRPM(told.Lines("is"))
	at := 0
	for _, spec := range names {
		at++
		n := dnfName{spec: spec, group: strings.HasPrefix(spec, "@") || spec[0] != '/' && strings.Contains(spec, "/") && !isRPMFile(spec)}
		number := strconv.Itoa(at)
		n.found = parseRPM(told.Lines("found." + number))
		n.queried = told.Has("offered." + number)
		n.offered = parseRPM(told.Lines("offered." + number))
		if of := parseRPM(told.Lines("file." + number)); len(of) > 0 {
			n.file = &of[0]
		}
		if !isRPMFile(spec) && !n.group && !strings.ContainsAny(spec, "*?[") {
			for _, p := range is {
				n.add(p)
			}
			at += len(nameCandidates(spec))
		}
		list = append(list, n)
	}
	return list
}

// add takes note of an installed package, if it has to do with the name.
func (n *dnfName) add(p rpmPackage) {
	name, op, version := relation(n.spec)
	switch {
	case op != "" && p.name == name:
		n.named = append(n.named, p)
		if p.fits(op, version) {
			n.found = append(n.found, p)
		}
	case op == "" && p.matches(n.spec):
		n.found = append(n.found, p)
	case op == "" && strings.HasPrefix(n.spec, p.name+"-"):
		n.named = append(n.named, p)
	}
}

// fits reports whether the package's version is in a relation to one that is asked for; what that has not of epoch and release counts not.
func (p rpmPackage) fits(op, version string) bool {
	q, ok := p.asked(p.name + "-" + version)
	if !ok {
		return false
	}
	c := p.compare(q)
	return c < 0 && op[0] == '<' || c > 0 && op[0] == '>' || c == 0 && strings.Contains(op, "=")
}

// there reports whether what is asked for is installed.
func (n dnfName) there() bool {
	switch {
	case n.file != nil:
		return slices.ContainsFunc(n.found, func(p rpmPackage) bool { return p.arch == n.file.arch && p.compare(*n.file) == 0 })
	case n.queried:
		return len(n.offered)+len(n.found) > 0 && !slices.ContainsFunc(n.offered, func(p rpmPackage) bool {
			return !slices.ContainsFunc(n.found, func(q rpmPackage) bool { return p.name == q.name })
		})
	}
	return len(n.found) > 0
}

// newer gives the installed package that is newer than the version asked for.
func (n dnfName) newer() (rpmPackage, bool) {
	if n.file != nil {
		at := slices.IndexFunc(n.found, func(p rpmPackage) bool { return p.arch == n.file.arch && p.compare(*n.file) > 0 })
		if at < 0 {
			return rpmPackage{}, false
		}
		return n.found[at], true
	}
	for _, p := range n.named {
		name, op, version := relation(n.spec)
		q, ok := p.asked(n.spec)
		if op != "" && op[0] != '>' && p.name == name {
			q, ok = p.asked(name + "-" + version)
		}
		if ok && p.compare(q) > 0 {
			return p, true
		}
	}
	return rpmPackage{}, false
}

// dnfLookError words a look that failed.
func dnfLookError(told *modules.Report, err error) error {
	if _, failed := errors.AsType[*transport.ExitError](err); !failed || told == nil {
		return fmt.Errorf("look at the packages: %w", err)
	}
	switch {
	case told.Has("missing"):
		return fmt.Errorf("No RPM file found on system: %s", told.Text("missing"))
	case told.Has("broken"):
		return fmt.Errorf("Error occurred attempting remote rpm install of package: %s", told.Text("broken"))
	case told.Has("fetch"):
		return fmt.Errorf("Failure downloading %s", told.Text("fetch"))
	case told.Has("query"):
		return errors.New(dnfMessage("", told.Text("query")))
	}
	return errors.New(firstOf(string(told.Stderr), err.Error()))
}

// dnfList lists packages: use_backend, repolist or what else, the number of words that say which, these, dnf's options.
const dnfList = dnfTool + `
what=$2
shift 2
if [ "$kind" = yum ]; then echo 'list needs dnf: this host has but yum' >&2; exit 1; fi
if [ "$what" = repos ]; then
	tell repos "$tool" -q repolist --enabled "$@"
	exit 0
fi
installed= others=
case $what in
installed) installed=1 ;;
available) others=--available ;;
upgrades) others=--upgrades ;;
*) installed=1 others=--available pattern=$what ;;
esac
set -- -q repoquery --queryformat '%{name} %{epoch} %{version} %{release} %{arch} %{repoid}\n' ${pattern:+"$pattern"} "$@"
[ -z "$installed" ] || tell installed "$tool" "$@" --installed
[ -z "$others" ] || tell others "$tool" "$@" $others
`

// list gives packages or repositories.
func (r *dnfRun) list(ctx context.Context) error {
	what := r.args.List
	switch what {
	case "updates":
		what = "upgrades"
	case "repositories":
		what = "repos"
	}
	told, err := r.h.Probe(ctx, dnfList, append([]string{string(r.args.UseBackend), what}, r.options()...)...)
	if err != nil {
		return dnfLookError(told, err)
	}
	for _, key := range []string{"repos", "installed", "others"} {
		if told.Has(key) && told.Status(key) != 0 {
			return errors.New(dnfMessage("", told.Text(key+".err")))
		}
		for i, line := range told.Lines(key) {
			w := strings.Fields(line)
			switch {
			case key == "repos" && i > 0 && len(w) > 0:
				r.result.Results.Append(value.NewDict("repoid", w[0], "state", "enabled"))
			case key != "repos" && len(w) >= 6:
				r.result.Results.Append(listed(w, map[string]string{"installed": "installed", "others": "available"}[key]))
			}
		}
	}
	return nil
}

// listed is a package as list gives it: name, epoch, version, release, architecture and repository.
func listed(w []string, state string) *value.Dict {
	full := w[1] + ":" + w[0] + "-" + w[2] + "-" + w[3] + "." + w[4]
	return value.NewDict("name", w[0], "arch", w[4], "epoch", w[1], "release", w[3], "version", w[2], "repo", w[5],
		"envra", full, "nevra", full, "yumstate", state)
}
