package security

import (
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestIPTables(t *testing.T) { moduletest.Run(t, IPTables, "testdata/iptables/*.txtar") }

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
