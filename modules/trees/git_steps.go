package trees

import (
	"fmt"
	"slices"

	"github.com/hostlerhq/hostler/modules"
)

// What the steps are called.
const (
	whyFetch      = "fetch"
	whyCheckout   = "check out the version"
	whyVerify     = "verify the signature"
	whySubmodules = "see to submodules"
	whyArchive    = "pack the archive"
)

// The scripts of the steps, after gitLib: each begins in the checkout.
const (
	inDest    = "cd \"$dest\" || exit 1\n"
	gitScript = inDest + `"$git" "$@"`
	// cloneScript: words of git clone, whose last is the repository.
	cloneScript = `mkdir -p -- "${dest%/*}/" && cd "${dest%/*}/" && "$git" "$@" "$dest"`
	// moveScript: where the repository is, where it shall be.
	moveScript = inDest + `[ ! -e "$2" ] || { echo "Separate-git-dir path $2 already exists." >&2; exit 1; }
mv -- "$1" "$2" && { printf 'gitdir: %s' "$2" >"$dest/.git" || { mv -- "$2" "$1"; exit 1; }; }`
	// checkoutScript: version, remote, 1 for a branch of the remote, depth or nothing.
	checkoutScript = inDest + `
known() { "$git" show-ref --verify --quiet "refs/heads/$1"; }
if [ "$1" = HEAD ]; then
	b=$("$git" symbolic-ref -q HEAD) || b=$("$git" symbolic-ref -q "refs/remotes/$2/HEAD") ||
		{ echo "HEAD is on no branch, and that of $2 is not known" >&2; exit 1; }
	b=${b#refs/heads/} b=${b#"refs/remotes/$2/"}
	"$git" checkout --force "$b" -- && "$git" reset --hard "$2/$b" --
elif [ -z "$3" ]; then "$git" checkout --force "$1" --
else
	if [ -n "$4" ] && ! known "$1"; then
		"$git" fetch "--depth=$4" "$2" "+refs/heads/$1:refs/heads/$1" "+refs/heads/$1:refs/remotes/$2/$1" || exit 1
	fi
	if known "$1"; then "$git" checkout --force "$1" -- && "$git" reset --hard "$2/$1" --
	else "$git" checkout --track -b "$1" "$2/$1" --; fi
fi`
	// verifyScript: version, --raw or nothing.
	verifyScript = inDest + `
verb=verify-commit
[ "$("$git" for-each-ref "refs/tags/$1" --format '%(objecttype)')" != tag ] || verb=verify-tag
said=$("$git" "$verb" $2 -- "$1" 2>&1) || { printf '%s\n' "$said" >&2; exit 1; }
say signed "$said"`
	// submodulesScript: words of git submodule update.
	submodulesScript = inDest + `
[ -e .gitmodules ] || exit 0
versions() { "$git" submodule status --recursive | sed 's/ ([^)]*)$//'; }
say submodules.before "$(versions)"
"$git" submodule sync && "$git" submodule update --init --recursive "$@" || exit 1
say submodules "$(versions)"`
	// archiveScript: file, format, version, 1 for a prefix, prefix.
	archiveScript = inDest + `
__expand "$1"; file=$__v
new=$(mktemp -d "$(dirname -- "$file")/.hostler.XXXXXX") || exit 1
set -- "$2" "$3" ${4:+--prefix="$5"}
f=$1 v=$2; shift 2
"$git" archive --format "$f" --output "$new/archive" "$@" -- "$v" || exit 1
if [ -f "$file" ] && cmp -s "$file" "$new/archive"; then exit 0; fi
[ ! -d "$file" ] || { echo "$file is a directory" >&2; exit 1; }
mv -f -- "$new/archive" "$file" && say written 1`
	// afterScript: commit before, true to tell the difference.
	afterScript = inDest + `
say after "$("$git" rev-parse HEAD)"
if [ "$2" = true ]; then tell diff "$git" diff "$1" HEAD; fi`
)

// relocation notes that the repository is to move to a folder of its own.
func (r *gitRun) relocation() {
	if r.moves() {
		r.result.Changed = true
		if !r.h.Planning() {
			r.result.GitDirBefore, r.result.GitDirNow = r.now.dir, r.now.separate
		}
	}
}

func (r *gitRun) moves() bool {
	return r.now.separate != "" && r.now.there && r.now.dir != r.now.separate
}

func (r *gitRun) relocate() []modules.Action {
	if !r.moves() {
		return nil
	}
	return []modules.Action{r.step("move the repository to "+r.now.separate, moveScript, r.now.dir, r.now.separate)}
}

// clone is the step that makes the checkout.
func (r *gitRun) clone() modules.Action {
	words := []string{"clone"}
	if r.Bare {
		words = append(words, "--bare")
	} else {
		words = append(words, "--origin", r.Remote)
	}
	known := r.now.isBranch || r.now.isTag
	switch {
	case r.depth() == 0:
	case r.Version == "HEAD" || r.Refspec != "":
		words = append(words, r.depthWords()...)
	case known:
		words = append(append(words, r.depthWords()...), "--branch", r.Version)
	default:
		r.h.Warn("Ignoring depth argument. Shallow clones are only available for HEAD, branches, tags or in combination with refspec.")
	}
	if r.Reference != "" {
		words = append(words, "--reference", r.Reference)
	}
	if r.SingleBranch {
		words = append(words, "--single-branch")
		if known {
			words = append(words, "--branch", r.Version)
		}
	}
	if r.now.separate != "" {
		words = append(words, "--separate-git-dir="+r.now.separate)
	}
	return r.step(fmt.Sprintf("clone %s to %s", r.repo, r.now.dest), cloneScript, append(words, "--", r.repo)...)
}

// cloning are the steps to a new checkout.
func (r *gitRun) cloning() []modules.Action {
	steps := []modules.Action{r.clone()}
	if r.Bare && r.Remote != "origin" {
		steps = append(steps, r.step("name the remote "+r.Remote, gitScript, "remote", "add", r.Remote, r.repo))
	}
	if r.Refspec != "" {
		steps = append(steps, r.step(whyFetch, gitScript, slices.Concat([]string{"fetch"}, r.depthWords(), []string{r.Remote, r.Refspec})...))
	}
	return append(steps, r.switching()...)
}

// updating are the steps that bring a checkout up to date.
func (r *gitRun) updating(moved bool) []modules.Action {
	var steps []modules.Action
	if r.now.modified {
		steps = append(steps, r.step("discard local modifications", gitScript, "reset", "--hard", "HEAD"))
	}
	if moved {
		steps = append(steps, r.step(fmt.Sprintf("set the address of %s to %s", r.Remote, r.repo), gitScript, "remote", "set-url", r.Remote, r.repo))
	}
	steps = append(steps, r.step(whyFetch, gitScript, r.fetch()...))
	return append(steps, r.switching()...)
}

// fetch are the words of git fetch: the least that a shallow checkout needs, all branches and tags otherwise.
func (r *gitRun) fetch() []string {
	words, refspecs := []string{"fetch"}, []string(nil)
	if r.depth() > 0 {
		v := r.Version
		switch {
		case r.Refspec != "":
			refspecs = []string{r.Refspec}
		case v == "HEAD" && r.now.branch != "":
			refspecs = []string{r.now.branch}
		case r.now.isBranch:
			if r.now.branch != v {
				refspecs = append(refspecs, fmt.Sprintf("+refs/heads/%s:refs/heads/%[1]s", v))
			}
			refspecs = append(refspecs, fmt.Sprintf("+refs/heads/%s:refs/remotes/%s/%[1]s", v, r.Remote))
		case r.now.isTag:
			refspecs = []string{fmt.Sprintf("+refs/tags/%s:refs/tags/%[1]s", v)}
		}
	}
	switch {
	case len(refspecs) > 0:
		words = append(words, r.depthWords()...)
	case r.Bare:
		refspecs = []string{"+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"}
	default:
		words = append(words, "--tags")
	}
	if r.Refspec != "" && !slices.Contains(refspecs, r.Refspec) {
		refspecs = append(refspecs, r.Refspec)
	}
	if r.Force {
		words = append(words, "--force")
	}
	return append(append(words, r.Remote), refspecs...)
}

// switching are the steps that check the version out, its submodules with it.
func (r *gitRun) switching() []modules.Action {
	var steps []modules.Action
	if !r.Bare {
		depth := ""
		if words := r.depthWords(); words != nil {
			depth = words[1]
		}
		steps = append(steps, r.step(whyCheckout, checkoutScript, r.Version, r.Remote, given(r.now.isBranch), depth))
	}
	if r.VerifyCommit {
		raw := ""
		if len(r.GPGWhitelist) > 0 {
			raw = "--raw"
		}
		steps = append(steps, r.step(whyVerify, verifyScript, r.Version, raw))
	}
	if r.Recursive && !r.Bare {
		var words []string
		if r.TrackSubmodules {
			words = append(words, "--remote")
		}
		if r.Force {
			words = append(words, "--force")
		}
		steps = append(steps, r.step(whySubmodules, submodulesScript, words...))
	}
	return steps
}

// pack is the step that makes the archive.
func (r *gitRun) pack() modules.Action {
	prefix := ""
	if r.ArchivePrefix != nil {
		prefix = *r.ArchivePrefix
	}
	return r.step(whyArchive, archiveScript, string(r.Archive), r.format(), r.Version, given(r.ArchivePrefix != nil), prefix)
}
