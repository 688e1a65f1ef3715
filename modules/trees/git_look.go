package trees

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

// gitLib begins every script: dest, git, umask, options for ssh, key file, what git asks a password for. The password, when there is
// one, is standard input; git gets it by a program that reads it from a file of the user's own, and both live as long as the script.
// New names what else is removed at the end.
const gitLib = modules.ExpandLib + `
absolute() {
	__expand "$1"
	case $__v in /*) ;; *) __v=$PWD/$__v ;; esac
	while :; do case $__v in ?*/) __v=${__v%/} ;; *) break ;; esac; done
}
absolute "$1"; dest=$__v
if [ -n "$2" ]; then __expand "$2"; git=$__v; else git=$(command -v git); fi
[ -z "$3" ] || umask "$3"
opts=$4
if [ -n "$5" ]; then
	__expand "$5"
	opts="$opts -i '$(printf %s "$__v" | sed "s/'/'\\\\''/g")' -o IdentitiesOnly=yes"
fi
GIT_SSH_COMMAND="${GIT_SSH:-${GIT_SSH_COMMAND:-ssh}}${GIT_SSH_OPTS:+ $GIT_SSH_OPTS} $opts"
GIT_TERMINAL_PROMPT=${GIT_TERMINAL_PROMPT-0}
export GIT_SSH_COMMAND GIT_TERMINAL_PROMPT
asker= new=
trap 'rm -rf -- ${asker:+"$asker"} ${new:+"$new"}' EXIT
trap 'exit 1' HUP INT TERM
if [ -n "$6" ]; then
	asker=$(mktemp -d) && (umask 077; cat >"$asker/password" && printf %s "$6" >"$asker/for") || exit 1
	cat >"$asker/ask" <<'END'
#!/bin/sh
d=${0%/*}
case $1 in *"$(cat "$d/for")"*) cat "$d/password" ;; *) exit 1 ;; esac
END
	chmod 700 "$asker/ask"
	GIT_ASKPASS=$asker/ask
	export GIT_ASKPASS
fi
shift 6
`

// lookScript: then repo, version, remote, 1 for a bare one, separate folder, 1 to look at the remote even where nothing is fetched, 1 to
// ask whether ssh can accept new host keys. It takes a repository as there when it has a configuration, as Ansible does.
const lookScript = gitLib + `
repo=$1
case $repo in '~'*) __expand "$repo"; repo=$__v ;; esac
case $repo in /*) repo=file://$repo ;; esac
say dest "$dest"
say repo "$repo"
if [ -n "$5" ]; then absolute "$5"; say separate "$__v"; fi
if [ -z "$git" ] || ! "$git" --version >/dev/null 2>&1; then say missing "${git:-git}"; exit 0; fi
dir=$dest/.git
[ -z "$4" ] || dir=$dest
if [ -f "$dir" ]; then
	IFS= read -r line <"$dir"
	case $line in
	'gitdir: '/*) dir=${line#gitdir: } ;;
	'gitdir: '*) dir=$dest/${line#gitdir: } ;;
	*) say broken ".git file has invalid git dir reference format"; exit 0 ;;
	esac
	[ -d "$dir" ] || { say broken "$dir is not a directory"; exit 0; }
fi
say dir "$dir"
[ ! -e "$dir" ] || say there 1
[ -z "$7" ] || ssh -o StrictHostKeyChecking=accept-new -V >/dev/null 2>&1 || say oldssh 1
from=$repo branch=
if [ -e "$dir/config" ] && [ -e "$dest" ]; then
	cd "$dest" || exit 1
	say exists 1
	tell before "$git" rev-parse HEAD
	[ -n "$4" ] || tell status "$git" status --porcelain --untracked-files=no
	url=$("$git" ls-remote --get-url "$3" 2>/dev/null)
	say url "$url"
	[ "$url" != "$repo" ] || from=$3
	branch=$("$git" symbolic-ref -q HEAD) || branch=$("$git" symbolic-ref -q "refs/remotes/$3/HEAD")
	branch=${branch#refs/heads/} branch=${branch#"refs/remotes/$3/"}
	say branch "$branch"
	if "$git" show-ref --verify --quiet "refs/heads/$2"; then say local 1; fi
	[ -n "$6" ] || exit 0
fi
tell remote "$git" ls-remote -- "$from" HEAD "refs/heads/$2" "refs/tags/$2" "refs/tags/$2^{}" "refs/heads/${branch:-HEAD}"
exit 0
`

// checkout is what a look told.
type checkout struct {
	dest, repo      string
	dir             string // of the repository
	there           bool   // dir is
	separate        string
	exists          bool // there is a repository
	before          string
	modified        bool
	url             string
	branch          string // that HEAD is on, or the remote's HEAD where it is on none
	local           bool   // version is a local branch
	refs            map[string]string
	isBranch, isTag bool
}

func (r *gitRun) look(ctx context.Context) error {
	args := append(r.base(),
		r.repo, r.Version, r.Remote, given(r.Bare), string(r.SeparateGitDir), given(r.Update), given(r.AcceptNewHostkey))
	told, err := r.h.ProbeInput(ctx, r.stdin(), lookScript, args...)
	if err != nil {
		return fmt.Errorf("look at %s: %w", r.Dest, err)
	}
	if told.Has("missing") {
		return fmt.Errorf("Failed to find required executable %q: the host has no git", told.Text("missing"))
	}
	if told.Has("broken") {
		return fmt.Errorf("Current repo does not have a valid reference to a separate Git dir or it refers to the invalid path: %s", told.Text("broken"))
	}
	if told.Has("oldssh") {
		r.h.Warn("Your ssh client does not support accept_newhostkey option, therefore it cannot be used.")
		r.AcceptNewHostkey = false
	}
	r.now = checkout{
		dest: told.Text("dest"), repo: told.Text("repo"), dir: told.Text("dir"), there: told.Has("there"),
		separate: told.Text("separate"), exists: told.Has("exists"), before: told.Text("before"),
		modified: told.Text("status") != "", url: told.Text("url"), branch: told.Text("branch"), local: told.Has("local"),
		refs: map[string]string{},
	}
	r.repo = r.now.repo
	if reason := told.Text("before.err"); strings.Contains(reason, "dubious ownership") {
		return errors.New(reason)
	}
	if r.now.exists && told.Has("status") && told.Status("status") != 0 {
		return fmt.Errorf("look at %s: %s", r.now.dest, told.Text("status.err"))
	}
	return r.readRemote(told)
}

// readRemote reads what ls-remote told. That the remote cannot be asked is an error at once.
func (r *gitRun) readRemote(told *modules.Report) error {
	if !told.Has("remote") {
		return nil
	}
	if told.Status("remote") != 0 {
		return errors.New(strings.TrimSpace(told.Text("remote.err")))
	}
	for _, line := range told.Lines("remote") {
		if sum, name, ok := strings.Cut(line, "\t"); ok {
			r.now.refs[name] = sum
		}
	}
	_, r.now.isBranch = r.now.refs["refs/heads/"+r.Version]
	_, r.now.isTag = r.now.refs["refs/tags/"+r.Version]
	return nil
}

// same reports that the remote has the repository's address already. One with a password in it, as others may have stored it, is
// the same without.
func (c checkout) same(repo string) bool {
	clean, _, _ := login(c.url)
	for _, url := range []string{c.url, clean} {
		if url == repo || path.Clean(url) == path.Clean(repo) {
			return true
		}
	}
	return false
}

// head gives the commit that the remote has for the version.
func (c checkout) head(a GitArgs) (string, error) {
	name := a.Version
	switch {
	case a.Version == "HEAD" && !c.exists:
	case a.Version == "HEAD":
		name = "refs/heads/" + c.branch
	case c.isBranch:
		name = "refs/heads/" + a.Version
	case c.isTag:
		if sum, ok := c.refs["refs/tags/"+a.Version+"^{}"]; ok {
			return sum, nil
		}
		name = "refs/tags/" + a.Version
	default:
		return a.Version, nil // it seems to be a commit
	}
	if sum, ok := c.refs[name]; ok {
		return sum, nil
	}
	return "", fmt.Errorf("Could not determine remote revision for %s", a.Version)
}

// base are the arguments of gitLib.
func (r *gitRun) base() []string {
	umask, _ := r.Umask.(string)
	return []string{string(r.Dest), string(r.Executable), umask, r.sshOptions(), r.KeyFile, r.asked}
}

func (r *gitRun) stdin() []byte {
	if r.asked == "" {
		return nil
	}
	return []byte(r.password + "\n")
}

func given(is bool) string {
	if is {
		return "1"
	}
	return ""
}

// step is an action: a script with arguments after gitLib's.
func (r *gitRun) step(why, script string, args ...string) modules.Action {
	return modules.Action{Why: why, Script: gitLib + script, Args: append(r.base(), args...), Stdin: r.stdin()}
}

func (r *gitRun) depthWords() []string {
	if r.depth() == 0 {
		return nil
	}
	return []string{"--depth", strconv.Itoa(r.depth())}
}
