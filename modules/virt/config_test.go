package virt

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestConfig(t *testing.T) { moduletest.Run(t, Config, "testdata/config/*.txtar") }

func TestConfigEdit(t *testing.T) {
	const file = `# The VNC listen address.
#
#vnc_listen = "0.0.0.0"

user = "libvirt-qemu" # who
# Such as:
#    max_processes = 5
#max_processes = 0
#port = "16509"
#max_core = "unlimited"
#security_driver = "selinux"
#cgroup_device_acl = [
#    "/dev/null", "/dev/full",
#    "/dev/kvm"
#]
shared = [
  'a', # one
  "b"
]
`
	edit := func(text string, pairs ...any) string {
		t.Helper()
		j := configJob{ConfigArgs: ConfigArgs{File: "qemu", Settings: value.NewDict(pairs...)}, path: "f"}
		after, err := j.edit(text)
		if err != nil {
			return "error: " + err.Error()
		}
		return after
	}
	for _, c := range []struct {
		key      string
		val      any
		old, now string
	}{
		{"vnc_listen", "127.0.0.1", "#vnc_listen = \"0.0.0.0\"\n", "#vnc_listen = \"0.0.0.0\"\nvnc_listen = \"127.0.0.1\"\n"},
		{"user", "libvirt-qemu", "", ""},
		{"user", "qemu", `user = "libvirt-qemu" # who`, `user = "qemu" # who`},
		{"user", `it"s`, `"libvirt-qemu"`, `'it"s'`},
		{"user", nil, `user = `, `#user = `},
		{"max_processes", "12", "#max_processes = 0\n", "#max_processes = 0\nmax_processes = 12\n"},
		{"port", 16510, "#port = \"16509\"\n", "#port = \"16509\"\nport = \"16510\"\n"},
		{"max_core", 5, "#max_core = \"unlimited\"\n", "#max_core = \"unlimited\"\nmax_core = 5\n"},
		{"max_core", "5", "#max_core = \"unlimited\"\n", "#max_core = \"unlimited\"\nmax_core = 5\n"},
		{"security_driver", value.NewList("selinux", "apparmor"), "#security_driver = \"selinux\"\n", "#security_driver = \"selinux\"\nsecurity_driver = [ \"selinux\", \"apparmor\" ]\n"},
		{"max_processes", true, "#max_processes = 0\n", "#max_processes = 0\nmax_processes = 1\n"},
		{"cgroup_device_acl", value.NewList("/dev/x"), "#]\n", "#]\ncgroup_device_acl = [ \"/dev/x\" ]\n"},
		{"shared", value.NewList("a", "b"), "", ""},
		{"shared", value.NewList("a"), "shared = [\n  'a', # one\n  \"b\"\n]", `shared = [ "a" ]`},
		{"shared", nil, "shared = [\n  'a', # one\n  \"b\"\n]", "#shared = [\n#  'a', # one\n#  \"b\"\n#]"},
		{"new_key", 7, "", ""},
		{"gone", nil, "", ""},
	} {
		want := file
		if c.old != "" {
			want = strings.Replace(file, c.old, c.now, 1)
		}
		if c.key == "new_key" {
			want += "new_key = 7\n"
		}
		got := edit(file, c.key, c.val)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", c.key, c.val, diff)
		}
		if again := edit(got, c.key, c.val); again != got {
			t.Errorf("%s: %v: a second time it becomes %s", c.key, c.val, again)
		}
	}
	for _, c := range []struct{ text, want string }{
		{"a = 1\nb\n", `error: read f: line 2: "b" is no setting (key = value)`},
		{"a = yes\n", "error: read f: line 1: a value is text in quotes, a number or a list in [ ]"},
		{"\na = \"b\n", "error: read f: line 2: the text has no end"},
		{"a = [ 1,\n 2\n", "error: read f: line 1: the list has no end"},
		{"a = [ 1 2 ]\n", "error: read f: line 1: between the items of a list stands a comma"},
		{"a = 1 2\n", `error: read f: line 1: after the value of a stands "2"`},
		{"key = 1\nkey = 2\n", "error: read f: key stands there twice, in lines 1 and 2"},
		{"#key = 5\n", `error: settings.key is a number, not "x"`},
		{"#key = [ 5 ]\n", `error: settings.key is a list, not "x"`},
	} {
		if got := edit(c.text, "key", "x"); got != c.want {
			t.Errorf("%q: %s, want %s", c.text, got, c.want)
		}
	}
}

func TestConfigKinds(t *testing.T) {
	for _, c := range []struct {
		val, sample any
		want        string
	}{
		{int64(5), "selinux", "settings.key is text, to be put in quotes, not 5"},
		{[]any{"a"}, "selinux", `settings.key is text, not [ "a" ]`},
		{[]any{"a"}, int64(5), `settings.key is a number, not [ "a" ]`},
	} {
		if got, err := likeSample("key", c.val, c.sample); err == nil || err.Error() != c.want {
			t.Errorf("%v like %v: %v, %v; want %s", c.val, c.sample, got, err, c.want)
		}
	}
}

func TestConfigEditGuests(t *testing.T) {
	const file = `# - ignore
#ON_BOOT=ignore
ON_SHUTDOWN="suspend" # as ever
URIS='default lxc:///'
SHUTDOWN_TIMEOUT=$((5*60))
`
	for _, c := range []struct {
		key      string
		val      any
		old, now string
	}{
		{"ON_BOOT", "start", "#ON_BOOT=ignore\n", "#ON_BOOT=ignore\nON_BOOT=start\n"},
		{"ON_SHUTDOWN", "suspend", "", ""},
		{"ON_SHUTDOWN", "shutdown", `"suspend"`, "shutdown"},
		{"ON_SHUTDOWN", nil, "ON_SHUTDOWN", "#ON_SHUTDOWN"},
		{"URIS", "default lxc:///", "", ""},
		{"URIS", "qemu:///system test:///it's", `'default lxc:///'`, `'qemu:///system test:///it'"'"'s'`},
		{"SHUTDOWN_TIMEOUT", 300, "$((5*60))", "300"},
		{"START_DELAY", "5", "60))\n", "60))\nSTART_DELAY=5\n"},
	} {
		j := configJob{ConfigArgs: ConfigArgs{File: configGuests, Settings: value.NewDict(c.key, c.val)}, path: "f"}
		got, err := j.edit(file)
		if diff := cmp.Diff(strings.Replace(file, c.old, c.now, 1), got); diff != "" || err != nil {
			t.Errorf("%s: %v: %v (-want +got):\n%s", c.key, c.val, err, diff)
		}
		if again, err := j.edit(got); again != got || err != nil {
			t.Errorf("%s: %v: a second time it becomes %s, %v", c.key, c.val, again, err)
		}
	}
	j := configJob{ConfigArgs: ConfigArgs{File: configGuests, Settings: value.NewDict("URIS", "default")}, path: "f"}
	if _, err := j.edit("A=1\nURIS='a\nb'\n"); err == nil || err.Error() != "read f: line 2: the value of URIS goes on in the next line, which is left to people" {
		t.Error(err)
	}
}

func TestConfigMistakes(t *testing.T) {
	with := func(key, val any) []any { return []any{"file", "qemu", "settings", value.NewDict(key, val)} }
	refuses(t, Config, []mistake{
		{`missing required argument "file"`, []any{"settings", value.NewDict()}},
		{`missing required argument "settings"`, []any{"file", "qemu"}},
		{`argument "file" must be one of`, []any{"file", "qemuu", "settings", value.NewDict()}},
		{`argument "settings" must be a dict`, []any{"file", "qemu", "settings", 5}},
		{"settings.security_driver none takes the walls between guests and host away: say accept_insecure: true", with("security_driver", "none")},
		{"settings.security_driver none takes", with("security_driver", value.NewList("selinux", "none"))},
		{"settings.user root lets a guest that breaks out own the host: say accept_insecure: true", with("user", "root")},
		{"settings.user root lets", with("user", "+0")},
		{"settings.group root lets", with("group", 0)},
		{"restart: always would shut all guests down: libvirt-guests reads its file when the host goes down", []any{"file", "libvirt-guests", "settings", value.NewDict(), "restart", "always"}},
		{"settings.ON_SHUTDOWN must be one of suspend, shutdown, not stop", []any{"file", "libvirt-guests", "settings", value.NewDict("ON_SHUTDOWN", "stop")}},
		{"settings.SHUTDOWN_TIMEOUT must be a number, not 5m", []any{"file", "libvirt-guests", "settings", value.NewDict("SHUTDOWN_TIMEOUT", "5m")}},
		{"settings.URIS must be text or a number", []any{"file", "libvirt-guests", "settings", value.NewDict("URIS", value.NewList("a"))}},
		{"settings.unix_sock_rw_perms must be text in quotes: YAML reads 0770 as another number", []any{"file", "libvirtd", "settings", value.NewDict("unix_sock_rw_perms", 504)}},
		{"settings.auth_tcp none lets everybody who reaches the port own the host: say accept_insecure: true", []any{"file", "libvirtd", "settings", value.NewDict("auth_tcp", "none")}},
		{"settings.a;b is no name of a setting", with("a;b", 1)},
		{"settings.-x is no name of a setting", with("-x", 1)},
		{"settings.user has a line break in it", with("user", "a\nb = 1")},
		{"settings.user has both kinds of quotes in it", with("user", `a"b'c`)},
		{"settings.user must be text, a whole number or a list", with("user", 1.5)},
		{"settings.user must be a list of texts or numbers", with("user", value.NewList(value.NewList("a")))},
	})
}

func FuzzParseConf(f *testing.F) {
	f.Add("a = 1\n#b = [\n# 1\n#]\nc = [ 'x', \"y\" ] # z\n")
	f.Fuzz(func(t *testing.T, text string) {
		entries, samples, err := parseConf(text)
		if err != nil {
			return
		}
		for _, e := range append(entries, samples...) {
			if e.start < 0 || e.end > len(text) || e.start > e.end {
				t.Fatalf("%+v in %d bytes", e, len(text))
			}
		}
	})
}
