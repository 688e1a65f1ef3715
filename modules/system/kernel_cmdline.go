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

//go:embed kernel_cmdline.go
var kernelCmdlineSource string

// KernelCmdline sees to parameters of the kernel's command line.
var KernelCmdline = modules.Define("kernel_cmdline", kernelCmdlineSource, runKernelCmdline, modules.Converges())

// KernelCmdlineArgs see to single parameters with which grub boots the kernel; all others stay. With grubby (Fedora, RHEL and their
// kin) every installed kernel gets them; elsewhere they stand in /etc/default/grub, and grub's menu is made anew from it. When that fails the
// file is put back.
//
//	# Devices for guests.
//	- kernel_cmdline:
//	    parameters: [intel_iommu=on, iommu=pt, hugepagesz=1G]
//	  register: cmdline
//	- reboot:
//	  when: cmdline.reboot_required
type KernelCmdlineArgs struct {
	// Parameters such as quiet or iommu=pt.
	Parameters []string `arg:"parameters,alias=name,alias=params" required:"true"`
	// State is whether the parameters shall be there. With absent, a name without = takes every value away.
	State modules.Presence `arg:"state" default:"present"`
	// Several lets a parameter stand several times with other values, as console may; otherwise others of its name go.
	Several bool `arg:"several"`
}

// KernelCmdlineResult tells what the next boot will do.
type KernelCmdlineResult struct {
	// Cmdline is what the next boot has: of grubby the default kernel's, else what /etc/default/grub says.
	Cmdline string `json:"cmdline"`
	// Running is the command line that the running kernel has.
	Running string `json:"running"`
	// RebootRequired says that the running kernel is not as asked.
	RebootRequired bool `json:"reboot_required"`
}

var kernelParameter = regexp.MustCompile("^[A-Za-z0-9_][A-Za-z0-9_.-]*(=[^\\s\"'`$\\\\]*)?$")

// Check refuses what the kernel could not read as one parameter, and what contradicts itself.
func (a KernelCmdlineArgs) Check() error {
	if len(a.Parameters) == 0 {
		return &modules.ArgError{Path: []any{"parameters"}, Msg: "parameters is empty"}
	}
	seen := map[string]string{}
	for i, p := range a.Parameters {
		name, _, _ := strings.Cut(p, "=")
		switch {
		case !kernelParameter.MatchString(p):
			return &modules.ArgError{
				Path: []any{"parameters", i}, Msg: fmt.Sprintf("%q is no kernel parameter", p), Hint: "one is NAME or NAME=VALUE, without blanks, quotes, $ and \\",
			}
		case seen[name] != "" && !a.Several:
			return &modules.ArgError{Path: []any{"parameters", i}, Msg: fmt.Sprintf("parameters has both %s and %s", seen[name], p), Hint: "several: true lets them stand together"}
		}
		seen[name] = p
	}
	return nil
}

const grubDefaults = "/etc/default/grub"

// kernelCmdlineScript tells of grubby's entries, or of /etc/default/grub and what makes the menu.
const kernelCmdlineScript = `has() { command -v "$1" >/dev/null 2>&1; }
say running "$(cat /proc/cmdline)"
if has grubby; then
	tell all grubby --info=ALL
	say default "$(grubby --info=DEFAULT 2>/dev/null | sed -n 's/^args=//p')"
	exit 0
fi
if [ -e /etc/default/grub ]; then show grub /etc/default/grub; fi
if has update-grub; then say maker update-grub
else
	for p in grub2-mkconfig grub-mkconfig; do
		has $p || continue
		say maker "$p"
		for f in /boot/grub2/grub.cfg /boot/grub/grub.cfg; do if [ -e "$f" ]; then say menu "$f"; break; fi; done
		break
	done
fi
exit 0
`

// kernelCmdlineWrite: what makes the menu; the content of /etc/default/grub comes by standard input. The old one comes back when no
// menu was made of it, also for being killed: else nothing would ever make one again.
const kernelCmdlineWrite = `p=/etc/default/grub
if [ -L "$p" ]; then p=$(readlink -f "$p") || exit 1; fi
old=$(mktemp "${p%/*}/.hostler.XXXXXX") && new=$(mktemp "${p%/*}/.hostler.XXXXXX") || exit 1
placed=
end() { [ -z "$placed" ] || mv -f -- "$old" "$p"; rm -f -- "$old" "$new"; }
trap end EXIT
trap 'exit 1' HUP INT TERM
cp -a -- "$p" "$old" && cp -a -- "$p" "$new" && cat >"$new" || exit 1
placed=1
mv -f -- "$new" "$p" || exit 1
said=$("$@" 2>&1) || { rc=$?; printf '%s\n' "$said" >&2; exit $rc; }
placed=`

// cmdline is what a look told.
type cmdline struct {
	grubby  bool
	entries []string // the command line of each kernel
	next    string   // of the default kernel
	running string
	grub    string
	maker   []string
}

// The variables of /etc/default/grub: the first is for every entry, the second for those that are not for recovery.
const (
	grubAll     = "GRUB_CMDLINE_LINUX"
	grubRegular = "GRUB_CMDLINE_LINUX_DEFAULT"
)

func parseCmdline(r *modules.Report) (cmdline, error) {
	c := cmdline{running: r.Text("running")}
	if r.Has("all") {
		c.grubby = true
		if rc := r.Status("all"); rc != 0 {
			return c, fmt.Errorf("grubby --info=ALL: exit status %d: %s", rc, r.Text("all.err"))
		}
		for _, line := range r.Lines("all") {
			if text, ok := strings.CutPrefix(line, "args="); ok {
				c.entries = append(c.entries, strings.Trim(text, `"`))
			}
		}
		c.next = strings.Trim(r.Text("default"), `"`)
		return c, nil
	}
	text, exists, err := r.ReadText("grub", grubDefaults)
	switch maker := r.Text("maker"); {
	case err != nil:
		return c, err
	case !exists || maker == "":
		return c, errors.New("the host has neither grubby nor " + grubDefaults + " with update-grub or grub-mkconfig: its boot loader is not known here")
	case maker == "update-grub":
		c.maker = []string{maker}
	case r.Text("menu") == "":
		return c, errors.New("there is neither /boot/grub2/grub.cfg nor /boot/grub/grub.cfg: " + maker + " would not know what to write")
	default:
		c.maker = []string{maker, "-o", r.Text("menu")}
	}
	for _, name := range []string{grubAll, grubRegular} {
		if v, _ := setting(text, name); !plainWords.MatchString(v) {
			return c, fmt.Errorf("%s: %s is not one text in quotes, and is left alone: %s", grubDefaults, name, v)
		}
	}
	c.grub = text
	c.next = strings.Join(slices.Concat(grubWords(text, grubAll), grubWords(text, grubRegular)), " ")
	return c, nil
}

// plainWords is a value whose words are what they look like.
var plainWords = regexp.MustCompile("^(\"[^\"'`$\\\\]*\"|'[^\"'`$\\\\]*'|[^\\s\"'`$\\\\#]*)$")

// grubWords gives the parameters that a variable has.
func grubWords(text, name string) []string {
	v, _ := setting(text, name)
	return strings.Fields(strings.Trim(v, `"'`))
}

// sameName reports that two parameters are the same one's: the kernel takes - and _ for each other.
func sameName(a, b string) bool {
	a, _, _ = strings.Cut(a, "=")
	b, _, _ = strings.Cut(b, "=")
	return isModule(a, b)
}

// unwanted reports that a word has to go.
func (a KernelCmdlineArgs) unwanted(word string) bool {
	for _, p := range a.Parameters {
		switch {
		case !sameName(word, p):
		case a.State == modules.Absent && (word == p || !strings.Contains(p, "=")):
			return true
		case a.State == modules.Present && !a.Several && !slices.Contains(a.Parameters, word):
			return true
		}
	}
	return false
}

// edit gives the parameters as they are to be.
func (a KernelCmdlineArgs) edit(words []string) []string {
	out := slices.DeleteFunc(slices.Clone(words), a.unwanted)
	if a.State == modules.Present {
		for _, p := range a.Parameters {
			if !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out
}

// editGrub gives the text of /etc/default/grub as it is to be.
func (a KernelCmdlineArgs) editGrub(text string) string {
	all, regular := grubWords(text, grubAll), grubWords(text, grubRegular)
	next := slices.DeleteFunc(slices.Clone(regular), a.unwanted)
	// What regular entries have already need not be in all.
	rest := a
	rest.Parameters = slices.DeleteFunc(slices.Clone(a.Parameters), func(p string) bool {
		return a.State == modules.Present && slices.Contains(next, p) && !slices.Contains(all, p)
	})
	for _, v := range []struct {
		name      string
		old, next []string
	}{{grubAll, all, rest.edit(slices.DeleteFunc(slices.Clone(all), a.unwanted))}, {grubRegular, regular, next}} {
		if !slices.Equal(v.old, v.next) {
			text = setSetting(text, v.name, v.name+`="`+strings.Join(v.next, " ")+`"`)
		}
	}
	return text
}

func runKernelCmdline(ctx context.Context, h *modules.Host, a KernelCmdlineArgs) (KernelCmdlineResult, error) {
	_, after, err := modules.Reconcile(ctx, h, modules.Reconciler[cmdline]{
		Probe: kernelCmdlineScript, Lock: "grub", Parse: parseCmdline,
		Plan: func(c cmdline) ([]modules.Action, error) { return a.plan(c), nil },
		Want: func(c cmdline) cmdline {
			if !c.grubby {
				c.grub = a.editGrub(c.grub)
			}
			c.next = strings.Join(a.edit(strings.Fields(c.next)), " ")
			return c
		},
		Diff: func(before, after cmdline) []modules.Diff {
			return []modules.Diff{{Before: before.next + "\n", After: after.next + "\n", BeforeHeader: "kernel command line", AfterHeader: "kernel command line"}}
		},
	})
	running := strings.Fields(after.running)
	return KernelCmdlineResult{
		Cmdline: after.next, Running: after.running, RebootRequired: !slices.Equal(a.edit(running), running),
	}, err
}

func (a KernelCmdlineArgs) plan(c cmdline) []modules.Action {
	what := strings.Join(a.Parameters, " ")
	why := "boot with " + what
	if a.State == modules.Absent {
		why = "boot without " + what
	}
	if !c.grubby {
		text := a.editGrub(c.grub)
		if text == c.grub {
			return nil
		}
		return []modules.Action{{Why: why + " by " + grubDefaults, Script: kernelCmdlineWrite, Args: c.maker, Stdin: []byte(text)}}
	}
	var gone, added []string
	for _, entry := range c.entries {
		words := strings.Fields(entry)
		next := a.edit(words)
		for _, w := range words {
			if !slices.Contains(next, w) && !slices.Contains(gone, w) {
				gone = append(gone, w)
			}
		}
		for _, w := range next {
			if !slices.Contains(words, w) && !slices.Contains(added, w) {
				added = append(added, w)
			}
		}
	}
	if len(gone)+len(added) == 0 {
		return nil
	}
	argv := []string{"grubby", "--update-kernel=ALL"}
	if len(gone) > 0 {
		argv = append(argv, "--remove-args="+strings.Join(gone, " "))
	}
	if len(added) > 0 {
		argv = append(argv, "--args="+strings.Join(added, " "))
	}
	return []modules.Action{{Why: why + " by grubby", Argv: argv}}
}
