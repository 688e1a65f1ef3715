package virt

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestPool(t *testing.T) { moduletest.Run(t, Pool, "testdata/pool/*.txtar") }

func TestPoolMistakes(t *testing.T) {
	with := func(kind string, pairs ...any) []any {
		return append([]any{"name", "p", "state", "active", "type", kind}, pairs...)
	}
	source := func(pairs ...any) *value.Dict { return value.NewDict(pairs...) }
	refuses(t, Pool, []mistake{
		{"expected state or command parameter to be specified", []any{"name", "p"}},
		{"state change requires a specified name", []any{"state", "active"}},
		{"build requires 1 argument: name", []any{"command", "build"}},
		{"define requires xml argument", []any{"command", "define", "name", "p"}},
		{"mode zeroed cannot be honoured", []any{"command", "delete", "name", "p", "mode", "zeroed"}},
		{"xml: line 1: the element is <network>, not <pool>", []any{"name", "p", "state", "present", "xml", "<network/>"}},
		{"sheepdog are gone", []any{"name", "p", "state", "present", "xml", "<pool type='sheepdog'/>"}},
		{"does not match name in XML", []any{"name", "p", "state", "present", "xml", "<pool type='dir'><name>q</name></pool>"}},
		{"type is missing", []any{"name", "p", "state", "active", "path", "/x"}},
		{"a pool of type dir needs path", with("dir")},
		{"path must be an absolute one", with("dir", "path", "srv")},
		{"path must be an absolute one", with("dir", "path", "/srv/../etc")},
		{"a pool of type netfs needs source.dir", with("netfs", "path", "/srv", "source", source("host", "nas"))},
		{"a pool of type rbd needs auth", with("rbd", "source", source("host", "mon", "name", "vms"))},
		{"a pool of type iscsi needs source.hosts", with("iscsi", "source", source("device", "iqn.2026-01.org.example:d"))},
		{`"iqn.2026-13.org.example:d" is no name of an iSCSI node`, with("iscsi", "source", source("host", "san", "device", "iqn.2026-13.org.example:d"))},
		{"auth needs username and one of", with("iscsi", "source", source("host", "san", "device", "iqn.2026-01.org.example:d"), "auth", source("type", "chap"))},
		{`"a b" is no NAME or NAME:PORT`, with("netfs", "path", "/srv", "source", source("host", "a b", "dir", "/e"))},
		{"permissions.mode must be octal", with("dir", "path", "/srv", "permissions", source("mode", "rwx"))},
		{`permissions.owner must be a number or a name, not "a b"`, with("dir", "path", "/srv", "permissions", source("owner", "a b"))},
		{`permissions.group must be a number or a name, not "-x"`, with("dir", "path", "/srv", "permissions", source("group", "-x"))},
		{`argument "type" must be one of`, with("sheepdog")},
		{`name "p q" is an odd one`, []any{"name", "p q", "state", "active"}},
	})
}

// TestPoolFields holds the XML of every type of pool, and that libvirt knows all of it.
func TestPoolFields(t *testing.T) {
	chap := PoolAuth{Type: "chap", Username: "u", SecretUsage: "san"}
	ceph := PoolAuth{Type: "ceph", Username: "libvirt", SecretUUID: "b181ec9a-b337-47eb-a556-a4c1731f8005"}
	target := []string{"iqn.2026-01.org.example:d"}
	for kind, c := range map[PoolType]struct {
		fields PoolFields
		want   string
	}{
		"dir":          {PoolFields{Path: "/srv/a/", Permissions: Permissions{Mode: "0711", Owner: "64055", Group: "0", Label: "system_u:object_r:virt_image_t:s0"}}, `<pool type="dir"><name>p</name><target><path>/srv/a</path><permissions><mode>0711</mode><owner>64055</owner><group>0</group><label>system_u:object_r:virt_image_t:s0</label></permissions></target></pool>`},
		"fs":           {PoolFields{Path: "/srv", Source: PoolSource{Devices: []string{"/dev/sdb1"}, Format: "xfs"}}, `<pool type="fs"><name>p</name><source><device path="/dev/sdb1"/><format type="xfs"/></source><target><path>/srv</path></target></pool>`},
		"netfs":        {PoolFields{Path: "/srv", Source: PoolSource{Hosts: []string{"nas"}, Dir: "/e", Format: "nfs", ProtocolVersion: "4.1"}}, `<pool type="netfs"><name>p</name><source><host name="nas"/><dir path="/e"/><format type="nfs"/><protocol ver="4.1"/></source><target><path>/srv</path></target></pool>`},
		"logical":      {PoolFields{Source: PoolSource{Name: "vg0", Format: "lvm2"}}, `<pool type="logical"><name>p</name><source><name>vg0</name><format type="lvm2"/></source><target><path>/dev/vg0</path></target></pool>`},
		"disk":         {PoolFields{Source: PoolSource{Devices: []string{"/dev/sdb"}, Format: "gpt"}}, `<pool type="disk"><name>p</name><source><device path="/dev/sdb"/><format type="gpt"/></source><target><path>/dev</path></target></pool>`},
		"iscsi":        {PoolFields{Source: PoolSource{Hosts: []string{"san:3261"}, Devices: target}, Auth: chap}, `<pool type="iscsi"><name>p</name><source><host name="san" port="3261"/><device path="iqn.2026-01.org.example:d"/><auth type="chap" username="u"><secret usage="san"/></auth></source><target><path>/dev/disk/by-path</path></target></pool>`},
		"iscsi-direct": {PoolFields{Source: PoolSource{Hosts: []string{"[fd00::1]:3260"}, Devices: target, Initiator: "iqn.2026-01.org.example:hv1"}}, `<pool type="iscsi-direct"><name>p</name><source><host name="fd00::1" port="3260"/><device path="iqn.2026-01.org.example:d"/><initiator><iqn name="iqn.2026-01.org.example:hv1"/></initiator></source></pool>`},
		"rbd":          {PoolFields{Source: PoolSource{Hosts: []string{"m1:6789", "m2"}, Name: "vms"}, Auth: ceph}, `<pool type="rbd"><name>p</name><source><host name="m1" port="6789"/><host name="m2"/><name>vms</name><auth type="ceph" username="libvirt"><secret uuid="b181ec9a-b337-47eb-a556-a4c1731f8005"/></auth></source></pool>`},
		"gluster":      {PoolFields{Source: PoolSource{Hosts: []string{"g1"}, Name: "vol", Dir: "/"}}, `<pool type="gluster"><name>p</name><source><host name="g1"/><dir path="/"/><name>vol</name></source></pool>`},
		"zfs":          {PoolFields{Source: PoolSource{Name: "tank"}}, `<pool type="zfs"><name>p</name><source><name>tank</name></source></pool>`},
		"scsi":         {PoolFields{Source: PoolSource{Adapter: "host0"}}, `<pool type="scsi"><name>p</name><source><adapter type="scsi_host" name="host0"/></source><target><path>/dev/disk/by-path</path></target></pool>`},
		"mpath":        {PoolFields{}, `<pool type="mpath"><name>p</name><target><path>/dev/mapper</path></target></pool>`},
	} {
		doc, err := c.fields.build("p", kind)
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		want, err := libvirt.Parse(c.want)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.String(), doc.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
		if problems, _ := libvirt.Unknown(doc, 0); len(problems) > 0 {
			t.Errorf("%s: %v", kind, problems)
		}
	}
}
