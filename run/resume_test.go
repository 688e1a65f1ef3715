package run_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/playbook"
	"github.com/hostlerhq/hostler/run"
	"github.com/hostlerhq/hostler/run/actions"
	"github.com/hostlerhq/hostler/run/journal"
)

type markArgs struct {
	// Name is what is done.
	Name string `arg:"name" required:"true"`
	// Fail makes it fail.
	Fail bool `arg:"fail"`
}

type markResult struct {
	Word string `json:"word"`
}

// marks counts what was done, by host and name.
type marks struct {
	mu   sync.Mutex
	done map[string]int
}

func (m *marks) run(_ context.Context, h *modules.Host, args markArgs) (markResult, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done[h.Name()+" "+args.Name]++
	if args.Fail {
		return markResult{}, fmt.Errorf("asked to fail")
	}
	return markResult{Word: h.Name() + args.Name}, nil
}

const resumePlay = `
- hosts: all
  strategy: %s
  serial: [2, 1]
  gather_facts: false
  handlers:
    - {name: handler, mark: {name: handler}}
  tasks:
    - {mark: {name: one}, changed_when: true, notify: handler}
    - {mark: {name: once}, run_once: true, register: once}
    - block:
        - {mark: {name: bad, fail: "{{ inventory_hostname != 'b' }}"}, register: bad}
        - {mark: {name: good}}
      rescue:
        - {mark: {name: "rescue {{ ansible_failed_result.msg }}"}}
      always:
        - {mark: {name: always}}
    - {mark: {name: "loop {{ item }}"}, loop: [x, y], register: looped}
    - {set_fact: {word: "{{ looped.results | map(attribute='word') | join(' ') }}"}}
    - include_tasks: more.yml
      loop: [1, 2]
    - {mark: {name: hidden}, no_log: true, register: hidden}
    - {mark: {name: skipped}, when: false, register: left}
    - {mark: {name: ignored, fail: true}, ignore_errors: true}
    - assert:
        that:
          - word == inventory_hostname ~ 'loop x ' ~ inventory_hostname ~ 'loop y'
          - hidden.word == inventory_hostname ~ 'hidden'
          - once.word is defined and left is skipped
          - bad is failed or inventory_hostname == 'b'
`

// TestResumeAfterEachPoint kills a run after each record of its journal, goes on, and wants all done once and the same end.
func TestResumeAfterEachPoint(t *testing.T) {
	for _, strategy := range []string{"linear", "free"} {
		dir := t.TempDir()
		site, whole := filepath.Join(dir, "site.yml"), filepath.Join(dir, "whole")
		writeFile(t, site, fmt.Appendf(nil, resumePlay, strategy))
		writeFile(t, filepath.Join(dir, "more.yml"), []byte("- {mark: {name: 'more {{ item }}'}}\n"))
		j, err := journal.Create(whole)
		if err != nil {
			t.Fatal(err)
		}
		all, stats, failed := resumeRun(t, site, j)
		if err := j.Close(false); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(whole)
		if err != nil {
			t.Fatal(err)
		}
		lines := slices.Collect(bytes.Lines(text))
		if len(lines) < 30 || len(failed) > 0 {
			t.Fatalf("%s: a journal of %d lines, failed: %v\n%s", strategy, len(lines), failed, text)
		}
		for n := range lines {
			part := filepath.Join(dir, "part")
			torn := lines[n][:len(lines[n])/2] // what was being written
			writeFile(t, part, slices.Concat(slices.Concat(lines[:n]...), torn))
			if j, err = journal.Open(part); err != nil {
				t.Fatal(err)
			}
			more, again, failed := resumeRun(t, site, j)
			if err := j.Close(true); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(total(stats), total(again)); diff != "" {
				t.Errorf("%s, %d lines: recap (-whole +resumed):\n%s", strategy, n, diff)
			}
			if len(failed) > 0 {
				t.Errorf("%s, %d lines: failed: %v", strategy, n, failed)
			}
			if want := len(all) - doneBefore(t, lines[:n]); len(more) != want {
				t.Errorf("%s, %d lines: %d things were done then, want %d", strategy, n, len(more), want)
			}
			for what, times := range more {
				if times != 1 {
					t.Errorf("%s, %d lines: %s was done %d times", strategy, n, what, times)
				}
			}
		}
	}
}

func writeFile(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// total adds the hosts' counts up: which host does a task with run_once for all is open where they are not in step.
func total(hosts []run.HostStats) run.HostStats {
	var sum run.HostStats
	for _, h := range hosts {
		sum.OK += h.OK
		sum.Changed += h.Changed
		sum.Unreachable += h.Unreachable
		sum.Failed += h.Failed
		sum.Skipped += h.Skipped
		sum.Rescued += h.Rescued
		sum.Ignored += h.Ignored
	}
	return sum
}

// doneBefore counts what the journal's lines say is done.
func doneBefore(t *testing.T, lines [][]byte) int {
	t.Helper()
	sum := 0
	for _, line := range lines {
		var r struct{ Done *journal.Entry }
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		switch e := r.Done; {
		case e == nil || e.Action != "mark" || e.Again || e.Skipped:
		case e.Looped:
			sum += len(e.Items)
		default:
			sum++
		}
	}
	return sum
}

func resumeRun(t *testing.T, file string, j *journal.Journal) (done map[string]int, stats []run.HostStats, failed []string) {
	t.Helper()
	m := &marks{done: make(map[string]int)}
	mark := modules.Define("mark", "", m.run)
	find := func(name string) (*modules.Module, bool) { return mark, name == "mark" }
	o := optionsFrom(t, "a,b,c", file, &playbook.Loader{Actions: actions.Specs, Modules: find})
	o.Pool, o.Journal, o.Sink = &flaky{}, j, &recorder{}
	res, err := run.Play(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return m.done, res.Hosts, res.Failed
}
