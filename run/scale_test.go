package run_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/run"
)

// nothing is a Sink that keeps nothing.
type nothing struct{}

func (nothing) Emit(context.Context, run.Event) {}

func (nothing) Close() error { return nil }

const scalePlay = `
- hosts: all
  strategy: %s
  tasks:
    - {set_fact: {a: "{{ inventory_hostname }}"}}
    - {debug: {msg: "{{ a }}"}, when: a != "x", register: r}
    - {debug: {msg: "{{ r.msg }} {{ ansible_play_hosts | length }}"}}
    - {include_tasks: more.yml, when: false}
    - {debug: {var: a}}
`

// TestCostOfAHostStaysTheSame holds that what a task on a host costs does not grow with the number of hosts. It measures
// memory that is asked for, which unlike time is the same on a busy machine.
func TestCostOfAHostStaysTheSame(t *testing.T) {
	for _, strategy := range []string{"linear", "free"} {
		cost := func(n int) float64 {
			names := make([]string, n)
			for i := range names {
				names[i] = fmt.Sprintf("h%05d", i)
			}
			o, _ := options(t, strings.Join(names, ","), fmt.Sprintf(scalePlay, strategy))
			o.Sink = nothing{}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if _, err := run.Play(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			return float64(after.TotalAlloc-before.TotalAlloc) / float64(n)
		}
		if few, many := cost(200), cost(2000); many > 1.5*few {
			t.Errorf("%s: a host costs %.0f bytes among 2000 and %.0f among 200", strategy, many, few)
		}
	}
}
