package services

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

func (w *wish) parseOpenRC(r *modules.Report, s *service) {
	s.exists = r.Status("exists") == 0
	text := r.Text("status")
	s.running = strings.Contains(text, "started")
	// Both count as started for OpenRC, which starts them only once that is forgotten.
	told := text + r.Text("status.err")
	s.crashed = strings.Contains(told, "crashed") || strings.Contains(told, "unsupervised")
	for _, line := range r.Lines("runlevels") {
		name, levels, _ := strings.Cut(line, "|")
		if strings.TrimSpace(name) == w.name {
			s.enabled = slices.Contains(strings.Fields(levels), w.runlevel)
		}
	}
}

func (w *wish) planOpenRC(s service) []step {
	var steps []step
	if w.enabled != nil && *w.enabled != s.enabled {
		verb, why := "delete", "disable"
		if *w.enabled {
			verb, why = "add", "enable"
		}
		steps = append(steps, step{
			modules.Action{Why: why + " service " + w.name, Argv: []string{"rc-update", verb, w.name, w.runlevel}},
			fmt.Sprintf("Error when trying to %s %s", verb, w.name),
		})
	}
	verb := w.verb(s)
	if verb == "" {
		return steps
	}
	if verb == "start" && s.crashed {
		steps = append(steps, step{
			modules.Action{Why: "forget that service " + w.name + " crashed", Argv: []string{"rc-service", w.name, "zap"}},
			"Unable to zap service " + w.name,
		})
	}
	argv := append([]string{"rc-service", w.name, verb}, w.arguments...)
	return append(steps, step{modules.Action{Why: verb + " service " + w.name, Argv: argv}, "Unable to " + verb + " service " + w.name})
}

// runs tells of an init script's status whether the service runs: by the status that LSB gives a meaning, else by its words.
func runs(name, text string, status int) bool {
	if slices.Contains([]int{1, 2, 3, 4, 69}, status) {
		return false
	}
	if strings.Count(text, "\n") <= 1 {
		text = strings.ReplaceAll(strings.ToLower(text), strings.ToLower(name), "")
		has := func(word string) bool { return strings.Contains(text, word) }
		switch {
		case has("stop"):
			return false
		case has("run"):
			return !has("not ")
		case has("start") && !has("not "):
			return true
		case has("could not access pid file"), has("is dead and pid file exists"), has("dead but subsys locked"), has("dead but pid file exists"):
			return false
		}
	}
	return status == 0
}

func (w *wish) parseInit(r *modules.Report, s *service) {
	s.exists = s.script != ""
	s.tool, s.control = r.Text("tool"), r.Has("service")
	s.running = runs(w.name, r.Text("status"), r.Status("status"))
	s.enabled = s.starts
	if s.tool == "chkconfig" {
		s.listed = r.Text("chkconfig")
		s.enabled = strings.Contains(s.listed, "3:on") && strings.Contains(s.listed, "5:on")
	}
}

func (w *wish) planInit(s service) ([]step, error) {
	var steps []step
	if w.enabled != nil && *w.enabled != s.enabled {
		enable, err := w.enableInit(s, *w.enabled)
		if err != nil {
			return nil, err
		}
		steps = append(steps, enable...)
	}
	verb := w.verb(s)
	if verb == "" {
		return steps, nil
	}
	command := []string{s.script}
	if s.control {
		command = []string{"service", w.name}
	}
	one := step{failed: "Unable to " + verb + " service " + w.name}
	one.Why = verb + " service " + w.name
	if verb == "restart" {
		// Not every script knows restart; one that does not run may fail to stop.
		pause := ""
		if w.sleep > 0 {
			pause = fmt.Sprint(w.sleep)
		}
		one.Script = `pause=$1; n=$2; shift 2
if [ "$n" = 1 ]; then c=$1; shift; "$c" stop "$@"; [ -z "$pause" ] || sleep "$pause"; exec "$c" start "$@"; fi
s=$2; shift 2; service "$s" stop "$@"; [ -z "$pause" ] || sleep "$pause"; exec service "$s" start "$@"`
		one.Args = slices.Concat([]string{pause, fmt.Sprint(len(command))}, command, w.arguments)
	} else {
		one.Argv = slices.Concat(command, []string{verb}, w.arguments)
	}
	return append(steps, one), nil
}

// enableInit makes or removes the links that start an init script at boot.
func (w *wish) enableInit(s service, on bool) ([]step, error) {
	verb, word := "disable", "off"
	if on {
		verb, word = "enable", "on"
	}
	make := func(argv ...string) step {
		return step{modules.Action{Why: verb + " service " + w.name, Argv: argv}, fmt.Sprintf("Error when trying to %s %s", verb, w.name)}
	}
	switch s.tool {
	case "update-rc.d":
		if on && !s.kills {
			defaults := make("update-rc.d", w.name, "defaults")
			defaults.Why = "make the links of service " + w.name
			return []step{defaults, make("update-rc.d", w.name, verb)}, nil
		}
		return []step{make("update-rc.d", w.name, verb)}, nil
	case "insserv":
		if on {
			return []step{make("insserv", w.name)}, nil
		}
		return []step{make("insserv", "-r", w.name)}, nil
	case "chkconfig":
		if s.listed == "" && on {
			add := make("chkconfig", "--add", w.name)
			add.Why = "make service " + w.name + " known to chkconfig"
			return []step{add, make("chkconfig", w.name, word)}, nil
		}
		return []step{make("chkconfig", w.name, word)}, nil
	}
	return nil, &failure{msg: fmt.Sprintf("cannot detect command to enable service %s, typo or init system potentially unknown", w.name)}
}
