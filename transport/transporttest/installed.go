package transporttest

import (
	"os/exec"
	"testing"
)

// Installed skips a test, or a part of one, whose judge is a program that this machine lacks. `make test` installs
// all of them where it may.
func Installed(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed here (make prepare)", p)
		}
	}
}
