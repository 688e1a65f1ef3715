//go:build integration

package integration

import (
	"os"
	"strings"
	"testing"
)

// stubSystemctl stands in for systemd, which the namespaces have none of: the daemon and the files are real.
const stubSystemctl = `#!/bin/sh
case "$*" in
"is-active --quiet libvirtd.service") kill -0 "$(cat /run/libvirtd.pid)" 2>/dev/null ;;
"restart libvirtd.service")
	p=$(cat /run/libvirtd.pid 2>/dev/null) && kill "$p" 2>/dev/null && while kill -0 "$p" 2>/dev/null; do sleep 0.05; done
	libvirtd -d -p /run/libvirtd.pid 2>>/var/log/libvirt/daemon ;;
"is-enabled --quiet libvirt-guests.service" | "reset-failed libvirtd.service") ;;
*) exit 1 ;;
esac
`

// TestLibvirtConfig changes files as Debian brings them: the daemon is restarted and goes by them, a guest lives through it, and a file with
// which the daemon does not start is taken back.
func TestLibvirtConfig(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	debian, err := os.ReadFile("/etc/libvirt/qemu.conf")
	if err != nil {
		t.Fatal(err)
	}
	if out, code := v.run("sh", "-ec", `chmod 755 "$1"; mkdir -p /run/systemd/system default; mount --bind "$1" /bin/systemctl
cp -a /etc/default/. default; mount --bind default /etc/default; cat "$2" >>/etc/libvirt/qemu.conf`, "sh", v.write("systemctl", stubSystemctl), v.write("qemu.conf", string(debian))); code != 0 {
		t.Fatal(out)
	}
	read := func(path string) string {
		out, _ := v.run("cat", path)
		return out
	}
	v.virsh("create", v.write("old.xml", `<domain type='qemu'><name>old</name><memory unit='MiB'>16</memory><os><type>hvm</type></os></domain>`))
	before, pid := read("/etc/libvirt/qemu.conf"), read("/run/libvirtd.pid")
	step, refused := v.steps(bin, "libvirt_config: {")

	const settings = "file: qemu, settings: {vnc_listen: 127.0.0.9, max_processes: '5', max_cor: 7}"
	step(settings, "max_core?\nchanged: [localhost]")
	if v.virsh("domstate", "old") == "" || read("/run/libvirtd.pid") == pid {
		t.Errorf("the daemon %s was not restarted", pid)
	}
	want := strings.Replace(before, "#vnc_listen = \"0.0.0.0\"\n", "#vnc_listen = \"0.0.0.0\"\nvnc_listen = \"127.0.0.9\"\n", 1)
	want = strings.Replace(want, "#max_processes = 0\n", "#max_processes = 0\nmax_processes = 5\n", 1) + "max_cor = 7\n"
	if got := read("/etc/libvirt/qemu.conf"); got != want {
		t.Errorf("the file became\n%s\nnot\n%s", got, want)
	}
	v.virsh("create", v.write("new.xml", `<domain type='qemu'><name>new</name><memory unit='MiB'>16</memory><os><type>hvm</type></os><devices><graphics type='vnc'/></devices></domain>`))
	if xml := v.virsh("dumpxml", "new"); !strings.Contains(xml, "127.0.0.9") {
		t.Errorf("the daemon does not go by the file: %s", xml)
	}
	step("file: qemu, settings: {max_cor: null, vnc_listen: null}", "changed=1")
	refused("file: qemu, settings: {lock_manager: lockd}", "lock_manager cannot change while domains run (new, old): their locks would be missing")
	refused("file: virtqemud, settings: {max_clients: 5}", "nothing on the host reads /etc/libvirt/virtqemud.conf: it has no virtqemud")

	old := read("/etc/libvirt/libvirtd.conf")
	refused("file: libvirtd, settings: {unix_sock_group: hostler-none}", "libvirtd does not start with the new /etc/libvirt/libvirtd.conf; the old one was put back")
	if got := read("/etc/libvirt/libvirtd.conf"); got != old {
		t.Errorf("the file was not put back: %s", got)
	}
	if left, _ := v.run("sh", "-c", "ls -A /etc/libvirt | grep hostler"); left != "" {
		t.Errorf("left behind: %s", left)
	}
	v.virsh("domstate", "old")

	step("file: libvirt-guests, settings: {ON_SHUTDOWN: shutdown, SHUTDOWN_TIMEOUT: 90, URIS: 'qemu:///system lxc:///'}", "changed=1")
	if out, _ := v.run("sh", "-c", `. /etc/default/libvirt-guests; echo "$ON_SHUTDOWN $SHUTDOWN_TIMEOUT $URIS"`); out != "shutdown 90 qemu:///system lxc:///\n" {
		t.Errorf("libvirt-guests reads %s", out)
	}
	if text := read("/etc/default/libvirt-guests"); !strings.Contains(text, "#SHUTDOWN_TIMEOUT=300\nSHUTDOWN_TIMEOUT=90\n") {
		t.Errorf("libvirt-guests: %s", text)
	}
	if v.virsh("list", "--name") == "" {
		t.Error("guests were shut down")
	}
}
