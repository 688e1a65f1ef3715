package run

import (
	"slices"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/vars"
)

// HostScope gives what templates see of a host before any play begins: the inventory's variables, extra variables and those
// magic ones that need no play. It uses Inventory, Engine, ExtraVars and the settings of o and contacts nothing. "localhost" is
// there in every inventory.
func HostScope(o Options, host string) (*vars.Scope, error) {
	r := &runner{o: o, inv: o.Inventory, hosts: make(map[string]*hostVars)}
	h := r.varsOf(host)
	if h == nil {
		return nil, noSuchHost(o, host)
	}
	return r.hostScope(nil, nil, h), nil
}

func noSuchHost(o Options, host string) error {
	var names []string
	for _, h := range o.Inventory.Hosts() {
		names = append(names, h.Name)
	}
	slices.Sort(names)
	e := diag.Errorf(diag.Pos{}, "no such host: %s", host)
	if near := diag.Near(host, names); near != "" {
		return diag.List{e.WithHint("did you mean %q?", near)}
	}
	return diag.List{e.WithHint("hostler inventory --list shows all hosts")}
}
