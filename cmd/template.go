package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hostlerhq/hostler/config"
	"github.com/hostlerhq/hostler/filters"
	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/inventory"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/run"
	"github.com/hostlerhq/hostler/vars"
	"github.com/hostlerhq/hostler/vault"
	"github.com/spf13/cobra"
)

// expressionName stands for the file of errors in -E.
const expressionName = "--expression"

// templateOptions are those of `hostler template`.
type templateOptions struct {
	inventoryFlags
	host, playbookDir    string
	expression           string
	json                 bool
	search               []string
	lstrip, keepNewlines bool
}

func newTemplate(s Streams) *cobra.Command {
	o := &templateOptions{}
	c := &cobra.Command{
		Use:   "template FILE | template -E EXPRESSION",
		Short: "Render a template or an expression with a host's variables",
		Long: "Render a template file, or standard input where FILE is -, as the template module does, or one\n" +
			"expression, with the variables that a host has before any play. Nothing is contacted, and no inventory is needed.",
		Example: "  hostler template -i hosts.ini --host hv1 templates/motd.j2\n" +
			"  hostler template -E \"['a', 'b'] | join('-')\"\n" +
			"  hostler template -i hosts.ini --host hv1 -E 'groups' --json",
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), s, args) },
	}
	fs := c.Flags()
	o.add(fs)
	_ = fs.MarkHidden("limit")
	fs.StringVar(&o.host, "host", "", "the host whose variables there are (default localhost)")
	fs.StringVarP(&o.expression, "expression", "E", "", "evaluate this, written without braces or with them")
	fs.BoolVar(&o.json, "json", false, "print the native value as JSON")
	fs.StringArrayVar(&o.search, "search", nil, "folder where included templates are looked for too; may be repeated")
	fs.StringVar(&o.playbookDir, "playbook-dir", "", "folder whose group_vars and host_vars count too")
	fs.BoolVar(&o.lstrip, "lstrip-blocks", false, "leave out the white space before a block tag")
	fs.BoolVar(&o.keepNewlines, "no-trim-blocks", false, "keep the newline after a block tag")
	return c
}

func (o *templateOptions) run(ctx context.Context, s Streams, args []string) error {
	if (o.expression == "") == (len(args) == 0) || len(args) > 1 {
		return hintError{usageError{errors.New("either one template file or -E is needed")}, "hostler template --help shows examples"}
	}
	scope, env, ring, err := o.hostScope(ctx, s, o.host, o.playbookDir)
	if err != nil {
		return err
	}
	name, text := expressionName, o.expression
	if len(args) > 0 {
		name = args[0]
		if text, err = templateText(s, ring, name); err != nil {
			return err
		}
	}
	v, err := o.render(ctx, env, ring, scope, name, text)
	if err == nil {
		err = o.print(s, v)
	}
	if err != nil {
		return templateFailed(s, err, name, text)
	}
	return nil
}

// hostScope loads what the options name and gives a host's variables.
func (f *inventoryFlags) hostScope(ctx context.Context, s Streams, host, playbookDir string) (*vars.Scope, *jinja.Env, *vault.Keyring, error) {
	ring, extra, err := f.known(ctx, s)
	if err != nil {
		return nil, nil, nil, err
	}
	var inv *inventory.Inventory
	engine, _ := newEngine(s, ring, hostNames(&inv))
	inv, err = f.load(ctx, s, ring, engine, extra, playbookDir)
	if err != nil {
		return nil, nil, nil, err
	}
	scope, err := run.HostScope(run.Options{
		Inventory: inv, Engine: engine, ExtraVars: extra, Managed: s.conf.Text(config.AnsibleManaged), InventorySources: f.list(s),
	}, orDefault(host, "localhost"))
	return scope, engine.Env, ring, err
}

func templateText(s Streams, ring *vault.Keyring, name string) (string, error) {
	if name == "-" {
		text, err := io.ReadAll(s.In)
		return string(text), err
	}
	text, err := ring.ReadFile(name)
	if _, known := errors.AsType[*diag.Error](err); err != nil && !known {
		return "", fileError("the template", name, err)
	}
	return string(text), err
}

func (o *templateOptions) render(ctx context.Context, env *jinja.Env, ring *vault.Keyring, scope *vars.Scope, name, text string) (any, error) {
	pos := diag.Pos{File: name, Line: 1, Col: 1}
	if name == expressionName {
		if strings.Contains(text, "{{") || strings.Contains(text, "{%") {
			return scope.Render(ctx, &value.Template{Text: text, Pos: pos})
		}
		return scope.Expression(ctx, text, pos)
	}
	opts := env.Options()
	opts.TrimBlocks, opts.LstripBlocks = !o.keepNewlines, o.lstrip
	opts.Loader = &searchLoader{dirs: o.search, ring: ring}
	if name != "-" {
		extra, err := run.TemplateVars(name, "")
		if err != nil {
			return nil, err
		}
		scope = scope.With(vars.Layer{Level: vars.Magic, Source: "template", Vars: extra})
	}
	return filters.RenderFile(ctx, env, name, text, opts, scope)
}

func (o *templateOptions) print(s Streams, v any) error {
	if o.json {
		text, err := value.EncodeJSON(v, value.JSONOptions{Multiline: true, Indent: "    ", KeepUTF8: true})
		if err == nil {
			fmt.Fprintln(s.Out, text)
		}
		return err
	}
	if v == nil {
		v = ""
	}
	text, err := value.Str(v)
	if err != nil {
		return err
	}
	if o.expression != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	_, err = fmt.Fprint(s.Out, text)
	return err
}

// templateFailed prints what is wrong in a template, with its line, and ends with status 2. Vaulted files are not shown.
func templateFailed(s Streams, err error, name, text string) error {
	e, ok := errors.AsType[*jinja.Error](err)
	if !ok {
		return err
	}
	what := strings.Replace(err.Error(), e.Pos.String()+": ", "", 1)
	list := diag.List{{Pos: e.Pos, Err: errors.New(what), Hint: e.Hint}}
	fmt.Fprint(s.Err, diag.Render(list, func(path string) ([]byte, error) {
		if path == name && (name == "-" || name == expressionName) {
			return []byte(text), nil
		}
		return os.ReadFile(path)
	}))
	return statusError(exitFailed)
}

// searchLoader finds what templates include: beside the one that asks, in its folder's templates, where --search says.
type searchLoader struct {
	dirs []string
	ring *vault.Keyring
}

// Load implements jinja.Loader.
func (l *searchLoader) Load(_ context.Context, name, from string) (path, text string, err error) {
	dir := filepath.Dir(from)
	for _, d := range append([]string{dir, filepath.Join(dir, "templates")}, l.dirs...) {
		path := filepath.Join(d, name)
		if filepath.IsAbs(name) {
			path = name
		}
		data, err := l.ring.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return path, string(data), err
	}
	return "", "", fmt.Errorf("no template %s beside %s or in --search: %w", name, from, fs.ErrNotExist)
}
