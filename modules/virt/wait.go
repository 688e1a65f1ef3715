package virt

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed wait.go
var waitSource string

// Wait waits for domains.
var Wait = modules.Define("vm_wait", waitSource+virshSource, runWait)

// WaitArgs wait until domains run, their agents answer, they have an address, something listens there, or cloud-init is done. All domains of a host are asked for at
// once. When the time is over, the error says for each what it lacks, at which stage it stopped, and the last line that it said on its serial console, where
// that goes into a file; what it said before is in the result.
//
//	# Until both can be logged in to.
//	- vm_wait:
//	    names: [web-01, web-02]
//	    for: [running, ip, ssh]
//	    timeout: 10m
//
//	# Until cloud-init ended well, which the guest's agent is asked for.
//	- vm_wait: {name: web-01, for: [cloud_init]}
type WaitArgs struct {
	// Names of the domains.
	Names []string `arg:"names,alias=name" required:"true"`
	// For is what to wait for: running, agent (the guest's agent answers), ip (an address that is no loopback and no link-local one), ssh (an SSH
	// server greets there), port:N (something listens there) or cloud_init (it is done; what went wrong without stopping it is a warning, a failure ends
	// the waiting at once). What comes later includes nothing of what comes before, but ssh and port an address.
	For []string `arg:"for" default:"running"`
	// Timeout is how long to wait at most.
	Timeout time.Duration `arg:"timeout" default:"10m"`
	// Interval is how long to wait between looks.
	Interval time.Duration `arg:"interval" default:"2s"`
	// CIDR is the network that the address must be of.
	CIDR string `arg:"cidr"`
	// Sources of addresses.
	Sources []AddressSource `arg:"sources" default:"lease,agent,arp"`
	Place
}

// WaitResult tells what was waited for.
type WaitResult struct {
	// Elapsed are the seconds that it took.
	Elapsed int `json:"elapsed"`
	// VMs by name: state, addresses, ip (the first that counts), reached (what is so), lacks (what is not), degraded (what went wrong in cloud-init all the same),
	// serial (the end of the log of the serial console, of domains that were late).
	VMs *value.Dict `json:"vms"`
}

// port gives the port that a word of for names, 0 for other words, -1 for what is none.
func port(word string) int {
	switch text, ok := strings.CutPrefix(word, "port:"); {
	case word == "ssh":
		return 22
	case ok:
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 65535 {
			return -1
		}
		return n
	case slices.Contains([]string{"running", "agent", "ip", "cloud_init"}, word):
		return 0
	}
	return -1
}

// Check refuses what cannot be waited for.
func (a WaitArgs) Check() error {
	for _, word := range a.For {
		if port(word) < 0 {
			return &modules.ArgError{Path: []any{"for"}, Msg: fmt.Sprintf("for: %q is none of running, agent, ip, ssh, cloud_init, port:N", word)}
		}
	}
	if a.CIDR != "" {
		if _, err := netip.ParsePrefix(a.CIDR); err != nil {
			return &modules.ArgError{Path: []any{"cidr"}, Msg: "cidr must be a network such as 10.0.0.0/24, not " + a.CIDR}
		}
	}
	for _, n := range a.Names {
		if err := checkName("names", n, true); err != nil {
			return err
		}
	}
	return nil
}

// waitProbe: URI, what agents are to be asked ("agent": whether they answer, "cloud": for cloud-init), sources of addresses or "", names.
const waitProbe = virshLib + addressLib + cloudLib + `agent=$1 sources=$2; shift 2
names list --all --name
k=0
for n do
	k=$((k + 1))
	has "$names" "$n" || continue
	s=$(v domstate --domain "$n" 2>/dev/null) && say "state$k" "$s"
	[ "$s" = running ] || continue
	case $agent in *cloud*) cloud "cloud$k" "$n" ;; esac
	case $agent in *agent*) ;; *) false ;; esac && v qemu-agent-command --domain "$n" --timeout 2 --cmd '{"execute":"guest-ping"}' >/dev/null 2>&1 && say "agent$k" yes
	for f in $sources; do
		a=$(addresses "$n" "$f") && [ -n "$a" ] && { say "addresses$k" "$a"; break; }
	done
done
exit 0
`

// waited is how far a domain got.
type waited struct {
	name, state string
	agent       bool
	addresses   []string
	ip          string
	reached     []string
	lacks       []string
	cloud       cloudState
	serial      string // the end of its console's log
	bridged     bool   // a bridge of the host has seen its MAC address
}

func runWait(ctx context.Context, h *modules.Host, a WaitArgs) (WaitResult, error) {
	start := time.Now()
	var vms []waited
	for {
		var err error
		if vms, err = a.look(ctx, h); err != nil {
			return WaitResult{VMs: showWaited(vms)}, err
		}
		open := slices.ContainsFunc(vms, func(w waited) bool { return len(w.lacks) > 0 })
		hopeless := slices.ContainsFunc(vms, func(w waited) bool { return w.cloud.failed != "" })
		res := WaitResult{Elapsed: int(time.Since(start).Seconds()), VMs: showWaited(vms)}
		switch {
		case !open, h.Planning() && !hopeless: // in check mode what would be waited for may only come into being by tasks that did not run
			for _, w := range vms {
				if w.cloud.degraded != "" {
					h.Warn("cloud-init of %s: %s", w.name, w.cloud.degraded)
				}
			}
			return res, nil
		case hopeless, time.Since(start) >= a.Timeout:
			r, err := h.Probe(ctx, lateProbe, append([]string{string(a.URI)}, a.Names...)...)
			if err != nil {
				return res, err
			}
			explainLate(r, vms)
			res.VMs = showWaited(vms)
			return res, late(vms, res.Elapsed)
		}
		if err := pause(ctx, min(a.Interval, max(a.Timeout-time.Since(start), 0))); err != nil {
			return res, err
		}
	}
}

// pause waits, or until the run ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// look asks how all domains are.
func (a WaitArgs) look(ctx context.Context, h *modules.Host) ([]waited, error) {
	agents, sources := []string{}, []string{}
	for _, word := range a.For {
		switch word {
		case "agent":
			agents = append(agents, "agent")
		case "cloud_init":
			agents = append(agents, "cloud")
		}
		if word == "ip" || port(word) > 0 {
			sources = nil
			for _, s := range a.Sources {
				sources = append(sources, string(s))
			}
		}
	}
	r, err := h.Probe(ctx, waitProbe, append([]string{string(a.URI), strings.Join(agents, " "), strings.Join(sources, " ")}, a.Names...)...)
	if err == nil {
		err = reached(r)
	}
	if err != nil {
		return nil, err
	}
	vms := make([]waited, len(a.Names))
	for i, name := range a.Names {
		k := strconv.Itoa(i + 1)
		w := waited{name: name, state: "absent", agent: r.Has("agent" + k), addresses: []string{}}
		if r.Has("state" + k) {
			w.state = r.Text("state" + k)
		}
		w.cloud = parseCloud(r.Text("cloud" + k))
		w.take(r.Text("addresses"+k), a.CIDR)
		for _, word := range a.For {
			is, err := w.is(ctx, h, word)
			if err != nil {
				return nil, err
			}
			if is {
				w.reached = append(w.reached, word)
			} else {
				w.lacks = append(w.lacks, word)
			}
		}
		vms[i] = w
	}
	return vms, nil
}

// take reads the table of domifaddr --full: interface, MAC address, protocol, address/prefix; an agent leaves out what repeats.
func (w *waited) take(text, cidr string) {
	within, _ := netip.ParsePrefix(cidr) // Check saw to it
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		p, err := netip.ParsePrefix(f[len(f)-1])
		if err != nil {
			continue
		}
		ip := p.Addr()
		if ip.IsLoopback() || ip.IsLinkLocalUnicast() || cidr != "" && !within.Contains(ip) {
			continue
		}
		w.addresses = append(w.addresses, ip.String())
	}
	if len(w.addresses) > 0 {
		w.ip = w.addresses[0]
	}
}

// is reports whether one thing waited for is so.
func (w *waited) is(ctx context.Context, h *modules.Host, word string) (bool, error) {
	switch word {
	case "running":
		return w.state == "running", nil
	case "agent":
		return w.agent, nil
	case "ip":
		return w.ip != "", nil
	case "cloud_init":
		return w.cloud.done, nil
	}
	if w.ip == "" {
		return false, nil
	}
	limited, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := h.Dial(limited, w.ip, port(word))
	if errors.Is(err, modules.ErrNoTunnel) {
		return false, fmt.Errorf("wait for %s of %s: %w", word, w.name, err)
	}
	if err != nil {
		return false, modules.LostHost(ctx, err)
	}
	defer conn.Close()
	if word != "ssh" {
		return true, nil
	}
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return false, fmt.Errorf("wait for ssh of %s: %w", w.name, err)
	}
	greeting := make([]byte, 4)
	n, err := conn.Read(greeting)
	return err == nil && strings.HasPrefix("SSH-", string(greeting[:n])) && n > 0, nil
}

// late says what each domain lacks after some seconds, and where it stopped.
func late(vms []waited, seconds int) error {
	var texts []string
	for _, w := range vms {
		if len(w.lacks) == 0 {
			continue
		}
		text := fmt.Sprintf("%s: no %s after %d s: %s, %s; %s", w.name, strings.Join(w.lacks, ", no "), seconds, w.state, orWord(w.ip, "no address"), w.stage())
		if w.serial != "" {
			text += fmt.Sprintf("; its serial console ends in %q", w.serial[strings.LastIndexByte(w.serial, '\n')+1:])
		}
		texts = append(texts, text)
	}
	return errors.New(strings.Join(texts, "; "))
}

func showWaited(vms []waited) *value.Dict {
	d := value.NewDict()
	for _, w := range vms {
		d.Set(w.name, w.show())
	}
	return d
}
