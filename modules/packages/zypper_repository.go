package packages

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/repofile"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed zypper_repository.go
var zypperRepositorySource string

// ZypperRepository sees to one of zypper's repositories.
var ZypperRepository = modules.Define("zypper_repository", zypperRepositorySource, runZypperRepository, modules.Aliases("community.general.zypper_repository"))

// ZypperRepositoryArgs add a repository to zypper's, or remove it. Where it cannot be added, or its metadata not be had, the repositories are put
// back as they were.
//
//	# The packages that the distribution's makers do not look after.
//	- zypper_repository:
//	    name: packman
//	    repo: https://ftp.gwdg.de/pub/linux/misc/packman/suse/openSUSE_Leap_$releasever/
//	    auto_import_keys: true
type ZypperRepositoryArgs struct {
	// Name is the repository's alias; none where repo is a .repo file.
	Name string `arg:"name"`
	// Repo is the repository's address, or the path or URL of a .repo file with one repository; * with runrefresh is all. An address with a
	// password is refused: zypper takes it from a file in /etc/zypp/credentials.d that ?credentials=NAME names.
	Repo modules.Address `arg:"repo"`
	// State is whether the repository shall be there.
	State modules.Presence `arg:"state" default:"present"`
	// Runrefresh fetches the repository's metadata in any case.
	Runrefresh bool `arg:"runrefresh"`
	// Description is what zypper calls the repository.
	Description string `arg:"description"`
	// DisableGPGCheck takes metadata and packages without a signature.
	DisableGPGCheck bool `arg:"disable_gpg_check"`
	// Autorefresh lets zypper fetch the metadata before it installs.
	Autorefresh bool `arg:"autorefresh,alias=refresh" default:"true"`
	// Priority of the repository: 1 is the highest, 99 what zypper takes without.
	Priority *int `arg:"priority"`
	// Enabled is whether the repository is used.
	Enabled bool `arg:"enabled" default:"true"`
	// OverwriteMultiple takes the place of several repositories, where one has the name and another the address.
	OverwriteMultiple bool `arg:"overwrite_multiple"`
	// AutoImportKeys trusts the repository's key, and fetches the metadata when it is added.
	AutoImportKeys bool `arg:"auto_import_keys"`
}

// ZypperRepositoryResult is what became of the repository.
type ZypperRepositoryResult struct {
	// Repodata is the repository as asked for: alias, url, name, priority, enabled, autorefresh and gpgcheck.
	Repodata *value.Dict `json:"repodata,omitempty"`
	// State is as it was given.
	State string `json:"state,omitempty"`
	// Runrefresh tells that all repositories were fetched.
	Runrefresh bool `json:"runrefresh,omitempty"`
}

// isFile reports whether the repository is given by a file.
func (a ZypperRepositoryArgs) isFile() bool { return strings.HasSuffix(string(a.Repo), ".repo") }

// hasPassword reports whether an address holds one. The path may hold what no URL does, as $releasever.
func hasPassword(address string) bool {
	_, rest, _ := strings.Cut(address, "://")
	host, _, _ := strings.Cut(rest, "/")
	at := strings.LastIndexByte(host, '@')
	return at > 0 && strings.Contains(host[:at], ":")
}

// Check holds the rules over several arguments.
func (a ZypperRepositoryArgs) Check() error {
	bad := func(arg, msg string) error { return &modules.ArgError{Path: []any{arg}, Msg: msg} }
	switch {
	case string(a.Repo) == "*" || a.Name == "*":
		if !a.Runrefresh {
			return bad("repo", "repo=* can only be used with the runrefresh option.")
		}
		return nil
	case a.State == modules.Present && string(a.Repo) == "":
		return errors.New("Module option state=present requires repo")
	case string(a.Repo) == "" && a.Name == "":
		return errors.New("Alias or repo parameter required when state=absent")
	case a.isFile() && a.Name != "":
		return bad("name", "Incompatible option: 'name'. Do not use name when adding .repo files")
	case a.State == modules.Present && !a.isFile() && a.Name == "":
		return bad("name", "Name required when adding non-repo files.")
	case strings.HasPrefix(a.Name, "-") || strings.ContainsAny(a.Name, "[]\n\r/"):
		return bad("name", fmt.Sprintf("%q is no name of a repository: it has no brackets, no slash and no dash in front", a.Name))
	case strings.HasPrefix(string(a.Repo), "-") || strings.ContainsAny(string(a.Repo), "\n\r"):
		return bad("repo", fmt.Sprintf("%q is no address", string(a.Repo)))
	case a.State == modules.Present && hasPassword(string(a.Repo)):
		return &modules.ArgError{
			Path: []any{"repo"}, Msg: "the address has a password in it, which zypper would show in the list of processes and keep where all may read it",
			Hint: "write username= and password= to /etc/zypp/credentials.d/NAME, mode 0600, and give the address with ?credentials=NAME",
		}
	case strings.ContainsAny(a.Description, "\n\r"):
		return bad("description", "argument \"description\" must be one line")
	case a.Priority != nil && *a.Priority < 0:
		return bad("priority", "argument \"priority\" must not be below 0")
	}
	return nil
}

// zypperRepositoryLook: the .repo file or URL, or nothing.
const zypperRepositoryLook = `
command -v zypper >/dev/null || { echo 'there is no zypper on this host' >&2; exit 1; }
` + curlFetch + `
tell repos zypper --quiet --non-interactive --xmlout repos
say os "$(rpm -q --qf '%{VERSION} %{ARCH}' -f /etc/os-release 2>/dev/null)"
case $1 in
'') ;;
http://* | https://*)
	d=$(mktemp -d "${TMPDIR:-/tmp}/hostler.XXXXXX") || exit 1
	trap 'rm -rf "$d"' EXIT
	why=$(fetch "$1" "$d/repo" 2>&1) && show file "$d/repo" || say refused "$why" ;;
*) show file "$1" ;;
esac
exit 0
`

// zypperRepositoryWrite removes repositories, adds one and fetches its metadata: the number of those to remove, these, the alias whose metadata is
// fetched or nothing, whether keys are trusted, and addrepo with its arguments or nothing. Where anything fails, or we are killed, all is put back.
const zypperRepositoryWrite = zypperWait + `
repos=/etc/zypp/repos.d saved=
restore() {
	[ -z "$saved" ] || { rm -f "$repos"/*.repo && cp -a "$d/repos/." "$repos/"; }
	rm -rf "$d"
}
cp -a "$repos" "$d/repos" || exit 1
saved=1
step() {
	run unlocked zypper --quiet --non-interactive --xmlout "$@" && return 0 || rc=$?
	told
	exit $rc
}
n=$1
shift
while [ "$n" -gt 0 ]; do
	step removerepo "$1"
	n=$((n - 1))
	shift
done
alias=$1 import=$2
shift 2
[ $# = 0 ] || step "$@"
[ -z "$alias" ] || step ${import:+--gpg-auto-import-keys} refresh --force -r "$alias"
saved=
`

// zypperRefresh fetches all metadata: whether keys are trusted, an alias or nothing.
const zypperRefresh = zypperWait + `
run unlocked zypper ${1:+--gpg-auto-import-keys} --quiet --non-interactive --xmlout refresh --force ${2:+-r "$2"} && rc=0 || rc=$?
told
exit $rc
`

// zypperRepo is a repository as zypper lists it.
type zypperRepo struct {
	Alias       string `xml:"alias,attr"`
	Name        string `xml:"name,attr"`
	Priority    string `xml:"priority,attr"`
	Enabled     string `xml:"enabled,attr"`
	Autorefresh string `xml:"autorefresh,attr"`
	GPGCheck    string `xml:"gpgcheck,attr"`
	URL         string `xml:"url"`
}

// zypperRepos is what a look told.
type zypperRepos struct {
	list []zypperRepo
	want zypperRepo
	keys bool   // the .repo file names keys
	os   string // the release and the architecture, parted by a blank
}

func (a ZypperRepositoryArgs) read(r *modules.Report) (zypperRepos, error) {
	bit := map[bool]string{true: "1", false: "0"}
	s := zypperRepos{os: r.Text("os"), want: zypperRepo{
		Alias: a.Name, URL: string(a.Repo), Name: a.Description,
		Enabled: bit[a.Enabled], Autorefresh: bit[a.Autorefresh], GPGCheck: bit[!a.DisableGPGCheck],
	}}
	if a.Priority != nil {
		s.want.Priority = strconv.Itoa(*a.Priority)
	}
	const none = 6
	if status := r.Status("repos"); status != 0 && status != none {
		return s, fmt.Errorf("list the repositories: %s", zypperMessage(r.Bytes("repos"), r.Text("repos.err")))
	}
	var stream struct {
		Repos []zypperRepo `xml:"repo-list>repo"`
	}
	if err := xml.NewDecoder(bytes.NewReader(r.Bytes("repos"))).Decode(&stream); err != nil {
		return s, fmt.Errorf("list the repositories: %w", err)
	}
	s.list = stream.Repos
	if !a.isFile() {
		return s, nil
	}
	return s, a.readFile(r, &s)
}

// readFile takes the wishes of a .repo file.
func (a ZypperRepositoryArgs) readFile(r *modules.Report, s *zypperRepos) error {
	if r.Has("refused") {
		return fmt.Errorf("Error downloading .repo file from provided URL: %s", r.Text("refused"))
	}
	if r.Status("file") != 0 {
		return fmt.Errorf("Error opening .repo file from provided path: %s", string(a.Repo))
	}
	parts, err := repofile.Parse(string(r.Bytes("file")))
	if err != nil {
		return fmt.Errorf("Invalid format, .repo file could not be parsed: %w", err)
	}
	parts = slices.DeleteFunc(parts, func(p repofile.Section) bool { return p.Name == "" })
	if len(parts) != 1 {
		return fmt.Errorf("Invalid format, .repo file contains %d repositories, expected 1", len(parts))
	}
	o := parts[0].Options
	if o["baseurl"] == "" {
		return errors.New("No baseurl found in .repo file")
	}
	s.want.Alias, s.want.URL, s.keys = parts[0].Name, o["baseurl"], o["gpgkey"] != ""
	for key, to := range map[string]*string{"name": &s.want.Name, "enabled": &s.want.Enabled, "autorefresh": &s.want.Autorefresh, "gpgcheck": &s.want.GPGCheck} {
		if v, ok := o[key]; ok {
			*to = v
		}
	}
	return nil
}

// address is an address as zypper keeps it, with the release and the architecture in it.
func (s zypperRepos) address(url string) string {
	version, arch, _ := strings.Cut(s.os, " ")
	url = strings.NewReplacer("$releasever", version, "${releasever}", version, "$basearch", arch, "${basearch}", arch).Replace(url)
	if rest, ok := strings.CutPrefix(url, "file://"); ok {
		url = "file:" + rest
	}
	return strings.TrimRight(url, "/")
}

// found gives the repositories with the name or the address that is asked for.
func (s zypperRepos) found() (list []zypperRepo) {
	for _, r := range s.list {
		if s.want.Alias != "" && r.Alias == s.want.Alias || s.want.URL != "" && s.address(r.URL) == s.address(s.want.URL) {
			list = append(list, r)
		}
	}
	return list
}

// same reports whether a repository is as asked for; what was not asked for counts not.
func (s zypperRepos) same(r zypperRepo) bool {
	w := s.want
	for _, pair := range [][2]string{{w.Alias, r.Alias}, {w.Name, r.Name}, {w.Priority, r.Priority}, {w.Enabled, r.Enabled}, {w.Autorefresh, r.Autorefresh}, {w.GPGCheck, r.GPGCheck}} {
		if pair[0] != "" && pair[0] != pair[1] {
			return false
		}
	}
	return s.address(w.URL) == s.address(r.URL)
}

// plan gives the one action that leads from what is there to what is asked.
func (a ZypperRepositoryArgs) plan(s zypperRepos) ([]modules.Action, error) {
	found := s.found()
	var old []string
	for _, r := range found {
		old = append(old, r.Alias)
	}
	if len(found) > 1 && !a.OverwriteMultiple {
		return nil, fmt.Errorf("More than one repo matched \"%s\": %s. Use overwrite_multiple to allow more than one repo to be overwritten",
			firstOf(a.Name, string(a.Repo)), strings.Join(old, ", "))
	}
	imported := ""
	if a.AutoImportKeys || s.keys {
		imported = "1"
	}
	switch {
	case a.State == modules.Absent && len(found) == 0:
		return nil, nil
	case a.State == modules.Absent:
		args := slices.Concat([]string{strconv.Itoa(len(old))}, old, []string{"", ""})
		return []modules.Action{{Why: "remove the repository " + strings.Join(old, ", "), Script: zypperRepositoryWrite, Args: args}}, nil
	case len(found) == 1 && s.same(found[0]):
		return nil, nil
	}
	alias := ""
	if a.Runrefresh || imported != "" {
		alias = s.want.Alias
	}
	args := slices.Concat([]string{strconv.Itoa(len(old))}, old, []string{alias, imported}, a.addrepo(s.want))
	why := "add the repository "
	if len(old) > 0 {
		why = "change the repository "
	}
	return []modules.Action{{Why: why + s.want.Alias, Script: zypperRepositoryWrite, Args: args}}, nil
}

// addrepo is zypper's command.
func (a ZypperRepositoryArgs) addrepo(w zypperRepo) []string {
	argv := []string{"addrepo", "--check"}
	if w.Name != "" {
		argv = append(argv, "--name", w.Name)
	}
	if w.Priority != "" {
		argv = append(argv, "--priority", w.Priority)
	}
	if w.Enabled == "0" {
		argv = append(argv, "--disable")
	}
	argv = append(argv, map[bool]string{true: "--gpgcheck", false: "--no-gpgcheck"}[w.GPGCheck == "1"])
	if w.Autorefresh == "1" {
		argv = append(argv, "--refresh")
	}
	if a.isFile() {
		return append(argv, string(a.Repo))
	}
	return append(argv, string(a.Repo), w.Alias)
}

func runZypperRepository(ctx context.Context, h *modules.Host, a ZypperRepositoryArgs) (ZypperRepositoryResult, error) {
	imported := ""
	if a.AutoImportKeys {
		imported = "1"
	}
	if string(a.Repo) == "*" || a.Name == "*" {
		return ZypperRepositoryResult{Runrefresh: true}, zypperFetch(ctx, h, imported, "")
	}
	file := ""
	if a.isFile() {
		file = string(a.Repo)
	}
	before, _, err := modules.Reconcile(ctx, h, modules.Reconciler[zypperRepos]{
		Probe: zypperRepositoryLook, Args: []string{file}, Parse: a.read, Plan: a.plan, Lock: "zypper",
	})
	w := before.want
	var name, priority any
	if w.Name != "" {
		name = w.Name
	}
	if a.Priority != nil {
		priority = *a.Priority
	}
	r := ZypperRepositoryResult{State: string(a.State), Repodata: value.NewDict("url", w.URL, "alias", w.Alias, "name", name, "priority", priority,
		"enabled", w.Enabled, "gpgcheck", w.GPGCheck, "autorefresh", w.Autorefresh)}
	if one, ok := errors.AsType[*modules.ActionError](err); ok {
		return r, zypperFailed(one)
	}
	if err == nil && a.Runrefresh && a.State == modules.Present && len(before.found()) == 1 && before.same(before.found()[0]) {
		err = zypperFetch(ctx, h, imported, w.Alias)
	}
	return r, err
}

// zypperFailed words a zypper that failed.
func zypperFailed(one *modules.ActionError) error {
	told := modules.ParseReport(one.Stdout)
	if told.Has("locked") {
		return fmt.Errorf("zypper's lock is held by another process: waited %s s: %s", firstOf(told.Text("waited"), "0"), told.Text("locked"))
	}
	return fmt.Errorf("Zypper failed with rc %d: %s", one.Status, zypperMessage(told.Bytes("out"), firstOf(told.Text("err"), string(one.Stderr))))
}

// zypperFetch fetches metadata, which counts as no change.
func zypperFetch(ctx context.Context, h *modules.Host, imported, alias string) error {
	if h.Planning() {
		return nil
	}
	told, err := h.Probe(ctx, zypperRefresh, imported, alias)
	if told != nil && told.Has("out") && told.Exit != 0 {
		return zypperFailed(&modules.ActionError{Done: modules.Done{Status: told.Exit, Stdout: told.Stdout, Stderr: told.Stderr}})
	}
	return err
}
