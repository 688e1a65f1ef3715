package virt

import (
	"testing"

	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestWait(t *testing.T) { moduletest.Run(t, Wait, "testdata/wait/*.txtar") }

func TestWaitMistakes(t *testing.T) {
	refuses(t, Wait, []mistake{
		{`missing required argument "names"`, nil},
		{`for: "booted" is none of running, agent, ip, ssh, cloud_init, port:N`, []any{"names", "a", "for", "booted"}},
		{`for: "port:0" is none of`, []any{"names", "a", "for", "port:0"}},
		{"cidr must be a network", []any{"names", "a", "cidr", "10.0.0.1"}},
		{`name "-a" begins with -`, []any{"names", "-a"}},
	})
}
