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

// hostState is what the machine itself says of the hypervisor that the playbook made of it.
const hostState = `
systemctl is-enabled libvirtd.service libvirt-guests.service
systemctl is-active libvirt-guests.service
virsh -q net-info default | grep -e Active -e Autostart | tr -s ' '
virsh -q pool-info default | grep -e State -e Autostart | tr -s ' '
id -nG admin | tr ' ' '\n' | grep -x -e libvirt -e kvm | sort
cat /sys/kernel/mm/ksm/run /proc/sys/vm/nr_hugepages
grep -h nested /etc/modprobe.d/hostler-kvm.conf | grep -o 'nested=1'
grep '^vnc_listen' /etc/libvirt/qemu.conf
grep '^ON_SHUTDOWN' /etc/default/libvirt-guests
`

// TestKVMHost makes a hypervisor of a machine whose daemons are off, with systemd for real; a second run has nothing to do.
func TestKVMHost(t *testing.T) {
	bin := hostler(t)
	l := boot(t, spec{name: "hv2", image: "hypervisor", memory: 1536})
	p := player{program: []string{bin, "play"}, inventory: l.inventory(t)}
	if got, want := p.play(t, "testdata/kvm_host/site.yml"), "hv2=2"; got != want {
		t.Errorf("first run: %s, want %s", got, want)
	}
	want := `enabled
enabled
active
Active: yes
Autostart: yes
State: running
Autostart: yes
kvm
libvirt
1
4
nested=1
vnc_listen = "127.0.0.1"
ON_SHUTDOWN=shutdown
`
	if got := l.machines[0].sh(t, hostState); got != want {
		t.Errorf("the machine:\n%s\nwant\n%s", got, want)
	}
	if got, want := p.play(t, "testdata/kvm_host/site.yml"), "hv2=0"; got != want {
		t.Errorf("second run: %s, want %s", got, want)
	}
}
