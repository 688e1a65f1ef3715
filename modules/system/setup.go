package system

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/facts"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed setup.go
var setupSource string

// Setup gathers facts about the host.
var Setup = modules.Define("setup", setupSource, runSetup, modules.Aliases("ansible.builtin.setup", "ansible.legacy.setup"))

// GatherFacts is Setup by the name that plays use for it.
var GatherFacts = modules.Define("gather_facts", setupSource, runSetup,
	modules.Aliases("ansible.builtin.gather_facts", "ansible.legacy.gather_facts"))

// SetupArgs gather facts about the host: its hardware, network, system and its own local facts. It needs no Python on the host and
// takes one round trip; parts that are not asked for cost nothing.
type SetupArgs struct {
	// GatherSubset says which facts: all, min, hardware, network, virtual or the name of a part or fact; with ! in front, which not.
	GatherSubset []string `arg:"gather_subset" default:"all"`
	// GatherTimeout is how many seconds to wait for a network file system before its sizes are left out.
	GatherTimeout int `arg:"gather_timeout" default:"10"`
	// Filter keeps only the facts whose names match one of these patterns (*, ?, [...]).
	Filter []string `arg:"filter"`
	// FactPath is the folder of local facts, *.fact files: JSON, INI or programs that print either.
	FactPath modules.Path `arg:"fact_path" default:"/etc/ansible/facts.d"`
	// Parallel is taken for playbooks that set it; everything is gathered at once anyway.
	Parallel *bool `arg:"parallel"`
}

// SetupResult is what was gathered.
type SetupResult struct {
	// AnsibleFacts are the facts, named ansible_…
	AnsibleFacts *value.Dict `json:"ansible_facts"`
}

func runSetup(ctx context.Context, h *modules.Host, a SetupArgs) (SetupResult, error) {
	parts, err := facts.Parts(a.GatherSubset)
	if err != nil {
		return SetupResult{}, err
	}
	out, err := h.ProbePlain(ctx, facts.Script, strings.Join(parts, " "), strconv.Itoa(max(a.GatherTimeout, 1)), string(a.FactPath))
	if err != nil {
		return SetupResult{}, fmt.Errorf("gather facts: %w", err)
	}
	gathered, err := facts.Parse(parts, out.Stdout)
	if err != nil {
		return SetupResult{}, err
	}
	for _, w := range gathered.Warnings {
		h.Warn("%s", w)
	}
	return SetupResult{AnsibleFacts: facts.Filter(prefixed(gathered.Dict(), a.GatherSubset), a.Filter)}, nil
}

// prefixed gives the facts the names under which variables have them.
func prefixed(bare *value.Dict, subset []string) *value.Dict {
	d := value.NewDict()
	for name, v := range bare.All() {
		d.Set("ansible_"+name.(string), v)
	}
	words := value.NewList()
	for _, w := range subset {
		words.Append(w)
	}
	d.Set("gather_subset", words)
	d.Set("module_setup", true)
	return d
}
