package packages

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed apt_repository.go
var aptRepositorySource string

// AptRepository sees to one of apt's sources.
var AptRepository = modules.Define("apt_repository", aptRepositorySource, runAptRepository,
	modules.Aliases("ansible.builtin.apt_repository", "ansible.legacy.apt_repository"), modules.Converges())

// AptRepositoryArgs add a source to apt's lists, or remove it, and fetch the lists of packages after a change. Where these cannot be had, the
// sources are put back as they were.
//
//	# The packages of the distribution's backports.
//	- apt_repository:
//	    repo: deb http://deb.debian.org/debian bookworm-backports main
//	    filename: backports
type AptRepositoryArgs struct {
	// Repo is the source, as a line of sources.list.
	Repo string `arg:"repo" required:"true"`
	// State is whether the source shall be there.
	State modules.Presence `arg:"state" default:"present"`
	// Mode of the file that a new source goes to.
	Mode modules.FileMode `arg:"mode"`
	// UpdateCache fetches the lists of packages after a change.
	UpdateCache bool `arg:"update_cache,alias=update-cache" default:"true"`
	// UpdateCacheRetries is how often fetching the lists is tried.
	UpdateCacheRetries int `arg:"update_cache_retries" default:"5"`
	// UpdateCacheRetryMaxDelay is the longest wait between two tries, in seconds.
	UpdateCacheRetryMaxDelay int `arg:"update_cache_retry_max_delay" default:"12"`
	// Filename of the file for a new source, without .list; otherwise it is made of the source's address.
	Filename string `arg:"filename"`
	// Codename of the release, for ppa: sources; without, the host's.
	Codename string `arg:"codename"`
	// InstallPythonApt is taken for playbooks that set it: nothing is needed on the host but apt itself.
	InstallPythonApt bool `arg:"install_python_apt" default:"true"`
	// ValidateCerts is taken for playbooks that set it: nothing is fetched but by apt itself.
	ValidateCerts bool `arg:"validate_certs" default:"true"`
}

// Check holds the rules over several arguments.
func (a AptRepositoryArgs) Check() error {
	switch one := parseSource(a.Repo); {
	case strings.TrimSpace(a.Repo) == "":
		return &modules.ArgError{Path: []any{"repo"}, Msg: "Please set argument 'repo' to a non-empty value"}
	case !strings.HasPrefix(a.Repo, "ppa:") && (!one.valid || !one.enabled):
		return &modules.ArgError{Path: []any{"repo"}, Msg: "Invalid repository string: " + a.Repo, Hint: "it begins with deb or deb-src"}
	case a.Mode.Preserve():
		return &modules.ArgError{Path: []any{"mode"}, Msg: "argument \"mode\" cannot be preserve: there is no file whose mode to keep"}
	case a.UpdateCacheRetries < 1:
		return &modules.ArgError{Path: []any{"update_cache_retries"}, Msg: "argument \"update_cache_retries\" must be at least 1"}
	}
	return nil
}

// AptRepositoryResult is what became of the source.
type AptRepositoryResult struct {
	// Repo is the source as it was given.
	Repo string `json:"repo"`
	// State is as it was given.
	State string `json:"state"`
	// SourcesAdded are the files that are new.
	SourcesAdded []string `json:"sources_added"`
	// SourcesRemoved are the files that went.
	SourcesRemoved []string `json:"sources_removed"`
}

// sourcesWrite writes and removes files, then fetches the lists: whether to, the mode of new lines' file, the number of files, for each its path
// and content (empty is to remove it), and what aptUpdate takes. Where anything fails, all files are put back.
const sourcesWrite = aptWait + `
update=$1 mode=$2 n=$3 i=0
shift 3
undo() {
	while [ "$i" -gt 0 ]; do
		eval "file=\$file$i"
		if [ -e "$d/old$i" ]; then cp -pf "$d/old$i" "$file"; else rm -f "$file"; fi
		i=$((i - 1))
	done
}
trap 'rc=$?; [ $rc = 0 ] || undo; restore' EXIT
while [ "$i" -lt "$n" ]; do
	i=$((i + 1))
	eval "file$i=\$1"
	[ ! -e "$1" ] || cp -p "$1" "$d/old$i" || exit 1
	if [ -z "$2" ]; then
		rm -f "$1" || exit 1
	else
		mkdir -p "${1%/*}" && new=$1.hostler-new && (umask 022; printf %s "$2" >"$new") || exit 1
		if [ -e "$1" ]; then chmod --reference="$1" "$new" && chown --reference="$1" "$new"; fi &&
			{ [ -z "$mode" ] || chmod "$mode" "$new"; } && mv -f "$new" "$1" || { rm -f "$new"; exit 1; }
	fi
	shift 2
done
[ -n "$update" ] || exit 0
` + aptUpdate

func runAptRepository(ctx context.Context, h *modules.Host, a AptRepositoryArgs) (AptRepositoryResult, error) {
	before, after, err := modules.Reconcile(ctx, h, modules.Reconciler[sources]{
		Probe: sourcesScript,
		Parse: readSources,
		Lock:  "apt-sources",
		Plan:  a.plan,
		Want: func(s sources) sources {
			then, _, _ := a.want(s)
			return then
		},
		Diff: sourcesDiff,
	})
	r := AptRepositoryResult{Repo: a.Repo, State: string(a.State), SourcesAdded: []string{}, SourcesRemoved: []string{}}
	if one, ok := errors.AsType[*modules.ActionError](err); ok {
		told := modules.ParseReport(one.Stdout)
		if msg := lockFailure(told); msg != "" {
			return r, errors.New(msg)
		}
		if told.Has("err") {
			return r, fmt.Errorf("Failed to update apt cache: %s", firstOf(told.Text("err"), "unknown reason"))
		}
		return r, fmt.Errorf("%s: %s", one.Why, firstOf(string(one.Stderr), "exit status "+strconv.Itoa(one.Status)))
	}
	r.SourcesAdded = append(r.SourcesAdded, missing(after, before)...)
	r.SourcesRemoved = append(r.SourcesRemoved, missing(before, after)...)
	return r, err
}

// want gives the sources as they shall be, and the file that a new one goes to.
func (a AptRepositoryArgs) want(s sources) (then sources, file string, err error) {
	text, named := parseSource(a.Repo).text, ""
	if ppa, ok := strings.CutPrefix(a.Repo, "ppa:"); ok {
		if a.Codename != "" {
			s.codename = a.Codename
		}
		if s.codename == "" {
			return s, "", errors.New("the host does not tell its release's name: give codename")
		}
		owner, name, ok := strings.Cut(strings.TrimSpace(ppa), "/")
		if !ok {
			name = "ppa"
		}
		text = fmt.Sprintf("deb http://ppa.launchpad.net/%s/%s/ubuntu %s main", owner, name, s.codename)
		named = a.Repo + "_" + s.codename
	}
	then = s.clone()
	if a.State == modules.Absent {
		then.remove(text)
		return then, "", nil
	}
	file = s.fileFor(firstOf(named, text), a.Filename)
	then.add(text, file)
	if named != "" && then.text(file) != s.text(file) {
		return s, "", fmt.Errorf("%s is not there, and a ppa: source cannot be added: its key would come from Launchpad. Give the line %q and its key", a.Repo, text)
	}
	return then, file, nil
}

// plan gives the one action that writes the files and fetches the lists.
func (a AptRepositoryArgs) plan(s sources) ([]modules.Action, error) {
	then, file, err := a.want(s)
	if err != nil {
		return nil, err
	}
	var files []string
	mode := ""
	for _, name := range append(s.names(), missing(then, s)...) {
		if then.text(name) == s.text(name) {
			continue
		}
		files = append(files, name, then.text(name))
		if name == file {
			mode = strings.TrimPrefix(a.Mode.Text, "0o")
		}
	}
	if len(files) == 0 {
		return nil, nil
	}
	why := map[modules.Presence]string{modules.Present: "add the source ", modules.Absent: "remove the source "}[a.State] + a.Repo
	update := ""
	if a.UpdateCache {
		update, why = "1", why+" and fetch the lists of packages"
	}
	args := append([]string{update, mode, strconv.Itoa(len(files) / 2)}, files...)
	args = append(args, "60", strconv.Itoa(a.UpdateCacheRetries), strconv.Itoa(a.UpdateCacheRetryMaxDelay))
	return []modules.Action{{Why: why, Script: sourcesWrite, Args: args, Env: aptEnv()}}, nil
}

// missing gives the files of one that another has not.
func missing(of, in sources) []string {
	var list []string
	for _, name := range of.names() {
		if _, ok := in.files[name]; !ok {
			list = append(list, name)
		}
	}
	return list
}

// sourcesDiff shows the files that change; one that is new, or goes, is /dev/null on one side.
func sourcesDiff(before, after sources) []modules.Diff {
	var diffs []modules.Diff
	for _, name := range append(before.names(), missing(after, before)...) {
		d := modules.Diff{Before: before.text(name), After: after.text(name), BeforeHeader: name, AfterHeader: name}
		if d.Before == d.After {
			continue
		}
		if _, ok := before.files[name]; !ok {
			d.BeforeHeader = "/dev/null"
		}
		if _, ok := after.files[name]; !ok {
			d.AfterHeader = "/dev/null"
		}
		diffs = append(diffs, d)
	}
	return diffs
}
