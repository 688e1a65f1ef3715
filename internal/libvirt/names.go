package libvirt

import (
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

var plainName = regexp.MustCompile(`^[A-Za-z0-9_.][A-Za-z0-9_.+:@-]{0,62}$`)

// CheckName refuses a name of a domain, network, pool, volume or snapshot that cannot be or that would be taken for something else: a
// leading -, a slash, control characters and what is no UTF-8 always; other odd names unless odd says that they are meant.
func CheckName(name string, odd bool) error {
	switch {
	case name == "":
		return errors.New("name is empty")
	case strings.HasPrefix(name, "-"):
		return fmt.Errorf("name %q begins with -, which programs take for an option", name)
	case strings.Contains(name, "/"):
		return fmt.Errorf("name %q has a slash in it, which cannot be in the name of a file", name)
	case name == "." || name == "..":
		return fmt.Errorf("name %q cannot be the name of a file", name)
	case !utf8.ValidString(name), strings.IndexFunc(name, unicode.IsControl) >= 0:
		return fmt.Errorf("name %q has characters in it that cannot be printed", name)
	case len(name) > 255:
		return fmt.Errorf("name is %d bytes long; 255 is the most", len(name))
	case !odd && !plainName.MatchString(name):
		return fmt.Errorf("name %q is an odd one (letters, digits and _.+:@- are plain, 63 of them at most); allow_odd_name: true takes it", name)
	}
	return nil
}

var macPattern = regexp.MustCompile(`^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$`)

// ParseMAC gives a MAC address as libvirt writes it: lower case with colons. An address of a group cannot be a guest's.
func ParseMAC(text string) (string, error) {
	if !macPattern.MatchString(text) {
		return "", fmt.Errorf("must be a MAC address such as 52:54:00:12:34:56, not %q", text)
	}
	if strings.Contains("13579bBdDfF", text[1:2]) {
		return "", fmt.Errorf("MAC address %s is one of a group (its first octet is odd), which no interface can have", text)
	}
	return strings.ToLower(strings.ReplaceAll(text, "-", ":")), nil
}

// AutoMAC gives the MAC address that interface index of a plan's VM has on every run. Round counts up when the address is taken.
func AutoMAC(plan, vm string, index, round int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d\x00%d", plan, vm, index, round))
	return fmt.Sprintf("52:54:00:%02x:%02x:%02x", sum[0], sum[1], sum[2])
}

var uuidPattern = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// ParseUUID gives a UUID in lower case with dashes.
func ParseUUID(text string) (string, error) {
	u := strings.ToLower(strings.TrimSpace(text))
	if plainUUID.MatchString(u) {
		u = u[:8] + "-" + u[8:12] + "-" + u[12:16] + "-" + u[16:20] + "-" + u[20:]
	}
	if !uuidPattern.MatchString(u) {
		return "", fmt.Errorf("must be a UUID, not %q", text)
	}
	return u, nil
}

// NameUUID gives the UUID (version 5, RFC 9562) that stands for words on every host.
func NameUUID(words ...string) string {
	space := []byte("\x6b\xa7\xb8\x12\x9d\xad\x11\xd1\x80\xb4\x00\xc0\x4f\xd4\x30\xc8") // of URLs
	sum := sha1.Sum(append(space, RecordSpace+"/"+strings.Join(words, "/")...))
	u := sum[:16]
	u[6], u[8] = u[6]&0x0f|0x50, u[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
