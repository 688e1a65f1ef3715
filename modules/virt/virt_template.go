package virt

import (
	"context"
	_ "embed"
	"fmt"
	"path"
	"strings"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed virt_template.go
var templateSource string

// Template makes templates of domains.
var Template = modules.Define("virt_template", templateSource+virshSource, runTemplate, modules.Converges())

// TemplateArgs make a template of a domain that is shut off: virt-sysprep takes out what is the guest's own, the domain gets another name and a mark
// in its metadata, its images become read-only, and it no longer starts with the host. virt and virt_clone do not start a domain with the mark. What
// virt-sysprep did is in the mark, and is not done again unless other operations are asked for; never while images of clones stand on the template's.
//
//	# debian-12 becomes debian-12-template, from which guests are cloned at once.
//	- virt: {name: debian-12, state: shutdown}
//	- virt_template: {domain: debian-12}
//	- virt_clone: {source: debian-12-template, name: web-01, linked: true, start: true}
type TemplateArgs struct {
	// Domain that becomes the template.
	Domain string `arg:"domain,alias=guest" required:"true"`
	// RenameTo is the template's name; DOMAIN-template when empty. The domain's own name leaves it.
	RenameTo string `arg:"rename_to"`
	// State present makes the template. absent makes a domain of it again, under the name that it had and with images that can be written; what
	// virt-sysprep took out stays out.
	State modules.Presence `arg:"state" default:"present"`
	// Operations of virt-sysprep, as virt-sysprep --list-operations names them; none ([]) leaves the guest as it is. Without it those that virt-sysprep does by
	// default, but for what users keep on the guest: cron-spool, mail-spool, ssh-userdir.
	Operations []string `arg:"operations"`
	// Sparsify gives the host back what room the images need not take, by virt-sparsify, when virt-sysprep runs or the mark is new.
	Sparsify bool `arg:"sparsify"`
	// Protect makes the images read-only (0440), keeps virt and virt_clone from starting the template, and turns its autostart off.
	Protect bool `arg:"protect" default:"true"`
	// ExportXML is a file on the host for the template's definition, without its secrets.
	ExportXML modules.Path `arg:"export_xml"`
	// AllowOddName takes names with spaces, quotes and the like.
	AllowOddName bool `arg:"allow_odd_name"`
	Place
}

// TemplateResult tells of the template.
type TemplateResult struct {
	// Domain as it is now.
	Domain *DomainResult `json:"domain,omitempty"`
	// Template is what its mark says.
	Template *TemplateInfo `json:"template,omitempty"`
}

// TemplateInfo is what a template's mark says.
type TemplateInfo struct {
	// From is the name of the domain that it was.
	From string `json:"from"`
	// Operations of virt-sysprep that were done; default for those that virt_template chose.
	Operations []string `json:"operations"`
	// Protected is whether virt and virt_clone refuse to start it.
	Protected bool `json:"protected"`
}

// Check refuses what makes no sense.
func (a TemplateArgs) Check() error {
	names := []struct{ arg, name string }{{"domain", a.Domain}, {"rename_to", a.RenameTo}}
	for _, n := range names {
		if n.arg == "rename_to" && n.name == "" {
			continue
		}
		if err := checkName(n.arg, n.name, a.AllowOddName); err != nil {
			return err
		}
	}
	bad := func(arg, msg string) error { return &modules.ArgError{Path: []any{arg}, Msg: msg} }
	for i, o := range a.Operations {
		if strings.Trim(o, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || strings.Trim(o, "-") != o || o == "" {
			return &modules.ArgError{Path: []any{"operations", i}, Msg: fmt.Sprintf("operations: %q names no operation of virt-sysprep", o)}
		}
	}
	x := string(a.ExportXML)
	switch {
	case x != "" && (!path.IsAbs(x) || strings.ContainsAny(x, "\x00\n")):
		return bad("export_xml", fmt.Sprintf("export_xml must be an absolute path, not %q", x))
	case a.State == modules.Absent && (x != "" || a.Sparsify || len(a.Operations) > 0):
		return bad("state", "operations, sparsify and export_xml go with state: present only")
	}
	return nil
}

// templateProbe: URI, domain, the template's name, what the mark is to say of operations ("-" when there is to be none), the file to export to or "".
// It tells of both domains, and of the one that there is the permissions of its files and what else the plan needs: what stands on the files only when
// operations are to be done or the mark goes.
const templateProbe = virshLib + `names list --all --name
say version "$(virsh --version)"
look() {
	i=$(v dominfo "$2") || return 0
	say "$1.info" "$(printf '%s\n' "$i" | sed -e '/^CPU time:/d' -e '/^Used memory:/d')"
	tell "$1.xml" v dumpxml "$2" --inactive --security-info
	d=$2
}
d= want=$3 export=$4
if [ "$1" != "$2" ] && has "$names" "$2"; then look template "$2"; fi
if has "$names" "$1"; then look domain "$1"; fi
[ -n "$d" ] || exit 0
tell snapshots v snapshot-list "$d" --name
x=$(v dumpxml "$d" --inactive)
[ -z "$export" ] || [ "$(cat "$export" 2>/dev/null)" != "$x" ] || say exported yes
sources() { sed -n "s/.*<source file='\([^']*\)'.*/\1/p" | plain; }
files=$(printf '%s\n' "$x" | sources)
mine() {
	while IFS= read -r __f; do [ "$1" = "$__f" ] || [ "$1" -ef "$__f" ] || continue; return 0; done <<FILES
$files
FILES
	return 1
}
k=0
while IFS= read -r f; do
	[ -n "$f" ] || continue
	k=$((k + 1))
	say "mode.$k" "$f
$(stat -L -c %a "$f" 2>/dev/null)"
done <<LIST
$files
LIST
case $x in
*" operations='$want'"*|*" operations=\"$want\""*) exit 0 ;;
esac
if command -v virt-sysprep >/dev/null 2>&1; then tell operations virt-sysprep --list-operations; fi
command -v virt-sparsify >/dev/null 2>&1 && say sparsify yes
seen=
stands() {
	[ -f "$1" ] && ! has "$seen" "$1" && ! has "$files" "$1" && [ "$(head -c 3 "$1" 2>/dev/null)" = QFI ] || return 0
	seen="$seen
$1"
	while IFS= read -r b; do
		if [ -n "$b" ] && mine "$b"; then k=$((k + 1)); say "child.$k" "$1"; return 0; fi
	done <<CHAIN
$(qemu-img info -U --backing-chain "$1" </dev/null 2>/dev/null | sed -n -e 's/^backing file: .* (actual path: \(.*\))$/\1/p' -e t -e 's/^backing file: //p')
CHAIN
}
while IFS= read -r f; do
	case $f in
	'') ;;
	*/) for g in "$f"*; do stands "$g"; done ;;
	*) stands "$f" ;;
	esac
done <<LIST
$(printf '%s\n' "$names" | while IFS= read -r n; do [ -z "$n" ] || v dumpxml "$n" --inactive </dev/null | sources; done)
$(printf '%s\n' "$files" | sed -n 's:/[^/]*$:/:p' | sort -u)
$(v pool-list --name 2>/dev/null | sed 's/ *$//' | while IFS= read -r n; do [ -z "$n" ] || v pool-dumpxml "$n" </dev/null | sed -n 's:^ *<path>\(.*\)</path>.*:\1/:p' | plain; done)
LIST
exit 0
`

// templateState is what a look told.
type templateState struct {
	domain, template domain            // under the two names
	modes            map[string]string // of the files, octal
	operations       map[string]bool   // of virt-sysprep, and whether it does them by default; nil where it is not asked for or not there
	sparsify         bool
	exported         bool
	snapshots        int
	children         []string // images that stand on the files
}

// one is the domain that there is: under its own name, or under the template's.
func (s *templateState) one() *domain {
	if s.domain.exists {
		return &s.domain
	}
	return &s.template
}

func (j *templateJob) parse(r *modules.Report) (templateState, error) {
	s := templateState{modes: map[string]string{}}
	if err := reached(r); err != nil {
		return s, err
	}
	version, err := libvirt.ParseVersion(r.Text("version"))
	if err != nil {
		return s, err
	}
	s.domain.version, s.template.version = version, version
	if err = s.domain.read(r, "domain.", j.Domain); err != nil {
		return s, err
	}
	if err = s.template.read(r, "template.", j.RenameTo); err != nil {
		return s, err
	}
	for _, key := range r.Keys() {
		first, rest, _ := strings.Cut(r.Text(key), "\n")
		switch kind, _, _ := strings.Cut(key, "."); kind {
		case "mode":
			s.modes[first] = rest
		case "child":
			s.children = append(s.children, first)
		}
	}
	if r.Has("operations") {
		if r.Status("operations") != 0 {
			return s, fmt.Errorf("ask virt-sysprep for its operations: %s", r.Text("operations.err"))
		}
		s.operations = map[string]bool{}
		for _, line := range r.Lines("operations") {
			if words := strings.Fields(line); len(words) > 1 {
				s.operations[words[0]] = words[1] == "*"
			}
		}
	}
	s.sparsify, s.exported, s.snapshots = r.Has("sparsify"), r.Has("exported"), len(r.Lines("snapshots"))
	return s, nil
}

func runTemplate(ctx context.Context, h *modules.Host, a TemplateArgs) (TemplateResult, error) {
	j := templateJob{TemplateArgs: a, host: h, want: operationsOf(a.Operations), renamed: a.RenameTo != ""}
	if !j.renamed {
		j.RenameTo = a.Domain + "-template"
	}
	ask := j.want
	if a.State == modules.Absent {
		ask = "-"
	}
	_, after, err := modules.Reconcile(ctx, h, modules.Reconciler[templateState]{
		Probe: templateProbe, Args: []string{string(a.URI), a.Domain, j.RenameTo, ask, string(a.ExportXML)}, Lock: lockName("domain", a.Domain),
		Parse: j.parse, Plan: j.plan, Diff: j.diff, Want: j.foreseen,
	})
	r := TemplateResult{}
	if d := after.one(); d.exists {
		r.Domain = d.result()
		if m := templateOf(d.config); m != nil {
			r.Template = &TemplateInfo{From: m.from, Operations: strings.FieldsFunc(m.operations, func(c rune) bool { return c == ',' }), Protected: m.protected}
		}
	}
	return r, explain(err)
}
