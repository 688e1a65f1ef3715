package virt

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/moduletest"
)

// packagesArgs are what kvm_host asks of the module of packages.
type packagesArgs struct {
	Use    string      `arg:"use"`
	Name   []string    `arg:"name"`
	Others *value.Dict `arg:"*"`
}

// testPackages stands in for the module package: one change that names what is installed.
func testPackages() *modules.Module {
	return modules.Define("package", "", func(ctx context.Context, h *modules.Host, a packagesArgs) (struct{}, error) {
		_, err := h.Change(ctx, modules.Action{Why: "install " + strings.Join(a.Name, ", "), Argv: append([]string{"use", a.Use}, a.Name...)})
		return struct{}{}, err
	})
}

func TestKVMHost(t *testing.T) {
	moduletest.Run(t, KVMHost(testPackages()), "testdata/kvm_host/*.txtar")
}

func TestKVMHostMistakes(t *testing.T) {
	refuses(t, KVMHost(testPackages()), []mistake{
		{`"a;b" is no name of a package`, []any{"extra_packages", value.NewList("a;b")}},
		{`"-x" is no name of a package`, []any{"extra_packages", value.NewList("-x")}},
		{`"a b" is no name of an account`, []any{"users", value.NewList("a b")}},
		{`"*" is no name of an account`, []any{"users", value.NewList("*")}},
		{"hugepages must be 0 or more", []any{"hugepages", -1}},
		{`argument "hugepages"`, []any{"hugepages", "many"}},
		{`argument "features[0]" must be one of`, []any{"features", value.NewList("libguestfs")}},
		{`argument "daemon" must be one of`, []any{"daemon", "both"}},
		{`argument "shutdown_policy" must be one of`, []any{"shutdown_policy", "poweroff"}},
		{"path", []any{"default_pool", value.NewDict("path", "images")}},
	})
}

func TestParseValidate(t *testing.T) {
	got := parseValidate([]string{
		"  QEMU: Checking for hardware virtualization                                 : PASS",
		"  QEMU: Checking if device /dev/vhost-net exists                             : WARN (Load the 'vhost_net' module to improve performance of virtio networking)",
		"  QEMU: Checking for cgroup 'cpu' controller support                         : FAIL (Enable 'cpu' in kernel Kconfig file or mount/enable cgroup controller in your system)",
		"something else",
	})
	want := []ValidateLine{
		{"hardware virtualization", "PASS", ""},
		{"device /dev/vhost-net exists", "WARN", "Load the 'vhost_net' module to improve performance of virtio networking"},
		{"cgroup 'cpu' controller support", "FAIL", "Enable 'cpu' in kernel Kconfig file or mount/enable cgroup controller in your system"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestKVMPackages(t *testing.T) {
	for _, c := range []struct {
		release osRelease
		feature Feature
		want    string
	}{
		{osRelease{family: familyDebian, id: "debian", version: "11", arch: "x86_64"}, "guestfs", "libguestfs-tools"},
		{osRelease{family: familyDebian, id: "debian", version: "", arch: "x86_64"}, "guestfs", "guestfs-tools"},
		{osRelease{family: familyDebian, id: "ubuntu", version: "20.04", arch: "x86_64"}, "guestfs", "libguestfs-tools"},
		{osRelease{family: familyDebian, id: "debian", version: "12", arch: "aarch64"}, "uefi", "qemu-efi-aarch64"},
		{osRelease{family: familyAlpine, id: "alpine", version: "3.20.3", arch: "aarch64"}, "uefi", "aavmf"},
		{osRelease{family: familyRedHat, id: "rhel", version: "9.4", arch: "aarch64"}, "uefi", "edk2-aarch64"},
		{osRelease{family: familySUSE, id: "opensuse-leap", version: "15.6", arch: "aarch64"}, "uefi", "qemu-uefi-aarch64"},
	} {
		got, err := KVMHostArgs{Features: []Feature{c.feature}}.wanted(c.release)
		if err != nil || !strings.Contains(" "+strings.Join(got, " ")+" ", " "+c.want+" ") {
			t.Errorf("%+v: %v, %v; want %s", c.release, got, err, c.want)
		}
		for _, name := range got {
			if all := kvmNames(); !strings.Contains(strings.Join(all, " ")+" ", c.release.family+":"+name+" ") {
				t.Errorf("the probe does not ask for %s", name)
			}
		}
	}
}
