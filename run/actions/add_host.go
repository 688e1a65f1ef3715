package actions

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed add_host.go
var addHostSource string

// AddHostArgs adds a host, or groups and variables of one, to the inventory for the rest of the run: every further key is a
// variable of the host.
type AddHostArgs struct {
	// The host's name, perhaps with :port.
	Name string `arg:"name,alias=hostname,alias=host" required:"true"`
	// Groups to put it in; text with commas or a list.
	Groups any `arg:"groups,alias=groupname,alias=group"`
}

var addHost = defineOnce("add_host", addHostSource, runAddHost, builtin("add_host"), modules.AnyKeys())

func runAddHost(_ context.Context, t *Task, a AddHostArgs) (Result, error) {
	groups, err := names(a.Groups)
	if err != nil {
		return failed("Groups must be specified as a list."), nil
	}
	own := value.NewDict()
	for k, v := range t.Args.All() {
		if name, ok := k.(string); ok && !slices.Contains([]string{"name", "hostname", "groupname", "groups"}, name) {
			own.Set(k, v)
		}
	}
	name := a.Name
	if host, port, err := net.SplitHostPort(name); err == nil {
		if n, err := strconv.Atoi(port); err == nil {
			name = host
			own.Set("ansible_ssh_port", n)
		}
	}
	list := value.NewList()
	for _, g := range groups {
		list.Append(g)
	}
	return Result{
		Host: &NewHost{Name: name, Groups: groups, Vars: own},
		Data: value.NewDict("changed", false, "add_host", value.NewDict("host_name", name, "groups", list, "host_vars", own)),
	}, nil
}

// names reads a list of names, or text with commas.
func names(v any) ([]string, error) {
	var out []string
	add := func(s string) {
		if s = strings.TrimSpace(s); s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	switch v := v.(type) {
	case nil:
	case string:
		for part := range strings.SplitSeq(v, ",") {
			add(part)
		}
	case *value.List:
		for _, item := range v.Items {
			add(fmt.Sprint(item))
		}
	default:
		return nil, fmt.Errorf("%v is no list of names", v)
	}
	return out, nil
}
