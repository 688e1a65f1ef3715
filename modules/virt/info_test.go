package virt

import (
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestInfo(t *testing.T) { moduletest.Run(t, Info, "testdata/info/*.txtar") }

func TestInfoMistakes(t *testing.T) {
	refuses(t, Info, []mistake{
		{`argument "gather[0]" must be one of`, []any{"gather", "everything"}},
		{`argument "sources[0]" must be one of`, []any{"sources", "dns"}},
		{`name "-a" begins with -`, []any{"names", value.NewList("-a")}},
	})
}
