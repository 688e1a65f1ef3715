package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hostlerhq/hostler/config"
	"github.com/hostlerhq/hostler/filters"
	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/internal/localexec"
	"github.com/hostlerhq/hostler/inventory"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/run"
	"github.com/hostlerhq/hostler/vars"
	"github.com/hostlerhq/hostler/vault"
)

// newEngine makes the template engine with Ansible's settings, and the lookups for with_X.
func newEngine(s Streams, ring *vault.Keyring, hosts func(patterns []string) ([]string, error)) (*vars.Engine, *filters.Lookups) {
	env := jinja.New(jinja.Options{TrimBlocks: true, KeepTrailingNewline: true, NoneEmpty: true, RawStrings: true, AllowUndefined: !s.conf.Bool(config.UndefinedErrors)})
	lookups := filters.Register(env, filters.Options{
		ReadFile: ring.ReadFile,
		Hosts:    hosts,
		Warn:     func(text string) { fmt.Fprintf(s.Err, "[WARNING]: %s\n", text) },
		Setting: func(name string) (any, bool) {
			v, ok := s.conf.Constant(name)
			return v, ok
		},
	})
	return &vars.Engine{Env: env, Unseal: unseal(ring), MergeHashes: mergeHashes(s), Legacy: textOnly(s)}, lookups
}

// mergeHashes reports hash_behaviour=merge.
func mergeHashes(s Streams) bool { return s.conf.Text(config.HashBehaviour) == "merge" }

// textOnly reports jinja2_native=false: expressions give text, as they did before ansible-core 2.19.
func textOnly(s Streams) bool { return !s.conf.Bool(config.Jinja2Native) }

// hostNames gives the lookup inventory_hostnames its hosts; inv is the inventory once it is loaded. As in Ansible
// a pattern that cannot be read stands for no host.
func hostNames(inv **inventory.Inventory) func(patterns []string) ([]string, error) {
	return func(patterns []string) ([]string, error) {
		if *inv == nil {
			return nil, errors.New("the inventory is not loaded yet")
		}
		hosts, _, err := (*inv).MatchList(patterns, "")
		if err != nil {
			return nil, nil //nolint:nilerr // see above
		}
		names := make([]string, len(hosts))
		for i, h := range hosts {
			names[i] = h.Name
		}
		return names, nil
	}
}

// withLookup runs a lookup for with_X.
func withLookup(lookups *filters.Lookups) run.Lookup {
	return func(ctx context.Context, s *vars.Scope, name string, terms *value.List, subdir string) (*value.List, error) {
		return lookups.Run(ctx, s, filters.Query{Name: name, Terms: terms.Items, Subdir: subdir})
	}
}

// defaultInventories are tried in order when neither option nor environment names one.
func defaultInventories() []string { return []string{"/etc/hostler/hosts", "/etc/ansible/hosts"} }

// sources gives the inventory sources: of the command line, else of the environment, else the system's.
func (f *inventoryFlags) list(s Streams) []string {
	if len(f.sources) > 0 {
		return f.sources
	}
	if set := s.conf.Sources(config.Inventory); len(set) > 0 {
		return set
	}
	for _, path := range defaultInventories() {
		if _, err := os.Stat(path); err == nil {
			return []string{path}
		}
	}
	return nil
}

// load reads the inventory; warnings are printed, a source that cannot be read is an error.
func (f *inventoryFlags) load(ctx context.Context, s Streams, ring *vault.Keyring, engine *vars.Engine, extra *value.Dict, playbookDir string) (*inventory.Inventory, error) {
	inv, warnings, err := inventory.Load(ctx, f.list(s), inventory.Options{
		Open:   ring.ReadFile,
		Loaded: f.loaded,
		Evaluate: func(ctx context.Context, text string, expr bool, layer *value.Dict) (any, error) {
			scope := engine.Scope(vars.Layer{Level: vars.InventorySourceHost, Vars: layer})
			if expr {
				return scope.Expression(ctx, text, diag.Pos{})
			}
			return scope.Render(ctx, &value.Template{Text: text})
		},
		RunScript: func(ctx context.Context, path string, args ...string) ([]byte, error) {
			abs, err := filepath.Abs(path) // not a program of PATH
			if err != nil {
				return nil, err
			}
			return localexec.Output(ctx, localexec.Program{Path: abs, Args: args})
		},
		Guests: func(ctx context.Context, q inventory.GuestQuery) (inventory.Guests, error) {
			return f.guests(ctx, s, ring, extra, q)
		},
		AnyUnparsedFatal: s.conf.Bool(config.AnyUnparsedFailed),
		UnparsedFatal:    s.conf.Bool(config.UnparsedFailed),
		Enabled:          s.conf.List(config.InventoryEnabled),
		IgnoreExtensions: s.conf.List(config.InventoryExts),
		IgnorePatterns:   s.conf.List(config.InventoryPatterns),
		GroupNames:       s.conf.Text(config.GroupNames),
		MergeHashes:      mergeHashes(s),
		PlaybookDir:      playbookDir,
		ExtraVars:        extra,
	})
	if err != nil {
		var mistakes diag.List
		mistakes.Add(err)
		return nil, append(mistakes, warnings...)
	}
	if f.warned != nil {
		f.warned(warnings)
	} else {
		printMistakes(s, warnings)
	}
	return inv, nil
}

// known reads what every command with variables begins with: vault passwords, then extra variables.
func (f *inventoryFlags) known(ctx context.Context, s Streams) (*vault.Keyring, *value.Dict, error) {
	ring, err := f.vault.keyring(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	extra, err := f.extraVars(ring)
	return ring, extra, err
}

// loaded gives the variables of a file as the command takes them.
func (f *inventoryFlags) loaded(path string, d *value.Dict) *value.Dict {
	if text, err := os.ReadFile(path); !f.masks || err != nil || !vault.IsSealed(text) {
		return d
	}
	out := value.NewDictSize(d.Len())
	for k, v := range d.All() {
		out.Set(k, sealed(v, path))
	}
	return out
}

// sealed makes the texts and numbers of a value vaulted ones. Truth values stay: conditions need them, and they tell nothing.
func sealed(v any, path string) any {
	switch v := v.(type) {
	case nil, bool:
		return v
	case *value.List:
		out := &value.List{Items: make([]any, len(v.Items))}
		for i, item := range v.Items {
			out.Items[i] = sealed(item, path)
		}
		return out
	case *value.Dict:
		out := value.NewDictSize(v.Len())
		for k, item := range v.All() {
			out.Set(k, sealed(item, path))
		}
		return out
	}
	return &value.Sealed{Pos: diag.Pos{File: path}}
}

// extraVars reads -e: k=v pairs, YAML or JSON text, or @file; later ones win.
func (f *inventoryFlags) extraVars(ring *vault.Keyring) (*value.Dict, error) {
	out := value.NewDict()
	for _, text := range f.extra {
		d, err := extraVar(ring, text)
		if err != nil {
			return nil, err
		}
		if path, ok := strings.CutPrefix(strings.TrimSpace(text), "@"); ok {
			d = f.loaded(expandHome(path), d)
		}
		for k, v := range d.All() {
			out.Set(k, v)
		}
	}
	return out, nil
}

func extraVar(ring *vault.Keyring, text string) (*value.Dict, error) {
	trimmed := strings.TrimSpace(text)
	if path, ok := strings.CutPrefix(trimmed, "@"); ok {
		return varsFile(ring, path)
	}
	if strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[") || strings.HasPrefix(trimmed, "---") {
		d, _, err := document.Variables("--extra-vars", []byte(text))
		return d, err
	}
	pairs, rest, err := modules.SplitKV(text, false)
	if err != nil {
		return nil, usageError{fmt.Errorf("--extra-vars %q: %w", text, err)}
	}
	if rest != "" {
		return nil, hintError{usageError{fmt.Errorf("--extra-vars %q: %q gives no variable a value", text, rest)}, "write name=value (name='two words' with its quotes), YAML or JSON text, or @file"}
	}
	out := value.NewDict()
	for k, v := range pairs.All() {
		out.Set(k, templated(v))
	}
	return out, nil
}

// varsFile reads a YAML or JSON file of variables.
func varsFile(ring *vault.Keyring, path string) (*value.Dict, error) {
	path = expandHome(path)
	text, err := ring.ReadFile(path)
	if _, known := errors.AsType[*diag.Error](err); known {
		return nil, err
	}
	if err != nil {
		return nil, fileError("the file of variables", path, err)
	}
	d, _, err := document.Variables(path, text)
	return d, err
}
