package modules_test

import (
	"context"
	"fmt"

	"github.com/hostlerhq/hostler/modules"
)

// SysctlArgs sets a kernel parameter until the next boot.
type SysctlArgs struct {
	// Name of the parameter, with dots.
	Name string `arg:"name" required:"true"`
	// The value it shall have.
	Value string `arg:"value" required:"true"`
}

// SysctlResult is what the example returns.
type SysctlResult struct {
	// The parameter's value now.
	Value string `json:"value"`
}

// A module looks at everything in one round trip, decides, changes what is to be changed, and looks again in the
// same round trip as the change. Check mode, changed, the list of actions and the failure of a change without effect
// follow from that; nothing here asks about them. In a family, source is the file itself, embedded.
func ExampleReconcile() {
	run := func(ctx context.Context, h *modules.Host, args SysctlArgs) (SysctlResult, error) {
		_, now, err := modules.Reconcile(ctx, h, modules.Reconciler[string]{
			Probe: `tell value sysctl -n -- "$1"`,
			Args:  []string{args.Name},
			Parse: func(r *modules.Report) (string, error) {
				if r.Status("value") != 0 {
					return "", fmt.Errorf("look at %s: %s", args.Name, r.Text("value.err"))
				}
				return r.Text("value"), nil
			},
			Plan: func(now string) ([]modules.Action, error) {
				if now == args.Value {
					return nil, nil
				}
				return []modules.Action{{
					Why:  fmt.Sprintf("set %s to %s", args.Name, args.Value),
					Argv: []string{"sysctl", "-w", "--", args.Name + "=" + args.Value},
				}}, nil
			},
			Want: func(string) string { return args.Value },
			Diff: func(before, after string) []modules.Diff {
				return []modules.Diff{{Before: before + "\n", After: after + "\n", BeforeHeader: args.Name, AfterHeader: args.Name}}
			},
			Lock: "sysctl",
		})
		return SysctlResult{now}, err
	}
	sysctl := modules.Define("sysctl_example", "", run, modules.Converges())
	fmt.Println(sysctl.Name)
	// Output: sysctl_example
}
