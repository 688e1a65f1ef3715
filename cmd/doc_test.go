package cmd

import (
	"os"
	"path/filepath"
	"testing"
)

// TestModuleDocsAreFresh compares docs/modules with what the modules' sources make; make docs writes it.
func TestModuleDocsAreFresh(t *testing.T) {
	fresh, kept := t.TempDir(), filepath.Join("..", "docs", "modules")
	if err := writeDocs(fresh); err != nil {
		t.Fatal(err)
	}
	for _, dirs := range [][2]string{{fresh, kept}, {kept, fresh}} {
		files, err := filepath.Glob(filepath.Join(dirs[0], "*.md"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no pages in %s (%v)", dirs[0], err)
		}
		for _, file := range files {
			name := filepath.Base(file)
			a, errA := os.ReadFile(file)
			b, errB := os.ReadFile(filepath.Join(dirs[1], name))
			if errA != nil || errB != nil || string(a) != string(b) {
				t.Errorf("docs/modules/%s is stale; run make docs", name)
			}
		}
	}
}
