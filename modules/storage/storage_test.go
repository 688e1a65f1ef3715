package storage

import (
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestMount(t *testing.T) { moduletest.Run(t, Mount, "testdata/mount/*.txtar") }

// refusal is what a module must say to arguments.
type refusal struct {
	want string
	args []any
}

// refused wants a module to refuse arguments before it looks at a host.
func refused(t *testing.T, m *modules.Module, cases []refusal) {
	t.Helper()
	for _, c := range cases {
		h := modules.NewHost(modules.HostOptions{})
		r, err := m.Run(t.Context(), h, value.NewDict(c.args...))
		if err != nil || !r.Failed || !strings.Contains(r.Msg, c.want) {
			t.Errorf("%q: failed %v, %q, %v; want %q", c.args, r.Failed, r.Msg, err, c.want)
		}
	}
}

func TestMountMistakes(t *testing.T) {
	refused(t, Mount, []refusal{
		{"state is mounted but all of the following are missing: src, fstype", []any{"path", "/m"}},
		{"state is present but all of the following are missing: fstype", []any{"path", "/m", "src", "/dev/x", "state", "present"}},
		{"path must be absolute: m", []any{"path", "m", "src", "/dev/x", "fstype", "ext4"}},
		{"path cannot be a mount point: /m\nx", []any{"path", "/m\nx", "src", "/dev/x", "fstype", "ext4"}},
		{"the root file system cannot be unmounted", []any{"path", "/usr/..", "state", "unmounted"}},
		{"swap is not mounted", []any{"path", "none", "src", "/dev/x", "fstype", "swap"}},
		{"opts must be one word: a b", []any{"path", "/m", "src", "/dev/x", "fstype", "ext4", "opts", "a b"}},
		{"fstype cannot begin with -: -t", []any{"path", "/m", "src", "/dev/x", "fstype", "-t"}},
		{"option password would stand in fstab", []any{"path", "/m", "src", "//h/s", "fstype", "cifs", "opts", "username=a,password=b"}},
		{"use the argument secret", []any{"path", "/m", "src", "h:/", "fstype", "ceph", "opts", value.NewList("secret=b")}},
		{"secret is for cifs and ceph, not nfs", []any{"path", "/m", "src", "h:/", "fstype", "nfs", "secret", "b"}},
		{"backup_servers is for glusterfs, not nfs", []any{"path", "/m", "src", "h:/", "fstype", "nfs", "backup_servers", "b"}},
	})
}

func TestFstab(t *testing.T) {
	const text = "# one\n\nUUID=a / ext4 errors=remount-ro 0 1\n/dev/b\t/srv/with\\040space\txfs\tdefaults\nbad line\n"
	e, there, err := fstabFind(text, "/srv/with space", "")
	if want := (fstabEntry{"/dev/b", "/srv/with space", "xfs", "defaults", "0", "0"}); e != want || !there || err != nil {
		t.Errorf("found %q, %v, %v; want %q", e, there, err, want)
	}
	e.opts = "noatime"
	if got, want := fstabSet(text, e), strings.Replace(text, "/dev/b\t/srv/with\\040space\txfs\tdefaults", "/dev/b /srv/with\\040space xfs noatime 0 0", 1); got != want {
		t.Errorf("set:\n%s\nwant:\n%s", got, want)
	}
	if got, want := fstabRemove(text, e), "# one\n\nUUID=a / ext4 errors=remount-ro 0 1\nbad line\n"; got != want {
		t.Errorf("removed:\n%s\nwant:\n%s", got, want)
	}
	if got, want := fstabSet("last / ext4 x", fstabEntry{"s", "/p", "t", "o", "0", "0"}), "last / ext4 x\ns /p t o 0 0\n"; got != want {
		t.Errorf("added: %q, want %q", got, want)
	}
	for _, c := range []struct {
		a, b string
		same bool
	}{{"defaults", "", true}, {"a,b", "b,a,defaults", true}, {`context="x,y",a`, `a,context="x,y"`, true}, {"a=1", "a=2", false}} {
		if got := (fstabEntry{opts: c.a}).same(fstabEntry{opts: c.b}); got != c.same {
			t.Errorf("%s and %s: same %v", c.a, c.b, got)
		}
	}
}

func TestFilesystem(t *testing.T) {
	moduletest.Run(t, Filesystem, "testdata/filesystem/*.txtar")
}

func TestFilesystemMistakes(t *testing.T) {
	refused(t, Filesystem, []refusal{
		{"state is present but all of the following are missing: fstype", []any{"dev", "/dev/x"}},
		{"dev cannot be a device: \n", []any{"dev", "\n", "fstype", "xfs"}},
		{`argument "fstype" must be one of btrfs, ext2,`, []any{"dev", "/dev/x", "fstype", "ntfs"}},
		{"module does not support resizing swap filesystem yet.", []any{"dev", "/dev/x", "fstype", "swap", "resizefs", true}},
		{"force and resizefs exclude each other", []any{"dev", "/dev/x", "fstype", "xfs", "resizefs", true, "force", true}},
		{"lvm has no label", []any{"dev", "/dev/x", "fstype", "lvm", "label", "a"}},
		{"label cannot be: -a", []any{"dev", "/dev/x", "fstype", "xfs", "label", "-a"}},
	})
}

func TestLVG(t *testing.T) { moduletest.Run(t, LVG, "testdata/lvg/*.txtar") }

func TestLVGMistakes(t *testing.T) {
	refused(t, LVG, []refusal{
		{"No physical volumes given.", []any{"vg", "vms"}},
		{"vg cannot be the name of a volume group: -f", []any{"vg", "-f", "pvs", "/dev/sdb"}},
		{"vg cannot be the name of a volume group: a b", []any{"vg", "a b", "pvs", "/dev/sdb"}},
		{"pesize must be a number", []any{"vg", "vms", "pvs", "/dev/sdb", "pesize", "4 M"}},
		{"pvs must be paths of devices: sdb", []any{"vg", "vms", "pvs", "sdb"}},
	})
}
