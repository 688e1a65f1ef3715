package virt

import (
	"testing"

	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestDevice(t *testing.T) { moduletest.Run(t, Device, "testdata/device/*.txtar") }

func TestDeviceMistakes(t *testing.T) {
	args := func(args ...any) []any { return append([]any{"domain", "a"}, args...) }
	refuses(t, Device, []mistake{
		{`missing required argument "domain"`, nil},
		{`argument "type" must be one of`, args("type", "gpu")},
		{"type: disk needs target", args("type", "disk", "source", "/a")},
		{"type: disk needs source", args("type", "disk", "target", "vdb")},
		{`target of a disk is vda, sdb, hdc or the like, not "vdb;x"`, args("type", "disk", "source", "/a", "target", "vdb;x")},
		{`target must be a word of letters, digits and ._:-, not "a b"`, args("type", "channel", "target", "a b")},
		{"must be an absolute path", args("type", "disk", "source", "a.img", "target", "vdb")},
		{"mac does not go with type: disk", args("type", "disk", "source", "/a", "target", "vdb", "mac", "52:54:00:00:00:01")},
		{"serial does not go with type: cdrom", args("type", "cdrom", "target", "sda", "serial", "x")},
		{"live and config are both false: there is nothing to change", args("type", "cdrom", "target", "sda", "live", false, "config", false)},
		{"type: interface needs network or bridge, or the mac of one that is there", args("type", "interface")},
		{"mac says which interface goes", args("type", "interface", "state", "absent", "network", "lab")},
		{"is one of a group", args("type", "interface", "mac", "01:00:5e:00:00:01")},
		{`address must be one of PCI (0000:03:00.0) or of USB (046d:c52b, vendor and product), in quotes, not "3"`, args("type", "hostdev", "address", "3")},
		{`name "-x" begins with -`, args("type", "interface", "network", "-x")},
		{"mutually exclusive", args("type", "interface", "network", "a", "bridge", "b")},
	})
}
