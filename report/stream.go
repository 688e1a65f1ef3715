package report

import (
	"context"
	"strings"

	"github.com/hostlerhq/hostler/run"
)

// Stream is an AdHoc that shows a command's output as it comes, with the host before each line unless there is only one; a host
// whose output was shown that way then gets only its status line.
type Stream struct {
	AdHoc
	named bool
	shown map[string]bool
	open  map[tail]string // lines that have not come to their end
}

// tail is one stream of one host.
type tail struct {
	host   string
	stderr bool
}

// NewStream makes a Stream; named puts the host before each line, which then shows when it is whole.
func NewStream(opts Options, named bool) *Stream {
	return &Stream{
		AdHoc: AdHoc{display: display{opts: opts}}, named: named,
		shown: make(map[string]bool), open: make(map[tail]string),
	}
}

// Emit prints an event.
func (s *Stream) Emit(ctx context.Context, e run.Event) {
	switch e := e.(type) {
	case run.Output:
		s.shown[e.Host] = true
		s.chunk(tail{e.Host, e.Stderr}, string(e.Chunk))
		return
	case run.HostFinished:
		s.end(tail{e.Host, false})
		s.end(tail{e.Host, true})
		if s.shown[e.Host] && e.Has("rc") {
			state := map[run.Status]string{run.StatusChanged: "CHANGED", run.StatusFailed: "FAILED"}[e.Status]
			if state == "" {
				state = "SUCCESS"
			}
			s.line(e.Host+" | "+state+" | rc="+rc(&e.Outcome), statusColor(e.Status))
			return
		}
	}
	s.AdHoc.Emit(ctx, e)
}

// keptBack is how much of a line without an end waits for it.
const keptBack = 64 << 10

// chunk shows a piece of output: as it is for one host, in whole lines for several.
func (s *Stream) chunk(t tail, text string) {
	if !s.named {
		s.out(t, text)
		s.open[t] = "" // shown up to its end, or not
		if !strings.HasSuffix(text, "\n") {
			s.open[t] = "\n"
		}
		return
	}
	text = s.open[t] + text
	at := strings.LastIndexByte(text, '\n') + 1
	if at == 0 && len(text) > keptBack {
		at = len(text)
	}
	var whole strings.Builder
	for line := range strings.Lines(text[:at]) {
		whole.WriteString(t.host + ": " + line)
	}
	s.out(t, whole.String())
	s.open[t] = text[at:]
}

// end closes a line that the program left open.
func (s *Stream) end(t tail) {
	rest := s.open[t]
	delete(s.open, t)
	switch {
	case rest == "":
	case s.named:
		s.out(t, t.host+": "+rest+"\n")
	default:
		s.out(t, rest)
	}
}

func (s *Stream) out(t tail, text string) {
	w := s.opts.Out
	if t.stderr {
		w = s.opts.Err
	}
	s.write(w, text)
}
