package facts

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/hostlerhq/hostler/jinja/value"
)

// TestDistribution reads recorded release files; want holds name, version, major, minor, release, family, file, variety,
// package manager.
func TestDistribution(t *testing.T) {
	cases, err := filepath.Glob("testdata/distribution/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatal("no cases", err)
	}
	for _, name := range cases {
		t.Run(filepath.Base(name), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			printed, exist, want := "", "", ""
			for _, f := range archive.Files {
				switch f.Name {
				case "exist":
					exist = string(f.Data)
				case "want":
					want = strings.TrimSpace(string(f.Data))
				default:
					for line := range strings.Lines(string(f.Data)) {
						printed += f.Name + ":" + line
					}
				}
			}
			f, err := Parse([]string{"distribution", "pkg_mgr"}, []byte(printed+"#exist\n"+exist))
			if err != nil {
				t.Fatal(err)
			}
			d := f.Distribution
			got := strings.Join([]string{
				d.Name, d.Version, d.MajorVersion, d.MinorVersion, d.Release, d.OSFamily, d.FilePath, d.FileVariety, f.Misc.PkgMgr,
			}, "|")
			if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestHypervisor(t *testing.T) {
	printed, err := os.ReadFile("testdata/host/hypervisor.txt")
	if err != nil {
		t.Fatal(err)
	}
	parts, err := Parts([]string{"all"})
	if err != nil {
		t.Fatal(err)
	}
	f, err := Parse(parts, printed)
	if err != nil {
		t.Fatal(err)
	}
	d := f.Dict()
	for path, want := range map[string]string{
		"fqdn":                       `"hv1.lab.example"`,
		"domain":                     `"lab.example"`,
		"processor_nproc":            `4`,
		"br0.type":                   `"bridge"`,
		"br0.interfaces":             `["bond0","vnet0"]`,
		"br0.id":                     `"8000.525400000001"`,
		"br0.stp":                    `true`,
		"br0.promisc":                `true`,
		"br0.mtu":                    `9000`,
		"br0.ipv4.address":           `"192.0.2.7"`,
		"br0.ipv4_secondaries":       `[{"address":"192.0.2.8","broadcast":"192.0.2.255","netmask":"255.255.255.0","network":"192.0.2.0","prefix":"24"}]`,
		"br0.ipv6":                   `[{"address":"2001:db8::7","prefix":"64","scope":"global"}]`,
		"bond0.type":                 `"bonding"`,
		"bond0.slaves":               `["eno1","eno2"]`,
		"bond0.mode":                 `"802.3ad"`,
		"eno1.active":                `false`,
		"eno1.module":                `"i40e"`,
		"eno1.pciid":                 `"0000:3b:00.0"`,
		"eno1.speed":                 `10000`,
		"eno1.perm_macaddress":       `"52:54:00:00:00:03"`,
		"eno1.ipv4":                  `{"address":"10.9.0.1","broadcast":"","netmask":"255.255.255.255","network":"10.9.0.1","prefix":"32"}`,
		"eno1.10":                    ``,
		"default_ipv4.gateway":       `"192.0.2.1"`,
		"default_ipv4.alias":         `"br0"`,
		"default_ipv4.netmask":       `"255.255.255.0"`,
		"default_ipv4.macaddress":    `"52:54:00:00:00:01"`,
		"default_ipv6":               `{}`,
		"all_ipv4_addresses":         `["192.0.2.7","192.0.2.8","10.9.0.1"]`,
		"interfaces":                 `["br0","bond0","eno1","eno1.10","br0_1"]`,
		"devices.sda.size":           `"512.00 MB"`,
		"devices.sda.vendor":         `"ATA"`,
		"devices.sda.wwn":            `"0x5000"`,
		"devices.sda.model":          `null`,
		"devices.sda.sectorsize":     `"4096"`,
		"devices.sda.partitions":     `{"sda1":{"holders":["vg-root"],"links":{"ids":[],"labels":[],"masters":["dm-0"],"uuids":[]},"sectors":"2097152","sectorsize":512,"size":"1.00 GB","start":"2048","uuid":null}}`,
		"devices.sda.virtual":        `1`,
		"devices.dm-0.links.uuids":   `["aaaa-bbbb"]`,
		"device_links.masters":       `{"sda1":["dm-0"]}`,
		"mounts":                     `[{"block_available":700,"block_size":4096,"block_total":1000,"block_used":300,"device":"/dev/mapper/vg-root","fstype":"ext4","inode_available":400,"inode_total":500,"inode_used":100,"mount":"/","options":"rw,relatime","size_available":2867200,"size_total":4096000,"uuid":"aaaa-bbbb"},{"device":"nas:/iso","fstype":"nfs4","mount":"/srv/my iso","note":"Could not get extra information due to timeout","options":"rw,vers=4.2"}]`,
		"lvm":                        `{"lvs":{"root":{"size_g":"1.00","vg":"vg"}},"pvs":{"/dev/sda1":{"free_g":"1.00","size_g":"2.00","vg":"vg"}},"vgs":{"vg":{"free_g":"1.00","num_lvs":"1","num_pvs":"1","size_g":"2.00"}}}`,
		"cmdline.console":            `"ttyS0"`,
		"proc_cmdline.console":       `["tty0","ttyS0"]`,
		"cmdline.quiet":              `true`,
		"dns":                        `{"nameservers":["192.0.2.53","2001:db8::53"],"options":{"rotate":true,"timeout":"1"},"search":["a.example","b.example"]}`,
		"selinux":                    `{"config_mode":"permissive","mode":"enforcing","policyvers":33,"status":"enabled","type":"targeted"}`,
		"service_mgr":                `"systemd"`,
		"virtualization_type":        `"kvm"`,
		"virtualization_role":        `"host"`,
		"virtualization_tech_host":   `["kvm"]`,
		"date_time.iso8601":          `"2024-01-01T10:00:00Z"`,
		"date_time.time":             `"11:00:00"`,
		"date_time.tz_dst":           `"CEST"`,
		"date_time.weeknumber":       `"01"`,
		"date_time.weekday":          `"Monday"`,
		"date_time.iso8601_basic":    `"20240101T110000123456"`,
		"local.a":                    `{"n":[1,2.5,true,null],"role":"hv"}`,
		"local.b":                    `{"General":{"colour":"red"}}`,
		"local.c":                    `"Failure executing fact script (c.fact), rc: 3, err: "`,
		"env":                        `{"A":"1","B":"two\nlines"}`,
		"system_capabilities":        `["cap_chown","cap_dac_override"]`,
		"user_shell":                 `"/bin/bash"`,
		"bios_vendor":                `"NA"`,
		"processor_threads_per_core": `1`,
	} {
		if path == "eno1.10" {
			vlan, _ := d.Get("eno1.10")
			if got := jsonOf(t, vlan); got != `{"device":"eno1.10","type":"ether","vlan":{"device":"eno1","id":10}}` {
				t.Errorf("eno1.10: got %s", got)
			}
			continue
		}
		if diff := cmp.Diff(want, jsonOf(t, lookup(d, path))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	if len(f.Warnings) != 1 || !strings.Contains(f.Warnings[0], "/srv/my iso") {
		t.Errorf("warnings: %q, want one about the file system that did not answer", f.Warnings)
	}
}

func lookup(d *value.Dict, path string) any {
	var v any = d
	for key := range strings.SplitSeq(path, ".") {
		inner, _ := v.(*value.Dict)
		v, _ = inner.Get(key)
	}
	return v
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(plain(v))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func plain(v any) any {
	switch v := v.(type) {
	case *value.Dict:
		m := map[string]any{}
		for k, item := range v.All() {
			m[k.(string)] = plain(item)
		}
		return m
	case *value.List:
		list := []any{}
		for _, item := range v.Items {
			list = append(list, plain(item))
		}
		return list
	}
	return v
}

func TestParts(t *testing.T) {
	all := "apparmor caps chroot cmdline date_time distribution dns env fibre_channel_wwn fips hardware iscsi loadavg local lsb " +
		"network nvme pkg_mgr platform python selinux service_mgr ssh_pub_keys user virtual"
	few := "apparmor caps cmdline date_time distribution dns env fips local lsb pkg_mgr platform python selinux service_mgr " +
		"ssh_pub_keys user"
	for in, want := range map[string]string{
		"all": all, "min": few, "!all": few, "!all !min": "", "!all !min network": "network",
		"!all !min pkg_mgr": "distribution pkg_mgr", "!all !min default_ipv4": "network", "!all !min facter": "",
		"all !hardware !virtual": strings.NewReplacer(" hardware", "", " virtual", "").Replace(all),
		"!min":                   "", "!unknown": few, "network": strings.Replace(few, "lsb ", "lsb network ", 1),
	} {
		got, err := Parts(strings.Fields(in))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", in, diff)
		}
	}
	if _, err := Parts([]string{"nettwork"}); err == nil || !strings.Contains(err.Error(), `bad subset "nettwork"`) {
		t.Errorf("unknown subset: %v", err)
	}
}

// Where one process told of addresses and routes, they are in one section.
func TestRoutesAmongAddresses(t *testing.T) {
	parts, err := Parts([]string{"network"})
	if err != nil {
		t.Fatal(err)
	}
	f, err := Parse(parts, []byte(`/sys/class/net/br0/address:52:54:00:00:00:01
/sys/class/net/br0/type:1
#exist
#nets
#addr
2: br0    inet 192.0.2.7/24 brd 192.0.2.255 scope global br0\       valid_lft forever preferred_lft forever
2: br0    inet6 2001:db8::7/64 scope global \       valid_lft forever preferred_lft forever
8.8.8.8 via 192.0.2.1 dev br0 src 192.0.2.7 uid 0 \    cache 
2404:6800:400a:800::1012 from :: via fe80:: dev br0 src 2001:db8::7 metric 1024 pref medium
#links
`))
	if err != nil {
		t.Fatal(err)
	}
	d := f.Dict()
	for path, want := range map[string]string{
		"default_ipv4.gateway": `"192.0.2.1"`,
		"default_ipv4.address": `"192.0.2.7"`,
		"default_ipv6.gateway": `"fe80::"`,
		"default_ipv6.address": `"2001:db8::7"`,
		"all_ipv4_addresses":   `["192.0.2.7"]`,
		"all_ipv6_addresses":   `["2001:db8::7"]`,
	} {
		if diff := cmp.Diff(want, jsonOf(t, lookup(d, path))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func TestFilter(t *testing.T) {
	d := value.NewDict("distribution", "Debian", "distribution_version", "12", "eth0", "x", "kernel", "6")
	for pattern, want := range map[string]int{
		"*": 4, "": 4, "ansible_distribution*": 2, "distribution": 1, "ansible_eth[0-2]": 1, "ansible_eth[!0]": 0, "nothing": 0,
	} {
		if got := Filter(d, []string{pattern}).Len(); got != want {
			t.Errorf("%q keeps %d facts, want %d", pattern, got, want)
		}
	}
}

func TestParseRefusesOtherOutput(t *testing.T) {
	if _, err := Parse([]string{"platform"}, []byte("sh: not found\n")); err == nil {
		t.Error("no error for an answer that is not the script's")
	}
}

// FuzzParse looks for inputs that make the parser panic.
func FuzzParse(f *testing.F) {
	seed, err := os.ReadFile("testdata/host/hypervisor.txt")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	parts, err := Parts([]string{"all"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, printed []byte) {
		if facts, err := Parse(parts, printed); err == nil {
			facts.Dict()
		}
	})
}
