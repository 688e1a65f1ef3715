package libvirt

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/bits"
	"net/netip"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// unitBytes are libvirt's units in bytes: k, K and KiB are 1024, KB is 1000.
func unitBytes(unit string) (float64, bool) {
	if unit == "b" || unit == "byte" || unit == "bytes" {
		return 1, true
	}
	at := strings.IndexByte("KMGTPE", upper(unit))
	if at < 0 {
		return 0, false
	}
	switch strings.ToLower(unit[1:]) {
	case "", "ib":
		return math.Pow(1024, float64(at+1)), true
	case "b":
		return math.Pow(1000, float64(at+1)), true
	}
	return 0, false
}

func upper(unit string) byte {
	if unit == "" {
		return 0
	}
	return strings.ToUpper(unit[:1])[0]
}

// Bytes gives the size that an element such as <capacity unit='GiB'> holds; without a unit the text counts in base.
func Bytes(n *Node, base string) (int64, bool) {
	if n == nil {
		return 0, false
	}
	v, err := strconv.ParseInt(strings.TrimSpace(n.Text), 10, 64)
	unit := n.Attr("unit")
	if unit == "" {
		unit = base
	}
	per, ok := unitBytes(unit)
	if err != nil || !ok || v < 0 || float64(v)*per > math.MaxInt64/2 {
		return 0, false
	}
	return int64(float64(v) * per), true
}

// KiB gives the memory that an element such as <memory unit='GiB'> holds, rounded up as libvirt does.
func KiB(n *Node) (int64, bool) {
	v, ok := Bytes(n, "KiB")
	return (v + 1023) / 1024, ok
}

var (
	plainUUID = regexp.MustCompile(`^[0-9a-fA-F]{32}$`)
	hexNumber = regexp.MustCompile(`^0[xX][0-9a-fA-F]+$`)
	cpuList   = regexp.MustCompile(`^[0-9^][0-9,^-]*$`)
)

// sameValue reports whether two values of an attribute or two texts of an element mean the same to libvirt. Where is the name of the
// attribute or the element, element the name of the element, parent that of the one around it.
func sameValue(parent, element, where, a, b string) bool {
	a, b = strings.TrimSpace(a), strings.TrimSpace(b)
	if a == b {
		return true
	}
	switch {
	case element == "mac" && where == "address", element == "host" && where == "mac", where == "uuid":
		return strings.EqualFold(bareUUID(a), bareUUID(b))
	case where == "machine":
		return sameMachine(a, b)
	case where == "cpuset", where == "nodeset":
		return cpuList.MatchString(a) && cpuList.MatchString(b) && expandList(a) == expandList(b)
	case where == "mode" && parent == "permissions":
		return strings.TrimLeft(a, "0") == strings.TrimLeft(b, "0")
	case where == "path", where == "dir", where == "file":
		return strings.HasPrefix(a, "/") && path.Clean(a) == path.Clean(b)
	case truth(a) != 0 && truth(a) == truth(b):
		return true
	case hexNumber.MatchString(a) && hexNumber.MatchString(b):
		x, ok1 := new(big.Int).SetString(a[2:], 16)
		y, ok2 := new(big.Int).SetString(b[2:], 16)
		return ok1 && ok2 && x.Cmp(y) == 0
	}
	return false
}

func bareUUID(s string) string {
	if bare := strings.ReplaceAll(s, "-", ""); plainUUID.MatchString(bare) {
		return bare
	}
	return s
}

// truth is 1 for libvirt's words for yes, 2 for those for no, 0 for others.
func truth(s string) int {
	switch strings.ToLower(s) {
	case "yes", "on", "true", "1":
		return 1
	case "no", "off", "false", "0":
		return 2
	}
	return 0
}

// sameMachine reports whether the domain has a machine type of the family that an alias names: q35 is pc-q35-7.2 for ever once it was
// resolved to that. A version written out is meant as written.
func sameMachine(want, have string) bool {
	family := map[string]string{"q35": "pc-q35-", "pc": "pc-i440fx-"}[want]
	if family == "" {
		family = want + "-"
	}
	rest, ok := strings.CutPrefix(have, family)
	return ok && rest != "" && rest[0] >= '0' && rest[0] <= '9'
}

// expandList makes a list of CPUs such as 0-2,^1 one of single numbers.
func expandList(text string) string {
	var set big.Int
	for part := range strings.SplitSeq(text, ",") {
		part, off := strings.CutPrefix(part, "^")
		from, to, isRange := strings.Cut(part, "-")
		a, err1 := strconv.Atoi(from)
		z, err2 := a, error(nil)
		if isRange {
			z, err2 = strconv.Atoi(to)
		}
		if err1 != nil || err2 != nil || z-a > 1<<16 || z > 1<<20 {
			return text
		}
		for ; a <= z; a++ {
			bit := uint(1)
			if off {
				bit = 0
			}
			set.SetBit(&set, a, bit)
		}
	}
	return set.Text(16)
}

// prefixOf gives the prefix length that an IPv4 netmask stands for, "" when it is none.
func prefixOf(netmask string) string {
	ip, err := netip.ParseAddr(netmask)
	if err != nil || !ip.Is4() {
		return ""
	}
	octets := ip.As4()
	mask := binary.BigEndian.Uint32(octets[:])
	ones := bits.OnesCount32(mask)
	if bits.LeadingZeros32(^mask) != ones {
		return ""
	}
	return strconv.Itoa(ones)
}

// folded is what a tree is compared as: a netmask is a prefix, sizes are in one unit, and what libvirt keeps for itself is gone.
func folded(n *Node) *Node {
	c := n.Clone()
	foldNode(c, "")
	return c
}

func foldNode(n *Node, parent string) {
	switch n.Name {
	case "memory", "currentMemory", "maxMemory":
		if kib, ok := KiB(n); ok && (parent == "domain" || n.Name == "maxMemory") {
			n.Text = strconv.FormatInt(kib, 10)
			n.SetAttr("unit", "")
		}
	case "capacity":
		if size, ok := Bytes(n, "bytes"); ok {
			n.Text = strconv.FormatInt(size, 10)
			n.SetAttr("unit", "")
		}
	case "ip", "route":
		if p := prefixOf(n.Attr("netmask")); p != "" {
			n.SetAttr("netmask", "")
			n.SetAttr("prefix", p)
		}
	}
	kept := n.Nodes[:0]
	for _, c := range n.Nodes {
		if !ignored(n.Name, c) {
			foldNode(c, n.Name)
			kept = append(kept, c)
		}
	}
	n.Nodes = kept
}

// ignored reports elements that are not compared: they change by themselves, or libvirt alone decides on them.
func ignored(parent string, n *Node) bool {
	switch n.Name {
	case "allocation":
		return true
	case "available", "physical", "key", "timestamps":
		return parent == "pool" || parent == "volume" || parent == "target"
	case "capacity":
		return parent == "pool"
	case "backingStore", "mirror":
		return parent == "disk"
	case "alias":
		return !strings.HasPrefix(n.Attr("name"), "ua-") && parent != "boot"
	case "target":
		return parent == "interface" && strings.HasPrefix(n.Attr("dev"), "vnet") && len(n.Attrs) == 1
	case "metadata":
		return parent == "domain" || parent == "network"
	}
	return false
}

// ignoredAttr is ignored for attributes.
func ignoredAttr(parent, element, name string) bool {
	switch {
	case name == "xmlns", strings.HasPrefix(name, "xmlns:"):
		return true
	case element == "source" && parent == "interface":
		return name == "portid"
	case name == "connections":
		return true
	case element == "domain" && name == "id":
		return true
	}
	return false
}
