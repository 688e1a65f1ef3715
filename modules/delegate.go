package modules

import (
	"context"
	"errors"

	"github.com/hostlerhq/hostler/jinja/value"
)

// Delegate runs another module on the host as a part of the one that runs: what it does, warns of and shows as a difference counts as this
// one's. Its failure is the error.
func (h *Host) Delegate(ctx context.Context, m *Module, args *value.Dict) (Result, error) {
	converge := h.converge
	defer func() { h.converge = converge }()
	r, err := m.Run(ctx, h, args)
	if err == nil && r.Failed {
		err = errors.New(m.Name + ": " + r.Msg)
	}
	return r, err
}
