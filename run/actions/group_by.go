package actions

import (
	"context"
	_ "embed"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
)

//go:embed group_by.go
var groupBySource string

// GroupByArgs puts the host in a group whose name comes of its variables.
type GroupByArgs struct {
	// The group's name; blanks become dashes.
	Key string `arg:"key" required:"true"`
	// The groups that it is a child of.
	Parents any `arg:"parents"`
}

var groupBy = define("group_by", groupBySource, runGroupBy, builtin("group_by"))

func runGroupBy(_ context.Context, t *Task, a GroupByArgs) (Result, error) {
	parents, err := names(a.Parents)
	if err != nil {
		return Result{}, err
	}
	if len(parents) == 0 {
		parents = []string{"all"}
	}
	list := value.NewList()
	for i, p := range parents {
		parents[i] = strings.ReplaceAll(p, " ", "-")
		list.Append(parents[i])
	}
	name := strings.ReplaceAll(a.Key, " ", "-")
	return Result{
		Group: &NewGroup{Name: name, Parents: parents},
		Data:  value.NewDict("changed", false, "add_group", name, "parent_groups", list),
	}, nil
}
