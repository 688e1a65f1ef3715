package actions

import (
	"context"
	_ "embed"

	"github.com/hostlerhq/hostler/jinja/value"
)

//go:embed set_stats.go
var setStatsSource string

// SetStatsArgs keeps values for the report at the end of the run.
type SetStatsArgs struct {
	// The values by name.
	Data *value.Dict `arg:"data" required:"true"`
	// Whether they are each host's own.
	PerHost bool `arg:"per_host" default:"false"`
	// Whether a value is added to the one before, or takes its place.
	Aggregate bool `arg:"aggregate" default:"true"`
}

var setStats = define("set_stats", setStatsSource, runSetStats, builtin("set_stats"))

func runSetStats(_ context.Context, t *Task, a SetStatsArgs) (Result, error) {
	return Result{
		Stats: &Stats{Data: a.Data, PerHost: a.PerHost, Aggregate: a.Aggregate},
		Data: value.NewDict("changed", false,
			"ansible_stats", value.NewDict("data", a.Data, "per_host", a.PerHost, "aggregate", a.Aggregate)),
	}, nil
}
