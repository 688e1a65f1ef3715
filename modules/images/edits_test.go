package images

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestVirtCustomizeFixtures(t *testing.T) {
	moduletest.Run(t, VirtCustomize, "testdata/virt_customize/*.txtar")
}

func TestVirtBuilderFixtures(t *testing.T) {
	moduletest.Run(t, VirtBuilder, "testdata/virt_builder/*.txtar")
}

// fakeTool is a program in the place of one of libguestfs's: it notes its arguments, and what is in the file of commands and in the files
// that this names. An --output it makes.
const fakeTool = `#!/bin/sh
log=LOG
echo "$@" >>"$log.argv"
while [ $# -gt 0 ]; do
	case $1 in
	--commands-from-file) cat "$2" >>"$log" ;;
	--output) echo image >"$2" ;;
	esac
	shift
done
for f in 1 2; do [ ! -f "$f" ] || { stat -c %a "$f"; cat "$f"; } >>"$log"; done
[ ! -e "$log.fail" ] || { echo 'libguestfs error: no' >&2; exit 1; }
`

// tool puts a fake tool on the host and gives where it notes things.
func (b *bench) tool(name string) (log string) {
	b.Helper()
	dir := b.TempDir()
	log = filepath.Join(dir, "log")
	if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Replace(fakeTool, "LOG", log, 1)), 0o755); err != nil {
		b.Fatal(err)
	}
	b.env["PATH"] = dir + ":" + os.Getenv("PATH")
	return log
}

func (b *bench) read(file string) string {
	b.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	return string(text)
}

const pass = "pa ss:wörd"

func edits(more ...any) []any {
	return append([]any{
		"hostname", "web1", "timezone", "Europe/Berlin", "root_password", pass, "packages", value.NewList("qemu-guest-agent", "chrony"),
		"ssh_inject", value.NewList(value.NewDict("user", "root", "key", "ssh-ed25519 AAAA me@here\n")), "run_commands", value.NewList("echo 'it is' > /etc/motd"),
		"firstboot", value.NewList("systemctl start chrony"),
	}, more...)
}

const wantEdits = `hostname web1
timezone Europe/Berlin
root-password file:1
install qemu-guest-agent,chrony
ssh-inject root:file:2
run-command echo 'it is' > /etc/motd
firstboot-command systemctl start chrony
600
` + pass + `
600
ssh-ed25519 AAAA me@here
`

func TestVirtBuilder(t *testing.T) {
	needQemuImg(t)
	b := newBench(t, false)
	log, dest := b.tool("virt-builder"), filepath.Join(b.dir, "web1.qcow2")
	args := func(more ...any) []any {
		return edits(append([]any{"os", "debian-12", "dest", dest, "size", "10G"}, more...)...)
	}
	if r := b.run(VirtBuilder, true, args()...); r.Failed || !r.Changed {
		t.Errorf("check mode: changed %v: %s", r.Changed, r.Msg)
	}
	if r := b.run(VirtBuilder, false, args()...); r.Failed || !r.Changed || r.Data.Str("path") != dest {
		t.Fatalf("new: changed %v, path %s: %s", r.Changed, r.Data.Str("path"), r.Msg)
	}
	argv := b.read(log + ".argv")
	if !strings.HasPrefix(argv, "debian-12 --format qcow2 --size 10737418240b --commands-from-file /") || strings.Contains(argv, pass) {
		t.Errorf("arguments are %s", argv)
	}
	if got := b.read(log); got != wantEdits {
		t.Errorf("commands and files are %s\nwant %s", got, wantEdits)
	}
	if b.read(dest) != "image\n" {
		t.Errorf("the image is %q", b.read(dest))
	}
	records, err := filepath.Glob(filepath.Join(b.env["XDG_STATE_HOME"], "hostler", "images", "*", "web1.qcow2"))
	if err != nil || len(records) != 1 || strings.Contains(b.read(records[0]), pass) {
		t.Errorf("the record is %v, %v", records, err)
	}
	if r := b.run(VirtBuilder, false, args()...); r.Failed || r.Changed || b.conn.trips != 1 {
		t.Errorf("again: changed %v, %d round trips: %s", r.Changed, b.conn.trips, r.Msg)
	}
	if r := b.run(VirtBuilder, false, args("root_password", "other")...); !r.Failed || !strings.Contains(r.Msg, "was not built from these arguments: force: true builds it anew") {
		t.Errorf("another password: failed %v: %s", r.Failed, r.Msg)
	}
	for _, changed := range []bool{true, false} {
		if r := b.run(VirtBuilder, false, args("root_password", "other", "force", true)...); r.Failed || r.Changed != changed {
			t.Errorf("force: changed %v, want %v: %s", r.Changed, changed, r.Msg)
		}
	}
	for m, args := range map[*modules.Module][]any{
		VirtBuilder: {"os", "debian-12"}, VirtConvert: {"src", dest, "src_format", "raw"},
	} {
		if r := b.run(m, false, append(args, "dest", b.dir, "force", true)...); r.Msg != b.dir+" is a folder" {
			t.Errorf("%s into a folder: failed %v, changed %v: %s", m.Name, r.Failed, r.Changed, r.Msg)
		}
	}
	if err := os.WriteFile(log+".fail", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := b.run(VirtBuilder, false, args("dest", filepath.Join(b.dir, "b.qcow2"))...); !r.Failed || !strings.Contains(r.Msg, "libguestfs error: no") {
		t.Errorf("failing: %v: %s", r.Failed, r.Msg)
	}
	b.only("failing")
}

func TestVirtCustomize(t *testing.T) {
	needQemuImg(t)
	b := newBench(t, false)
	log, path := b.tool("virt-customize"), filepath.Join(b.dir, "a.qcow2")
	if out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", path, "8M").CombinedOutput(); err != nil {
		t.Fatalf("qemu-img: %v: %s", err, out)
	}
	for _, changed := range []bool{true, false} {
		if r := b.run(VirtCustomize, false, edits("path", path)...); r.Failed || r.Changed != changed {
			t.Errorf("changed %v, want %v: %s", r.Changed, changed, r.Msg)
		}
	}
	argv := b.read(log + ".argv")
	if !strings.HasPrefix(argv, "-a "+path+" --format qcow2 --commands-from-file /") || strings.Count(argv, "\n") != 1 || strings.Contains(argv, pass) {
		t.Errorf("arguments are %s", argv)
	}
	if got := b.read(log); got != wantEdits {
		t.Errorf("commands and files are %s\nwant %s", got, wantEdits)
	}
	if r := b.run(VirtCustomize, false, edits("path", path, "hostname", "web2")...); r.Failed || !r.Changed {
		t.Errorf("another name: changed %v: %s", r.Changed, r.Msg)
	}
	if r := b.run(VirtCustomize, false, "path", path, "format", "raw", "update", true); !r.Changed || r.Failed {
		t.Errorf("raw: %s", r.Msg)
	}
	if r := b.run(VirtCustomize, false, "path", path+".none", "update", true); r.Msg != path+".none is not there" {
		t.Errorf("no image: %s", r.Msg)
	}
}

func TestEditMistakes(t *testing.T) {
	list := func(items ...any) *value.List { return value.NewList(items...) }
	for _, c := range []struct {
		m    *modules.Module
		want string
		args []any
	}{
		{VirtBuilder, `os "-x" is no name of a template`, []any{"os", "-x", "dest", "/a"}},
		{VirtBuilder, "one of dest and pool is needed", []any{"os", "debian-12"}},
		{VirtBuilder, "dest must be the absolute path of an image: a", []any{"os", "debian-12", "dest", "a"}},
		{VirtBuilder, "check_signature: false needs accept_unsigned: true", []any{"os", "debian-12", "dest", "/a", "check_signature", false}},
		{VirtBuilder, "name is needed with pool", []any{"os", "debian-12", "pool", "p"}},
		{VirtCustomize, "one of domain and path is needed", []any{"update", true}},
		{VirtCustomize, "there is nothing to do: no edit is given", []any{"domain", "a"}},
		{VirtCustomize, `domain: name "-a" begins with -`, []any{"domain", "-a", "update", true}},
		{VirtCustomize, `hostname "a b" is no name of a host`, []any{"domain", "a", "hostname", "a b"}},
		{VirtCustomize, `timezone "../x" is none such as Europe/Berlin`, []any{"domain", "a", "timezone", "../x"}},
		{VirtCustomize, "root_password has a line end in it", []any{"domain", "a", "root_password", "a\nrun-command b"}},
		{VirtCustomize, `packages: "a,b" is no name of a package`, []any{"domain", "a", "packages", list("a,b")}},
		{VirtCustomize, `ssh_inject: "a:b" is no name of a user`, []any{"domain", "a", "ssh_inject", list(value.NewDict("user", "a:b", "key", "k"))}},
		{VirtCustomize, "ssh_inject: the key of root must be one line", []any{"domain", "a", "ssh_inject", list(value.NewDict("key", "k\nl"))}},
		{VirtCustomize, `run_commands: "a\nb" must be one line, and not end in a backslash`, []any{"domain", "a", "run_commands", list("a\nb")}},
		{VirtCustomize, `firstboot: "a\\" must be one line, and not end in a backslash`, []any{"domain", "a", "firstboot", list(`a\`)}},
	} {
		r, err := c.m.Run(t.Context(), modules.NewHost(modules.HostOptions{}), value.NewDict(c.args...))
		if err != nil || !r.Failed || !strings.HasPrefix(r.Msg, c.want) {
			t.Errorf("%v: failed %v, message %q, want %q (%v)", c.args, r.Failed, r.Msg, c.want, err)
		}
	}
	if (Edits{RootPassword: secret.New("x")}).asked(Edits{RootPassword: secret.New("y")}.seal("")) {
		t.Error("another password passes for the same")
	}
}
