package virt

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestSnapshot(t *testing.T) { moduletest.Run(t, Snapshot, "testdata/snapshot/*.txtar") }

func TestSnapshotMistakes(t *testing.T) {
	refuses(t, Snapshot, []mistake{
		{`missing required argument "name"`, []any{"domain", "q"}},
		{`missing required argument "domain"`, []any{"name", "s"}},
		{`name "a;b" is an odd one`, []any{"domain", "a;b", "name", "s"}},
		{`name "it's" is an odd one`, []any{"domain", "q", "name", "it's"}},
		{`name "a\nb" has characters in it that cannot be printed`, []any{"domain", "q", "name", "a\nb", "allow_odd_name", true}},
		{`name "--children" begins with -`, []any{"domain", "q", "name", "--children"}},
		{`name "../x" has a slash in it`, []any{"domain", "q", "name", "../x"}},
		{"must be one of auto, yes, no", []any{"domain", "q", "name", "s", "quiesce", "maybe"}},
		{"quiesce: yes is for external snapshots", []any{"domain", "q", "name", "s", "quiesce", true, "type", "internal"}},
		{"quiesce: yes and memory cannot be given together", []any{"domain", "q", "name", "s", "quiesce", true, "memory", true}},
		{"memory_file needs memory: true and an external snapshot", []any{"domain", "q", "name", "s", "memory_file", "/m"}},
		{`memory_file must be an absolute path, not "m"`, []any{"domain", "q", "name", "s", "memory", true, "memory_file", "m"}},
		{"keep must be 1 or more, not -1", []any{"domain", "q", "name", "s", "keep", -1}},
		{"keep and max_age go with state: present only", []any{"domain", "q", "name", "s", "keep", 2, "state", "absent"}},
		{"description has control characters in it", []any{"domain", "q", "name", "s", "description", "a\x1b[2J"}},
		{"arguments are mutually exclusive", []any{"domain", "q", "name", "s", "disks", "vda", "exclude", "vdb"}},
	})
}

// snapshotDomain is a domain with some disks, given as "target format", and more XML of its <os>.
func snapshotDomain(version libvirt.Version, osXML string, disks ...string) domain {
	text := "<domain><name>q</name>" + osXML + "<devices>"
	for _, d := range disks {
		target, format, _ := strings.Cut(d, " ")
		text += "<disk type='file'><driver type='" + format + "'/><source file='/srv/" + target + "'/><target dev='" + target + "'/></disk>"
	}
	doc, err := libvirt.Parse(text + "</devices></domain>")
	if err != nil {
		panic(err)
	}
	return domain{name: "q", exists: true, version: version, config: doc, state: "shut off"}
}

// TestSnapshotGates holds what is done and refused by the release of libvirt and the kind of the domain.
func TestSnapshotGates(t *testing.T) {
	const efi, efiQcow2 = "<os firmware='efi'/>", "<os firmware='efi'><nvram format='qcow2'>/v</nvram></os>"
	internal := &snapshot{name: "s", disks: map[string]string{"vda": ""}}
	external := &snapshot{name: "s", outside: true, disks: map[string]string{"vda": "/srv/vda.s"}}
	for _, c := range []struct {
		name    string
		domain  domain
		args    SnapshotArgs
		has     *snapshot
		want    string // of the first action's command
		refused string
	}{
		{"qcow2", snapshotDomain(9_000_000, "", "vda qcow2"), SnapshotArgs{State: "present", Type: "auto"}, nil, "snapshot-create-as --domain q --name s", ""},
		{"raw", snapshotDomain(9_000_000, "", "vda raw"), SnapshotArgs{State: "present", Type: "auto"}, nil, "--diskspec vda,snapshot=external --disk-only", ""},
		{"raw internal", snapshotDomain(9_000_000, "", "vda raw"), SnapshotArgs{State: "present", Type: "internal"}, nil, "", "domain q cannot have an internal snapshot: disk vda is raw, and only a qcow2 image can hold a snapshot; type: external can be made"},
		{"UEFI of 9.0", snapshotDomain(9_000_000, efiQcow2, "vda qcow2"), SnapshotArgs{State: "present", Type: "internal"}, nil, "", "the domain has UEFI, which libvirt 9.0.0 cannot snapshot internally (10.9 can)"},
		{"UEFI of 10.9", snapshotDomain(10_009_000, efi, "vda qcow2"), SnapshotArgs{State: "present", Type: "internal"}, nil, "", "the variables of the domain's UEFI are no qcow2 image"},
		{"UEFI with qcow2", snapshotDomain(10_009_000, efiQcow2, "vda qcow2"), SnapshotArgs{State: "present", Type: "internal"}, nil, "snapshot-create-as", ""},
		{"back to external", snapshotDomain(9_008_000, "", "vda qcow2"), SnapshotArgs{State: "reverted"}, external, "", "snapshot s of domain q is external, and libvirt 9.8.0 cannot go back to it (needs libvirt 9.9)"},
		{"back to external", snapshotDomain(9_009_000, "", "vda qcow2"), SnapshotArgs{State: "reverted", RevertStart: "running"}, external, "snapshot-revert --domain q --snapshotname s --running", ""},
		{"back in 11.2", snapshotDomain(11_002_000, "", "vda qcow2"), SnapshotArgs{State: "reverted"}, internal, "", "libvirt 11.2.0 destroys an internal snapshot that it goes back to (11.2 and 11.3 do; take another release)"},
		{"back in 11.4", snapshotDomain(11_004_000, "", "vda qcow2"), SnapshotArgs{State: "reverted", RevertStart: "as_was"}, internal, "snapshot-revert --domain q --snapshotname s", ""},
	} {
		c.args.Domain, c.args.Name = "q", "s"
		job := snapshotJob{SnapshotArgs: c.args, host: modules.NewHost(modules.HostOptions{})}
		s := snapshots{domain: c.domain}
		if c.has != nil {
			s.told, s.names = []*snapshot{c.has}, []string{"s"}
		}
		actions, err := job.plan(s)
		if c.refused != "" {
			if err == nil || !strings.Contains(err.Error(), c.refused) {
				t.Errorf("%s: %v; want %q", c.name, err, c.refused)
			}
			continue
		}
		if err != nil || len(actions) != 1 || !strings.HasSuffix(strings.Join(actions[0].Argv, " "), c.want) && !strings.Contains(strings.Join(actions[0].Argv, " "), c.want) {
			t.Errorf("%s: %+v, %v; want %q", c.name, actions, err, c.want)
		}
	}
	old := snapshotJob{SnapshotArgs: SnapshotArgs{Domain: "q", Name: "s"}}
	_, err := old.planDelete(snapshots{domain: snapshotDomain(8_009_000, "", "vda qcow2")}, external)
	if want := "snapshot s of domain q is external, and libvirt 8.9.0 cannot delete it (needs libvirt 9.0"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("delete: %v; want %q", err, want)
	}
}

func TestSnapshotExpires(t *testing.T) {
	one := func(name, parent string, created int64, ours, old bool) *snapshot {
		return &snapshot{name: name, parent: parent, created: created, ours: ours, old: old}
	}
	s := snapshots{told: []*snapshot{
		one("d", "c", 9, true, false), one("b", "a", 5, true, false), one("a", "", 5, true, true), one("c", "b", 7, false, true),
	}}
	for _, c := range []struct {
		keep int
		age  time.Duration
		name string
		want []string
	}{
		{1, 0, "new", []string{"a", "b", "d"}},
		{3, 0, "new", []string{"a"}},
		{2, 0, "d", []string{"a"}},
		{9, time.Hour, "new", []string{"a"}},
		{0, time.Hour, "a", nil},
	} {
		job := snapshotJob{SnapshotArgs: SnapshotArgs{Name: c.name, Keep: c.keep, MaxAge: c.age}}
		var got []string
		for _, gone := range job.expired(s) {
			got = append(got, gone.name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("keep %d, max_age %s, %s: %s", c.keep, c.age, c.name, cmp.Diff(c.want, got))
		}
	}
}
