package system

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed alternatives.go
var alternativesSource string

// Alternatives sees to which of several programs a name stands for.
var Alternatives = modules.Define("alternatives", alternativesSource, runAlternatives, modules.Aliases("community.general.alternatives"), modules.Converges())

// AlternativeState is how an alternative shall be.
type AlternativeState string

// Choices lists the states.
func (AlternativeState) Choices() []string { return []string{"present", "selected", "auto", "absent"} }

// Subcommand is a name that goes along with another, such as its manual page.
type Subcommand struct {
	// Name of it.
	Name string `arg:"name" required:"true" json:"name"`
	// Path that it stands for.
	Path modules.Path `arg:"path" required:"true" json:"path"`
	// Link by which it is called.
	Link modules.Path `arg:"link" required:"true" json:"link"`
}

// AlternativesArgs install a program as an alternative for a name, choose it, or remove it, by update-alternatives.
//
//	# Vim is the editor.
//	- alternatives:
//	    name: editor
//	    path: /usr/bin/vim.basic
type AlternativesArgs struct {
	// Name of the group.
	Name string `arg:"name" required:"true"`
	// Path of the program.
	Path modules.Path `arg:"path" required:"true"`
	// Link by which the group is called; needed for a group that is not there, and always where there is no Debian.
	Link modules.Path `arg:"link"`
	// Priority among the alternatives; a new one without has 50.
	Priority *int `arg:"priority"`
	// State is whether it is there (present), chosen for good (selected), there while the one of the highest priority is chosen (auto), or absent.
	State AlternativeState `arg:"state" default:"selected"`
	// Subcommands go along with it.
	Subcommands *[]Subcommand `arg:"subcommands,alias=slaves"`
}

// Check refuses what update-alternatives would take for something else.
func (a AlternativesArgs) Check() error {
	if a.Name == "" || strings.HasPrefix(a.Name, "-") || strings.ContainsAny(a.Name, "/ \t\n") {
		return &modules.ArgError{Path: []any{"name"}, Msg: fmt.Sprintf("name %q is no name of a group of alternatives: it has no blanks and slashes", a.Name)}
	}
	check := func(arg string, p modules.Path) error {
		if p != "" && !strings.HasPrefix(string(p), "/") && !strings.HasPrefix(string(p), "~") && !strings.HasPrefix(string(p), "$") {
			return &modules.ArgError{Path: []any{arg}, Msg: fmt.Sprintf("%s %q is not absolute", arg, p)}
		}
		return nil
	}
	errs := []error{check("path", a.Path), check("link", a.Link)}
	if a.Subcommands != nil {
		for _, s := range *a.Subcommands {
			errs = append(errs, check("subcommands", s.Path), check("subcommands", s.Link))
		}
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// AlternativesResult says what was done.
type AlternativesResult struct {
	// Msg is a sentence for each change.
	Msg string `json:"msg"`
}

// alternativesScript: name, path, link.
const alternativesScript = modules.ExpandLib + `
for tool in update-alternatives alternatives ''; do command -v "$tool" >/dev/null 2>&1 && break; done
[ -n "$tool" ] || { echo 'Failed to find required executable "update-alternatives"' >&2; exit 1; }
say tool "$tool"
__expand "$2"; say path "$__v"
if [ -e "$__v" ]; then say exists 1; fi
__expand "$3"; say link "$__v"
tell display "$tool" --display "$1"
exit 0
`

// alternative is one program of a group.
type alternative struct {
	priority    int
	subcommands []Subcommand
}

// alternatives is what a look told of a group.
type alternatives struct {
	tool, path, wantLink string
	exists               bool
	mode, current, link  string
	all                  map[string]alternative
}

var (
	altMode   = regexp.MustCompile(`(?m)^\S+ - (?:status is )?(\w+)(?: mode|\.)$`)
	altPath   = regexp.MustCompile(`(?m)^\s*link currently points to (.*)$`)
	altLink   = regexp.MustCompile(`(?m)^\s*link \S+ is (.*)$`)
	altSub    = regexp.MustCompile(`(?m)^\s*(?:slave|follower) (\S+) is (.*)$`)
	altOne    = regexp.MustCompile(`^(/.*) - (?:family \S+ )?priority (-?\d+)$`)
	altOneSub = regexp.MustCompile(`^\s+(?:slave|follower) (.*?): (.*)$`)
)

// read takes what Debian's update-alternatives or Red Hat's alternatives displays.
func (a AlternativesArgs) read(r *modules.Report) (alternatives, error) {
	s := alternatives{
		tool: r.Text("tool"), path: r.Text("path"), wantLink: r.Text("link"), exists: r.Has("exists"), all: map[string]alternative{},
	}
	if r.Status("display") != 0 {
		return s, nil
	}
	text := r.Text("display")
	first := func(p *regexp.Regexp) string {
		if m := p.FindStringSubmatch(text); m != nil {
			return m[1]
		}
		return ""
	}
	s.mode, s.current, s.link = first(altMode), first(altPath), first(altLink)
	links := map[string]string{}
	for _, m := range altSub.FindAllStringSubmatch(text, -1) {
		links[m[1]] = m[2]
	}
	if len(links) == 0 && a.Subcommands != nil { // Red Hat's tells no links
		for _, sub := range *a.Subcommands {
			links[sub.Name] = string(sub.Link)
		}
	}
	at := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if m := altOne.FindStringSubmatch(line); m != nil {
			priority, err := strconv.Atoi(m[2])
			if err != nil {
				return s, fmt.Errorf("read the alternatives of %s: %w", a.Name, err)
			}
			at = m[1]
			s.all[at] = alternative{priority: priority}
			continue
		}
		if m := altOneSub.FindStringSubmatch(line); m != nil && at != "" && m[2] != "(null)" {
			one := s.all[at]
			one.subcommands = append(one.subcommands, Subcommand{m[1], modules.Path(m[2]), modules.Path(links[m[1]])})
			s.all[at] = one
		}
	}
	return s, nil
}

func runAlternatives(ctx context.Context, h *modules.Host, a AlternativesArgs) (AlternativesResult, error) {
	var msgs []string
	_, _, err := modules.Reconcile(ctx, h, modules.Reconciler[alternatives]{
		Probe: alternativesScript, Args: []string{a.Name, string(a.Path), string(a.Link)},
		Parse: a.read, Want: a.want, Lock: "alternatives",
		Plan: func(s alternatives) ([]modules.Action, error) {
			actions, told, err := a.plan(s)
			if msgs == nil {
				msgs = append([]string{}, told...)
			}
			return actions, err
		},
		Diff: func(before, after alternatives) []modules.Diff {
			return []modules.Diff{{Before: before.show(), After: after.show(), BeforeHeader: a.Name, AfterHeader: a.Name}}
		},
	})
	if one, ok := errors.AsType[*modules.ActionError](err); ok {
		err = fmt.Errorf("%s: %s", one.Why, strings.TrimSpace(string(one.Stderr)))
	}
	return AlternativesResult{strings.Join(msgs, " ")}, err
}

// wanted gives the alternative as it is to be installed.
func (a AlternativesArgs) wanted(s alternatives) alternative {
	want, there := s.all[s.path]
	if !there {
		want.priority = 50
	}
	if a.Priority != nil {
		want.priority = *a.Priority
	}
	if a.Subcommands != nil {
		want.subcommands = *a.Subcommands
	}
	return want
}

// installed reports that the alternative is there as it is asked for.
func (a AlternativesArgs) installed(s alternatives) bool {
	is, there := s.all[s.path]
	if !there {
		return false
	}
	want := a.wanted(s)
	in := func(list []Subcommand) func(Subcommand) bool {
		return func(one Subcommand) bool { return !slices.Contains(list, one) }
	}
	return is.priority == want.priority && !slices.ContainsFunc(is.subcommands, in(want.subcommands)) && !slices.ContainsFunc(want.subcommands, in(is.subcommands))
}

// plan gives the actions and a sentence for each, in Ansible's words.
func (a AlternativesArgs) plan(s alternatives) (actions []modules.Action, told []string, err error) {
	do := func(why, sentence string, args ...string) {
		actions = append(actions, modules.Action{Why: why, Argv: append([]string{s.tool}, args...)})
		told = append(told, sentence)
	}
	if a.State == "absent" {
		if _, there := s.all[s.path]; there {
			do("remove the alternative "+s.path+" of "+a.Name, fmt.Sprintf("Remove alternative '%s' from '%s'.", s.path, a.Name), "--remove", a.Name, s.path)
		}
		return actions, told, nil
	}
	if !a.installed(s) {
		link := s.wantLink
		if link == "" {
			link = s.link
		}
		switch {
		case !s.exists:
			return nil, nil, fmt.Errorf("Specified path %s does not exist", s.path)
		case link == "":
			return nil, nil, errors.New("Needed to install the alternative, but unable to do so as we are missing the link")
		}
		want := a.wanted(s)
		args := []string{"--install", link, a.Name, s.path, strconv.Itoa(want.priority)}
		for _, sub := range want.subcommands {
			args = append(args, "--slave", string(sub.Link), sub.Name, string(sub.Path))
		}
		do("install the alternative "+s.path+" of "+a.Name, fmt.Sprintf("Install alternative '%s' for '%s'.", s.path, a.Name), args...)
	}
	if a.State == "selected" && s.current != s.path {
		do("choose "+s.path+" for "+a.Name, fmt.Sprintf("Set alternative '%s' for '%s'.", s.path, a.Name), "--set", a.Name, s.path)
	}
	if a.State == "auto" && s.mode == "manual" {
		do("choose the best alternative of "+a.Name, fmt.Sprintf("Set alternative to auto for '%s'.", a.Name), "--auto", a.Name)
	}
	return actions, told, nil
}

// want gives the state that the plan leads to, for the diff.
func (a AlternativesArgs) want(s alternatives) alternatives {
	all := maps.Clone(s.all)
	s.all = all
	if a.State == "absent" {
		delete(all, s.path)
		return s
	}
	all[s.path] = a.wanted(s)
	switch a.State {
	case "selected":
		s.mode, s.current = "manual", s.path
	case "auto":
		s.mode = "auto"
	}
	return s
}

// show writes what concerns the one program.
func (s alternatives) show() string {
	is, there := s.all[s.path]
	if !there {
		return "state: absent\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "state: present\npath: %s\npriority: %d\nmode: %s\ncurrent: %s\n", s.path, is.priority, s.mode, s.current)
	for _, sub := range is.subcommands {
		fmt.Fprintf(&b, "subcommand %s: %s %s\n", sub.Name, sub.Link, sub.Path)
	}
	return b.String()
}
