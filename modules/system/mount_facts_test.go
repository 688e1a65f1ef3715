package system

import (
	"testing"

	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestMountFacts(t *testing.T) { moduletest.Run(t, MountFacts, "testdata/mount_facts/*.txtar") }

func TestMountFactsMistakes(t *testing.T) {
	refused(t, MountFacts, nil, []mistake{
		{"argument 'timeout' must be a positive number or null, not 0", []any{"timeout", 0}},
		{"argument 'mount_binary' must be a string or null, not 5", []any{"mount_binary", 5}},
		{"sources contains an empty string", []any{"sources", "/proc/mounts,"}},
		{`Failed to find required executable "nosuch"`, []any{"sources", "nosuch", "mount_binary", "nosuch"}},
		{"Failed to execute false: exit status 1: ", []any{"sources", "false", "mount_binary", "false"}},
	})
}
