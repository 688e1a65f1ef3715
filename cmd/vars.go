package cmd

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/inventory"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/run"
	"github.com/hostlerhq/hostler/vars"
	"github.com/spf13/cobra"
)

// masked stands for what came out of a vault.
const masked = "***"

// varsOptions are those of `hostler vars`.
type varsOptions struct {
	inventoryFlags
	json, secrets bool
	playbookDir   string
}

func newVars(s Streams) *cobra.Command {
	o := &varsOptions{}
	c := &cobra.Command{
		Use:   "vars HOST [NAME...]",
		Short: "Show a host's variables, where each comes from and what it hides",
		Long: "Show the variables that a host has before any play: each value, how it is written where that differs, the file that\n" +
			"it comes from, and the values of lower precedence that it hides. What comes out of a vault shows as ***, and what is\n" +
			"made from it is made from ***; --show-secrets shows all as it is.",
		Example: "  hostler vars -i hosts.ini hv1\n  hostler vars -i hosts.ini hv1 ntp_servers --json",
		Args:    wantArg("a host"),
		RunE:    func(c *cobra.Command, args []string) error { return o.run(c.Context(), s, args[0], args[1:]) },
	}
	fs := c.Flags()
	o.add(fs)
	_ = fs.MarkHidden("limit")
	fs.BoolVar(&o.json, "json", false, "print one JSON object")
	fs.BoolVar(&o.secrets, "show-secrets", false, "show what comes out of a vault")
	fs.StringVar(&o.playbookDir, "playbook-dir", "", "folder whose group_vars and host_vars count too")
	return c
}

// shownVar is one variable as it is shown.
type shownVar struct {
	name    string
	value   any
	failure string // why it does not render
	written any    // as in the file
	layers  []vars.Layer
	values  []any // of each layer, as written
}

func (o *varsOptions) run(ctx context.Context, s Streams, host string, names []string) error {
	scope, err := o.scope(ctx, s, host)
	if err != nil {
		return err
	}
	all := scope.Names()
	if len(names) == 0 {
		names = all
	}
	out := value.NewDict()
	for i, name := range names {
		v, err := o.look(ctx, scope, name)
		if err != nil {
			return err
		}
		if len(v.layers) == 0 {
			return undefinedVar(host, name, all)
		}
		if o.json {
			out.Set(name, v.json())
			continue
		}
		if i > 0 {
			fmt.Fprintln(s.Out)
		}
		v.print(s.Out)
	}
	if !o.json {
		return nil
	}
	text, err := value.EncodeJSON(out, value.JSONOptions{Multiline: true, Indent: "    ", KeepUTF8: true, Default: asRepr})
	if err == nil {
		fmt.Fprintln(s.Out, text)
	}
	return err
}

func undefinedVar(host, name string, all []string) error {
	err := fmt.Errorf("%s has no variable %s", host, name)
	if near := diag.Near(name, all); near != "" {
		return hintError{err, fmt.Sprintf("did you mean %q?", near)}
	}
	return hintError{err, "hostler vars " + host + " shows all of them; facts and what plays set are not known here"}
}

// scope is that of the host. Without --show-secrets a vaulted value opens as ***, also inside of what is made from it.
func (o *varsOptions) scope(ctx context.Context, s Streams, host string) (*vars.Scope, error) {
	o.masks = !o.secrets
	ring, extra, err := o.known(ctx, s)
	if err != nil {
		return nil, err
	}
	var inv *inventory.Inventory
	engine, _ := newEngine(s, ring, hostNames(&inv))
	if !o.secrets {
		engine.Unseal = func(*value.Sealed) (string, error) { return masked, nil }
	}
	if inv, err = o.load(ctx, s, ring, engine, extra, o.playbookDir); err != nil {
		return nil, err
	}
	return run.HostScope(run.Options{Inventory: inv, Engine: engine, ExtraVars: extra, InventorySources: o.list(s)}, host)
}

func (o *varsOptions) look(ctx context.Context, scope *vars.Scope, name string) (*shownVar, error) {
	v := &shownVar{name: name}
	var err error
	if v.layers, v.values, err = scope.Layers(ctx, name); err != nil || len(v.layers) == 0 {
		return v, err
	}
	for i := range v.values {
		v.values[i] = o.asWritten(v.values[i])
	}
	v.written = v.values[0]
	got, _, err := scope.Lookup(ctx, name)
	if err == nil {
		got, err = scope.Render(ctx, got)
	}
	if err == nil {
		_, err = value.Str(got) // an undefined value says why only when it is used
	}
	if err != nil {
		v.failure = err.Error()
		return v, nil
	}
	v.value = got
	return v, nil
}

// asWritten replaces templates by their text and vaulted values by a mask.
func (o *varsOptions) asWritten(v any) any {
	switch v := v.(type) {
	case *value.Template:
		return v.Text
	case *value.Sealed:
		return masked
	case *value.List:
		out := &value.List{Items: make([]any, len(v.Items))}
		for i, item := range v.Items {
			out.Items[i] = o.asWritten(item)
		}
		return out
	case *value.Dict:
		out := value.NewDict()
		for k, item := range v.All() {
			out.Set(k, o.asWritten(item))
		}
		return out
	}
	return v
}

func asRepr(v any) (any, error) { return value.Str(v) }

// inline gives a value as one line of JSON.
func inline(v any) string {
	text, err := value.EncodeJSON(v, value.JSONOptions{KeepUTF8: true, Default: asRepr})
	if err != nil {
		return "(" + err.Error() + ")"
	}
	return text
}

// origin says which layer a value comes from.
func origin(l vars.Layer) string {
	if l.Source == "" || l.Source == l.Level.String() {
		return l.Level.String()
	}
	return l.Source + " (" + l.Level.String() + ")"
}

func (v *shownVar) print(w io.Writer) {
	var b strings.Builder
	shown := inline(v.value)
	if v.failure != "" {
		fmt.Fprintf(&b, "%s does not render: %s\n", v.name, v.failure)
	} else {
		fmt.Fprintf(&b, "%s = %s\n", v.name, shown)
	}
	if written := inline(v.written); written != shown && written != inline(masked) {
		fmt.Fprintf(&b, "    written %s\n", written)
	}
	fmt.Fprintf(&b, "    from    %s\n", origin(v.layers[0]))
	for i := 1; i < len(v.layers); i++ {
		fmt.Fprintf(&b, "    hides   %s from %s\n", inline(v.values[i]), origin(v.layers[i]))
	}
	fmt.Fprint(w, b.String())
}

func (v *shownVar) json() *value.Dict {
	d := value.NewDict()
	if v.failure != "" {
		d.Set("error", v.failure)
	} else {
		d.Set("value", v.value)
	}
	d.Set("written", v.written)
	d.Set("source", v.layers[0].Source)
	d.Set("level", v.layers[0].Level.String())
	hides := value.NewList()
	for i := 1; i < len(v.layers); i++ {
		hides.Append(value.NewDict("written", v.values[i], "source", v.layers[i].Source, "level", v.layers[i].Level.String()))
	}
	d.Set("hides", hides)
	return d
}
