package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/internal/libvirttest"
)

// benchVirt starts a libvirtd in namespaces of its own and measures inside them, where this program runs once more.
func benchVirt(ctx context.Context, b *bench) error {
	if os.Geteuid() != 0 {
		return errors.New("needs root for namespaces")
	}
	host, err := libvirttest.Start(ctx, filepath.Join(b.dir, "libvirt"), "bench")
	if err != nil {
		return err
	}
	defer host.Stop()
	self := filepath.Join(b.dir, "bench-inside") // go run keeps its program below the home folder, which is another one inside
	if err := copyProgram(self, b.self); err != nil {
		return err
	}
	inside := host.Command(ctx, self, "-role", "virt", "-rounds", strconv.Itoa(b.rounds), "--", "-dir", b.dir, "-hostler", b.hostler)
	inside.Stdout, inside.Stderr = os.Stdout, os.Stderr
	return inside.Run()
}

func copyProgram(to, from string) error {
	program, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, program, 0o755)
}

// virtMain is what runs inside: an sshd is the way to the host for both sides.
func virtMain(ctx context.Context, args []string, rounds int) error {
	fs := flag.NewFlagSet("virt", flag.ContinueOnError)
	b := &bench{rounds: rounds}
	fs.StringVar(&b.dir, "dir", "", "folder")
	fs.StringVar(&b.hostler, "hostler", "", "binary")
	if err := fs.Parse(args); err != nil {
		return err
	}
	f, err := b.newFarm(ctx, 1, 0)
	if err != nil {
		return err
	}
	defer f.stop()
	if err := b.virtInfo(ctx, f); err != nil {
		return err
	}
	return b.virtAgain(ctx, f)
}

// virtDomain is a domain as people define them: a disk, an interface, a console, a screen.
const virtDomain = `<domain type='qemu'><name>%[1]s</name><title>Guest %[1]s</title><memory unit='MiB'>512</memory><vcpu>2</vcpu>
<os><type machine='q35'>hvm</type></os><features><acpi/><apic/></features><devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/srv/%[1]s.qcow2'/><target dev='vda' bus='virtio'/></disk>
<interface type='network'><mac address='52:54:00:00:%02[2]x:%02[3]x'/><source network='n0'/><model type='virtio'/></interface>
<serial type='pty'/><console type='pty'/><graphics type='vnc'/></devices></domain>
`

// virsh runs a loop of virsh on the host over SSH, as a person would: one session, one shell.
func (b *bench) virsh(ctx context.Context, f *farm, script string) (time.Duration, error) {
	host, port, _ := strings.Cut(f.addresses[0], ":")
	c := command(ctx, "ssh", "-F", "none", "-i", f.key, "-p", port, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
		f.user+"@"+host, "sh", "-s")
	c.Stdin = strings.NewReader("v() { virsh -q -c qemu:///system \"$@\"; }\n" + script)
	return timed(c)
}

// site writes a playbook beside the inventory.
func (f *farm) site(name, tasks string) (string, error) {
	path := filepath.Join(filepath.Dir(f.inventory), name)
	return path, os.WriteFile(path, []byte("- hosts: all\n  gather_facts: false\n  tasks:\n"+tasks), 0o600)
}

// virtInfo compares virt_info about 300 domains with a loop of virsh over their names.
func (b *bench) virtInfo(ctx context.Context, f *farm) error {
	const domains = 300
	for i := range domains {
		if err := os.WriteFile(filepath.Join(b.dir, "d.xml"), fmt.Appendf(nil, virtDomain, fmt.Sprintf("info%03d", i), i>>8, i&255), 0o600); err != nil {
			return err
		}
		if _, err := timed(command(ctx, "virsh", "-q", "-c", "qemu:///system", "define", "--file", filepath.Join(b.dir, "d.xml"))); err != nil {
			return err
		}
	}
	site, err := f.site("info.yml", `    - virt_info: {gather: [domains]}
      register: i
    - assert: {that: i.domains | length == `+strconv.Itoa(domains)+`}
`)
	if err != nil {
		return err
	}
	err = b.compare("virt_info of 300 domains", 1.3, func() (time.Duration, error) {
		return b.ours(ctx, "play", "-i", f.inventory, "--host-keys", "off", site)
	}, func() (time.Duration, error) {
		return b.virsh(ctx, f, "v domstats; v list --all --name | while read -r n; do [ -z \"$n\" ] || v dumpxml \"$n\" </dev/null; done\n")
	})
	if err != nil {
		return err
	}
	trips, err := b.trips(ctx, f, site)
	if err != nil {
		return err
	}
	tell("the same, round trips", trips, 2, "one", "beside those of a command")
	_, err = b.virsh(ctx, f, "v list --all --name | while read -r n; do [ -z \"$n\" ] || v undefine \"$n\" </dev/null; done\n")
	return err
}

// trips measures the round trips of a playbook: how much longer it takes over a slow link, beside a playbook of one command, which takes one.
func (b *bench) trips(ctx context.Context, near *farm, site string) (float64, error) {
	const delay = 200 * time.Millisecond
	far, err := b.newFarm(ctx, 1, delay)
	if err != nil {
		return 0, err
	}
	defer far.stop()
	one, err := near.site("one.yml", "    - command: \"true\"\n")
	if err != nil {
		return 0, err
	}
	var longer [2]time.Duration
	for i, play := range []string{site, one} {
		var took [2][]time.Duration
		for range b.rounds {
			for j, f := range []*farm{near, far} {
				d, err := b.ours(ctx, "play", "-i", f.inventory, "--host-keys", "off", play)
				if err != nil {
					return 0, err
				}
				took[j] = append(took[j], d)
			}
		}
		longer[i] = median(took[1]) - median(took[0])
	}
	return 1 + (longer[0]-longer[1]).Seconds()/delay.Seconds(), nil
}

// againTasks bring 100 domains, 10 networks and 10 pools into a state.
const againTasks = `    - virt_net:
        name: "n{{ item }}"
        state: active
        xml: "<network><name>n{{ item }}</name><bridge name='bench{{ item }}'/><ip address='10.9.{{ item }}.1' prefix='24'/></network>"
      loop: "{{ range(10) }}"
    - virt_pool: {name: "p{{ item }}", state: active, type: dir, path: "/srv/p{{ item }}", autostart: true}
      loop: "{{ range(10) }}"
    - virt:
        name: "d{{ item }}"
        state: defined
        xml: "{{ lookup('file', 'd.xml') | replace('NAME', 'd' ~ item) | replace('MAC', '52:54:00:00:00:%02x' | format(item)) }}"
      loop: "{{ range(100) }}"
`

// virtAgain compares a second run of a playbook that changes nothing with loops of virsh that read what it compares.
func (b *bench) virtAgain(ctx context.Context, f *farm) error {
	xml := strings.Replace(virtDomain, "52:54:00:00:%02[2]x:%02[3]x", "MAC", 1)
	if err := os.WriteFile(filepath.Join(filepath.Dir(f.inventory), "d.xml"), []byte(strings.ReplaceAll(xml, "%[1]s", "NAME")), 0o600); err != nil {
		return err
	}
	site, err := f.site("again.yml", againTasks)
	if err != nil {
		return err
	}
	ours := func() (time.Duration, error) {
		return b.ours(ctx, "play", "-i", f.inventory, "--host-keys", "off", site)
	}
	if _, err := ours(); err != nil {
		return err
	}
	return b.compare("100 domains, 10 networks, 10 pools once more", 1.5, ours, func() (time.Duration, error) {
		return b.virsh(ctx, f, `i=0; while [ $i -lt 100 ]; do v dominfo d$i; v dumpxml d$i --inactive --security-info; i=$((i+1)); done
i=0; while [ $i -lt 10 ]; do v net-info n$i; v net-dumpxml n$i --inactive; v net-dumpxml n$i; v pool-info p$i; v pool-dumpxml p$i --inactive; i=$((i+1)); done
`)
	})
}
