//go:build integration

package integration

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestExampleDomains plays examples/domains, one playbook after the other: a guest is defined, changed, given devices, and removed.
func TestExampleDomains(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	v.inside("mkdir /srv/images; virsh -q pool-define-as images dir --target /srv/images; virsh -q pool-start images; virsh -q pool-autostart images")
	v.virsh("net-define", v.write("n.xml", `<network><name>default</name><bridge name='virbr0'/><ip address='192.168.122.1' prefix='24'/></network>`))
	v.virsh("net-start", "default")
	small := []string{"-e", "virt_type=qemu", "-e", "memory=32"}
	has := func(wants ...string) {
		t.Helper()
		live, stored := v.virsh("dumpxml", "web-01"), v.virsh("dumpxml", "web-01", "--inactive")
		for _, want := range wants {
			if !strings.Contains(live, want) || !strings.Contains(stored, want) {
				t.Errorf("no %s in\n%s\n%s", want, live, stored)
			}
		}
	}
	v.examples(bin, example{"domains/define.yml", "2", small})
	has("<title>Web server</title>", "/srv/images/web-01.qcow2")
	id := v.virsh("domid", "web-01")
	v.examples(bin, example{"domains/plug.yml", "3", nil})
	has("/srv/images/web-01-data.qcow2", "52:54:00:64:00:02")
	v.examples(bin, example{"domains/define.yml", "0", small})
	v.examples(bin, example{"domains/change.yml", "1", []string{"-e", "virt_type=qemu", "-e", "memory=64"}})
	has("<title>Web server and proxy</title>", "<vcpu placement='static' current='2'>4</vcpu>", "/srv/images/web-01-data.qcow2")
	if got := v.virsh("dumpxml", "web-01", "--inactive"); !strings.Contains(got, "<memory unit='KiB'>65536</memory>") {
		t.Errorf("what waits for the next start is not defined: %s", got)
	}
	if got := v.virsh("domid", "web-01"); got != id {
		t.Errorf("the guest was started anew: its ID was %s and is %s", id, got)
	}
	v.examples(bin, example{"domains/remove.yml", "1", nil})
	if got := v.inside("virsh -q list --all --name; ls /srv/images"); strings.TrimSpace(got) != "" {
		t.Errorf("what is left: %s", got)
	}
}

// TestExampleSnapshots plays examples/snapshots: a snapshot a day, a backup beside a guest that runs, a change that comes off and one that is
// taken back. The programs of the site are stubs here, and so is the day.
func TestExampleSnapshots(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	v.diskGuest("web-01", "vda=qcow2")
	v.diskGuest("db-01", "vda=qcow2")
	v.inside(`mkdir /run/fake; cd /run/fake
printf '#!/bin/sh\ncase $1 in +%%Y-*) echo 2026-01-31 ;; *) exec /usr/bin/date "$@" ;; esac\n' >date
printf '#!/bin/sh\nqemu-img info -U "/srv/$1-vda.qcow2" >/dev/null && echo "$1" >>/run/copied\n' >copy-images
printf '#!/bin/sh\nvirsh -q -c qemu:///system desc "$1" --config --title upgraded && [ ! -e /run/broken ]\n' >upgrade-guest
chmod +x *; mount --bind . /usr/local/bin; mount --bind . /usr/local/sbin`)
	v.examples(bin, example{"snapshots/nightly.yml", "1", nil})
	for _, guest := range []string{"web-01", "db-01"} {
		if got := strings.TrimSpace(v.virsh("snapshot-list", guest, "--name")); got != "nightly-2026-01-31" {
			t.Errorf("%s has the snapshots %q", guest, got)
		}
	}
	v.virsh("snapshot-delete", "web-01", "nightly-2026-01-31")
	// Each run does its work anew.
	plays := func(file, when string, wants ...string) {
		t.Helper()
		args := []string{bin, "play", "-i", "../examples/snapshots/inventory.ini", "-c", "local", "../examples/snapshots/" + file}
		for i, arg := range args {
			if rest, ok := strings.CutPrefix(arg, "../examples/"); ok {
				path, err := filepath.Abs("../examples/" + rest)
				if err != nil {
					t.Fatal(err)
				}
				args[i] = path
			}
		}
		out, code := v.engine(args...)
		for _, want := range wants {
			if code != 0 || !strings.Contains(out, want) {
				t.Errorf("%s %s: ended with %d, want %q:\n%s", file, when, code, want, out)
			}
		}
		if got := strings.TrimSpace(v.virsh("snapshot-list", "web-01", "--name")); got != "" {
			t.Errorf("%s %s left the snapshots %q", file, when, got)
		}
	}
	v.virsh("start", "web-01")
	for _, when := range []string{"the first time", "the second time"} {
		plays("external.yml", when, " changed=3 ", " were freed")
		if got := v.virsh("domblklist", "web-01"); !strings.Contains(got, "/srv/web-01-vda.qcow2") {
			t.Errorf("%s the guest is not back in its image: %s", when, got)
		}
	}
	if got := v.inside("cat /run/copied"); got != "web-01\nweb-01\n" {
		t.Errorf("copied was %q", got)
	}
	title := func(want string) {
		t.Helper()
		if got := strings.TrimSpace(v.inside("virsh -q -c qemu:///system desc web-01 --config --title")); got != want {
			t.Errorf("the guest is called %q, wanted %q", got, want)
		}
	}
	v.inside(": >/run/broken")
	plays("upgrade.yml", "that fails", " rescued=1 ", " changed=3 ")
	title("")
	v.inside("rm /run/broken")
	plays("upgrade.yml", "that comes off", " rescued=0 ", " changed=3 ")
	title("upgraded")
}
