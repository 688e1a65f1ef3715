package cmd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/inventory"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules/catalog"
	"github.com/hostlerhq/hostler/run"
	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/vault"
	"github.com/spf13/pflag"
)

// guests asks a libvirt for its domains by the module virt_info: on this machine, or on a host of the other inventory sources.
func (f *inventoryFlags) guests(ctx context.Context, s Streams, ring *vault.Keyring, extra *value.Dict, q inventory.GuestQuery) (inventory.Guests, error) {
	pattern, others := "localhost", *f
	others.sources = slices.DeleteFunc(slices.Clone(f.list(s)), inventory.IsGuests)
	if q.Host == "" {
		others.sources = []string{"localhost,"}
	} else {
		pattern = q.Host
	}
	others.warned = func(diag.List) {} // told when the whole inventory is read
	var inv *inventory.Inventory
	engine, lookups := newEngine(s, ring, hostNames(&inv))
	inv, err := others.load(ctx, s, ring, engine, extra, ".")
	if err != nil {
		return inventory.Guests{}, err
	}
	host, known := inv.Host(pattern)
	if !known {
		return inventory.Guests{}, diag.Errorf(diag.Pos{}, "no host of the inventory is named %q", pattern).
			WithHint("give the inventory with the hypervisor too (-i hosts.ini -i libvirt:%s), or a URI such as libvirt:qemu:///system", pattern)
	}
	connect := f.connect
	if connect == nil {
		connect = &connectFlags{}
		connect.add(pflag.NewFlagSet("", pflag.ContinueOnError), s.conf)
	}
	how, err := connect.defaults(s)
	if err != nil {
		return inventory.Guests{}, err
	}
	if q.Host == "" {
		how = run.ConnectDefaults{Connection: "local"}
	}
	pool := transport.NewPool(transport.PoolOptions{MaxOpen: 1, Prompt: prompter(s)})
	defer pool.Close()
	sink := &guestSink{}
	opts := run.Options{
		Inventory: inv, Engine: engine, Pool: pool, Modules: catalog.Lookup(), ReadFile: ring.ReadFile, Prompt: prompter(s), Forks: 1,
		ExtraVars: extra, Connect: how, Lookup: withLookup(lookups), Sink: sink,
	}
	apply(&opts, s.conf)
	task, err := adHocTask("virt_info", fmt.Sprintf("gather=domains,networks,addresses,stats uri=%s", q.URI))
	if err != nil {
		return inventory.Guests{}, err
	}
	if _, err := run.AdHoc(ctx, pattern, task, opts); err != nil {
		return inventory.Guests{}, err
	}
	if err := sink.failure(pattern, q); err != nil {
		return inventory.Guests{}, err
	}
	found := inventory.Guests{Info: sink.last.Result, Hypervisor: pattern}
	if q.Host == "" {
		found.Hypervisor, found.Jump = far(q.URI)
		return found, nil
	}
	found.Jump = jump(inv.HostVars(host), host.Name, how)
	return found, nil
}

// far gives the host that a URI of libvirt goes to over SSH, and how ssh names it; this machine otherwise.
func far(uri string) (host, jump string) {
	u, err := url.Parse(uri)
	if err != nil || u.Hostname() == "" {
		name, err := os.Hostname()
		if err != nil {
			name = "localhost"
		}
		return name, ""
	}
	jump = u.Host
	if !strings.Contains(u.Scheme, "ssh") { // the port is that of libvirt
		jump = u.Hostname()
	}
	if u.User != nil {
		jump = u.User.Username() + "@" + jump
	}
	return u.Hostname(), jump
}

// jump names a host of the inventory as ssh -J does. Values that are templates are left out; its address then is its name.
func jump(vars *value.Dict, name string, how run.ConnectDefaults) string {
	text := func(keys ...string) string {
		for _, k := range keys {
			switch v, _ := vars.Get(k); v := v.(type) {
			case string:
				return v
			case int:
				return fmt.Sprint(v)
			}
		}
		return ""
	}
	if text("ansible_connection") == "local" || how.Connection == "local" {
		return ""
	}
	address := orDefault(text("ansible_host", "ansible_ssh_host"), name)
	if port := text("ansible_port", "ansible_ssh_port"); port != "" {
		address = net.JoinHostPort(address, port)
	}
	if user := orDefault(text("ansible_user", "ansible_ssh_user"), how.User); user != "" {
		address = user + "@" + address
	}
	return address
}

// guestSink keeps the last outcome of a host.
type guestSink struct{ last *run.Outcome }

// Emit implements run.Sink.
func (k *guestSink) Emit(_ context.Context, e run.Event) {
	if h, ok := e.(run.HostFinished); ok {
		k.last = &h.Outcome
	}
}

// Close implements run.Sink.
func (k *guestSink) Close() error { return nil }

// failure says why a libvirt did not answer, and what to do.
func (k *guestSink) failure(host string, q inventory.GuestQuery) error {
	if k.last == nil {
		return errors.New("ask libvirt on " + host + ": the run was broken off")
	}
	text, _ := k.last.Result.Get("msg")
	switch k.last.Status {
	case run.StatusUnreachable:
		return diag.Errorf(diag.Pos{}, "ask libvirt on %s: %v", host, text).
			WithHint("hostler run %s -m ping with the same inventory shows how the host is reached", host)
	case run.StatusFailed:
		err := diag.Errorf(diag.Pos{}, "ask libvirt %s on %s: %v", q.URI, host, text)
		if q.Host == "" {
			return err.WithHint("libvirt:HOST asks a host of the inventory, over SSH and with its become")
		}
		return err.WithHint("the user who logs in must be in the group libvirt, or become root (ansible_become: true)")
	}
	return nil
}
