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
