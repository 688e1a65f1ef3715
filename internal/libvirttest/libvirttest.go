// Package libvirttest gives a libvirtd in namespaces of its own, for tests of the family virt and for the benchmark.
package libvirttest

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Host is a machine of its own as far as libvirt is concerned: mount, network, UTS and PID namespaces without systemd and D-Bus. Its /run, /srv,
// /root, /etc/libvirt and /var/lib, /var/cache and /var/log/libvirt are folders of Dir; everything else is this machine's. Guests are of type
// qemu (TCG) and run as root without AppArmor. It wants root.
type Host struct {
	Dir string // an absolute path that both sides see, and the working folder inside
	PID string // of the first process in the namespaces, as seen from outside
	cmd *exec.Cmd
}

// first is the first process: it lays out the mounts and then reaps, which libvirtd depends on: it waits for each QEMU that it
// probed to be gone. $1 is the folder, $2 the host's name.
const first = `set -e
d=$1
hostname "$2"
ip link set lo up
mount -t sysfs sysfs /sys
for f in run srv root etc/libvirt var/lib/libvirt/boot var/lib/libvirt/images var/cache/libvirt var/log/libvirt; do mkdir -p "$d/$f"; done
cp -a /etc/libvirt/. "$d/etc/libvirt/"
rm -rf "$d/etc/libvirt/qemu" "$d/etc/libvirt/storage" "$d/etc/libvirt/secrets"
for f in srv root etc/libvirt var/lib/libvirt var/cache/libvirt var/log/libvirt run; do mkdir -p "/$f"; mount --bind "$d/$f" "/$f"; done
mkdir -p /run/lock
cat >/etc/libvirt/qemu.conf <<E
user = "root"
group = "root"
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
remember_owner = 0
E
printf 'auth_unix_rw = "none"\nauth_unix_ro = "none"\n' >/etc/libvirt/libvirtd.conf
echo ready
sleep infinity & wait
`

const (
	startDaemon = `libvirtd -d -p /run/libvirtd.pid 2>>/var/log/libvirt/daemon
n=0; until virsh -q -c qemu:///system uri >/dev/null 2>&1; do n=$((n+1)); [ $n -lt 600 ] || { tail /var/log/libvirt/daemon; exit 1; }; sleep 0.1; done`
	stopDaemon = `p=$(cat /run/libvirtd.pid) && kill "$p" && while kill -0 "$p" 2>/dev/null; do sleep 0.05; done`
)

// Start makes a host of a name in a folder, with its daemon running. Stop ends it.
func Start(ctx context.Context, dir, name string) (*Host, error) {
	h := &Host{Dir: dir}
	h.cmd = exec.CommandContext(ctx, "unshare", "--mount", "--propagation", "private", "--net", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc",
		"sh", "-c", first, "sh", dir, name)
	var errs strings.Builder
	h.cmd.Stderr = &errs
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := h.cmd.Start(); err != nil {
		return nil, err
	}
	ready := make([]byte, len("ready\n"))
	if _, err := io.ReadFull(out, ready); err != nil || string(ready) != "ready\n" {
		h.Stop()
		return nil, fmt.Errorf("namespaces: %q, %w: %s", ready, err, errs.String())
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", h.cmd.Process.Pid))
	if err == nil {
		h.PID = strings.TrimSpace(string(children))
		err = h.StartDaemon(ctx)
	}
	if err != nil {
		h.Stop()
		return nil, err
	}
	return h, nil
}

// Stop ends all its processes, and with them its mounts.
func (h *Host) Stop() {
	// The kernel ends all others with the first process of a PID namespace, and unshare ends after that.
	if n, err := strconv.Atoi(h.PID); err == nil {
		_ = syscall.Kill(n, syscall.SIGKILL)
	} else {
		_ = h.cmd.Process.Kill()
	}
	_ = h.cmd.Wait()
}

// StartDaemon starts the daemon and waits until it answers.
func (h *Host) StartDaemon(ctx context.Context) error {
	if out, err := h.Command(ctx, "sh", "-c", startDaemon).CombinedOutput(); err != nil {
		return fmt.Errorf("libvirtd does not answer: %w: %s", err, out)
	}
	return nil
}

// StopDaemon ends the daemon; guests go on.
func (h *Host) StopDaemon(ctx context.Context) error {
	if out, err := h.Command(ctx, "sh", "-c", stopDaemon).CombinedOutput(); err != nil {
		return fmt.Errorf("libvirtd does not end: %w: %s", err, out)
	}
	return nil
}

// Command prepares a program that runs inside.
func (h *Host) Command(ctx context.Context, argv ...string) *exec.Cmd {
	argv = append([]string{"--target", h.PID, "--mount", "--net", "--uts", "--pid", "--wdns=" + h.Dir}, argv...)
	cmd := exec.CommandContext(ctx, "nsenter", argv...)
	cmd.Env = append(os.Environ(), "HOME=/root", "LC_ALL=C.UTF-8")
	cmd.WaitDelay = 10 * time.Second // what it left running may hold its output open
	return cmd
}
