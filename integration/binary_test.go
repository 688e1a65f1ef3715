//go:build integration

package integration

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// hostlerBinary builds the program for tests that need the whole of it.
func hostlerBinary(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "hostler")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "../cmd/hostler").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}
