//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/integration/e2e/disk"
)

// deployGuest is what an operator types on a hypervisor to get a guest from a cloud image: its disk, its NoCloud seed, virt-install. It
// ends where the guest begins to start, which takes long in a machine that is emulated itself.
const deployGuest = `set -e
exec 2>&1
mount -t 9p -o ro,trans=virtio,version=9p2000.L share /mnt
systemctl start libvirtd.service
virsh -q net-start default
virsh -q pool-define-as default dir --target /var/lib/libvirt/images
virsh -q pool-start default
cp /mnt/disk.qcow2 /var/lib/libvirt/images/web1.qcow2
cd "$(mktemp -d)"
ssh-keygen -q -t ed25519 -N '' -f key
cat >user-data <<END
#cloud-config
hostname: web1
users:
  - name: alice
    sudo: ALL=(ALL) NOPASSWD:ALL
    ssh_authorized_keys: ['$(cat key.pub)']
END
printf 'instance-id: web1-1\nlocal-hostname: web1\n' >meta-data
genisoimage -quiet -o /var/lib/libvirt/images/web1-seed.iso -V cidata -J -r user-data meta-data
virt-install --name web1 --memory 400 --virt-type kvm --cpu host-passthrough --import --osinfo debian11 --disk /var/lib/libvirt/images/web1.qcow2,cache=unsafe \
	--disk /var/lib/libvirt/images/web1-seed.iso,device=cdrom --network network=default --graphics none --noautoconsole >/dev/null
virsh domstate web1
virsh dumpxml web1 | grep -o "domain type='[a-z]*'"
virsh -q destroy web1
virsh -q undefine web1
virsh -q list --all
`

// TestHypervisorStartsGuest: on the image hypervisor, libvirt, KVM and virt-install work together, without the program: what later tests
// rest on.
func TestHypervisorStartsGuest(t *testing.T) {
	l := boot(t, spec{name: "hv1", image: "hypervisor", memory: 1536, share: disk.Image(t, "guest")})
	got := strings.Join(strings.Fields(l.machines[0].sh(t, deployGuest)), " ")
	if want := "running domain type='kvm'"; !strings.HasSuffix(got, want) {
		t.Errorf("got %q, want it to end with %q", got, want)
	}
}
