package virt

import (
	"strings"
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
		{"checksum and remote_src go with content_from", present("checksum", strings.Repeat("a", 64))},
		{"content_from goes with state: present", []any{"pool", "p", "name", "v", "state", "absent", "content_from", "a.img"}},
		{`checksum must be sha256:DIGEST, 64 hexadecimal digits, not "md5:1"`, present("content_from", "a.img", "checksum", "md5:1")},
		{`content_from must be an absolute path with remote_src, not "a.img"`, present("content_from", "a.img", "remote_src", true)},
		{"preallocation: metadata does not go with content_from", present("content_from", "a.img", "format", "qcow2", "preallocation", "metadata")},
		{"exclusive", present("content_from", "a.img", "clone_from", value.NewDict("volume", "a"))},
		{"permissions.mode must be octal", present("capacity", "1G", "permissions", value.NewDict("mode", "u=rw"))},
		{"exclusive", present("xml", "<volume/>", "clone_from", value.NewDict("volume", "a"))},
		{"xml: line 1: the element is <pool>, not <volume>", present("xml", "<pool/>")},
		{"does not match name in XML", present("xml", "<volume><name>w</name></volume>")},
		{`name "../etc/shadow" has a slash in it`, []any{"pool", "p", "name", "../etc/shadow", "state", "absent"}},
		{`name "a;reboot" is an odd one`, []any{"pool", "p", "name", "a;reboot", "state", "absent"}},
		{`name "-p" begins with -`, []any{"pool", "-p", "command", "list_volumes"}},
	})
}

// TestContentFits refuses content of which the volume would become no disk.
func TestContentFits(t *testing.T) {
	qcow := append([]byte("QFI\xfb\x00\x00\x00\x03"), make([]byte, 24)...)
	qcow[29] = 0x10 // a disk of 1 MiB
	flat := make([]byte, 32)
	tests := []struct {
		name       string
		head       []byte
		size       int64
		args       VolumeArgs
		kind       string
		want, grow int64
		err        string
	}{
		{"raw", flat, 5000, VolumeArgs{}, "dir", 5000, 0, ""},
		{"raw in a larger volume", flat, 5000, VolumeArgs{Capacity: 9000}, "logical", 9000, 0, ""},
		{"qcow2", qcow, 5000, VolumeArgs{Format: "qcow2"}, "dir", 5000, 0, ""},
		{"qcow2 that grows", qcow, 5000, VolumeArgs{Capacity: 2 << 20}, "netfs", 5000, 2 << 20, ""},
		{"empty", nil, 0, VolumeArgs{}, "dir", 0, 0, "content_from: a.img is empty"},
		{"raw too large", flat, 5000, VolumeArgs{Capacity: 4096}, "dir", 0, 0, "content_from: a.img is a disk of 5000 bytes, more than the capacity of 4096"},
		{"qcow2 too large", qcow, 5000, VolumeArgs{Capacity: 8192}, "dir", 0, 0, "content_from: a.img is a disk of 1048576 bytes, more than the capacity of 8192"},
		{"qcow2 for raw", qcow, 5000, VolumeArgs{Format: "raw"}, "dir", 0, 0, "content_from: a.img is a qcow2 image, and format is raw: nothing would boot from it"},
		{"raw for qcow2", flat, 5000, VolumeArgs{Format: "qcow2"}, "dir", 0, 0, "content_from: a.img is no qcow2 image, and format is qcow2 (virt_convert makes one)"},
		{"qcow2 for a device", qcow, 5000, VolumeArgs{}, "logical", 0, 0, "content_from: a volume of a pool of type logical is raw, and a.img is a qcow2 image (virt_convert makes a raw one)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			size, grow, err := content{name: "a.img", known: true, size: test.size, head: test.head}.fit(test.args, test.kind)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if size != test.want || grow != test.grow || got != test.err {
				t.Errorf("got %d, %d, %q, want %d, %d, %q", size, grow, got, test.want, test.grow, test.err)
			}
		})
	}
}
