package actions

import (
	"context"
	_ "embed"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
)

//go:embed validate_argument_spec.go
var validateSource string

// ValidateArgumentSpecArgs checks variables against the argument specification of a role.
type ValidateArgumentSpecArgs struct {
	// The options by name, as in a role's meta/argument_specs.yml.
	ArgumentSpec *value.Dict `arg:"argument_spec" required:"true"`
	// Values that go before the variables of the same names.
	ProvidedArguments *value.Dict `arg:"provided_arguments"`
	// What is being checked, for the result.
	ValidateArgsContext *value.Dict `arg:"validate_args_context"`
}

var validateArgumentSpec = define("validate_argument_spec", validateSource, runValidate, builtin("validate_argument_spec"))

func runValidate(ctx context.Context, t *Task, a ValidateArgumentSpecArgs) (Result, error) {
	about := a.ValidateArgsContext
	if about == nil {
		about = value.NewDict()
	}
	given := value.NewDict()
	for k := range a.ArgumentSpec.All() {
		name, ok := k.(string)
		if !ok {
			continue
		}
		v, found, err := t.Scope.Lookup(ctx, name)
		if err != nil {
			return Result{}, err
		}
		if !found {
			continue
		}
		if v, err = t.Scope.Render(ctx, v); err != nil {
			return Result{}, err
		}
		given.Set(name, v)
	}
	for k, v := range a.ProvidedArguments.All() {
		given.Set(k, v)
	}
	var c specCheck
	problems := c.check(a.ArgumentSpec, given)
	if len(problems) == 0 {
		return Result{Data: value.NewDict("changed", false, "msg", "The arg spec validation passed", "validate_args_context", about)}, nil
	}
	list := value.NewList()
	for _, p := range problems {
		list.Append(p)
	}
	return Result{Failed: true, Data: value.NewDict("failed", true, "changed", false,
		"msg", "Validation of arguments failed:\n"+strings.Join(problems, "\n"),
		"argument_spec_data", a.ArgumentSpec, "argument_errors", list, "validate_args_context", about)}, nil
}
