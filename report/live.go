package report

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/hostlerhq/hostler/run"
)

// statusLine is a terminal with one line at its foot that is no part of the text: text written scrolls above it.
type statusLine struct {
	mu    sync.Mutex
	w     io.Writer
	line  string
	atEnd bool // the text so far ended its line
}

// Write prints text above the foot.
func (s *statusLine) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	buf := make([]byte, 0, len(p)+len(s.line)+16)
	if s.line != "" && s.atEnd {
		buf = append(buf, "\r\x1b[K"...)
	}
	buf = append(buf, p...)
	s.atEnd = bytes.HasSuffix(p, []byte("\n"))
	if s.line != "" && s.atEnd {
		buf = append(buf, s.line...)
	}
	if _, err := s.w.Write(buf); err != nil {
		return 0, fmt.Errorf("write to the terminal: %w", err)
	}
	return len(p), nil
}

// set replaces the foot. Errors show with the next Write.
func (s *statusLine) set(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if line == s.line || !s.atEnd {
		s.line = line
		return
	}
	s.line = line
	_, _ = io.WriteString(s.w, "\r\x1b[K"+line)
}

// Live shows another sink's text with a last line below it that tells the task, how many hosts are done, run and
// failed, the host that has been at it longest, and the time.
type Live struct {
	inner run.Sink
	foot  *statusLine
	width int
	stop  chan struct{}
	ended chan struct{}

	mu     sync.Mutex
	begun  time.Time
	task   string
	total  int
	done   int
	failed int
	active map[string]time.Time
}

// NewLive makes a Live around the sink that form makes. The terminal is opts.Out; what goes to opts.Err is taken to show on
// the same terminal when errToo is set.
func NewLive(opts Options, errToo bool, form func(Options) run.Sink) *Live {
	foot := &statusLine{w: opts.Out, atEnd: true}
	opts.Out = foot
	if errToo {
		opts.Err = foot
	}
	l := &Live{
		inner: form(opts), foot: foot, width: max(20, opts.Width), begun: time.Now(),
		stop: make(chan struct{}), ended: make(chan struct{}), active: make(map[string]time.Time),
	}
	go l.tick()
	return l
}

// Close takes the last line away and closes the sink within.
func (l *Live) Close() error {
	close(l.stop)
	<-l.ended
	l.foot.set("")
	return l.inner.Close()
}

// tick redraws ten times a second, so that drawing never slows the events down.
func (l *Live) tick() {
	defer close(l.ended)
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-l.stop:
			return
		case now := <-t.C:
			l.foot.set(l.render(now))
		}
	}
}

// Emit counts and passes on.
func (l *Live) Emit(ctx context.Context, e run.Event) {
	l.count(e)
	if _, ok := e.(run.StatsFinished); ok {
		l.foot.set("")
	}
	l.inner.Emit(ctx, e)
}

func (l *Live) count(e run.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch e := e.(type) {
	case run.TaskStarted:
		l.task, l.total, l.done = e.Task.Name, e.Hosts, 0
	case run.HostStarted:
		l.active[e.Host] = time.Now()
		l.task = e.Task.Name
	case run.HostFinished:
		delete(l.active, e.Host)
		l.done++
		if (e.Status == run.StatusFailed || e.Status == run.StatusUnreachable) && !e.Ignored && !e.Rescued {
			l.failed++
		}
	case run.StatsFinished:
		l.task = ""
	}
}

func (l *Live) render(now time.Time) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.task == "" {
		return ""
	}
	s := fmt.Sprintf("%s  %d/%d done, %d running, %d failed", l.task, l.done, max(l.total, l.done), len(l.active), l.failed)
	if host, since := l.slowest(); host != "" && now.Sub(since) >= time.Second {
		s += fmt.Sprintf(", %s %s", host, now.Sub(since).Truncate(time.Second))
	}
	s += "  " + now.Sub(l.begun).Truncate(time.Second).String()
	r := []rune(s)
	return string(r[:min(len(r), l.width-1)])
}

func (l *Live) slowest() (string, time.Time) {
	var host string
	var since time.Time
	for h, at := range l.active {
		if host == "" || at.Before(since) || at.Equal(since) && h < host {
			host, since = h, at
		}
	}
	return host, since
}

// Tee gives every event to several sinks in turn.
func Tee(sinks ...run.Sink) run.Sink { return tee(sinks) }

type tee []run.Sink

func (t tee) Emit(ctx context.Context, e run.Event) {
	for _, s := range t {
		s.Emit(ctx, e)
	}
}

// Close closes all, the last first, and gives the first error.
func (t tee) Close() error {
	var first error
	for _, s := range slices.Backward(t) {
		if err := s.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}
