package cloudinit

import (
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"gopkg.in/yaml.v3"
)

// waysIn are keys of cloud-config that let somebody log in, or may do so by what they run.
var waysIn = strings.Fields("ssh_authorized_keys ssh-authorized-keys ssh_import_id passwd hashed_passwd plain_text_passwd password chpasswd " +
	"runcmd bootcmd write_files ansible autoinstall")

// checkLogin warns of a seed by which nobody can log in. What is no cloud-config may do anything.
func (s Seed) checkLogin() diag.List {
	if kind(strings.TrimPrefix(s.User.Text, "\xef\xbb\xbf")) != "text/cloud-config" || strings.TrimSpace(s.Vendor.Text) != "" {
		return nil
	}
	if _, meta, _ := parse(s.Meta); meta != nil && has(meta, []string{"public-keys"}) {
		return nil
	}
	doc, root, _ := parse(s.User)
	if root == nil || root.Kind != yaml.MappingNode || has(root, waysIn) {
		return nil
	}
	return diag.List{warning(doc.Pos(root), "nobody can log in: there is neither a key (ssh_authorized_keys) nor a password").WithRule("cloud-config")}
}

// has reports whether one of the keys stands anywhere in a document.
func has(n *yaml.Node, keys []string) bool {
	for _, e := range document.Entries(n) {
		if slices.Contains(keys, e.Name) || has(e.Val, keys) {
			return true
		}
	}
	return slices.ContainsFunc(document.Items(n), func(item *yaml.Node) bool { return has(item, keys) })
}

// clearPasswords warns of passwords that everybody reads who reads the seed.
func clearPasswords(doc document.Document, root *yaml.Node) diag.List {
	var found diag.List
	look := func(n *yaml.Node, password string) {
		if password != "" && !strings.HasPrefix(password, "$") && password != "R" && password != "RANDOM" {
			found.Add(warning(doc.Pos(n), "the password stands in clear in the seed").WithRule("cloud-config").
				WithHint("hashed_passwd takes a hash, such as mkpasswd -m sha-512 makes"))
		}
	}
	for _, e := range document.Entries(root) {
		switch e.Name {
		case "password":
			look(e.Val, e.Val.Value)
		case "users":
			for _, user := range document.Items(e.Val) {
				if p := entry(user, "plain_text_passwd"); p != nil {
					look(p, p.Value)
				}
			}
		case "chpasswd":
			list := entry(e.Val, "list")
			lines := document.Items(list)
			if list != nil && list.Kind == yaml.ScalarNode {
				lines = []*yaml.Node{list}
			}
			for _, n := range lines {
				for line := range strings.SplitSeq(n.Value, "\n") {
					_, password, _ := strings.Cut(strings.TrimSpace(line), ":")
					look(n, password)
				}
			}
			for _, user := range document.Items(entry(e.Val, "users")) {
				if p := entry(user, "password"); p != nil {
					look(p, p.Value)
				}
			}
		}
	}
	return found
}
