package security

import (
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestIPTables(t *testing.T) { moduletest.Run(t, IPTables, "testdata/iptables/*.txtar") }

func TestFirewalld(t *testing.T) { moduletest.Run(t, Firewalld, "testdata/firewalld/*.txtar") }

func TestNFTables(t *testing.T) { moduletest.Run(t, NFTables, "testdata/nftables/*.txtar") }

func TestSELinux(t *testing.T) { moduletest.Run(t, SELinux, "testdata/selinux/*.txtar") }

func TestSEBoolean(t *testing.T) { moduletest.Run(t, SEBoolean, "testdata/seboolean/*.txtar") }

func TestSEFContext(t *testing.T) { moduletest.Run(t, SEFContext, "testdata/sefcontext/*.txtar") }

func TestAppArmor(t *testing.T) { moduletest.Run(t, AppArmor, "testdata/apparmor/*.txtar") }

func TestUFW(t *testing.T) { moduletest.Run(t, UFW, "testdata/ufw/*.txtar") }

// TestMistakes looks for what is refused before the host is contacted.
func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		module *modules.Module
		args   []any
		want   string
	}{
		{IPTables, []any{"jump", "ACCEPT"}, `Either chain or flush parameter must be specified.`},
		{IPTables, []any{"chain", "-F"}, `chain cannot be the name of a chain: -F`},
		{IPTables, []any{"chain", "INPUT", "table", "filtr"}, `argument "table" must be one of filter, nat, mangle, raw, security, not "filtr" (did you mean "filter"?)`},
		{IPTables, []any{"chain", "INPUT", "flush", true, "policy", "DROP"}, `arguments are mutually exclusive: flush, policy`},
		{IPTables, []any{"chain", "INPUT", "jump", "tee"}, `jump is TEE but all of the following are missing: gateway`},
		{IPTables, []any{"chain", "INPUT", "jump", "DROP", "log_prefix", "x"}, `Logging options can only be used with the LOG jump target.`},
		{IPTables, []any{"chain", "INPUT", "set_dscp_mark", "1", "set_dscp_mark_class", "CS1"}, `parameters are mutually exclusive: set_dscp_mark|set_dscp_mark_class`},
		{IPTables, []any{"chain", "INPUT", "match_set", "x"}, `match_set and match_set_flags are required together`},
		{IPTables, []any{"chain", "INPUT", "policy", "REJECT"}, `argument "policy" must be one of ACCEPT, DROP, QUEUE, RETURN, not "REJECT"`},
		{UFW, []any{"port", 22}, `one of these arguments is required: state, default, rule, logging`},
		{UFW, []any{"rule", "alow"}, `argument "rule" must be one of allow, deny, limit, reject, not "alow" (did you mean "allow"?)`},
		{UFW, []any{"default", "deny", "direction", "in"}, `For default, direction must be one of "outgoing", "incoming" and "routed", or direction must not be specified.`},
		{UFW, []any{"rule", "deny", "direction", "routed"}, `For rules, direction must be one of "in" and "out", or direction must not be specified.`},
		{UFW, []any{"rule", "deny", "interface", "eth0"}, `argument "direction" is required by "interface"`},
		{UFW, []any{"rule", "deny", "interface_in", "eth0", "interface_out", "eth1"}, `Only route rules can combine interface_in and interface_out`},
		{UFW, []any{"rule", "deny", "comment", "it's"}, `ufw allows neither ' nor line ends in a comment`},
		{UFW, []any{"rule", "deny", "name", "OpenSSH", "proto", "tcp"}, `arguments are mutually exclusive: logging, proto, name`},
		{Firewalld, []any{"service", "ssh"}, `missing required argument "state"`},
		{Firewalld, []any{"service", "ssh", "state", "present"}, `absent and present state can only be used in zone level operations`},
		{Firewalld, []any{"service", "ssh", "port", "1/tcp", "state", "enabled"}, `arguments are mutually exclusive: service, protocol, port, port_forward, rich_rule, source, interface, icmp_block, icmp_block_inversion, masquerade, target`},
		{Firewalld, []any{"port", "80", "state", "enabled"}, `improper port format (missing protocol?)`},
		{Firewalld, []any{"state", "enabled"}, `state is enabled or disabled but none of the settings of a zone is given`},
		{Firewalld, []any{"state", "absent", "permanent", true}, `state is present or absent but all of the following are missing: zone`},
		{Firewalld, []any{"zone", "lab", "state", "present"}, `Zone operations must be permanent. Make sure you didn't set the 'permanent' flag to 'false' or the 'immediate' flag to 'true'.`},
		{Firewalld, []any{"interface", "eth0", "state", "enabled"}, `argument "zone" is required by "interface"`},
		{Firewalld, []any{"source", "10.0.0.0/8", "state", "enabled"}, `argument "permanent" is required by "source"`},
		{NFTables, []any{"table", "lab", "content", ""}, `table must be a family (ip, ip6, inet, arp, bridge, netdev) and a name, not lab (table: inet hypervisor)`},
		{NFTables, []any{"table", "inet lab"}, `state is present but all of the following are missing: content`},
		{NFTables, []any{"table", "inet lab", "content", "chain x { }\n} flush ruleset"}, `line 2 of content: braces do not match (content is what stands between the braces of the table)`},
		{NFTables, []any{"table", "inet lab", "content", "chain x { # }\n \"}\""}, `line 2 of content: braces do not match (content is what stands between the braces of the table)`},
		{NFTables, []any{"table", "inet lab", "content", "", "path", "x.nft"}, `path must be absolute: x.nft`},
		{SELinux, []any{"state", "enforcing"}, `Policy is required if state is not 'disabled'`},
		{SELinux, []any{"state", "off"}, `argument "state" must be one of disabled, enforcing, permissive, not "off"`},
		{SELinux, []any{"state", "enforcing", "policy", "../x"}, `policy cannot be the name of a policy: ../x`},
		{SEBoolean, []any{"name", "a/b", "state", true}, `name cannot be the name of a boolean: a/b`},
		{SEBoolean, []any{"name", "x", "state", true, "ignore_selinux_state", true}, `ignore_selinux_state goes with persistent only`},
		{SEFContext, []any{"target", "/x"}, `state is present but any of the following are missing: setype, substitute`},
		{SEFContext, []any{"target", "-x", "setype", "t"}, `target cannot be a path: -x`},
		{SEFContext, []any{"target", "/x", "substitute", "/y", "ftype", "d"}, `substitute goes with none of ftype, seuser, selevel`},
		{AppArmor, []any{"profile", "local/x", "mode", "enforce"}, `profile must be the name of a file in /etc/apparmor.d, not local/x`},
		{AppArmor, []any{"profile", "x"}, `one of these arguments is required: mode, local`},
		{AppArmor, []any{"profile", "x", "mode", "enforced"}, `argument "mode" must be one of enforce, complain, disabled, not "enforced" (did you mean "enforce"?)`},
	} {
		var got []string
		for _, e := range c.module.Check(value.NewDict(c.args...)) {
			text := e.Msg
			if e.Hint != "" {
				text += " (" + e.Hint + ")"
			}
			got = append(got, text)
		}
		if strings.Join(got, "; ") != c.want {
			t.Errorf("%s %q:\n got %s\nwant %s", c.module.Name, c.args, strings.Join(got, "; "), c.want)
		}
	}
}
