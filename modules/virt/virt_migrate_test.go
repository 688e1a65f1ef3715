package virt

import (
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestMigrate(t *testing.T) { moduletest.Run(t, Migrate, "testdata/migrate/*.txtar") }

func TestMigrateMistakes(t *testing.T) {
	with := func(more ...any) []any { return append([]any{"domain", "web", "dest", "hv2"}, more...) }
	refuses(t, Migrate, []mistake{
		{`missing required argument "dest"`, []any{"domain", "web"}},
		{"domain names none", []any{"domain", value.NewList(), "dest", "hv2"}},
		{"dest names no host", []any{"domain", "web", "dest", " "}},
		{`name "a;b" is an odd one`, []any{"domain", "a;b", "dest", "hv2"}},
		{`name "-x" begins with -`, with("dname", "-x")},
		{"domain web is named twice", []any{"domain", "web,db,web", "dest", "hv2"}},
		{"dname is for one domain", []any{"domain", "web,db", "dest", "hv2", "dname", "x"}},
		{`argument "mode" must be one of`, with("mode", "cold")},
		{"copy_storage is not for mode: offline, which moves the definition alone", with("mode", "offline", "copy_storage", "all")},
		{"persistent: false is not for mode: offline", with("mode", "offline", "persistent", false)},
		{"dest_uri is not for mode: offline", with("mode", "offline", "dest_uri", "qemu+ssh://hv2/system")},
		{"transport: tunnelled cannot copy storage", with("transport", "tunnelled", "copy_storage", "inc")},
		{"transport: tunnelled has no connection of its own", with("transport", "tunnelled", "tls", true)},
		{"bandwidth must not be negative", with("bandwidth", -1)},
		{"parallel must not be negative", with("parallel", -1)},
		{"timeout must be a second or more", with("timeout", "0s")},
		{"converge: timeout_action: postcopy needs postcopy: true", with("converge", value.NewDict("timeout", "30s", "timeout_action", "postcopy"))},
		{"must not begin with -", with("migrate_uri", "--unsafe")},
		{"must be a URI of libvirt", with("dest_uri", "-c evil")},
		{"dest_uri must not hold a password", with("dest_uri", "qemu+ssh://root:secret@hv2/system")},
	})
}
