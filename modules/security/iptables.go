package security

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed iptables.go
var iptablesSource string

//go:embed iptables_rule.go
var iptablesRuleSource string

// IPTables sees to a rule, chain or policy of iptables.
var IPTables = modules.Define("iptables", iptablesSource+iptablesRuleSource, runIPTables, modules.Aliases("ansible.builtin.iptables"))

// IPTablesArgs see to one rule, chain or policy of the running packet filter. What is to be there after a restart must be saved besides.
//
//	# Let virsh of the neighbours in.
//	- iptables:
//	    chain: INPUT
//	    protocol: tcp
//	    destination_port: 16509
//	    source: 192.0.2.0/24
//	    ctstate: NEW
//	    jump: ACCEPT
type IPTablesArgs struct {
	// Table that the chain is of.
	Table iptablesTable `arg:"table" default:"filter"`
	// State is whether the rule shall be there.
	State modules.Presence `arg:"state" default:"present"`
	// Action is where a rule that is not there yet goes: to the end or to the top.
	Action iptablesPlace `arg:"action" default:"append"`
	// RuleNum is the number that a rule gets which is inserted.
	RuleNum string `arg:"rule_num"`
	// IPVersion chooses iptables or ip6tables; both is one after the other.
	IPVersion iptablesVersion `arg:"ip_version" default:"ipv4"`
	// Chain that is meant.
	Chain string `arg:"chain"`
	// ChainManagement makes the chain if needed, and with state absent and no rule removes it.
	ChainManagement bool `arg:"chain_management"`
	// Flush removes all rules of the chain, or of the table when no chain is given.
	Flush bool `arg:"flush" exclusive:"all"`
	// Policy of a built-in chain.
	Policy *iptablesPolicy `arg:"policy" exclusive:"all"`
	// Numeric has no effect: names are never looked up here.
	Numeric bool `arg:"numeric"`
	// Wait is how many seconds to wait for another iptables to end.
	Wait *string `arg:"wait"`
	// AcceptLockout leaves a change in place that cuts the SSH session; otherwise it is taken back after 20 seconds.
	AcceptLockout bool `arg:"accept_lockout"`

	iptablesMatch
	iptablesTarget
}

type (
	iptablesTable   string
	iptablesPlace   string
	iptablesVersion string
	iptablesPolicy  string
)

// Choices lists the tables.
func (iptablesTable) Choices() []string {
	return []string{"filter", "nat", "mangle", "raw", "security"}
}

// Choices lists the places.
func (iptablesPlace) Choices() []string { return []string{"append", "insert"} }

// Choices lists the versions.
func (iptablesVersion) Choices() []string { return []string{"ipv4", "ipv6", "both"} }

// Choices lists the policies.
func (iptablesPolicy) Choices() []string { return []string{"ACCEPT", "DROP", "QUEUE", "RETURN"} }

// IPTablesResult tells what was asked for.
type IPTablesResult struct {
	// Table that was meant.
	Table string `json:"table"`
	// Chain that was meant.
	Chain *string `json:"chain"`
	// IPVersion that was asked for.
	IPVersion string `json:"ip_version"`
	// Rule in iptables's own words.
	Rule string `json:"rule"`
	// State that was asked for.
	State string `json:"state"`
	// Flush that was asked for.
	Flush bool `json:"flush"`
	// ChainManagement that was asked for.
	ChainManagement bool `json:"chain_management"`
}

// Check holds the rules over several arguments.
func (a IPTablesArgs) Check() error {
	logs := a.LogPrefix != nil || a.LogLevel != nil
	switch {
	case !a.Flush && a.Chain == "":
		return missing("Either chain or flush parameter must be specified.")
	case strings.HasPrefix(a.Chain, "-") || strings.ContainsAny(a.Chain, " \t\n\x00"):
		return &modules.ArgError{Path: []any{"chain"}, Msg: "chain cannot be the name of a chain: " + a.Chain}
	case a.Jump != nil && strings.EqualFold(*a.Jump, "tee") && a.Gateway == nil:
		return missing("jump is TEE but all of the following are missing: gateway")
	case logs && a.Jump != nil && *a.Jump != "LOG":
		return errors.New("Logging options can only be used with the LOG jump target.")
	case a.DSCPMark != nil && a.DSCPMarkClass != nil:
		return errors.New("parameters are mutually exclusive: set_dscp_mark|set_dscp_mark_class")
	case (a.MatchSet == nil) != (a.MatchSetFlags == nil):
		return missing("match_set and match_set_flags are required together")
	}
	return nil
}

// iptablesProbe: program, table, chain or nothing, then the rule's words, if there is one.
const iptablesProbe = `prog=$1 table=$2 chain=$3; shift 3
command -v "$prog" >/dev/null 2>&1 || { echo "the host has no program $prog; it comes with iptables" >&2; exit 1; }
rules() {
	if [ -n "$chain" ]; then "$prog" -t "$table" -S "$chain"; else "$prog" -t "$table" -S; fi
}
if list=$(rules 2>/dev/null); then say head "${list%%
*}"; case $list in *"-A "*) say rules yes ;; esac
elif [ -z "$chain" ] || ! "$prog" -t "$table" -S >/dev/null 2>&1; then rules >/dev/null; exit 1; fi
if [ $# -gt 0 ]; then tell rule "$prog" -t "$table" -C "$chain" "$@"; fi
exit 0
`

// ruleState is what a look told of the chain and the rule.
type ruleState struct {
	chain, rules, present bool
	policy                string // "" for a chain of the user's own
}

func runIPTables(ctx context.Context, h *modules.Host, a IPTablesArgs) (IPTablesResult, error) {
	versions := []iptablesVersion{a.IPVersion}
	if a.IPVersion == "both" {
		versions = []iptablesVersion{"ipv4", "ipv6"}
	}
	r := IPTablesResult{
		Table: string(a.Table), IPVersion: string(a.IPVersion), Rule: strings.Join(a.rule(versions[0]), " "),
		State: string(a.State), Flush: a.Flush, ChainManagement: a.ChainManagement,
	}
	if a.Chain != "" {
		r.Chain = &a.Chain
	}
	if (a.LogPrefix != nil || a.LogLevel != nil) && a.Jump == nil {
		a.Jump = new("LOG")
	}
	for _, v := range versions {
		if err := modules.IgnorePlanned(a.reconcile(ctx, h, v)); err != nil {
			return r, err
		}
	}
	return r, nil
}

// reconcile sees to one version of the protocol.
func (a IPTablesArgs) reconcile(ctx context.Context, h *modules.Host, v iptablesVersion) error {
	prog := "iptables"
	if v == "ipv6" {
		prog = "ip6tables"
	}
	args := []string{prog, string(a.Table), a.Chain}
	if a.aboutRule(v) {
		args = append(args, a.rule(v)...)
	}
	guard := modules.Guard{
		Why: fmt.Sprintf("the rules of table %s of %s", a.Table, prog), Args: []string{prog, string(a.Table)},
		Save: `"$1-save" -c -t "$2" >saved`, Undo: `"$1-restore" -c -T "$2" <saved`,
	}
	_, _, err := modules.Reconcile(ctx, h, modules.Reconciler[ruleState]{
		Probe: iptablesProbe, Args: args, Parse: a.parse,
		Plan: func(s ruleState) ([]modules.Action, error) {
			actions, err := a.plan(h, s, prog, v)
			if err == nil && a.mayCut() {
				actions = guard.Arm(h, actions)
			}
			return actions, err
		},
	})
	return guard.Settle(ctx, h, err)
}

// aboutRule reports whether a rule is meant, and not a policy or a whole chain.
func (a IPTablesArgs) aboutRule(v iptablesVersion) bool {
	if a.Flush || a.Policy != nil {
		return false
	}
	return len(a.rule(v)) > 0 || a.State == modules.Present && !a.ChainManagement
}

// parse reads the report. A rule with words that iptables does not understand is an error also where it shall be absent, unless it
// names a chain that is not there: such a rule cannot be.
func (a IPTablesArgs) parse(r *modules.Report) (ruleState, error) {
	s := ruleState{chain: r.Has("head"), rules: r.Has("rules"), present: r.Status("rule") == 0}
	if words := strings.Fields(r.Text("head")); len(words) == 3 && words[0] == "-P" {
		s.policy = words[2]
	}
	if r.Has("rule") && r.Status("rule") > 1 {
		text, _, _ := strings.Cut(r.Text("rule.err"), "\n")
		target := strings.Contains(text, "does not exist") || strings.Contains(text, "Couldn't load target")
		if !target || a.State == modules.Present {
			return s, errors.New(text)
		}
	}
	return s, nil
}

// plan gives what is to be done about one version.
func (a IPTablesArgs) plan(h *modules.Host, s ruleState, prog string, v iptablesVersion) ([]modules.Action, error) {
	do := func(why string, words ...string) modules.Action {
		return modules.Action{Why: why, Argv: append([]string{prog, "-t", string(a.Table)}, words...)}
	}
	where := fmt.Sprintf("chain %s of table %s", a.Chain, a.Table)
	switch {
	case a.Flush && a.Chain == "":
		return only(s.rules, do("remove all rules of table "+string(a.Table), "-F")), nil
	case a.Flush && s.chain:
		return only(s.rules, do("remove all rules of "+where, "-F", a.Chain)), nil
	case a.Policy != nil && s.chain && s.policy == "":
		return nil, errors.New(where + " has no policy: only built-in chains have one")
	case a.Policy != nil && s.chain:
		return only(s.policy != string(*a.Policy), do(fmt.Sprintf("set the policy of %s to %s", where, *a.Policy), "-P", a.Chain, string(*a.Policy))), nil
	case !s.chain && (a.Flush || a.Policy != nil || a.State == modules.Present && !a.ChainManagement):
		return nil, fmt.Errorf("%s has no %s: chain_management makes it", prog, where)
	}
	var actions []modules.Action
	if a.State == modules.Absent && !a.aboutRule(v) {
		if s.chain && !a.ChainManagement {
			h.Warn("%s stays: chain_management removes it", where)
		}
		return only(s.chain && a.ChainManagement, do("remove "+where, "-X", a.Chain)), nil
	}
	if !s.chain && a.State == modules.Present {
		actions = append(actions, do("make "+where, "-N", a.Chain))
	}
	rule := a.rule(v)
	switch shown := strings.Join(rule, " "); {
	case !a.aboutRule(v) || s.present == (a.State == modules.Present):
	case s.present:
		actions = append(actions, do(fmt.Sprintf("remove from %s: %s", where, shown), append([]string{"-D", a.Chain}, rule...)...))
	case a.Action == "append":
		actions = append(actions, do(fmt.Sprintf("append to %s: %s", where, shown), append([]string{"-A", a.Chain}, rule...)...))
	default:
		words := []string{"-I", a.Chain}
		if a.RuleNum != "" {
			words = append(words, a.RuleNum)
		}
		actions = append(actions, do(fmt.Sprintf("insert into %s: %s", where, shown), append(words, rule...)...))
	}
	return actions, nil
}

// only gives the action where it is needed.
func only(needed bool, action modules.Action) []modules.Action {
	if !needed {
		return nil
	}
	return []modules.Action{action}
}

// mayCut reports whether the change could stop packets that went through so far.
func (a IPTablesArgs) mayCut() bool {
	lets := func(target *string) bool {
		return target == nil || slices.Contains([]string{"ACCEPT", "LOG", "NFLOG", "MASQUERADE", "SNAT"}, *target)
	}
	opens := lets(a.Jump) && a.Goto == nil && a.RejectWith == nil
	stops := a.Jump != nil && (*a.Jump == "DROP" || *a.Jump == "REJECT") || a.Jump == nil && a.RejectWith != nil
	switch {
	case a.AcceptLockout || a.Chain == "FORWARD":
		return false
	case a.Flush:
		return true
	case a.Policy != nil:
		return *a.Policy != "ACCEPT"
	case a.State == modules.Absent:
		return !stops
	}
	return !opens
}
