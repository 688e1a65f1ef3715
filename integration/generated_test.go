//go:build integration

package integration

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hostlerhq/hostler/internal/randexpr"
)

// generatedLeaves are what expressions of testdata/generated are made of in the end: names of testdata/filters/vars.json and literals.
var generatedLeaves = map[string][]string{
	"S": {"name", "empty", "s", "text", "uni", `"alpha"`, `"a"`, `"1.10"`, `" x "`, `"it's"`, `"a-b_c"`, `'{"a": 1}'`, `"- 1\n- b: 2"`, `"A%20b"`, `"4K"`, `"name"`, `"rc"`, `"[a"`},
	"I": {"n", "0", "1", "2", "3", "-1", "1024", "255"},
	"N": {"f", "n", "1.5", "-2.5", "4", "1e6", "0", "123456789"},
	"B": {"yes", "no", "true", "false"},
	"L": {"l", "names", "mixed", "nested", "[]", "[1, 2, 3]", `["a", "b"]`, `["x", "alpha"]`, "[true, false]", "users"},
	"D": {"d", "d2", "{}", `{"a": 1, "b": {"x": [9]}}`, `{"k": none, "z": "é"}`, "ok"},
	"U": {"users"},
	"P": {`(playbook_dir ~ "/files/a.txt")`, `(playbook_dir ~ "/link")`, `"/etc/hosts"`, `"/"`, "playbook_dir", `"/nope"`, `"/usr/lib/"`},
	"F": {`"files/a.txt"`, `"/etc/hosts"`, `"/"`, `"nope"`, `"a//b/../c.tar.gz"`, `"~root/x"`, `"$HOME/y"`, `""`, `"/usr/lib/"`, `".x"`, `"a."`},
	"V": {`"1.2.3"`, `"1.10"`, `"2"`, `"1.2.3-rc1"`, `"1.2.3+build"`, `"v1"`, `"1.0a1"`, "1.5", `""`},
	"R": {"ok", "bad", "skipped", "job", `{"unreachable": true}`, `{"rc": 1, "failed": false}`, `{"timedout": {"period": 3}, "failed": true}`, "d", "name"},
	"Q": {"ips[0]", "ips[1]", "ips[2]", "ips[3]", "ips[4]", "ips[5]", `"10.1.2.3/16"`, `"fe80::1/64"`, `"192.168.32.7/28"`, "empty", "ips"},
	"K": {"ips[5]", `"192.168.32.7/28"`, `"10.1.2.0/22"`, `"10.9.0.0/26"`, `"2001:db8::/60"`},
	"T": {"0", "1600000000", "86399", `"1000000000"`, "1234567890.5"},
	"W": {`"http://u:p@h.example:8080/p/q?x=1#f"`, `"ftp://h/"`, `"/just/path"`, `"urn:isbn:123"`, `"https://[::1]/"`, "name"},
}

// generatedGrammar reads testdata/generated/patterns.txt.
func generatedGrammar(t *testing.T) randexpr.Grammar {
	t.Helper()
	text, err := os.ReadFile("testdata/generated/patterns.txt")
	if err != nil {
		t.Fatal(err)
	}
	g := randexpr.Grammar{Patterns: map[string]string{}, Leaves: generatedLeaves, Same: map[string]string{}}
	for line := range strings.Lines(string(text)) {
		if typ, pattern, found := strings.Cut(line, " "); found && typ != "#" {
			g.Patterns[typ] += pattern
		}
	}
	return g
}

// TestGeneratedFilters asks ansible-core's templar and ours random expressions of Ansible's filters, tests and lookups, each at
// least 20 times with native types and without. The questions are the same each time; FILTERS_SEED=0 asks new ones, another number
// repeats its own.
func TestGeneratedFilters(t *testing.T) {
	seed, err := strconv.ParseUint(os.Getenv("FILTERS_SEED"), 10, 64)
	if err != nil {
		seed = 3
	} else if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("FILTERS_SEED=%d", seed)
	surface, err := os.ReadFile("testdata/generated/surface.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, legacy := range []bool{false, true} {
		g := randexpr.New(rand.New(rand.NewPCG(seed, 1)), generatedGrammar(t))
		var expressions []string
		asked := randexpr.Counter{}
		for range 20 {
			for _, p := range g.Patterns("S", "I", "N", "B", "L", "D", "A") {
				x := g.Fill(p, 0) // deeper ones are numbers that take Python hours
				expressions = append(expressions, x)
				asked.Add(x)
			}
		}
		for name, n := range asked.Rare(string(surface), 20) {
			t.Errorf("%s is asked only %d times", name, n)
		}
		t.Run(fmt.Sprintf("legacy=%t", legacy), func(t *testing.T) { askBoth(t, expressions, legacy) })
	}
}
