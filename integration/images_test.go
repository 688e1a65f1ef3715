//go:build integration

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// readSeed has cloud-init's own DataSourceNoCloud read the image $1. Where it would mount a device, the names are those that Linux's isofs
// shows (map=normal: lower case, without the version), read by isoinfo, because a kernel may be without isofs.
const readSeed = `
import re, subprocess, sys, tempfile
from cloudinit import helpers, util
from cloudinit.sources import DataSourceNoCloud as nc
image = sys.argv[1]
def names():
    for line in subprocess.check_output(["isoinfo", "-f", "-i", image], text=True).split():
        yield line, re.sub(r"\.?;1$", "", line.lstrip("/")).lower()
def mount(dev, callback, data, *a, **k):
    assert dev == image
    with tempfile.TemporaryDirectory() as d:
        for raw, name in names():
            open(d + "/" + name, "wb").write(subprocess.check_output(["isoinfo", "-i", image, "-x", raw]))
        return callback(d, data)
util.mount_cb = mount
nc.dmi.read_dmi_data = lambda *_: None
nc.load_cmdline_data = lambda *a, **k: False
class Source(nc.DataSourceNoCloud):
    def _get_devices(self, label):
        info = subprocess.check_output(["blkid", "-p", "-o", "export", image], text=True).split("\n")
        return [image] if "TYPE=iso9660" in info and ("LABEL=" + label in info or "LABEL=" + label.upper() in info) else []
with tempfile.TemporaryDirectory() as d:
    paths = helpers.Paths({"cloud_dir": d, "run_dir": d})
    class Distro: name = "debian"
    s = Source({"datasource": {"NoCloud": {}}}, Distro(), paths)
    s.seed_dirs = []
    assert s._get_data() is True, "no seed found"
    print(s.metadata["instance-id"], s.metadata["local-hostname"], s.network_config)
    print(s.get_userdata_raw() if isinstance(s.userdata_raw, str) else s.userdata_raw.decode())
    print(s.vendordata_raw if isinstance(s.vendordata_raw, str) else s.vendordata_raw.decode())
`

// TestSeedIsCloudInits has isoinfo, xorriso, blkid and cloud-init itself read a seed that hostler made.
func TestSeedIsCloudInits(t *testing.T) {
	bin, dir := hostlerBinary(t), t.TempDir()
	for name, text := range map[string]string{
		"user": "#cloud-config\nhostname: vm1\n", "meta": "local-hostname: vm1\n", "vendor": "#!/bin/sh\n" + strings.Repeat("# a long one\n", 400),
		"net": "version: 2\nethernets: {lan: {match: {name: 'en*'}, dhcp4: true}}\n", "read.py": readSeed,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tool := func(argv ...string) string {
		t.Helper()
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", argv, err, out)
		}
		return string(out)
	}
	tool(bin, "seed", "--user-data", "user", "--meta-data", "meta", "--network-config", "net", "--vendor-data", "vendor", "--output", "seed.iso")
	if got, want := tool("isoinfo", "-f", "-i", "seed.iso"), "/meta-data;1\n/network-config;1\n/user-data;1\n/vendor-data;1\n"; strings.ToLower(got) != want {
		t.Errorf("isoinfo lists %q, want %q", got, want)
	}
	if got := tool("isoinfo", "-p", "-i", "seed.iso"); !strings.Contains(got, "Path table starts at") || !strings.Contains(got, "1:") {
		t.Errorf("isoinfo's path table: %s", got)
	}
	if got := tool("xorriso", "-indev", "seed.iso", "-find"); !strings.Contains(strings.ToLower(got), "user-data") {
		t.Errorf("xorriso: %s", got)
	}
	got := tool("/usr/bin/python3", "read.py", filepath.Join(dir, "seed.iso"))
	for _, want := range []string{"iid-", " vm1 ", "'match': {'name': 'en*'}", "#cloud-config\nhostname: vm1\n", strings.Repeat("# a long one\n", 400)} {
		if !strings.Contains(got, want) {
			t.Errorf("cloud-init reads no %q:\n%s", want, got)
		}
	}
}

// TestSeedOnHypervisor makes a seed in a pool, finds it unchanged, ejects it from a domain, and leaves nothing where there is no space.
func TestSeedOnHypervisor(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	step := func(args, recap string, wants ...string) {
		t.Helper()
		out, _ := v.play(v.write("play.yml", "- hosts: all\n  gather_facts: false\n  tasks:\n    - cloud_init_iso: {"+args+"}\n"), bin, "play")
		for _, want := range append(wants, recap) {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", args, want, out)
			}
		}
	}
	shell := func(script, want string) {
		t.Helper()
		if out, _ := v.run("sh", "-c", script); strings.TrimSpace(out) != want {
			t.Errorf("%s: %q, want %q", script, out, want)
		}
	}
	shell("mkdir -p /srv/pool /srv/full && mount -t tmpfs -o size=16k none /srv/full", "")
	v.virsh("pool-define-as", "p", "dir", "--target", "/srv/pool")
	v.virsh("pool-start", "p")
	const seed = "pool: p, name: s.iso, meta_data: {local-hostname: vm1}, user_data: {hostname: vm1}"
	step(seed, "changed=1")
	step(seed, "changed=0")
	shell("stat -c %a /srv/pool/*", "600")
	if got := v.virsh("vol-list", "p"); !strings.Contains(got, "s.iso") {
		t.Errorf("the pool has %s", got)
	}
	v.virsh("define", v.write("d.xml", `<domain type='qemu'><name>g</name><memory unit='MiB'>16</memory><os><type>hvm</type></os>
<devices><disk type='file' device='cdrom'><source file='/srv/pool/s.iso'/><target dev='hdc' bus='ide'/><readonly/></disk></devices></domain>`))
	v.virsh("start", "g")
	step("pool: p, name: s.iso, state: absent, eject_from: g", "changed=1")
	step("pool: p, name: s.iso, state: absent, eject_from: g", "changed=0")
	if got := v.virsh("dumpxml", "g") + v.virsh("dumpxml", "--inactive", "g"); strings.Contains(got, "s.iso") {
		t.Errorf("the domain still has the seed: %s", got)
	}
	shell("ls -A /srv/pool", "")
	step("dest: /srv/full/s.iso, user_data: {hostname: vm1}", "failed=1", "No space left on device")
	shell("ls -A /srv/full", "")
	step("dest: /srv/none/s.iso, user_data: {hostname: vm1}", "failed=1", "the folder /srv/none is not there")
	step("pool: q, user_data: {hostname: vm1}", "failed=1", "Storage pool not found")
}
