package moduletest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/transport"
	"golang.org/x/tools/txtar"
)

// others are the play's other hosts: the fixture's files "host NAME", in order.
type others struct {
	names []string
	hosts map[string]*host
}

var _ modules.Peers = (*others)(nil)

// downHost is what a fixture's host says that nobody can reach.
const downHost = "down\n"

func newOthers(t *testing.T, a *txtar.Archive, check bool) *others {
	t.Helper()
	o := &others{hosts: map[string]*host{}}
	for _, f := range a.Files {
		name, ok := strings.CutPrefix(f.Name, "host ")
		if !ok {
			continue
		}
		o.names = append(o.names, name)
		if string(f.Data) == downHost {
			continue
		}
		exchanges, err := parseExchanges(string(f.Data))
		if err != nil {
			t.Fatal(err)
		}
		o.hosts[name] = &host{t: t, check: check, files: map[string]string{}, exchanges: exchanges}
	}
	return o
}

// Play implements modules.Peers.
func (o *others) Play() []string { return slices.Clone(o.names) }

// Open implements modules.Peers.
func (o *others) Open(_ context.Context, name string) (transport.Conn, error) {
	switch h := o.hosts[name]; {
	case h != nil:
		return h, nil
	case slices.Contains(o.names, name):
		return nil, &transport.UnreachableError{Host: name, Op: "connect", Err: fmt.Errorf("connection refused")}
	}
	return nil, fmt.Errorf("the inventory has no host %q", name)
}

// Alone implements modules.Peers.
func (o *others) Alone(context.Context, string) (func(), error) { return func() {}, nil }
