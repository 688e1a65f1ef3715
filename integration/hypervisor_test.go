//go:build integration

package integration

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/internal/libvirttest"
)

// hypervisor is a libvirtd with QEMU in namespaces of its own (libvirttest.Host), for tests of the family virt. Programs and the test's own files
// are where they are. Networks are made in its own network namespace, so any bridge name and address will do. What ends with the test are all
// its processes and mounts.
//
//	v := startHypervisor(t)
//	v.virsh("define", file)                    // fails the test when virsh fails
//	out, code := v.run("sh", "-c", "…")        // any program inside
//	out, code := v.play(file, bin, "play")     // a playbook by hostler or ansible-playbook, connection local
//	v.stop(); v.start()                        // the daemon; guests live on
//	v.write("d.xml", text)                     // a file that both sides see
//
// Two of them are two hosts (migration): give each a name, and join their network namespaces by a veth pair (v.pid is what ip link … netns
// wants). A guest that obeys the power button is guestImage.
type hypervisor struct {
	host *libvirttest.Host
	t    *testing.T
	pid  string // of the first process in the namespaces, as seen from outside
	dir  string
}

// startHypervisor makes one with its daemon running.
func startHypervisor(t *testing.T) *hypervisor { return startHypervisorNamed(t, "hv1") }

func startHypervisorNamed(t *testing.T, name string) *hypervisor {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root for namespaces")
	}
	h, err := libvirttest.Start(context.WithoutCancel(t.Context()), t.TempDir(), name) // the test's context ends before its cleanups
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Stop)
	return &hypervisor{host: h, t: t, pid: h.PID, dir: h.Dir}
}

// start starts the daemon and waits until it answers.
func (v *hypervisor) start() {
	v.t.Helper()
	if err := v.host.StartDaemon(v.t.Context()); err != nil {
		v.t.Fatal(err)
	}
}

// stop ends the daemon; guests go on.
func (v *hypervisor) stop() {
	v.t.Helper()
	if err := v.host.StopDaemon(v.t.Context()); err != nil {
		v.t.Fatal(err)
	}
}

// command prepares a program that runs inside.
func (v *hypervisor) command(argv ...string) *exec.Cmd { return v.host.Command(v.t.Context(), argv...) }

// run runs a program inside and gives what it printed, errors included.
func (v *hypervisor) run(argv ...string) (string, int) {
	v.t.Helper()
	cmd := v.command(argv...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		v.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// virsh runs virsh, which must succeed.
func (v *hypervisor) virsh(args ...string) string {
	v.t.Helper()
	out, code := v.run(append([]string{"virsh", "-q", "-c", "qemu:///system"}, args...)...)
	if code != 0 {
		v.t.Fatalf("virsh %q: %s", args, out)
	}
	return out
}

// write writes a file into the folder that is the working folder inside, and gives its path.
func (v *hypervisor) write(name, text string) string {
	v.t.Helper()
	path := filepath.Join(v.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		v.t.Fatal(err)
	}
	return path
}

// play runs a playbook inside by a program, for instance "ansible-playbook" or hostlerBinary(t), "play".
func (v *hypervisor) play(file string, program ...string) (string, int) {
	v.t.Helper()
	file, err := filepath.Abs(file)
	if err != nil {
		v.t.Fatal(err)
	}
	return v.engine(append(program, "-i", "localhost,", "-c", "local", "-e", "ansible_python_interpreter=/usr/bin/python3", file)...)
}

// engine runs hostler or a program of Ansible's inside, by no settings but its arguments.
func (v *hypervisor) engine(argv ...string) (string, int) {
	v.t.Helper()
	cmd := v.command(argv...)
	cmd.Env = append(cmd.Env, "ANSIBLE_NOCOLOR=1", "ANSIBLE_CONFIG="+filepath.Join(v.dir, "ansible.cfg"), "ANSIBLE_RETRY_FILES_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		v.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// buttonGuest makes the disk of a guest that obeys the power button, and gives the file with its definition.
func (v *hypervisor) buttonGuest(name string) string {
	v.t.Helper()
	if err := os.WriteFile(filepath.Join(v.dir, "srv", name+".img"), guestImage(), 0o644); err != nil {
		v.t.Fatal(err)
	}
	return v.write(name+".xml", strings.ReplaceAll(`<domain type='qemu'><name>NAME</name><memory unit='MiB'>16</memory><os><type machine='pc'>hvm</type></os>
<features><acpi/></features><devices><disk type='file'><driver name='qemu' type='raw'/><source file='/srv/NAME.img'/><target dev='hda' bus='ide'/></disk>
<serial type='file'><source path='/run/NAME.said'/></serial></devices></domain>
`, "NAME", name))
}

// listens waits until a buttonGuest that was started listens to the button.
func (v *hypervisor) listens(name string) {
	v.t.Helper()
	if out, code := v.run("sh", "-c", `n=0; until [ -s "/run/$1.said" ]; do n=$((n+1)); [ $n -lt 600 ] || exit 1; sleep 0.1; done`, "sh", name); code != 0 {
		v.t.Fatalf("guest %s does not come up: %s", name, out)
	}
}

// guestImage is a disk of one sector whose program waits for the power button and then turns the machine (type pc) off: QEMU's PIIX4 has
// its power management at port 0x600, where the BIOS puts it. PCI devices that are to go it lets go (docs/specs/acpi_pci_hotplug of QEMU). When it listens it says R on its first serial port. Any guest without a
// system on its disk ignores the button.
func guestImage() []byte {
	code := []byte{
		0xfa,             // cli
		0xba, 0x02, 0x06, // mov dx, 0x602: PM1_EN
		0xb8, 0x00, 0x01, // mov ax, 0x100: the power button
		0xef,             // out dx, ax
		0xba, 0xf8, 0x03, // mov dx, 0x3f8: the first serial port
		0xb0, 0x52, // mov al, 'R'
		0xee,             // out dx, al
		0xfb,             // sti
		0xf4,             // wait: hlt, until the timer's next tick
		0xba, 0x10, 0xae, // mov dx, 0xae10: which bus
		0x66, 0x31, 0xc0, // xor eax, eax
		0x66, 0xef, // out dx, eax
		0xba, 0x04, 0xae, // mov dx, 0xae04: slots whose device is to go
		0x66, 0xed, // in eax, dx
		0x66, 0x09, 0xc0, // or eax, eax
		0x74, 0x05, // jz button
		0xba, 0x08, 0xae, // mov dx, 0xae08: let them go
		0x66, 0xef, // out dx, eax
		0xba, 0x00, 0x06, // button: mov dx, 0x600: PM1_STS
		0xed,             // in ax, dx
		0xf6, 0xc4, 0x01, // test ah, 1
		0x74, 0xdf, // jz wait
		0xba, 0x04, 0x06, // mov dx, 0x604: PM1_CNT
		0xb8, 0x00, 0x20, // mov ax, 0x2000: sleep, kind 0, which is off
		0xef,       // out dx, ax
		0xeb, 0xd6, // jmp wait
	}
	disk := make([]byte, 512)
	copy(disk, code)
	disk[510], disk[511] = 0x55, 0xaa
	return disk
}

// steps gives two ways to play one task of a module, which ends in "{" and arguments that all have: the first wants the recap of its
// first run, and that a second changes nothing; the second wants it to be refused with a message.
func (v *hypervisor) steps(bin, module string) (step, refused func(args, want string)) {
	play := func(args string) (string, int) {
		return v.play(v.write("play.yml", "- hosts: all\n  gather_facts: false\n  tasks:\n    - "+module+args+"}\n"), bin, "play")
	}
	step = func(args, recap string) {
		v.t.Helper()
		if out, code := play(args); code != 0 || !strings.Contains(out, recap) {
			v.t.Fatalf("%s: ended with %d, want %s:\n%s", args, code, recap, out)
		}
		if out, code := play(args); code != 0 || !strings.Contains(out, "changed=0") {
			v.t.Fatalf("%s again: ended with %d:\n%s", args, code, out)
		}
	}
	refused = func(args, want string) {
		v.t.Helper()
		if out, code := play(args); code == 0 || !strings.Contains(out, want) {
			v.t.Errorf("%s: ended with %d, want %q:\n%s", args, code, want, out)
		}
	}
	return step, refused
}
