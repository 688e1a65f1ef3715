//go:build integration

package integration

import (
	"strings"
	"testing"
)

// stateMaker brings the domain $1, whose definition is $2, from nowhere into a state.
const stateMaker = `set -e
v() { virsh -q -c qemu:///system "$@"; }
clean() { v destroy "$1" || :; v undefine --managed-save "$1" || :; rm -f "/run/$1.said"; }
clean "$1" >/dev/null 2>&1
case $3 in
absent) exit 0 ;;
transient) v create "$2" ;;
*) v define "$2" ;;
esac
case $3 in running|paused|saved) v start "$1" ;; esac
case $3 in off|absent) ;; *) n=0; until [ -s "/run/$1.said" ]; do n=$((n+1)); [ $n -lt 600 ] || exit 1; sleep 0.1; done ;; esac
case $3 in paused) v suspend "$1" ;; saved) v managedsave "$1" ;; esac
`

// TestVirtFromEveryState brings a domain from every state into every other: check mode announces what is done, what is done is so
// afterwards, and a second run changes nothing.
func TestVirtFromEveryState(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	xml := v.buttonGuest("m")
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
	} {
		t.Run(c.from+" to "+c.asked, func(t *testing.T) {
			if out, code := v.run("sh", "-c", stateMaker, "sh", "m", xml, c.from); code != 0 {
				t.Fatalf("make it so: %s", out)
			}
			asked := strings.Replace(c.asked, "XML", `"{{ lookup('file', '`+xml+`') }}"`, 1)
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
