package virt

import (
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestClone(t *testing.T) { moduletest.Run(t, Clone, "testdata/clone/*.txtar") }

func TestCloneMistakes(t *testing.T) {
	disk := func(args ...any) []any {
		return []any{"source", "s", "name", "c", "disks", value.NewDict("vda", value.NewDict(args...))}
	}
	refuses(t, Clone, []mistake{
		{`missing required argument "name"`, []any{"source", "s"}},
		{"name is the source's own", []any{"source", "s", "name", "s"}},
		{`name "a;b" is an odd one`, []any{"source", "s", "name", "a;b"}},
		{`name "it's" is an odd one`, []any{"source", "it's", "name", "c"}},
		{`name "a\nb" has characters in it that cannot be printed`, []any{"source", "s", "name", "a\nb", "allow_odd_name", true}},
		{`name "-c" begins with -`, []any{"source", "s", "name", "-c"}},
		{`name "../c" has a slash in it`, []any{"source", "s", "name", "../c"}},
		{`dir must be an absolute path, not "srv"`, []any{"source", "s", "name", "c", "dir", "srv"}},
		{"MAC address 52:54:00:00:00:01 is given twice", []any{"source", "s", "name", "c", "mac", "52:54:00:00:00:01,52-54-00-00-00-01"}},
		{"must be a MAC address such as 52:54:00:12:34:56", []any{"source", "s", "name", "c", "mac", "auto"}},
		{"disks[vda]: must be a dict with pool and name, or with path, not fast", []any{"source", "s", "name", "c", "disks", value.NewDict("vda", "fast")}},
		{"disks[vda]: must be a dict with pool and name, or with path, and size: 10 is neither", disk("pool", "p", "size", 10)},
		{"disks[vda]: give either pool or path", disk("name", "x")},
		{"disks[vda]: give either pool or path", disk("pool", "p", "path", "/x")},
		{"disks[vda]: name goes with pool", disk("path", "/x", "name", "x")},
		{`disks[vda]: path must be an absolute path, not "srv/x"`, disk("path", "srv/x")},
		{`disks[vda]: name "../x" has a slash in it`, disk("pool", "p", "name", "../x")},
		{"is one of a group", []any{"source", "s", "name", "c", "mac", "53:54:00:00:00:01"}},
	})
}
