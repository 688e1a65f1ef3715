//go:build integration

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestISOLibrary plays the example on a hypervisor with libvirt. What a guest has in its drive stays.
func TestISOLibrary(t *testing.T) {
	v, bin := startHypervisor(t), hostlerBinary(t)
	example, err := os.ReadFile("../examples/iso-library/site.yml")
	if err != nil {
		t.Fatal(err)
	}
	play := func(names ...string) string {
		t.Helper()
		var list []string
		for _, name := range names {
			file := filepath.Join(v.dir, "site-"+name)
			if _, err := os.Stat(file); err != nil {
				v.write("user-data", "#!/bin/sh\necho "+name+"\n")
				v.write("meta-data", "local-hostname: "+strings.TrimSuffix(name, ".iso")+"\n")
				tool(t, v.dir, bin, "seed", "--user-data", "user-data", "--meta-data", "meta-data", "--output", file)
			}
			list = append(list, `{"name": "`+name+`", "url": "file://`+file+`", "checksum": "sha256:`+sha256Of(t, file)+`"}`)
		}
		out, code := v.play(v.write("site.yml", strings.Replace(string(example), "hosts: hypervisors", "hosts: all", 1)), bin, "play",
			"-e", `{"isos": [`+strings.Join(list, ", ")+`]}`)
		if code != 0 {
			t.Fatalf("%v: ended with %d:\n%s", names, code, out)
		}
		return out
	}
	want := func(out, recap string, names ...string) {
		t.Helper()
		if !strings.Contains(out, recap) {
			t.Errorf("%v: want %s:\n%s", names, recap, out)
		}
		got := v.virsh("vol-list", "isos")
		for _, name := range names {
			if !strings.Contains(got, "/srv/iso/"+name) {
				t.Errorf("the pool has %s, want %v", got, names)
			}
		}
	}
	want(play("one.iso", "two.iso"), "changed=3", "one.iso", "two.iso")
	want(play("one.iso", "two.iso"), "changed=0", "one.iso", "two.iso")
	v.virsh("define", v.write("d.xml", "<domain type='qemu'><name>vm1</name><memory unit='MiB'>16</memory><os><type>hvm</type></os><devices>"+
		"<disk type='file' device='cdrom'><source file='/srv/iso/two.iso'/><target dev='sda' bus='sata'/></disk></devices></domain>"))
	out := play("one.iso")
	want(out, "changed=0", "one.iso", "two.iso")
	if !strings.Contains(out, "two.iso is not in the list and stays, for") {
		t.Errorf("no warning:\n%s", out)
	}
	v.virsh("undefine", "vm1")
	want(play("one.iso"), "changed=1", "one.iso")
	if got := v.virsh("vol-list", "isos"); strings.Contains(got, "two.iso") || !strings.Contains(got, "one.iso") {
		t.Errorf("the pool has %s", got)
	}
}
