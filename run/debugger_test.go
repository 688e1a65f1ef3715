package run_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/playbook"
	"github.com/hostlerhq/hostler/run"
	"github.com/hostlerhq/hostler/run/actions"
)

// said is a Sink that keeps what the user is told, and the results.
type said struct{ recorder }

func (s *said) Emit(ctx context.Context, e run.Event) {
	s.recorder.Emit(ctx, e)
	if e, ok := e.(run.Said); ok {
		s.lines = append(s.lines, e.Text)
	}
}

// TestDebugger answers the debugger's questions.
func TestDebugger(t *testing.T) {
	const play = "- hosts: all\n  vars: {word: wrong}\n  gather_facts: false\n"
	for name, c := range map[string]struct {
		text, answers string
		want          []string
		stopped       bool
	}{
		"on_failed, mended by a variable": {
			text:    play + "  tasks: [{name: one, assert: {that: \"word == 'right'\", quiet: true}, debugger: on_failed}]\n",
			answers: "p task_vars['word']\np result._result.failed\np nosuch\nnonsense\ntask_vars['word'] = 'right'\nr\n",
			want: []string{
				"failed: [a]: Assertion failed", "'wrong'", "True", "*** 'nosuch' is undefined", "*** not understood; h says what is", "a one ok",
			},
		},
		"strategy debug, mended by an argument": {
			text:    play + "  strategy: debug\n  tasks: [{name: one, fail: {msg: nope}}, {name: two, debug: {}}]\n",
			answers: "p task.args\ntask.args['msg'] = 'again ' ~ word\nredo\np host\nu\nr\nc\n",
			want: []string{
				"failed: [a]: nope", "{'msg': 'nope'}", "failed: [a]: again wrong", "'a'", "failed: [a]: nope", "a one failed",
			},
		},
		"always, in a loop": {
			text:    play + "  tasks: [{name: one, debug: {msg: \"{{ item }}\"}, loop: [1, 2], debugger: always}]\n",
			answers: "p item\nc\np item\nc\n",
			want:    []string{"ok: [a]: 1", "1", "ok: [a]: 2", "2", "a one ok"},
		},
		"on_skipped": {
			text:    play + "  tasks: [{name: one, debug: {}, when: false, debugger: on_skipped}]\n",
			answers: "c\n", want: []string{"skipped: [a]: ", "a one skipped"},
		},
		"what no_log hides": {
			text:    play + "  tasks: [{name: one, fail: {msg: s3cret}, no_log: true, debugger: on_failed}]\n",
			answers: "p result._result.msg | default('hidden')\nc\n",
			want: []string{
				"failed: [a]: the output has been hidden due to the fact that 'no_log: true' was specified for this result", "'hidden'", "a one failed",
			},
		},
		"quit": {
			text:    play + "  tasks: [{name: one, debug: {}, debugger: always}, {name: two, debug: {}}]\n",
			answers: "q\n", want: []string{"ok: [a]: Hello world!", "User interrupted execution", "a one ok"}, stopped: true,
		},
		"never": {text: play + "  strategy: debug\n  tasks: [{name: one, fail: {}, debugger: never}]\n", want: []string{"a one failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := optionsWith(t, "a,", c.text, &playbook.Loader{Actions: actions.Specs})
			lines := strings.SplitAfter(c.answers, "\n")
			o.Debug = func(_ context.Context, prompt string) (string, error) {
				if prompt != "[a] TASK: one (debug)> " {
					t.Errorf("prompt %q", prompt)
				}
				if lines[0] == "" {
					return "", io.EOF
				}
				line := lines[0]
				lines = lines[1:]
				return strings.TrimSuffix(line, "\n"), nil
			}
			sink := &said{}
			o.Sink = sink
			res, err := run.Play(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, sink.lines); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
			if res.Interrupted != c.stopped {
				t.Errorf("interrupted is %t", res.Interrupted)
			}
		})
	}
}
