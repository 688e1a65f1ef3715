package run

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/inventory"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/playbook"
	"github.com/hostlerhq/hostler/vars"
)

// play is one play while it runs: what its batches share.
type play struct {
	r      *runner
	src    *playbook.Play
	dir    string // playbook_dir
	name   string
	nodes  []node
	all    []string // every host of the pattern
	layers []vars.Layer
	// removed are the hosts that failed, went missing or ended; lists remembers what left gave since it changed last.
	removed map[string]bool
	lists   map[*string]*value.List

	strategy   string
	maxFail    float64 // share of hosts that may fail; negative for no limit
	force      bool
	gatherNode *playbook.Task
	smart      bool // gather only where it was not done yet
	handlers   []*handler
	public     []publicRole // brought while the play runs
	ended      bool         // meta: end_play

	lateFiles []any // entries of vars_files whose names need a host
	filesMu   sync.Mutex
	files     map[string]*value.Dict // variables read, by path
}

// play runs one play and reports whether the next may follow.
func (r *runner) play(ctx context.Context, pb *playbook.Playbook, src *playbook.Play) (bool, error) {
	p := &play{r: r, src: src, dir: playDir(pb, src), removed: make(map[string]bool)}
	if err := p.prepare(ctx); err != nil {
		return false, err
	}
	hosts, err := p.match(ctx)
	if err != nil {
		return false, err
	}
	batches, err := p.batches(ctx, hosts)
	if err != nil {
		return false, err
	}
	if len(batches) == 0 {
		r.events.emit(PlayStarted{Path: taskPos(p.src.Pos), Name: p.name, Check: r.o.Check})
		r.events.emit(NoHosts{})
		return true, nil
	}
	for _, batch := range batches {
		before := len(r.lost) + len(r.unreachable)
		broke, err := p.runBatch(ctx, batch)
		if err != nil {
			return false, err
		}
		if p.ended || r.stopping(ctx) {
			break
		}
		if broke || len(r.lost)+len(r.unreachable)-before == len(batch) {
			r.broken = r.broken || broke
			return false, nil
		}
	}
	return true, nil
}

func playDir(pb *playbook.Playbook, src *playbook.Play) string {
	file := src.File
	if file == "" {
		file = pb.Path
	}
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return filepath.Dir(file)
	}
	return dir
}

// scope sees what a play sees before it has a host.
func (p *play) scope() *vars.Scope {
	layers := append(slices.Clone(p.layers), vars.Layer{Level: vars.Extra, Source: "extra vars", Vars: p.r.o.ExtraVars})
	layers = append(layers, vars.Layer{Level: vars.Magic, Source: "magic", Lookup: (&magic{r: p.r, p: p}).lookup})
	return p.r.o.Engine.Scope(layers...)
}

// prepare renders the play's own keywords.
func (p *play) prepare(ctx context.Context) error {
	p.layers = []vars.Layer{{Level: vars.PlayVars, Source: "play vars", Vars: p.src.Vars}}
	if err := p.prompts(ctx); err != nil {
		return err
	}
	if err := p.varsFiles(ctx); err != nil {
		return err
	}
	s := p.scope()
	e := evaluator{s: s}
	p.strategy = cmpOr(baseName(e.text(ctx, p.src.Strategy)), p.r.o.Strategy, "linear")
	p.maxFail = -1
	if p.src.MaxFailPercentage.Set {
		p.maxFail = e.number(ctx, p.src.MaxFailPercentage, 100) / 100
	}
	p.force = e.truth(ctx, p.src.ForceHandlers, p.r.o.ForceHandlers)
	if e.err != nil {
		return e.err
	}
	switch p.strategy {
	case "linear", "free", "host_pinned", "debug":
	default:
		return diag.Errorf(p.src.Strategy.Pos, "invalid play strategy specified: %s", p.strategy).
			WithHint("there are linear, free and host_pinned")
	}
	var notTagged error
	want := func(t *playbook.Task) bool {
		ok, err := p.r.wanted(ctx, s, t.Tags)
		if err != nil && notTagged == nil {
			notTagged = err
		}
		return ok
	}
	p.nodes = compilePlay(p.src, p.force, want)
	p.gather(ctx, want)
	p.handlers = makeHandlers(ctx, s, p.src.Handlers)
	return notTagged
}

// match gives the play's hosts, in its order.
func (p *play) match(ctx context.Context) ([]*inventory.Host, error) {
	v, err := p.scope().Render(ctx, p.src.Hosts.Value)
	if err != nil {
		return nil, atPos(p.src.Hosts.Pos, fmt.Errorf("hosts: %w", err))
	}
	pattern := patternOf(v)
	p.name = pattern
	if p.src.Name.Set {
		if name, err := p.scope().Text(ctx, p.src.Name.Value); err == nil && name != "" {
			p.name = name
		} else if err != nil {
			p.name = rawText(p.src.Name.Value)
		}
	}
	hosts, warnings, err := p.r.inventory().Match(pattern, p.r.o.Limit)
	p.r.warnAll(warnings)
	if err != nil {
		return nil, atPos(p.src.Hosts.Pos, err)
	}
	p.all = make([]string, len(hosts))
	for i, h := range hosts {
		p.all[i] = h.Name
	}
	return hosts, p.order(ctx, hosts)
}

// patternOf joins a list of patterns into one.
func patternOf(v any) string {
	if l, ok := v.(*value.List); ok {
		parts := make([]string, len(l.Items))
		for i, item := range l.Items {
			parts[i] = fmt.Sprint(item)
		}
		return strings.Join(parts, ",")
	}
	return fmt.Sprint(v)
}

// rawText is a text as written, templates included.
func rawText(v any) string {
	if t, ok := v.(*value.Template); ok {
		return t.Text
	}
	s, _ := v.(string)
	return s
}

func (p *play) order(ctx context.Context, hosts []*inventory.Host) error {
	e := evaluator{s: p.scope()}
	order := e.text(ctx, p.src.Order)
	if e.err != nil {
		return e.err
	}
	byName := func(a, b *inventory.Host) int { return strings.Compare(a.Name, b.Name) }
	switch order {
	case "", "inventory", "none":
	case "reverse_inventory":
		slices.Reverse(hosts)
	case "sorted":
		slices.SortStableFunc(hosts, byName)
	case "reverse_sorted":
		slices.SortStableFunc(hosts, func(a, b *inventory.Host) int { return byName(b, a) })
	case "shuffle":
		rand.Shuffle(len(hosts), func(i, j int) { hosts[i], hosts[j] = hosts[j], hosts[i] })
	default:
		return diag.Errorf(p.src.Order.Pos, "invalid 'order' specified for inventory hosts: %s", order).
			WithHint("there are inventory, sorted, reverse_sorted, reverse_inventory and shuffle")
	}
	return nil
}

// batches cuts the hosts as serial says.
func (p *play) batches(ctx context.Context, hosts []*inventory.Host) ([][]*inventory.Host, error) {
	if len(hosts) == 0 {
		return nil, nil
	}
	if !p.src.Serial.Set {
		return [][]*inventory.Host{hosts}, nil
	}
	v, err := p.scope().Render(ctx, p.src.Serial.Value)
	if err != nil {
		return nil, atPos(p.src.Serial.Pos, fmt.Errorf("serial: %w", err))
	}
	steps := []any{v}
	if l, ok := v.(*value.List); ok {
		steps = l.Items
	}
	var out [][]*inventory.Host
	for i := 0; len(hosts) > 0 && len(steps) > 0; i++ {
		n, err := serialSize(steps[min(i, len(steps)-1)], len(p.all))
		if err != nil {
			return nil, atPos(p.src.Serial.Pos, err)
		}
		if n <= 0 {
			n = len(hosts)
		}
		n = min(n, len(hosts))
		out, hosts = append(out, hosts[:n]), hosts[n:]
	}
	return out, nil
}
