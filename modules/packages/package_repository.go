package packages

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed package_repository.go
var packageRepositorySource string

// PackageRepository sees to a repository of packages, whatever package manager the host has.
var PackageRepository = modules.Define("package_repository", packageRepositorySource, runPackageRepository, modules.Converges())

// RepositoryType is the package manager whose repository it is.
type RepositoryType string

// Choices lists them.
func (RepositoryType) Choices() []string { return []string{"auto", "apt", "yum", "zypper", "apk"} }

// PackageRepositoryArgs add a repository together with the key that signs it, or remove both. The key must have the fingerprint that is
// given, and it counts for this repository alone (apt) or by a file of its own. After a change the repository's lists are fetched; where
// they cannot be had, everything is put back as it was.
//
//	# A vendor's repository, on Debian.
//	- package_repository:
//	    name: example
//	    url: https://download.example.com/linux/debian
//	    suite: bookworm
//	    components: stable
//	    key: https://download.example.com/linux/debian/gpg
//	    fingerprint: 9DC8 5822 9FC7 DD38 854A E2D8 8D81 803C 0EBF CD88
type PackageRepositoryArgs struct {
	// Name of the repository, of which its files' names are made.
	Name string `arg:"name" required:"true"`
	// Type is the package manager; auto is what the host has.
	Type RepositoryType `arg:"type" default:"auto"`
	// URL of the repository; several are the same by other ways.
	URL []string `arg:"url,alias=baseurl,alias=uris"`
	// Suite of apt: the release's name, or a path that ends with a slash.
	Suite []string `arg:"suite,alias=suites"`
	// Components of apt's suites.
	Components []string `arg:"components"`
	// Architectures that apt is to ask for.
	Architectures []string `arg:"architectures"`
	// Description for people.
	Description string `arg:"description"`
	// Key that signs the repository: a URL that the host fetches it from, a file on the host, or the key itself.
	Key string `arg:"key" exclusive:"key" needs:"fingerprint"`
	// Fingerprint of the key, all of its digits; of several keys, each. For apk it is the SHA-256 of the key's file.
	Fingerprint []string `arg:"fingerprint"`
	// SignedBy is a file with the key that is on the host already.
	SignedBy string `arg:"signed_by" exclusive:"key"`
	// Trusted takes packages without a signature.
	Trusted bool `arg:"trusted" exclusive:"key"`
	// Enabled is whether the repository is used.
	Enabled bool `arg:"enabled" default:"true"`
	// UpdateCache fetches the repository's lists after a change.
	UpdateCache bool `arg:"update_cache" default:"true"`
	// State is whether the repository shall be there.
	State modules.Presence `arg:"state" default:"present"`
}

// Check holds the rules over several arguments.
func (a PackageRepositoryArgs) Check() error {
	fail := func(arg, format string, args ...any) error {
		return &modules.ArgError{Path: []any{arg}, Msg: fmt.Sprintf(format, args...)}
	}
	if slug(a.Name) == "" {
		return fail("name", "name %q gives no name of a file: it needs a letter or a digit", a.Name)
	}
	if a.State == modules.Absent {
		return nil
	}
	if a.Key == "" && a.SignedBy == "" && !a.Trusted {
		return &modules.ArgError{Missing: true, Msg: "nothing says who signs the repository", Hint: "give key and fingerprint, signed_by, or trusted: true"}
	}
	for i, f := range a.Fingerprint {
		if n := len(hexID(f)); n != 40 && n != 64 {
			return &modules.ArgError{Path: []any{"fingerprint", i}, Msg: fmt.Sprintf("%q is no fingerprint", f), Hint: "it has 40 hexadecimal digits, of newer keys 64"}
		}
	}
	if a.SignedBy != "" && !strings.HasPrefix(a.SignedBy, "/") {
		return fail("signed_by", "signed_by %q is not absolute", a.SignedBy)
	}
	for _, text := range slices.Concat(a.URL, a.Suite, a.Components, a.Architectures, []string{a.Description, a.SignedBy}) {
		if strings.ContainsAny(text, "\n\x00") {
			return fail("name", "only key may have several lines, not %q", text)
		}
	}
	if a.Type == "apt" {
		return checkDeb(a.URL, a.Suite, a.Components)
	}
	for i, u := range a.URL {
		if !uriScheme.MatchString(u) || strings.ContainsAny(u, " \t") {
			return &modules.ArgError{Path: []any{"url", i}, Msg: fmt.Sprintf("%q is no address: it begins with http://, https:// or file:/", u)}
		}
	}
	if len(a.URL) == 0 {
		return &modules.ArgError{Path: []any{"url"}, Missing: true, Msg: "url: a repository needs an address"}
	}
	return nil
}

// PackageRepositoryResult is what became of the repository.
type PackageRepositoryResult struct {
	// Type is the package manager whose repository it is.
	Type string `json:"type"`
	// Dest is the file of the repository.
	Dest string `json:"dest"`
	// KeyFilename is the file of the key; null where there is none.
	KeyFilename *string `json:"key_filename"`
	// Repo is the text of the repository in its file; null where it is to be absent.
	Repo *string `json:"repo"`
	// Stdout is what fetching the lists printed.
	Stdout string `json:"stdout,omitempty"`
}

// repoFiles are the files of a repository: its own, and that of its key.
type repoFiles struct{ source, key string }

// files gives a repository's files.
func (a PackageRepositoryArgs) files(kind RepositoryType) repoFiles {
	s := slug(a.Name)
	switch kind {
	case "yum":
		return repoFiles{"/etc/yum.repos.d/" + s + ".repo", "/etc/pki/rpm-gpg/RPM-GPG-KEY-" + s}
	case "zypper":
		return repoFiles{"/etc/zypp/repos.d/" + s + ".repo", "/etc/pki/rpm-gpg/RPM-GPG-KEY-" + s}
	case "apk":
		name := s + ".rsa.pub"
		if !strings.Contains(a.Key, "\n") && a.Key != "" {
			name = path.Base(a.Key) // the signature names it
		}
		return repoFiles{"/etc/apk/repositories", "/etc/apk/keys/" + name}
	}
	f := newDebFiles(a.Name)
	return repoFiles{f.source, f.gpg}
}

// repoManager tells which package manager the host has.
const repoManager = `for p in apt-get zypper dnf dnf5 yum apk; do if command -v "$p" >/dev/null 2>&1; then say manager "$p"; exit 0; fi; done`

// repoScript: file of the repository, file of the key, whether that is an OpenPGP key, signed_by. It tells both files, and what keys the second holds.
const repoScript = `
[ ! -e "$1" ] || show source "$1"
if [ -n "$4" ] && [ ! -f "$4" ]; then say missing 1; fi
[ -e "$2" ] || exit 0
show key "$2"
[ -n "$3" ] || exit 0
(` + openpgpLib + `
listed "$2" >"$h/told"
show keys "$h/told")
exit 0
`

// repoState is what a look told of a repository.
type repoState struct {
	source, key       string
	hasSource, hasKey bool
	keys              []pgpKey // of the key's file
	missing           bool     // there is no file signed_by
}

func (f repoFiles) read(r *modules.Report) (repoState, error) {
	s := repoState{keys: parseKeys(r.Text("keys")), missing: r.Has("missing")}
	var err error
	if s.source, s.hasSource, err = r.ReadText("source", f.source); err != nil {
		return s, err
	}
	s.key, s.hasKey, err = r.ReadText("key", f.key)
	return s, err
}

func runPackageRepository(ctx context.Context, h *modules.Host, a PackageRepositoryArgs) (PackageRepositoryResult, error) {
	var r PackageRepositoryResult
	kind, err := a.kind(ctx, h)
	if err != nil {
		return r, err
	}
	if err := a.suits(kind); err != nil {
		return r, err
	}
	files := a.files(kind)
	r.Type, r.Dest = string(kind), files.source
	pgp := "1"
	if kind == "apk" {
		pgp = ""
	}
	args := []string{files.source, files.key, pgp, a.SignedBy}
	told, err := h.Probe(ctx, repoScript, args...)
	if err != nil {
		return r, fmt.Errorf("look at the repository: %w", err)
	}
	is, err := files.read(told)
	if err != nil {
		return r, err
	}
	if is.missing && a.State == modules.Present {
		h.Warn("signed_by: there is no file %s on the host, so that the packages will not be trusted", a.SignedBy)
	}
	want, err := a.want(ctx, h, kind, files, is)
	if err != nil {
		return r, err
	}
	if a.State == modules.Present {
		text := a.repo(kind, files)
		r.Repo = &text
		if name := firstOf(map[bool]string{true: files.key}[want.hasKey], a.SignedBy); name != "" {
			r.KeyFilename = &name
		}
	}
	if len(a.plan(kind, files, want, is)) == 0 {
		return r, nil
	}
	before, _, err := modules.Reconcile(ctx, h, modules.Reconciler[repoState]{
		Probe: repoScript, Args: args, Parse: files.read, Lock: "package-repositories",
		Plan: func(s repoState) ([]modules.Action, error) { return a.plan(kind, files, want, s), nil },
		Want: func(repoState) repoState { return want },
		Diff: files.diff,
	})
	one, failed := errors.AsType[*modules.ActionError](err)
	if !failed {
		return r, err
	}
	msg := firstOf(string(one.Stderr), string(one.Stdout), "exit status "+strconv.Itoa(one.Status))
	// The lists cannot be had: the files are put back.
	if _, undo := h.Change(ctx, files.writes(before, want, "put back ")...); undo != nil {
		return r, fmt.Errorf("%s: %s. And the files could not be put back: %w", one.Why, msg, undo)
	}
	return r, fmt.Errorf("%s: %s", one.Why, msg)
}

// kind gives the package manager.
func (a PackageRepositoryArgs) kind(ctx context.Context, h *modules.Host) (RepositoryType, error) {
	if a.Type != "auto" {
		return a.Type, nil
	}
	name := ""
	if facts := h.Facts(); facts != nil {
		name = facts.Str("pkg_mgr")
	}
	if name == "" || name == "unknown" {
		told, err := h.Probe(ctx, repoManager)
		if err != nil {
			return "", fmt.Errorf("look for a package manager: %w", err)
		}
		name = told.Text("manager")
	}
	kinds := map[string]RepositoryType{"apt": "apt", "apt-get": "apt", "dnf": "yum", "dnf5": "yum", "yum": "yum", "zypper": "zypper", "apk": "apk"}
	if kind, ok := kinds[name]; ok {
		return kind, nil
	}
	return "", errors.New("the host has no package manager that is known: none of apt-get, zypper, dnf, dnf5, yum and apk")
}

// suits refuses arguments that the package manager has no use for.
func (a PackageRepositoryArgs) suits(kind RepositoryType) error {
	if a.State == modules.Absent {
		if kind == "apk" && len(a.URL) == 0 {
			return errors.New("apk knows repositories by their addresses: give url")
		}
		return nil
	}
	if kind == "apt" {
		return checkDeb(a.URL, a.Suite, a.Components)
	}
	for _, one := range []struct {
		arg   string
		given bool
	}{{"suite", a.Suite != nil}, {"components", a.Components != nil}, {"architectures", a.Architectures != nil}} {
		if one.given {
			return fmt.Errorf("%s is for apt; the host has %s", one.arg, kind)
		}
	}
	if kind == "apk" {
		switch {
		case a.SignedBy != "":
			return errors.New("signed_by has no use for apk, which trusts every key of /etc/apk/keys")
		case a.Trusted:
			return errors.New("trusted has no use for apk, which can trust a repository only by its key")
		case !a.Enabled:
			return errors.New("enabled: false has no use for apk; state: absent takes the line away")
		}
	}
	return nil
}

// repo gives the repository's text.
func (a PackageRepositoryArgs) repo(kind RepositoryType, files repoFiles) string {
	flag := func(on bool) string { return map[bool]string{true: "1", false: "0"}[on] }
	switch kind {
	case "apt":
		d := Deb822RepositoryArgs{
			Name: a.Name, URIs: a.URL, Suites: a.Suite, Components: a.Components, Architectures: a.Architectures, Types: []Deb822Type{"deb"}, SignedBy: a.SignedBy,
		}
		if a.Key != "" {
			d.SignedBy = files.key
		}
		if a.Trusted {
			d.Trusted = &a.Trusted
		}
		if !a.Enabled {
			d.Enabled = &a.Enabled
		}
		if a.Description != "" {
			d.Name = a.Description
		}
		return debText(d.fields())
	case "apk":
		return strings.Join(a.URL, "\n") + "\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "[%s]\nname=%s\nbaseurl=%s\nenabled=%s\ngpgcheck=%s\n", slug(a.Name), firstOf(a.Description, a.Name), strings.Join(a.URL, "\n\t"), flag(a.Enabled), flag(!a.Trusted))
	if kind == "zypper" {
		b.WriteString("autorefresh=1\n")
	}
	if !a.Trusted {
		key := files.key
		if a.Key == "" {
			key = a.SignedBy
		}
		fmt.Fprintf(&b, "gpgkey=file://%s\n", key)
	}
	return b.String()
}

// writes gives the actions that make one state of the files of another: the key first.
func (f repoFiles) writes(want, is repoState, verb string) []modules.Action {
	var actions []modules.Action
	for _, one := range []struct {
		name, what, text, old string
		shall, there          bool
	}{{f.key, "the key ", want.key, is.key, want.hasKey, is.hasKey}, {f.source, "the repository ", want.source, is.source, want.hasSource, is.hasSource}} {
		switch {
		case !one.shall && one.there:
			actions = append(actions, modules.TextFile{Path: one.name, Empty: true}.Write("remove "+one.what+one.name))
		case one.shall && (!one.there || one.text != one.old):
			if !one.there {
				actions = append(actions, modules.Action{Why: "see to the folder of " + one.name, Argv: []string{"mkdir", "-p", "-m", "755", path.Dir(one.name)}})
			}
			actions = append(actions, modules.TextFile{Path: one.name, Text: one.text, Mode: "0644"}.Write(verb+one.what+one.name))
		}
	}
	return actions
}

// repoRefresh: kind, file of the repository, its id, file of the key, by which zypper knows it.
const repoRefresh = aptWait + `
timeout=60
case $1 in
apt) set -- apt-get -o DPkg::Lock::Timeout=0 -o APT::Update::Error-Mode=any -o Dir::Etc::SourceList="$2" -o Dir::Etc::SourceParts=- -o APT::Get::List-Cleanup=0 update ;;
yum)
	for p in dnf dnf5 yum ''; do if command -v "$p" >/dev/null 2>&1; then break; fi; done
	set -- "$p" -y '--disablerepo=*' --enablerepo="$3" --setopt="$3.skip_if_unavailable=0" makecache ;;
zypper)
	[ -z "$4" ] || rpm --import "$4" || exit 1
	set -- zypper --non-interactive refresh --force "$3" ;;
apk) set -- apk --wait 60 update ;;
esac
run "$@" && rc=0 || rc=$?
[ "$1" != apt-get ] || [ $rc != 0 ] || ! grep -q -e '^E: ' -e '^W: Failed to fetch' -e '^W: Some index files failed' "$d/err" || rc=100
cat "$d/out"
cat "$d/err" >&2
exit $rc
`

func (a PackageRepositoryArgs) plan(kind RepositoryType, files repoFiles, want, is repoState) []modules.Action {
	if kind == "apk" { // its file has others' repositories too, perhaps some that came meanwhile
		want.source = a.apkLines(is.source)
	}
	actions := files.writes(want, is, "write ")
	if len(actions) > 0 && a.UpdateCache && a.Enabled && a.State == modules.Present {
		key := a.SignedBy
		if want.hasKey {
			key = files.key
		}
		actions = append(actions, modules.Action{
			Why: "fetch the lists of " + a.Name, Script: repoRefresh, Args: []string{string(kind), files.source, slug(a.Name), key}, Env: aptEnv(),
		})
	}
	return actions
}

// diff shows the repository, and that a key changes.
func (f repoFiles) diff(before, after repoState) []modules.Diff {
	name := func(there bool, name string) string { return map[bool]string{true: name, false: "/dev/null"}[there] }
	var diffs []modules.Diff
	if before.key != after.key {
		diffs = append(diffs, modules.Diff{
			Before: fmt.Sprintf("%d bytes\n", len(before.key)), After: fmt.Sprintf("%d bytes\n", len(after.key)),
			BeforeHeader: name(before.hasKey, f.key), AfterHeader: name(after.hasKey, f.key),
		})
	}
	if before.source != after.source {
		diffs = append(diffs, modules.Diff{
			Before: before.source, After: after.source, BeforeHeader: name(before.hasSource, f.source), AfterHeader: name(after.hasSource, f.source),
		})
	}
	return diffs
}
