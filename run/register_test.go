package run_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/run"
)

const keepPlay = `
- hosts: all
  keep_registered: %t
  tasks:
    - {debug: {msg: first}, register: out}
    - {debug: {msg: second}, register: out, when: false}
    - {debug: {msg: third}, register: other, when: false}
    - {name: "{{ out.msg | default('skipped') }} {{ other is skipped }}", debug: {}}
`

// TestKeepRegistered: with keep_registered a skipped task leaves what an earlier one registered; without it the result says
// that the last task was skipped, as in Ansible.
func TestKeepRegistered(t *testing.T) {
	for keep, want := range map[bool]string{true: "first True ok", false: "skipped True ok"} {
		o, rec := options(t, "a,", fmt.Sprintf(keepPlay, keep))
		if _, err := run.Play(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		lines := forHost(rec.lines, "a")
		if got := lines[len(lines)-1]; got != want {
			t.Errorf("keep_registered %t: got %q, want %q", keep, got, want)
		}
	}
}

// warned is a recorder of warnings too.
type warned struct {
	recorder
	texts []string
}

func (w *warned) Emit(ctx context.Context, e run.Event) {
	if e, ok := e.(run.Warning); ok {
		w.texts = append(w.texts, e.Text)
	}
	w.recorder.Emit(ctx, e)
}

// TestTextThatReadsAsFalse: a condition that is the text "false", as -e x=false gives it, holds as in Ansible; a warning says so.
func TestTextThatReadsAsFalse(t *testing.T) {
	o, _ := options(t, "a,", `
- hosts: all
  tasks:
    - {name: text, debug: {}, when: x}
    - {name: cast, debug: {}, when: x | bool}
    - {name: other text, debug: {}, when: y}
    - {name: a boolean, debug: {}, when: z}
`)
	sink := &warned{}
	o.Sink, o.ExtraVars = sink, value.NewDict("x", "false", "y", "yes", "z", false)
	if _, err := run.Play(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"text ok", "cast skipped", "other text ok", "a boolean skipped"}, forHost(sink.lines, "a")); diff != "" {
		t.Error(diff)
	}
	if len(sink.texts) != 1 || !strings.Contains(sink.texts[0], `write "x | bool"`) {
		t.Errorf("warnings: %q", sink.texts)
	}
}
