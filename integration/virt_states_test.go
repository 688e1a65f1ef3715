//go:build integration

package integration

import (
	"strings"
	"testing"
)

// stateMaker brings the domain $1, whose definition is $2, from nowhere into a state. What is left over is of all kinds: a saved memory, variables of
// a firmware, the record of a snapshot; "full" is a domain that has them, "strays" are the files of one that is gone.
const stateMaker = `set -e
v() { virsh -q -c qemu:///system "$@"; }
kept=/var/lib/libvirt/qemu said=/run/$1.said
clean() { rm -rf "$kept/save/$1.save" "$kept/snapshot/$1" "$said" /srv/vars.fd; v destroy "$1" || :; v undefine --managed-save --snapshots-metadata --nvram "$1" || :; }
clean "$1" >/dev/null 2>&1
[ -e "/srv/$1.own" ] || cp "/srv/$1.img" "/srv/$1.own"
cp "/srv/$1.own" "/srv/$1.img"
case $3 in
absent) exit 0 ;;
transient) v create "$2" ;;
crashed) sed "s|</devices>|<panic model='isa'/></devices><on_crash>preserve</on_crash>|" "$2" >/root/crash.xml; v define /root/crash.xml ;;
full|strays) truncate -s 128K /srv/code.fd /srv/vars.fd; v define "$4" ;;
*) v define "$2" ;;
esac
case $3 in running|paused|saved|crashed|full|strays) v start "$1" ;; esac
case $3 in running|paused|saved|crashed|transient) n=0; until [ -s "$said" ]; do n=$((n+1)); [ $n -lt 600 ] || exit 1; sleep 0.1; done ;; esac
case $3 in
paused) v suspend "$1" ;;
saved) v managedsave "$1" ;;
crashed)
	v qemu-monitor-command "$1" --hmp 'o /b 0x505 1' # what a kernel that panics tells the device
	n=0; until [ "$(v domstate "$1")" = crashed ]; do n=$((n+1)); [ $n -lt 600 ] || exit 1; sleep 0.1; done ;;
dataless) rm "/srv/$1.img" ;;
full|strays)
	v managedsave "$1"
	{ echo "<domainsnapshot><name>s1</name><creationTime>1</creationTime><state>shutoff</state><memory snapshot='no'/>"; v dumpxml "$1" --inactive; echo "</domainsnapshot>"; } >/root/s1.xml
	v snapshot-create "$1" /root/s1.xml --redefine ;;
esac
[ "$3" = strays ] || exit 0
rm -rf /root/strays; mkdir /root/strays; cp -a "$kept/save/$1.save" "$kept/snapshot/$1" /root/strays
v undefine --managed-save --snapshots-metadata --keep-nvram "$1"
mkdir -p "$kept/snapshot"; cp -a "/root/strays/$1.save" "$kept/save"; cp -a "/root/strays/$1" "$kept/snapshot"
`

// TestVirtFromEveryState brings a domain from every state into every other: check mode announces what is done, what is done is so
// afterwards, and a second run changes nothing.
func TestVirtFromEveryState(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	xml := v.buttonGuest("m")
	firm := v.write("firm.xml", `<domain type='qemu'><name>m</name><memory unit='MiB'>16</memory><os><type machine='pc'>hvm</type>
<loader readonly='yes' type='pflash'>/srv/code.fd</loader><nvram>/srv/vars.fd</nvram></os><features><acpi/></features></domain>`)
	const play = `- hosts: all
  gather_facts: false
  tasks:
    - virt: {name: m, ASKED}
      check_mode: true
      register: planned
      ignore_errors: true
    - virt: {name: m, ASKED}
      register: done
    - virt: {name: m, ASKED}
      register: again
    - assert: {that: [planned is not failed, planned is changed == done is changed, again is not changed]}
`
	const off, running, paused, none = "shut off", "running", "paused", ""
	for _, c := range []struct {
		from, asked, want, refused string
	}{
		{"off", "state: running", running, ""},
		{"running", "state: running", running, ""},
		{"paused", "state: running", running, ""},
		{"saved", "state: running", running, ""},
		{"transient", "state: running", running, ""},
		{"absent", "state: running", none, "virtual machine m not found"},
		{"off", "state: shutdown", off, ""},
		{"running", "state: shutdown", off, ""},
		{"paused", "state: shutdown", off, ""},
		{"saved", "state: shutdown", off, ""},
		{"transient", "state: shutdown", running, "domain m is transient: turned off, nothing of it remains; accept_transient: true accepts that"},
		{"running", "state: destroyed", off, ""},
		{"paused", "state: destroyed", off, ""},
		{"off", "state: paused", paused, ""},
		{"running", "state: paused", paused, ""},
		{"saved", "state: paused", paused, ""},
		{"running", "state: saved", off, ""},
		{"saved", "state: saved", off, ""},
		{"off", "state: saved", off, "domain m is shut off: there is no memory to save"},
		{"off", "state: absent", none, ""},
		{"running", "state: absent", none, ""},
		{"paused", "state: undefined", none, ""},
		{"saved", "state: absent", none, ""},
		{"saved", "state: absent, managed_save: fail", off, "domain m has a saved memory; managed_save: remove takes them away with it"},
		{"transient", "state: absent", none, ""},
		{"absent", "state: absent", none, ""},
		{"absent", "state: defined, xml: XML", off, ""},
		{"absent", "state: running, xml: XML, autostart: true", running, ""},
		{"transient", "state: running, xml: XML, autostart: true", running, ""},
		{"running", "state: shutdown, force_after: 1, timeout: 60", off, ""},
		{"crashed", "state: running", running, ""},
		{"crashed", "state: shutdown", off, ""},
		{"crashed", "state: destroyed", off, ""},
		{"crashed", "state: paused", paused, ""},
		{"crashed", "state: running, xml: XML, autostart: true", running, ""},
		{"crashed", "state: absent", none, ""},
		{"full", "state: running", running, ""},
		{"full", "state: absent", none, ""},
		{"full", "state: absent, nvram: keep", none, ""},
		{"full", "state: absent, snapshots: fail", off, "domain m has 1 snapshots; snapshots: remove takes them away with it"},
		{"full", "state: absent, nvram: fail", off, "domain m has variables of its firmware; nvram: remove takes them away with it"},
		{"strays", "state: running, xml: FIRM", running, ""},
		{"strays", "state: defined, xml: FIRM", off, ""},
		{"strays", "state: absent", none, ""},
		// Half of what an earlier run was to do is done: defined but not started, the data gone but not the definition.
		{"off", "state: running, xml: XML, autostart: true", running, ""},
		{"dataless", "state: absent, storage: all", none, ""},
	} {
		t.Run(c.from+" to "+c.asked, func(t *testing.T) {
			if out, code := v.run("sh", "-c", stateMaker, "sh", "m", xml, c.from, firm); code != 0 {
				t.Fatalf("make it so: %s", out)
			}
			asked := strings.NewReplacer("XML", `"{{ lookup('file', '`+xml+`') }}"`, "FIRM", `"{{ lookup('file', '`+firm+`') }}"`).Replace(c.asked)
			out, code := v.play(v.write("play.yml", strings.ReplaceAll(play, "ASKED", asked)), bin, "play")
			if (code != 0) != (c.refused != "") || !strings.Contains(out, c.refused) {
				t.Errorf("ended with %d, refused is to be %q:\n%s", code, c.refused, out)
			}
			state, code := v.run("virsh", "-q", "-c", "qemu:///system", "domstate", "m")
			if code != 0 {
				state = none
			}
			if got := strings.TrimSpace(state); got != c.want {
				t.Errorf("the domain is %q, wanted %q", got, c.want)
			}
		})
	}
}
