package security

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed firewalld.go
var firewalldSource string

// Firewalld sees to a zone of firewalld.
var Firewalld = modules.Define("firewalld", firewalldSource, runFirewalld, modules.Aliases("ansible.posix.firewalld"))

// FirewalldArgs see to one setting of a zone of firewalld, or to a zone itself. Where firewalld does not run, permanent settings go into its files.
//
//	# Let others manage virtual machines, now and after a restart.
//	- firewalld:
//	    service: libvirt
//	    zone: internal
//	    permanent: true
//	    immediate: true
//	    state: enabled
type FirewalldArgs struct {
	// Service to let in.
	Service *string `arg:"service" exclusive:"one"`
	// Protocol to let in.
	Protocol *string `arg:"protocol" exclusive:"one"`
	// Port or range of ports to let in: 5900-5999/tcp.
	Port *string `arg:"port" exclusive:"one"`
	// PortForward is one port to send elsewhere.
	PortForward []firewalldForward `arg:"port_forward" exclusive:"one"`
	// RichRule in the language of firewalld.
	RichRule *string `arg:"rich_rule" exclusive:"one"`
	// Source is an address or network of the zone.
	Source *string `arg:"source" exclusive:"one" needs:"permanent"`
	// Interface of the zone; it leaves the one that it was in.
	Interface *string `arg:"interface" exclusive:"one" needs:"zone"`
	// ICMPBlock is a type of ICMP to keep out.
	ICMPBlock *string `arg:"icmp_block" exclusive:"one"`
	// ICMPBlockInversion lets in only what is blocked.
	ICMPBlockInversion *firewalldFlag `arg:"icmp_block_inversion" exclusive:"one"`
	// Masquerade hides what is passed on behind the host's address.
	Masquerade *firewalldFlag `arg:"masquerade" exclusive:"one"`
	// Target is what becomes of all other packets; it is permanent only.
	Target *firewalldTarget `arg:"target" exclusive:"one" needs:"zone"`
	// Zone that is meant; firewalld's default zone when none is given.
	Zone *string `arg:"zone"`
	// Permanent changes what holds from the next start or reload on.
	Permanent *bool `arg:"permanent"`
	// Immediate changes what holds now; it is meant when permanent is not.
	Immediate bool `arg:"immediate"`
	// State of the setting; present and absent are for zones and their targets.
	State firewalldState `arg:"state" required:"true"`
	// Timeout is after how many seconds an immediate setting goes away, 0 is never.
	Timeout int `arg:"timeout" default:"0"`
	// Offline is allowed always: permanent settings need no firewalld that runs.
	Offline *bool `arg:"offline"`
	// AcceptLockout leaves a change in place that cuts the SSH session; otherwise it is taken back after 20 seconds.
	AcceptLockout bool `arg:"accept_lockout"`
}

// firewalldForward is a port to send elsewhere.
type firewalldForward struct {
	// Port that packets come to.
	Port string `arg:"port" required:"true"`
	// Proto is the protocol.
	Proto string `arg:"proto" required:"true"`
	// ToPort is the port that they are sent to.
	ToPort string `arg:"toport" required:"true"`
	// ToAddr is the address that they are sent to.
	ToAddr string `arg:"toaddr"`
}

type (
	firewalldState  string
	firewalldTarget string
)

// Choices lists the states.
func (firewalldState) Choices() []string { return []string{"absent", "disabled", "enabled", "present"} }

// Choices lists the targets.
func (firewalldTarget) Choices() []string { return []string{"default", "ACCEPT", "DROP", "%%REJECT%%"} }

// firewalldFlag is a boolean; any other text is true.
type firewalldFlag struct {
	on      bool
	warning string
}

// DecodeArg implements the reading of an argument.
func (f *firewalldFlag) DecodeArg(v any) error {
	b, err := modules.Bool(v)
	f.on = b || err != nil
	if err != nil {
		f.warning = fmt.Sprintf("%v is no boolean and counts as true", v)
	}
	return nil
}

// Warning tells of a value that probably was meant otherwise.
func (f *firewalldFlag) Warning() string { return f.warning }

// FirewalldResult tells what was done.
type FirewalldResult struct {
	// Msg tells what kind of change it was and what was changed.
	Msg string `json:"msg"`
}

const firewalldZoneOnly = "Zone operations must be permanent. Make sure you didn't set the 'permanent' flag to 'false' or the 'immediate' flag to 'true'."

// Check holds the rules over several arguments.
func (a FirewalldArgs) Check() error {
	c := a.change()
	zonal := a.State == "present" || a.State == "absent"
	switch {
	case a.Port != nil && !strings.Contains(strings.Trim(*a.Port, "/"), "/"):
		return errors.New("improper port format (missing protocol?)")
	case len(a.PortForward) > 1:
		return errors.New("Only one port forward supported at a time")
	case c.add != "" && zonal && a.Target == nil:
		return errors.New("absent and present state can only be used in zone level operations")
	case c.add == "" && !zonal:
		return missing("state is enabled or disabled but none of the settings of a zone is given")
	case c.add == "" && (a.Zone == nil || *a.Zone == ""):
		return missing("state is present or absent but all of the following are missing: zone")
	case (c.add == "" || a.Target != nil) && a.immediate():
		return missing(firewalldZoneOnly)
	}
	return nil
}

func (a FirewalldArgs) permanent() bool { return a.Permanent != nil && *a.Permanent }
func (a FirewalldArgs) immediate() bool { return a.Immediate || !a.permanent() }

// firewalldChange is one setting in firewall-cmd's words.
type firewalldChange struct {
	query, add, remove string
	check              string // asks whether there is such a thing at all
	msg                string // what to say of a change
	msgOff             string // what to say of one that disables
	timed              bool
	on                 bool // it shall be there
	opens              bool // adding it cannot keep packets out
	harmless           bool // neither can removing it
}

// change gives the setting that is meant; an empty one for a zone itself.
func (a FirewalldArgs) change() firewalldChange {
	on := a.State == "enabled" || a.State == "present"
	plain := func(option, val, name string) firewalldChange {
		msg := fmt.Sprintf("Changed %s %s to %s", name, val, a.State)
		return firewalldChange{
			query: "--query-" + option + "=" + val, add: "--add-" + option + "=" + val, remove: "--remove-" + option + "=" + val,
			msg: msg, msgOff: msg, timed: true, on: on, opens: true,
		}
	}
	flag := func(option string, f *firewalldFlag, msg, msgOff string) firewalldChange {
		return firewalldChange{
			query: "--query-" + option, add: "--add-" + option, remove: "--remove-" + option,
			msg: msg, msgOff: msgOff, on: on == f.on, harmless: true,
		}
	}
	zone := "the default zone"
	if a.Zone != nil && *a.Zone != "" {
		zone = "zone " + *a.Zone
	}
	switch {
	case a.Service != nil:
		c := plain("service", *a.Service, "service")
		c.check = "--info-service=" + *a.Service
		return c
	case a.Protocol != nil:
		return plain("protocol", *a.Protocol, "protocol")
	case a.Port != nil:
		return plain("port", strings.TrimSpace(*a.Port), "port")
	case len(a.PortForward) > 0:
		f := a.PortForward[0]
		c := plain("forward-port", fmt.Sprintf("port=%s:proto=%s:toport=%s:toaddr=%s", f.Port, f.Proto, f.ToPort, f.ToAddr), "port_forward")
		c.opens = false
		return c
	case a.RichRule != nil:
		c := plain("rich-rule", *a.RichRule, "rich_rule")
		c.opens = false
		return c
	case a.ICMPBlock != nil:
		c := plain("icmp-block", *a.ICMPBlock, "icmp-block")
		c.check, c.harmless = "--info-icmptype="+*a.ICMPBlock, true
		return c
	case a.ICMPBlockInversion != nil:
		msg := fmt.Sprintf("Changed icmp-block-inversion %v to %s", a.ICMPBlockInversion.on, a.State)
		return flag("icmp-block-inversion", a.ICMPBlockInversion, msg, msg)
	case a.Masquerade != nil:
		return flag("masquerade", a.Masquerade, "Added masquerade to "+zone, "Removed masquerade from "+zone)
	case a.Source != nil:
		c := plain("source", *a.Source, "")
		c.timed, c.opens, c.msg, c.msgOff = false, false, "Added "+*a.Source+" to "+zone, "Removed "+*a.Source+" from "+zone
		return c
	case a.Interface != nil:
		c := plain("interface", *a.Interface, "")
		c.timed, c.opens, c.add = false, false, "--change-interface="+*a.Interface
		c.msg, c.msgOff = "Changed "+*a.Interface+" to "+zone, "Removed "+*a.Interface+" from "+zone
		return c
	case a.Target != nil:
		return firewalldChange{
			query: "--get-target", add: "--set-target=" + string(*a.Target), remove: "--set-target=default", on: on, harmless: true,
			msg: fmt.Sprintf("Set %s target to %s", zone, *a.Target), msgOff: "Reset " + zone + " target to default",
		}
	}
	return firewalldChange{on: on, harmless: true}
}

// firewalldScript: p, i or pi for permanent and immediate, the zone, the question, then what asks whether there is such a thing.
const firewalldScript = `kinds=$1 zone=$2 query=$3 check=$4
command -v firewall-offline-cmd >/dev/null 2>&1 || { echo "the host has no program firewall-cmd; it comes with firewalld" >&2; exit 1; }
tool=firewall-offline-cmd permanent=
if firewall-cmd --state >/dev/null 2>&1; then say running yes; tool=firewall-cmd permanent=--permanent; fi
ask() {
	key=$1; shift
	if [ -n "$zone" ] && [ "$query" != --get-zones ]; then set -- "$@" "--zone=$zone"; fi
	tell "$key" "$@" "$query"
}
case $kinds in *p*) ask permanent $tool $permanent ;; esac
case $kinds in *i*) [ $tool != firewall-cmd ] || ask immediate $tool ;; esac
if [ -n "$check" ]; then
	case $kinds in *p*) tell check $tool $permanent "$check" ;; *) [ $tool != firewall-cmd ] || tell check $tool "$check" ;; esac
fi
exit 0
`

// The guard's: kinds, zone, the option that takes the change back, the interface when the change is of one.
const (
	firewalldSave = `[ -z "$4" ] || { firewall-cmd --permanent --get-zone-of-interface="$4" >p 2>/dev/null; firewall-cmd --get-zone-of-interface="$4" >i 2>/dev/null; :; }`
	firewalldUndo = `back() {
	kind=$1 zone=$2 option=$3 interface=$4; shift 4
	if [ -n "$interface" ] && [ -s $kind ]; then zone=$(cat $kind) option=--change-interface=$interface; fi
	if [ -n "$zone" ]; then set -- "$@" "--zone=$zone"; fi
	firewall-cmd "$@" "$option"
}
rc=0
case $1 in *i*) back i "$2" "$3" "$4" || rc=1 ;; esac
case $1 in *p*) back p "$2" "$3" "$4" --permanent || rc=1 ;; esac
exit $rc`
)

// firewalldSeen is what a look told.
type firewalldSeen struct {
	running              bool
	permanent, immediate bool // it is there
	unknown              string
}

func runFirewalld(ctx context.Context, h *modules.Host, a FirewalldArgs) (FirewalldResult, error) {
	c := a.change()
	zone := ""
	if a.Zone != nil {
		zone = *a.Zone
	}
	kinds := ""
	if a.permanent() {
		kinds = "p"
	}
	if a.immediate() {
		kinds += "i"
	}
	query := c.query
	if c.add == "" {
		query = "--get-zones"
	}
	guard := modules.Guard{Why: "the zones of firewalld", Save: firewalldSave, Undo: firewalldUndo}
	before, _, err := modules.Reconcile(ctx, h, modules.Reconciler[firewalldSeen]{
		Probe: firewalldScript, Args: []string{kinds, zone, query, c.check},
		Parse: func(r *modules.Report) (firewalldSeen, error) { return a.parse(r) },
		Plan: func(s firewalldSeen) ([]modules.Action, error) {
			actions, needed, err := a.plan(s, c, zone)
			if a.mayCut(s, c) && strings.Contains(needed, "i") {
				guard.Args = a.back(needed, c, zone)
				actions = guard.Arm(h, actions)
			}
			return actions, err
		},
	})
	r := FirewalldResult{Msg: a.say(before, c)}
	return r, guard.Settle(ctx, h, err)
}

// back gives the arguments of the guard.
func (a FirewalldArgs) back(needed string, c firewalldChange, zone string) []string {
	option, iface := c.remove, ""
	if !c.on {
		option = c.add
	}
	if a.Interface != nil {
		iface = *a.Interface
	}
	return []string{needed, zone, option, iface}
}

// parse reads the answers: yes and no have the statuses 0 and 1, all others are mistakes.
func (a FirewalldArgs) parse(r *modules.Report) (firewalldSeen, error) {
	s := firewalldSeen{running: r.Has("running")}
	if a.immediate() && !s.running {
		return s, errors.New("firewall is not currently running, unable to perform immediate actions without a running firewall daemon")
	}
	for _, key := range []string{"permanent", "immediate"} {
		if r.Has(key) && r.Status(key) > 1 {
			return s, errors.New(strings.TrimPrefix(strings.TrimSpace(r.Text(key+".err")), "Error: "))
		}
	}
	if r.Status("check") != 0 && r.Has("check") {
		s.unknown = strings.TrimPrefix(strings.TrimSpace(r.Text("check.err")), "Error: ")
	}
	s.permanent, s.immediate = r.Status("permanent") == 0, r.Status("immediate") == 0
	switch {
	case a.Target != nil:
		s.permanent = r.Text("permanent") == string(*a.Target)
	case a.change().add == "":
		s.permanent = slices.Contains(strings.Fields(r.Text("permanent")), *a.Zone)
	}
	return s, nil
}

// plan gives the actions, and for which of p (permanent) and i (immediate) they are.
func (a FirewalldArgs) plan(s firewalldSeen, c firewalldChange, zone string) (actions []modules.Action, needed string, err error) {
	tool := []string{"firewall-offline-cmd"}
	if s.running {
		tool = []string{"firewall-cmd"}
	}
	option, why := c.add, "add "
	if !c.on {
		option, why = c.remove, "remove "
	}
	if c.add == "" {
		option, zone = "--new-zone="+zone, ""
		if !c.on {
			option = "--delete-zone=" + *a.Zone
		}
	}
	do := func(where string, words ...string) {
		argv := append(slices.Clone(tool), words...)
		if zone != "" {
			argv = append(argv, "--zone="+zone)
		}
		actions = append(actions, modules.Action{Why: strings.TrimPrefix(option, "--") + " " + where, Argv: append(argv, option)})
	}
	if !s.running && a.Service != nil && !c.on {
		option = "--remove-service-from-zone=" + *a.Service // --remove-service is of a tool of old there
	}
	if a.permanent() && s.permanent != c.on {
		needed = "p"
		if s.running {
			do("for good", "--permanent")
		} else {
			do("in the files of firewalld")
		}
	}
	if a.immediate() && s.immediate != c.on {
		needed += "i"
		if c.on && c.timed && a.Timeout > 0 {
			do("for "+strconv.Itoa(a.Timeout)+" seconds", "--timeout="+strconv.Itoa(a.Timeout))
		} else {
			do("for now")
		}
	}
	if len(actions) > 0 && c.on && s.unknown != "" {
		return nil, "", fmt.Errorf("%s%s: %s", why, strings.TrimPrefix(option, "--add-"), s.unknown)
	}
	return actions, needed, nil
}

// mayCut reports whether the change could stop packets that went through so far.
func (a FirewalldArgs) mayCut(s firewalldSeen, c firewalldChange) bool {
	return !a.AcceptLockout && s.running && !c.harmless && (!c.on || !c.opens)
}

// say tells in Ansible's words what was done to what was seen.
func (a FirewalldArgs) say(s firewalldSeen, c firewalldChange) string {
	var msgs []string
	switch {
	case a.permanent() && a.immediate():
		msgs = append(msgs, "Permanent and Non-Permanent(immediate) operation")
	case a.permanent():
		msgs = append(msgs, "Permanent operation")
	default:
		msgs = append(msgs, "Non-permanent operation")
	}
	if a.permanent() && s.permanent != c.on || a.immediate() && s.immediate != c.on {
		msg := c.msg
		if !c.on {
			msg = c.msgOff
		}
		if c.add == "" {
			verb := map[bool]string{true: "Added", false: "Removed"}[c.on]
			msg = fmt.Sprintf("%s zone %s, Changed zone %[2]s to %s", verb, *a.Zone, a.State)
		}
		msgs = append(msgs, msg)
	}
	if !s.running {
		msgs = append(msgs, "(offline operation: only on-disk configs were altered)")
	}
	return strings.Join(msgs, ", ")
}
