package inventory_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/inventory"
	"github.com/hostlerhq/hostler/jinja/value"
)

// guest is a domain as virt_info tells of it.
func guest(uuid, state, mac string, addresses ...any) *value.Dict {
	return value.NewDict("uuid", uuid, "state", state, "plan", "a b", "interfaces",
		value.NewList(value.NewDict("mac", mac, "type", "network", "source", "lan", "addresses", value.NewList(addresses...))))
}

func TestGuests(t *testing.T) {
	var asked []inventory.GuestQuery
	opts := inventory.Options{Guests: func(_ context.Context, q inventory.GuestQuery) (inventory.Guests, error) {
		asked = append(asked, q)
		uuid := "u-" + q.Host
		return inventory.Guests{Hypervisor: q.Host, Jump: "root@" + q.Host, Info: value.NewDict(
			"networks", value.NewDict("lan", value.NewDict("forward_mode", "nat")),
			"domains", value.NewDict(
				"web", guest(uuid, "running", "a", "fe80::1/64", "fd00::2/64", "10.0.0.2/24", "10.0.0.3/24"),
				"six", guest("six"+uuid, "paused", "b", "fd00::3/64"),
				"off", guest("off"+uuid, "shut off", "c"),
				"hv1", guest("hv"+uuid, "running", "d", "10.0.0.4/24"),
			),
		)}, nil
	}}
	inv, warnings, err := inventory.Load(t.Context(), []string{"libvirt:hv1", "libvirt:hv2:lxc:///"}, opts)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]inventory.GuestQuery{{URI: "qemu:///system", Host: "hv1"}, {URI: "lxc:///", Host: "hv2"}}, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	got := map[string]string{}
	for _, h := range inv.Hosts() {
		vars := inv.HostVars(h)
		groups := []string{}
		for _, g := range inv.GroupsOf(h) {
			groups = append(groups, g.Name)
		}
		got[h.Name] = vars.Str("ansible_host") + " " + vars.Str("ansible_ssh_proxy_jump") + " " + strings.Join(groups, ",")
	}
	want := map[string]string{
		"web":      "10.0.0.2 root@hv1 network_lan,plan_a_b,state_running",
		"six":      "fd00::3 root@hv1 network_lan,plan_a_b,state_paused",
		"hvu-hv1":  "10.0.0.4 root@hv1 network_lan,plan_a_b,state_running", // not hv1: that is the hypervisor
		"hv1":      "10.0.0.4 root@hv2 network_lan,plan_a_b,state_running",
		"u-hv2":    "10.0.0.2 root@hv2 network_lan,plan_a_b,state_running,web",
		"sixu-hv2": "fd00::3 root@hv2 network_lan,plan_a_b,six,state_paused",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("hosts (-want +got):\n%s", diff)
	}
	text := ""
	for _, w := range warnings {
		text += w.Error() + "\n"
	}
	for _, want := range []string{`two domains are named "web": host u-hv2 is the second`, `a domain is named "hv1", as its hypervisor is: its host is hvu-hv1`} {
		if !strings.Contains(text, want) {
			t.Errorf("warnings: %s", text)
		}
	}
}

func TestGuestsByFile(t *testing.T) {
	var asked inventory.GuestQuery
	opts := inventory.Options{
		Evaluate: func(context.Context, string, bool, *value.Dict) (any, error) { return "x", nil },
		Guests: func(_ context.Context, q inventory.GuestQuery) (inventory.Guests, error) {
			asked = q
			off := guest("u1", "shut off", "c")
			off.Set("stats", value.NewDict("state.state", "5"))
			return inventory.Guests{Hypervisor: q.Host, Info: value.NewDict("domains", value.NewDict("off", off))}, nil
		},
	}
	file := filepath.Join(t.TempDir(), "libvirt.yml")
	if err := os.WriteFile(file, []byte("plugin: libvirt\nuri: qemu+ssh://root@hv/system\ninventory_hostname: uuid\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	inv, _, err := inventory.Load(t.Context(), []string{file}, opts)
	if err != nil {
		t.Fatal(err)
	}
	if asked != (inventory.GuestQuery{URI: "qemu+ssh://root@hv/system"}) {
		t.Errorf("asked: %v", asked)
	}
	h, ok := inv.Host("u1")
	if !ok {
		t.Fatal("no host u1")
	}
	info, _ := inv.HostVars(h).Get("info")
	if d, ok := info.(*value.Dict); !ok || d.Str("state") != "shutoff" {
		t.Errorf("info: %v", info)
	}
	if g, ok := inv.Group("off"); !ok || len(g.Hosts) != 1 {
		t.Errorf("group off: %v", g)
	}
}
