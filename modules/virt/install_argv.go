package virt

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

// installCommand is a call of virt-install.
type installCommand struct {
	argv   []string
	files  []installFile
	secret bool // argv holds a password: it must not be seen, nor the result
	checks []installCheck
	want   installWant
}

// installFile is a file that virt-install is to read: its name in a folder of its own, and its content or the controller's file with it.
type installFile struct {
	name, content, local string
}

// installCheck is something that must be on the host.
type installCheck struct {
	kind string // network, pool, bridge, path (a file that is there), new (one that may be made)
	name string
	arg  []any
}

// installWant is what can be compared with a domain that is there.
type installWant struct {
	vcpus    int
	disks    []string
	networks []installNIC
}

type installNIC struct{ kind, source, mac string }

// command makes the call.
func (a InstallArgs) command() (*installCommand, error) {
	c := &installCommand{}
	c.add("connect", string(a.URI))
	c.add("name", a.Name)
	for _, step := range []func(InstallArgs) error{c.size, c.source, c.unattended, c.cloudInit, c.processor, c.hardware, c.disks, c.networks, c.graphics} {
		if err := step(a); err != nil {
			return nil, err
		}
	}
	for _, o := range []struct {
		flag, val string
	}{
		{"virt-type", a.VirtType},
		{"arch", a.Arch},
		{"machine", a.Machine},
		{"qemu-commandline", a.QEMUCommandline},
	} {
		if o.val != "" {
			c.add(o.flag, o.val)
		}
	}
	for _, o := range []struct {
		flag string
		is   bool
	}{
		{"hvm", a.HVM},
		{"paravirt", a.Paravirt},
		{"container", a.Container},
		{"autostart", a.Autostart != nil && *a.Autostart},
		{"transient", a.Transient},
		{"destroy-on-exit", a.DestroyOnExit},
		{"noreboot", a.NoReboot || !a.RebootAfterInstall},
		{"noautoconsole", true},
	} {
		if o.is {
			c.argv = append(c.argv, "--"+o.flag)
		}
	}
	switch {
	case a.Wait < 0:
		c.add("wait", "-1")
	case a.Wait > 0:
		c.add("wait", strconv.Itoa(int((time.Duration(a.Wait)+time.Minute-1)/time.Minute)))
	}
	c.argv = append(c.argv, a.ExtraOptions...)
	return c, nil
}

func (c *installCommand) add(flag, text string) { c.argv = append(c.argv, "--"+flag+"="+text) }

// option adds an option of which the argument gives the text or suboptions.
func (c *installCommand) option(arg []any, flag string, given any) error {
	if given == nil {
		return nil
	}
	text, err := optionText(arg, flag, given)
	if err != nil {
		return err
	}
	c.add(flag, text)
	return nil
}

// both adds an option that has a main value and further suboptions in an argument of their own.
func (c *installCommand) both(arg, flag string, given any, moreArg string, more any) error {
	if given == nil && more == nil {
		return nil
	}
	if given == nil {
		return &modules.ArgError{Path: []any{moreArg}, Msg: moreArg + " requires " + arg + " to be specified"}
	}
	text, err := optionText([]any{arg}, flag, given)
	if err != nil {
		return err
	}
	if more != nil {
		rest, err := optionText([]any{moreArg}, flag, more)
		if err != nil {
			return err
		}
		text += "," + rest
	}
	c.add(flag, text)
	return nil
}

// size adds memory, processors and I/O threads.
func (c *installCommand) size(a InstallArgs) error {
	if err := c.both("memory", "memory", strconv.Itoa(int(a.Memory)), "memory_opts", a.MemoryOpts); err != nil {
		return err
	}
	switch v := a.VCPUs.(type) {
	case *value.Dict:
		for _, key := range []string{"count", "vcpus"} {
			if n, ok := v.Get(key); ok {
				count, err := modules.Int(n)
				if err != nil || count < 1 {
					return optionError([]any{"vcpus", key}, "must be 1 or more")
				}
				c.want.vcpus = int(count)
			}
		}
	case nil:
		if a.VCPUsOpts != nil {
			return &modules.ArgError{Path: []any{"vcpus_opts"}, Msg: "vcpus_opts requires vcpus to be specified"}
		}
	default:
		if n, err := modules.Int(v); err == nil {
			if c.want.vcpus = int(n); n < 1 {
				return optionError([]any{"vcpus"}, "must be 1 or more")
			}
		}
	}
	if err := c.both("vcpus", "vcpus", a.VCPUs, "vcpus_opts", a.VCPUsOpts); err != nil {
		return err
	}
	return c.both("iothreads", "iothreads", a.IOThreads, "iothreads_opts", a.IOThreadsOpts)
}

// processor adds the CPU, whose model stands without a name and whose features are named by their policy.
func (c *installCommand) processor(a InstallArgs) error {
	d, ok := a.CPU.(*value.Dict)
	if !ok {
		return c.option([]any{"cpu"}, "cpu", a.CPU)
	}
	d = d.Copy()
	var parts []string
	if model := d.Str("model"); model != "" {
		parts = append(parts, quoteSuboption(model))
	}
	features, _ := d.Get("features")
	d.Delete("model")
	d.Delete("features")
	if all, ok := features.(*value.Dict); ok {
		for k, v := range all.All() {
			policy := "force"
			switch v := v.(type) {
			case string:
				policy = v
			case *value.Dict:
				if p := v.Str("policy"); p != "" {
					policy = p
				}
			}
			policies := []string{"force", "require", "optional", "disable", "forbid"}
			if !slices.Contains(policies, policy) {
				return optionError([]any{"cpu", "features", k}, "must be one of "+strings.Join(policies, ", "))
			}
			parts = append(parts, policy+"="+quoteSuboption(fmt.Sprint(k)))
		}
	} else if features != nil {
		return optionError([]any{"cpu", "features"}, "must be a dict of policies by the feature's name")
	}
	if d.Len() > 0 {
		text, err := optionText([]any{"cpu"}, "cpu", d)
		if err != nil {
			return err
		}
		parts = append(parts, text)
	}
	c.add("cpu", strings.Join(parts, ","))
	return nil
}

// source adds where the system comes from.
func (c *installCommand) source(a InstallArgs) error {
	if a.Cdrom != "" {
		c.add("cdrom", a.Cdrom)
		c.there([]any{"cdrom"}, a.Cdrom)
	}
	if a.Location != "" {
		c.there([]any{"location"}, string(a.Location))
		if err := c.both("location", "location", quoteSuboption(string(a.Location)), "location_opts", a.LocationOpts); err != nil {
			return err
		}
	}
	for flag, is := range map[string]bool{"pxe": a.PXE, "import": a.Import || a.seedAlone()} {
		if is {
			c.argv = append(c.argv, "--"+flag)
		}
	}
	if err := c.option([]any{"install"}, "install", a.InstallOpts); err != nil {
		return err
	}
	if err := c.bootOrder(a); err != nil {
		return err
	}
	if a.OSInfo != nil {
		text, err := optionText([]any{"osinfo"}, "osinfo", a.OSInfo)
		if err != nil {
			return err
		}
		c.add("os-variant", text) // which every version knows, also those before 4.0, where it got its second name
	}
	return c.kernel(a)
}

// kernel adds what is for the kernel that installs.
func (c *installCommand) kernel(a InstallArgs) error {
	switch v := a.ExtraArgs.(type) {
	case nil:
	case *value.List:
		var words []string
		for i, item := range v.Items {
			word, err := modules.Str(item)
			if err != nil || word == "" || strings.ContainsAny(word, "\n\x00") {
				return optionError([]any{"extra_args", i}, "must be text on one line")
			}
			words = append(words, word)
		}
		c.add("extra-args", strings.Join(words, " "))
	default:
		text, err := modules.Str(v)
		if err != nil || strings.ContainsAny(text, "\n\x00") {
			return optionError([]any{"extra_args"}, "must be text on one line, or a list")
		}
		c.add("extra-args", text)
	}
	for i, f := range a.InitrdInject {
		if path.IsAbs(f) {
			c.there([]any{"initrd_inject", i}, f)
			c.add("initrd-inject", f)
			continue
		}
		name := fmt.Sprintf("inject%d/%s", i, path.Base(f))
		c.files = append(c.files, installFile{name: name, local: f})
		c.add("initrd-inject", name)
	}
	return nil
}

// bootOrder adds --boot, whose text may be followed by suboptions and the first program of a container.
func (c *installCommand) bootOrder(a InstallArgs) error {
	var parts []string
	for _, o := range []struct {
		arg   string
		given any
	}{
		{"boot", a.Boot},
		{"boot_opts", a.BootOpts},
	} {
		if o.given == nil {
			continue
		}
		text, err := optionText([]any{o.arg}, "boot", o.given)
		if err != nil {
			return err
		}
		parts = append(parts, text)
	}
	if a.Init != "" {
		parts = append(parts, "init="+quoteSuboption(a.Init))
	}
	if len(parts) > 0 {
		c.add("boot", strings.Join(parts, ","))
	}
	return nil
}

// hardware adds the devices and settings that need no thought.
func (c *installCommand) hardware(a InstallArgs) error {
	for _, o := range a.options() {
		if !o.many {
			if err := c.option([]any{o.arg}, o.flag, o.given); err != nil {
				return err
			}
			continue
		}
		if err := c.several(o); err != nil {
			return err
		}
	}
	return nil
}

func (c *installCommand) several(o hardwareOption) error {
	for _, from := range []struct {
		arg   string
		given any
	}{
		{o.arg, o.given},
		{o.more, o.rest},
	} {
		items := itemsOf(from.given)
		for i, item := range items {
			at := []any{from.arg}
			if _, listed := from.given.(*value.List); listed {
				at = append(at, i)
			}
			if err := c.option(at, o.flag, item); err != nil {
				return err
			}
		}
	}
	return nil
}

// graphics adds displays, whose passwords hide the whole call.
func (c *installCommand) graphics(a InstallArgs) error {
	for _, given := range []any{a.Graphics, a.MoreGraphics} {
		for _, item := range itemsOf(given) {
			d, ok := item.(*value.Dict)
			text, isText := item.(string)
			c.secret = c.secret || ok && d.Str("password") != "" || isText && strings.Contains(text, "password=")
		}
	}
	return c.several(hardwareOption{arg: "graphics", flag: "graphics", given: a.Graphics, more: "graphics_devices", rest: a.MoreGraphics})
}

// there notes a path that must be on the host.
func (c *installCommand) there(arg []any, p string) {
	if path.IsAbs(p) {
		c.checks = append(c.checks, installCheck{"path", p, arg})
	}
}

// private adds a file with the content and gives its name.
func (c *installCommand) private(name, content string) string {
	c.files = append(c.files, installFile{name: name, content: content})
	return name
}

func (c *installCommand) unattended(a InstallArgs) error {
	u := a.Unattended
	if u == nil {
		return nil
	}
	var parts []string
	add := func(key, val string) {
		if val != "" {
			parts = append(parts, key+"="+quoteSuboption(val))
		}
	}
	password := func(name string, text secret.Text, file string) {
		if !text.IsZero() {
			file = c.private(name, text.Reveal()+"\n")
		}
		add(name, file)
	}
	add("profile", u.Profile)
	password("admin-password-file", u.AdminPassword, u.AdminPasswordFile)
	add("user-login", u.UserLogin)
	password("user-password-file", u.UserPassword, u.UserPasswordFile)
	if !u.ProductKey.IsZero() {
		add("product-key", u.ProductKey.Reveal())
		c.secret = true
	}
	add("reg-login", u.RegLogin)
	if len(parts) == 0 {
		c.argv = append(c.argv, "--unattended")
		return nil
	}
	c.add("unattended", strings.Join(parts, ","))
	return nil
}

func (c *installCommand) cloudInit(a InstallArgs) error {
	in := a.CloudInit
	switch {
	case in == nil:
		return nil
	case !in.Native:
		return a.checkSeed()
	}
	var parts []string
	add := func(key, val string) {
		if val != "" {
			parts = append(parts, key+"="+quoteSuboption(val))
		}
	}
	if in.Disable {
		add("disable", "on")
	}
	if !in.RootPassword.IsZero() {
		add("root-password-file", c.private("root-password", in.RootPassword.Reveal()+"\n"))
	}
	add("root-password-file", in.RootPasswordFile)
	for _, key := range []struct{ name, val string }{{"root-ssh-key", in.RootSSHKey}, {"clouduser-ssh-key", in.CloudUserSSHKey}} {
		if key.val != "" && !path.IsAbs(key.val) {
			key.val = c.private(key.name, key.val+"\n")
		}
		add(key.name, key.val)
	}
	meta := in.MetaData
	if meta == nil {
		meta = value.NewDict("instance-id", a.Name, "local-hostname", a.Name)
	}
	for _, one := range []struct {
		arg, name, header string
		given             any
	}{
		{"user_data", "user-data", "#cloud-config\n", in.UserData},
		{"meta_data", "meta-data", "", meta},
		{"network_config", "network-config", "", in.NetworkConfig},
	} {
		switch v := one.given.(type) {
		case nil:
		case string:
			if path.IsAbs(v) && !strings.Contains(v, "\n") {
				c.there([]any{"cloud_init", one.arg}, v)
				add(one.name, v)
				continue
			}
			add(one.name, c.private(one.name, v))
		case *value.Dict:
			text, err := value.EncodeJSON(v, value.JSONOptions{}) // which is YAML
			if err != nil {
				return fmt.Errorf("cloud_init.%s: %w", one.arg, err)
			}
			add(one.name, c.private(one.name, one.header+text+"\n"))
		default:
			return optionError([]any{"cloud_init", one.arg}, "must be text or a dict")
		}
	}
	c.add("cloud-init", strings.Join(parts, ","))
	return nil
}

// maxInject is how large the controller's files may be that go into an initrd.
const maxInject = 8 << 20

// fetch reads the controller's files.
func (c *installCommand) fetch(h *modules.Host) error {
	for i, f := range c.files {
		if f.local == "" {
			continue
		}
		if h.Local() == nil {
			return fmt.Errorf("read %s: there are no files of the controller here", f.local)
		}
		found, err := h.Local().Find("files", f.local)
		if err != nil {
			return err
		}
		r, err := h.Local().Open(found)
		if err != nil {
			return fmt.Errorf("read %s: %w", found, err)
		}
		data, err := io.ReadAll(io.LimitReader(r, maxInject+1))
		_ = r.Close()
		if err != nil {
			return fmt.Errorf("read %s: %w", found, err)
		}
		if len(data) > maxInject {
			return fmt.Errorf("read %s: it is larger than %d bytes", found, maxInject)
		}
		c.files[i].content = string(data)
	}
	return nil
}
