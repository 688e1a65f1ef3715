//go:build integration

package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/transport/transporttest"
)

// TestFirewallKeepsTheWayIn: a change of a firewall that would cut the SSH session, or only keep new ones out, fails and leaves the
// rules as they were; the same change stays where the session's port is let in.
func TestFirewallKeepsTheWayIn(t *testing.T) {
	bin := hostlerBinary(t)
	patient := `ansible_ssh_extra_args='-o ServerAliveInterval=300'`
	for name, c := range map[string]struct {
		before, tasks, show string
		stays               bool
	}{
		"the session is cut": {
			tasks: "iptables: {chain: INPUT, policy: DROP}",
			show:  "iptables -S INPUT",
		},
		"new sessions are kept out": {
			before: "iptables -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT",
			tasks:  "iptables: {chain: INPUT, jump: REJECT}",
			show:   "iptables -S INPUT",
		},
		"the port is let in": {
			before: "iptables -A INPUT -p tcp -m multiport --ports PORT -j ACCEPT",
			tasks:  "iptables: {chain: INPUT, policy: DROP}",
			show:   "iptables -S INPUT",
			stays:  true,
		},
		"a table of nftables keeps new sessions out": {
			before: "mkdir /etc/nftables.d; nft add table ip other",
			tasks:  "nftables: {table: inet lab, content: 'chain i { type filter hook input priority 0; ct state new reject; }'}",
			show:   "nft list tables; ls /etc/nftables.d",
		},
		"a table of nftables lets the port in": {
			before: "mkdir /etc/nftables.d",
			tasks:  "nftables: {table: inet lab, content: 'chain i { type filter hook input priority 0; policy drop; tcp dport PORT accept; tcp sport PORT accept; }'}",
			show:   "nft list tables; ls /etc/nftables.d",
			stays:  true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := transporttest.SSHD(t, transporttest.SSHDOptions{Net: true})
			port := strings.NewReplacer("PORT", fmt.Sprint(s.Port))
			inside := func(script string) string {
				out, code := playedBy(t, t.TempDir(), append(s.Enter("net", "mnt"), "sh", "-c", port.Replace(script)))
				if code != 0 {
					t.Fatalf("%s ended with %d: %s", script, code, out)
				}
				return out
			}
			if c.before != "" {
				inside(c.before)
			}
			was := inside(c.show)
			play := "- hosts: all\n  gather_facts: false\n  tasks:\n    - " + port.Replace(c.tasks) + "\n"
			out, code := playedBy(t, t.TempDir(), append(s.Enter("net"), bin, "play", "-i", sshHosts(t, patient, s), written(t, "play.yml", play)))
			if changed := inside(c.show) != was; changed != c.stays {
				t.Errorf("the rules changed: %v; before:\n%s\nafter:\n%s", changed, was, inside(c.show))
			}
			if c.stays && code != 0 || !c.stays && (code != 2 || !strings.Contains(out, "the host cannot be reached any more") || !strings.Contains(out, "so it was taken back")) {
				t.Errorf("ended with %d:\n%s", code, out)
			}
			if left := inside("ls /run | grep guard || :"); left != "" {
				t.Errorf("left behind: %s", left)
			}
		})
	}
}

const ownTable = `
- hosts: all
  gather_facts: false
  vars:
    lab: "set seen { type ipv4_addr; flags dynamic; }\nchain i {\n  type filter hook input priority 0;\n  tcp dport { 22, 80 } counter accept # }\n  add @seen { ip saddr }\n}\n"
  tasks:
    - shell: nft add table ip other && nft add chain ip other c
    - {nftables: {table: inet lab, content: "{{ lab }}"}, register: r}
    - assert: {that: [r is changed, r.path == "/etc/nftables.d/inet-lab.nft"]}
    - {nftables: {table: inet lab, content: "{{ lab }}"}, register: r}
    - assert: {that: r is not changed}
    - shell: "nft add element inet lab seen '{ 192.0.2.1 }'"
    - {nftables: {table: inet lab, content: "{{ lab }}"}, register: r}
    - assert: {that: r is not changed}
    - shell: nft add rule inet lab i drop
    - {nftables: {table: inet lab, content: "{{ lab }}"}, register: r}
    - assert: {that: r is changed}
    - {shell: nft -s list ruleset; cat /etc/nftables.d/inet-lab.nft, register: before}
    - assert: {that: ["'drop' not in before.stdout", "'table ip other' in before.stdout"]}
    - {nftables: {table: inet lab, content: "{{ lab }}chain x { tcp dprt 1 accept; }"}, register: r, ignore_errors: true}
    - assert: {that: ["r.msg is search('nft refuses the text, so nothing was changed: line 7:15-18 of content: Error: syntax error')"]}
    - {nftables: {table: ip other, content: "{{ lab }}"}, register: r, ignore_errors: true}
    - assert: {that: ["r.msg == 'table ip other is loaded and not ours: there is no /etc/nftables.d/ip-other.nft; force: true takes it over'"]}
    - {nftables: {table: ip other, state: absent}, register: r, ignore_errors: true}
    - assert: {that: [r is failed]}
    - {nftables: {table: inet lab2, path: /etc/passwd, content: "{{ lab }}"}, register: r, ignore_errors: true}
    - assert: {that: ["r.msg == '/etc/passwd is not ours: something else made it; force: true takes it over'"]}
    - {shell: nft -s list ruleset; cat /etc/nftables.d/inet-lab.nft, register: after}
    - assert: {that: before.stdout == after.stdout}
    - {nftables: {table: inet lab, state: absent}, register: r}
    - assert: {that: r is changed}
    - {nftables: {table: inet lab, state: absent}, register: r}
    - assert: {that: r is not changed}
    - {shell: nft -s list tables; ls /etc/nftables.d, register: r}
    - assert: {that: r.stdout == 'table ip other'}
`

// TestTableOfNFTables: a table is loaded, kept, mended and removed; all others stay.
func TestTableOfNFTables(t *testing.T) {
	bin := hostlerBinary(t)
	play := written(t, "play.yml", ownTable)
	out, code := playedBy(t, t.TempDir(), []string{
		"unshare", "--net", "--mount", "--propagation", "private", "sh", "-ec",
		`mount -t tmpfs tmpfs /run; mkdir /run/etc; cp -a /etc/. /run/etc; mount --bind /run/etc /etc; ip link set lo up; exec "$@"`,
		"sh", bin, "play", "-i", "localhost,", "-c", "local", play,
	})
	if code != 0 || strings.Contains(out, "skipped=1") {
		t.Errorf("ended with %d:\n%s", code, out)
	}
}
