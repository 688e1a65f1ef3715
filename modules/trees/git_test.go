package trees

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/transport"
)

func openLocal(t *testing.T) transport.Conn {
	t.Helper()
	pool := transport.NewPool(transport.PoolOptions{})
	t.Cleanup(func() { _ = pool.Close() })
	conn, err := pool.Open(t.Context(), transport.Endpoint{Name: "here", Kind: "local"}, transport.Become{})
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func runOn(t *testing.T, conn transport.Conn, m *modules.Module, pairs ...any) modules.Result {
	t.Helper()
	h := modules.NewHost(modules.HostOptions{Name: "here", Conn: conn, Diff: true})
	r, err := m.Run(t.Context(), h, value.NewDict(pairs...))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestGitMistakes(t *testing.T) {
	conn := openLocal(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".git"), []byte("gitdir: nowhere\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want string
		args []any
	}{
		{"the destination directory must be specified unless clone=no", []any{"repo", "a"}},
		{`repo cannot begin with a dash or have line ends in it: "--upload-pack=x"`, []any{"repo", "--upload-pack=x", "dest", dir}},
		{`version cannot begin with a dash or have line ends in it: "-f"`, []any{"repo", "a", "dest", dir, "version", "-f"}},
		{"umask must be an octal number", []any{"repo", "a", "dest", dir, "umask", 18}},
		{"umask must be an octal number", []any{"repo", "a", "dest", dir, "umask", "89"}},
		{"unable to get file extension from archive file name: /x.rar", []any{"repo", "a", "dest", dir, "archive", "/x.rar"}},
		{"missing parameter(s) required by 'archive_prefix': archive", []any{"repo", "a", "dest", dir, "archive_prefix", "x/"}},
		{"bare", []any{"repo", "a", "dest", dir, "bare", true, "separate_git_dir", "/x"}},
		{"accept_newhostkey", []any{"repo", "a", "dest", dir, "accept_hostkey", true, "accept_newhostkey", true}},
		{`Failed to find required executable "/none/git": the host has no git`, []any{"repo", "a", "dest", dir, "executable", "/none/git"}},
		{dir + "/nowhere is not a directory", []any{"repo", "a", "dest", dir}},
		{"does not appear to be a git repository", []any{"repo", dir + "/none", "dest", dir + "/new"}},
	} {
		if r := runOn(t, conn, Git, c.args...); !r.Failed || !strings.Contains(r.Msg, c.want) {
			t.Errorf("%q: failed %v, %q; want %q", c.args, r.Failed, r.Msg, c.want)
		}
	}
	if _, err := os.Lstat(dir + "/new"); err == nil {
		t.Error("a clone that failed left something behind")
	}
}

// fakeGit notes its arguments and whether its environment has a password, and asks for two passwords as git does.
const fakeGit = `#!/bin/sh
printf '%s\n' "$*" >>"$LOG"
! env | grep 'p@ss' >>"$LOG" || echo 'the environment has the password' >>"$LOG"
case $1 in
clone) for d; do :; done; mkdir "$d" ;;
archive) while [ "$1" != --output ]; do shift; done; echo packed >"$2" ;;
esac
[ "$1" != ls-remote ] || {
	"$GIT_ASKPASS" "Password for 'https://me@example.com': " >>"$LOG"
	"$GIT_ASKPASS" "Password for 'https://me@elsewhere.com': " >>"$LOG" || echo refused >>"$LOG"
	printf '1234\tHEAD\n'
	echo "cannot read https://me:p%40ss@example.com/x" >&2
}
`

// TestGitPassword shows that the password of a URL is no argument of git, that no other server gets it, and that no result tells it.
func TestGitPassword(t *testing.T) {
	dir := t.TempDir()
	log, git := filepath.Join(dir, "log"), filepath.Join(dir, "git")
	if err := os.WriteFile(git, []byte(fakeGit), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("LOG", log)
	r := runOn(t, openLocal(t), Git, "repo", "https://me:p%40ss@example.com/x.git", "dest", dir+"/c", "clone", false, "executable", git)
	if r.Failed || r.Data.Str("after") != "1234" {
		t.Errorf("failed %v, %q; after %q", r.Failed, r.Msg, r.Data.Str("after"))
	}
	text, err := value.EncodeJSON(r.Data, value.JSONOptions{})
	if err != nil || strings.Contains(text, "p%40ss") || !strings.Contains(text, "https://me:********@example.com/x.git") {
		t.Errorf("the result tells the password: %s, %v", text, err)
	}
	data, err := os.ReadFile(log)
	want := "--version\nls-remote -- https://me@example.com/x.git HEAD refs/heads/HEAD refs/tags/HEAD refs/tags/HEAD^{} refs/heads/HEAD\np@ss\nrefused\n"
	if err != nil || string(data) != want {
		t.Errorf("git was run with\n%s%v\nwant\n%s", data, err, want)
	}
}

func TestLogin(t *testing.T) {
	for repo, want := range map[string][3]string{
		"https://me:p%40ss@example.com/x.git": {"https://me@example.com/x.git", "https://me@example.com'", "p@ss"},
		"https://:token@example.com:8443/x":   {"https://example.com:8443/x", "https://example.com:8443'", "token"},
		"https://me@example.com/x":            {"https://me@example.com/x", "", ""},
		"ssh://me:p@example.com/x":            {"ssh://me:p@example.com/x", "", ""},
		"git@example.com:x":                   {"git@example.com:x", "", ""},
	} {
		clean, asked, password := login(repo)
		if got := [3]string{clean, asked, password}; got != want {
			t.Errorf("login(%q) = %q, want %q", repo, got, want)
		}
	}
}

// TestGitLeavesNothing shows that neither the password nor a half archive stays on the host.
func TestGitLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	git, temp := filepath.Join(dir, "git"), filepath.Join(dir, "tmp")
	if err := os.WriteFile(git, []byte(fakeGit), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("LOG", filepath.Join(dir, "log"))
	t.Setenv("TMPDIR", temp)
	r := runOn(t, openLocal(t), Git, "repo", "https://me:p%40ss@example.com/x.git", "dest", dir+"/c", "archive", dir+"/x.tar", "executable", git)
	if r.Failed {
		t.Fatal(r.Msg)
	}
	var names []string
	for _, folder := range []string{dir, temp} {
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
	}
	if got, want := strings.Join(names, " "), "c git log tmp x.tar"; got != want {
		t.Errorf("there are %s, want %s", got, want)
	}
}

func TestGitSSHOptions(t *testing.T) {
	for want, a := range map[string]GitArgs{
		"-o BatchMode=yes": {},
		"-o StrictHostKeyChecking=no -o BatchMode=yes":            {AcceptHostkey: true},
		"-o StrictHostKeyChecking=accept-new -o BatchMode=yes":    {AcceptNewHostkey: true},
		"-o StrictHostKeyChecking=accept-new  -o BatchMode=yes":   {AcceptHostkey: true, SSHOpts: "-o StrictHostKeyChecking=accept-new "},
		"-v -o BatchMode=yes -o StrictHostKeyChecking=accept-new": {AcceptNewHostkey: true, SSHOpts: "-v -o BatchMode=yes"},
	} {
		if got := a.sshOptions(); got != want {
			t.Errorf("%+v: %q, want %q", a, got, want)
		}
	}
}

func TestGitSigned(t *testing.T) {
	const status = "[GNUPG:] NEWSIG\n[GNUPG:] VALIDSIG SUB 2020-01-01 1577836800 0 4 0 1 10 00 MAIN\n"
	for want, keys := range map[string][]string{"": {"OTHER", "MAIN"}, "SUB, MAIN": {"OTHER"}} {
		r := gitRun{GitArgs: GitArgs{GPGWhitelist: keys}}
		err := r.signed(status)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", keys, err, want)
		}
	}
}
