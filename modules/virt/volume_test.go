package virt

import (
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestVolume(t *testing.T) { moduletest.Run(t, Volume, "testdata/volume/*.txtar") }

func TestVolumeMistakes(t *testing.T) {
	present := func(pairs ...any) []any { return append([]any{"pool", "p", "name", "v", "state", "present"}, pairs...) }
	refuses(t, Volume, []mistake{
		{`missing required argument "pool"`, []any{"name", "v", "state", "present"}},
		{"expected state or command parameter to be specified", []any{"pool", "p", "name", "v"}},
		{"state change requires a specified name", []any{"pool", "p", "state", "absent"}},
		{"wipe requires 1 argument: name", []any{"pool", "p", "command", "wipe"}},
		{"command upload cannot be honoured", []any{"pool", "p", "name", "v", "command", "upload"}},
		{"resize requires capacity", []any{"pool", "p", "name", "v", "command", "resize"}},
		{"create_from requires clone_from", []any{"pool", "p", "name", "v", "command", "create_from"}},
		{`must be a size (10G, 512MiB, 10GB), not "10 XB"`, present("capacity", "10 XB")},
		{"mode zeroed cannot be honoured", present("mode", "zeroed")},
		{"backing is a volume or a path, not both", present("backing", value.NewDict("volume", "a", "path", "/a"))},
		{"a linked clone is of format qcow2, not raw", present("format", "raw", "backing", value.NewDict("volume", "a"))},
		{"preallocation: metadata goes with format qcow2", present("capacity", "1G", "preallocation", "metadata")},
		{"permissions.mode must be octal", present("capacity", "1G", "permissions", value.NewDict("mode", "u=rw"))},
		{"exclusive", present("xml", "<volume/>", "clone_from", value.NewDict("volume", "a"))},
		{"xml: line 1: the element is <pool>, not <volume>", present("xml", "<pool/>")},
		{"does not match name in XML", present("xml", "<volume><name>w</name></volume>")},
		{`name "../etc/shadow" has a slash in it`, []any{"pool", "p", "name", "../etc/shadow", "state", "absent"}},
		{`name "a;reboot" is an odd one`, []any{"pool", "p", "name", "a;reboot", "state", "absent"}},
		{`name "-p" begins with -`, []any{"pool", "-p", "command", "list_volumes"}},
	})
}
