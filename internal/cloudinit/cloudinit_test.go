package cloudinit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/kdomanski/iso9660"
)

func told(list diag.List) string {
	var b strings.Builder
	for _, e := range list {
		b.WriteString(map[diag.Severity]string{diag.Fatal: "error ", diag.Warning: "warning "}[e.Severity] + e.Error())
		if e.Hint != "" {
			b.WriteString(" (" + e.Hint + ")")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestUserData(t *testing.T) {
	const begins = ", which cloud-init passes over: user-data begins with #cloud-config, #!, #include, #cloud-boothook, ## template: jinja or Content-Type: multipart"
	for _, c := range []struct{ text, want string }{
		{"#cloud-config\nhostname: a\nusers:\n- default\n- name: bob\n  ssh_authorized_keys: [k]\n", ""},
		{"#!/bin/sh\necho hi\n", ""},
		{"## template: jinja\n#cloud-config\nhostname: {{ v1.x }}\n", ""},
		{"Content-Type: multipart/mixed; boundary=x\n\n--x--\n", ""},
		{" \n", "error u: it is empty\n"},
		{"# cloud-config\nhostname: a\n", `error u:1:1: it begins with "# cloud-config"` + begins + " (write #cloud-config without blanks)\n"},
		{"hostname: a\n", `error u:1:1: it begins with "hostname: a"` + begins + "\n"},
		{"#cloud-config\n- a\n", "error u:2:1: cloud-config must be a mapping, such as hostname: vm1\n"},
		{"#cloud-config\nhostname: a\n---\nhostname: b\n", "error u:4:1: a second YAML document begins here, and cloud-init reads one\n"},
		{"#cloud-config\nhostnane: a\n", `warning u:2:1: cloud-init does not know "hostnane" (did you mean "hostname"?)` + "\n"},
		{
			"#cloud-config\nusers:\n  - default\n  - name: bob\n    ssh-authorized-keys: [k]\n    zzzzzz: 1\n",
			`warning u:5:5: cloud-init does not know "ssh-authorized-keys" in users (did you mean "ssh_authorized_keys"?)` + "\n" +
				`warning u:6:5: cloud-init does not know "zzzzzz" in users` + "\n",
		},
		{"#cloud-config\nusers: [{name: bob}]\n", "warning u:2:1: users has no entry default: the distribution's own user will not be made\n"},
		{"#cloud-config\nchpasswd: {list: 'a:b'}\n", `warning u:2:12: "list" in chpasswd is deprecated and will be dropped by cloud-init` + "\n" +
			"warning u:2:18: the password stands in clear in the seed (hashed_passwd takes a hash, such as mkpasswd -m sha-512 makes)\n"},
		{"#cloud-config\nruncmd:\n- cloud-init status --wait\n", "error u:3:3: cloud-init status --wait in runcmd waits for itself for ever\n"},
		{"#cloud-config\nruncmd:\n- [cloud-init, status, --wait]\n", "error u:3:3: cloud-init status --wait in runcmd waits for itself for ever\n"},
		{"#cloud-config\nwrite_files:\n- {path: /a, content: b, owner: c, whatever: d}\n", `warning u:3:36: cloud-init does not know "whatever" in write_files` + "\n"},
		{"#cloud-config\napt: {sources: {any-name: {keyid: x}}}\nyum_repos: {r: {baseurl: x, gpgcheck: true}}\n", ""},
	} {
		got := told(Seed{User: File{"u", c.text}, Schema: true}.CheckUser())
		if got != c.want {
			t.Errorf("%q:\n%s", c.text, cmp.Diff(c.want, got))
		}
	}
	bad := told(Seed{User: File{"u", "#cloud-config\na: [\n"}}.Check())
	if !strings.HasPrefix(bad, "error u:") {
		t.Errorf("broken YAML: %q", bad)
	}
	if got := told(Seed{User: File{"u", "#cloud-config\nhostnane: a\n"}}.Check()); got != "" {
		t.Errorf("without the schema: %q", got)
	}
}

func TestLogin(t *testing.T) {
	const nobody = "warning u:2:1: nobody can log in: there is neither a key (ssh_authorized_keys) nor a password\n"
	const clear = " the password stands in clear in the seed (hashed_passwd takes a hash, such as mkpasswd -m sha-512 makes)\n"
	for _, c := range []struct{ user, meta, vendor, want string }{
		{user: "#cloud-config\nhostname: a\n", want: nobody},
		{user: "#cloud-config\nusers: [default, {name: bob}]\n", want: nobody},
		{user: "#cloud-config\nhostname: a\n", meta: "public-keys: [k]\n"},
		{user: "#cloud-config\nhostname: a\n", vendor: "#!/bin/sh\n"},
		{user: "#cloud-config\nssh_authorized_keys: [k]\n"},
		{user: "#cloud-config\nusers: [default, {name: bob, ssh_import_id: ['gh:bob']}]\n"},
		{user: "#cloud-config\nruncmd: [useradd bob]\n"},
		{user: "#!/bin/sh\n"},
		{user: "#cloud-config\npassword: $6$x\nchpasswd: {users: [{name: a, password: RANDOM}]}\n"},
		{user: "#cloud-config\npassword: secret\n", want: "warning u:2:11:" + clear},
		{user: "#cloud-config\nusers: [default, {name: b, plain_text_passwd: x}]\n", want: "warning u:2:47:" + clear},
		{user: "#cloud-config\nchpasswd: {users: [{name: a, password: x, type: text}]}\n", want: "warning u:2:40:" + clear},
	} {
		s := Seed{User: File{"u", c.user}, Meta: File{"m", c.meta}, Vendor: File{"v", c.vendor}, Schema: true}
		if got := told(s.Check()); got != c.want {
			t.Errorf("%q:\n%s", c.user, cmp.Diff(c.want, got))
		}
		if s.Schema = false; told(s.Check()) != "" {
			t.Errorf("%q, without the schema: %q", c.user, told(s.Check()))
		}
	}
}

func TestMetaData(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"instance-id: a\nlocal-hostname: a.b-c\n", ""},
		{"[a]\n", "error m:1:1: meta-data must be a mapping, such as instance-id: vm1\n"},
		{"instance_id: a\n", `error m:1:1: cloud-init does not know "instance_id" in meta-data (did you mean "instance-id"?)` + "\n"},
		{"instance-id: a/b\n", `error m:1:14: instance-id "a/b" must be at most 128 characters without blanks and slashes` + "\n"},
		{"instance-id: ''\n", `error m:1:14: instance-id "" cannot be the name of a folder, which cloud-init makes of it` + "\n"},
		{
			"local-hostname: 'a;b'\n",
			`error m:1:17: local-hostname "a;b" is no name of a host: letters, digits and - between dots, 63 characters each` + "\n",
		},
	} {
		if got := told(Seed{User: File{"u", "#!/bin/sh\n"}, Meta: File{"m", c.text}}.Check()); got != c.want {
			t.Errorf("%q:\n%s", c.text, cmp.Diff(c.want, got))
		}
	}
}

func TestNetworkConfig(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"version: 2\nethernets: {eth0: {match: {macaddress: '52:54:00:ab:00:01'}, set-name: lan0, addresses: [10.0.0.2/24], routes: [{to: default, via: 10.0.0.1}]}}\n", ""},
		{"network:\n  version: 1\n  config:\n  - {type: physical, name: eth0, subnets: [{type: static, address: 10.0.0.2/24, gateway: 10.0.0.1}]}\n  - {type: nameserver, address: 9.9.9.9}\n", ""},
		{"network: {config: disabled}\n", ""},
		{"# nothing\n", "error n: it is empty\n"},
		{"ethernets: {}\n", "error n:1:1: network-config has no version: 1 or 2\n"},
		{"version: 3\n", "error n:1:10: network-config version \"3\" is neither 1 nor 2\n"},
		{"version: 1\n", "error n:1:1: network-config version 1 has its interfaces in a list named config\n"},
		{"version: 1\nconfig: [{type: physcal, name: a}]\n", `error n:2:17: type "physcal" is none of physical, bond, bridge, vlan, nameserver, route, loopback, infiniband (did you mean "physical"?)` + "\n"},
		{"version: 1\nconfig: [{type: vlan, name: a, vlan_id: 5000}]\n", "error n:2:10: type vlan needs vlan_link\nerror n:2:41: VLAN 5000 is not within 0 to 4094\n"},
		{"version: 1\nconfig: [{type: physical, name: a, subnets: [{type: static, address: 10.0.0.2}]}]\n", "error n:2:70: address 10.0.0.2 has no prefix, and there is no netmask\n"},
		{"version: 2\nethernet: {}\n", `warning n:2:1: cloud-init does not know "ethernet" in network-config version 2 (did you mean "ethernets"?)` + "\n"},
		{"version: 2\nethernets: {e: {match: {macaddress: '52:54:00:AB:00:01'}}}\n", "error n:2:37: match: macaddress 52:54:00:AB:00:01 must be in lower case: cloud-init compares it as text\n"},
		{"version: 2\nethernets: {e: {gateway4: 10.0.0.1, addresses: [10.0.0.2]}}\n", "error n:2:49: an address is written with its prefix, such as 192.0.2.5/24, not \"10.0.0.2\"\n" +
			"warning n:2:27: gateway4 is deprecated: write routes: [{to: default, via: 10.0.0.1}]\n"},
		{"version: 2\nvlans: {v: {id: 5}}\n", "error n:2:9: v in vlans needs link\n"},
	} {
		if got := told(Seed{User: File{"u", "#!/bin/sh\n"}, Network: File{"n", c.text}}.Check()); got != c.want {
			t.Errorf("%q:\n%s", c.text, cmp.Diff(c.want, got))
		}
	}
}

func TestIdentify(t *testing.T) {
	s := Seed{User: File{"u", "#!/bin/sh\n"}, Meta: File{"m", "local-hostname: vm1\n"}}
	one, err := s.Identify("")
	if err != nil || !strings.HasPrefix(one.Meta.Text, "instance-id: iid-") || !strings.HasSuffix(one.Meta.Text, "\nlocal-hostname: vm1\n") {
		t.Errorf("by content: %q, %v", one.Meta.Text, err)
	}
	s.User.Text += "echo\n"
	if two, _ := s.Identify(""); two.Meta.Text == one.Meta.Text {
		t.Error("other content, same instance-id")
	}
	if named, _ := s.Identify("vm1-a"); named.Meta.Text != "instance-id: vm1-a\nlocal-hostname: vm1\n" {
		t.Errorf("by name: %q", named.Meta.Text)
	}
	s.Meta.Text = "# mine\ninstance-id: x\n"
	if own, _ := s.Identify("y"); own.Meta.Text != s.Meta.Text {
		t.Errorf("an instance-id that is there: %q", own.Meta.Text)
	}
	if got := one.Hostname(); got != "vm1" {
		t.Errorf("hostname %q", got)
	}
}

// TestImage holds the image's exact bytes, by their hash, and that a reader finds what was put in.
func TestImage(t *testing.T) {
	s := Seed{
		User: File{"u", "#cloud-config\nhostname: a\n"}, Meta: File{"m", "instance-id: a\n"},
		Network: File{"n", "version: 2\n"}, Vendor: File{"v", "#!/bin/sh\n" + strings.Repeat("# long\n", 1000)},
	}
	image, err := s.Image("cidata")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(image)
	if got := hex.EncodeToString(sum[:]); got != "7753325e5eceb6a88593228badc91ae40f03f92e5b279f1c5c3c9965c128688d" {
		t.Errorf("the image's SHA-256 is %s", got)
	}
	read, err := iso9660.OpenImage(bytes.NewReader(image))
	if err != nil {
		t.Fatal(err)
	}
	root, err := read.RootDir()
	if err != nil {
		t.Fatal(err)
	}
	children, err := root.GetChildren()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range children {
		text, err := io.ReadAll(f.Reader())
		if err != nil {
			t.Fatal(err)
		}
		got[f.Name()] = string(text)
	}
	want := map[string]string{UserData: s.User.Text, MetaData: s.Meta.Text, NetworkConfig: s.Network.Text, VendorData: s.Vendor.Text}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestText(t *testing.T) {
	config := value.NewDict("hostname", "a", "runcmd", value.NewList("echo a:b"))
	got, err := Text(config)
	if want := "#cloud-config\nhostname: a\nruncmd:\n- echo a:b\n"; err != nil || got != want {
		t.Errorf("a dict is %q, want %q, %v", got, want, err)
	}
	many, err := Text(value.NewList(config, "#!/bin/sh\necho hi\n"))
	if err != nil || kind(many) != "multipart" || !strings.Contains(many, "text/x-shellscript") || !strings.Contains(many, "text/cloud-config") {
		t.Errorf("a list is %q, %v", many, err)
	}
	for want, v := range map[string]any{
		`part 2: it begins with "echo", which cloud-init passes over`: value.NewList(config, "echo"),
		"part 1 is a list in a list":                                  value.NewList(value.NewList("#!/bin/sh", "#!/bin/sh"), "#!/bin/sh"),
		"must be text, a dict of cloud-config or a list of these":     5,
	} {
		if _, err := Text(v); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v: %v, want %s", v, err, want)
		}
	}
}
