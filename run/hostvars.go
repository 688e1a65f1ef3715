package run

import (
	"context"
	"strings"
	"sync"

	"github.com/hostlerhq/hostler/inventory"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/vars"
)

// hostVars are the variables that one host keeps through a run. Other hosts read them through hostvars while it
// works, so all access to what changes is under the lock.
type hostVars struct {
	name string
	host *inventory.Host

	mu sync.RWMutex
	// inventory is made when first asked for and dropped when the inventory changes.
	inventory []vars.Layer
	// facts are without the ansible_ prefix; plain holds the names that are variables without it.
	facts    *value.Dict
	plain    map[string]struct{}
	set      *value.Dict // set_fact and registered results
	included *value.Dict // include_vars; replaced, never altered
	gathered bool

	// cache is where facts come from and go to; nil is nowhere. load takes them in before they are first looked at.
	cache FactCache
	load  sync.Once
	warn  func(error)
}

// cached takes in the facts of former runs, once.
func (h *hostVars) cached() {
	if h.cache == nil {
		return
	}
	h.load.Do(func() {
		facts, gathered, err := h.cache.Load(h.name)
		if err != nil {
			h.warn(err)
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if facts != nil {
			h.takeFacts(facts)
			h.gathered = gathered
		}
	})
}

// isGathered reports whether the facts came from gathering, in this run or a former one.
func (h *hostVars) isGathered() bool {
	h.cached()
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.gathered
}

// layers gives the host's own layers.
func (h *hostVars) layers(r *runner) []vars.Layer {
	hideFacts := r.o.HideFacts
	r.mu.RLock() // the inventory may be altered; always taken before h.mu
	h.mu.Lock()
	if h.inventory == nil {
		h.inventory = inventoryLayers(r.inv, h.host)
	}
	own, included := h.inventory, h.included
	set := h.set != nil
	h.mu.Unlock()
	r.mu.RUnlock()

	out := make([]vars.Layer, len(own), len(own)+4)
	copy(out, own)
	out = append(out, vars.Layer{Level: vars.Facts, Source: "facts", Lookup: func(_ context.Context, name string) (any, bool, error) {
		v, ok := h.fact(name, hideFacts)
		return v, ok, nil
	}})
	if included != nil {
		out = append(out, vars.Layer{Level: vars.IncludeVars, Source: "include_vars", Vars: included})
	}
	if set {
		out = append(out, vars.Layer{Level: vars.SetFact, Source: "set_fact and registered results", Lookup: h.lookupSet})
	}
	return out
}

func (h *hostVars) lookupSet(_ context.Context, name string) (any, bool, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	v, ok := h.set.Get(name)
	return v, ok, nil
}

// fact finds a variable among the facts: ansible_facts itself, ansible_X, or a fact whose name has no prefix.
func (h *hostVars) fact(name string, hidden bool) (any, bool) {
	h.cached()
	h.mu.RLock()
	defer h.mu.RUnlock()
	if name == "ansible_facts" {
		if h.facts == nil {
			return value.NewDict(), true
		}
		return h.facts, true
	}
	if h.facts == nil || hidden && name != "ansible_local" { // that one Ansible never hides
		return nil, false
	}
	if _, ok := h.plain[name]; ok {
		return h.facts.Get(name)
	}
	short, ok := strings.CutPrefix(name, "ansible_")
	if !ok {
		return nil, false
	}
	if _, ok := h.plain[short]; ok {
		return nil, false
	}
	return h.facts.Get(short)
}

// addFacts takes facts in, also into the cache. Gathered says that they came from gathering.
func (h *hostVars) addFacts(facts *value.Dict, gathered bool) {
	h.cached()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.takeFacts(facts)
	h.gathered = h.gathered || gathered
	if h.cache == nil {
		return
	}
	named := value.NewDict()
	for k, v := range h.facts.All() {
		if s, ok := k.(string); ok {
			k = h.named(s)
		}
		named.Set(k, v)
	}
	if err := h.cache.Store(h.name, named, h.gathered); err != nil {
		h.warn(err)
	}
}

// named gives the name that a fact has as a variable. The caller holds the lock.
func (h *hostVars) named(fact string) string {
	if _, plain := h.plain[fact]; plain {
		return fact
	}
	return "ansible_" + fact
}

// takeFacts takes facts in, named as a module returns them: those with ansible_ before them lose it in
// ansible_facts. The dict that templates may hold already stays as it was. The caller holds the lock.
func (h *hostVars) takeFacts(facts *value.Dict) {
	next := cloneDict(h.facts)
	for k, v := range facts.All() {
		name, ok := k.(string)
		if !ok {
			next.Set(k, v)
			continue
		}
		short, prefixed := strings.CutPrefix(name, "ansible_")
		next.Set(short, v)
		if prefixed {
			delete(h.plain, short)
			continue
		}
		if h.plain == nil {
			h.plain = make(map[string]struct{})
		}
		h.plain[name] = struct{}{}
	}
	h.facts = next
}

func (h *hostVars) clearFacts() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.load.Do(func() {}) // what is cached is not wanted any more
	h.facts, h.plain, h.gathered = nil, nil, false
	if h.cache == nil {
		return
	}
	if err := h.cache.Delete(h.name); err != nil {
		h.warn(err)
	}
}

// setVar records a set_fact or a registered result.
func (h *hostVars) setVar(name string, v any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.set == nil {
		h.set = value.NewDict()
	}
	h.set.Set(name, v)
}

// isSet reports whether a set_fact or a registered result has the name.
func (h *hostVars) isSet(name string) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	_, ok := h.set.Get(name)
	return ok
}

func (h *hostVars) include(d *value.Dict) {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := cloneDict(h.included)
	for k, v := range d.All() {
		next.Set(k, v)
	}
	h.included = next
}

// inventoryChanged makes the next task read the inventory again.
func (h *hostVars) inventoryChanged(host *inventory.Host) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.host, h.inventory = host, nil
}

// names gives the names of set facts and of facts, for hostvars and vars.
func (h *hostVars) names() []string {
	h.cached()
	h.mu.RLock()
	defer h.mu.RUnlock()
	var out []string
	for k := range h.set.All() {
		if s, ok := k.(string); ok {
			out = append(out, s)
		}
	}
	if h.facts != nil {
		out = append(out, "ansible_facts")
	}
	for k := range h.facts.All() {
		s, ok := k.(string)
		if !ok {
			continue
		}
		out = append(out, h.named(s))
	}
	return out
}

func cloneDict(d *value.Dict) *value.Dict {
	c := value.NewDict()
	for k, v := range d.All() {
		c.Set(k, v)
	}
	return c
}

// inventoryLayers lays out a host's variables of the inventory, lowest first: its groups' from the outermost in,
// then its own.
func inventoryLayers(inv *inventory.Inventory, h *inventory.Host) []vars.Layer {
	out := []vars.Layer{}
	if all, ok := inv.Group("all"); ok {
		out = appendLayers(out, all.Vars, [3]vars.Level{vars.InventorySourceGroup, vars.InventoryGroupAll, vars.PlaybookGroupAll})
	}
	for _, g := range inv.GroupsOf(h) {
		out = appendLayers(out, g.Vars, [3]vars.Level{vars.InventorySourceGroup, vars.InventoryGroup, vars.PlaybookGroup})
	}
	return appendLayers(out, h.Vars, [3]vars.Level{vars.InventorySourceHost, vars.InventoryHost, vars.PlaybookHost})
}

func appendLayers(out []vars.Layer, in []inventory.Layer, levels [3]vars.Level) []vars.Layer {
	for _, l := range in {
		out = append(out, vars.Layer{Level: levels[l.Kind], Source: l.File, Vars: l.Vars})
	}
	return out
}
