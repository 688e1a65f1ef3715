// Package cloudinit makes seeds for cloud-init's data source NoCloud: it checks user-data, meta-data, vendor-data and network-config as far
// as that can be done without the guest, and writes them as an ISO 9660 image whose bytes depend on nothing but its content. A Seed is made
// of the texts as cloud-init shall read them; Text and Multipart make such texts of data. It contacts nothing.
package cloudinit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/internal/pyyaml"
	"github.com/hostlerhq/hostler/jinja/value"
	"gopkg.in/yaml.v3"
)

// The names of a seed's files, as cloud-init looks for them.
const (
	UserData      = "user-data"
	MetaData      = "meta-data"
	VendorData    = "vendor-data"
	NetworkConfig = "network-config"
)

// File is one file of a seed.
type File struct {
	// Name is where it comes from, for messages.
	Name string
	// Text is its content; a file without any is left out, but for user-data and meta-data, which must be there.
	Text string
}

// Seed is what a guest gets to read when it starts.
type Seed struct {
	User, Meta, Vendor, Network File
	// Schema says that the keys of cloud-config are checked against cloud-init's schema.
	Schema bool
}

// largeSeed is from where on a seed is probably not meant to be as large as it is.
const largeSeed = 1 << 20

// Check finds what cloud-init would stumble over, or pass over without a word. Mistakes are Fatal, the rest are warnings; all have their
// place in the files.
func (s Seed) Check() diag.List {
	found := s.CheckUser()
	if s.Vendor.Text != "" {
		found = append(found, checkData(s.Vendor, s.Schema)...)
	}
	found = append(found, s.checkMeta()...)
	if s.Network.Text != "" {
		found = append(found, checkNetwork(s.Network)...)
	}
	if s.Schema {
		found = append(found, s.checkLogin()...)
	}
	if n := len(s.User.Text) + len(s.Meta.Text) + len(s.Vendor.Text) + len(s.Network.Text); n > largeSeed {
		found = append(found, warning(diag.Pos{File: s.User.Name}, "the seed holds %d bytes; more than 1 MiB is probably a mistake", n))
	}
	return found
}

// CheckUser is Check for the user-data alone.
func (s Seed) CheckUser() diag.List { return checkData(s.User, s.Schema) }

func warning(pos diag.Pos, format string, args ...any) *diag.Error {
	e := diag.Errorf(pos, format, args...)
	e.Severity = diag.Warning
	return e
}

// parse reads a file that is one YAML document.
func parse(f File) (document.Document, *yaml.Node, diag.List) {
	docs, found, err := document.Parse(f.Name, []byte(f.Text))
	for _, w := range found {
		w.Severity = diag.Warning
	}
	if err != nil {
		found.Add(err)
		return document.Document{File: f.Name}, nil, found
	}
	if len(docs) > 1 {
		found.Add(diag.Errorf(docs[1].Pos(docs[1].Root), "a second YAML document begins here, and cloud-init reads one"))
	}
	if len(docs) == 0 {
		return document.Document{File: f.Name}, nil, found
	}
	return docs[0], docs[0].Root, found
}

// misnamed are keys of meta-data as they are written by mistake.
var misnamed = map[string]string{
	"instance_id": "instance-id", "instanceid": "instance-id", "local_hostname": "local-hostname", "localhostname": "local-hostname",
	"public_keys": "public-keys",
}

func (s Seed) checkMeta() diag.List {
	doc, root, found := parse(s.Meta)
	if root == nil {
		return found
	}
	if root.Kind != yaml.MappingNode {
		return append(found, diag.Errorf(doc.Pos(root), "meta-data must be a mapping, such as instance-id: vm1"))
	}
	for _, e := range document.Entries(root) {
		switch {
		case misnamed[e.Name] != "":
			found = append(found, diag.Errorf(doc.Pos(e.Key), "cloud-init does not know %q in meta-data", e.Name).WithHint("did you mean %q?", misnamed[e.Name]))
		case e.Name == "instance-id":
			if err := CheckInstanceID(e.Val.Value); err != nil { // also what is no scalar, which has no Value
				found = append(found, diag.Errorf(doc.Pos(e.Val), "%v", err))
			}
		case e.Name == "local-hostname":
			if err := CheckHostname(e.Val.Value); err != nil {
				found = append(found, diag.Errorf(doc.Pos(e.Val), "%v", err))
			}
		}
	}
	return found
}

// CheckInstanceID refuses what cannot name an instance: cloud-init makes a folder of that name.
func CheckInstanceID(id string) error {
	odd := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '/' }
	switch {
	case id == "" || id == "." || id == "..":
		return fmt.Errorf("instance-id %q cannot be the name of a folder, which cloud-init makes of it", id)
	case strings.ContainsFunc(id, odd) || len(id) > 128:
		return fmt.Errorf("instance-id %q must be at most 128 characters without blanks and slashes", id)
	}
	return nil
}

// CheckHostname holds a name to RFC 1123, with dots.
func CheckHostname(name string) error {
	plain := func(r rune) bool {
		return r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "-") != label || strings.ContainsFunc(label, func(r rune) bool { return !plain(r) }) {
			return fmt.Errorf("local-hostname %q is no name of a host: letters, digits and - between dots, 63 characters each", name)
		}
	}
	return nil
}

// Identify gives the seed with an instance-id, where its meta-data have none: the one given, or with "" one made of the seed's content, so
// that cloud-init takes a guest with another seed for a new instance.
func (s Seed) Identify(id string) (Seed, error) {
	docs, _, err := document.Parse(s.Meta.Name, []byte(s.Meta.Text))
	if err != nil {
		return s, err
	}
	meta := value.NewDict()
	if len(docs) > 0 && docs[0].Root != nil {
		v, err := docs[0].Value(docs[0].Root)
		if err != nil {
			return s, err
		}
		d, ok := v.(*value.Dict)
		if !ok {
			return s, nil // Check says it
		}
		meta = d
	}
	if _, has := meta.Get("instance-id"); has {
		return s, nil
	}
	if id == "" {
		id = "iid-" + s.digest()[:16]
	}
	all := value.NewDict("instance-id", id)
	for k, v := range meta.All() {
		all.Set(k, v)
	}
	s.Meta.Text, err = pyyaml.Dump(all, pyyaml.Options{Width: -1})
	return s, err
}

// Hostname is the local-hostname of the meta-data, "" when there is none.
func (s Seed) Hostname() string { return s.meta("local-hostname") }

// InstanceID is the instance-id of the meta-data, "" when there is none.
func (s Seed) InstanceID() string { return s.meta("instance-id") }

func (s Seed) meta(key string) string {
	_, root, _ := parse(s.Meta)
	if v := entry(root, key); v != nil {
		return v.Value
	}
	return ""
}

func (s Seed) digest() string {
	h := sha256.New()
	for _, f := range s.files() {
		fmt.Fprintf(h, "%s %d\n%s", f.Name, len(f.Text), f.Text)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// files are what goes into the image, sorted by name.
func (s Seed) files() []File {
	files := []File{{MetaData, s.Meta.Text}, {NetworkConfig, s.Network.Text}, {UserData, s.User.Text}, {VendorData, s.Vendor.Text}}
	return slices.DeleteFunc(files, func(f File) bool { return f.Text == "" && (f.Name == NetworkConfig || f.Name == VendorData) })
}
