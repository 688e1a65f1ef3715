package virt

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed virt_migrate.go
var migrateSource string

// Migrate moves domains to another hypervisor.
var Migrate = modules.Define("virt_migrate", migrateSource+virshSource+domainSource, runMigrate)

// MigrateArgs move domains from the task's host to another host of the inventory. Both are looked at first, and everything that speaks against it is
// told at once. In the end there is one definition, with what was set by virt and with its autostart. A domain that is there already, and not here, stays
// as it is; one that is on both is an error, and is never started or removed by this. Disks are not copied unless copy_storage says so: that both
// hosts have the same is proved by a file that is written on one and read on the other.
//
// An offline migration goes over our own connections to both hosts. For the others the host's libvirt itself talks to that of the other one (dest_uri).
//
//	# While the guest runs, with its disks on NFS.
//	- virt_migrate: {domain: web-01, dest: hv2}
//
//	# The definition of one that is shut off.
//	- virt_migrate: {domain: web-02, dest: hv2, mode: offline}
type MigrateArgs struct {
	// Domain or domains to move.
	Domain []string `arg:"domain,alias=guest" required:"true"`
	// Dest is the host that they move to, by its name in the inventory.
	Dest string `arg:"dest" required:"true"`
	// Mode: live moves a guest while it runs, suspend holds it still meanwhile, offline moves the definition of one that is shut off.
	Mode MigrateMode `arg:"mode" default:"live"`
	// CopyStorage copies the disks of a running guest too: all of them, or of overlays what stands on a base that both hosts have (inc).
	CopyStorage CopyStorage `arg:"copy_storage" default:"none"`
	// VerifyShared proves that the disks' folders are the same on both hosts. Without it files of the same names do, for copies that were made before.
	VerifyShared bool `arg:"verify_shared" default:"true"`
	// Persistent defines the domain there, so that it stays when it is turned off.
	Persistent bool `arg:"persistent" default:"true"`
	// UndefineSource takes the definition away here. Without it it stays, and no longer starts with the host.
	UndefineSource bool `arg:"undefine_source" default:"true"`
	// DestURI is how the host's libvirt reaches the other one; qemu+ssh://DEST/system when empty. It needs a key and a known host key.
	DestURI URI `arg:"dest_uri"`
	// Transport: direct lets virsh lead the two, p2p the host's libvirt, tunnelled sends the guest's memory through the connection of the two as well.
	Transport MigrateTransport `arg:"transport" default:"direct"`
	// TLS encrypts the guest's memory on its way, which else crosses the network as it is, unless it is tunnelled.
	TLS bool `arg:"tls"`
	// MigrateURI is where the memory goes to, to choose a network: tcp://10.0.1.2.
	MigrateURI string `arg:"migrate_uri"`
	// ListenAddress is where the other host waits for it.
	ListenAddress string `arg:"listen_address"`
	// Bandwidth to use at most, in MiB a second.
	Bandwidth int `arg:"bandwidth"`
	// Parallel is the number of connections for the memory.
	Parallel int `arg:"parallel"`
	// Compressed sends pages that changed again compressed.
	Compressed bool `arg:"compressed"`
	// Converge says what is done about a guest that changes its memory faster than it can be sent.
	Converge Converge `arg:"converge"`
	// Dname is the domain's name on the other host.
	Dname string `arg:"dname"`
	// AcceptUnsafe migrates although libvirt fears for the data, as with disks that the host caches.
	AcceptUnsafe bool `arg:"accept_unsafe"`
	// Timeout for one domain; after it the migration is broken off, and the guest goes on here.
	Timeout time.Duration `arg:"timeout" default:"1h"`
	// AllowOddName takes names with spaces, quotes and the like.
	AllowOddName bool `arg:"allow_odd_name"`
	Place
}

// Converge are the ways to get a busy guest over.
type Converge struct {
	// Auto slows the guest down.
	Auto bool `arg:"auto" default:"true"`
	// Postcopy lets the guest go on there and fetches what is missing; when the connection breaks then, the guest is lost.
	Postcopy bool `arg:"postcopy"`
	// Timeout after which timeout_action is done.
	Timeout time.Duration `arg:"timeout"`
	// TimeoutAction holds the guest still, or goes over to postcopy.
	TimeoutAction TimeoutAction `arg:"timeout_action" default:"suspend"`
}

// MigrateMode is how a domain moves.
type MigrateMode string

// Choices lists the modes.
func (MigrateMode) Choices() []string { return []string{"live", "offline", "suspend"} }

// CopyStorage is which disks are copied.
type CopyStorage string

// Choices lists what can be copied.
func (CopyStorage) Choices() []string { return []string{"none", "all", "inc"} }

// MigrateTransport is who leads a migration.
type MigrateTransport string

// Choices lists the ways.
func (MigrateTransport) Choices() []string { return []string{"direct", "p2p", "tunnelled"} }

// TimeoutAction is what is done about a guest that does not get over.
type TimeoutAction string

// Choices lists the actions.
func (TimeoutAction) Choices() []string { return []string{"suspend", "postcopy"} }

// MigrateResult tells of the domains.
type MigrateResult struct {
	// Moved are the names of those that moved, or would in check mode.
	Moved []string `json:"moved"`
	// From is the host that they were on.
	From string `json:"from"`
	// To is the host that they are on.
	To string `json:"to"`
	// Domains as they are there.
	Domains []*DomainResult `json:"domains"`
}

// Check refuses what makes no sense.
func (a MigrateArgs) Check() error {
	bad := func(arg, format string, args ...any) error {
		return &modules.ArgError{Path: []any{arg}, Msg: fmt.Sprintf(format, args...)}
	}
	if len(a.Domain) == 0 {
		return bad("domain", "domain names none")
	}
	for i, name := range append(slices.Clone(a.Domain), a.Dname) {
		if name == "" && i == len(a.Domain) {
			continue
		}
		if err := checkName("domain", name, a.AllowOddName); err != nil {
			return err
		}
		if slices.Contains(a.Domain[:min(i, len(a.Domain))], name) && i < len(a.Domain) {
			return bad("domain", "domain %s is named twice", name)
		}
	}
	offline := a.Mode == "offline"
	for _, c := range []struct {
		is        bool
		arg, text string
	}{
		{strings.TrimSpace(a.Dest) == "", "dest", "dest names no host"},
		{a.Dname != "" && len(a.Domain) > 1, "dname", "dname is for one domain"},
		{offline && a.CopyStorage != "none", "copy_storage", "copy_storage is not for mode: offline, which moves the definition alone: copy the images first (synchronize) and set verify_shared: false"},
		{offline && !a.Persistent, "persistent", "persistent: false is not for mode: offline: what is shut off and not defined is nowhere"},
		{offline && a.DestURI != "", "dest_uri", "dest_uri is not for mode: offline, which goes over our own connections"},
		{a.Transport == "tunnelled" && a.CopyStorage != "none", "transport", "transport: tunnelled cannot copy storage"},
		{a.Transport == "tunnelled" && (a.TLS || a.MigrateURI != "" || a.Parallel > 0), "transport", "transport: tunnelled has no connection of its own for tls, migrate_uri and parallel"},
		{a.Bandwidth < 0, "bandwidth", "bandwidth must not be negative"},
		{a.Parallel < 0, "parallel", "parallel must not be negative"},
		{a.Timeout < time.Second, "timeout", "timeout must be a second or more"},
		{a.Converge.TimeoutAction == "postcopy" && a.Converge.Timeout > 0 && !a.Converge.Postcopy, "converge", "converge: timeout_action: postcopy needs postcopy: true"},
		{strings.HasPrefix(a.MigrateURI, "-") || strings.HasPrefix(a.ListenAddress, "-"), "migrate_uri", "migrate_uri and listen_address must not begin with -"},
	} {
		if c.is {
			return bad(c.arg, "%s", c.text)
		}
	}
	if u, err := url.Parse(string(a.DestURI)); err == nil && u.User != nil {
		if _, has := u.User.Password(); has {
			return bad("dest_uri", "dest_uri must not hold a password: virsh would show it in its arguments")
		}
	}
	return nil
}

// destURI is where the host's libvirt finds the other one's. Nobody is there to be asked for a password.
func (a MigrateArgs) destURI() string {
	if a.Mode == "offline" {
		return ""
	}
	if a.DestURI != "" {
		return string(a.DestURI)
	}
	scheme, rest, _ := strings.Cut(string(a.URI), "://")
	_, where, _ := strings.Cut(rest, "/")
	return scheme + "+ssh://" + a.Dest + "/" + where + "?no_tty=1"
}

// runMigrate looks at everything first, and then moves one domain after the other.
func runMigrate(ctx context.Context, h *modules.Host, a MigrateArgs) (MigrateResult, error) {
	j := &migrateJob{MigrateArgs: a, host: h}
	r := MigrateResult{Moved: []string{}, From: h.At(), To: a.Dest, Domains: []*DomainResult{}}
	if a.Dest == h.At() {
		return r, j.stay(ctx, &r)
	}
	var err error
	if j.dest, err = h.Peer(ctx, a.Dest); err != nil {
		return r, err
	}
	defer j.dest.Close()
	names := slices.Clone(a.Domain)
	slices.Sort(names) // two tasks that move the same ones ask for them in the same order
	for _, name := range names {
		release, err := h.Alone(ctx, "virt_migrate "+name)
		if err != nil {
			return r, err
		}
		defer release()
	}
	var moves []migration
	var against []error
	for _, name := range a.Domain {
		m, err := j.look(ctx, name)
		if err == nil && !m.done() {
			err = j.preflight(m)
		}
		if err != nil {
			against = append(against, err)
		}
		moves = append(moves, m)
	}
	if len(against) > 0 {
		return r, errors.Join(against...)
	}
	var planned error
	for _, m := range moves {
		if !m.done() {
			err := j.move(ctx, &m)
			if modules.IgnorePlanned(err) != nil {
				return r, explain(err)
			}
			planned = errors.Join(planned, err)
			r.Moved = append(r.Moved, m.name)
		}
		r.Domains = append(r.Domains, m.foreseen(planned != nil).result())
	}
	if planned != nil {
		return r, modules.ErrPlanned
	}
	return r, nil
}

// stay is for the host that is the destination itself: its domains are there already.
func (j *migrateJob) stay(ctx context.Context, r *MigrateResult) error {
	for _, name := range j.Domain {
		told, err := j.host.Probe(ctx, domainProbe, string(j.URI), name, "")
		if err != nil {
			return err
		}
		d, err := parseDomain(told, name)
		if err != nil {
			return err
		}
		if !d.exists {
			return &libvirt.Error{Class: libvirt.NotFound, Text: fmt.Sprintf("virtual machine %s not found, and it cannot be moved from %s to itself", name, j.Dest)}
		}
		r.Domains = append(r.Domains, d.result())
	}
	return nil
}
