package run_test

import (
	"context"
	"fmt"
	"os"
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

// cost is the memory that a run asks for, which unlike time is the same on a busy machine.
func cost(t *testing.T, hosts int, text string) float64 {
	t.Helper()
	names := make([]string, hosts)
	for i := range names {
		names[i] = fmt.Sprintf("h%05d", i)
	}
	o, _ := options(t, strings.Join(names, ",")+",", text)
	if err := os.WriteFile(strings.TrimSuffix(o.Playbooks[0].Path, "site.yml")+"more.yml", []byte("- {debug: {msg: '{{ item }}'}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.Sink = nothing{}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	res, err := run.Play(t.Context(), o)
	if err != nil || len(res.Failed) > 0 {
		t.Fatalf("%v, failed %v", err, res.Failed)
	}
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc - before.TotalAlloc)
}

// TestCostOfAnIncludeStaysTheSame holds that one include_tasks of a loop costs no more among many.
func TestCostOfAnIncludeStaysTheSame(t *testing.T) {
	each := func(n int) float64 {
		return cost(t, 1, fmt.Sprintf("- {hosts: all, tasks: [{include_tasks: more.yml, loop: '{{ range(%d) }}'}]}", n)) / float64(n)
	}
	if few, many := each(100), each(1000); many > 1.5*few {
		t.Errorf("an include costs %.0f bytes among 1000 and %.0f among 100", many, few)
	}
}

// TestCostOfHostvarsStaysTheSame holds that reading a variable of every host costs the same for each, however many there are.
func TestCostOfHostvarsStaysTheSame(t *testing.T) {
	each := func(n int) float64 {
		return cost(t, n, `
- hosts: all
  vars: {x: "{{ inventory_hostname }}"}
  tasks:
    - {debug: {msg: "{% for h in groups.all %}{{ hostvars[h].inventory_hostname }}{% endfor %}"}}
`) / float64(n*n)
	}
	if few, many := each(50), each(400); many > 1.5*few {
		t.Errorf("a host's variable costs %.0f bytes among 400 hosts and %.0f among 50", many, few)
	}
}

// TestCostOfAHostStaysTheSame holds that what a task on a host costs does not grow with the number of hosts.
func TestCostOfAHostStaysTheSame(t *testing.T) {
	for _, strategy := range []string{"linear", "free"} {
		each := func(n int) float64 { return cost(t, n, fmt.Sprintf(scalePlay, strategy)) / float64(n) }
		if few, many := each(200), each(2000); many > 1.5*few {
			t.Errorf("%s: a host costs %.0f bytes among 2000 and %.0f among 200", strategy, many, few)
		}
	}
}
