package cmd

import (
	"context"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/vars"
)

// earlyNames renders the names of static imports and roles with what is known before any host is: the layers that the
// loader gives, lowest first, and extra variables.
func earlyNames(ctx context.Context, engine *vars.Engine, extra *value.Dict) func(*value.Template, ...*value.Dict) (string, error) {
	return func(t *value.Template, layers ...*value.Dict) (string, error) {
		list := make([]vars.Layer, 0, len(layers)+1)
		for _, d := range layers {
			list = append(list, vars.Layer{Level: vars.TaskVars, Source: "play", Vars: d})
		}
		list = append(list, vars.Layer{Level: vars.Extra, Source: "extra vars", Vars: extra})
		return engine.Scope(list...).Text(ctx, t)
	}
}
