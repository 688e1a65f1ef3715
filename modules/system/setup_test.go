package system

import (
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/transport"
)

// gather runs setup on this machine.
func gather(t *testing.T, pairs ...any) modules.Result {
	t.Helper()
	pool := transport.NewPool(transport.PoolOptions{})
	t.Cleanup(func() { _ = pool.Close() })
	conn, err := pool.Open(t.Context(), transport.Endpoint{Name: "here", Kind: "local"}, transport.Become{})
	if err != nil {
		t.Fatal(err)
	}
	h := modules.NewHost(modules.HostOptions{Name: "here", Conn: conn, Env: map[string]string{"HOSTLER_TEST": "it's\nhere"}})
	r, err := Setup.Run(t.Context(), h, value.NewDict(pairs...))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSetup(t *testing.T) {
	r := gather(t)
	if r.Failed || r.Changed {
		t.Fatalf("failed %v, changed %v: %s", r.Failed, r.Changed, r.Msg)
	}
	for _, name := range []string{
		"ansible_os_family", "ansible_hostname", "ansible_default_ipv4", "ansible_interfaces", "ansible_mounts", "ansible_memtotal_mb",
		"ansible_virtualization_role", "ansible_selinux", "ansible_python", "ansible_date_time", "ansible_user_id", "module_setup",
	} {
		if _, ok := r.Facts.Get(name); !ok {
			t.Errorf("%s is missing", name)
		}
	}
	env, _ := r.Facts.Get("ansible_env")
	vars, _ := env.(*value.Dict)
	if got := vars.Str("HOSTLER_TEST"); got != "it's\nhere" {
		t.Errorf("the task's environment is not seen: %q", got)
	}
	if got := vars.Str("LC_ALL"); got == "C" && vars.Str("LANG") != "C" {
		t.Errorf("the script's own locale is told: %q", got)
	}
}

func TestSetupPartly(t *testing.T) {
	r := gather(t, "gather_subset", value.NewList("!all", "!min", "platform"), "filter", "ansible_*name")
	want := map[string]bool{"ansible_hostname": true, "ansible_nodename": true}
	for key := range r.Facts.All() {
		if !want[key.(string)] {
			t.Errorf("%v was not asked for", key)
		}
	}
	if r.Facts.Len() != len(want) {
		t.Errorf("%d facts, want %d", r.Facts.Len(), len(want))
	}
	if r := gather(t, "gather_subset", "nettwork"); !r.Failed || !strings.Contains(r.Msg, `bad subset "nettwork"`) {
		t.Errorf("an unknown subset: failed %v, %q", r.Failed, r.Msg)
	}
}
