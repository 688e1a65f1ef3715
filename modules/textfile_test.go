package modules_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/transport/transporttest"
)

// TestTextFile puts files in their place: modes and links stay, and a failure leaves everything as it was.
func TestTextFile(t *testing.T) {
	for name, sh := range shells {
		t.Run(name, func(t *testing.T) {
			transporttest.Installed(t, sh[0])
			putTextFiles(t, sh)
		})
	}
}

func putTextFiles(t *testing.T, sh []string) {
	t.Helper()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for name, mode := range map[string]os.FileMode{"there": 0o640, "target": 0o600} {
		if err := os.WriteFile(in(name), []byte("old\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("target", in("link")); err != nil {
		t.Fatal(err)
	}
	h := modules.NewHost(modules.HostOptions{Conn: &shConn{t: t, shell: sh}})
	for _, c := range []struct {
		file modules.TextFile
		fail string
	}{
		{modules.TextFile{Path: in("there"), Text: "new\n", Backup: in("kept")}, ""},
		{modules.TextFile{Path: in("link"), Text: "new\n"}, ""},
		{modules.TextFile{Path: in("fresh"), Text: "it's\n"}, ""},
		{modules.TextFile{Path: in("strict"), Text: "x\n", Mode: "0440"}, ""},
		{modules.TextFile{Path: in("gone"), Text: "x\n"}, ""},
		{modules.TextFile{Path: in("gone"), Empty: true, Backup: in("went")}, ""},
		{modules.TextFile{Path: in("no/folder"), Text: "x\n"}, "o such file or directory"},
		{modules.TextFile{Path: in("there"), Text: "never\n", Backup: in("kept")}, "exist"},
		{modules.TextFile{Path: in("fresh"), Text: "it's\n", Validate: []string{"grep", "-F", "it's"}}, ""},
		{modules.TextFile{Path: in("fresh"), Text: "never\n", Validate: []string{"grep", "-F", "it's"}}, "exit status 1"},
	} {
		_, err := h.Change(t.Context(), c.file.Write("write it"))
		if (err != nil) != (c.fail != "") || err != nil && !strings.Contains(err.Error(), c.fail) {
			t.Errorf("%s: %v; want %q", c.file.Path, err, c.fail)
		}
	}
	got := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(in(e.Name()))
		info, err2 := e.Info()
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		got[e.Name()] = info.Mode().String() + " " + string(data)
	}
	want := map[string]string{
		"there": "-rw-r----- new\n", "kept": "-rw-r----- old\n", "link": "Lrwxrwxrwx new\n", "target": "-rw------- new\n",
		"fresh": "-rw-r--r-- it's\n", "strict": "-r--r----- x\n", "went": "-rw-r--r-- x\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}
