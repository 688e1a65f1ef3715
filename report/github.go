package report

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/hostlerhq/hostler/run"
)

// GitHub prints an annotation for each failure and warning, as workflow commands of GitHub Actions
// (docs.github.com, "Workflow commands for GitHub Actions").
type GitHub struct {
	display
	root string // paths below it are told relative to it
}

// NewGitHub makes a GitHub.
func NewGitHub(opts Options) *GitHub {
	root, err := os.Getwd()
	if err != nil {
		root = "" // paths stay absolute
	}
	return &GitHub{display: display{opts: opts}, root: root}
}

// Close gives the first error of writing.
func (g *GitHub) Close() error { return g.err }

// Emit prints annotations.
func (g *GitHub) Emit(_ context.Context, e run.Event) {
	switch e := e.(type) {
	case run.HostFinished:
		if e.Ignored || e.Rescued || e.Status != run.StatusFailed && e.Status != run.StatusUnreachable {
			return
		}
		msg := e.Result.Str("msg")
		if e.Censored || msg == "" {
			msg = JSON(shown(&e.Outcome, 0), 0)
		}
		path, line := g.place(e.Task.Path)
		g.command("error", path, line, e.Host+": "+e.Task.Name, msg)
	case run.Warning:
		g.command("warning", "", "", "", e.Text)
	case run.Problem:
		g.command("error", "", "", "", e.Err.Error())
	}
}

// place splits file:line.
func (g *GitHub) place(path string) (file, line string) {
	file, line = path, ""
	if at := strings.LastIndexByte(path, ':'); at >= 0 {
		file, line = path[:at], path[at+1:]
	}
	if rel, err := filepath.Rel(g.root, file); err == nil && g.root != "" && !strings.HasPrefix(rel, "..") {
		file = rel
	}
	return file, line
}

func (g *GitHub) command(kind, file, line, title, msg string) {
	message := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	var props []string
	for _, p := range [][2]string{{"file", file}, {"line", line}, {"title", title}} {
		if p[1] != "" {
			props = append(props, p[0]+"="+property.Replace(p[1]))
		}
	}
	s := "::" + kind
	if len(props) > 0 {
		s += " " + strings.Join(props, ",")
	}
	g.line(s+"::"+message.Replace(msg), "")
}
