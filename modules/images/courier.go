package images

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/netip"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed courier.go
var courierSource string

// Via is who downloads.
type Via string

// Choices lists them.
func (Via) Choices() []string { return []string{"target", "controller", "peer"} }

// Delivery is the way by which images come to the hosts.
type Delivery struct {
	// Via is who downloads: the host itself; the controller, once for all hosts, which then sends it to each; or with peer likewise, but the
	// controller sends it to one host of the play, and the hosts pass it on to each other. They do so by qemu-nbd, under a key for one
	// time and with the checksum compared at the end; where a host cannot reach the other, by way of the controller.
	Via Via `arg:"via" default:"target"`
	// PeerNetwork is the network by whose addresses hosts reach each other for via: peer, such as 10.0.0.0/8; without, any but those of bridges
	// for guests.
	PeerNetwork string `arg:"peer_network"`
}

func (d Delivery) check() error {
	if d.PeerNetwork != "" && d.Via != "peer" {
		return wrong("peer_network", "peer_network goes with via: peer")
	}
	if _, err := netip.ParsePrefix(d.PeerNetwork); d.PeerNetwork != "" && err != nil {
		return wrong("peer_network", "peer_network must be a network such as 10.0.0.0/8, not %q", d.PeerNetwork)
	}
	return nil
}

// downloader gives who downloads: the host itself, or the controller. The caller calls done.
func (d Delivery) downloader(ctx context.Context, h *modules.Host) (by *modules.Host, done func(), err error) {
	if d.Via == "target" {
		return h, func() {}, nil
	}
	ends, err := h.Ends(ctx)
	if err != nil {
		return nil, nil, err
	}
	by = modules.NewHost(modules.HostOptions{Name: "localhost", Conn: ends.Near, Check: h.Planning()})
	return by, func() { _ = ends.Close() }, nil // the pool takes them back, which cannot fail
}

// courier brings one image to one host.
type courier struct {
	Delivery
	h       *modules.Host
	by      *modules.Host // who downloads
	origin  origin
	src     string // a file of the controller, in place of a URL
	dir     string
	from    string // who it came from: url, controller, or the other host's name
	relayed bool   // by way of the controller
	release func() // lets the hosts go on that wait until this one can pass the image on; nil when none does
}

// close lets those go on who wait for the image, which is in its place now or does not come.
func (c *courier) close() {
	if c.release != nil {
		c.release()
	}
}

// bring brings the image beside its place, by whichever way; the caller publishes it and then calls close. Prefix is what names of images of
// this digest begin with.
func (c *courier) bring(ctx context.Context, prefix string) (fetched, error) {
	switch {
	case c.by == c.h && c.src == "":
		c.from = "url"
		return c.origin.fetch(ctx, c.h, c.dir, prefix)
	case c.Via == "peer" && !c.h.Planning():
		if got, ok, err := c.fromPeers(ctx); ok || err != nil {
			return got, err
		}
	}
	c.from = "controller"
	if c.src == "" {
		cached, err := c.origin.cache(ctx, c.by)
		if err != nil {
			return fetched{}, err
		}
		return c.send(ctx, cached)
	}
	found, err := c.h.Local().Find("files", c.src)
	if err != nil {
		return fetched{}, err
	}
	return c.send(ctx, found)
}

// send sends a file of the controller.
func (c *courier) send(ctx context.Context, local string) (fetched, error) {
	opts := modules.FileOptions{}
	opts.Mode, opts.HasMode = 0o600, true
	switch stat, err := c.h.Local().Stat(local); {
	case err == nil:
		opts.Size = stat.Size()
	case !c.h.Planning():
		return fetched{}, fmt.Errorf("look at %s: %w", local, err)
	}
	if err := c.h.PutLocal(ctx, "send "+c.origin.what, c.beside(), local, opts); err != nil {
		return fetched{}, err
	}
	return c.examine(ctx)
}

// beside is where an image of a known digest is sent to.
func (c *courier) beside() string { return c.dir + "/.hostler-image." + c.origin.digest[:32] }

// examine looks at what was sent.
func (c *courier) examine(ctx context.Context) (fetched, error) {
	to := c.beside()
	done, err := c.h.Change(ctx, modules.Action{
		Why: "examine " + c.origin.what, Script: inspectScript, Args: []string{to, c.origin.algorithm, c.origin.digest, c.origin.member},
	})
	if err != nil {
		return fetched{}, errors.Join(err, discard(ctx, c.h, to))
	}
	s, err := parseStaged(modules.ParseReport(done[0].Stdout), c.origin.what, c.origin.digest)
	if err != nil && s.path != "" {
		err = errors.Join(err, discard(ctx, c.h, s.path))
	}
	return fetched{staged: s}, err
}
