package cmd

import "testing"

func TestFar(t *testing.T) {
	for uri, want := range map[string][2]string{
		"qemu+ssh://root@hv1:2222/system": {"hv1", "root@hv1:2222"},
		"qemu+tls://hv1:16514/system":     {"hv1", "hv1"},
		"qemu+libssh2://hv1/system":       {"hv1", "hv1"},
	} {
		if host, jump := far(uri); host != want[0] || jump != want[1] {
			t.Errorf("%s: %s, %s, want %v", uri, host, jump, want)
		}
	}
}
