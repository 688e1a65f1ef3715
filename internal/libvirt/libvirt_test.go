package libvirt

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// recorded gives what a user wrote and what libvirt made of it.
func recorded(t *testing.T, name string) (want, have *Node) {
	t.Helper()
	a, err := txtar.ParseFile("testdata/recorded/" + name + ".txtar")
	if err != nil {
		t.Fatal(err)
	}
	return mustParse(t, string(a.Files[0].Data)), mustParse(t, string(a.Files[1].Data))
}

func mustParse(t *testing.T, text string) *Node {
	t.Helper()
	n, err := Parse(text)
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return n
}

// TestRecorded holds that what libvirt made of a definition is no difference to it, that merging changes nothing, and that what it gives
// back is parsed again to the same.
func TestRecorded(t *testing.T) {
	files, err := filepath.Glob("testdata/recorded/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".txtar")
		t.Run(name, func(t *testing.T) {
			want, have := recorded(t, name)
			if diffs := Compare(want, have, Owned(want)); len(diffs) > 0 {
				t.Errorf("differences: %v", diffs)
			}
			if diffs := Compare(have, want, nil); len(diffs) == 0 {
				t.Error("what libvirt filled in is found in what the user wrote")
			}
			merged := Merge(want, have, MergeOptions{Record: Owned(want)})
			if diff := cmp.Diff(folded(have).String(), folded(merged).String()); diff != "" {
				t.Errorf("merging changes something (-have +merged):\n%s", diff)
			}
			if again := mustParse(t, have.String()); again.String() != have.String() {
				t.Errorf("written and read again:\n%s", cmp.Diff(have.String(), again.String()))
			}
			if problems, certain := Unknown(have, 9_000_000); len(problems) > 0 || !certain {
				t.Errorf("libvirt's own XML is unknown: %v, %v", problems, certain)
			}
		})
	}
}

// edit replaces text in a definition.
func edit(t *testing.T, n *Node, old, text string) *Node {
	t.Helper()
	xml := n.String()
	if !strings.Contains(xml, old) {
		t.Fatalf("%q is not in %s", old, xml)
	}
	return mustParse(t, strings.Replace(xml, old, text, 1))
}

func TestCompare(t *testing.T) {
	for _, c := range []struct{ fixture, old, text, want string }{
		{"domain", `<memory unit="GiB">1`, `<memory unit="GiB">2`, `memory is "1048576", wanted "2097152"`},
		{"domain", `<memory unit="GiB">1<`, `<memory unit="KiB">1048576<`, ""},
		{"domain", `52:54:00:AB:CD:EF`, `52:54:00:ab:cd:ee`, `devices/interface[52:54:00:ab:cd:ee] is missing`},
		{"domain", `source network="default"`, `source network="lan"`, `devices/interface[52:54:00:ab:cd:ef]/source/@network is "default", wanted "lan"`},
		{"domain", `bridge="br0"`, `bridge="br1"`, `devices/interface[#2]/source/@bridge is "br0", wanted "br1"`},
		{"domain", `machine="q35"`, `machine="pc"`, `os/type/@machine is "pc-q35-7.2", wanted "pc"`},
		{"domain", `machine="q35"`, `machine="pc-q35-7.1"`, `os/type/@machine is "pc-q35-7.2", wanted "pc-q35-7.1"`},
		{"domain", `cpuset="0,1"`, `cpuset="0-1"`, ""},
		{"domain", `cpuset="0,1"`, `cpuset="0-2"`, `vcpu/@cpuset is "0-1", wanted "0-2"`},
		{"domain", `dev="vda"`, `dev="vdb"`, `devices/disk[vdb] is missing`},
		{"domain", `cache="none"`, `cache="writeback"`, `devices/disk[vda]/driver/@cache is "none", wanted "writeback"`},
		{"domain", `passwd="not so secret"`, `passwd="another"`, `devices/graphics[vnc]/@passwd is "***", wanted "***"`},
		{"domain", `<boot dev="hd"/>`, `<boot dev="cdrom"/>`, `os/boot[#1]/@dev is "hd", wanted "cdrom"`},
		{"network", `netmask="255.255.255.0"`, `prefix="24"`, ""},
		{"network", `netmask="255.255.255.0"`, `prefix="25"`, `ip[10.77.0.1]/@prefix is "24", wanted "25"`},
		{"network", `52:54:00:AB:00:01`, `52:54:00:ab:00:01`, ""},
		{"network", `ip="10.77.0.2"/>`, `ip="10.77.0.9"/>`, `ip[10.77.0.1]/dhcp/host[52:54:00:ab:00:01]/@ip is "10.77.0.2", wanted "10.77.0.9"`},
		{"network", `stp="on"`, `stp="yes"`, ""},
		{"pool-dir", "/srv/iso/", "/srv/isos", `target/path is "/srv/iso", wanted "/srv/isos"`},
		{"pool-dir", "0755", "755", ""},
		{"pool-dir", "0755", "0711", `target/permissions/mode is "0755", wanted "0711"`},
		{"volume", `unit="G">1<`, `unit="MB">1000<`, `capacity is "1073741824", wanted "1000000000"`},
	} {
		want, have := recorded(t, c.fixture)
		diffs := Compare(edit(t, want, c.old, c.text), have, nil)
		var texts []string
		for _, d := range diffs {
			texts = append(texts, d.String())
		}
		if got := strings.Join(texts, "\n"); c.want == "" && got != "" || !strings.Contains(got, c.want) || len(diffs) > 1 {
			t.Errorf("%s with %s: %q, want %q", c.fixture, c.text, got, c.want)
		}
	}
}

// TestMergeKeepsIdentity changes one field of a domain and looks what becomes of the rest.
func TestMergeKeepsIdentity(t *testing.T) {
	want, have := recorded(t, "domain")
	for _, c := range []struct{ old, text string }{
		{`bridge="br0"`, `bridge="br1"`},
		{`machine="q35"`, `machine="pc-q35-7.1"`},
		{`cache="none"`, `cache="writeback"`},
		{`<memory unit="GiB">1`, `<memory unit="GiB">2`},
		{`tickpolicy="catchup"`, `tickpolicy="delay"`},
		{`<on_crash>restart</on_crash>`, `<on_crash>restart</on_crash><description>d</description>`},
	} {
		changed := edit(t, want, c.old, c.text)
		merged := Merge(changed, have, MergeOptions{Record: Owned(want)})
		if diffs := Compare(changed, merged, nil); len(diffs) > 0 {
			t.Errorf("%s: not merged: %v", c.text, diffs)
		}
		for _, kept := range []string{
			"b181ec9a-b337-47eb-a556-a4c1731f8005", "52:54:00:3b:9e:f4", `bus="0x02" slot="0x00"`, `bus="0x05" slot="0x00"`,
			"pcie-root-port", `type="mouse"`, "not so secret", "qemu-system-x86_64",
		} {
			if !strings.Contains(merged.String(), kept) {
				t.Errorf("%s: %s is lost:\n%s", c.text, kept, merged)
			}
		}
	}
}

// TestRemoved takes fields out that an earlier definition had.
func TestRemoved(t *testing.T) {
	want, have := recorded(t, "domain")
	record := Owned(want)
	for _, c := range []struct{ old, path, gone, kept string }{
		{` cpuset="0,1"`, "vcpu/@cpuset", "cpuset", "<vcpu"},
		{"<serial>DATA1</serial>", "devices/disk[vda]/serial", "DATA1", `dev="vda"`},
		{"<apic/>", "features/apic", "<apic/>", "<acpi/>"},
		{"<title>Web</title>", "title", "<title>", "<name>web-01</name>"},
	} {
		changed := edit(t, want, c.old, "")
		diffs := Compare(changed, have, record)
		if len(diffs) != 1 || diffs[0].Path != c.path || diffs[0].After != "" {
			t.Errorf("without %s: %v", c.old, diffs)
		}
		if diffs := Compare(changed, have, nil); len(diffs) > 0 {
			t.Errorf("without %s and a record: %v", c.old, diffs)
		}
		merged := Merge(changed, have, MergeOptions{Record: record}).String()
		if strings.Contains(merged, c.gone) || !strings.Contains(merged, c.kept) {
			t.Errorf("without %s:\n%s", c.old, merged)
		}
	}
	// A whole device goes; one that somebody else attached stays.
	changed := want.Clone()
	changed.At("devices").Nodes = slices.DeleteFunc(changed.At("devices").Nodes, func(n *Node) bool {
		return n.Name == "disk" && n.At("target").Attr("dev") == "sda"
	})
	other := have.Clone()
	other.At("devices").Add(New("disk", "", "type", "file").Add(New("target", "", "dev", "vdz")))
	merged := Merge(changed, other, MergeOptions{Record: record}).String()
	if strings.Contains(merged, `dev="sda"`) || !strings.Contains(merged, `dev="vdz"`) || !strings.Contains(merged, `dev="vda"`) {
		t.Errorf("after a disk was taken out:\n%s", merged)
	}
}

// TestRecordSurvives writes a record into a definition and reads it from there.
func TestRecordSurvives(t *testing.T) {
	want, have := recorded(t, "domain")
	owned := Owned(want)
	SetRecord(have, owned)
	SetRecord(have, owned)
	again := mustParse(t, have.String())
	if diff := cmp.Diff(owned, Recorded(again)); diff != "" {
		t.Errorf("record (-noted +read):\n%s", diff)
	}
	if n := len(again.At("metadata").Nodes); n != 1 {
		t.Errorf("%d records", n)
	}
	if strings.Contains(again.At("metadata").String(), "secret") {
		t.Error("a value is in the record")
	}
	if diffs := Compare(want, again, Recorded(again)); len(diffs) > 0 {
		t.Errorf("differences: %v", diffs)
	}
	// A user that writes the MAC address of an interface that was known by its place changes nothing.
	named := edit(t, want, `<source bridge="br0"/>`, `<mac address="52:54:00:3b:9e:f4"/><source bridge="br0"/>`)
	if diffs := Compare(named, again, Recorded(again)); len(diffs) > 0 {
		t.Errorf("with the MAC address named: %v", diffs)
	}
}

// TestKeepHosts merges reservations that somebody else made.
func TestKeepHosts(t *testing.T) {
	want, have := recorded(t, "network")
	have.At("ip", "dhcp").Add(New("host", "", "mac", "52:54:00:00:00:09", "ip", "10.77.0.9"))
	changed := edit(t, want, `end="10.77.0.200"`, `end="10.77.0.210"`)
	for keep, n := range map[bool]int{true: 2, false: 1} {
		merged := Merge(changed, have, MergeOptions{KeepHosts: keep})
		if got := len(merged.At("ip", "dhcp").All("host")); got != n {
			t.Errorf("keep %v: %d reservations, want %d", keep, got, n)
		}
	}
}

func TestParseMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "there is no element in it",
		"<a><b></a>":                             "line 1: </a> ends nothing that is open",
		"<a>\n<b>":                               "line 2: <b> is not ended",
		"<a/><b/>":                               "line 1: <b> stands after the end of <a>",
		"text":                                   "line 1: text stands outside of the element",
		"<a>&evil;</a>":                          "line 1: invalid character entity &evil;",
		"<!DOCTYPE a [<!ENTITY e 'x'>]><a>x</a>": "line 1: a document type is not allowed",
		"<a b=c/>":                               "line 1: unquoted or missing attribute value in element",
		strings.Repeat("<a>", 200):               "elements are nested more than 100 deep",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
	if _, err := ParseRoot("<network/>", "domain"); err == nil || err.Error() != "line 1: the element is <network>, not <domain>" {
		t.Errorf("another element: %v", err)
	}
}

func TestUnknown(t *testing.T) {
	for text, want := range map[string]string{
		"<network><name>n</name>\n<forwad mode='nat'/></network>":                "line 2: libvirt knows no element <forwad> in <network>; did you mean forward?",
		"<network><forward mod='nat'/></network>":                                "line 1: libvirt knows no attribute mod in <forward>; did you mean mode?",
		"<domain><devices><dsik/></devices></domain>":                            "line 1: libvirt knows no element <dsik> in <devices>; did you mean disk?",
		"<pool><target><permission/></target></pool>":                            "line 1: libvirt knows no element <permission> in <target>; did you mean permissions?",
		"<domain xmlns:q='u'><q:commandline/><metadata><x/></metadata></domain>": "",
	} {
		problems, _ := Unknown(mustParse(t, text), 0)
		if got := strings.Join(problems, "\n"); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	if _, certain := Unknown(mustParse(t, "<network/>"), 12_000_000); certain {
		t.Error("a newer libvirt may know more")
	}
}
