package virt

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/hostlerhq/hostler/internal/cloudinit"
	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

// seedSerial is the serial number of the drive with a seed of ours, by which it is known as such when the domain goes.
const seedSerial = "hostler-seed"

// installSeed is the seed that a domain gets: where it is to lie, and its image.
type installSeed struct {
	folder, pool, name string
	image              []byte
	sum                string
}

// place gives a seed's part of the probe's arguments.
func (s *installSeed) place() []string {
	if s == nil {
		return []string{"", "", ""}
	}
	return []string{s.folder, s.pool, s.name}
}

func (s *installSeed) write(to string) modules.Action {
	return modules.Action{Why: "write the seed " + to, Script: cloudinit.WriteScript, Args: []string{to, s.sum}, Stdin: s.image}
}

// seedState is what lies where the seed is to be.
type seedState struct {
	path, sum   string // no path: there is no folder for it
	orphan, bad bool   // not even the folder is there; no regular file is
}

func (s seedState) differs(want *installSeed) bool { return want != nil && s.sum != want.sum }

// ready refuses places that cannot be; in check mode a folder may be still to come.
func (s seedState) ready(want *installSeed, planning bool) error {
	switch {
	case want == nil:
	case s.path == "":
		return fmt.Errorf("cloud_init: there is no folder for the seed %s, neither beside the first disk nor in a pool default: give cloud_init.folder", want.name)
	case s.bad:
		return fmt.Errorf("cloud_init: %s is no regular file: it is not replaced", s.path)
	case s.orphan && !planning:
		return fmt.Errorf("cloud_init: the host has no folder for %s", s.path)
	}
	return nil
}

// seedDrive is the argument of virt-install for the drive with a seed.
func seedDrive(seed string) string {
	return "--disk=path=" + quoteSuboption(seed) + ",device=cdrom,serial=" + seedSerial
}

// seedOf gives the seed of ours that a domain has in a drive, "" without one. A clone has that of its source, whose name is another.
func seedOf(d domain) string {
	if d.config == nil {
		return ""
	}
	for _, disk := range d.config.At("devices").All("disk") {
		if disk.Attr("device") == "cdrom" && disk.Val("serial") == seedSerial && path.Base(diskSource(disk)) == seedName(d.name) {
			return diskSource(disk)
		}
	}
	return ""
}

func seedName(domain string) string { return domain + "-seed.iso" }

// ownSeed reports whether the module makes a seed itself.
func (a InstallArgs) ownSeed() bool { return a.CloudInit != nil && !a.CloudInit.Native }

// seedAlone reports that the system comes from nowhere but the first disk, as with import: virt-install takes --cloud-init alone as such.
func (a InstallArgs) seedAlone() bool {
	return a.ownSeed() && a.Cdrom == "" && a.Location == "" && !a.PXE && a.InstallOpts == nil && a.Boot == nil && a.Unattended == nil
}

// seedPlace is the folder or the pool of the first disk.
func (a InstallArgs) seedPlace() (folder, pool string) {
	if a.CloudInit.Folder != "" {
		return string(a.CloudInit.Folder), ""
	}
	items := itemsOf(a.Disks)
	if len(items) == 0 {
		return "", ""
	}
	if p := diskOption(items[0], "path"); path.IsAbs(p) && !strings.HasPrefix(p, "/dev/") {
		return path.Dir(p), ""
	}
	if pool := diskOption(items[0], "pool"); pool != "" {
		return "", pool
	}
	pool, _, _ = strings.Cut(diskOption(items[0], "vol"), "/")
	return "", pool
}

// diskOption gives a suboption of a disk, be it a dict or virt-install's text, which may begin with the path.
func diskOption(disk any, key string) string {
	if d, ok := disk.(*value.Dict); ok {
		return d.Str(key)
	}
	text, _ := disk.(string)
	for i, part := range strings.Split(text, ",") {
		if val, ok := strings.CutPrefix(part, key+"="); ok {
			return val
		}
		if i == 0 && key == "path" && path.IsAbs(part) {
			return part
		}
	}
	return ""
}

// checkSeed finds mistakes in a seed as far as it does not come from files of the host.
func (a InstallArgs) checkSeed() error {
	wrong := func(arg, format string, args ...any) error {
		return &modules.ArgError{Path: []any{"cloud_init", arg}, Msg: fmt.Sprintf("cloud_init."+arg+" "+format, args...)}
	}
	in := a.CloudInit
	switch {
	case a.Container:
		return &modules.ArgError{Path: []any{"cloud_init"}, Msg: "cloud_init does not go with container, which has no drive"}
	case a.Disks == nil:
		return &modules.ArgError{Path: []any{"cloud_init"}, Msg: "cloud_init needs disks (none for no disk), for virt-install chooses none beside the seed"}
	case in.Folder != "" && !path.IsAbs(string(in.Folder)):
		return wrong("folder", "must be an absolute path on the host, not %q", in.Folder)
	}
	if in.UserData != nil {
		for _, c := range []struct {
			given bool
			arg   string
		}{
			{!in.RootPassword.IsZero(), "root_password"},
			{in.RootPasswordFile != "", "root_password_file"},
			{in.Disable, "disable"},
			{in.RootSSHKey != "", "root_ssh_key"},
			{in.CloudUserSSHKey != "", "clouduser_ssh_key"},
		} {
			if c.given {
				return wrong(c.arg, "does not go with user_data, for which virt-install leaves it out: write it into user_data")
			}
		}
	}
	if len(in.hostFiles()) > 0 {
		return nil
	}
	_, _, err := in.seed(a.Name, nil)
	return err
}

// hostFile gives the path when a value names a file of the host.
func hostFile(v any) string {
	if s, ok := v.(string); ok && path.IsAbs(s) && !strings.Contains(s, "\n") {
		return s
	}
	return ""
}

// hostFiles are the files of the host that the seed is made of.
func (in *CloudInit) hostFiles() []string {
	var files []string
	for _, v := range []any{in.RootPasswordFile, in.RootSSHKey, in.CloudUserSSHKey, in.UserData, in.MetaData, in.NetworkConfig} {
		if p := hostFile(v); p != "" {
			files = append(files, p)
		}
	}
	return files
}

// readSeed makes the seed, with what it takes from files of the host.
func (a InstallArgs) readSeed(ctx context.Context, h *modules.Host) (*installSeed, error) {
	const most = 8 << 20
	files := map[string]string{}
	for _, p := range a.CloudInit.hostFiles() {
		data, err := h.ReadFile(ctx, p, most)
		if err != nil {
			return nil, fmt.Errorf("cloud_init: %w", err)
		}
		files[p] = string(data)
	}
	s, found, err := a.CloudInit.seed(a.Name, files)
	if err != nil {
		return nil, err
	}
	for _, e := range found {
		text := e.Error()
		if e.Hint != "" {
			text += "; " + e.Hint
		}
		h.Warn("%s", text)
	}
	want := &installSeed{name: seedName(a.Name)}
	want.folder, want.pool = a.seedPlace()
	if want.image, err = s.Image("cidata"); err != nil {
		return nil, err
	}
	want.sum = cloudinit.Sum(want.image)
	return want, nil
}

// seed makes the seed and gives what there is to warn of. Files are the contents of those of the host.
func (in *CloudInit) seed(domain string, files map[string]string) (cloudinit.Seed, diag.List, error) {
	s := cloudinit.Seed{Schema: in.UserData != nil}
	user, meta := in.UserData, in.MetaData
	if user == nil {
		user = in.config(files)
	}
	if meta == nil {
		d := value.NewDict()
		if cloudinit.CheckHostname(domain) == nil {
			d.Set("local-hostname", domain)
		}
		meta = d
	}
	for _, f := range []struct {
		name string
		from any
		text func(any) (string, error)
		to   *cloudinit.File
	}{
		{"user_data", user, cloudinit.Text, &s.User},
		{"meta_data", meta, cloudinit.Plain, &s.Meta},
		{"network_config", in.NetworkConfig, cloudinit.Plain, &s.Network},
	} {
		name := "cloud_init." + f.name
		if p := hostFile(f.from); p != "" {
			f.from = files[p]
		}
		text, err := f.text(f.from)
		if err != nil {
			return s, nil, &modules.ArgError{Path: []any{"cloud_init", f.name}, Msg: name + " " + err.Error()}
		}
		*f.to = cloudinit.File{Name: name, Text: text}
	}
	found := s.Check()
	for _, e := range found {
		if e.Severity == diag.Fatal {
			_, arg, _ := strings.Cut(e.Pos.File, ".")
			return s, nil, &modules.ArgError{Path: []any{"cloud_init", arg}, Msg: e.Error(), Hint: e.Hint}
		}
	}
	s, err := s.Identify("")
	return s, found, err
}

// config is the cloud-config of what is given in place of user-data.
func (in *CloudInit) config(files map[string]string) *value.Dict {
	line := func(given string) string {
		if p := hostFile(given); p != "" {
			given, _, _ = strings.Cut(files[p], "\n")
		}
		return strings.TrimRight(given, "\r\n")
	}
	password := in.RootPassword.Reveal()
	if in.RootPasswordFile != "" {
		password = line(in.RootPasswordFile)
	}
	d := value.NewDict()
	if password != "" {
		d.Set("chpasswd", value.NewDict("expire", false, "list", "root:"+password+"\n"))
	}
	if in.RootSSHKey != "" {
		d.Set("disable_root", false) // which images set, and which makes a key of root's useless
		d.Set("users", value.NewList("default", value.NewDict("name", "root", "ssh_authorized_keys", value.NewList(line(in.RootSSHKey)))))
	}
	if in.CloudUserSSHKey != "" {
		d.Set("ssh_authorized_keys", value.NewList(line(in.CloudUserSSHKey)))
	}
	if in.Disable {
		d.Set("runcmd", value.NewList(value.NewList("touch", "/etc/cloud/cloud-init.disabled")))
	}
	return d
}
