package actions

import (
	"context"
	_ "embed"
	"fmt"
	"strings"

	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed set_fact.go
var setFactSource string

// SetFactArgs sets variables of the host for the rest of the run: every further key is one.
type SetFactArgs struct {
	// Whether the variables are facts as well, which outlive the run where facts are cached.
	Cacheable bool `arg:"cacheable" default:"false"`
}

var setFact = define("set_fact", setFactSource, runSetFact, builtin("set_fact"), modules.AnyKeys())

func runSetFact(ctx context.Context, t *Task, a SetFactArgs) (Result, error) {
	set := value.NewDict()
	for k, v := range t.Args.All() {
		name, ok := k.(string)
		if ok && document.HasTemplate(name) {
			var err error
			if name, err = t.Scope.Text(ctx, &value.Template{Text: name, Pos: t.Pos}); err != nil {
				return Result{}, err
			}
		}
		if name == "cacheable" {
			continue
		}
		if !ok || !IsName(name) {
			return failed(fmt.Sprintf("The variable name '%v' is not valid. Variables must start with a letter or underscore character, "+
				"and contain only letters, numbers and underscores.", k)), nil
		}
		set.Set(name, t.fact(v))
	}
	if set.Len() == 0 {
		return failed("No key/value pairs provided, at least one is required for this action to succeed"), nil
	}
	return Result{Set: set, Cacheable: a.Cacheable, Data: value.NewDict("ansible_facts", set)}, nil
}

// fact makes a boolean of text that names one, where expressions give text: so k=v arguments can set booleans.
func (t *Task) fact(v any) any {
	s, ok := v.(string)
	if !ok || !t.Legacy {
		return v
	}
	switch strings.ToLower(s) {
	case "true", "yes":
		return true
	case "false", "no":
		return false
	}
	return v
}

// IsName reports whether a text may be a variable's name.
func IsName(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != "" && !strings.Contains(" True False None and or not in is if else for while def class return lambda import from as with try except finally raise pass break continue global nonlocal del assert yield async await elif ", " "+s+" ")
}
