package virt

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/modules"
)

// PoolType is what a pool is made of.
type PoolType string

// Choices lists the types.
func (PoolType) Choices() []string {
	return []string{
		"dir", "fs", "netfs", "logical", "disk", "iscsi", "iscsi-direct", "scsi", "mpath", "rbd", "gluster", "zfs", "vstorage",
	}
}

// PoolFields describe a pool in place of XML.
type PoolFields struct {
	// Path where the volumes are; types without one of their own have a default.
	Path string `arg:"path"`
	// Source is where the volumes come from.
	Source PoolSource `arg:"source"`
	// Auth is how to log in at the source.
	Auth PoolAuth `arg:"auth"`
	// Permissions of the path; a folder that is made gets them.
	Permissions Permissions `arg:"permissions"`
}

// PoolSource is where volumes come from.
type PoolSource struct {
	// Hosts of the server, each NAME or NAME:PORT.
	Hosts []string `arg:"hosts,alias=host"`
	// Dir is the exported folder.
	Dir string `arg:"dir"`
	// Devices are block devices, or the target's IQN.
	Devices []string `arg:"devices,alias=device"`
	// Name of the volume group, Ceph pool, Gluster volume or ZFS pool.
	Name string `arg:"name"`
	// Format of the source: nfs, cifs, glusterfs, ext4, xfs, lvm2, gpt …
	Format string `arg:"format"`
	// Initiator is the IQN to log in with.
	Initiator string `arg:"initiator"`
	// Adapter is the SCSI host.
	Adapter string `arg:"adapter"`
	// ProtocolVersion is that of NFS.
	ProtocolVersion string `arg:"protocol_ver"`
}

// PoolAuth is how to log in.
type PoolAuth struct {
	// Type is chap (iSCSI) or ceph.
	Type AuthType `arg:"type"`
	// Username to log in with.
	Username string `arg:"username"`
	// SecretUUID names a secret of libvirt's (virt_secret).
	SecretUUID string `arg:"secret_uuid"`
	// SecretUsage names a secret of libvirt's by what it is for.
	SecretUsage string `arg:"secret_usage"`
}

// AuthType is a way to log in.
type AuthType string

// Choices lists the ways.
func (AuthType) Choices() []string { return []string{"chap", "ceph"} }

// Permissions of a path or volume.
type Permissions struct {
	// Mode in octal.
	Mode string `arg:"mode"`
	// Owner is a number, or the name of a user of the host.
	Owner string `arg:"owner"`
	// Group is a number, or the name of a group of the host.
	Group string `arg:"group"`
	// Label is the SELinux label.
	Label string `arg:"label"`
}

var (
	octal  = regexp.MustCompile(`^0?[0-7]{3,4}$`)
	iqn    = regexp.MustCompile(`^(iqn\.[0-9]{4}-(0[1-9]|1[0-2])\.[a-z0-9.-]+(:.*)?|eui\.[0-9A-Fa-f]{16}|naa\.([0-9A-Fa-f]{16}|[0-9A-Fa-f]{32}))$`)
	server = regexp.MustCompile(`^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+|[0-9a-fA-F]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*?)(:([0-9]{1,5}))?$`)
)

// none refuses fields that belong to a type that is not given.
func (f PoolFields) none() error {
	if f.Path != "" || len(f.Source.Hosts)+len(f.Source.Devices) > 0 || f.Source.Dir != "" || f.Source.Name != "" {
		return &modules.ArgError{Path: []any{"type"}, Msg: "type is missing: path and source belong to a definition of a type"}
	}
	return nil
}

// build makes the definition.
func (f PoolFields) build(name string, kind PoolType) (*libvirt.Node, error) {
	if err := f.check(kind); err != nil {
		return nil, err
	}
	source, err := f.Source.build()
	if err != nil {
		return nil, err
	}
	if a := f.Auth; a.Type != "" {
		source.Add(libvirt.New("auth", "", "type", string(a.Type), "username", a.Username).
			Add(libvirt.New("secret", "", "uuid", a.SecretUUID, "usage", a.SecretUsage)))
	}
	doc := libvirt.New("pool", "", "type", string(kind)).Add(libvirt.New("name", name))
	if len(source.Nodes) > 0 {
		doc.Add(source)
	}
	if where := f.target(kind); where != "" {
		target := libvirt.New("target", "").Add(libvirt.New("path", where))
		if p := f.Permissions.build(); p != nil {
			target.Add(p)
		}
		doc.Add(target)
	}
	return doc, nil
}

// target is the path that a pool has, the usual one where there is no choice.
func (f PoolFields) target(kind PoolType) string {
	switch {
	case f.Path != "":
		return path.Clean(f.Path)
	case kind == "logical":
		return "/dev/" + f.Source.Name
	case kind == "disk":
		return "/dev"
	case kind == "iscsi", kind == "scsi":
		return "/dev/disk/by-path"
	case kind == "mpath":
		return "/dev/mapper"
	}
	return ""
}

// check refuses what does not go together.
func (f PoolFields) check(kind PoolType) error {
	bad := func(arg, format string, args ...any) error {
		return &modules.ArgError{Path: []any{arg}, Msg: fmt.Sprintf(format, args...)}
	}
	s := f.Source
	needs := map[PoolType][]string{
		"dir": {"path"}, "fs": {"path", "devices"}, "netfs": {"path", "hosts", "dir"}, "logical": {"name"}, "disk": {"devices"},
		"iscsi": {"hosts", "devices"}, "iscsi-direct": {"hosts", "devices", "initiator"}, "rbd": {"hosts", "name"}, "gluster": {"hosts", "name"},
		"zfs": {"name"}, "vstorage": {"path", "name"}, "scsi": {"adapter"},
	}
	has := map[string]bool{
		"path": f.Path != "", "devices": len(s.Devices) > 0, "hosts": len(s.Hosts) > 0, "dir": s.Dir != "", "name": s.Name != "",
		"initiator": s.Initiator != "", "adapter": s.Adapter != "",
	}
	for _, n := range needs[kind] {
		if !has[n] {
			where := "source." + n
			if n == "path" {
				where = n
			}
			return bad("source", "a pool of type %s needs %s", kind, where)
		}
	}
	if f.Path != "" && (!path.IsAbs(f.Path) || strings.ContainsAny(f.Path, "\n\x00") || slices.Contains(strings.Split(f.Path, "/"), "..")) {
		return bad("path", "path must be an absolute one without .., not %q", f.Path)
	}
	if strings.HasPrefix(string(kind), "iscsi") {
		for _, name := range append(slices.Clone(s.Devices), s.Initiator) {
			if name != "" && !iqn.MatchString(name) {
				return bad("source", "%q is no name of an iSCSI node (iqn.2026-01.org.example:disk1)", name)
			}
		}
	}
	if kind == "rbd" && f.Auth.Type == "" {
		return bad("auth", "a pool of type rbd needs auth: {type: ceph, username, secret_uuid or secret_usage}")
	}
	if a := f.Auth; a.Type != "" && (a.Username == "" || (a.SecretUUID == "") == (a.SecretUsage == "")) {
		return bad("auth", "auth needs username and one of secret_uuid and secret_usage")
	}
	return f.Permissions.check("0711")
}

func (s PoolSource) build() (*libvirt.Node, error) {
	n := libvirt.New("source", "")
	for _, h := range s.Hosts {
		m := server.FindStringSubmatch(h)
		if m == nil {
			return nil, &modules.ArgError{Path: []any{"source"}, Msg: fmt.Sprintf("source.hosts: %q is no NAME or NAME:PORT", h)}
		}
		// pool-define-as --source-host NAME:PORT would take all of it for the name.
		n.Add(libvirt.New("host", "", "name", strings.Trim(m[1], "[]"), "port", m[3]))
	}
	for _, d := range s.Devices {
		n.Add(libvirt.New("device", "", "path", d))
	}
	if s.Dir != "" {
		n.Add(libvirt.New("dir", "", "path", s.Dir))
	}
	if s.Adapter != "" {
		n.Add(libvirt.New("adapter", "", "type", "scsi_host", "name", s.Adapter))
	}
	if s.Name != "" {
		n.Add(libvirt.New("name", s.Name))
	}
	if s.Initiator != "" {
		n.Add(libvirt.New("initiator", "").Add(libvirt.New("iqn", "", "name", s.Initiator)))
	}
	if s.Format != "" {
		n.Add(libvirt.New("format", "", "type", s.Format))
	}
	if s.ProtocolVersion != "" {
		n.Add(libvirt.New("protocol", "", "ver", s.ProtocolVersion))
	}
	return n, nil
}

// build makes <permissions>, nil when there are none.
func (p Permissions) build() *libvirt.Node {
	n := libvirt.New("permissions", "")
	if p.Mode != "" {
		n.Add(libvirt.New("mode", p.Mode))
	}
	if p.Owner != "" {
		n.Add(libvirt.New("owner", p.Owner))
	}
	if p.Group != "" {
		n.Add(libvirt.New("group", p.Group))
	}
	if p.Label != "" {
		n.Add(libvirt.New("label", p.Label))
	}
	if len(n.Nodes) == 0 {
		return nil
	}
	return n
}
