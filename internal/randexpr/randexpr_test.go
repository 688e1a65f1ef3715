package randexpr_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/internal/randexpr"
)

// TestFill fills what stands outside of quotes, the same for the same seed.
func TestFill(t *testing.T) {
	grammar := randexpr.Grammar{
		Patterns: map[string]string{"S": "S | upper\nS ~ N", "I": "I + I"},
		Leaves:   map[string][]string{"S": {"name"}, "I": {"1"}},
		Same:     map[string]string{"N": "I"},
	}
	g := randexpr.New(rand.New(rand.NewPCG(1, 1)), grammar)
	if got := g.Fill(`"S" ~ S * I`, 0); got != `"S" ~ name * (1)` {
		t.Errorf("got %s", got)
	}
	again := randexpr.New(rand.New(rand.NewPCG(2, 1)), grammar).Expr("S", 4)
	if got := randexpr.New(rand.New(rand.NewPCG(2, 1)), grammar).Expr("S", 4); got != again || strings.Contains(got, "S") {
		t.Errorf("got %s and %s", got, again)
	}
}

// TestCounter counts uses by what they are.
func TestCounter(t *testing.T) {
	c := randexpr.Counter{}
	c.Add(`x.split("is") | map("upper") | select("in", [1]) | list if a is not b else "| not" not in lookup("env", 1) ** 2`)
	got := c.Rare("# words\nfilter: map, upper, list, nosuch\ntest: in, b, not\nmethod: split\nlookup: env\noperator: **, not in, is not, if, *, not, is", 1)
	want := map[string]int{"filter nosuch": 0, "test not": 0, "operator *": 0, "operator not": 0, "operator is": 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
