package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/sshkey"
	"github.com/hostlerhq/hostler/run"
	"github.com/hostlerhq/hostler/transport"
	"github.com/spf13/cobra"
)

// trustOptions are those of `hostler trust`.
type trustOptions struct {
	inventoryFlags
	connectFlags
	yes        bool
	installKey string
	verbose    int
}

func newTrust(s Streams, in *interrupts) *cobra.Command {
	o := &trustOptions{}
	c := &cobra.Command{
		Use:   "trust HOSTS",
		Short: "Show and record the keys of hosts; install your own key on fresh ones",
		Long: "Fetch the keys that hosts offer, show their fingerprints to be compared with the hosts' consoles,\n" +
			"and record them in known_hosts when you say yes. A key that differs from a recorded one is never\n" +
			"recorded. With --install-key your public key is then added to the login user's authorized_keys,\n" +
			"with a password login (-k) where no key works yet.\n\n" +
			"HOSTS is a pattern of the inventory, or host names when there is none.",
		Example: "  hostler trust hv1.example.org\n" +
			"  hostler trust -i hosts.ini fresh --install-key ~/.ssh/id_ed25519.pub --ask-pass",
		Args: wantArg("hosts"),
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), s, in, args) },
	}
	fs := c.Flags()
	o.inventoryFlags.add(fs)
	o.connectFlags.add(fs, s.conf)
	fs.BoolVarP(&o.yes, "yes", "y", false, "record new keys without asking: only where the network is trusted")
	fs.StringVar(&o.installKey, "install-key", "", "public key file to add to authorized_keys")
	fs.CountVarP(&o.verbose, "verbose", "v", "show more; -vvv also connections")
	return c
}

// candidate is one host to be trusted.
type candidate struct {
	name     string
	endpoint transport.Endpoint
	keys     []transport.HostKey
	err      error
}

func (o *trustOptions) run(ctx context.Context, s Streams, in *interrupts, args []string) error {
	key, err := o.publicKey()
	if err != nil {
		return err
	}
	if len(o.list(s)) == 0 { // no inventory: the arguments are the hosts
		o.sources = []string{strings.Join(args, ",") + ","}
	}
	r := runFlags{output: "text", verbose: o.verbose, forks: run.DefaultForks}
	ss, err := r.open(ctx, s, in, &o.inventoryFlags, &o.connectFlags, "")
	if err != nil {
		return err
	}
	defer ss.pool.Close()
	in.sharp()
	hosts, err := endpoints(ctx, ss, strings.Join(args, ","))
	if err != nil {
		return err
	}
	each(hosts, func(c *candidate) { c.keys, c.err = ss.pool.FetchHostKeys(ctx, c.endpoint) })
	fresh := show(s, hosts)
	if fresh > 0 {
		if err := o.agreed(s, fresh); err != nil {
			return err
		}
		record(s, ss.pool, hosts)
	}
	if key != "" {
		each(hosts, func(c *candidate) {
			if c.err == nil {
				c.err = install(ctx, s, ss.pool, c, key)
			}
		})
	}
	return verdict(s, hosts)
}

// publicKey reads the key to install, so that a wrong file is found before any host is contacted.
func (o *trustOptions) publicKey() (string, error) {
	if o.installKey == "" {
		return "", nil
	}
	text, err := os.ReadFile(expandHome(o.installKey))
	if err != nil {
		return "", fileError("the public key", o.installKey, err)
	}
	line := strings.TrimSpace(string(text))
	if _, err := sshkey.ParsePublic(line); err != nil {
		hint := "it takes the .pub file"
		if strings.Contains(line, "PRIVATE KEY") {
			hint = "this is the private key; " + hint + " beside it"
		}
		return "", hintError{fmt.Errorf("%s holds no public key", o.installKey), hint}
	}
	return line, nil
}

// collector is an Opener that notes where a run would connect, and connects to nothing.
type collector struct {
	mu   sync.Mutex
	seen map[string]transport.Endpoint
}

var errCollected = errors.New("only asked where it is")

func (c *collector) Open(_ context.Context, e transport.Endpoint, _ transport.Become) (transport.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[e.Name] = e
	return nil, &transport.UnreachableError{Host: e.Name, Op: "collect", Err: errCollected}
}

// failures is a Sink that keeps what went wrong on the way to an endpoint, such as a variable that does not render.
type failures map[string]string

func (f failures) Emit(_ context.Context, e run.Event) {
	if done, ok := e.(run.HostFinished); ok && done.Status == run.StatusFailed {
		f[done.Host] = done.Result.Str("msg")
	}
}

func (failures) Close() error { return nil }

// endpoints gives the hosts of a pattern and how the run would reach them, by the same variables and rules.
func endpoints(ctx context.Context, ss *session, pattern string) ([]*candidate, error) {
	matched, warnings, err := ss.opts.Inventory.Match(pattern, ss.opts.Limit)
	if err != nil {
		return nil, err
	}
	if len(matched) == 0 {
		return nil, noHosts(ss, warnings, pattern)
	}
	printMistakes(ss.s, warnings)
	task, err := adHocTask("ping", "")
	if err != nil {
		return nil, err
	}
	ways, failed := &collector{seen: map[string]transport.Endpoint{}}, failures{}
	opts := ss.opts
	opts.Pool, opts.Sink = ways, failed
	if _, err := run.AdHoc(ctx, pattern, task, opts); err != nil {
		return nil, err
	}
	var hosts []*candidate
	for _, h := range matched {
		c := &candidate{name: h.Name}
		e, ok := ways.seen[h.Name]
		switch {
		case !ok:
			c.err = errors.New(failed[h.Name])
		case e.Kind == "local":
			c.err = errors.New("this is the controller itself: nothing to trust")
		}
		c.endpoint = e
		hosts = append(hosts, c)
	}
	return hosts, nil
}

// each works on all hosts at once.
func each(hosts []*candidate, do func(*candidate)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, run.DefaultForks)
	for _, c := range hosts {
		if c.err != nil {
			continue
		}
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			do(c)
		})
	}
	wg.Wait()
}

// show prints the keys and gives how many hosts have new ones.
func show(s Streams, hosts []*candidate) (fresh int) {
	for _, c := range hosts {
		if c.err != nil {
			continue
		}
		isNew := false
		for _, k := range c.keys {
			state := "new"
			switch {
			case k.Changed != nil:
				state = "CHANGED"
				c.err = k.Changed
			case k.Known:
				state = "known"
			default:
				isNew = true
			}
			fmt.Fprintf(s.Out, "%-20s %-22s %s  %s\n", c.name, k.Type, k.Fingerprint, state)
		}
		if isNew && c.err == nil {
			fresh++
		}
	}
	return fresh
}

// agreed asks whether the new keys are right.
func (o *trustOptions) agreed(s Streams, fresh int) error {
	if o.yes {
		return nil
	}
	if !s.Ask {
		return hintError{errors.New("nothing was recorded: nobody can be asked here"), "compare the fingerprints, then run it again with --yes"}
	}
	fmt.Fprintf(s.Out, "Record the new keys of %d host(s)? Compare the fingerprints with the hosts' consoles first. [y/N] ", fresh)
	answer, err := readLine(s.In)
	if err != nil {
		return err
	}
	if !slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer))) {
		return errors.New("nothing was recorded")
	}
	return nil
}

// record writes the new keys, one host after the other.
func record(s Streams, pool *transport.Pool, hosts []*candidate) {
	for _, c := range hosts {
		if c.err != nil {
			continue
		}
		file, added, err := pool.RecordHostKeys(c.endpoint, c.keys)
		if c.err = err; err == nil && added > 0 {
			fmt.Fprintf(s.Out, "%s: recorded %d key(s) in %s\n", c.name, added, file)
		}
	}
}

// install adds the public key over a login.
func install(ctx context.Context, s Streams, pool *transport.Pool, c *candidate, key string) error {
	conn, err := pool.Open(ctx, c.endpoint, transport.Become{})
	if err != nil {
		return err
	}
	defer conn.Close()
	added, err := transport.InstallKey(ctx, conn, key)
	switch {
	case err != nil:
		return fmt.Errorf("install the key: %w", err)
	case added:
		fmt.Fprintf(s.Out, "%s: key installed\n", c.name)
	default:
		fmt.Fprintf(s.Out, "%s: key was there already\n", c.name)
	}
	return nil
}

// verdict tells of every host that did not come through.
func verdict(s Streams, hosts []*candidate) error {
	status := exitOK
	for _, c := range hosts {
		if c.err == nil {
			continue
		}
		fmt.Fprintf(s.Err, "%s: %v\n", c.name, c.err)
		if hint := hintOf(c.err); hint != "" {
			fmt.Fprintf(s.Err, "hint: %s\n", hint)
		}
		if _, ok := errors.AsType[*transport.UnreachableError](c.err); ok {
			status = exitUnreachable
		} else if status == exitOK {
			status = exitFailed
		}
	}
	if status != exitOK {
		return statusError(status)
	}
	return nil
}

// hintOf is what an error says to do.
func hintOf(err error) string {
	if u, ok := errors.AsType[*transport.UnreachableError](err); ok {
		return u.Hint
	}
	if d, ok := errors.AsType[*diag.Error](err); ok {
		return d.Hint
	}
	return ""
}
