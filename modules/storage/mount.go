package storage

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed mount.go
var mountSource string

// Mount sees to an entry of fstab and to what is mounted.
var Mount = modules.Define("mount", mountSource, runMount, modules.Aliases("ansible.posix.mount"))

// MountArgs mount a file system and keep its entry of fstab. What is mounted is mounted before the entry is written, so that an entry
// never stays of something that cannot be mounted. Options are compared without their order. Another source than the one that is
// mounted is mounted in its place; options that changed are set by a remount.
//
//	# A share for guests' disks, and a brick's file system.
//	- mount:
//	    path: /srv/vms
//	    src: nas.example.net:/export/vms
//	    fstype: nfs4
//	    opts: [hard, noatime]
//	    network: true
//	    state: mounted
//	- mount: {path: /bricks/b1, src: UUID=2a2d5fc7-2d4c-4c4b-8e51-0c7e2f0d7e4d, fstype: xfs, opts: noatime, state: mounted}
type MountArgs struct {
	// Path of the mount point, made when it is not there; none for swap.
	Path modules.Path `arg:"path,alias=name" required:"true"`
	// Src is what is mounted: a device, UUID=…, LABEL=…, HOST:/PATH, HOST:/VOLUME, or for a bind mount a folder.
	Src string `arg:"src"`
	// FSType is the file system; none for a bind mount.
	FSType string `arg:"fstype"`
	// Opts are the options, a list or joined by commas; defaults when empty.
	Opts mountOptions `arg:"opts"`
	// Dump is the fifth field of fstab.
	Dump string `arg:"dump" default:"0"`
	// Passno is the sixth field of fstab: when fsck looks at it at boot.
	Passno string `arg:"passno" default:"0"`
	// State is mounted (entry and mount), present (entry only), unmounted (mount only), absent (neither, and the folder is removed when it
	// is empty), absent_from_fstab (no entry, whatever is mounted), remounted (now, always) or ephemeral (mount without an entry, always).
	State mountState `arg:"state" default:"mounted"`
	// Fstab is the file in place of /etc/fstab.
	Fstab modules.Path `arg:"fstab" default:"/etc/fstab"`
	// Boot is whether it is mounted at boot; false adds noauto.
	Boot bool `arg:"boot" default:"true"`
	// Backup keeps a copy of the old fstab.
	Backup bool `arg:"backup"`
	// Network adds _netdev: the mount waits for the network.
	Network bool `arg:"network"`
	// SELinuxContext is the context that all files get, as option context=.
	SELinuxContext string `arg:"selinux_context"`
	// BackupServers has further servers to ask for the volume's layout; of GlusterFS.
	BackupServers []string `arg:"backup_servers"`
	// Username of cifs; it is kept with the secret.
	Username string `arg:"username"`
	// Secret of cifs and ceph: it is kept in a file below /etc/hostler/mount that only root can read, never in fstab.
	Secret secret.Text `arg:"secret"`
}

type mountState string

// Choices lists the states.
func (mountState) Choices() []string {
	return []string{"mounted", "present", "unmounted", "absent", "absent_from_fstab", "remounted", "ephemeral"}
}

// mountOptions are joined by commas.
type mountOptions string

// DecodeArg implements the reading of an argument.
func (o *mountOptions) DecodeArg(v any) error {
	items, err := modules.Items(v)
	if err != nil {
		return err
	}
	words := make([]string, len(items))
	for i, item := range items {
		if words[i], err = modules.Str(item); err != nil {
			return err
		}
	}
	*o = mountOptions(strings.Join(words, ","))
	return nil
}

// MountResult says what was asked for, with all that was added.
type MountResult struct {
	// Name of the mount point.
	Name string `json:"name"`
	// Src as in fstab.
	Src string `json:"src,omitempty"`
	// FSType as in fstab.
	FSType string `json:"fstype,omitempty"`
	// Opts as in fstab.
	Opts string `json:"opts"`
	// Dump as in fstab.
	Dump string `json:"dump"`
	// Passno as in fstab.
	Passno string `json:"passno"`
	// Fstab is the file.
	Fstab string `json:"fstab"`
	// Boot is yes or no.
	Boot string `json:"boot"`
	// BackupFile is the copy of the old file, or empty.
	BackupFile string `json:"backup_file"`
}

// Check refuses what cannot be mounted or would break fstab.
func (a MountArgs) Check() error {
	wrong := func(arg, msg string) error { return &modules.ArgError{Path: []any{arg}, Msg: msg} }
	if slices.Contains([]string{"mounted", "present", "ephemeral"}, string(a.State)) {
		var missing []string
		for _, m := range []struct{ name, value string }{{"src", a.Src}, {"fstype", a.FSType}} {
			if m.value == "" {
				missing = append(missing, m.name)
			}
		}
		if missing != nil {
			return errors.New("state is " + string(a.State) + " but all of the following are missing: " + strings.Join(missing, ", "))
		}
	}
	swap := a.FSType == "swap"
	switch p := string(a.Path); {
	case p == "" || strings.ContainsAny(p, "\n\x00"):
		return wrong("path", "path cannot be a mount point: "+p)
	case swap && a.State != "present" && !strings.HasPrefix(string(a.State), "absent"):
		return wrong("state", "swap is not mounted: keep its entry with state present, or use the module swap")
	case !swap && !strings.HasPrefix(p, "/") && !strings.HasPrefix(p, "~") && !strings.HasPrefix(p, "$"):
		return wrong("path", "path must be absolute: "+p)
	case path.Clean(p) == "/" && a.State != "present" && a.State != "remounted" && a.State != "mounted":
		return wrong("path", "the root file system cannot be unmounted")
	}
	for _, f := range []struct{ name, value string }{{"src", a.Src}, {"fstype", a.FSType}, {"opts", string(a.Opts)}, {"dump", a.Dump}, {"passno", a.Passno}} {
		if strings.ContainsAny(f.value, "\n\x00") || f.name != "src" && strings.ContainsAny(f.value, " \t") && !strings.Contains(f.value, `"`) {
			return wrong(f.name, f.name+" must be one word: "+f.value)
		}
		if strings.HasPrefix(f.value, "-") {
			return wrong(f.name, f.name+" cannot begin with -: "+f.value)
		}
	}
	for _, o := range splitOptions(string(a.Opts)) {
		if name, _, _ := strings.Cut(o, "="); slices.Contains([]string{"password", "pass", "secret"}, name) {
			return &modules.ArgError{
				Path: []any{"opts"}, Msg: "option " + name + " would stand in fstab and in the arguments of mount, where everybody can read it",
				Hint: "use the argument secret",
			}
		}
	}
	if !a.Secret.IsZero() && a.FSType != "cifs" && a.FSType != "smb3" && a.FSType != "ceph" {
		return wrong("secret", "secret is for cifs and ceph, not "+a.FSType)
	}
	if len(a.BackupServers) > 0 && a.FSType != "glusterfs" {
		return wrong("backup_servers", "backup_servers is for glusterfs, not "+a.FSType)
	}
	return nil
}

// secretFile is where the secret of a mount is kept: a name of its own for each path, and nothing in it that means something in an option.
func (a MountArgs) secretFile() string {
	name := url.QueryEscape(strings.Trim(string(a.Path), "/"))
	return "/etc/hostler/mount/" + strings.ReplaceAll(strings.ReplaceAll(name, "-", "%2D"), "%2F", "-")
}

var nameOption = regexp.MustCompile(`^name=`)

// options gives all options of the entry.
func (a MountArgs) options() string {
	opts := splitOptions(string(a.Opts))
	add := func(o string) {
		name, _, _ := strings.Cut(o, "=")
		if !slices.ContainsFunc(opts, func(have string) bool { return have == o || strings.HasPrefix(have, name+"=") }) {
			opts = append(opts, o)
		}
	}
	if a.Network {
		add("_netdev")
	}
	if a.SELinuxContext != "" {
		add(`context="` + a.SELinuxContext + `"`)
	}
	if len(a.BackupServers) > 0 {
		add("backup-volfile-servers=" + strings.Join(a.BackupServers, ":"))
	}
	if !a.Secret.IsZero() {
		if a.FSType == "ceph" {
			add("secretfile=" + a.secretFile())
		} else {
			add("credentials=" + a.secretFile())
		}
		if a.FSType == "ceph" && a.Username != "" && !slices.ContainsFunc(opts, nameOption.MatchString) {
			add("name=" + a.Username)
		}
	}
	if !a.Boot {
		add("noauto")
	}
	if len(opts) == 0 {
		return "defaults"
	}
	return strings.Join(opts, ",")
}

func (a MountArgs) entry() fstabEntry {
	return fstabEntry{src: a.Src, path: string(a.Path), fstype: a.FSType, opts: a.options(), dump: a.Dump, passno: a.Passno}
}

// secretText is what the secret's file holds.
func (a MountArgs) secretText() string {
	if a.FSType == "ceph" {
		return a.Secret.Reveal() + "\n"
	}
	text := "password=" + a.Secret.Reveal() + "\n"
	if a.Username != "" {
		text = "username=" + a.Username + "\n" + text
	}
	return text
}

func runMount(ctx context.Context, h *modules.Host, a MountArgs) (MountResult, error) {
	if p := string(a.Path); strings.HasPrefix(p, "/") {
		a.Path = modules.Path(path.Clean(p))
	}
	p := mountPlan{MountArgs: a, want: a.entry()}
	if a.Backup {
		p.backup = modules.BackupName(string(a.Fstab))
	}
	r := modules.Reconciler[mounted]{
		Probe: mountProbe, Args: []string{string(a.Path), string(a.Fstab), a.Src, a.secretFile()}, Lock: "fstab",
		Parse: func(r *modules.Report) (mounted, error) { return parseMounted(r, string(a.Fstab)) },
		Plan:  p.plan,
		Want:  p.wanted,
		Diff: func(before, after mounted) []modules.Diff {
			if before.text == after.text {
				return nil
			}
			return []modules.Diff{{Before: before.text, After: after.text, BeforeHeader: string(a.Fstab), AfterHeader: string(a.Fstab)}}
		},
	}
	if a.State == "remounted" || a.State == "ephemeral" {
		r.Lock = "" // it is done each time, so a plan after it is never empty
	}
	before, _, err := modules.Reconcile(ctx, h, r)
	p.warn(h, before)
	result := MountResult{
		Name: string(a.Path), Src: a.Src, FSType: a.FSType, Opts: p.want.opts, Dump: a.Dump, Passno: a.Passno, Fstab: string(a.Fstab), Boot: "yes",
	}
	if !a.Boot {
		result.Boot = "no"
	}
	if p.wanted(before).text != before.text {
		result.BackupFile = p.backup
	}
	if err != nil && !errors.Is(err, modules.ErrPlanned) {
		return result, fmt.Errorf("%s: %w", a.Path, err)
	}
	return result, err
}
