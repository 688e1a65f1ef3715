package packages

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed deb822_repository.go
var deb822RepositorySource string

// Deb822Repository sees to a source of apt in the deb822 format.
var Deb822Repository = modules.Define("deb822_repository", deb822RepositorySource+deb822Source, runDeb822Repository,
	modules.Aliases("ansible.builtin.deb822_repository", "ansible.legacy.deb822_repository"), modules.Converges())

// Deb822Type is which packages a source has.
type Deb822Type string

// Choices lists them.
func (Deb822Type) Choices() []string { return []string{"deb", "deb-src"} }

// Deb822RepositoryArgs write a file of sources.list.d in the format deb822, and the key that signs that source alone, or remove both. Neither
// python3-debian nor gpg is needed on the host. The lists of packages are not fetched: that is apt's update_cache.
//
//	# A source with a key of its own.
//	- deb822_repository:
//	    name: example
//	    uris: https://download.example.com/linux/debian
//	    suites: bookworm
//	    components: stable
//	    signed_by: https://download.example.com/linux/debian/gpg
type Deb822RepositoryArgs struct {
	// Name of the source, of which those of its files are made.
	Name string `arg:"name" required:"true"`
	// AllowDowngradeToInsecure lets a source that was signed be unsigned.
	AllowDowngradeToInsecure *bool `arg:"allow_downgrade_to_insecure"`
	// AllowInsecure lets it be unsigned.
	AllowInsecure *bool `arg:"allow_insecure"`
	// AllowWeak lets it be signed by a weak digest.
	AllowWeak *bool `arg:"allow_weak"`
	// Architectures whose packages it is asked for.
	Architectures []string `arg:"architectures"`
	// ByHash is whether lists are asked for by their digest.
	ByHash *bool `arg:"by_hash"`
	// CheckDate is whether the machine's clock is trusted.
	CheckDate *bool `arg:"check_date"`
	// CheckValidUntil is whether old lists are refused.
	CheckValidUntil *bool `arg:"check_valid_until"`
	// Components of the suites; none where these end with a slash.
	Components []string `arg:"components"`
	// DateMaxFuture is how many seconds it may come from the future.
	DateMaxFuture *int `arg:"date_max_future"`
	// Enabled is whether it is used.
	Enabled *bool `arg:"enabled"`
	// InReleasePath is where its file InRelease lies, from where that is normally.
	InReleasePath *string `arg:"inrelease_path"`
	// InstallPythonDebian is taken for playbooks that set it: nothing is needed on the host.
	InstallPythonDebian bool `arg:"install_python_debian" default:"true"`
	// Languages of the descriptions that are fetched.
	Languages []string `arg:"languages"`
	// Pdiffs is whether lists are fetched as differences.
	Pdiffs *bool `arg:"pdiffs"`
	// SignedBy is the key: a URL that the host fetches it from, a file on the host, fingerprints of keys that apt trusts already, or the armored
	// key itself.
	SignedBy string `arg:"signed_by"`
	// Suites of the repository, or paths that end with a slash.
	Suites []string `arg:"suites"`
	// Targets are the lists that are fetched.
	Targets []string `arg:"targets"`
	// Trusted is whether it counts as authentic without a signature.
	Trusted *bool `arg:"trusted"`
	// Types of packages.
	Types []Deb822Type `arg:"types" default:"deb"`
	// URIs of the repository.
	URIs []string `arg:"uris"`
	// Mode of the source's file.
	Mode modules.FileMode `arg:"mode" default:"0644"`
	// State is whether the source shall be there.
	State modules.Presence `arg:"state" default:"present"`
}

// Check holds the rules over several arguments: what apt would not read is not written.
func (a Deb822RepositoryArgs) Check() error {
	if a.Mode.Preserve() {
		return &modules.ArgError{Path: []any{"mode"}, Msg: "argument \"mode\" cannot be preserve: there is no file whose mode to keep"}
	}
	if slug(a.Name) == "" {
		return &modules.ArgError{Path: []any{"name"}, Msg: fmt.Sprintf("name %q gives no name of a file: it needs a letter or a digit", a.Name)}
	}
	if a.State == modules.Absent {
		return nil
	}
	for _, f := range a.fields() {
		if strings.ContainsAny(f.value, "\n\x00") && f.arg != "signed_by" {
			return &modules.ArgError{Path: []any{f.arg}, Msg: f.arg + " must be one line"}
		}
	}
	return checkDeb(a.URIs, a.Suites, a.Components)
}

// Deb822RepositoryResult is what became of the source.
type Deb822RepositoryResult struct {
	// Repo is the file's text; null where it is to be absent.
	Repo *string `json:"repo"`
	// Dest is the file of the source.
	Dest string `json:"dest"`
	// KeyFilename is the file of the key; null where there is none.
	KeyFilename *string `json:"key_filename"`
}

var (
	slugBlanks = regexp.MustCompile(`[_\s]+`)
	slugOthers = regexp.MustCompile(`[^a-z0-9-]+`)
	uriScheme  = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:.`)
)

// slug makes the name of the files of a source's name.
func slug(name string) string {
	return slugOthers.ReplaceAllString(slugBlanks.ReplaceAllString(strings.ToLower(name), "-"), "")
}

// checkDeb refuses what apt cannot read (sources.list(5)).
func checkDeb(uris, suites, components []string) error {
	fail := func(arg, format string, args ...any) error {
		return &modules.ArgError{Path: []any{arg}, Msg: arg + ": " + fmt.Sprintf(format, args...)}
	}
	uris, suites = words(uris), words(suites)
	if len(uris) == 0 {
		return fail("uris", "a source needs an address")
	}
	for _, u := range uris {
		if !uriScheme.MatchString(u) {
			return fail("uris", "%q is no address: it begins with http://, https:// or file:/", u)
		}
	}
	if len(suites) == 0 {
		return fail("suites", "a source needs a suite, or a path that ends with a slash")
	}
	for _, s := range suites {
		switch path := strings.HasSuffix(s, "/"); {
		case path && len(words(components)) > 0:
			return fail("suites", "%q is a path, which has no components", s)
		case !path && len(words(components)) == 0:
			return fail("suites", "%q needs components, or is a path and ends with a slash", s)
		}
	}
	return nil
}

// words are the words of a list's texts.
func words(list []string) []string { return strings.Fields(strings.Join(list, " ")) }

// debField is one field of a source, in the order in which Ansible writes them, and the argument that it comes from.
type debField struct{ arg, name, value string }

// fields gives all but the key.
func (a Deb822RepositoryArgs) fields() []debField {
	var list []debField
	add := func(arg, name, value string) { list = append(list, debField{arg, name, value}) }
	flag := func(arg, name string, v *bool) {
		if v != nil {
			add(arg, name, map[bool]string{true: "yes", false: "no"}[*v])
		}
	}
	lines := func(arg, name string, v []string) {
		if v != nil {
			add(arg, name, strings.Join(v, " "))
		}
	}
	flag("allow_downgrade_to_insecure", "Allow-Downgrade-To-Insecure", a.AllowDowngradeToInsecure)
	flag("allow_insecure", "Allow-Insecure", a.AllowInsecure)
	flag("allow_weak", "Allow-Weak", a.AllowWeak)
	lines("architectures", "Architectures", a.Architectures)
	flag("by_hash", "By-Hash", a.ByHash)
	flag("check_date", "Check-Date", a.CheckDate)
	flag("check_valid_until", "Check-Valid-Until", a.CheckValidUntil)
	lines("components", "Components", a.Components)
	if a.DateMaxFuture != nil {
		add("date_max_future", "Date-Max-Future", strconv.Itoa(*a.DateMaxFuture))
	}
	flag("enabled", "Enabled", a.Enabled)
	if a.InReleasePath != nil {
		add("inrelease_path", "Inrelease-Path", *a.InReleasePath)
	}
	lines("languages", "Languages", a.Languages)
	add("name", "X-Repolib-Name", a.Name)
	flag("pdiffs", "Pdiffs", a.Pdiffs)
	if a.SignedBy != "" {
		add("signed_by", "Signed-By", a.SignedBy)
	}
	lines("suites", "Suites", a.Suites)
	lines("targets", "Targets", a.Targets)
	flag("trusted", "Trusted", a.Trusted)
	var types []string
	for _, t := range a.Types {
		types = append(types, string(t))
	}
	lines("types", "Types", types)
	lines("uris", "URIs", a.URIs)
	return list
}

func runDeb822Repository(ctx context.Context, h *modules.Host, a Deb822RepositoryArgs) (Deb822RepositoryResult, error) {
	files := newDebFiles(a.Name)
	kind := ""
	switch {
	case a.State == modules.Absent:
	case uriScheme.MatchString(a.SignedBy) && !strings.Contains(a.SignedBy, "\n"):
		kind = "url"
	case strings.HasPrefix(a.SignedBy, "/"):
		kind = "file"
	}
	_, after, err := modules.Reconcile(ctx, h, modules.Reconciler[debState]{
		Probe: debScript, Args: []string{files.source, files.asc, files.gpg, kind, a.SignedBy}, Lock: "apt-sources",
		Parse: func(r *modules.Report) (debState, error) {
			s, err := readDeb(r)
			if err == nil && s.fetchError != "" {
				err = errors.New("Could not fetch signed_by key: " + s.fetchError)
			}
			return s, err
		},
		Plan: func(s debState) ([]modules.Action, error) { return files.plan(a.want(files, s), s), nil },
		Want: func(s debState) debState { return a.want(files, s) },
		Diff: files.diff,
	})
	r := Deb822RepositoryResult{Dest: files.source}
	if a.State == modules.Absent {
		r.KeyFilename = &files.gpg
		return r, err
	}
	if kind == "file" && !after.there {
		h.Warn("signed_by: there is no file %s on the host, so that apt will not trust the source", a.SignedBy)
	}
	text := a.text(after, files)
	r.Repo = &text
	if name := a.keyFile(after, files); name != "" {
		r.KeyFilename = &name
	}
	return r, err
}

// keyFile gives the file that holds the key, "" where it is no file.
func (a Deb822RepositoryArgs) keyFile(s debState, files debFiles) string {
	switch {
	case s.fetched != nil:
		return files.key(s.fetched)
	case s.there:
		return a.SignedBy
	}
	return ""
}

// text gives the file of the source.
func (a Deb822RepositoryArgs) text(s debState, files debFiles) string {
	list := a.fields()
	if at := slices.IndexFunc(list, func(f debField) bool { return f.arg == "signed_by" }); at >= 0 {
		list[at].value = firstOf(a.keyFile(s, files), a.SignedBy)
	}
	return debText(list)
}

// want gives the files as they shall be.
func (a Deb822RepositoryArgs) want(files debFiles, s debState) debState {
	if a.State == modules.Absent {
		s.files = nil
		return s
	}
	want := map[string]debFile{files.source: {a.text(s, files), a.Mode.Apply(s.modeOf(files.source), false, 0o022)}}
	for _, name := range []string{files.asc, files.gpg} {
		if old, ok := s.files[name]; ok {
			want[name] = old
		}
	}
	if s.fetched != nil {
		want[files.key(s.fetched)] = debFile{string(s.fetched), 0o644}
	}
	s.files = want
	return s
}
