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

// WaitArgs wait until domains run, their agents answer, they have an address, or something listens there. All domains of a host are asked for at
// once. When the time is over, the error says for each how far it got and what it lacks.
//
//	# Until both can be logged in to.
//	- vm_wait:
//	    names: [web-01, web-02]
//	    for: [running, ip, ssh]
//	    timeout: 10m
type WaitArgs struct {
	// Names of the domains.
	Names []string `arg:"names,alias=name" required:"true"`
	// For is what to wait for: running, agent (the guest's agent answers), ip (an address that is no loopback and no link-local one), ssh (an SSH
	// server greets there) or port:N (something listens there). What comes later includes nothing of what comes before, but ssh and port an address.
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
	// VMs by name: state, addresses, ip (the first that counts), reached (what is so), lacks (what is not).
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
	case slices.Contains([]string{"running", "agent", "ip"}, word):
		return 0
	}
	return -1
}

// Check refuses what cannot be waited for.
func (a WaitArgs) Check() error {
	for _, word := range a.For {
		if port(word) < 0 {
			return &modules.ArgError{Path: []any{"for"}, Msg: fmt.Sprintf("for: %q is none of running, agent, ip, ssh, port:N", word)}
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

// waitProbe: URI, "agent" when the agents are to be asked, sources of addresses or "", names.
const waitProbe = virshLib + addressLib + `agent=$1 sources=$2; shift 2
names list --all --name
k=0
for n do
	k=$((k + 1))
	has "$names" "$n" || continue
	s=$(v domstate --domain "$n" 2>/dev/null) && say "state$k" "$s"
	[ "$s" = running ] || continue
	[ -z "$agent" ] || ! v qemu-agent-command --domain "$n" --timeout 2 --cmd '{"execute":"guest-ping"}' >/dev/null 2>&1 || say "agent$k" yes
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
		res := WaitResult{Elapsed: int(time.Since(start).Seconds()), VMs: showWaited(vms)}
		switch {
		case !open, h.Planning(): // in check mode what would be waited for may only come into being by tasks that did not run
			return res, nil
		case time.Since(start) >= a.Timeout:
			return res, a.late(vms)
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
	agent, sources := "", []string{}
	for _, word := range a.For {
		if word == "agent" {
			agent = "agent"
		}
		if word == "ip" || port(word) > 0 {
			sources = nil
			for _, s := range a.Sources {
				sources = append(sources, string(s))
			}
		}
	}
	r, err := h.Probe(ctx, waitProbe, append([]string{string(a.URI), agent, strings.Join(sources, " ")}, a.Names...)...)
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

// late says what each domain lacks.
func (a WaitArgs) late(vms []waited) error {
	var texts []string
	for _, w := range vms {
		if len(w.lacks) == 0 {
			continue
		}
		what := "no " + strings.Join(w.lacks, ", no ")
		ip := w.ip
		if ip == "" {
			ip = "no address"
		}
		texts = append(texts, fmt.Sprintf("%s: %s after %d s: %s, %s", w.name, what, int(a.Timeout.Seconds()), w.state, ip))
	}
	return errors.New(strings.Join(texts, "; "))
}

func showWaited(vms []waited) *value.Dict {
	d := value.NewDict()
	for _, w := range vms {
		d.Set(w.name, value.NewDict("state", w.state, "addresses", textList(w.addresses), "ip", w.ip,
			"reached", textList(w.reached), "lacks", textList(w.lacks)))
	}
	return d
}
