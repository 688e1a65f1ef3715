// Command testsum reads `go test -json` and prints what a person wants of it: the output of
// failing tests, each skipped test with its reason, and how many passed, failed and were skipped.
// It exits 1 when a test or a package failed, or when no test ran.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

type event struct {
	Action, Package, Test, Output string
}

type key struct{ pkg, test string }

type summary struct {
	name                    string
	passed, failed, skipped int
	broken                  []string // packages that did not build or whose main failed
	output                  map[key][]string
	out                     io.Writer
	logs                    bool
}

func main() {
	name := flag.String("name", "tests", "what to call this run")
	only := flag.String("run", "", "count only tests whose name begins so (after Test)")
	logs := flag.Bool("logs", false, "print also what passing tests log")
	results := flag.String("append", "", "add the counts to this file, for -total")
	total := flag.String("total", "", "print the sum of a file of counts and nothing else")
	runs := flag.Int("runs", 1, "with -total: how many runs must have counted")
	flag.Parse()
	if *total != "" {
		os.Exit(sum(*total, *runs))
	}
	s := &summary{name: *name, output: map[key][]string{}, out: os.Stdout, logs: *logs}
	s.read(os.Stdin, *only)
	os.Exit(s.finish(*results))
}

func (s *summary) read(in io.Reader, only string) {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 1<<20), 64<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Action == "" {
			fmt.Fprintln(s.out, lines.Text()) // a compiler's or the race detector's own words
			continue
		}
		if only == "" || e.Test == "" || strings.HasPrefix(e.Test, "Test"+only) {
			s.take(e)
		}
	}
}

func (s *summary) take(e event) {
	k := key{e.Package, e.Test}
	switch e.Action {
	case "output", "build-output":
		s.output[k] = append(s.output[k], e.Output)
		return
	case "pass", "fail", "skip":
	default:
		return
	}
	defer delete(s.output, k)
	switch {
	case e.Test == "" && e.Action == "fail":
		s.broken = append(s.broken, e.Package)
		s.print(k)
	case e.Test == "":
	case e.Action == "pass":
		s.passed++
		if s.logs {
			s.print(k)
		}
	case e.Action == "fail":
		s.failed++
		s.print(k)
	case e.Action == "skip":
		s.skipped++
		fmt.Fprintf(s.out, "skipped %s: %s", e.Test, reason(s.output[k]))
	}
}

func (s *summary) print(k key) {
	for _, line := range s.output[k] {
		fmt.Fprint(s.out, line)
	}
}

// reason is what t.Skip was told.
func reason(output []string) string {
	for _, line := range output {
		if trimmed := strings.TrimSpace(line); trimmed != "" && !strings.HasPrefix(trimmed, "=== ") && !strings.HasPrefix(trimmed, "--- ") {
			return trimmed + "\n"
		}
	}
	return "no reason given\n"
}

func (s *summary) finish(results string) int {
	fmt.Fprintf(s.out, "%s: %d passed, %d failed, %d skipped\n", s.name, s.passed, s.failed, s.skipped)
	for _, pkg := range s.broken {
		fmt.Fprintf(s.out, "failed package: %s\n", pkg)
	}
	if results != "" {
		f, err := os.OpenFile(results, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer f.Close()
		failed := s.failed
		if failed == 0 && (len(s.broken) > 0 || s.passed == 0) {
			failed = max(1, len(s.broken)) // what did not even build
		}
		fmt.Fprintln(f, s.passed, failed, s.skipped)
	}
	if s.failed > 0 || len(s.broken) > 0 || s.passed == 0 {
		return 1
	}
	return 0
}

// sum prints the closing line over all runs of a file.
func sum(path string, runs int) int {
	text, err := os.ReadFile(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var passed, failed, skipped int
	counted := 0
	for line := range strings.Lines(string(text)) {
		var p, f, k int
		if _, err := fmt.Sscan(line, &p, &f, &k); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
			return 1
		}
		passed, failed, skipped = passed+p, failed+f, skipped+k
		counted++
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	if counted < runs {
		fmt.Fprintf(os.Stderr, "%d of %d runs did not come to their end\n", runs-counted, runs)
		return 1
	}
	if failed > 0 {
		return 1
	}
	return 0
}
