//go:build integration

package integration

import (
	"strings"
	"testing"
)

const ownProfile = `
- hosts: all
  gather_facts: false
  tasks:
    - copy:
        dest: /etc/apparmor.d/usr.bin.lab
        content: "include <tunables/global>\nprofile lab /usr/bin/lab {\n  include <abstractions/base>\n  include if exists <local/usr.bin.lab>\n}\n"
    - {apparmor: {profile: usr.bin.lab, local: "/srv/** rw,", mode: enforce}, register: r}
    - assert: {that: [r is changed]}
    - {apparmor: {profile: usr.bin.lab, local: "/srv/** rw,", mode: enforce}, register: r}
    - assert: {that: [r is not changed]}
    - {apparmor: {profile: usr.bin.lab, local: "/srv/** rq,"}, register: r, ignore_errors: true}
    - assert: {that: ["r.msg is search('apparmor_parser refuses the rules, so nothing was changed: ')", "r.msg is search('/etc/apparmor.d/local/usr.bin.lab at line 1: syntax error')"]}
    - {command: cat /etc/apparmor.d/local/usr.bin.lab, register: r}
    - assert: {that: ["r.stdout == '/srv/** rw,'"]}
    - {apparmor: {profile: usr.bin.lab, mode: complain}, register: r}
    - assert: {that: [r is changed]}
    - {apparmor: {profile: usr.bin.lab, mode: complain}, register: r}
    - assert: {that: [r is not changed]}
    - {apparmor: {profile: usr.bin.lab, mode: disabled}, register: r}
    - assert: {that: [r is changed]}
    - {apparmor: {profile: usr.bin.lab, mode: disabled}, register: r}
    - assert: {that: [r is not changed]}
    - {shell: cd /etc/apparmor.d; readlink -e disable/usr.bin.lab; ls -A force-complain; ls -A local | grep hostler || :, register: r}
    - assert: {that: [r.stdout == '/etc/apparmor.d/usr.bin.lab']}
    - {apparmor: {profile: usr.bin.lab, mode: enforce, local: ''}, register: r}
    - assert: {that: [r is changed]}
    - {apparmor: {profile: usr.bin.nosuch, mode: enforce}, register: r, ignore_errors: true}
    - assert: {that: ["r.msg is search('there is no profile usr.bin.nosuch in /etc/apparmor.d')"]}
`

// TestProfileOfAppArmor: rules are checked by the real parser before they are written; modes are the links that the parser heeds.
func TestProfileOfAppArmor(t *testing.T) {
	bin := hostlerBinary(t)
	play := written(t, "play.yml", ownProfile)
	out, code := playedBy(t, t.TempDir(), []string{
		"unshare", "--mount", "--propagation", "private", "sh", "-ec",
		`mount -t tmpfs tmpfs /run; mkdir /run/etc; cp -a /etc/. /run/etc; mount --bind /run/etc /etc; exec "$@"`,
		"sh", bin, "play", "-i", "localhost,", "-c", "local", play,
	})
	if code != 0 || strings.Contains(out, "skipped=1") {
		t.Errorf("ended with %d:\n%s", code, out)
	}
}
