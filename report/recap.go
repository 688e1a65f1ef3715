package report

import (
	"fmt"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/run"
)

// stats prints the recap.
func (t *Text) stats(e run.StatsFinished) {
	t.banner("PLAY RECAP")
	for i := range e.Hosts {
		t.write(t.opts.Out, t.recapLine(&e.Hosts[i])+"\n")
	}
	t.write(t.opts.Out, "\n")
	if e.Custom.Len() > 0 && t.opts.ShowCustomStats {
		t.custom(e.Custom)
	}
	if e.Check && t.opts.CheckMarkers {
		t.banner("DRY RUN")
	}
}

func (t *Text) recapLine(s *run.HostStats) string {
	name := fmt.Sprintf("%-26s", s.Host)
	if t.opts.Color {
		color := green
		switch {
		case s.Failed > 0 || s.Unreachable > 0:
			color = red
		case s.Changed > 0:
			color = yellow
		}
		name = fmt.Sprintf("%-37s", t.paint(s.Host, color))
	}
	counts := []string{
		t.count("ok", s.OK, green), t.count("changed", s.Changed, yellow), t.count("unreachable", s.Unreachable, brightRed),
		t.count("failed", s.Failed, red), t.count("skipped", s.Skipped, cyan), t.count("rescued", s.Rescued, green),
		t.count("ignored", s.Ignored, brightPurple),
	}
	return name + " : " + strings.Join(counts, " ")
}

func (t *Text) count(name string, n int, color string) string {
	s := fmt.Sprintf("%s=%-4d", name, n)
	if n == 0 {
		return s
	}
	return t.paint(s, color)
}

func (t *Text) custom(stats *value.Dict) {
	t.banner("CUSTOM STATS: ")
	run, _ := stats.Get("_run")
	for k, v := range stats.All() {
		if k != "_run" {
			t.line("\t"+text(k)+": "+flat(v), "")
		}
	}
	if run != nil {
		t.line("", "")
		t.line("\tRUN: "+flat(run), "")
	}
	t.line("", "")
}

// flat is JSON with an indent of one blank whose line ends are then taken out, as Ansible prints custom stats.
func flat(v any) string { return strings.ReplaceAll(JSON(v, 1), "\n", "") }
