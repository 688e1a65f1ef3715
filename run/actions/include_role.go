package actions

import (
	_ "embed"
	"errors"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed include_role.go
var includeRoleSource string

// IncludeRole takes in a role's tasks when it is reached.
type IncludeRole struct {
	// The role's name.
	Name string `arg:"name"`
	// Another name for name.
	Role string `arg:"role"`
	// File of tasks in place of main.
	TasksFrom string `arg:"tasks_from"`
	// File of variables in place of main.
	VarsFrom string `arg:"vars_from"`
	// File of defaults in place of main.
	DefaultsFrom string `arg:"defaults_from"`
	// File of handlers in place of main.
	HandlersFrom string `arg:"handlers_from"`
	// Whether the role may run on a host that ran it already.
	AllowDuplicates bool `arg:"allow_duplicates" default:"true"`
	// Whether its variables are seen by the rest of the play.
	Public bool `arg:"public" default:"false"`
	// Whether to check the arguments against the role's specification.
	Validate bool `arg:"rolespec_validate" default:"true"`
}

// Check asks for a name.
func (a IncludeRole) Check() error {
	if a.Name == "" && a.Role == "" {
		return errors.New("'name' is a required field for include_role.")
	}
	return nil
}

var includeRole = Action{Spec: modules.Declare[IncludeRole]("include_role", includeRoleSource, builtin("include_role"))}

// IncludeRoleSpec is the description of include_role's arguments.
func IncludeRoleSpec() *modules.Module { return includeRole.Spec }
