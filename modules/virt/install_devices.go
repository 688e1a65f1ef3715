package virt

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

// disks adds the disks.
func (c *installCommand) disks(a InstallArgs) error {
	if isNone(a.Disks) {
		if !a.ownSeed() { // which is a disk too
			c.add("disk", "none")
		}
		return nil
	}
	for i, item := range itemsOf(a.Disks) {
		at := []any{"disks", i}
		d, ok := item.(*value.Dict)
		if !ok {
			if err := c.option(at, "disk", item); err != nil {
				return err
			}
			continue
		}
		d, err := c.disk(at, d.Copy())
		if err != nil {
			return err
		}
		if err := c.option(at, "disk", d); err != nil {
			return err
		}
	}
	return nil
}

// disk makes virt-install's suboptions of ours.
func (c *installCommand) disk(at []any, d *value.Dict) (*value.Dict, error) {
	size, sized := d.Get("size")
	if sized && size != nil {
		gib, err := gibibytes(size)
		if err != nil {
			return nil, optionError(append(at, "size"), err.Error())
		}
		d.Set("size", gib)
	}
	if name := d.Str("name"); name != "" {
		pool := d.Str("pool")
		switch {
		case pool == "":
			return nil, optionError(append(at, "name"), "is the name of a volume and needs pool")
		case sized:
			return nil, optionError(append(at, "size"), "and name do not go together: virt-install names new volumes of a pool itself; make this one by virt_volume")
		}
		d.Delete("pool")
		d.Delete("name")
		d.Set("vol", pool+"/"+name)
	}
	if pool := d.Str("pool"); pool != "" {
		c.checks = append(c.checks, installCheck{"pool", pool, append(slices.Clone(at), "pool")})
	}
	if pool, _, ok := strings.Cut(d.Str("vol"), "/"); ok {
		c.checks = append(c.checks, installCheck{"pool", pool, append(slices.Clone(at), "vol")})
		c.want.disks = append(c.want.disks, d.Str("vol"))
	}
	if p := d.Str("path"); p != "" {
		if !path.IsAbs(p) && !strings.Contains(p, "://") {
			return nil, optionError(append(at, "path"), fmt.Sprintf("must be an absolute path on the host, not %q", p))
		}
		c.want.disks = append(c.want.disks, p)
		if path.IsAbs(p) && sized {
			c.checks = append(c.checks, installCheck{"new", p, append(slices.Clone(at), "path")})
		} else {
			c.there(append(slices.Clone(at), "path"), p)
		}
	}
	for _, key := range []string{"backing_store", "backing"} {
		if p := d.Str(key); p != "" {
			c.there(append(slices.Clone(at), key), p)
		}
	}
	return d, nil
}

// gibibytes gives a size as virt-install takes it; a bare number is that already.
func gibibytes(given any) (string, error) {
	text, err := modules.Str(given)
	if err != nil {
		return "", err
	}
	if n, err := strconv.ParseFloat(strings.TrimSpace(text), 64); err == nil {
		if n <= 0 {
			return "", fmt.Errorf("must be more than 0, not %q", text)
		}
		return strings.TrimSpace(text), nil
	}
	z, err := modules.ParseSize(text)
	if err != nil {
		return "", err
	}
	return strconv.FormatFloat(float64(z)/(1<<30), 'f', -1, 64), nil
}

// networks adds the interfaces.
func (c *installCommand) networks(a InstallArgs) error {
	if isNone(a.Networks) {
		c.add("network", "none")
		return nil
	}
	for i, item := range itemsOf(a.Networks) {
		at := []any{"networks", i}
		if d, ok := item.(*value.Dict); ok {
			var err error
			if item, err = c.network(at, d.Copy()); err != nil {
				return err
			}
		}
		if err := c.option(at, "network", item); err != nil {
			return err
		}
	}
	return nil
}

// network makes virt-install's suboptions of ours.
func (c *installCommand) network(at []any, d *value.Dict) (*value.Dict, error) {
	nic := installNIC{}
	for _, kind := range []string{"network", "bridge", "direct"} {
		if source := d.Str(kind); source != "" {
			nic.kind, nic.source = kind, source
			if kind != "direct" {
				c.checks = append(c.checks, installCheck{kind, source, append(slices.Clone(at), kind)})
			}
		}
	}
	if source := d.Str("direct"); source != "" {
		d.Delete("direct")
		d.Set("type", "direct")
		d.Set("source", source)
	}
	if user, ok := d.Get("user"); ok {
		d.Delete("user")
		if user == true {
			d.Set("type", "user")
		}
	}
	if n, ok := d.Get("mtu"); ok {
		if _, isDict := n.(*value.Dict); !isDict {
			d.Delete("mtu")
			d.Set("mtu", value.NewDict("size", n))
		}
	}
	if tag, ok := d.Get("vlan"); ok { // of which virt-install has no suboption
		n, err := modules.Int(tag)
		if err != nil || n < 1 || n > 4094 {
			return nil, optionError(append(at, "vlan"), "must be a number from 1 to 4094")
		}
		d.Delete("vlan")
		d.Set("xpath1.set", "./vlan/tag/@id")
		d.Set("xpath1.value", int(n))
	}
	mac := d.Str("mac")
	v, _ := d.Get("mac")
	if sub, ok := v.(*value.Dict); ok {
		mac = sub.Str("address")
	}
	if strings.EqualFold(mac, "random") {
		d.Delete("mac")
		mac = ""
	}
	if mac != "" {
		canon, err := libvirt.ParseMAC(mac)
		if err != nil {
			return nil, optionError(append(at, "mac"), err.Error())
		}
		if slices.ContainsFunc(c.want.networks, func(n installNIC) bool { return n.mac == canon }) {
			return nil, optionError(append(at, "mac"), canon+" is another interface's too")
		}
		nic.mac = canon
	}
	c.want.networks = append(c.want.networks, nic)
	return d, nil
}
