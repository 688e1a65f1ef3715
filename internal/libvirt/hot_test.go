package libvirt

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// liveDomain is what libvirt 9.0 says of a running domain (virsh dumpxml --security-info), shortened.
const liveDomain = `<domain type='qemu' id='1'><name>m</name><uuid>3a63b3ea-9ad3-4b52-b6c8-2233c318e55d</uuid><title>old</title><memory unit='KiB'>65536</memory>
<currentMemory unit='KiB'>65536</currentMemory><vcpu placement='static' current='1'>4</vcpu><os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>
<cpu mode='custom' match='exact' check='full'><model fallback='forbid'>EPYC</model></cpu><devices>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/srv/a.img' index='2'/><backingStore/><target dev='vda' bus='virtio'/><alias name='virtio-disk0'/></disk>
<disk type='file' device='cdrom'><driver name='qemu'/><source index='8'/><target dev='hdc' bus='ide' tray='open'/><readonly/><alias name='ide0-1-0'/></disk>
<interface type='bridge'><mac address='52:54:00:00:00:11'/><source bridge='br0'/><target dev='vnet3'/><model type='virtio'/><alias name='net0'/></interface>
<graphics type='vnc' port='5900' autoport='yes' listen='127.0.0.1' passwd='abc'><listen type='address' address='127.0.0.1'/></graphics>
<memballoon model='virtio'><alias name='balloon0'/></memballoon></devices></domain>`

func TestHotPlan(t *testing.T) {
	const name, devices = "<name>m</name>", "<devices>"
	for what, c := range map[string]struct {
		want, record string
		hot, waiting []string
	}{
		"what libvirt filled in": {want: name + `<vcpu current='1'>4</vcpu><cpu mode='host-model' check='partial'/>` + devices +
			`<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><target dev='hdc' bus='ide'/></disk><graphics type='vnc' port='-1' passwd='abc'/></devices>`},
		"values": {
			want: name + "<title>new</title><description>d</description><memory unit='MiB'>64</memory><currentMemory unit='MiB'>32</currentMemory><vcpu current='2'>4</vcpu>",
			hot:  []string{"title title new", "description description d", "memory currentMemory 32768", "vcpus vcpu/@current 2"},
		},
		"values that wait": {
			want:    name + "<memory unit='MiB'>128</memory><currentMemory unit='MiB'>128</currentMemory><vcpu>2</vcpu><on_crash>restart</on_crash>",
			waiting: []string{"memory", "currentMemory", "vcpu", "on_crash"},
		},
		"fewer vCPUs than there are, of other ones": {want: name + "<vcpu current='2'>8</vcpu>", waiting: []string{"vcpu/@current", "vcpu"}},
		"a new disk and one that cannot be plugged": {
			want: name + devices + `<disk type='file'><source file='/b'/><target dev='vdb' bus='virtio'/></disk>
<disk type='file'><source file='/c'/><target dev='sda' bus='sata'/></disk></devices>`,
			hot: []string{"attach devices/disk[vdb] "}, waiting: []string{"devices/disk[sda]"},
		},
		"another medium, bridge and password": {
			want: name + devices + `<disk type='file' device='cdrom'><source file='/cd.iso'/><target dev='hdc'/></disk>
<interface type='bridge'><source bridge='br1'/><mac address='52:54:00:00:00:11'/></interface><graphics type='vnc' passwd='x'/></devices>`,
			hot: []string{"update devices/disk[hdc] ", "update devices/interface[52:54:00:00:00:11] ", "update devices/graphics[vnc] "},
		},
		"another file and model": {
			want: name + devices + `<disk type='file'><source file='/b'/><target dev='vda'/></disk>
<interface type='bridge'><mac address='52:54:00:00:00:11'/><model type='e1000'/></interface></devices>`,
			waiting: []string{"devices/disk[vda]/source/@file", "devices/interface[52:54:00:00:00:11]/model/@type"},
		},
		"no longer wanted": {
			want:   name,
			record: "title\ndevices/disk[vda]/target/@dev\n-devices/disk[hdc]/target/@dev\ndevices/interface[52:54:00:00:00:11]/model/@type",
			hot:    []string{"detach devices/disk[vda] ", "detach devices/interface[52:54:00:00:00:11] "}, waiting: []string{"title", "devices/disk[hdc]"},
		},
	} {
		t.Run(what, func(t *testing.T) {
			want, err := Parse("<domain type='qemu'>" + c.want + "</domain>")
			if err != nil {
				t.Fatal(err)
			}
			live, err := Parse(liveDomain)
			if err != nil {
				t.Fatal(err)
			}
			config := New("domain", "")
			SetRecord(config, []string{c.record})
			before := live.String()
			hot, waiting := HotPlan(want, live, RecordedLive(config))
			var gotHot, gotWaiting []string
			for _, h := range hot {
				value := h.Value
				if h.Device != nil {
					value = ""
				}
				gotHot = append(gotHot, string(h.Kind)+" "+h.Path+" "+value)
			}
			for _, w := range waiting {
				gotWaiting = append(gotWaiting, w.Path)
			}
			if diff := cmp.Diff(c.hot, gotHot); diff != "" {
				t.Errorf("at once (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.waiting, gotWaiting); diff != "" {
				t.Errorf("waiting (-want +got):\n%s", diff)
			}
			if live.String() != before {
				t.Error("the running definition that was given is altered")
			}
		})
	}
}

// TestHotUpdate holds that a device is given to libvirt as it is, with what is wanted laid over it.
func TestHotUpdate(t *testing.T) {
	live, err := Parse(liveDomain)
	if err != nil {
		t.Fatal(err)
	}
	want, err := Parse(`<domain type='qemu'><devices><interface type='bridge'><mac address='52:54:00:00:00:11'/><source bridge='br1'/><link state='down'/></interface></devices></domain>`)
	if err != nil {
		t.Fatal(err)
	}
	hot, _ := HotPlan(want, live, nil)
	const device = `<interface type="bridge">
  <mac address="52:54:00:00:00:11"/>
  <source bridge="br1"/>
  <target dev="vnet3"/>
  <model type="virtio"/>
  <alias name="net0"/>
  <link state="down"/>
</interface>
`
	if len(hot) != 1 || hot[0].Device.String() != device {
		t.Errorf("got %v", hot)
	}
}
