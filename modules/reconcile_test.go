package modules_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/transport/transporttest"
)

type folderArgs struct {
	Path  string           `arg:"path,alias=name" required:"true"`
	State modules.Presence `arg:"state" default:"present"`
	// Broken makes the change do nothing.
	Broken bool `arg:"broken"`
}

type folderResult struct {
	Path  string `json:"path"`
	State string `json:"state"`
}

func folder(opts ...modules.Option) *modules.Module {
	return modules.Define("folder", "", func(ctx context.Context, h *modules.Host, a folderArgs) (folderResult, error) {
		_, after, err := modules.Reconcile(ctx, h, modules.Reconciler[string]{
			Probe: `if [ -d "$1" ]; then say state present; else say state absent; fi`,
			Args:  []string{a.Path},
			Lock:  "folder",
			Parse: func(r *modules.Report) (string, error) { return r.Text("state"), nil },
			Plan: func(state string) ([]modules.Action, error) {
				switch {
				case a.Broken:
					return []modules.Action{{Why: "pretend", Argv: []string{"true"}}}, nil
				case state == string(a.State):
					return nil, nil
				case a.State == modules.Present:
					return []modules.Action{{Why: "create folder " + a.Path, Argv: []string{"mkdir", "--", a.Path}}}, nil
				}
				return []modules.Action{{Why: "remove folder " + a.Path, Argv: []string{"rmdir", "--", a.Path}}}, nil
			},
			Want: func(string) string { return string(a.State) },
		})
		return folderResult{a.Path, after}, err
	}, append(opts, modules.Converges())...)
}

var shells = map[string][]string{"dash": {"dash"}, "bash": {"bash"}, "busybox": {"busybox", "sh"}}

func TestReconcile(t *testing.T) {
	for name, sh := range shells {
		t.Run(name, func(t *testing.T) {
			transporttest.Installed(t, sh[0])
			path := filepath.Join(t.TempDir(), "it's a folder")
			run := func(check bool, pairs ...any) (modules.Result, int) {
				t.Helper()
				conn := &shConn{t: t, shell: sh}
				h := modules.NewHost(modules.HostOptions{Name: "h", Conn: conn, Check: check})
				r, err := folder().Run(t.Context(), h, value.NewDict(append([]any{"path", path}, pairs...)...))
				if err != nil {
					t.Fatal(err)
				}
				return r, len(conn.sent)
			}
			for _, step := range []struct {
				what    string
				check   bool
				args    []any
				changed bool
				state   string
				trips   int
			}{
				{"check first", true, nil, true, "present", 1},
				{"create", false, nil, true, "present", 2},
				{"again", false, nil, false, "present", 1},
				{"check again", true, nil, false, "present", 1},
				{"remove", false, []any{"state", "absent"}, true, "absent", 2},
				{"remove again", false, []any{"state", "absent"}, false, "absent", 1},
			} {
				r, trips := run(step.check, step.args...)
				if r.Failed || r.Changed != step.changed || r.Data.Str("state") != step.state || trips != step.trips {
					t.Errorf("%s: failed %v (%s), changed %v, state %q, %d trips; want changed %v, state %q, %d trips",
						step.what, r.Failed, r.Msg, r.Changed, r.Data.Str("state"), trips, step.changed, step.state, step.trips)
				}
			}
			r, _ := run(false, "broken", true)
			if !r.Failed || !strings.HasPrefix(r.Msg, "did not converge") {
				t.Errorf("a change without effect: failed %v, %q", r.Failed, r.Msg)
			}
		})
	}
}

func TestChangeStopsAtTheFirstFailure(t *testing.T) {
	conn := &shConn{t: t}
	m := modules.Define("three", "", func(ctx context.Context, h *modules.Host, _ struct{}) (struct{}, error) {
		done, err := h.Change(ctx,
			modules.Action{Why: "one", Script: `printf 'out %s' "$1"; cat; echo "$K"`, Args: []string{"a b"}, Stdin: []byte("secret\n"), Env: map[string]string{"K": "v'"}},
			modules.Action{Why: "two", Script: `echo bad >&2; exit 3`},
			modules.Action{Why: "three", Argv: []string{"true"}},
		)
		if len(done) != 2 || string(done[0].Stdout) != "out a bsecret\nv'\n" {
			t.Errorf("done: %+v", done)
		}
		return struct{}{}, err
	})
	r, err := m.Run(t.Context(), modules.NewHost(modules.HostOptions{Conn: conn}), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Failed || r.Msg != "two: exit status 3: bad" || !r.Changed || len(conn.sent) != 1 {
		t.Errorf("failed %v, msg %q, changed %v, %d round trips", r.Failed, r.Msg, r.Changed, len(conn.sent))
	}
	if rc, _ := r.Data.Get("rc"); rc != 3 {
		t.Errorf("rc %v", rc)
	}
}

func TestUnknownArgument(t *testing.T) {
	errs := folder().Check(value.NewDict("pathh", "/x", "state", "presnt", "broken", "maybe"))
	var got []string
	for _, e := range errs {
		got = append(got, e.Msg+" | "+e.Hint)
	}
	want := `unknown argument "pathh" | did you mean "path"?
missing required argument "path" | 
argument "state" must be one of present, absent, not "presnt" | did you mean "present"?
argument "broken" must be a truth value (yes or no), not "maybe" | `
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
}

// busyConn lets somebody else alter the host between the first look and the first change.
type busyConn struct {
	*shConn
	meddle func()
}

func (c *busyConn) Exec(ctx context.Context, cmd transport.Command) (transport.Output, error) {
	if len(c.sent) == 1 {
		c.meddle()
	}
	return c.shConn.Exec(ctx, cmd)
}

func TestReconcilePlansAnewWhenTheHostChanged(t *testing.T) {
	for name, sh := range shells {
		t.Run(name, func(t *testing.T) {
			transporttest.Installed(t, sh[0])
			path := filepath.Join(t.TempDir(), "x")
			conn := &busyConn{shConn: &shConn{t: t, shell: sh}, meddle: func() {
				if err := os.Mkdir(path, 0o700); err != nil {
					t.Error(err)
				}
			}}
			r, err := folder().Run(t.Context(), modules.NewHost(modules.HostOptions{Conn: conn}), value.NewDict("path", path))
			if err != nil || r.Failed || r.Changed || len(conn.sent) != 3 {
				t.Errorf("err %v, failed %v (%s), changed %v, %d trips; want a new look and nothing left to do", err, r.Failed, r.Msg, r.Changed, len(conn.sent))
			}
		})
	}
}

// A daemon that an action starts must not hold the lock, and nobody else's folder is taken for the locks'.
func TestLocks(t *testing.T) {
	for name, sh := range shells {
		t.Run(name, func(t *testing.T) {
			transporttest.Installed(t, sh[0])
			file := filepath.Join(t.TempDir(), "pid")
			m := modules.Define("daemon", "", func(ctx context.Context, h *modules.Host, _ struct{}) (struct{}, error) {
				_, _, err := modules.Reconcile(ctx, h, modules.Reconciler[string]{
					Probe: `say there "$(cat "$1" 2>/dev/null)"`, Args: []string{file}, Lock: "test",
					Parse: func(r *modules.Report) (string, error) { return r.Text("there"), nil },
					Plan: func(pid string) ([]modules.Action, error) {
						if pid != "" {
							return nil, nil
						}
						return []modules.Action{{Why: "start", Script: `sleep 60 >/dev/null 2>&1 & echo $! >"$1"`, Args: []string{file}}}, nil
					},
				})
				return struct{}{}, err
			})
			r, err := m.Run(t.Context(), modules.NewHost(modules.HostOptions{Conn: &shConn{t: t, shell: sh}}), nil)
			if err != nil || r.Failed {
				t.Fatal(err, r.Msg)
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			defer syscall.Kill(pid, syscall.SIGKILL)
			if target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/9", pid)); err == nil {
				t.Errorf("the daemon holds %s", target)
			}
		})
	}
}

func TestProbeSections(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("bytes\x00\xff\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, sh := range shells {
		t.Run(name, func(t *testing.T) {
			transporttest.Installed(t, sh[0])
			h := modules.NewHost(modules.HostOptions{Conn: &shConn{t: t, shell: sh}, Env: map[string]string{"LC_ALL": "C.UTF-8"}})
			r, err := h.Probe(t.Context(), `
say text "$1"
tell out sh -c 'echo "@@fake 3 0"; echo bad >&2; exit 4'
show file "$2"
show gone "$2.gone"
`, "ü\n@@x 1 0\n", file)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(r.Bytes("text")); got != "ü\n@@x 1 0\n" {
				t.Errorf("text %q", got)
			}
			if got := string(r.Bytes("file")); got != "bytes\x00\xff\n\n" || r.Status("file") != 0 {
				t.Errorf("file %q, status %d", got, r.Status("file"))
			}
			if r.Text("out") != "@@fake 3 0" || r.Status("out") != 4 || r.Text("out.err") != "bad" {
				t.Errorf("out %q, status %d, err %q", r.Text("out"), r.Status("out"), r.Text("out.err"))
			}
			if r.Status("gone") != 1 || r.Status("never") != 127 || r.Has("fake") || r.Has("x") {
				t.Errorf("gone %d, never %d, keys %q", r.Status("gone"), r.Status("never"), r.Keys())
			}
		})
	}
}

// What the shell itself reads comes as whole as what a program reads.
func TestShowKeepsEveryByte(t *testing.T) {
	var every []byte
	for c := range 255 {
		every = append(every, byte(c+1))
	}
	var files []string
	dir := t.TempDir()
	for i, text := range []string{
		"", "\n", "\n\n\n", "no end", " \tblanks \\\n\\", "a\x00b\n", "\x00", string(every), string(every) + "\n",
		strings.Repeat("x", 1023) + "\n", strings.Repeat("x\n", 512) + "x",
	} {
		files = append(files, filepath.Join(dir, strconv.Itoa(i)))
		if err := os.WriteFile(files[i], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, sh := range shells {
		t.Run(name, func(t *testing.T) {
			transporttest.Installed(t, sh[0])
			h := modules.NewHost(modules.HostOptions{Conn: &shConn{t: t, shell: sh}, Env: map[string]string{"LC_ALL": "C.UTF-8"}})
			r, err := h.Probe(t.Context(), `for f; do show "$f" "$f"; show "$f.sized" "$f" $(($(wc -c <"$f"))); done
text "$1" 1 && say grown '' || say shrunk ''`, files...)
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				for _, key := range []string{file, file + ".sized"} {
					if got := r.Bytes(key); string(got) != string(want) || r.Status(key) != 0 {
						t.Errorf("%s: %q, want %q", key, got, want)
					}
				}
			}
			if !r.Has("shrunk") {
				t.Error("a file of another size than said passes for the text")
			}
		})
	}
}

func TestWriteFileInCheckMode(t *testing.T) {
	conn := &shConn{t: t}
	m := modules.Define("note", "", func(ctx context.Context, h *modules.Host, _ struct{}) (struct{}, error) {
		return struct{}{}, h.WriteFile(ctx, "write /x", "/x", []byte("new\n"), modules.FileOptions{Before: []byte("old\n")})
	})
	r, err := m.Run(t.Context(), modules.NewHost(modules.HostOptions{Conn: conn, Check: true, Diff: true}), nil)
	want := []modules.Diff{{Before: "old\n", After: "new\n", BeforeHeader: "/x", AfterHeader: "/x"}}
	if err != nil || !r.Changed || r.Failed || len(conn.sent) != 0 || len(r.Diff) != 1 || r.Diff[0] != want[0] {
		t.Errorf("err %v, changed %v, failed %v, %d trips, diff %+v", err, r.Changed, r.Failed, len(conn.sent), r.Diff)
	}
}

func TestReconcileOverTheRealTransport(t *testing.T) {
	pool := transport.NewPool(transport.PoolOptions{})
	defer pool.Close()
	conn, err := pool.Open(t.Context(), transport.Endpoint{Name: "here", Kind: "local"}, transport.Become{})
	if err != nil {
		t.Fatal(err)
	}
	args := value.NewDict("path", filepath.Join(t.TempDir(), "a b"))
	for _, changed := range []bool{true, false} {
		r, err := folder().Run(t.Context(), modules.NewHost(modules.HostOptions{Conn: conn, Env: map[string]string{"K": "v"}}), args)
		if err != nil || r.Failed || r.Changed != changed || r.Data.Str("state") != "present" {
			t.Errorf("err %v, failed %v (%s), changed %v, want %v", err, r.Failed, r.Msg, r.Changed, changed)
		}
	}
}
