package run_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/run"
)

const freePlay = `
- hosts: all
  strategy: %s
  handlers:
    - {name: handler, debug: {}}
  tasks:
    - {name: notify, debug: {}, changed_when: true, notify: handler}
    - {name: once, set_fact: {who: "{{ inventory_hostname }}"}, run_once: true, register: once}
    - {name: "everyone knows {{ who is defined and once is defined }}", debug: {}}
    - {name: add, add_host: {name: "new{{ inventory_hostname }}", groups: fresh}}
    - include_tasks: more.yml
      loop: [1, 2]
    - {meta: flush_handlers}
    - {name: last, debug: {}}
- hosts: fresh
  tasks:
    - {name: added, debug: {}}
`

// TestFreeStrategiesDoAllRight: run_once, handlers and add_host are under free and host_pinned what they are in step. Ansible
// runs a task with run_once on every host there.
func TestFreeStrategiesDoAllRight(t *testing.T) {
	for _, strategy := range []string{"linear", "free", "host_pinned"} {
		for _, forks := range []int{1, 3} {
			o, rec := options(t, "a,b,c", fmt.Sprintf(freePlay, strategy))
			writeFile(t, strings.TrimSuffix(o.Playbooks[0].Path, "site.yml")+"more.yml", []byte("- {name: 'inner {{ item }}', debug: {}, run_once: true}\n"))
			o.Forks = forks
			res, err := run.Play(t.Context(), o)
			if err != nil || len(res.Failed) > 0 {
				t.Fatalf("%s: %v, failed %v", strategy, err, res.Failed)
			}
			for _, h := range []string{"a", "b", "c"} {
				want := []string{"notify changed", "everyone knows True ok", "handler ok", "last ok"}
				got := slices.DeleteFunc(forHost(rec.lines, h), func(l string) bool {
					return slices.Contains([]string{"once ok", "add changed", "inner 1 ok", "inner 2 ok", "include_tasks ok"}, l)
				})
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s with %d forks, %s (-want +got):\n%s", strategy, forks, h, diff)
				}
			}
			for _, task := range []string{"once ok", "add changed", "inner 1 ok", "inner 2 ok", "added ok"} {
				n := 0
				for _, l := range rec.lines {
					if strings.HasSuffix(l, " "+task) {
						n++
					}
				}
				if n != 1 {
					t.Errorf("%s with %d forks: %q came %d times, want once", strategy, forks, task, n)
				}
			}
		}
	}
}

const onceFails = `
- hosts: all
  strategy: %s
  tasks:
    - {name: before, debug: {}}
    - block:
        - {name: once, fail: {}, run_once: true}
        - {name: never, debug: {}}
      rescue:
        - {name: mend, debug: {}}
    - {name: fatal, fail: {}, run_once: true}
    - {name: nor this, debug: {}}
`

// TestRunOnceFailsForAll: where the one host fails all fail, each at that task.
func TestRunOnceFailsForAll(t *testing.T) {
	for _, strategy := range []string{"linear", "free", "host_pinned"} {
		o, rec := options(t, "a,b,c", fmt.Sprintf(onceFails, strategy))
		res, err := run.Play(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range []string{"a", "b", "c"} {
			got := slices.DeleteFunc(forHost(rec.lines, h), func(l string) bool { return l == "once rescued" || l == "fatal failed" })
			if diff := cmp.Diff([]string{"before ok", "mend ok"}, got); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", strategy, h, diff)
			}
		}
		if got := strings.Join(res.Failed, " "); got != "a b c" {
			t.Errorf("%s: failed %q, want all", strategy, got)
		}
	}
}
