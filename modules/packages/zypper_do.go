package packages

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

// zypper's statuses that are none of failure (zypper(8)).
const (
	zypperReboot   = 102 // a patch wants the machine restarted
	zypperRestart  = 103 // zypper itself was updated: the same command is to run again
	zypperNotFound = 104
)

// zypperWait is lockWait for zypper, which tells of a lock in its standard output.
const zypperWait = `
busy='System management is locked' timeout=60
` + lockWait + `
unlocked() {
	"$@"
	rc=$?
	[ "$rc" != 7 ] || sed -e 's/<[^>]*>//g' "$d/out" | grep "$busy" >&2
	return "$rc"
}
`

// zypperScript runs one zypper. What is installed is asked of rpm before and after.
const zypperScript = zypperWait + `
installed() { rpm -qa --qf '` + rpmFormat + `' 2>/dev/null | sort; }
installed >"$d/before"
run unlocked "$@" && rc=0 || rc=$?
if [ "$rc" = 103 ]; then cp "$d/out" "$d/first"; run unlocked "$@" && rc=0 || rc=$?; show first "$d/first"; fi
told
installed >"$d/after"
say differs "$(comm -3 "$d/before" "$d/after")"
exit $rc
`

// zypperStep is one zypper.
type zypperStep struct {
	why     string
	argv    []string
	refresh bool
}

// command is a zypper with a command, its options and what the arguments ask for.
func (r *zypperRun) command(sub string) []string {
	a := r.args
	argv := append(slices.Clone(r.prefix), "zypper", "--quiet", "--non-interactive", "--xmlout")
	argv = append(argv, strings.Fields(a.ExtraArgsPrecommand)...)
	add := func(given bool, words ...string) {
		if given {
			argv = append(argv, words...)
		}
	}
	install := slices.Contains([]string{"install", "update", "patch", "dist-upgrade"}, sub)
	add(a.DisableGPGCheck && (install || sub == "refresh"), "--no-gpg-checks")
	add(a.AutoImportKeys, "--gpg-auto-import-keys")
	argv = append(argv, sub)
	if sub == "refresh" {
		return append(argv, strings.Fields(a.ExtraArgs)...)
	}
	add(sub != "patch" && sub != "dist-upgrade", "--type", string(a.Type))
	add(r.h.Planning(), "--dry-run")
	if install {
		argv = append(argv, "--auto-agree-with-licenses")
		add(a.DisableRecommends, "--no-recommends")
		add(a.Force, "--force")
		add(a.ForceResolution, "--force-resolution")
		add(a.Oldpackage || sub == "install" && slices.ContainsFunc(r.wishes, func(w zypperWish) bool { return w.version != "" }), "--oldpackage")
		add(a.Replacefiles, "--replacefiles")
	}
	add(sub == "remove" && a.CleanDeps, "--clean-deps")
	add(sub == "dist-upgrade" && a.AllowVendorChange, "--allow-vendor-change")
	return append(argv, strings.Fields(a.ExtraArgs)...)
}

// plan gives what leads from what is there to what is asked.
func (r *zypperRun) plan(there [][]string) (zypperStep, bool) {
	a := r.args
	if a.all() {
		sub := "update"
		switch {
		case a.Type == "patch":
			sub = "patch"
		case a.State == "dist-upgrade":
			sub = "dist-upgrade"
		}
		return zypperStep{why: "upgrade all packages", argv: r.command(sub)}, true
	}
	var names, said []string
	for i, w := range r.wishes {
		is := len(there[i]) > 0
		switch {
		case a.absent() && is && w.version == "":
			names = append(names, there[i]...)
			said = append(said, there[i]...)
		case a.absent() && is:
			names, said = append(names, w.name+w.version), append(said, w.name+w.version)
		case a.absent(), w.remove && !is:
		case !w.remove && is && (a.State != "latest" || w.file) && (!a.Force || !w.file && w.version == ""):
		case w.file:
			names, said = append(names, w.spec), append(said, w.spec)
		default:
			names = append(names, map[bool]string{true: "-", false: "+"}[w.remove]+w.name+w.version)
			said = append(said, map[bool]string{true: "not "}[w.remove]+w.name+w.version)
		}
	}
	switch {
	case len(names) == 0:
		return zypperStep{}, false
	case a.absent():
		return zypperStep{why: "remove " + strings.Join(said, ", "), argv: append(r.command("remove"), names...)}, true
	}
	return zypperStep{why: "install " + strings.Join(said, ", "), argv: slices.Concat(r.command("install"), []string{"--"}, names)}, true
}

// do runs the steps in one round trip. In check mode zypper only tells what it would do.
func (r *zypperRun) do(ctx context.Context, steps []zypperStep) error {
	var actions []modules.Action
	for _, step := range steps {
		if r.h.Planning() {
			told, err := r.h.Probe(ctx, zypperScript, step.argv...)
			if told == nil || err != nil && !told.Has("out") {
				return err
			}
			if err := r.take(step, told, told.Exit); err != nil || !r.result.Changed {
				return err
			}
		}
		actions = append(actions, modules.Action{Why: step.why, Script: zypperScript, Args: step.argv})
	}
	done, err := r.h.Change(ctx, actions...)
	if errors.Is(err, modules.ErrPlanned) {
		return nil // what zypper would do told whether anything would change
	}
	if _, failed := errors.AsType[*modules.ActionError](err); err != nil && !failed {
		return err
	}
	for i, one := range done {
		told := modules.ParseReport(one.Stdout)
		if !told.Has("out") && one.Status != 0 {
			return fmt.Errorf("Unable to %s: %s", steps[i].why, firstOf(string(one.Stderr), "zypper failed"))
		}
		if err := r.take(steps[i], told, one.Status); err != nil {
			return err
		}
	}
	return nil
}

// take adds what a zypper did to the result.
func (r *zypperRun) take(step zypperStep, told *modules.Report, status int) error {
	if told.Has("waited") && !told.Has("locked") {
		r.h.Warn("waited %s s for another program: %s", told.Text("waited"), told.Text("lock"))
	}
	list := append(readZypper(told.Bytes("first")), readZypper(told.Bytes("out"))...)
	r.result.RC, r.result.Cmd = status, step.argv
	fine := status == 0 || status == zypperReboot
	changed := fine && len(list) > 0 && !step.refresh
	if !fine && told.Text("differs") != "" {
		changed = true // half of it
	}
	if changed {
		r.result.Changed = true
		r.h.AddDiff(modules.Diff{Prepared: zypperDiff(list)})
	}
	if changed || !fine {
		r.result.Stdout, r.result.Stderr = modules.Clean(told.Bytes("out")), modules.Clean(told.Bytes("err"))
	}
	why := zypperMessage(told.Bytes("out"), told.Text("err"))
	switch {
	case fine:
		return nil
	case told.Has("locked"):
		return fmt.Errorf("zypper's lock is held by another process: waited %s s: %s", firstOf(told.Text("waited"), "0"), told.Text("locked"))
	case status == zypperNotFound:
		return errors.New(why)
	case step.refresh:
		return fmt.Errorf("Zypper refresh run failed with return code %d: %s", status, why)
	}
	return fmt.Errorf("Zypper run command failed with return code %d: %s", status, why)
}

// zypperSolvable is one package, pattern, product or patch in zypper's output.
type zypperSolvable struct {
	Name    string `xml:"name,attr"`
	Edition string `xml:"edition,attr"`
	Old     string `xml:"edition-old,attr"`
	group   string // the element around it: to-install, to-upgrade …
}

// readZypper reads the solvables of zypper's XML. What cannot be read ends it: a zypper that was killed leaves half a document.
func readZypper(text []byte) (list []zypperSolvable) {
	var path []string
	d := xml.NewDecoder(bytes.NewReader(text))
	for {
		token, err := d.Token()
		if err != nil {
			return list
		}
		switch e := token.(type) {
		case xml.StartElement:
			if e.Name.Local != "solvable" {
				path = append(path, e.Name.Local)
				continue
			}
			var s zypperSolvable
			if d.DecodeElement(&s, &e) == nil && len(path) > 0 {
				s.group = path[len(path)-1]
				list = append(list, s)
			}
		case xml.EndElement:
			path = path[:max(0, len(path)-1)]
		}
	}
}

// zypperMessage is what zypper says of a failure: its messages of errors, or the problem that it asks about.
func zypperMessage(text []byte, errs string) string {
	var list []string
	d := xml.NewDecoder(bytes.NewReader(text))
	for {
		token, err := d.Token()
		if err != nil {
			return firstOf(strings.Join(list, "\n"), errs, string(text), "zypper tells no reason")
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		var content string
		switch {
		case e.Name.Local == "prompt":
			var prompt struct {
				Description string `xml:"description"`
			}
			if d.DecodeElement(&prompt, &e) == nil {
				content = prompt.Description
			}
		case e.Name.Local == "message" && slices.Contains(e.Attr, xml.Attr{Name: xml.Name{Local: "type"}, Value: "error"}):
			if d.DecodeElement(&content, &e) != nil {
				content = ""
			}
		}
		if content = strings.TrimSpace(content); content != "" {
			list = append(list, content)
		}
	}
}

// zypperDiff tells what changes, as Ansible's module does.
func zypperDiff(list []zypperSolvable) string {
	var text strings.Builder
	for _, one := range []struct{ word, group string }{{"installed", "to-install"}, {"removed", "to-remove"}, {"upgraded", "to-upgrade"}, {"downgraded", "to-downgrade"}} {
		var names []string
		for _, s := range list {
			switch {
			case s.group == one.group && s.Old != "":
				names = append(names, s.Name+" ("+s.Old+" => "+s.Edition+")")
			case s.group == one.group:
				names = append(names, s.Name)
			}
		}
		if len(names) > 0 {
			text.WriteString(one.word + ": " + strings.Join(names, ", ") + "\n")
		}
	}
	return text.String()
}
