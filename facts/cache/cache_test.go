package cache

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hostlerhq/hostler/jinja/value"
)

func TestFolder(t *testing.T) {
	c := &Folder{Dir: filepath.Join(t.TempDir(), "deep", "facts"), Prefix: "p_", Timeout: time.Hour}
	if err := c.Open(); err != nil {
		t.Fatal(err)
	}
	if facts, _, err := c.Load("a"); facts != nil || err != nil {
		t.Errorf("facts from nowhere: %v, %v", facts, err)
	}
	facts := value.NewDict("ansible_b", 1, "own", "ä")
	if err := c.Store("a", facts, true); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(c.Dir, "p_a")
	text, err := os.ReadFile(path)
	want := "{\n    \"_ansible_facts_gathered\": true,\n    \"ansible_b\": 1,\n    \"own\": \"\\u00e4\"\n}"
	if err != nil || string(text) != want {
		t.Errorf("%v: %s", err, cmp.Diff(want, string(text)))
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	got, gathered, err := c.Load("a")
	if own, _ := got.Get("own"); own != "ä" || !gathered || err != nil {
		t.Errorf("loaded %v, %v, %v", own, gathered, err)
	}
	old := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	if got, _, err := c.Load("a"); got != nil || err != nil {
		t.Errorf("old facts: %v, %v", got, err)
	}
	c.Timeout = 0
	if got, _, err := c.Load("a"); got == nil || err != nil {
		t.Errorf("no limit of age: %v, %v", got, err)
	}
	for range 2 {
		if err := c.Delete("a"); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
	entries, err := os.ReadDir(c.Dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestFolderRefuses(t *testing.T) {
	c := &Folder{Dir: t.TempDir()}
	for _, host := range []string{"../x", "a/b", "..", "."} {
		if err := c.Store(host, value.NewDict(), false); err == nil {
			t.Errorf("%s: stored", host)
		}
		if facts, _, err := c.Load(host); facts != nil || err != nil {
			t.Errorf("%s: %v, %v", host, facts, err)
		}
		if err := c.Delete(host); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	for name, text := range map[string]string{"cut": "{", "list": "[]", "empty": ""} {
		if err := os.WriteFile(filepath.Join(c.Dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Load(name); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := (&Folder{Dir: "/proc/nowhere"}).Open(); err == nil {
		t.Error("a folder in /proc")
	}
}
