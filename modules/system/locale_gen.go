package system

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed locale_gen.go
var localeGenSource string

// LocaleGen sees to a locale.
var LocaleGen = modules.Define("locale_gen", localeGenSource, runLocaleGen, modules.Aliases("community.general.locale_gen"), modules.Converges())

// LocaleGenArgs make locales by locale-gen, or remove them: by their lines in /etc/locale.gen, or as Ubuntu keeps them in /var/lib/locales.
//
//	# Swiss German.
//	- locale_gen:
//	    name: de_CH.UTF-8
type LocaleGenArgs struct {
	// Name and encoding of the locales.
	Name []string `arg:"name" required:"true"`
	// State is whether they shall be there.
	State modules.Presence `arg:"state" default:"present"`
}

// Check refuses what cannot be the name of a locale.
func (a LocaleGenArgs) Check() error {
	for i, name := range a.Name {
		if !localeName.MatchString(name) {
			return &modules.ArgError{Path: []any{"name", i}, Msg: fmt.Sprintf("%q is no name of a locale", name), Hint: "it is written as de_CH.UTF-8"}
		}
	}
	return nil
}

// LocaleGenResult says what was asked.
type LocaleGenResult struct {
	// Name of the locales.
	Name []string `json:"name"`
	// Msg is OK.
	Msg string `json:"msg,omitempty"`
}

// localeScript tells which locales there can be and which there are.
const localeScript = `
if [ -d /var/lib/locales/supported.d ]; then
	say ubuntu 1
	show available /usr/share/i18n/SUPPORTED
	[ ! -e /var/lib/locales/supported.d/local ] || show local /var/lib/locales/supported.d/local
elif [ -e /etc/locale.gen ]; then
	show gen /etc/locale.gen
else
	echo '/etc/locale.gen and /var/lib/locales/supported.d/local are missing. Is the package "locales" installed?' >&2
	exit 1
fi
tell there locale -a
exit 0
`

var (
	localeName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.@-]*$`)
	localeLine = regexp.MustCompile(`^(#?\s*)([^\s#]\S*_\S+) (\S+)\s*$`)
)

// locales is what a look told.
type locales struct {
	ubuntu    bool
	file      string // that lists what is made, and its text
	text      string
	available []string
	there     []string // as normalLocale writes them
}

// normalLocale writes a locale's name as locale -a lists it: the encoding in small letters and digits alone (localedef's own rule).
func normalLocale(name string) string {
	language, rest, ok := strings.Cut(name, ".")
	if !ok {
		return name
	}
	encoding, modifier, has := strings.Cut(rest, "@")
	encoding = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(encoding))
	if has {
		modifier = "@" + modifier
	}
	return language + "." + encoding + modifier
}

func readLocales(r *modules.Report) (locales, error) {
	s := locales{ubuntu: r.Has("ubuntu"), file: "/etc/locale.gen"}
	from, key := "/etc/locale.gen", "gen"
	if s.ubuntu {
		s.file, from, key = "/var/lib/locales/supported.d/local", "/usr/share/i18n/SUPPORTED", "available"
	}
	list, _, err := r.ReadText(key, from)
	if err != nil {
		return s, err
	}
	s.text = list
	if s.ubuntu {
		if s.text, _, err = r.ReadText("local", s.file); err != nil {
			return s, err
		}
	}
	for line := range strings.Lines(list) {
		if m := localeLine.FindStringSubmatch(strings.TrimRight(line, "\n")); m != nil {
			s.available = append(s.available, m[2])
		}
	}
	if r.Status("there") != 0 {
		return s, fmt.Errorf("list the locales: %s", r.Text("there.err"))
	}
	for _, line := range r.Lines("there") {
		s.there = append(s.there, normalLocale(line))
	}
	return s, nil
}

func runLocaleGen(ctx context.Context, h *modules.Host, a LocaleGenArgs) (LocaleGenResult, error) {
	_, _, err := modules.Reconcile(ctx, h, modules.Reconciler[locales]{
		Probe: localeScript, Parse: readLocales, Plan: a.plan, Lock: "locales",
		Want: func(s locales) locales {
			s.text = a.edit(s)
			return s
		},
		Diff: func(before, after locales) []modules.Diff {
			if before.text == after.text {
				return nil
			}
			return []modules.Diff{{Before: before.text, After: after.text, BeforeHeader: before.file, AfterHeader: after.file}}
		},
	})
	if one, ok := errors.AsType[*modules.ActionError](err); ok {
		err = fmt.Errorf("%s: %s", one.Why, strings.TrimSpace(string(one.Stdout)+string(one.Stderr)))
	}
	if err != nil && !errors.Is(err, modules.ErrPlanned) {
		return LocaleGenResult{Name: a.Name}, err
	}
	return LocaleGenResult{Name: a.Name, Msg: "OK"}, err
}

// wrong gives the locales that are not as asked.
func (a LocaleGenArgs) wrong(s locales) []string {
	var list []string
	for _, name := range a.Name {
		if slices.Contains(s.there, normalLocale(name)) != (a.State == modules.Present) {
			list = append(list, name)
		}
	}
	return list
}

func (a LocaleGenArgs) plan(s locales) ([]modules.Action, error) {
	var unknown []string
	for _, name := range a.Name {
		if !slices.Contains(s.available, name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("The locale you've entered is not available on your system: %s", strings.Join(unknown, ", "))
	}
	names := a.wrong(s)
	if len(names) == 0 {
		return nil, nil
	}
	verb := map[modules.Presence]string{modules.Present: "make", modules.Absent: "remove"}[a.State]
	run := modules.Action{Why: verb + " the locale " + strings.Join(names, ", "), Argv: []string{"locale-gen"}}
	if s.ubuntu && a.State == modules.Present {
		run.Argv = append(run.Argv, names...) // which adds them to the file
		return []modules.Action{run}, nil
	}
	if s.ubuntu {
		run.Argv = append(run.Argv, "--purge")
	}
	text := a.edit(s)
	if text == s.text {
		return []modules.Action{run}, nil
	}
	return []modules.Action{modules.TextFile{Path: s.file, Text: text}.Write("edit " + s.file), run}, nil
}

// edit gives the file with the lines of the locales in force, or not. Ubuntu's has those in force only.
func (a LocaleGenArgs) edit(s locales) string {
	if s.ubuntu && a.State == modules.Present {
		return s.text
	}
	var out strings.Builder
	for line := range strings.Lines(s.text) {
		m := localeLine.FindStringSubmatch(strings.TrimRight(line, "\n"))
		switch {
		case m == nil || !slices.Contains(a.Name, m[2]):
			out.WriteString(line)
		case a.State == modules.Present:
			out.WriteString(m[2] + " " + m[3] + "\n")
		case !s.ubuntu:
			out.WriteString("# " + m[2] + " " + m[3] + "\n")
		}
	}
	return out.String()
}
