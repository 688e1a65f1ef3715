package libvirt

import (
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	for name, want := range map[string]string{
		"web-01": "", "a": "", "x.y_z+1:2@3": "", ".hidden": "",
		"":                       "name is empty",
		"-rf":                    `name "-rf" begins with -`,
		"a/b":                    "has a slash",
		"..":                     "cannot be the name of a file",
		"a\nb":                   "cannot be printed",
		"a\xffb":                 "cannot be printed",
		"a;b":                    "allow_odd_name: true takes it",
		"it's":                   "allow_odd_name: true takes it",
		`say "hi"`:               "allow_odd_name: true takes it",
		strings.Repeat("a", 64):  "allow_odd_name: true takes it",
		strings.Repeat("a", 256): "255 is the most",
	} {
		err := CheckName(name, false)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", name, err, want)
		}
	}
	for _, name := range []string{"a;b", "it's", "Büro 1"} {
		if err := CheckName(name, true); err != nil {
			t.Errorf("%q meant: %v", name, err)
		}
	}
	for _, name := range []string{"-x", "a/b", "a\nb"} {
		if err := CheckName(name, true); err == nil {
			t.Errorf("%q is never a name", name)
		}
	}
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"52:54:00:AB:cd:01": "52:54:00:ab:cd:01", "52-54-00-ab-cd-01": "52:54:00:ab:cd:01",
		"53:54:00:ab:cd:01": "one of a group", "52:54:00": "must be a MAC address", "52:54:00:ab:cd:0g": "must be a MAC address",
	} {
		got, err := ParseMAC(text)
		if got != want && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %q, %v; want %q", text, got, err, want)
		}
	}
	seen := map[string]bool{}
	for round := range 3 {
		for index := range 3 {
			mac := AutoMAC("web", "web-01", index, round)
			if again := AutoMAC("web", "web-01", index, round); again != mac || seen[mac] {
				t.Errorf("%s, then %s, seen %v", mac, again, seen[mac])
			}
			if canon, err := ParseMAC(mac); canon != mac || err != nil {
				t.Errorf("%s: %s, %v", mac, canon, err)
			}
			seen[mac] = true
		}
	}
	for text, want := range map[string]string{
		"B181EC9AB33747EBA556A4C1731F8005":       "b181ec9a-b337-47eb-a556-a4c1731f8005",
		" b181ec9a-b337-47eb-a556-a4c1731f8005 ": "b181ec9a-b337-47eb-a556-a4c1731f8005",
		"b181ec9a-b337":                          "",
	} {
		if got, err := ParseUUID(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	u := NameUUID("ceph", "client.libvirt secret")
	if canon, err := ParseUUID(u); canon != u || err != nil || u[14] != '5' || u == NameUUID("ceph", "other") {
		t.Errorf("UUID %s, %v", u, err)
	}
}

func TestVersion(t *testing.T) {
	for text, want := range map[string]Version{"9.0.0\n": SinceDeleteExternal, "10.9.0": SinceInternalUEFI, "4.7.0": SinceISCSIDirect} {
		v, err := ParseVersion(text)
		if err != nil || v != want || v.String() != strings.TrimSpace(text) {
			t.Errorf("%q: %d %s, %v", text, v, v, err)
		}
	}
	for _, text := range []string{"", "9", "a.b.c", "9.0.-1"} {
		if v, err := ParseVersion(text); err == nil {
			t.Errorf("%q is %d", text, v)
		}
	}
	for text, want := range map[string]bool{"11.1.0": false, "11.2.0": true, "11.3.0": true, "11.4.0": false} {
		if v, _ := ParseVersion(text); v.RevertBroken() != want {
			t.Errorf("%s: broken is %v", text, !want)
		}
	}
}

// TestExplain has what virsh 9.0.0 wrote on Debian 12, or what modules older and newer print where a comment says so.
func TestExplain(t *testing.T) {
	for _, c := range []struct {
		text   string
		class  Class
		advice string
	}{
		{"error: failed to get domain 'nope'", NotFound, ""},
		{"error: failed to get network 'nope'\nerror: Network not found: no network with matching name 'nope'", NotFound, ""},
		{"error: failed to get pool 'nope'\nerror: Storage pool not found: no storage pool with matching name 'nope'", NotFound, ""},
		{"error: failed to get vol 'nope'\nerror: Storage volume not found: no storage vol with matching path 'nope'", NotFound, ""},
		{"error: Failed to define domain from dup.xml\nerror: operation failed: domain 'web-01' already exists with uuid b181ec9a-b337-47eb-a556-a4c1731f8005", ConflictUUID, "meanwhile"},
		{"error: Domain is already active", Already, ""},
		{"error: Failed to destroy domain 'min'\nerror: Requested operation is not valid: domain is not running", Already, ""},
		{"error: Failed to start network lab\nerror: Requested operation is not valid: network is already active", Already, ""},
		{"error: Failed to destroy network lab\nerror: Requested operation is not valid: network 'lab' is not active", NetDown, "virt_net: {name: lab, state: active}"},
		{"error: Requested operation is not valid: cannot undefine domain with nvram", HasNVRAM, "nvram: remove or keep"},
		{"error: Requested operation is not valid: cannot delete inactive domain with 2 snapshots", HasSnapshots, "snapshots_metadata"},
		{"error: Requested operation is not valid: cannot delete inactive domain with 1 checkpoints", HasCheckpoints, "checkpoints_metadata"},
		{"error: Refusing to undefine while domain managed save image exists", HasManagedSave, "managed_save"},
		{"error: operation failed: cannot restore domain 'm' uuid b9fe67e2-4006-40e9-ba7a-1db1d47fd055 from a file which belongs to domain 'm' uuid c424636b-1311-4c10-a768-ecdbd19e0d24", HasManagedSave, "virsh start --force-boot m"},
		{"error: Failed to define network from bad.xml\nerror: XML document failed to validate against schema: Unable to validate doc against /usr/share/libvirt/schemas/network.rng\nElement network has extra content: forwad", BadXML, "Element"},
		{"error: unsupported configuration: UEFI requires ACPI on this architecture", BadXML, "<acpi/>"},
		{"error: Failed to update network lab\nerror: Requested operation is not valid: there is an existing dhcp host entry in network 'lab' that matches", Exists, "meanwhile"},
		{"error: Failed to create vol from vol.xml\nerror: storage volume 'a.qcow2' exists already", Exists, ""},
		{"error: Requested operation is not valid: storage pool 'iso' is still active", WrongState, "virt_pool: {name: iso, state: inactive}"},
		{"error: failed to connect to the hypervisor\nerror: Failed to connect socket to '/var/run/libvirt/libvirt-sock': No such file or directory", DaemonDown, "is libvirtd running?"},
		{"error: Failed to connect socket to '/run/libvirt/virtlogd-sock': Connection refused", DaemonDown, "systemctl start virtlogd.socket"},
		{"error: failed to connect to the hypervisor\nerror: internal error: unexpected qemu URI path '/nope', try qemu:///system", DaemonDown, "URI"},
		{"error: Cannot access storage file '/x/a.img' (as uid:64055, gid:108): Permission denied", Permission, "every folder above /x/a.img"},
		{"qemu-system-x86_64: Could not open '/x/a.img': Permission denied", MACDenied, "AppArmor or SELinux"},
		{"qemu-system-x86_64: Failed to get \"write\" lock", ImageLocked, "another QEMU"},
		{"error: operation failed: Failed to connect to remote libvirt URI: Cannot recv data: ssh: Could not resolve hostname hv9", MigrateSSH, "without a question"},
		{"error: Unsafe migration: Migration may lead to data corruption if disks use cache other than none or directsync", Unsafe, "accept_unsafe"},
		{"error: unsupported configuration: revert to external snapshot not supported yet", TooOld, "9.9"},
		{"error: Guest agent is not responding: QEMU guest agent is not connected", Agent, "qemu-guest-agent"},
		{"error: unknown suffix 'XB'", BadSize, ""},
		{"error: this function is not supported by the connection driver: virDomainFoo", Capability, ""},
		{"error: cannot write data to file: No space left on device", NoSpace, "free space"},
		{"error: Failed to define pool from /run/hostler.8IRPLT/f\nerror: operation failed: Storage source conflict with pool: 'p'", Exists, "pool p has the same source or path"},
		{"error: Failed to start pool san\nerror: internal error: /usr/bin/iscsiadm failed new mode for target 'iqn.2026-01.org.example:vms' with status '127'", Capability, "package open-iscsi"},
		{"iscsiadm: initiator reported error (20 - could not connect to iscsid)", DaemonDown, "systemctl start iscsid"},
		{"error: internal error: missing backend for pool type 13 (vstorage)", Capability, "libvirt-daemon-driver-storage-vstorage"},
		{"error: internal error: Child process (/bin/mount -o nodev,nosuid,noexec -t nfs nas:/e /srv/nfs) unexpected exit status 32: mount: /srv/nfs: unknown filesystem type 'nfs'.", Capability, "nfs-common"},
		{"mount: /srv/nfs: bad option; for several filesystems (e.g. nfs, cifs) you might need a /sbin/mount.<type> helper program.", Capability, "nfs-common"},
		{"error: Failed to start network other\nerror: internal error: Network is already in use by interface virbr0", Exists, "virbr0 has addresses of this network"},
		{"error: something else", Other, ""},
	} {
		e := Explain(c.text)
		if strings.Contains(e.Error(), "/run/hostler.") {
			t.Errorf("%s names a file of ours", e)
		}
		if e.Class != c.class || !strings.Contains(e.Advice, c.advice) || strings.HasPrefix(e.Text, "error:") {
			t.Errorf("%s: class %s, want %s; %s", c.text, e.Class, c.class, e)
		}
	}
}
