package security

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed ufw.go
var ufwSource string

// UFW sees to ufw, the firewall of Ubuntu.
var UFW = modules.Define("ufw", ufwSource, runUFW, modules.Aliases("community.general.ufw"))

// UFWArgs see to ufw: whether it is enabled, its policies, its rules.
//
//	# First ssh is let in, then all else kept out.
//	- ufw: {rule: allow, port: ssh, proto: tcp}
//	- ufw: {state: enabled, policy: deny}
type UFWArgs struct {
	// State of the firewall: enabled and disabled hold for the next boot too; reset also forgets all rules.
	State *ufwState `arg:"state" oneof:"command"`
	// Default policy of a direction, incoming when none is given.
	Default *ufwPolicy `arg:"default,alias=policy" oneof:"command"`
	// Rule is what becomes of packets.
	Rule *ufwRule `arg:"rule" oneof:"command"`
	// Logging is how much is logged.
	Logging *ufwLogging `arg:"logging" oneof:"command" exclusive:"name"`
	// Direction of a rule (in, out) or of a policy (incoming, outgoing, routed).
	Direction *ufwDirection `arg:"direction"`
	// Delete removes the rule.
	Delete bool `arg:"delete"`
	// Route makes the rule one for packets that are passed on.
	Route bool `arg:"route"`
	// Insert is the number that a new rule gets.
	Insert *int `arg:"insert"`
	// InsertRelativeTo is what insert counts from.
	InsertRelativeTo ufwAnchor `arg:"insert_relative_to" default:"zero"`
	// Interface of the rule.
	Interface *string `arg:"interface,alias=if" needs:"direction"`
	// InterfaceIn is where packets come in.
	InterfaceIn *string `arg:"interface_in,alias=if_in"`
	// InterfaceOut is where packets go out.
	InterfaceOut *string `arg:"interface_out,alias=if_out"`
	// Log new connections.
	Log bool `arg:"log"`
	// FromIP is the source address.
	FromIP string `arg:"from_ip,alias=from,alias=src" default:"any"`
	// FromPort is the source port.
	FromPort *string `arg:"from_port"`
	// ToIP is the destination address.
	ToIP string `arg:"to_ip,alias=dest,alias=to" default:"any"`
	// ToPort is the destination port, several with commas, or a range such as 5900:5999.
	ToPort *string `arg:"to_port,alias=port"`
	// Proto is the protocol.
	Proto *ufwProto `arg:"proto,alias=protocol" exclusive:"name"`
	// Name of a profile in /etc/ufw/applications.d.
	Name *string `arg:"name,alias=app" exclusive:"name"`
	// Comment goes with the rule.
	Comment *string `arg:"comment"`
	// AcceptLockout leaves a change in place that cuts the SSH session; otherwise it is taken back after 20 seconds.
	AcceptLockout bool `arg:"accept_lockout"`
}

type (
	ufwState     string
	ufwPolicy    string
	ufwRule      string
	ufwLogging   string
	ufwDirection string
	ufwAnchor    string
	ufwProto     string
)

// Choices lists the states.
func (ufwState) Choices() []string { return []string{"disabled", "enabled", "reloaded", "reset"} }

// Choices lists the policies.
func (ufwPolicy) Choices() []string { return []string{"allow", "deny", "reject"} }

// Choices lists what can become of packets.
func (ufwRule) Choices() []string { return []string{"allow", "deny", "limit", "reject"} }

// Choices lists the levels.
func (ufwLogging) Choices() []string { return []string{"on", "off", "low", "medium", "high", "full"} }

// Choices lists the directions.
func (ufwDirection) Choices() []string {
	return []string{"in", "incoming", "out", "outgoing", "routed"}
}

// Choices lists the places.
func (ufwAnchor) Choices() []string {
	return []string{"first-ipv4", "first-ipv6", "last-ipv4", "last-ipv6", "zero"}
}

// Choices lists the protocols.
func (ufwProto) Choices() []string {
	return []string{"any", "tcp", "udp", "ipv6", "esp", "ah", "gre", "igmp"}
}

// UFWResult tells what was done.
type UFWResult struct {
	// Commands of ufw that the task stands for.
	Commands []string `json:"commands"`
	// Msg is what ufw says of its state afterwards.
	Msg string `json:"msg"`
}

// Check holds the rules over several arguments.
func (a UFWArgs) Check() error {
	d := ufwDirection("")
	if a.Direction != nil {
		d = *a.Direction
	}
	between := a.InterfaceIn != nil || a.InterfaceOut != nil
	switch {
	case d != "" && between:
		return errors.New("direction goes with neither interface_in nor interface_out")
	case a.Default != nil && (d == "in" || d == "out"):
		return errors.New(`For default, direction must be one of "outgoing", "incoming" and "routed", or direction must not be specified.`)
	case a.Rule != nil && d != "" && d != "in" && d != "out":
		return errors.New(`For rules, direction must be one of "in" and "out", or direction must not be specified.`)
	case a.Rule != nil && !a.Route && a.InterfaceIn != nil && a.InterfaceOut != nil:
		return errors.New("Only route rules can combine interface_in and interface_out")
	case a.Comment != nil && strings.ContainsAny(*a.Comment, "'\n"):
		return &modules.ArgError{Path: []any{"comment"}, Msg: "ufw allows neither ' nor line ends in a comment"}
	}
	return nil
}

// ufwFiles are what ufw keeps; distributions differ in the folder.
const ufwFiles = `/etc/ufw/ufw.conf /etc/default/ufw /lib/ufw/user.rules /lib/ufw/user6.rules /etc/ufw/user.rules /etc/ufw/user6.rules /var/lib/ufw/user.rules /var/lib/ufw/user6.rules`

// ufwScript: the words of the rule, if there is one. What the rule would lead to ufw tells by itself.
const ufwScript = `command -v ufw >/dev/null 2>&1 || { echo "the host has no program ufw; it comes with the package ufw" >&2; exit 1; }
tell status ufw status verbose
show conf /etc/ufw/ufw.conf
show default /etc/default/ufw
for f in '' 6; do
	say "rules$f" "$(cat /lib/ufw/user$f.rules /etc/ufw/user$f.rules /var/lib/ufw/user$f.rules 2>/dev/null | grep '^### tuple')"
done
if [ $# -gt 0 ]; then tell rule ufw --dry-run "$@"; fi
exit 0
`

// ufwRun: arguments of ufw. It says on standard output what keeps it from working.
const ufwRun = `out=$(ufw "$@" 2>&1) || { printf '%s\n' "$out" >&2; exit 1; }`

// The guard's: what was is laid back, and loaded when it was in force.
const (
	ufwSave = `for f in ` + ufwFiles + `; do
	[ ! -e "$f" ] || { mkdir -p ".${f%/*}" && cp -p "$f" ".$f"; } || exit 1
done`
	ufwUndo = `ufw -f disable
for f in ` + ufwFiles + `; do [ ! -e ".$f" ] || cp -p ".$f" "$f"; done
! grep -q '^ENABLED=yes' ./etc/ufw/ufw.conf || ufw -f enable`
)

// ufwSeen is what a look told.
type ufwSeen struct {
	status, conf, defaults string
	rules, rules6          string
	wouldBe                string // what ufw says that the rule leads to
}

func runUFW(ctx context.Context, h *modules.Host, a UFWArgs) (UFWResult, error) {
	var r UFWResult
	rule, err := a.ruleWords(ctx, h)
	if err != nil {
		return r, err
	}
	guard := modules.Guard{Why: "the rules of ufw", Save: ufwSave, Undo: ufwUndo}
	_, after, err := modules.Reconcile(ctx, h, modules.Reconciler[ufwSeen]{
		Probe: ufwScript, Args: rule, Parse: parseUFW,
		Plan: func(s ufwSeen) ([]modules.Action, error) {
			actions := a.plan(s, rule)
			if a.mayCut(s) {
				actions = guard.Arm(h, actions)
			}
			return actions, nil
		},
	})
	for _, words := range a.commands(rule) {
		r.Commands = append(r.Commands, "ufw "+strings.Join(words, " "))
	}
	r.Msg = after.status
	return r, guard.Settle(ctx, h, err)
}

func parseUFW(r *modules.Report) (ufwSeen, error) {
	s := ufwSeen{
		status: r.Text("status"), conf: r.Text("conf"), defaults: r.Text("default"),
		rules: r.Text("rules"), rules6: r.Text("rules6"), wouldBe: r.Text("rule"),
	}
	for _, key := range []string{"status", "rule"} {
		if r.Has(key) && r.Status(key) != 0 {
			return s, errors.New(strings.TrimSpace(r.Text(key) + "\n" + r.Text(key+".err")))
		}
	}
	return s, nil
}

// commands gives the words of all commands, in the order in which they go.
func (a UFWArgs) commands(rule []string) [][]string {
	var all [][]string
	if a.State != nil {
		verb := map[ufwState]string{"enabled": "enable", "disabled": "disable", "reloaded": "reload", "reset": "reset"}[*a.State]
		all = append(all, []string{"-f", verb})
	}
	if a.Default != nil {
		words := []string{"default", string(*a.Default)}
		if a.Direction != nil {
			words = append(words, string(*a.Direction))
		}
		all = append(all, words)
	}
	if a.Rule != nil {
		all = append(all, rule)
	}
	if a.Logging != nil {
		all = append(all, []string{"logging", string(*a.Logging)})
	}
	return all
}

// plan leaves out the commands that would change nothing.
func (a UFWArgs) plan(s ufwSeen, rule []string) []modules.Action {
	var actions []modules.Action
	for _, words := range a.commands(rule) {
		var needed bool
		switch words[0] {
		case "-f":
			needed = s.wantsState(*a.State)
		case "default":
			needed = s.wantsDefault(*a.Default, a.Direction)
		case "logging":
			needed = s.wantsLogging(*a.Logging)
		default:
			needed = s.wantsRule()
		}
		if needed {
			actions = append(actions, modules.Action{Why: "ufw " + strings.Join(words, " "), Script: ufwRun, Args: words})
		}
	}
	return actions
}

func (s ufwSeen) active() bool { return strings.Contains(s.status, "Status: active") }

func (s ufwSeen) wantsState(state ufwState) bool {
	boots := ufwSetting(s.conf, "ENABLED") == "yes"
	switch state {
	case "enabled":
		return !s.active() || !boots
	case "disabled":
		return s.active() || boots
	}
	return true
}

func (s ufwSeen) wantsDefault(policy ufwPolicy, direction *ufwDirection) bool {
	chain := "INPUT"
	if direction != nil {
		chain = map[ufwDirection]string{"incoming": "INPUT", "outgoing": "OUTPUT", "routed": "FORWARD"}[*direction]
	}
	want := map[ufwPolicy]string{"allow": "ACCEPT", "deny": "DROP", "reject": "REJECT"}[policy]
	return ufwSetting(s.defaults, "DEFAULT_"+chain+"_POLICY") != want
}

func (s ufwSeen) wantsLogging(level ufwLogging) bool {
	now := ufwSetting(s.conf, "LOGLEVEL")
	if level == "on" {
		return now == "off" || now == ""
	}
	return now != string(level)
}

// wantsRule compares the rules that are there with those that ufw would write: one part for IPv4, which alone has limits of rates, and one
// for IPv6. A part that stays as it is may be missing.
func (s ufwSeen) wantsRule() bool {
	for part := range strings.SplitSeq(s.wouldBe, "*filter\n") {
		if !strings.Contains(part, "### RULES ###") {
			continue
		}
		var would []string
		for line := range strings.Lines(part) {
			if strings.HasPrefix(line, "### tuple") {
				would = append(would, strings.TrimSpace(line))
			}
		}
		now := s.rules6
		if strings.Contains(part, "### RATE LIMITING ###") {
			now = s.rules
		}
		if strings.Join(would, "\n") != now {
			return true
		}
	}
	return false
}

// ufwSetting reads NAME=value of one of ufw's files.
func ufwSetting(text, name string) string {
	found := ""
	for line := range strings.Lines(text) {
		if val, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok {
			found = strings.Trim(val, `"'`)
		}
	}
	return found
}

// mayCut reports whether the change could stop packets that went through so far.
func (a UFWArgs) mayCut(s ufwSeen) bool {
	switch {
	case a.AcceptLockout, a.State != nil && (*a.State == "disabled" || *a.State == "reset"):
		return false
	case a.State != nil:
		return true
	case !s.active():
		return false
	case a.Default != nil && *a.Default != "allow" && (a.Direction == nil || *a.Direction != "routed"):
		return true
	case a.Rule == nil || a.Route:
		return false
	}
	lets := *a.Rule == "allow"
	return lets == a.Delete || *a.Rule == "limit"
}

// ruleWords gives the words of the rule in ufw's long form; nil when there is none.
func (a UFWArgs) ruleWords(ctx context.Context, h *modules.Host) ([]string, error) {
	if a.Rule == nil {
		return nil, nil
	}
	var w []string
	if a.Route {
		w = append(w, "route")
	}
	if a.Delete {
		w = append(w, "delete")
	}
	if a.Insert != nil && !a.Delete {
		at, err := a.place(ctx, h)
		if err != nil {
			return nil, err
		}
		w = append(w, at...)
	}
	w = append(w, string(*a.Rule))
	add := func(val *string, words ...string) {
		if val != nil && *val != "" {
			w = append(append(w, words...), *val)
		}
	}
	add((*string)(a.Direction))
	add(a.Interface, "on")
	add(a.InterfaceIn, "in", "on")
	add(a.InterfaceOut, "out", "on")
	if a.Log {
		w = append(w, "log")
	}
	add(&a.FromIP, "from")
	add(a.FromPort, "port")
	add(&a.ToIP, "to")
	add(a.ToPort, "port")
	add((*string)(a.Proto), "proto")
	add(a.Name, "app")
	add(a.Comment, "comment")
	return w, nil
}

var ufwNumbered = regexp.MustCompile(`(?m)^\[ *([0-9]+)\] (.*)$`)

// place gives the number that a rule is inserted at; none when it comes after all others, for which ufw has no number.
func (a UFWArgs) place(ctx context.Context, h *modules.Host) ([]string, error) {
	if a.InsertRelativeTo == "zero" {
		return []string{"insert", strconv.Itoa(*a.Insert)}, nil
	}
	seen, err := h.Probe(ctx, `ufw status numbered`)
	if err != nil {
		return nil, fmt.Errorf("ask ufw for the numbers of its rules: %w", err)
	}
	var v4, v6 []int
	for _, m := range ufwNumbered.FindAllStringSubmatch(string(seen.Stdout), -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return nil, fmt.Errorf("read the number of a rule of ufw: %w", err)
		}
		if strings.Contains(m[2], "(v6)") {
			v6 = append(v6, n)
		} else {
			v4 = append(v4, n)
		}
	}
	last := slices.Max(append([]int{0}, append(slices.Clone(v4), v6...)...))
	last4 := slices.Max(append([]int{0}, v4...))
	from := 1
	switch {
	case a.InsertRelativeTo == "last-ipv4" && len(v4) > 0:
		from = last4
	case a.InsertRelativeTo == "first-ipv6" && len(v4) > 0:
		from = last4 + 1
	case a.InsertRelativeTo == "last-ipv6" && len(v6) > 0:
		from = last
	case a.InsertRelativeTo == "last-ipv6":
		from = last + 1
	}
	if at := *a.Insert + from; at <= last {
		return []string{"insert", strconv.Itoa(at)}, nil
	}
	return nil, nil
}
