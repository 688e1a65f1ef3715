package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/check"
	"github.com/hostlerhq/hostler/config"
	"github.com/hostlerhq/hostler/filters"
	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/inventory"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules/catalog"
	"github.com/hostlerhq/hostler/playbook"
	"github.com/hostlerhq/hostler/report"
	"github.com/hostlerhq/hostler/run"
	"github.com/hostlerhq/hostler/run/actions"
	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/vars"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// session is what play and run share: the options of a run, filled from the command line.
type session struct {
	s      Streams
	engine *vars.Engine
	// lookups are those of the engine's templates.
	lookups *filters.Lookups
	extra   *value.Dict
	pool    *transport.Pool
	loader  *playbook.Loader
	opts    run.Options
}

// open reads variables, passwords and the inventory. It contacts nothing. Close the session's pool at the end.
func (r *runFlags) open(ctx context.Context, s Streams, in *interrupts, inv *inventoryFlags, con *connectFlags, playbookDir string) (*session, error) {
	if err := r.verify(); err != nil {
		return nil, err
	}
	ring, extra, err := inv.known(ctx, s)
	if err != nil {
		return nil, err
	}
	connect, err := con.defaults(s)
	if err != nil {
		return nil, err
	}
	var loaded *inventory.Inventory
	engine, lookups := newEngine(s, ring, hostNames(&loaded))
	ss := &session{s: s, engine: engine, extra: extra, lookups: lookups}
	inv.connect = con
	loaded, err = inv.load(ctx, s, ring, ss.engine, extra, playbookDir)
	if err != nil {
		return nil, err
	}
	ss.pool = transport.NewPool(transport.PoolOptions{
		MaxOpen: max(2*r.forks, 256),
		Prompt:  prompter(s),
		Log:     connectionLog(s, r.verbose),
	})
	ss.loader = &playbook.Loader{
		Open:    ring.ReadFile,
		Modules: catalog.Lookup(), Actions: actions.Specs, Names: moduleNames(),
		RolesPath: s.conf.Paths(config.RolesPath), CollectionsPath: s.conf.Paths(config.CollectionsPath),
		CheckTemplate: ss.checkTemplate, Early: earlyNames(ctx, ss.engine, extra),
	}
	ss.opts = run.Options{
		Inventory: loaded, Engine: ss.engine, Pool: ss.pool, Modules: catalog.Lookup(), Loader: ss.loader,
		RefreshInventory: func(ctx context.Context) (*inventory.Inventory, error) {
			again, err := inv.load(ctx, s, ring, ss.engine, extra, playbookDir)
			if err == nil {
				loaded = again // for the lookup inventory_hostnames
			}
			return again, err
		},
		ReadFile: ring.ReadFile, Prompt: prompter(s), Forks: r.forks, Check: r.check, Diff: r.diff,
		Limit: inv.limit, ExtraVars: extra, Verbosity: r.verbose, Connect: connect,
		InventorySources: inv.list(s), Lookup: withLookup(lookups), Stop: in.grace(func() { tellInterrupted(s) }),
		Facts:       factCache(s),
		TellWaiting: time.Duration(r.waiting) * time.Second,
	}
	apply(&ss.opts, s.conf)
	return ss, nil
}

// tellInterrupted answers the first Ctrl-C.
func tellInterrupted(s Streams) {
	fmt.Fprintln(s.Err, "Interrupted: no further task starts, the running ones end. Ctrl-C again cuts them off.")
}

// checkTemplate finds mistakes of syntax in templates and expressions when a playbook is loaded.
func (ss *session) checkTemplate(text string, pos diag.Pos, expr bool) *diag.Error {
	var err error
	if expr {
		_, err = ss.engine.Env.ConditionAt(pos, text)
	} else {
		_, err = ss.engine.Env.TemplateAt(pos, text)
	}
	if err == nil {
		return nil
	}
	if d, ok := errors.AsType[*diag.Error](err); ok {
		return d
	}
	if j, ok := errors.AsType[*jinja.Error](err); ok {
		what := "template"
		if expr {
			what = "expression"
		}
		d := diag.Errorf(j.Pos, "%s: %w", what, j.Err)
		d.Hint = j.Hint
		return d
	}
	return diag.Errorf(pos, "%w", err)
}

func expandHome(path string) string {
	rest, ok := strings.CutPrefix(path, "~/")
	home, err := os.UserHomeDir()
	if !ok || err != nil {
		return path
	}
	return home + "/" + rest
}

// defaults turns the options into how hosts are reached, and asks for passwords.
func (f *connectFlags) defaults(s Streams) (run.ConnectDefaults, error) {
	switch f.hostKeys {
	case "", "strict", "accept-new", "off":
	default:
		return run.ConnectDefaults{}, hintError{usageError{fmt.Errorf("--host-keys cannot be %q", f.hostKeys)}, "it is strict, accept-new or off"}
	}
	for _, option := range []struct {
		name, value string
		choices     []string
	}{{"connection", f.connection, check.Connections()}, {"become-method", f.becomeMethod, check.BecomeMethods()}} {
		if err := oneOf(option.name, option.value, option.choices); err != nil {
			return run.ConnectDefaults{}, err
		}
	}
	d := run.ConnectDefaults{
		Connection: f.connection, User: f.user, PrivateKey: f.privateKey, Timeout: f.connectTimeout(),
		Args: f.args(), HostKeys: f.hostKeys, Become: f.become, BecomeMethod: f.becomeMethod, BecomeUser: f.becomeUser,
	}
	err := applyConnect(&d, s.conf)
	if err != nil {
		return d, err
	}
	if d.Password, err = password(s, f.askPass, f.passFile, "SSH password: "); err != nil {
		return d, err
	}
	question := strings.ToUpper(orDefault(f.becomeMethod, "become")) + " password"
	if !d.Password.IsZero() {
		question += "[defaults to SSH password]"
	}
	if d.BecomePassword, err = password(s, f.askBecome, f.becomeFile, question+": "); err != nil {
		return d, err
	}
	if f.askBecome && d.BecomePassword.IsZero() {
		d.BecomePassword = d.Password
	}
	return d, nil
}

// oneOf refuses an option's value that is none of its few; "" is unset.
func oneOf(name, v string, choices []string) error {
	bare := strings.TrimPrefix(strings.TrimPrefix(v, "ansible.builtin."), "ansible.legacy.")
	if v == "" || slices.Contains(choices, bare) {
		return nil
	}
	err := usageError{fmt.Errorf("--%s cannot be %q", name, v)}
	if near := diag.Near(v, choices); near != "" {
		return hintError{err, fmt.Sprintf("did you mean %q?", near)}
	}
	return hintError{err, "it is one of " + strings.Join(choices, ", ")}
}

func orDefault(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// password reads one from a file, or asks for it.
func password(s Streams, ask bool, file, question string) (secret.Text, error) {
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return secret.Text{}, fileError("the password file", file, err)
		}
		first, _, _ := strings.Cut(string(text), "\n")
		return secret.New(strings.TrimRight(first, "\r")), nil
	}
	if !ask {
		return secret.Text{}, nil
	}
	return prompter(s)(context.Background(), question, false)
}

// prompter asks the user on the terminal, even when standard input is something else; without a
// terminal it reads a line of standard input, as `ssh` under sshpass and expect would.
func prompter(s Streams) func(ctx context.Context, question string, echo bool) (secret.Text, error) {
	return func(_ context.Context, question string, echo bool) (secret.Text, error) {
		tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
		if err != nil {
			fmt.Fprint(s.Err, question)
			line, err := readLine(s.In)
			fmt.Fprintln(s.Err)
			return secret.New(line), err
		}
		defer tty.Close()
		if echo {
			fmt.Fprint(tty, question)
			line, err := readLine(tty)
			return secret.New(line), err
		}
		return askHidden(tty, question)
	}
}

// askHidden reads an answer without echo. The echo is off before the question is there, for answers that a program types.
func askHidden(tty *os.File, question string) (secret.Text, error) {
	fd := int(tty.Fd())
	if before, err := unix.IoctlGetTermios(fd, unix.TCGETS); err == nil {
		quiet := *before
		quiet.Lflag &^= unix.ECHO
		if unix.IoctlSetTermios(fd, unix.TCSETS, &quiet) == nil {
			defer func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, before) }()
		}
	}
	fmt.Fprint(tty, question)
	text, err := term.ReadPassword(fd)
	fmt.Fprintln(tty)
	return secret.New(string(text)), err
}

// readLine reads up to the line end and not a byte more.
func readLine(in io.Reader) (string, error) {
	var line strings.Builder
	b := make([]byte, 1)
	for {
		n, err := in.Read(b)
		if n == 1 && b[0] == '\n' {
			return strings.TrimSuffix(line.String(), "\r"), nil
		}
		line.Write(b[:n])
		if errors.Is(err, io.EOF) && line.Len() > 0 {
			return line.String(), nil
		}
		if err != nil {
			return "", fmt.Errorf("nobody answered: %w", err)
		}
	}
}

// connectionLog tells what happens on connections, with -vvv.
func connectionLog(s Streams, verbose int) func(host, event string) {
	if verbose < 3 {
		return nil
	}
	return func(host, event string) { fmt.Fprintf(s.Err, "<%s> %s\n", host, event) }
}

// maxSkipped is how many lines of one task may tell of skipping; -v shows all.
const maxSkipped = 20

// reportOptions are what text is printed with.
func (r *runFlags) reportOptions(s Streams) report.Options {
	c := s.conf
	o := report.Options{
		Out: s.Out, Err: s.Err, Width: s.Width, Color: wantColor(s), Verbosity: r.verbose,
		HideSkipped: !c.Bool(config.DisplaySkipped), HideOK: !c.Bool(config.DisplayOK), FailedToErr: c.Bool(config.DisplayFailedStderr),
		CheckMarkers: c.Bool(config.CheckModeMarkers), ShowCustomStats: c.Bool(config.ShowCustomStats), PathOnFailure: c.Bool(config.PathOnFailure),
		NoWarnings: !c.Bool(config.ActionWarnings), NoDeprecations: !c.Bool(config.DeprecationWarnings), DiffContext: c.Int(config.DiffContext),
	}
	if r.verbose == 0 && !s.compat { // whoever uses Ansible's names compares what is printed
		o.FoldSkipped = maxSkipped
	}
	return o
}

// wantColor follows the terminal, NO_COLOR (https://no-color.org) and the settings.
func wantColor(s Streams) bool {
	switch {
	case s.conf.Bool(config.ForceColor):
		return true
	case s.Env("NO_COLOR") != "", s.conf.Bool(config.NoColor), s.Env("TERM") == "dumb":
		return false
	}
	return s.Terminal
}

// live puts the last line below a sink where somebody watches a terminal.
func live(s Streams, o report.Options, form func(report.Options) run.Sink) run.Sink {
	if !s.Terminal {
		return form(o)
	}
	return report.NewLive(o, true, form)
}

// ended turns a run's result into the command's: what went wrong is told already.
func ended(result run.Result, err error) error {
	switch {
	case result.Interrupted:
		return statusError(exitInterrupted)
	case err != nil:
		return statusError(exitError)
	case result.BrokenOff: // any_errors_fatal and max_fail_percentage count as failed, whatever came before
		return statusError(exitFailed)
	case len(result.Unreachable) > 0:
		return statusError(exitUnreachable)
	case len(result.Failed) > 0:
		return statusError(exitFailed)
	}
	return nil
}
