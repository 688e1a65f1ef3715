//go:build integration

package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/files"
	"github.com/hostlerhq/hostler/transport"
)

// fileTask is one task that Ansible and we run, each on a folder of its own; $D is the folder, $S the controller's files.
type fileTask struct {
	module *modules.Module
	args   map[string]any
}

type a = map[string]any

var fileTasks = []fileTask{
	{files.File, a{"path": "$D/dir/sub", "state": "directory", "mode": "0750"}},
	{files.File, a{"path": "$D/dir", "mode": "g+w"}},
	{files.File, a{"path": "$D/none", "state": "file"}},
	{files.File, a{"path": "$D/none"}},
	{files.File, a{"path": "$D/touched", "state": "touch", "mode": "0600"}},
	{files.File, a{"path": "$D/touched", "state": "touch", "access_time": "preserve", "modification_time": "preserve"}},
	{files.File, a{"path": "$D/touched", "modification_time": "202001020304.05", "access_time": "202001020304.05", "state": "file"}},
	{files.File, a{"path": "$D/no/touched", "state": "touch"}},
	{files.File, a{"path": "$D/owned", "state": "touch", "owner": "nobody", "group": "nogroup", "mode": "u=rw,g=r,o="}},
	{files.File, a{"path": "$D/owned", "owner": "nobodyknows"}},
	{files.File, a{"path": "$D/touched", "state": "directory"}},
	{files.File, a{"path": "$D/touched/x", "state": "directory"}},
	{files.File, a{"path": "$D/link", "src": "touched", "state": "link"}},
	{files.File, a{"path": "$D/link", "src": "dir", "state": "link"}},
	{files.File, a{"path": "$D/broken", "src": "nothing", "state": "link"}},
	{files.File, a{"path": "$D/broken", "src": "nothing", "state": "link", "force": true}},
	{files.File, a{"path": "$D/touched", "src": "dir", "state": "link"}},
	{files.File, a{"path": "$D/dir", "src": "touched", "state": "link"}},
	{files.File, a{"path": "$D/link", "state": "directory", "mode": "0711"}},
	{files.File, a{"path": "$D/hard", "src": "$D/touched", "state": "hard"}},
	{files.File, a{"path": "$D/hard", "src": "$D/nothing", "state": "hard"}},
	{files.File, a{"path": "$D/link", "src": "$D/touched", "state": "hard"}},
	{files.File, a{"path": "$D/dir", "state": "directory", "recurse": true, "mode": "u=rwX,g=rX,o="}},
	{files.File, a{"path": "$D/src", "state": "file", "src": "x"}},
	{files.Copy, a{"content": "hello\n", "dest": "$D/text"}},
	{files.Copy, a{"content": "other\n", "dest": "$D/text", "mode": "0640"}},
	{files.Copy, a{"content": "kept\n", "dest": "$D/text", "force": false}},
	{files.Copy, a{"content": "x", "dest": "$D/no/text"}},
	{files.Copy, a{"content": "x", "dest": "$D/dir"}},
	{files.Copy, a{"src": "$S/one", "dest": "$D/one", "mode": "preserve"}},
	{files.Copy, a{"src": "$S/one", "dest": "$D/dir", "owner": "nobody", "mode": "0604"}},
	{files.Copy, a{"src": "$S/one", "dest": "$D/new/folder/", "directory_mode": "0700"}},
	{files.Copy, a{"src": "$S/big", "dest": "$D/big"}},
	{files.Copy, a{"src": "$S/nothing", "dest": "$D/x"}},
	{files.Copy, a{"src": "$S/tree/", "dest": "$D/tree"}},
	{files.Copy, a{"src": "$S/tree", "dest": "$D/trees", "mode": "0644", "directory_mode": "0755"}},
	{files.Copy, a{"src": "$D/one", "dest": "$D/remote", "remote_src": true, "mode": "0600"}},
	{files.Copy, a{"src": "$D/nothing", "dest": "$D/remote", "remote_src": true}},
	{files.Copy, a{"content": "valid\n", "dest": "$D/valid", "validate": "grep -q valid %s"}},
	{files.Copy, a{"content": "wrong\n", "dest": "$D/valid", "validate": "grep -q valid %s"}},
	{files.File, a{"path": "$D/to", "src": "text", "state": "link"}},
	{files.Copy, a{"content": "through\n", "dest": "$D/to", "follow": true}},
	{files.Copy, a{"content": "through\n", "dest": "$D/to"}},
	{files.Copy, a{"src": "$D/one", "dest": "$D/moded", "remote_src": true}},
	{files.Copy, a{"src": "$D/one", "dest": "$D/moded2", "remote_src": true, "mode": "preserve"}},
	{files.File, a{"path": "$D/from", "state": "directory", "mode": "0755"}},
	{files.File, a{"path": "$D/from/sub", "state": "directory", "mode": "0710"}},
	{files.File, a{"path": "$D/from/sub/l", "src": "../a b", "state": "link", "force": true}},
	{files.Copy, a{"content": "x", "dest": "$D/from/a b", "mode": "0751"}},
	{files.Copy, a{"src": "$D/from", "dest": "$D/copied", "remote_src": true}},
	{files.Copy, a{"src": "$D/from/", "dest": "$D/copied2", "remote_src": true}},
	{files.Copy, a{"src": "$S/tree/", "dest": "$D/dir/tree", "owner": "nobody", "group": "nogroup"}},
	{files.Copy, a{"src": "$S/tree/sub", "dest": "$D/dir/tree", "mode": "preserve"}},
	{files.Copy, a{"content": "x", "dest": "$D/sym", "mode": "u=rwx,g=u,o=g-w"}},
	{files.Copy, a{"content": "x", "dest": "$D/sym", "mode": "a-x,u+X,g+s"}},
	{files.Copy, a{"content": "x", "dest": "$D/suid", "mode": "4755", "owner": "nobody"}},
	{files.File, a{"path": "$D/suid", "owner": "root"}},
	{files.File, a{"path": "$D/suid", "group": "nogroup", "mode": "+t"}},
	{files.File, a{"path": "$D/gid", "state": "directory", "group": "nogroup", "mode": "2775"}},
	{files.Copy, a{"content": "x\n", "dest": "$D/gid/f", "group": "root", "mode": "0644"}},
	{files.Copy, a{"content": "y\n", "dest": "$D/gid/f"}},
	{files.Copy, a{"content": "z\n", "dest": "$D/owned"}},
	{files.File, a{"path": "$D/gid/a/b", "state": "directory", "mode": "0755"}},
	{files.File, a{"path": "$D/gid/c", "state": "directory"}},
	{files.Copy, a{"content": "quoted", "dest": "$D/a b'c\"d", "mode": "0644"}},
	{files.File, a{"path": "$D/a b'c\"d", "state": "absent"}},
	{files.Copy, a{"content": "", "dest": "$D/empty"}},
	{files.Copy, a{"content": "100% \\n %s \\\n", "dest": "$D/percent"}},
	{files.Copy, a{"content": a{"b": []any{1, "x", nil, true}}, "dest": "$D/json"}},
	{files.File, a{"path": "$D/dir/", "state": "directory"}},
	{files.File, a{"path": "$D/json", "mode": "u+x", "follow": false}},
	{files.File, a{"path": "$D/link", "state": "touch", "mode": "0640", "modification_time": "preserve", "access_time": "preserve"}},
	{files.File, a{"path": "$D/link", "owner": "nobody", "follow": false}},
	{files.File, a{"path": "$D/link", "state": "link", "src": "text", "owner": "nobody"}},
	{files.File, a{"path": "$D/broken", "state": "touch"}},
	{files.File, a{"path": "$D/broken", "state": "file"}},
	{files.Stat, a{"path": "$D/dir"}},
	{files.Stat, a{"path": "/dev/null"}},
	{files.Stat, a{"path": "$D/suid", "get_checksum": false, "get_mime": false, "get_attributes": false}},
	{files.Stat, a{"path": "$D/text"}},
	{files.Stat, a{"path": "$D/link"}},
	{files.Stat, a{"path": "$D/broken", "follow": true}},
	{files.Stat, a{"path": "$D/touched", "checksum_algorithm": "sha256"}},
	{files.Slurp, a{"src": "$D/text"}},
	{files.Slurp, a{"src": "$D/dir"}},
	{files.Slurp, a{"src": "$D/nothing"}},
	{files.Fetch, a{"src": "$D/text", "dest": "$D/got/", "flat": true}},
	{files.Fetch, a{"src": "$D/nothing", "dest": "$D/got/", "flat": true}},
	{files.Fetch, a{"src": "$D/nothing", "dest": "$D/got/", "flat": true, "fail_on_missing": false}},
	{files.File, a{"path": "$D/hard", "state": "absent"}},
	{files.File, a{"path": "$D/trees", "state": "absent"}},
	{files.File, a{"path": "$D/trees", "state": "absent"}},
}

// compared are the result keys that must be Ansible's.
var compared = []string{"changed", "failed", "mode", "state", "size", "owner", "group", "uid", "gid", "checksum", "content", "dest", "path", "stat"}

func TestFilesAreAnsibles(t *testing.T) {
	src := t.TempDir()
	mustWrite(t, src+"/one", "one\n", 0o751)
	mustWrite(t, src+"/big", strings.Repeat("0123456789abcdef", 20000), 0o644)
	mustWrite(t, src+"/tree/a b", "a\n", 0o600)
	mustWrite(t, src+"/tree/sub/c", "c\n", 0o755)
	if err := os.MkdirAll(src+"/tree/hollow", 0o755); err != nil {
		t.Fatal(err)
	}
	pool := transport.NewPool(transport.PoolOptions{})
	t.Cleanup(func() { _ = pool.Close() })
	conn, err := pool.Open(t.Context(), transport.Endpoint{Name: "localhost", Kind: "local"}, transport.Become{})
	if err != nil {
		t.Fatal(err)
	}
	theirs, ours := t.TempDir(), t.TempDir()
	for _, pass := range []struct {
		name  string
		check bool
	}{{"check", true}, {"first", false}, {"second", false}} {
		t.Run(pass.name, func(t *testing.T) {
			want := ansibleResults(t, fileTasks, src, theirs, pass.check)
			for i, task := range fileTasks {
				got := ourResult(t, conn, task, src, ours, pass.check)
				compareResults(t, i, task, want[i], got, theirs, ours, pass.check)
			}
			if diff := cmp.Diff(treeListing(t, theirs), treeListing(t, ours)); diff != "" {
				t.Errorf("folders (-Ansible +ours):\n%s", diff)
			}
		})
	}
}

func compareResults(t *testing.T, i int, task fileTask, want, got map[string]any, theirs, ours string, check bool) {
	t.Helper()
	what := fmt.Sprintf("task %d, %s %v", i, task.module.Name, task.args)
	for _, key := range compared {
		w, g := rename(want[key], theirs), rename(got[key], ours)
		if key == "failed" || key == "changed" {
			w, g = w == true, g == true
		}
		if key != "failed" && (want["failed"] == true || check && key != "changed") {
			continue // what Ansible tells then is by chance
		}
		if src, _ := task.args["src"].(string); (strings.HasPrefix(src, "$S/tree") || strings.HasPrefix(src, "$D/from")) && key != "changed" {
			continue
		}
		if key == "size" && want["state"] == "directory" || w == nil {
			continue
		}
		if diff := cmp.Diff(w, g); diff != "" {
			t.Errorf("%s: %s (-Ansible +ours):\n%s\n%v\n%v", what, key, diff, want["msg"], got["msg"])
		}
	}
}

// rename takes a folder's own name, inodes and times out of a result.
func rename(v any, dir string) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, dir, "$D")
	case []any:
		list := []any{}
		for _, item := range v {
			list = append(list, rename(item, dir))
		}
		return list
	case map[string]any:
		m := map[string]any{}
		for key, item := range v {
			if !slices.Contains([]string{"inode", "atime", "mtime", "ctime", "version"}, key) {
				m[key] = rename(item, dir)
			}
		}
		return m
	}
	return v
}

func fill(args map[string]any, src, dir string) map[string]any {
	out := map[string]any{}
	for key, v := range args {
		out[key] = fillValue(v, strings.NewReplacer("$S", src, "$D", dir))
	}
	return out
}

func fillValue(v any, r *strings.Replacer) any {
	switch v := v.(type) {
	case string:
		return r.Replace(v)
	case []any:
		var list []any
		for _, item := range v {
			list = append(list, fillValue(item, r))
		}
		return list
	}
	return v
}

// ansibleResults runs all tasks by ansible-playbook and gives each one's result.
func ansibleResults(t *testing.T, list []fileTask, src, dir string, check bool) []map[string]any {
	t.Helper()
	var tasks []any
	for _, task := range list {
		var args any = fill(task.args, src, dir)
		if text, free := args.(map[string]any)[freeText]; free {
			args = text
		}
		tasks = append(tasks, a{"ansible.builtin." + task.module.Name: args, "ignore_errors": true})
	}
	play, err := json.Marshal([]any{a{"hosts": "localhost", "gather_facts": false, "tasks": tasks}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "play.yml")
	mustWrite(t, file, string(play), 0o644)
	args := []string{"-c", "local", "-i", "localhost,", file}
	if check {
		args = append(args, "--check")
	}
	cmd := exec.Command("ansible-playbook", args...)
	cmd.Env = append(os.Environ(), "ANSIBLE_STDOUT_CALLBACK=json", "ANSIBLE_PIPELINING=1", "ANSIBLE_PYTHON_INTERPRETER=/usr/bin/python3")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, text, _ := bytes.Cut(out, []byte("\n{"))
	if bytes.HasPrefix(out, []byte("{")) {
		text = out[1:]
	}
	var report struct {
		Plays []struct {
			Tasks []struct {
				Hosts map[string]map[string]any `json:"hosts"`
			} `json:"tasks"`
		} `json:"plays"`
	}
	if err := json.Unmarshal(append([]byte("{"), text...), &report); err != nil {
		t.Fatal(err)
	}
	var results []map[string]any
	for _, task := range report.Plays[0].Tasks {
		results = append(results, task.Hosts["localhost"])
	}
	if len(results) != len(list) {
		t.Fatalf("%d results of %d tasks", len(results), len(list))
	}
	return results
}

func ourResult(t *testing.T, conn transport.Conn, task fileTask, src, dir string, check bool) map[string]any {
	t.Helper()
	args := value.NewDict()
	for key, v := range fill(task.args, src, dir) {
		if key != freeText {
			args.Set(key, dictOf(v))
			continue
		}
		pairs, rest, err := modules.SplitKV(v.(string), true)
		if err != nil {
			t.Fatal(err)
		}
		args = pairs
		args.Set(task.module.FreeForm(), rest)
	}
	h := modules.NewHost(modules.HostOptions{Name: "localhost", Conn: conn, Check: check, Local: controller{}})
	r, err := task.module.Run(t.Context(), h, args)
	if err != nil {
		t.Fatal(err)
	}
	return plain(r.Data).(map[string]any)
}

// freeText is the key under which a task has the text that stands behind the module's name.
const freeText = ""

// dictOf turns Go's data into what modules take.
func dictOf(v any) any {
	switch v := v.(type) {
	case map[string]any:
		d := value.NewDict()
		for key, item := range v {
			d.Set(key, dictOf(item))
		}
		return d
	case []any:
		l := value.NewList()
		for _, item := range v {
			l.Append(dictOf(item))
		}
		return l
	}
	return v
}

// controller is this machine as modules see it.
type controller struct{}

func (controller) Find(_, name string) (string, error) {
	if _, err := os.Stat(name); err != nil {
		return "", fmt.Errorf("could not find or access %q", name)
	}
	return name, nil
}

func (controller) Open(p string) (io.ReadCloser, error)    { return os.Open(p) }
func (controller) Stat(p string) (fs.FileInfo, error)      { return os.Stat(p) }
func (controller) ReadDir(p string) ([]fs.DirEntry, error) { return os.ReadDir(p) }
func (controller) Dest(name string) string                 { return name }

func (controller) OpenAsIs(p string) (io.ReadCloser, error) { return os.Open(p) }

func (controller) Create(p string, m fs.FileMode, r io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		return err
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	return os.WriteFile(p, data, m)
}

func (controller) Render(context.Context, string, modules.RenderOptions) ([]byte, error) {
	return nil, errors.New("no templates here")
}

func mustWrite(t *testing.T, file, data string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(data), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil {
		t.Fatal(err)
	}
}

// treeListing tells of everything below a folder: mode, owner, links, and the content of what is not large.
func treeListing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		i, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		st, _ := i.Sys().(*syscall.Stat_t)
		fmt.Fprintf(&b, "%s %d:%d %s", i.Mode(), st.Uid, st.Gid, rel)
		switch {
		case i.Mode()&fs.ModeSymlink != 0:
			target, _ := os.Readlink(p)
			b.WriteString(" -> " + strings.ReplaceAll(target, dir, "$D"))
		case i.Mode().IsRegular():
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %d %d %q", i.Size(), st.Nlink, data[:min(len(data), 4096)])
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
