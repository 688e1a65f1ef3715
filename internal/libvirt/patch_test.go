package libvirt

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const patched = `<domain type='kvm'><name>m</name><memory unit='KiB'>1024</memory><vcpu current='1'>2</vcpu><os><type>hvm</type><boot dev='hd'/></os><devices>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><target dev='vda' bus='virtio'/></disk><disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>
<graphics type='vnc' port='-1'/></devices></domain>`

func TestApply(t *testing.T) {
	set := func(path, text string) Patch { return Patch{Path: path, Set: &text} }
	element := func(path, xml string) Patch {
		n, err := Parse(xml)
		if err != nil {
			t.Fatal(err)
		}
		return Patch{Path: path, Append: n}
	}
	for what, c := range map[string]struct {
		patches []Patch
		want    []string
		gone    []string
		err     string
	}{
		"text and attributes": {
			patches: []Patch{set("vcpu/@current", "2"), set("/domain/os/boot/@dev", "cdrom"), set("devices/disk[vda]/driver/@cache", "none")},
			want: []string{
				`vcpu/@current is "1", wanted "2"`, `os/boot/@dev is "hd", wanted "cdrom"`, `devices/disk[vda]/driver/@cache is missing, wanted "none"`,
			},
		},
		"by number and condition": {
			patches: []Patch{set("devices/disk[#2]/target/@bus", "scsi"), set("devices/graphics[@type='vnc']/@port", "5901"), set("devices/disk[target/@dev=vda]/@device", "lun")},
			want: []string{
				`devices/disk[vda]/@device is "disk", wanted "lun"`, `devices/disk[sda]/target/@bus is "sata", wanted "scsi"`, `devices/graphics[vnc]/@port is "-1", wanted "5901"`,
			},
		},
		"appended": {
			patches: []Patch{element("devices", "<disk type='file'><target dev='vdb'/></disk>"), element("/domain", "<title>t</title>"), element("os", "<boot dev='network'/>")},
			want: []string{
				`os/boot/@dev is "hd", wanted "network"`, `devices/disk[vdb] is missing, wanted "<disk type='file'><target dev='vdb'>"`, `title is missing, wanted "<title>t"`,
			},
		},
		"appended as it is": {patches: []Patch{element("devices", "<disk><target dev='vda'/></disk>"), element("", "<memory unit='MiB'>1</memory>")}},
		"removed": {
			patches: []Patch{{Path: "devices/disk[sda]", Remove: true}, {Path: "devices/rng", Remove: true}, {Path: "vcpu/@current", Remove: true}},
			want:    []string{`vcpu/@current is "1", wanted "2"`, `devices/disk[sda] is "<disk type='file' device='cdrom'><target dev='sda' bus='sata'>", which is no longer wanted`},
			gone:    []string{"devices/disk[sda]"},
		},
		"no such disk":     {patches: []Patch{set("devices/disk[vdb]/@device", "lun")}, err: "xml_patch[0]: devices/disk[vdb]/@device finds nothing: <devices> has no disk[vdb]; the nearest is devices/disk[vda]"},
		"misspelt":         {patches: []Patch{set("vcpus", "2")}, err: "xml_patch[0]: vcpus finds nothing: <domain> has no vcpus; the nearest is vcpu"},
		"nothing is near":  {patches: []Patch{set("os/smbios/@mode", "host")}, err: "xml_patch[0]: os/smbios/@mode finds nothing: <os> has no smbios; the nearest is os"},
		"several":          {patches: []Patch{set("devices/disk/@device", "lun")}, err: "xml_patch[0]: devices/disk/@device: there are 2 <disk> in <devices>: say which, disk[vda]"},
		"removed too deep": {patches: []Patch{{Path: "devices/rng/backend", Remove: true}}, err: "xml_patch[0]: devices/rng/backend finds nothing: <devices> has no rng; the nearest is devices"},
		"the whole":        {patches: []Patch{{Path: "/domain", Remove: true}}, err: `xml_patch[0]: "/domain" is the whole definition`},
		"set of elements":  {patches: []Patch{set("os", "x")}, err: "xml_patch[0]: os has elements in it: set gives an element without any its text; append one in its place"},
	} {
		t.Run(what, func(t *testing.T) {
			doc, err := Parse(patched)
			if err != nil {
				t.Fatal(err)
			}
			before := doc.String()
			got, err := Apply(doc, c.patches)
			if said := errText(err); said != c.err {
				t.Fatalf("error %q, want %q", said, c.err)
			}
			if doc.String() != before {
				t.Error("the definition that was given is altered")
			}
			if err != nil {
				return
			}
			diffs, gone := Changed(doc, got)
			var told []string
			for _, d := range diffs {
				told = append(told, d.String())
			}
			if diff := cmp.Diff(c.want, told); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.gone, gone); diff != "" {
				t.Errorf("gone (-want +got):\n%s", diff)
			}
			again, err := Apply(got, c.patches)
			if err != nil {
				t.Fatal(err)
			}
			if diffs, _ := Changed(got, again); len(diffs) > 0 {
				t.Errorf("the second time changes %v", diffs)
			}
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
