package virt

import (
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestVirt(t *testing.T) { moduletest.Run(t, Virt, "testdata/virt/*.txtar") }

// mistake is a task that must fail before its host is asked anything.
type mistake struct {
	want string
	args []any
}

// refuses holds that a module says what is wrong with arguments, and asks nothing of the host, which there is none of.
func refuses(t *testing.T, m *modules.Module, mistakes []mistake) {
	t.Helper()
	for _, c := range mistakes {
		args := value.NewDict(c.args...)
		h := modules.NewHost(modules.HostOptions{})
		r, err := m.Run(t.Context(), h, args)
		if err != nil || !r.Failed || !strings.Contains(r.Msg, c.want) {
			t.Errorf("%q: failed %v, %q, %v; want %q", c.args, r.Failed, r.Msg, err, c.want)
		}
		if found := m.Check(args); len(found) == 0 {
			t.Errorf("%q: nothing is found wrong before a run", c.args)
		}
	}
}

func patch(args ...any) *value.List { return value.NewList(value.NewDict(args...)) }

func TestVirtMistakes(t *testing.T) {
	refuses(t, Virt, []mistake{
		{"expected state or command parameter to be specified", nil},
		{"state change requires a guest specified", []any{"state", "running"}},
		{"autostart requires 1 argument: name", []any{"autostart", true}},
		{"status requires 1 argument: guest", []any{"command", "status"}},
		{"define requires 'xml' argument", []any{"command", "define"}},
		{"missing 'name' parameter and no name provided in XML", []any{"command", "define", "xml", "<domain/>"}},
		{`does not match name in XML: "a" and "b"`, []any{"name", "a", "command", "define", "xml", "<domain><name>b</name></domain>"}},
		{"xml: line 1: the element is <network>, not <domain>", []any{"command", "define", "xml", "<network/>"}},
		{"xml: line 2: </a> ends nothing that is open", []any{"command", "define", "xml", "<domain>\n<b></a></domain>"}},
		{"xml: uuid must be a UUID", []any{"command", "define", "xml", "<domain><name>a</name><uuid>1</uuid></domain>"}},
		{"state and command cannot be given together", []any{"name", "a", "command", "start", "state", "running"}},
		{"mutually exclusive", []any{"name", "a", "command", "undefine", "flags", "nvram,keep_nvram"}},
		{`argument "state" must be one of`, []any{"name", "a", "state", "on"}},
		{`argument "flags[0]" must be one of`, []any{"name", "a", "command", "undefine", "flags", "all"}},
		{"must be a URI of libvirt", []any{"name", "a", "state", "running", "uri", "-c evil"}},
		{"must be a URI of libvirt", []any{"name", "a", "state", "running", "uri", "qemu:///system --help"}},
		{`name "-rf" begins with -`, []any{"name", "-rf", "state", "absent"}},
		{`name "a;b" is an odd one`, []any{"name", "a;b", "state", "absent"}},
		{`name "it's" is an odd one`, []any{"name", "it's", "state", "absent"}},
		{`name "a\nb" has characters in it that cannot be printed`, []any{"name", "a\nb", "state", "absent", "allow_odd_name", true}},
		{"apply: live needs a definition to apply: xml or xml_patch", []any{"name", "a", "state", "running", "apply", "live"}},
		{`argument "apply" must be one of`, []any{"name", "a", "xml", "<domain/>", "apply", "now"}},
		{"restart_if_needed needs a definition that may wait for a restart: xml or xml_patch", []any{"name", "a", "state", "running", "restart_if_needed", true}},
		{"restart_if_needed goes with apply: config or both", []any{"name", "a", "xml", "<domain/>", "apply", "live", "restart_if_needed", true}},
		{"restart_if_needed goes with state: running, or none", []any{"name", "a", "xml", "<domain/>", "state", "shutdown", "restart_if_needed", true}},
		{"storage: all goes with state: absent", []any{"name", "a", "state", "shutdown", "storage", "all"}},
		{"rescue goes with state: running, or none, and with neither a command nor a definition", []any{"name", "a", "state", "absent", "rescue", "/a.iso"}},
		{"rescue goes with state: running", []any{"name", "a", "xml", "<domain/>", "rescue", "/a.iso"}},
		{"rescue must be an absolute path", []any{"name", "a", "rescue", "a.iso"}},
		{"state change requires a guest specified", []any{"rescue", "/a.iso"}},
		{`argument "storage" must be one of`, []any{"name", "a", "state", "absent", "storage", "some"}},
		{"mutually exclusive", []any{"name", "a", "xml", "<domain/>", "xml_patch", patch("path", "vcpu", "set", "2")}},
		{"xml_patch[0]: set, append or remove must say what becomes of vcpu", []any{"name", "a", "xml_patch", patch("path", "vcpu")}},
		{"xml_patch[0]: append: line 1: </b> ends nothing that is open", []any{"name", "a", "xml_patch", patch("path", "devices", "append", "<a></b>")}},
		{"xml_patch[0]: /domain/name is what the domain is known by: it cannot be changed", []any{"name", "a", "xml_patch", patch("path", "/domain/name", "set", "b")}},
		{"xml_patch goes with neither a command nor state: absent", []any{"name", "a", "state", "absent", "xml_patch", patch("path", "vcpu", "set", "2")}},
		{`name "a/b" has a slash in it`, []any{"command", "define", "xml", "<domain><name>a/b</name></domain>"}},
	})
}
