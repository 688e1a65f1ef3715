package trees

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed git.go
var gitSource string

// Git sees to a checkout of a repository.
var Git = modules.Define("git", gitSource, runGit, modules.Aliases("ansible.builtin.git", "ansible.legacy.git"))

// GitArgs see to a checkout of a git repository on the host, which needs git. Branches, tags and new commits are fetched each time; changed
// is whether another commit is checked out then. The password of a URL reaches git neither by its arguments nor does it stay in the
// checkout's configuration.
//
//	# A release of the images.
//	- git:
//	    repo: https://git.example.com/vm-images.git
//	    dest: /srv/vm-images
//	    version: v1.4
type GitArgs struct {
	// Repo is the repository's address, or a path on the host.
	Repo modules.Address `arg:"repo,alias=name" required:"true"`
	// Dest is the folder of the checkout; needed unless clone is no.
	Dest modules.Path `arg:"dest"`
	// Version to check out: HEAD, a branch, a tag or a commit.
	Version string `arg:"version" default:"HEAD"`
	// Remote is the name of the remote.
	Remote string `arg:"remote" default:"origin"`
	// Refspec is fetched as well.
	Refspec string `arg:"refspec"`
	// Reference is a repository on the host that lends objects to a new clone.
	Reference string `arg:"reference"`
	// Force discards what was changed in the checkout; without, that is a failure.
	Force bool `arg:"force"`
	// Depth cuts the history to that many commits.
	Depth *int `arg:"depth"`
	// Clone says whether a missing checkout is made; without, only what there is to clone is told.
	Clone bool `arg:"clone" default:"yes"`
	// Update says whether a checkout that is there is brought up to date.
	Update bool `arg:"update" default:"yes"`
	// VerifyCommit checks the signature of the commit or tag.
	VerifyCommit bool `arg:"verify_commit"`
	// GPGWhitelist are fingerprints one of which must have signed.
	GPGWhitelist []string `arg:"gpg_whitelist"`
	// AcceptHostkey passes over the host keys of the repository's server.
	AcceptHostkey bool `arg:"accept_hostkey" exclusive:"hostkey"`
	// AcceptNewHostkey accepts host keys that are not known yet.
	AcceptNewHostkey bool `arg:"accept_newhostkey" exclusive:"hostkey"`
	// KeyFile is a private key on the host for ssh.
	KeyFile string `arg:"key_file"`
	// SSHOpts are further options for ssh.
	SSHOpts string `arg:"ssh_opts"`
	// Executable is the git to use.
	Executable modules.Path `arg:"executable"`
	// Bare makes a bare repository.
	Bare bool `arg:"bare" exclusive:"kind"`
	// Recursive sees to submodules.
	Recursive bool `arg:"recursive" default:"yes"`
	// SingleBranch clones the history of version only.
	SingleBranch bool `arg:"single_branch"`
	// TrackSubmodules brings submodules to the newest commit of their branch.
	TrackSubmodules bool `arg:"track_submodules"`
	// Umask is the umask to work with, octal in quotes.
	Umask any `arg:"umask"`
	// Archive is a file to pack the version into: .zip, .tar, .tgz or .gz.
	Archive modules.Path `arg:"archive"`
	// ArchivePrefix stands before each name in the archive.
	ArchivePrefix *string `arg:"archive_prefix"`
	// SeparateGitDir is where the repository lies when not in the checkout.
	SeparateGitDir modules.Path `arg:"separate_git_dir" exclusive:"kind"`
}

// GitResult is what became of the checkout.
type GitResult struct {
	// Changed says whether another commit is checked out, or anything else is not as it was.
	Changed bool `json:"changed"`
	// Before is the commit before; null for a new checkout.
	Before *string `json:"before"`
	// After is the commit now.
	After string `json:"after"`
	// RemoteURLChanged says whether the remote got another address.
	RemoteURLChanged *bool `json:"remote_url_changed,omitempty"`
	// SubmodulesChanged says that submodules were brought to other commits.
	SubmodulesChanged bool `json:"submodules_changed,omitempty"`
	// GitDirBefore is where the repository was.
	GitDirBefore string `json:"git_dir_before,omitempty"`
	// GitDirNow is where it is.
	GitDirNow string `json:"git_dir_now,omitempty"`
	// Msg tells of changes that were discarded.
	Msg string `json:"msg,omitempty"`
}

var octal = regexp.MustCompile(`^[0-7]{1,4}$`)

// Check holds the rules over several arguments.
func (a GitArgs) Check() error {
	for name, v := range map[string]string{
		"repo": string(a.Repo), "version": a.Version, "remote": a.Remote, "refspec": a.Refspec, "reference": a.Reference,
	} {
		if strings.HasPrefix(v, "-") || strings.ContainsAny(v, "\n\x00") {
			return &modules.ArgError{Path: []any{name}, Msg: fmt.Sprintf("%s cannot begin with a dash or have line ends in it: %q", name, v)}
		}
	}
	switch {
	case a.Dest == "" && a.Clone:
		return errors.New("the destination directory must be specified unless clone=no")
	case a.ArchivePrefix != nil && a.Archive == "":
		return errors.New("missing parameter(s) required by 'archive_prefix': archive")
	case a.Archive != "" && !strings.Contains(string(a.Archive), "{{") && a.format() == "":
		return &modules.ArgError{
			Path: []any{"archive"}, Msg: "unable to get file extension from archive file name: " + string(a.Archive),
			Hint: "its end says the format: .zip, .tar, .tgz or .tar.gz",
		}
	}
	if text, ok := a.Umask.(string); a.Umask != nil && (!ok || !octal.MatchString(text)) {
		return &modules.ArgError{Path: []any{"umask"}, Msg: "umask must be an octal number", Hint: "put it in quotes: '022'"}
	}
	return nil
}

// format is how git archive names the kind of an archive.
func (a GitArgs) format() string {
	switch path.Ext(string(a.Archive)) {
	case ".zip":
		return "zip"
	case ".gz":
		return "tar.gz"
	case ".tar":
		return "tar"
	case ".tgz":
		return "tgz"
	}
	return ""
}

// depth is how far back history is to go; 0 is all of it.
func (a GitArgs) depth() int {
	if a.Depth == nil {
		return 0
	}
	return max(*a.Depth, 0)
}

// login takes the password out of a URL: git asks for it by $GIT_ASKPASS, and only for asked.
func login(repo string) (clean, asked, password string) {
	u, err := url.Parse(repo)
	if err != nil || u.User == nil || u.Scheme != "http" && u.Scheme != "https" {
		return repo, "", ""
	}
	password, ok := u.User.Password()
	if !ok {
		return repo, "", ""
	}
	user := url.User(u.User.Username())
	if u.User = nil; user.Username() != "" {
		u.User = user
	}
	return u.String(), (&url.URL{Scheme: u.Scheme, User: u.User, Host: u.Host}).String() + "'", password
}

// sshOptions are what ssh is told besides the key.
func (a GitArgs) sshOptions() string {
	opts := a.SSHOpts
	add := func(option string, unless ...string) {
		for _, other := range append(unless, option) {
			if strings.Contains(opts, other) {
				return
			}
		}
		opts = strings.TrimSpace(opts + " -o " + option)
	}
	if a.AcceptHostkey {
		add("StrictHostKeyChecking=no", "StrictHostKeyChecking=accept-new")
	}
	if a.AcceptNewHostkey {
		add("StrictHostKeyChecking=accept-new", "StrictHostKeyChecking=no")
	}
	add("BatchMode=yes")
	return opts
}

// gitRun is one run of the module.
type gitRun struct {
	GitArgs
	h        *modules.Host
	repo     string // without its password
	asked    string // what git asks the password for
	password string
	now      checkout
	result   GitResult
}

func runGit(ctx context.Context, h *modules.Host, a GitArgs) (GitResult, error) {
	r := &gitRun{GitArgs: a, h: h}
	r.repo, r.asked, r.password = login(string(a.Repo))
	err := r.run(ctx)
	return r.result, err
}

func (r *gitRun) run(ctx context.Context) error {
	if err := r.look(ctx); err != nil {
		return err
	}
	now := &r.now
	if now.exists {
		before := now.before
		r.result.Before = &before
	}
	r.relocation()
	switch {
	case !now.exists && (r.h.Planning() || !r.Clone):
		r.result.Changed = true
		r.newDiff()
		var err error
		r.result.After, err = now.head(r.GitArgs)
		if err == nil && r.h.Planning() && r.Clone {
			_, err = r.h.Change(ctx, r.clone())
		}
		return modules.IgnorePlanned(err)
	case !now.exists:
		return r.bring(ctx, r.cloning())
	case !r.Update:
		r.result.After = now.before
		return r.bring(ctx, nil)
	}
	return r.update(ctx)
}

// update brings a checkout that is there up to date.
func (r *gitRun) update(ctx context.Context) error {
	now := &r.now
	if now.modified && !r.Force {
		return errors.New("Local modifications exist in the destination: " + now.dest + " (force=no).")
	}
	if now.modified {
		r.result.Msg = "Local modifications exist in the destination: " + now.dest
	}
	moved := !now.same(r.repo)
	r.result.RemoteURLChanged = &moved
	var err error
	if r.h.Planning() {
		if r.result.After, err = now.head(r.GitArgs); err != nil {
			return err
		}
	}
	return r.bring(ctx, r.updating(moved))
}

// bring runs the steps that lead to the version, and those that pack it, and tells what came of it.
func (r *gitRun) bring(ctx context.Context, steps []modules.Action) error {
	steps = append(r.relocate(), steps...)
	archive := -1
	if r.Archive != "" {
		archive = len(steps)
		steps = append(steps, r.pack())
	}
	last := r.step("look at what is checked out", afterScript, r.beforeFor(), strconv.FormatBool(r.h.WantDiff() && r.result.Before != nil))
	if r.h.Planning() {
		_, err := r.h.Change(ctx, steps...)
		r.result.Changed = r.result.Changed || r.planned()
		return modules.IgnorePlanned(err)
	}
	if len(steps) == 0 {
		return nil
	}
	done, err := r.h.Change(ctx, append(steps, last)...)
	if err != nil {
		return r.failed(err)
	}
	for i, d := range done {
		told := modules.ParseReport(d.Stdout)
		if told.Has("submodules") {
			r.result.SubmodulesChanged = told.Text("submodules") != told.Text("submodules.before")
		}
		if i == archive && told.Has("written") {
			r.result.Changed = true
		}
		if told.Has("signed") {
			if err := r.signed(told.Text("signed")); err != nil {
				return err
			}
		}
	}
	end := modules.ParseReport(done[len(done)-1].Stdout)
	r.result.After = end.Text("after")
	moved := r.result.RemoteURLChanged != nil && *r.result.RemoteURLChanged
	r.result.Changed = r.result.Changed || r.result.Before == nil || *r.result.Before != r.result.After ||
		r.result.Msg != "" || r.result.SubmodulesChanged || moved
	r.diff(end)
	return nil
}

// planned says whether a run would change something, as far as it can be known without fetching.
func (r *gitRun) planned() bool {
	if r.Archive != "" {
		return true
	}
	moved := r.result.RemoteURLChanged != nil && *r.result.RemoteURLChanged
	other := r.result.Before != nil && r.result.After != *r.result.Before
	if other {
		r.h.AddDiff(modules.Diff{Prepared: fmt.Sprintf(">> From %s to %s, which is not fetched in check mode", *r.result.Before, r.result.After)})
	}
	return moved || other || r.result.Msg != ""
}

func (r *gitRun) beforeFor() string {
	if r.result.Before == nil {
		return ""
	}
	return *r.result.Before
}

func (r *gitRun) newDiff() {
	if r.h.WantDiff() && r.result.After != "" {
		r.h.AddDiff(modules.Diff{Prepared: ">> Newly checked out " + r.result.After})
	}
}

// diff shows what lies between the commits.
func (r *gitRun) diff(end *modules.Report) {
	switch {
	case r.result.Before == nil:
		r.newDiff()
	case *r.result.Before == r.result.After || !end.Has("diff"):
	case end.Status("diff") != 0:
		r.h.AddDiff(modules.Diff{Prepared: fmt.Sprintf(">> Failed to get proper diff between %s and %s:\n>> %s", *r.result.Before, r.result.After, end.Text("diff.err"))})
	case end.Text("diff") == "":
		r.h.AddDiff(modules.Diff{Prepared: fmt.Sprintf(">> No visual differences between %s and %s", *r.result.Before, r.result.After)})
	default:
		r.h.AddDiff(modules.Diff{Prepared: end.Text("diff") + "\n"})
	}
}

// failed says which step failed in the words that Ansible has for it.
func (r *gitRun) failed(err error) error {
	step, ok := errors.AsType[*modules.ActionError](err)
	if !ok {
		return err
	}
	prefix := map[string]string{
		whyFetch: "Failed to download remote objects and refs", whyCheckout: "Failed to checkout " + r.Version,
		whyVerify: fmt.Sprintf("Failed to verify GPG signature of commit/tag %q", r.Version), whySubmodules: "Failed to init/update submodules",
		whyArchive: "Failed to perform archive operation",
	}[step.Why]
	if prefix == "" {
		return err
	}
	return fmt.Errorf("%s: %w", prefix, err)
}

// signed compares the key that signed with those that are trusted.
func (r *gitRun) signed(status string) error {
	if len(r.GPGWhitelist) == 0 {
		return nil
	}
	var keys []string
	for line := range strings.Lines(status) {
		words := strings.Fields(line)
		if len(words) < 3 || words[1] != "VALIDSIG" {
			continue
		}
		keys = append(keys, words[2])
		if len(words) >= 12 { // of a subkey, the last is the primary key
			keys = append(keys, words[11])
		}
	}
	for _, key := range keys {
		if slices.Contains(r.GPGWhitelist, key) {
			return nil
		}
	}
	return fmt.Errorf("The gpg_whitelist does not include the public key %q for this commit", strings.Join(slices.Compact(keys), ", "))
}
