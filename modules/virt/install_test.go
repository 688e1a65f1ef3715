package virt

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestInstall(t *testing.T) { moduletest.Run(t, Install, "testdata/install/*.txtar") }

// installYAML gives the command that arguments in YAML come to.
func installYAML(t *testing.T, text string) (*installCommand, error) {
	t.Helper()
	return installArgs(t, text).command()
}

func installArgs(t *testing.T, text string) InstallArgs {
	t.Helper()
	docs, _, err := document.Parse("args.yml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	v, err := docs[0].Value(docs[0].Root)
	if err != nil {
		t.Fatal(err)
	}
	a, _, err := modules.Decode[InstallArgs](Install, v.(*value.Dict))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestInstallArgv(t *testing.T) {
	const min = "name: web\nmemory: 1024\nimport: true\nosinfo: generic\n"
	for _, c := range []struct {
		args string
		want []string // besides the common ones
	}{
		{"memory: 2G", []string{"--memory=2048"}},
		{"memory: 1.5GiB", []string{"--memory=1536"}},
		{"memory: 1000000KB", []string{"--memory=954"}},
		{"memory_opts: {current_memory: 512, max_memory: 4096, max_memory_opts: {slots: 2}}", []string{"--memory=1024,currentMemory=512,maxMemory=4096,maxMemory.slots=2"}},
		{"vcpus: 2\nvcpus_opts: {maxvcpus: 4, cpuset: '1-4,6', placement: static}", []string{`--vcpus=2,maxvcpus=4,cpuset="1-4,6",vcpu.placement=static`}},
		{"vcpus: {count: 2, maximum: 4, sockets: 1}", []string{"--vcpus=vcpus=2,maxvcpus=4,sockets=1"}},
		{"osinfo: {name: debian12}", []string{"--os-variant=name=debian12"}},
		{"osinfo: {detect: true, require: false}", []string{"--os-variant=detect=on,require=off"}},
		{"cpu: host-passthrough", []string{"--cpu=host-passthrough"}},
		{"cpu: {model: qemu64, model_opts: {fallback: allow}, features: {vmx: require, svm: {policy: disable}, sse: {}}, migratable: true}", []string{"--cpu=qemu64,require=vmx,disable=svm,force=sse,model.fallback=allow,migratable=yes"}},
		{"features: {acpi: {}, smm: {state: true}, hyperv.spinlocks: {state: false}}", []string{"--features=acpi=on,smm.state=on,hyperv.spinlocks.state=off"}},
		{"clock: {offset: utc, timers: [{name: rtc, tickpolicy: catchup}]}", []string{"--clock=offset=utc,timer0.name=rtc,timer0.tickpolicy=catchup"}},
		{"cputune: {vcpupin_specs: [{vcpu: 0, cpuset: '1,2'}]}", []string{`--cputune=vcpupin0.vcpu=0,vcpupin0.cpuset="1,2"`}},
		{"memorybacking: {hugepages: true, hugepage_specs: [{page_size: 2, nodeset: 0}]}", []string{"--memorybacking=hugepages=yes,hugepages.page0.size=2,hugepages.page0.nodeset=0"}},
		{"disks: [{path: '/srv/a, b\"c.img', size: 512M, format: qcow2, cache: none}]", []string{`--disk=path="/srv/a, b\"c.img",size=0.5,format=qcow2,cache=none`}},
		{"disks: [{pool: p, size: 5}, {pool: p, name: v, boot_order: 1}, 'size=1,bus=ide']", []string{"--disk=pool=p,size=5", "--disk=boot.order=1,vol=p/v", "--disk=size=1,bus=ide"}},
		{"disks: none", []string{"--disk=none"}},
		{"networks: []", []string{"--network=none"}},
		{"networks: [{bridge: br0, mac: '52:54:00:AA:00:01', model: {type: virtio}}, {direct: eth0, mtu: 9000, vlan: 7}, {network: n, mac: random, filter: clean}]", []string{
			"--network=bridge=br0,mac=52:54:00:AA:00:01,model.type=virtio", "--network=type=direct,source=eth0,mtu.size=9000,xpath1.set=./vlan/tag/@id,xpath1.value=7", "--network=network=n,filterref.filter=clean",
		}},
		{"graphics: vnc,port=5901", []string{"--graphics=vnc,port=5901"}},
		{"graphics: {type: spice, listen: 0.0.0.0}\ngraphics_devices: [{type: vnc}]", []string{"--graphics=type=spice,listen=0.0.0.0", "--graphics=type=vnc"}},
		{"serial: pty\nserial_devices: [{type: file, source.path: /x}]", []string{"--serial=pty", "--serial=type=file,source.path=/x"}},
		{"rng: {model: virtio, driver: {iommu: true}}", []string{"--rng=model=virtio,driver.iommu=on"}},
		{"boot: uefi\nboot_opts: {bootmenu.enable: true}", []string{"--boot=uefi,bootmenu.enable=yes"}},
		{"wait: 61", []string{"--wait=2"}},
		{"wait: -1", []string{"--wait=-1"}},
		{"noreboot: true\nautostart: true\ntransient: true\nhvm: true", []string{"--hvm", "--autostart", "--transient", "--noreboot"}},
		{"reboot_after_install: false", []string{"--noreboot"}},
		{"extra_options: ['--xml=./title=A; rm -rf /']", []string{"--xml=./title=A; rm -rf /"}},
		{"qemu_commandline: '-device foo'", []string{"--qemu-commandline=-device foo"}},
	} {
		text := min
		for line := range strings.Lines(c.args) {
			key, _, _ := strings.Cut(line, ":")
			if strings.Contains(min, "\n"+key+":") {
				i := strings.Index(text, "\n"+key+":") + 1
				text = text[:i] + text[i+strings.Index(text[i:], "\n")+1:]
			}
		}
		cmd, err := installYAML(t, text+c.args+"\n")
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
			continue
		}
		common := []string{"--connect=qemu:///system", "--name=web", "--memory=1024", "--import", "--os-variant=generic", "--noautoconsole"}
		var got []string
		for _, word := range cmd.argv {
			if !slices.Contains(common, word) {
				got = append(got, word)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.args, diff)
		}
	}
}

// TestInstallSecrets holds that no password gets into an argument, and that hidden arguments come whole.
func TestInstallSecrets(t *testing.T) {
	for _, args := range []string{
		"graphics: {type: vnc, password: geheim}",
		"graphics_devices: ['vnc,password=geheim']",
		"unattended: {profile: jeos, admin_password: geheim, user_login: u, user_password: geheim}",
		"unattended: {product_key: geheim}",
		"cloud_init: {native: true, root_password: geheim, user_data: {password: geheim}, network_config: 'x: geheim'}",
		"cloud_init: {native: true, user_data: \"#cloud-config\\npassword: geheim\\n\", meta_data: {a: geheim}}",
	} {
		cmd, err := installYAML(t, "name: web\nmemory: 64\nosinfo: generic\nlocation: http://h/\n"+args+"\n")
		if err != nil {
			t.Errorf("%s: %v", args, err)
			continue
		}
		action := cmd.action(InstallArgs{Name: "web"}, "")
		if words := strings.Join(append(action.Args, action.Argv...), " "); strings.Contains(words, "geheim") {
			t.Errorf("%s: the arguments are %s", args, words)
		}
		if !strings.Contains(string(action.Stdin), "geheim") {
			t.Errorf("%s: the secret is nowhere", args)
		}
	}
}

// TestInstallSeed holds what comes into a seed, where it goes, and that nothing of it gets into an argument.
func TestInstallSeed(t *testing.T) {
	const min = "name: web.example.org\nmemory: 64\nosinfo: generic\n"
	files := map[string]string{"/k/user": "#cloud-config\npassword: geheim\n", "/k/pw": "geheim\nmore\n", "/k/key": "ssh-ed25519 geheim root@a\n"}
	for _, c := range []struct {
		args, user, meta string
		folder, pool     string
	}{
		{"disks: [{path: /srv/a.img}]\ncloud_init: {user_data: {password: geheim}}", "#cloud-config\npassword: geheim\n", "local-hostname: web.example.org", "/srv", ""},
		{"disks: ['/srv/a.img,bus=ide']\ncloud_init: {user_data: /k/user, meta_data: {instance-id: i-1}}", "#cloud-config\npassword: geheim\n", "instance-id: i-1", "/srv", ""},
		{"disks: [{pool: p, size: 1}]\ncloud_init: {root_password_file: /k/pw}", "chpasswd:\n  expire: false\n  list: |\n    root:geheim\n", "instance-id: iid-", "", "p"},
		{"disks: ['vol=p/v']\ncloud_init: {root_password: geheim, disable: true}", "    root:geheim\nruncmd:\n- - touch\n", "instance-id: iid-", "", "p"},
		{"disks: [{path: /dev/vg/v}]\ncloud_init: {root_ssh_key: /k/key, clouduser_ssh_key: ssh-rsa B}", "- ssh-ed25519 geheim root@a\nssh_authorized_keys:\n- ssh-rsa B\n", "instance-id: iid-", "", ""},
		{"disks: none\ncloud_init: {folder: /seeds, user_data: \"#!/bin/sh\\necho geheim\\n\"}", "#!/bin/sh\necho geheim\n", "instance-id: iid-", "/seeds", ""},
	} {
		a := installArgs(t, min+c.args+"\n")
		cmd, err := a.command()
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
			continue
		}
		s, _, err := a.CloudInit.seed(a.Name, files)
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
			continue
		}
		if !strings.Contains(s.User.Text, c.user) || !strings.HasPrefix(s.User.Text, "#") {
			t.Errorf("%s: no %q in the user-data %q", c.args, c.user, s.User.Text)
		}
		if !strings.Contains(s.Meta.Text, c.meta) {
			t.Errorf("%s: no %q in the meta-data %q", c.args, c.meta, s.Meta.Text)
		}
		if folder, pool := a.seedPlace(); folder != c.folder || pool != c.pool {
			t.Errorf("%s: the seed lies in folder %q or pool %q, not in %q or %q", c.args, folder, pool, c.folder, c.pool)
		}
		action := cmd.action(a, "/srv/web.example.org-seed.iso")
		words := strings.Join(append(action.Args, action.Argv...), " ")
		if strings.Contains(words, "geheim") || !strings.Contains(words, "--import") || !strings.Contains(words, "--disk=path=/srv/web.example.org-seed.iso,device=cdrom,serial=hostler-seed") {
			t.Errorf("%s: the arguments are %s", c.args, words)
		}
	}
}

func TestInstallMistakes(t *testing.T) {
	with := func(more ...any) []any {
		return append([]any{"name", "web", "memory", 64, "osinfo", "generic"}, more...)
	}
	install := func(more ...any) []any { return with(append([]any{"import", true}, more...)...) }
	list := func(items ...any) *value.List { return value.NewList(items...) }
	refuses(t, Install, []mistake{
		{`missing required argument "name"`, []any{"memory", 64}},
		{"memory is required", []any{"name", "web", "import", true, "osinfo", "generic"}},
		{`argument "memory" must be a size`, []any{"name", "web", "memory", "much"}},
		{"osinfo is required: a short ID such as debian11, or detect=on,require=off", []any{"name", "web", "memory", 64, "import", true}},
		{"one of these arguments is required: cdrom, location, pxe, import, install, boot, container", with()},
		{"arguments are mutually exclusive: pxe, import", install("pxe", true)},
		{"arguments are mutually exclusive: cdrom, location", with("cdrom", "/a", "location", "/b")},
		{"arguments are mutually exclusive: hvm, paravirt, container", install("hvm", true, "paravirt", true)},
		{"pxe needs an interface, and networks is none", with("pxe", true, "networks", "none")},
		{"extra_args are for the kernel of location, and there is none", install("extra_args", "quiet")},
		{"initrd_inject is for the initrd of location, and there is none", install("initrd_inject", "p.cfg")},
		{`argument "location" is required by "location_opts"`, install("location_opts", "kernel=a")},
		{`argument "container" is required by "init"`, install("init", "/bin/sh")},
		{"container needs uri: lxc:///, not qemu:///system", []any{"name", "c", "memory", 64, "container", true}},
		{"recreate destroys domain web as it is: say confirm_recreate: web", install("recreate", true)},
		{"recreate destroys domain web as it is", install("recreate", true, "confirm_recreate", "db")},
		{"cloud_init.root_password_generate: virt-install draws a password that can be guessed", install("cloud_init", value.NewDict("root_password_generate", true))},
		{"cloud_init needs disks (none for no disk)", install("cloud_init", value.NewDict("disable", true))},
		{"cloud_init does not go with container", []any{"name", "c", "memory", 64, "container", true, "uri", "lxc:///", "cloud_init", value.NewDict("disable", true)}},
		{"cloud_init.folder must be an absolute path on the host, not \"seeds\"", install("disks", "none", "cloud_init", value.NewDict("folder", "seeds"))},
		{"cloud_init.root_password does not go with user_data", install("disks", "none", "cloud_init", value.NewDict("root_password", "geheim", "user_data", value.NewDict("a", 1)))},
		{"cloud_init.user_data:1:1: it begins with", install("disks", "none", "cloud_init", value.NewDict("user_data", "packages: [a]"))},
		{"cloud_init.network_config must be a dict or YAML", install("disks", "none", "cloud_init", value.NewDict("network_config", 7))},
		{"extra_options[0] is one argument of virt-install and begins with -", install("extra_options", list("xml ./title=a"))},
		{"vcpus_opts requires vcpus to be specified", install("vcpus_opts", value.NewDict("maxvcpus", 2))},
		{"vcpus must be 1 or more", install("vcpus", 0)},
		{"iothreads_opts requires iothreads to be specified", install("iothreads_opts", value.NewDict("iothread_specs", list(value.NewDict("id", 1))))},
		{`disks[0].sise is no suboption of virt-install --disk (did you mean "size"?)`, install("disks", list(value.NewDict("path", "/a", "sise", 1)))},
		{"disks[0].size must be a size", install("disks", list(value.NewDict("path", "/a", "size", "big")))},
		{"disks[0].size must be more than 0", install("disks", list(value.NewDict("path", "/a", "size", -1)))},
		{"disks[0].path must be an absolute path on the host", install("disks", list(value.NewDict("path", "a.img")))},
		{"disks[0].path has a line break in it", install("disks", list(value.NewDict("path", "/a\nb")))},
		{"disks[0].name is the name of a volume and needs pool", install("disks", list(value.NewDict("name", "v")))},
		{"disks[0].size and name do not go together", install("disks", list(value.NewDict("pool", "p", "name", "v", "size", 1)))},
		{"networks[0].mac MAC address 53:54:00:00:00:01 is one of a group", install("networks", list(value.NewDict("network", "n", "mac", "53:54:00:00:00:01")))},
		{"networks[1].mac 52:54:00:00:00:0a is another interface's too", install("networks", list(value.NewDict("network", "n", "mac", "52:54:00:00:00:0A"), value.NewDict("network", "n", "mac", "52:54:00:00:00:0a")))},
		{"networks[0].vlan must be a number from 1 to 4094", install("networks", list(value.NewDict("bridge", "b", "vlan", 4095)))},
		{"cpu.modell is no suboption of virt-install --cpu", install("cpu", value.NewDict("modell", "x"))},
		{"cpu.features.vmx must be one of force, require, optional, disable, forbid", install("cpu", value.NewDict("features", value.NewDict("vmx", "maybe")))},
		{"clock must be text or a dict of suboptions", install("clock", list("utc"))},
		{"tpm has a line break in it", install("tpm", "a\nb")},
		{`argument "on_drift" must be one of`, install("on_drift", "mend")},
		{`argument "wait" must be a duration`, install("wait", "soon")},
		{`name "-rf" begins with -`, []any{"name", "-rf", "state", "absent"}},
		{`name "a;b" is an odd one`, []any{"name", "a;b", "state", "absent"}},
		{`name "it's" is an odd one`, []any{"name", "it's", "state", "absent"}},
		{`name "a\nb" has characters in it that cannot be printed`, []any{"name", "a\nb", "state", "absent", "allow_odd_name", true}},
	})
}
