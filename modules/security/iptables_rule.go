package security

import (
	"slices"
	"strings"
)

// iptablesMatch is what packets a rule is about.
type iptablesMatch struct {
	// Protocol of the packets; ! before it means all others, as with all that can be negated.
	Protocol *string `arg:"protocol"`
	// Source address.
	Source *string `arg:"source"`
	// Destination address.
	Destination *string `arg:"destination"`
	// Match names extensions to load, in order.
	Match []string `arg:"match"`
	// TCPFlags are the flags to look at and those of them that shall be set.
	TCPFlags *iptablesFlags `arg:"tcp_flags"`
	// InInterface is where packets come in.
	InInterface *string `arg:"in_interface"`
	// OutInterface is where packets go out.
	OutInterface *string `arg:"out_interface"`
	// Fragment means further fragments of packets.
	Fragment *string `arg:"fragment"`
	// SourcePort is a port or a range such as 1024:2047.
	SourcePort *string `arg:"source_port"`
	// DestinationPort is a port or a range such as 5900:5999.
	DestinationPort *string `arg:"destination_port"`
	// DestinationPorts are several ports or ranges.
	DestinationPorts []string `arg:"destination_ports"`
	// Syn means packets that open TCP connections (match), or all others (negate).
	Syn iptablesSyn `arg:"syn" default:"ignore"`
	// CTState are the states of connections.
	CTState []string `arg:"ctstate"`
	// SrcRange is a range of source addresses.
	SrcRange *string `arg:"src_range"`
	// DstRange is a range of destination addresses.
	DstRange *string `arg:"dst_range"`
	// MatchSet is a set of ipset.
	MatchSet *string `arg:"match_set"`
	// MatchSetFlags say what of a packet is looked up in the set.
	MatchSetFlags *iptablesSetFlags `arg:"match_set_flags"`
	// Limit is how often the rule matches on average: 5/second.
	Limit *string `arg:"limit"`
	// LimitBurst is how often it matches before the limit holds.
	LimitBurst *string `arg:"limit_burst"`
	// UIDOwner is the user whose process made the packet.
	UIDOwner *string `arg:"uid_owner"`
	// GIDOwner is the group whose process made the packet.
	GIDOwner *string `arg:"gid_owner"`
	// ICMPType is the type of an ICMP packet.
	ICMPType *string `arg:"icmp_type"`
	// Comment goes with the rule.
	Comment *string `arg:"comment"`
}

// iptablesTarget is what becomes of a packet.
type iptablesTarget struct {
	// Jump is the target: ACCEPT, DROP, another chain …
	Jump *string `arg:"jump"`
	// Goto is a chain to go on in for good.
	Goto *string `arg:"goto"`
	// Gateway is where jump TEE sends copies.
	Gateway *string `arg:"gateway"`
	// LogPrefix begins what jump LOG writes.
	LogPrefix *string `arg:"log_prefix"`
	// LogLevel of what jump LOG writes.
	LogLevel *iptablesLogLevel `arg:"log_level"`
	// SetCounters are the packets and bytes that a new rule counts from.
	SetCounters *string `arg:"set_counters"`
	// ToPorts are the ports that REDIRECT and MASQUERADE send to.
	ToPorts *string `arg:"to_ports"`
	// ToDestination is where DNAT sends to.
	ToDestination *string `arg:"to_destination"`
	// ToSource is what SNAT gives as the source.
	ToSource *string `arg:"to_source"`
	// DSCPMark is what jump DSCP marks with.
	DSCPMark *string `arg:"set_dscp_mark"`
	// DSCPMarkClass is the class that jump DSCP marks with.
	DSCPMarkClass *string `arg:"set_dscp_mark_class"`
	// RejectWith is what is answered; it implies jump REJECT.
	RejectWith *string `arg:"reject_with"`
}

// iptablesFlags are flags of TCP.
type iptablesFlags struct {
	// Flags to look at.
	Flags []string `arg:"flags"`
	// FlagsSet are those of them that shall be set.
	FlagsSet []string `arg:"flags_set"`
}

type (
	iptablesSyn      string
	iptablesSetFlags string
	iptablesLogLevel string
)

// Choices lists what syn can be.
func (iptablesSyn) Choices() []string { return []string{"ignore", "match", "negate"} }

// Choices lists the directions.
func (iptablesSetFlags) Choices() []string { return []string{"src", "dst", "src,dst", "dst,src"} }

// Choices lists the levels.
func (iptablesLogLevel) Choices() []string {
	return []string{
		"0", "1", "2", "3", "4", "5", "6", "7",
		"emerg", "alert", "crit", "error", "warning", "notice", "info", "debug",
	}
}

// ruleWords gathers the words of a rule.
type ruleWords []string

// add adds an option with its value, negated where the value begins with an exclamation mark.
func (w *ruleWords) add(flag string, val *string) {
	if val == nil {
		return
	}
	if rest, negated := strings.CutPrefix(*val, "!"); negated {
		*w = append(*w, "!", flag, strings.TrimSpace(rest))
		return
	}
	*w = append(*w, flag, *val)
}

func (w *ruleWords) list(flag string, vals []string) {
	if len(vals) > 0 {
		*w = append(*w, flag, strings.Join(vals, ","))
	}
}

// module loads an extension unless the user's own list does.
func (w *ruleWords) module(name string, own []string, needed bool) {
	if needed && !slices.Contains(own, name) {
		*w = append(*w, "-m", name)
	}
}

// rule gives the rule's words, in the order in which Ansible writes them.
func (a IPTablesArgs) rule(v iptablesVersion) []string {
	var w ruleWords
	if a.Wait != nil && *a.Wait != "" {
		w.add("-w", a.Wait)
	}
	w.add("-p", a.Protocol)
	w.add("-s", a.Source)
	w.add("-d", a.Destination)
	for _, m := range a.Match {
		w.add("-m", &m)
	}
	if f := a.TCPFlags; f != nil && len(f.Flags) > 0 && len(f.FlagsSet) > 0 {
		w = append(w, "--tcp-flags", strings.Join(f.Flags, ","), strings.Join(f.FlagsSet, ","))
	}
	w.add("-j", a.Jump)
	if a.Jump != nil && strings.EqualFold(*a.Jump, "tee") {
		w.add("--gateway", a.Gateway)
	}
	w.add("--log-prefix", a.LogPrefix)
	w.add("--log-level", (*string)(a.LogLevel))
	w.add("--to-destination", a.ToDestination)
	w.module("multiport", nil, len(a.DestinationPorts) > 0)
	w.list("--dports", a.DestinationPorts)
	w.add("--to-source", a.ToSource)
	w.add("-g", a.Goto)
	w.add("-i", a.InInterface)
	w.add("-o", a.OutInterface)
	w.add("-f", a.Fragment)
	w.add("-c", a.SetCounters)
	w.add("--source-port", a.SourcePort)
	w.add("--destination-port", a.DestinationPort)
	w.add("--to-ports", a.ToPorts)
	w.add("--set-dscp", a.DSCPMark)
	w.add("--set-dscp-class", a.DSCPMarkClass)
	switch a.Syn {
	case "match":
		w = append(w, "--syn")
	case "negate":
		w = append(w, "!", "--syn")
	}
	a.extensions(&w)
	if a.Jump == nil && a.RejectWith != nil {
		w = append(w, "-j", "REJECT")
	}
	w.add("--reject-with", a.RejectWith)
	if v == "ipv6" {
		w.add("--icmpv6-type", a.ICMPType)
	} else {
		w.add("--icmp-type", a.ICMPType)
	}
	w.module("comment", nil, a.Comment != nil)
	w.add("--comment", a.Comment)
	return w
}

// extensions adds what needs an extension of iptables.
func (a IPTablesArgs) extensions(w *ruleWords) {
	if slices.Contains(a.Match, "state") && !slices.Contains(a.Match, "conntrack") {
		w.list("--state", a.CTState)
	} else {
		w.module("conntrack", a.Match, len(a.CTState) > 0)
		w.list("--ctstate", a.CTState)
	}
	w.module("iprange", a.Match, a.SrcRange != nil || a.DstRange != nil)
	w.add("--src-range", a.SrcRange)
	w.add("--dst-range", a.DstRange)
	w.module("set", a.Match, a.MatchSet != nil)
	w.add("--match-set", a.MatchSet)
	if a.MatchSetFlags != nil {
		*w = append(*w, string(*a.MatchSetFlags))
	}
	w.module("limit", nil, a.Limit != nil || a.LimitBurst != nil)
	w.add("--limit", a.Limit)
	w.add("--limit-burst", a.LimitBurst)
	w.module("owner", nil, a.UIDOwner != nil)
	w.add("--uid-owner", a.UIDOwner)
	w.module("owner", nil, a.GIDOwner != nil)
	w.add("--gid-owner", a.GIDOwner)
}
