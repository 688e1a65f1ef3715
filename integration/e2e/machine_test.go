//go:build e2e

// Package e2e drives the program against whole Debian machines under QEMU: systemd is PID 1 there, a boot loader starts them, and a
// reboot is one. Each test has machines of its own, and none outlives its test.
package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hostlerhq/hostler/integration/e2e/disk"
)

// limit is how long a machine may take to start. Emulated on two busy cores it takes half a minute.
const limit = 10 * time.Minute

// spec says which machine a test wants.
type spec struct {
	name   string // also its hostname
	image  string // a flavour of the script image
	memory int    // MiB; 640 when 0
	share  string // a folder of this machine that it may read by 9p under the tag share
}

// lab is the machines of one test, and what they have in common.
type lab struct {
	dir, key, known string // the folder, the private key and the hosts' public keys
	machines        []*machine
}

// machine is one that runs.
type machine struct {
	spec
	lab  *lab
	disk string // the image
	port int    // of 127.0.0.1, where its sshd answers
}

// boot starts machines and waits until each has come up with nothing failed. They end with the test.
func boot(t *testing.T, specs ...spec) *lab {
	t.Helper()
	for _, program := range []string{"qemu-system-x86_64", "qemu-img", "mmdebstrap", "sfdisk", "mkfs.ext4", "ssh", "ssh-keygen", "unshare"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed here (integration/prepare e2e)", program)
		}
	}
	dir := t.TempDir()
	l := &lab{dir: dir, key: filepath.Join(dir, "key"), known: filepath.Join(dir, "known_hosts")}
	for _, name := range []string{"key", "host"} {
		local(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", filepath.Join(dir, name))
	}
	for _, s := range specs {
		l.machines = append(l.machines, &machine{spec: s, lab: l, disk: filepath.Join(disk.Image(t, s.image), "disk.qcow2")})
	}
	for _, m := range l.machines {
		m.start(t)
	}
	for _, m := range l.machines {
		m.ready(t)
	}
	return l
}

// local runs a program here and gives what it prints.
func local(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), argv[0], argv[1:]...).Output()
	if err != nil {
		t.Fatalf("%v: %v", argv, err)
	}
	return string(out)
}

// path is of a file of the machine on this side.
func (m *machine) path(name string) string { return filepath.Join(m.lab.dir, m.name+"."+name) }

// read gives a file of the test's.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// firstStart is what a machine runs before its network at each start. The first time it gets its name ([1]), the public key that logs in
// ([2]) and its host key ([3]).
const firstStart = `[ ! -e /var/lib/started ] || exit 0
set -e
hostname %[1]s
echo %[1]s >/etc/hostname
sed -i 's/^127.0.1.1 .*/127.0.1.1 %[1]s/' /etc/hosts
printf 'auto lo\niface lo inet loopback\nauto enp0s3\niface enp0s3 inet static\n  address 10.0.2.15/24\nsource /etc/network/interfaces.d/*\n' >/etc/network/interfaces
: >/etc/resolv.conf
ln -s /dev/null /etc/systemd/system/user@.service # a systemd for each login costs seconds
useradd -m -s /bin/bash admin
printf 'admin ALL=(ALL) NOPASSWD: ALL\nDefaults env_keep += SYSTEMD_BUS_TIMEOUT\n' >/etc/sudoers.d/admin
# Nobody gives up on a slow D-Bus.
echo SYSTEMD_BUS_TIMEOUT=600 >>/etc/environment
echo '<busconfig><limit name="service_start_timeout">600000</limit></busconfig>' >/etc/dbus-1/system-local.conf
pkill -HUP -x dbus-daemon || :
for home in /root /home/admin; do
	install -d -m 700 $home/.ssh
	echo '%[2]s' >$home/.ssh/authorized_keys
done
chown -R admin:admin /home/admin
umask 077
cat >/etc/ssh/ssh_host_ed25519_key <<'END'
%[3]sEND
ssh-keygen -y -f /etc/ssh/ssh_host_ed25519_key >/etc/ssh/ssh_host_ed25519_key.pub
touch /var/lib/started
`

// firstStart is the script of this machine.
func (m *machine) firstStart(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf(firstStart, m.name, strings.TrimSpace(read(t, m.lab.key+".pub")), read(t, filepath.Join(m.lab.dir, "host")))
}

// start starts QEMU with a layer of the machine's own on the image.
func (m *machine) start(t *testing.T) {
	t.Helper()
	local(t, "qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", m.disk, m.path("qcow2"))
	if err := os.WriteFile(m.path("start"), []byte(m.firstStart(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	console := filepath.Join(disk.Cache(t), "log", strings.ReplaceAll(t.Name(), "/", "_")+"."+m.name)
	monitor, theirs := pair(t)
	cmd := exec.Command("qemu-system-x86_64", m.arguments(t, console)...)
	cmd.ExtraFiles = []*os.File{theirs}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := disk.Begin(cmd); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(console)
			t.Logf("%s: %s\nthe end of its console (%s):\n%s", m.name, said.String(), console, text[max(0, len(text)-3000):])
		}
	})
	m.port = forwardedPort(t, monitor)
	line := fmt.Sprintf("[127.0.0.1]:%d %s", m.port, read(t, filepath.Join(m.lab.dir, "host.pub")))
	known, err := os.OpenFile(m.lab.known, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer known.Close()
	if _, err := known.WriteString(line); err != nil {
		t.Fatal(err)
	}
}

// arguments are QEMU's. The processor has SVM, so that a hypervisor finds a /dev/kvm. It is one: where several share the cores with other
// work, one that holds a lock is often the one that waits.
func (m *machine) arguments(t *testing.T, console string) []string {
	t.Helper()
	memory := m.memory
	if memory == 0 {
		memory = 640
	}
	args := []string{
		"-name", m.name, "-nodefaults", "-display", "none", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max,la57=off",
		"-smp", "1", "-m", strconv.Itoa(memory), "-serial", "file:" + console,
		"-chardev", "socket,fd=3,id=monitor", "-mon", "chardev=monitor,mode=control",
		"-device", "virtio-rng-pci", "-fw_cfg", "name=opt/hostler/start,file=" + m.path("start"),
		"-netdev", "user,id=ssh,restrict=on,hostfwd=tcp:127.0.0.1:0-10.0.2.15:22", "-device", "virtio-net-pci,netdev=ssh,romfile=,addr=3",
		"-drive", "file=" + m.path("qcow2") + ",if=none,id=root,cache=unsafe,discard=unmap", "-device", "virtio-blk-pci,drive=root,addr=8",
	}
	if m.share != "" {
		args = append(args, "-virtfs", "local,path="+m.share+",mount_tag=share,security_model=none,readonly=on")
	}
	return args
}

// pair gives both ends of a socket, of which QEMU inherits the second.
func pair(t *testing.T) (net.Conn, *os.File) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "monitor"), os.NewFile(uintptr(fds[1]), "monitor")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn, theirs
}

var forwarded = regexp.MustCompile(`127\.0\.0\.1\s+(\d+)`)

// forwardedPort asks QEMU for the port that the kernel chose.
func forwardedPort(t *testing.T, monitor net.Conn) int {
	t.Helper()
	if err := monitor.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(monitor, `{"execute": "qmp_capabilities"}{"execute": "human-monitor-command", "arguments": {"command-line": "info usernet"}}`)
	answers := json.NewDecoder(monitor)
	for {
		var answer struct{ Return any }
		if err := answers.Decode(&answer); err != nil {
			t.Fatalf("QEMU's monitor: %v", err)
		}
		text, ok := answer.Return.(string)
		if !ok {
			continue
		}
		match := forwarded.FindStringSubmatch(text)
		if match == nil {
			t.Fatalf("no forwarded port: %s", text)
		}
		port, err := strconv.Atoi(match[1])
		if err != nil {
			t.Fatal(err)
		}
		return port
	}
}

// ready waits until sshd answers and systemd has done all it has to do, and says how long that took.
func (m *machine) ready(t *testing.T) {
	t.Helper()
	start := time.Now()
	for !m.greets() {
		if time.Since(start) > limit {
			t.Fatalf("%s: no SSH after %v", m.name, limit)
		}
		time.Sleep(200 * time.Millisecond)
	}
	m.connect(t)
	answers := time.Since(start).Round(time.Second)
	if got := strings.TrimSpace(m.sh(t, "systemctl is-system-running --wait || systemctl --failed --plain")); got != "running" {
		t.Fatalf("%s: %s", m.name, got)
	}
	took := strings.TrimSpace(m.sh(t, "systemd-analyze time | head -n 1"))
	t.Logf("%s: SSH after %v, up after %v (%s)", m.name, answers, time.Since(start).Round(time.Second), took)
}

// connect logs in, for sh to use: each login of its own costs seconds. The connection ends when the machine or the test does.
func (m *machine) connect(t *testing.T) {
	t.Helper()
	cmd := exec.Command("ssh", m.sshArguments("-N", "-o", "ControlMaster=yes", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=100")...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := disk.Begin(cmd); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { cmd.Process.Kill() })
	for {
		if _, err := os.Stat(m.path("ssh")); err == nil {
			return
		}
		select {
		case err := <-ended:
			t.Fatalf("%s: log in: %v\n%s", m.name, err, errs.String())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// sshArguments are those with which OpenSSH's client logs in to the machine as root, the options given with them.
func (m *machine) sshArguments(options ...string) []string {
	args := append(m.lab.sshOptions(), "-S", m.path("ssh"), "-p", strconv.Itoa(m.port))
	return append(append(args, options...), "root@127.0.0.1")
}

// greets tells whether sshd answers. QEMU takes connections before the machine does and says nothing then.
func (m *machine) greets() bool {
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", m.port), time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(2 * time.Second))
	greeting := make([]byte, 4)
	n, _ := conn.Read(greeting)
	return string(greeting[:n]) == "SSH-"
}

// sshOptions are those of OpenSSH's client for any machine of the lab.
func (l *lab) sshOptions() []string {
	return []string{"-F", "none", "-i", l.key, "-o", "UserKnownHostsFile=" + l.known, "-o", "IdentityAgent=none", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"}
}

// sh runs a shell script on the machine as root, through OpenSSH, over connect's connection while it lasts, and gives what it prints; a status other than 0 fails the test.
func (m *machine) sh(t *testing.T, script string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "ssh", append(m.sshArguments(), "sh -s")...)
	cmd.Stdin = strings.NewReader(script)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s\n%s%s", m.name, err, script, out, errs.String())
	}
	return string(out)
}

// bootID is another after each start of the machine.
func (m *machine) bootID(t *testing.T) string {
	t.Helper()
	return m.sh(t, "cat /proc/sys/kernel/random/boot_id")
}

// inventory writes an INI inventory of the lab's machines, which are logged in to as admin, who has sudo.
func (l *lab) inventory(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, m := range l.machines {
		fmt.Fprintf(&b, "%s ansible_host=127.0.0.1 ansible_port=%d\n", m.name, m.port)
	}
	fmt.Fprintf(&b, "\n[all:vars]\nansible_user=admin\nansible_become=true\nansible_ssh_private_key_file=%s\nansible_ssh_common_args='-F none -o UserKnownHostsFile=%s -o IdentityAgent=none -o ConnectTimeout=120'\n", l.key, l.known)
	path := filepath.Join(l.dir, "hosts.ini")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
