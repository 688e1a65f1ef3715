package cmd_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	shownByTest  = regexp.MustCompile(`^\[(\w+|[\w.]+\.txtar)\]\((\.\./[\w./]+)\)$`)
	shownByBench = regexp.MustCompile("^`go run \\./bench -only (\\w+)`$")
)

// complaints is how many docs/why.md answers.
const complaints = 29

// TestWhyNamesWhatExists: docs/why.md has a row for each complaint, and each test, script and part of the bench that it
// names is there. A row without one says "Not yet".
func TestWhyNamesWhatExists(t *testing.T) {
	text, err := os.ReadFile("../docs/why.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		number, err := strconv.Atoi(strings.TrimSpace(cells[0]))
		if err != nil {
			continue
		}
		if n++; number != n || len(cells) != 4 {
			t.Fatalf("row %d: number %d, %d cells", n, number, len(cells))
		}
		shown := strings.TrimSpace(cells[3])
		if strings.HasPrefix(cells[2], "Not yet") != (shown == "–") {
			t.Errorf("row %d: %q is shown by %q", n, cells[2], shown)
		}
		if shown == "–" {
			continue
		}
		for one := range strings.SplitSeq(shown, ", ") {
			if why := missing(one); why != "" {
				t.Errorf("row %d: %s: %s", n, one, why)
			}
		}
	}
	if n != complaints {
		t.Errorf("%d rows, want %d", n, complaints)
	}
}

// missing says what is wrong with a reference; "" is nothing.
func missing(ref string) string {
	if m := shownByBench.FindStringSubmatch(ref); m != nil {
		return contains("../bench/main.go", `{"`+m[1]+`", `)
	}
	m := shownByTest.FindStringSubmatch(ref)
	if m == nil {
		return "neither a test nor a part of the bench"
	}
	path := filepath.Join("../docs", m[2])
	if strings.HasSuffix(m[1], ".txtar") {
		if filepath.Base(path) != m[1] {
			return "the link goes elsewhere"
		}
		return contains(path, "hostler ")
	}
	return contains(path, "\nfunc "+m[1]+"(t *testing.T)")
}

func contains(path, text string) string {
	all, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	if !strings.Contains(string(all), text) {
		return "not in " + path
	}
	return ""
}
