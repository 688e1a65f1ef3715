//go:build integration && e2e

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/integration/e2e/disk"
)

// TestWhole is what make e2e runs of this package: it wants disk images of whole machines.
func TestWhole(t *testing.T) {
	t.Run("TestGuestOfSeed", guestOfSeed)
}

// guestOfSeed gets a guest of a cloud image the whole way: network, pool, disk, NoCloud seed and virt-install by a playbook, then cloud-init
// inside, then plays on the guest by SSH: its name, its user, the user's key and a package from the hypervisor are what the seed says.
func guestOfSeed(t *testing.T) {
	image := filepath.Join(disk.Image(t, "guest"), "disk.qcow2")
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	if err := os.CopyFS(v.dir, os.DirFS("../testdata/guest")); err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(v.dir, "srv", "vms", "base.qcow2")
	if err := os.MkdirAll(filepath.Dir(base), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := disk.Output(exec.Command("cp", image, base)); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, code := v.run("sh", "-ec", guestGrounds); code != 0 {
		t.Fatal(out)
	}
	hosts := v.write("hosts.ini", "hv1 ansible_connection=local\n")
	play := func() string {
		t.Helper()
		out, code := v.run(bin, "play", "-i", hosts, "--host-keys", "accept-new", filepath.Join(v.dir, "site.yml"))
		if code != 0 {
			said, _ := v.run("tail", "-n", "60", "/run/web1.said")
			t.Fatalf("ended with %d:\n%s\nthe guest's console:\n%s", code, out, said)
		}
		return out
	}
	play()
	if again := play(); strings.Count(again, "changed=0") != 2 {
		t.Errorf("a second run changes something:\n%s", again)
	}
}

// guestGrounds makes what the hypervisor has before, besides the image: a key and a repository of packages.
const guestGrounds = `mkdir -p /srv/repository
ssh-keygen -q -t ed25519 -N '' -f /root/key
dpkg-deb --root-owner-group -b package /srv/repository
cd /srv/repository
apt-ftparchive packages . >Packages
`
