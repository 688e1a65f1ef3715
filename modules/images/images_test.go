package images

import (
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestCloudInitISO(t *testing.T) {
	moduletest.Run(t, CloudInitISO, "testdata/cloud_init_iso/*.txtar")
}

func TestCloudInitISOMistakes(t *testing.T) {
	const script = "#!/bin/sh\n"
	for _, c := range []struct {
		want string
		args []any
	}{
		{"one of dest and pool is needed", []any{"user_data", script}},
		{"dest must be absolute: seed.iso", []any{"dest", "seed.iso", "user_data", script}},
		{"dest must be the image, not a folder: /srv/", []any{"dest", "/srv/", "user_data", script}},
		{"name goes with pool", []any{"dest", "/s.iso", "name", "a", "user_data", script}},
		{"name is needed with state absent", []any{"pool", "default", "state", "absent"}},
		{"user_data is needed", []any{"dest", "/s.iso"}},
		{"eject_from goes with state absent", []any{"dest", "/s.iso", "user_data", script, "eject_from", "vm1"}},
		{`uri must be a URI of libvirt such as qemu:///system, not "-c"`, []any{"pool", "p", "user_data", script, "uri", "-c"}},
		{`name: name "../a.iso" has a slash in it`, []any{"pool", "p", "user_data", script, "name", "../a.iso"}},
		{`pool: name "a;b" is an odd one`, []any{"pool", "a;b", "user_data", script}},
		{`user_data:1:1: it begins with "# cloud-config"`, []any{"dest", "/s.iso", "user_data", "# cloud-config\na: 1\n"}},
		{"user_data: must be text, a dict of cloud-config or a list of these, not 5", []any{"dest", "/s.iso", "user_data", 5}},
		{"meta_data: must be a dict or YAML, not 5", []any{"dest", "/s.iso", "user_data", script, "meta_data", 5}},
		{`instance-id "a b" must be at most 128 characters`, []any{"dest", "/s.iso", "user_data", script, "instance_id", "a b"}},
		{`meta_data:1:17: local-hostname "a;b" is no name of a host`, []any{"dest", "/s.iso", "user_data", script, "meta_data", "local-hostname: 'a;b'"}},
		{"network_config:1:1: network-config has no version: 1 or 2", []any{"dest", "/s.iso", "user_data", script, "network_config", value.NewDict("ethernets", value.NewDict())}},
	} {
		args := value.NewDict(c.args...)
		r, err := CloudInitISO.Run(t.Context(), modules.NewHost(modules.HostOptions{}), args)
		if err != nil || !r.Failed || !strings.HasPrefix(r.Msg, c.want) {
			t.Errorf("%q: failed %v, %q, %v; want %q", c.args, r.Failed, r.Msg, err, c.want)
		}
		if len(CloudInitISO.Check(args)) == 0 {
			t.Errorf("%q: nothing is found wrong before a run", c.args)
		}
	}
}
