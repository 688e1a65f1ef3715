//go:build integration

package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/modules/packages"
	"github.com/hostlerhq/hostler/modules/virt"
)

// kvmDebs are packages with the names of Debian's. That of libvirt makes its group and brings virsh back, which the machine begins without.
func kvmDebs() []debPackage {
	var list []debPackage
	for _, name := range []string{"qemu-system-x86", "qemu-utils", "libvirt-clients", "virtinst", "osinfo-db", "libosinfo-bin", "tmux-hp"} {
		list = append(list, debPackage{"stable", "Package: " + name + "\nVersion: 1.0", ""})
	}
	return append(list, debPackage{"stable", "Package: libvirt-daemon-system\nVersion: 1.0", `#!/bin/sh
grep -q ^libvirt: /etc/group || echo libvirt:x:64000: >>/etc/group
mv /usr/lib/virsh.kept /usr/bin/virsh
`})
}

// TestKVMHostPackages makes a host of a bare machine by a real apt: check mode announces what the run does, a second run changes nothing, and
// what cannot be had fails before anything is installed.
func TestKVMHostPackages(t *testing.T) {
	conn := aptHost(t, debRepositoryOf(t, kvmDebs()), `
mv /usr/bin/virsh /usr/lib/virsh.kept
sed -i '/^libvirt:/d' /etc/group
rm -rf /etc/libvirt
grep -q ^kvm: /etc/group || echo kvm:x:64001: >>/etc/group
echo alice:x:64002:64002::/:/bin/sh >>/etc/passwd
`)
	kvm := virt.KVMHost(packages.Package)
	run := func(args a, check bool) map[string]any {
		args["require_vt"] = false
		return ourResult(t, conn, fileTask{kvm, args}, "", "", check)
	}
	did := func(r map[string]any) []string {
		var whys []string
		extra, _ := r["hostler"].(map[string]any)
		list, _ := extra["actions"].([]any)
		for _, one := range list {
			whys = append(whys, fmt.Sprint(one.(map[string]any)["why"]))
		}
		return whys
	}
	if r := run(a{}, true); r["failed"] == true || r["changed"] != true || !strings.Contains(fmt.Sprint(r["warnings"]), "the host has no lists of packages yet") {
		t.Errorf("check mode on a machine without lists: %v", r)
	}
	for _, c := range []struct {
		args a
		want string
	}{
		{a{"users": []any{"alcie"}}, "users: there is no user alcie on the host: make it first (module user)"},
		{a{"features": []any{"multipath"}}, "No package matching 'multipath-tools' is available"},
		{a{"require_iommu": true}, "no IOMMU: /sys/kernel/iommu_groups is empty"},
	} {
		if r := run(c.args, false); r["failed"] != true || !strings.Contains(fmt.Sprint(r["msg"]), c.want) {
			t.Errorf("%v: %v", c.args, r)
		}
	}
	if got := onHost(t, conn, "dpkg-query -W 2>/dev/null; :"); got != "" {
		t.Fatalf("a run that failed installed %s", got)
	}
	config := func(check bool) map[string]any {
		return ourResult(t, conn, fileTask{virt.Config, a{"file": "qemu", "settings": a{"max_core": "unlimited"}}}, "", "", check)
	}
	if r := config(true); r["changed"] != true || !strings.Contains(fmt.Sprint(r["warnings"]), "libvirt is not installed yet, so that /etc/libvirt/qemu.conf cannot be looked at") {
		t.Errorf("libvirt_config in check mode: %v", r)
	}
	if r := config(false); r["failed"] != true || r["msg"] != "the host has no folder /etc/libvirt: libvirt is not installed, which kvm_host does" {
		t.Errorf("libvirt_config: %v", r)
	}
	if r := run(a{"users": []any{"alcie"}}, true); r["failed"] == true || !strings.Contains(fmt.Sprint(r["warnings"]), "there is no user alcie on the host, unless an earlier task makes it") {
		t.Errorf("check mode with a user who is not there yet: %v", r)
	}
	args := func() a { return a{"users": []any{"alice"}, "extra_packages": []any{"tmux-hp"}} }
	planned := run(args(), true)
	real := run(args(), false)
	if real["failed"] == true || real["changed"] != true {
		t.Fatal(real)
	}
	if diff := cmp.Diff(did(real), did(planned)); diff != "" || len(did(real)) == 0 {
		t.Errorf("check mode announces other changes (-real +check):\n%s", diff)
	}
	if w := fmt.Sprint(real["warnings"]); strings.Count(w, "as good as root") != 1 {
		t.Errorf("warnings: %s", w)
	}
	if again := run(args(), false); again["changed"] != false || again["failed"] == true {
		t.Errorf("the second run: %v", again)
	}
	if got := onHost(t, conn, "dpkg-query -W -f '${Package} '; id -nG alice 2>/dev/null || grep -c '[:,]alice' /etc/group"); !strings.Contains(got, "qemu-system-x86") || !strings.Contains(got, "libvirt") {
		t.Errorf("the host has %s", got)
	}
}

// kvmSystemctl and kvmModprobe stand in for programs that need a machine of their own: libvirtd, the files and the accounts are real.
const kvmSystemctl = `#!/bin/sh
d=/run/units; mkdir -p $d
active() { case $1 in libvirtd.service) kill -0 "$(cat /run/libvirtd.pid)" 2>/dev/null ;; *) [ -e "$d/$1.active" ] ;; esac; }
begin() {
	case $1 in
	libvirtd.service) active "$1" || libvirtd -d -p /run/libvirtd.pid 2>>/var/log/libvirt/daemon ;;
	*) : >"$d/$1.active" ;;
	esac
}
case "$1 $2" in
"show -p")
	shift 3
	for u; do
		load=not-found state=disabled is=inactive
		case $u in libvirtd.service | libvirt-guests.service) load=loaded ;; esac
		[ ! -e "$d/$u.enabled" ] || state=enabled
		! active "$u" || is=active
		printf 'Id=%s\nLoadState=%s\nUnitFileState=%s\nActiveState=%s\n\n' "$u" "$load" "$state" "$is"
	done ;;
"enable --now") shift 2; for u; do : >"$d/$u.enabled"; begin "$u" || exit 1; done ;;
"is-enabled --quiet") [ -e "$d/$3.enabled" ] ;;
"is-active --quiet") active "$3" ;;
*) echo "systemctl $*: not known" >&2; exit 1 ;;
esac
`

const kvmModprobe = `#!/bin/sh
[ "$1" != -r ] || exit 0
! grep -q "options $1 nested=1" /etc/modprobe.d/*.conf || echo Y >"/sys/module/$1/parameters/nested"
`

// kvmLayout gives the host files of its own for what the test changes: /etc, the CPU's flags, knobs of the kernel.
const kvmLayout = `cp -a /etc/. etc-own; mount --bind etc-own /etc
mkdir -p /run/systemd/system bin
cp "$1" bin/systemctl; cp "$2" bin/modprobe; chmod 755 bin/*; mount --bind bin /usr/local/sbin
sed 's/^flags\t*:/& vmx ept/' /proc/cpuinfo >cpuinfo; mount --bind cpuinfo /proc/cpuinfo
echo 0 >ksm; mount --bind ksm /sys/kernel/mm/ksm/run
echo 0 >pages; mount --bind pages /proc/sys/vm/nr_hugepages
mount -t tmpfs tmpfs /sys/module; mkdir -p /sys/module/kvm_intel/parameters
echo N >/sys/module/kvm_intel/parameters/nested; echo 0 >/sys/module/kvm_intel/refcnt
[ -c /dev/kvm ] || { cp -a /dev dev-own; mknod dev-own/kvm c 10 232; mount --rbind dev-own /dev; }
echo alice:x:64002:64002::/:/bin/sh >>/etc/passwd
grep -q ^libvirt: /etc/group || echo libvirt:x:64000: >>/etc/group
grep -q ^kvm: /etc/group || echo kvm:x:64001: >>/etc/group
`

// TestKVMHost brings a machine with the packages, whose daemon does not run, to everything that the module knows, with a real libvirtd.
func TestKVMHost(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	v.stop()
	if out, code := v.run("sh", "-ec", kvmLayout, "sh", v.write("one", kvmSystemctl), v.write("two", kvmModprobe)); code != 0 {
		t.Fatal(out)
	}
	const task = `features: [], users: [alice], nested: true, ksm: true, hugepages: 4, default_network: present, default_pool: {path: /srv/pool, mode: "0711"}, shutdown_policy: shutdown}`
	play := func(args string, options ...string) (string, int) {
		return v.play(v.write("play.yml", `- hosts: all
  gather_facts: false
  tasks:
    - kvm_host: {`+args+`
      register: host
    - debug: {msg: "{{ host.hostler.actions | default([]) | map(attribute='why') | list + [host.virt.daemon, host.virt.uri_ok, host.virt.nested, host.reboot_required] }}"}
`), append([]string{bin, "play"}, options...)...)
	}
	planned, code := play(task, "--check")
	if code != 0 {
		t.Fatal(planned)
	}
	for _, want := range []string{
		"write /etc/modprobe.d/hostler-kvm.conf", "load module kvm_intel anew", "enable and start libvirtd", "enable and start libvirt-guests",
		"put user alice into libvirt,kvm", "set KSM to 1", "write /etc/tmpfiles.d/hostler-kvm.conf", "write /etc/sysctl.d/90-hostler-kvm.conf",
		"reserve 4 huge pages", "write /etc/default/libvirt-guests", "start network default", "start pool default",
	} {
		if !strings.Contains(planned, want) {
			t.Errorf("check mode does not announce %q:\n%s", want, planned)
		}
	}
	if out, code := v.run("sh", "-c", "ls /etc/modprobe.d/hostler-kvm.conf; kill -0 $(cat /run/libvirtd.pid)"); code == 0 {
		t.Errorf("check mode changed something: %s", out)
	}
	out, code := play(task)
	if code != 0 || !strings.Contains(out, "changed=1") || !strings.Contains(out, "monolithic") || strings.Count(strings.Join(strings.Fields(out), " "), "as good as root") != 1 {
		t.Fatalf("ended with %d:\n%s", code, out)
	}
	if out, code := play(task); code != 0 || !strings.Contains(out, "changed=0") {
		t.Errorf("again: ended with %d:\n%s", code, out)
	}
	state, _ := v.run("sh", "-c", `grep . /etc/modprobe.d/hostler-kvm.conf /etc/sysctl.d/90-hostler-kvm.conf /etc/tmpfiles.d/hostler-kvm.conf ksm pages /sys/module/kvm_intel/parameters/nested | sed 's/.*\///'
grep '^ON_SHUTDOWN' /etc/default/libvirt-guests; grep -o '^kvm:\|alice' /etc/group | sort -u; stat -c '%a %n' /srv/pool
virsh -q -c qemu:///system net-info default | grep 'Active\|Autostart' | tr -s ' '; virsh -q -c qemu:///system pool-info default | grep 'State\|Autostart' | tr -s ' '`)
	want := `hostler-kvm.conf:options kvm_intel nested=1
90-hostler-kvm.conf:vm.nr_hugepages = 4
run - - - - 1
ksm:1
pages:4
nested:Y
ON_SHUTDOWN=shutdown
alice
kvm:
711 /srv/pool
Active: yes
Autostart: yes
State: running
Autostart: yes
`
	if diff := cmp.Diff(want, state); diff != "" {
		t.Errorf("the host (-want +got):\n%s", diff)
	}
	for _, c := range []struct{ args, want string }{
		{"features: [], daemon: modular}", "daemon: modular, and the host has no virtqemud: its distribution ships libvirtd alone"},
		{"features: [], shutdown_policy: daemon}", "shutdown_policy: daemon needs libvirt 11.2, and the host has 9."},
		{"features: [], default_pool: {path: pool}}", "path"},
	} {
		if out, code := play(c.args); code == 0 || !strings.Contains(strings.Join(strings.Fields(out), " "), c.want) {
			t.Errorf("%s: ended with %d:\n%s", c.args, code, out)
		}
	}
	if out, code := play("features: [], default_network: absent}"); code != 0 || strings.Contains(v.virsh("net-list", "--all", "--name"), "default") {
		t.Errorf("without the network: ended with %d:\n%s", code, out)
	}
	if out, code := play("state: checked}"); code != 0 || !strings.Contains(out, "changed=0") {
		t.Errorf("checked: ended with %d:\n%s", code, out)
	}
}
