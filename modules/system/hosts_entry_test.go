package system

import (
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestHostsEntry(t *testing.T) { moduletest.Run(t, HostsEntry, "testdata/hosts_entry/*.txtar") }

func TestHostsEntryEdit(t *testing.T) {
	const text = "127.0.0.1\tlocalhost\n127.0.1.1 hv1.lab hv1 # this host\n# servers\n10.0.0.2   hv2.lab  hv2\nFE80::2 hv2.lab\nodd\n10.0.0.3 a"
	present, absent := modules.Present, modules.Absent
	for _, c := range []struct {
		what, address, names string
		state                modules.Presence
		exclusive            bool
		old, next            string // what is replaced in the text; "" for nothing
	}{
		{"all there", "10.0.0.2", "hv2 HV2.lab", present, false, "", ""},
		{"also in order", "10.0.0.2", "hv2.lab hv2", present, true, "", ""},
		{"another order", "10.0.0.2", "hv2 hv2.lab", present, true, "10.0.0.2   hv2.lab  hv2\n", "10.0.0.2\thv2 hv2.lab\n"},
		{"one more", "10.0.0.2", "store hv2", present, false, "10.0.0.2   hv2.lab  hv2\n", "10.0.0.2\thv2.lab hv2 store\n"},
		{"from another address", "10.0.0.1", "hv1.lab hv1", present, false, "127.0.1.1 hv1.lab hv1 # this host\n|10.0.0.3 a", "|10.0.0.3 a\n10.0.0.1\thv1.lab hv1\n"},
		{"in part", "127.0.0.1", "hv1", present, false, "\tlocalhost\n127.0.1.1 hv1.lab hv1 ", "\tlocalhost hv1\n127.0.1.1\thv1.lab "},
		{"the other kind stays", "fe80:0::2", "hv2", present, false, "FE80::2 hv2.lab\n", "FE80::2\thv2.lab hv2\n"},
		{"at the end", "10.0.0.4", "b", present, false, "10.0.0.3 a", "10.0.0.3 a\n10.0.0.4\tb\n"},
		{"a name goes", "10.0.0.2", "hv2", absent, false, "10.0.0.2   hv2.lab  hv2\n", "10.0.0.2\thv2.lab\n"},
		{"an address goes", "10.0.0.3", "", absent, false, "10.0.0.3 a", ""},
		{"a name goes everywhere", "", "hv2.lab hv2", absent, false, "10.0.0.2   hv2.lab  hv2\nFE80::2 hv2.lab\n", ""},
		{"nothing to go", "10.0.0.9", "", absent, false, "", ""},
		{"other address's name", "10.0.0.9", "a", absent, false, "", ""},
	} {
		a := HostsEntryArgs{Address: c.address, Names: strings.Fields(c.names), State: c.state, Exclusive: c.exclusive}
		if err := a.Check(); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
		want, next := text, strings.Split(c.next, "|")
		for i, old := range strings.Split(c.old, "|") {
			if old != "" {
				want = strings.Replace(want, old, next[i], 1)
			}
		}
		got := a.edit(text)
		if got != want {
			t.Errorf("%s:\n%q, want\n%q", c.what, got, want)
		}
		if again := a.edit(got); again != got {
			t.Errorf("%s, again:\n%q", c.what, again)
		}
	}
}

func TestHostsEntryMistakes(t *testing.T) {
	refused(t, HostsEntry, []any{"address", "10.0.0.1", "names", "a"}, []mistake{
		{`address is none: "10.0.0"`, []any{"address", "10.0.0"}},
		{`"a b" cannot be a host's name`, []any{"names", "a b"}},
		{`names has A twice`, []any{"names", "a,b,A"}},
		{"state is present but not all of the following are there: address, names", []any{"names", nil}},
		{"state is absent but all of the following are missing: address, names", []any{"names", nil, "address", nil, "state", "absent"}},
		{"exclusive goes with state present only", []any{"exclusive", true, "state", "absent"}},
		{"/dev is a directory", []any{"path", "/dev"}},
		{"read /dev/null: permission denied, or it is no file", []any{"path", "/dev/null"}},
	})
}
