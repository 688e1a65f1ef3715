package services

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

// userScript runs systemctl where it finds the user's own manager also without a login session.
const userScript = `[ -n "${XDG_RUNTIME_DIR-}" ] || { XDG_RUNTIME_DIR=/run/user/$(id -u); export XDG_RUNTIME_DIR; }
exec systemctl "$@"`

// known are the words of systemctl is-enabled for a unit that exists, after systemctl(1) of systemd 244.
var known = []string{
	"enabled", "enabled-runtime", "linked", "linked-runtime", "masked", "masked-runtime", "static", "indirect", "disabled", "generated",
	"transient", "alias",
}

// parseShow reads systemctl show. Only values of Exec… that begin with a brace go over several lines, to the closing brace.
func parseShow(text string) *value.Dict {
	d := value.NewDict()
	key, open := "", []string(nil)
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if key != "" {
			open = append(open, line)
			if strings.HasSuffix(strings.TrimSpace(line), "}") {
				d.Set(key, strings.TrimSpace(strings.Join(open, "\n")))
				key, open = "", nil
			}
			continue
		}
		k, v, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		trimmed := strings.TrimSpace(v)
		if strings.HasPrefix(k, "Exec") && strings.HasPrefix(trimmed, "{") && !strings.HasSuffix(trimmed, "}") {
			key, open = k, []string{v}
			continue
		}
		d.Set(k, trimmed)
	}
	return d
}

func (w *wish) parseSystemd(r *modules.Report, s *service) {
	s.status = value.NewDict()
	lines := r.Lines("enabled")
	if len(lines) > 0 {
		s.first = strings.TrimSpace(lines[0])
	}
	s.masked = s.first == "masked"
	switch {
	case r.Status("enabled") == 0:
		// A unit that is only another's name, or enabled by another only, is not enabled itself.
		s.enabled = len(lines) != 1 || s.first != "indirect" && s.first != "alias"
	case r.Status("enabled") == 1:
		s.enabled = w.scope == "system" && s.script != "" && !strings.HasSuffix(s.first, "disabled") && s.starts
	}
	show := r.Text("show")
	switch {
	case r.Status("show") == 0 && strings.Contains(show, "="):
		s.status = parseShow(show)
		load := s.status.Str("LoadState")
		s.exists = load != "" && load != "not-found"
		if s.exists && load != "masked" {
			s.loadErr = s.status.Str("LoadError")
		}
	case strings.Contains(show, "Failed to parse bus message"):
		// Seen with systemd 245 to 246 and units that show cannot describe.
		s.status = parseShow(show)
		s.exists = slices.Contains(known, s.first) || r.Status("files") == 0 && r.Text("files") != ""
		s.status.Set("ActiveState", r.Text("active"))
	default:
		s.exists = slices.Contains(known, s.first) || r.Status("files") == 0 && r.Text("files") != ""
	}
	active := s.status.Str("ActiveState")
	s.unknown = active == ""
	s.running = active == "active" || active == "activating"
	s.dying = active == "deactivating"
}

// systemctl is one command to systemd.
func (w *wish) systemctl(why, failed, verb string, unit bool) step {
	var argv []string
	if w.scope != "system" {
		argv = append(argv, "--"+w.scope)
	}
	if w.noBlock {
		argv = append(argv, "--no-block")
	}
	if w.force {
		argv = append(argv, "--force")
	}
	argv = append(argv, verb)
	if unit {
		argv = append(argv, "--", w.name)
	}
	if w.scope != "system" {
		return step{modules.Action{Why: why, Script: userScript, Args: argv}, failed}
	}
	return step{modules.Action{Why: why, Argv: append([]string{"systemctl"}, argv...)}, failed}
}

// firstSteps are what is done before systemd is asked about the unit, for it may only then know it.
func (w *wish) firstSteps() []step {
	var steps []step
	if w.reload {
		steps = append(steps, w.systemctl("let systemd read its units anew", "failure during daemon-reload", "daemon-reload", false))
	}
	if w.reexec {
		steps = append(steps, w.systemctl("let systemd start itself anew", "failure during daemon-reexec", "daemon-reexec", false))
	}
	return steps
}

func (w *wish) first() []modules.Action {
	var actions []modules.Action
	for _, s := range w.firstSteps() {
		actions = append(actions, s.Action)
	}
	return actions
}

func (w *wish) planSystemd(s service) ([]step, error) {
	if s.loadErr != "" {
		return nil, &failure{msg: fmt.Sprintf("Error loading unit file '%s': %s", w.name, s.loadErr)}
	}
	found := s.exists || s.script != ""
	if !found && (w.enabled != nil || w.state != "") {
		return nil, notFound(w.name)
	}
	var steps []step
	enabled, sure := s.enabled, true
	if w.masked != nil && *w.masked != s.masked {
		verb := "unmask"
		if *w.masked {
			verb = "mask"
		}
		steps = append(steps, w.systemctl(verb+" service "+w.name, "Unable to "+verb+" service "+w.name, verb, true))
		enabled, sure = false, *w.masked
	}
	if w.enabled != nil && (*w.enabled != enabled || *w.enabled && !sure) {
		verb := "disable"
		if *w.enabled {
			verb = "enable"
		}
		steps = append(steps, w.systemctl(verb+" service "+w.name, "Unable to "+verb+" service "+w.name, verb, true))
	}
	if w.state == "" {
		return steps, nil
	}
	if s.unknown {
		if !s.offline {
			return nil, &failure{msg: "Service is in unknown state"}
		}
		return steps, nil
	}
	if verb := w.verb(s); verb != "" {
		steps = append(steps, w.systemctl(verb+" service "+w.name, "Unable to "+verb+" service "+w.name, verb, true))
	}
	return steps, nil
}

// verb is what leads a service to its state, "" when it is there.
func (w *wish) verb(s service) string {
	switch {
	case w.state == Stopped && (s.running || s.dying):
		return "stop"
	case w.state == Stopped || w.state == "" || w.state == Started && s.running:
		return ""
	case w.state == Started || !s.running:
		return "start"
	}
	return strings.TrimSuffix(string(w.state), "ed")
}
