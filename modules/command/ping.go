package command

import (
	"context"
	_ "embed"
	"errors"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed ping.go
var pingSource string

// Ping is the module ping.
var Ping = modules.Define("ping", pingSource, runPing, modules.Aliases("ansible.builtin.ping", "ansible.legacy.ping"))

// PingArgs proves that a host lets us in and has a shell that works, and answers pong. It is not ICMP ping.
//
//	# Is everybody there?
//	- ping:
type PingArgs struct {
	// What to answer. "crash" makes the task fail.
	Data string `arg:"data" default:"pong"`
}

// PingResult is what ping returns.
type PingResult struct {
	// The answer: the argument data.
	Ping string `json:"ping"`
}

func runPing(ctx context.Context, h *modules.Host, args PingArgs) (*PingResult, error) {
	if args.Data == "crash" {
		return nil, errors.New("boom")
	}
	if _, err := h.Probe(ctx, ":"); err != nil {
		return nil, err
	}
	return &PingResult{args.Data}, nil
}
