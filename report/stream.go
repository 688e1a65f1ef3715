package report

import (
	"context"

	"github.com/hostlerhq/hostler/run"
)

// Stream is an AdHoc that shows a command's output as it comes; a host whose output was shown that way then gets
// only its status line.
type Stream struct {
	AdHoc
	shown map[string]bool
}

// NewStream makes a Stream.
func NewStream(opts Options) *Stream {
	return &Stream{AdHoc: AdHoc{display: display{opts: opts}}, shown: make(map[string]bool)}
}

// Emit prints an event.
func (s *Stream) Emit(ctx context.Context, e run.Event) {
	switch e := e.(type) {
	case run.Output:
		w := s.opts.Out
		if e.Stderr {
			w = s.opts.Err
		}
		s.shown[e.Host] = true
		s.write(w, string(e.Chunk))
		return
	case run.HostFinished:
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
