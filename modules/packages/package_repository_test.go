package packages

import (
	"testing"

	"github.com/hostlerhq/hostler/modules"
)

// TestPackageRepositoryKeepsOthers adds to the one file of apk's repositories what it had not when the key was looked for: a line
// that somebody else added meanwhile stays.
func TestPackageRepositoryKeepsOthers(t *testing.T) {
	a := PackageRepositoryArgs{Name: "mine", URL: []string{"https://mine.example"}, State: modules.Present}
	files := a.files("apk")
	want := repoState{source: a.apkLines("https://first.example\n"), hasSource: true}
	actions := a.plan("apk", files, want, repoState{source: "https://first.example\nhttps://other.example\n", hasSource: true})
	if len(actions) != 1 {
		t.Fatalf("%d actions, want 1", len(actions))
	}
	if got, want := string(actions[0].Stdin), "https://first.example\nhttps://other.example\nhttps://mine.example\n"; got != want {
		t.Errorf("the file gets\n%swant\n%s", got, want)
	}
}
