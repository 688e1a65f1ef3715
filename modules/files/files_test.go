package files

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/transport/transporttest"
)

// shConn runs commands by one shell of this machine and counts them.
type shConn struct {
	shell []string
	path  string // PATH, "" for this machine's
	trips int
	after func() // what happens once, behind the first round trip
}

func (c *shConn) Exec(ctx context.Context, cmd transport.Command) (transport.Output, error) {
	c.trips++
	if after := c.after; after != nil {
		c.after = nil
		defer after()
	}
	argv := cmd.Argv
	if cmd.Script != "" {
		script := cmd.Script
		if c.path != "" {
			script = strings.ReplaceAll(script, "PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin", "")
		}
		argv = append(append(append([]string{}, c.shell...), "-c", script, "sh"), cmd.Args...)
	}
	p := exec.CommandContext(ctx, argv[0], argv[1:]...)
	p.Dir, p.Stdin, p.Env = cmd.Dir, bytes.NewReader(cmd.Stdin), os.Environ()
	if cmd.Input != nil {
		p.Stdin = cmd.Input
	}
	for k, v := range cmd.Env {
		p.Env = append(p.Env, k+"="+v)
	}
	if c.path != "" {
		p.Env = append(p.Env, "PATH="+c.path)
	}
	var out, errs bytes.Buffer
	p.Stdout, p.Stderr = &out, &errs
	err := p.Run()
	o := transport.Output{Stdout: out.Bytes(), Stderr: errs.Bytes()}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		o.Status = exit.ExitCode()
		return o, &transport.ExitError{Command: argv[0], Status: o.Status, Stderr: o.Stderr}
	}
	return o, err
}

func (c *shConn) Put(_ context.Context, path string, r io.Reader, opts transport.PutOptions) error {
	c.trips++
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	mode := os.FileMode(0o644)
	if opts.HasMode {
		mode = opts.Mode
	}
	if err := os.WriteFile(path, data, mode); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}

func (c *shConn) Get(_ context.Context, path string) (io.ReadCloser, error) {
	c.trips++
	return os.Open(path)
}

func (c *shConn) Close() error { return nil }

// onShells runs a test against dash with coreutils and against busybox alone.
func onShells(t *testing.T, run func(t *testing.T, c *shConn)) {
	t.Helper()
	t.Run("dash", func(t *testing.T) { run(t, &shConn{shell: []string{"dash"}}) })
	t.Run("bash", func(t *testing.T) { run(t, &shConn{shell: []string{"bash", "--posix"}}) })
	t.Run("busybox", func(t *testing.T) {
		transporttest.Installed(t, "busybox")
		busybox, err := exec.LookPath("busybox")
		if err != nil {
			t.Fatal(err)
		}
		list, err := exec.Command(busybox, "--list").Output()
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		for name := range strings.FieldsSeq(string(list)) {
			if err := os.Symlink(busybox, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		run(t, &shConn{shell: []string{busybox, "sh"}, path: dir})
	})
}

// run runs a module with arguments in turns of key and value.
func run(t *testing.T, c *shConn, opts modules.HostOptions, m *modules.Module, pairs ...any) modules.Result {
	t.Helper()
	opts.Conn, opts.Name = c, "host"
	c.trips = 0
	r, err := m.Run(t.Context(), modules.NewHost(opts), value.NewDict(pairs...))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func get(r modules.Result, path string) any {
	var v any = r.Data
	for key := range strings.SplitSeq(path, ".") {
		d, _ := v.(*value.Dict)
		v, _ = d.Get(key)
	}
	return v
}

// want compares keys of a result, in turns of path and value.
func want(t *testing.T, what string, r modules.Result, pairs ...any) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if got := get(r, pairs[i].(string)); got != pairs[i+1] {
			t.Errorf("%s: %s is %v, want %v (msg %q)", what, pairs[i], got, pairs[i+1], r.Msg)
		}
	}
}

func TestStat(t *testing.T) {
	onShells(t, func(t *testing.T, c *shConn) {
		dir := t.TempDir()
		file := filepath.Join(dir, "it's a $file")
		if err := os.WriteFile(file, []byte("hello\n"), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("it's a $file", filepath.Join(dir, "link")); err != nil {
			t.Fatal(err)
		}
		want(t, "missing", run(t, c, modules.HostOptions{}, Stat, "path", dir+"/none"), "stat.exists", false, "changed", false)
		r := run(t, c, modules.HostOptions{}, Stat, "path", file)
		want(t, "file", r, "stat.exists", true, "stat.size", 6, "stat.mode", "0640", "stat.isreg", true, "stat.isdir", false,
			"stat.checksum", "f572d396fae9206628714fb2ce00f72e94f2258f", "stat.rgrp", true, "stat.wgrp", false, "stat.path", file)
		if c.trips != 1 {
			t.Errorf("%d round trips, want 1", c.trips)
		}
		r = run(t, c, modules.HostOptions{}, Stat, "path", dir+"/link")
		want(t, "link", r, "stat.islnk", true, "stat.lnk_target", "it's a $file", "stat.lnk_source", file, "stat.checksum", nil)
		r = run(t, c, modules.HostOptions{}, Stat, "path", dir+"/link", "follow", true, "checksum_algorithm", "sha256")
		want(t, "followed", r, "stat.islnk", false, "stat.size", 6,
			"stat.checksum", "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03")
	})
}

func TestExpand(t *testing.T) {
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOSTLER_TEST", "some where")
	onShells(t, func(t *testing.T, c *shConn) {
		for in, out := range map[string]string{
			"~": home, "~/a b": home + "/a b", "~root/x": "/root/x", "/x/$HOSTLER_TEST/y": "/x/some where/y",
			"/x/${HOSTLER_TEST}y": "/x/some wherey", "/x/$(id)": "/x/$(id)", "/x/${a b}": "/x/${a b}", "/x/$": "/x/$",
			"/x/`id`": "/x/`id`", "/x//": "/x", "/": "/", "/x/$HOSTLER_UNSET": "/x/$HOSTLER_UNSET", "/x/$RANDOM/${BASH}": "/x/$RANDOM/${BASH}", "$HOSTLER_TEST": "some where",
			"/x/$__v": "/x/$__v",
		} {
			h := modules.NewHost(modules.HostOptions{Conn: c})
			r, err := h.Probe(t.Context(), lookLib+`expand "$1"; say path "$expanded"`, in)
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Text("path"); got != out {
				t.Errorf("%s becomes %s, want %s", in, got, out)
			}
		}
	})
}

func TestSlurp(t *testing.T) {
	onShells(t, func(t *testing.T, c *shConn) {
		file := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(file, []byte("a\x00\xffb\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		want(t, "file", run(t, c, modules.HostOptions{}, Slurp, "src", file),
			"content", "YQD/Ygo=", "encoding", "base64", "source", file, "changed", false)
		want(t, "missing", run(t, c, modules.HostOptions{}, Slurp, "src", file+"x"), "msg", "file not found: "+file+"x", "failed", true)
		want(t, "folder", run(t, c, modules.HostOptions{}, Slurp, "src", "/tmp"),
			"msg", "source is a directory and must be a file: /tmp", "failed", true)
	})
}

func TestTempfile(t *testing.T) {
	onShells(t, func(t *testing.T, c *shConn) {
		dir := t.TempDir()
		r := run(t, c, modules.HostOptions{}, Tempfile, "path", dir, "suffix", ".x", "prefix", "my")
		want(t, "file", r, "changed", true, "state", "file", "mode", "0600", "size", 0)
		name := filepath.Base(r.Data.Str("path"))
		if !strings.HasPrefix(name, "my") || !strings.HasSuffix(name, ".x") || len(name) != 10 {
			t.Errorf("name %q", name)
		}
		if _, err := os.Stat(r.Data.Str("path")); err != nil {
			t.Error(err)
		}
		want(t, "folder", run(t, c, modules.HostOptions{}, Tempfile, "path", dir, "state", "directory"),
			"changed", true, "mode", "0700")
		before, _ := os.ReadDir(dir)
		want(t, "check mode", run(t, c, modules.HostOptions{Check: true}, Tempfile, "path", dir), "changed", true, "failed", nil)
		if after, _ := os.ReadDir(dir); len(after) != len(before) {
			t.Error("check mode made a file")
		}
		want(t, "no folder", run(t, c, modules.HostOptions{}, Tempfile, "path", dir+"/none"), "failed", true)
	})
}
