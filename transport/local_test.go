package transport_test

import (
	"testing"

	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/transport/transporttest"
)

func TestLocal(t *testing.T) {
	for name, shell := range map[string][]string{
		"sh": nil, "bash": {"/bin/bash", "--posix"}, "busybox": {"/bin/busybox", "sh"},
	} {
		t.Run(name, func(t *testing.T) {
			transporttest.Installed(t, name)
			transporttest.Suite(t, func(t *testing.T) transport.Conn {
				return transport.OpenLocal(t, transport.Become{}, shell...)
			})
		})
	}
}
