package journal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// next asks for what the host did at a line and wants it to be found, or not.
func next(t *testing.T, j *Journal, host, path string, want bool) {
	t.Helper()
	if _, found, _ := j.Next(host, path, "command"); found != want {
		t.Errorf("%s at %s: found %t, want %t", host, path, found, want)
	}
}

func open(t *testing.T, path string) *Journal {
	t.Helper()
	j, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func closed(t *testing.T, j *Journal) {
	t.Helper()
	if err := j.Close(false); err != nil {
		t.Fatal(err)
	}
}

// TestJournal: what a host did counts up to its failure; a run that is resumed goes on from there, and a host that strays
// loses what it did behind that point, in later runs too.
func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "run.jsonl")
	j, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	add := func(host, at string) { j.Add(Entry{Host: host, Path: at, Action: "command"}) }
	add("a", "1")
	add("b", "1")
	j.Stop("a")
	add("a", "always")
	add("b", "2")
	if _, err := Create(path); !errors.Is(err, ErrBusy) {
		t.Errorf("a second run: %v, want ErrBusy", err)
	}
	closed(t, j)

	j = open(t, path)
	next(t, j, "a", "1", true)
	next(t, j, "a", "2", false)
	add("a", "2")
	next(t, j, "b", "1", true)
	if _, found, strayed := j.Next("b", "3", "command"); found || !strayed {
		t.Errorf("another way: found %t, strayed %t", found, strayed)
	}
	next(t, j, "b", "2", false)
	add("b", "3")
	closed(t, j)

	j = open(t, path)
	next(t, j, "a", "1", true)
	next(t, j, "a", "2", true)
	next(t, j, "b", "1", true)
	next(t, j, "b", "3", true)
	next(t, j, "c", "1", false)
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := j.Close(true); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after its end: %v, want ErrNotExist", err)
	}
}
