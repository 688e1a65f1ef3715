package run

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/inventory"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/playbook"
	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/vars"
)

// connect opens the connection that a task works over, and gives the address where the work is delegated.
func (j *job) connect(ctx context.Context, s *vars.Scope, k *settings) (transport.Conn, string, error) {
	h, cs := j.h.hostVars, s
	if k.delegate != nil && k.delegate.name != h.name {
		h = k.delegate
		cs = j.b.scope(ctx, j.w, h)
	}
	c := connector{j: j, h: h, s: cs, keys: s}
	e, err := c.endpoint(ctx)
	if err != nil {
		return nil, "", err
	}
	b, err := c.become(ctx)
	if err != nil {
		return nil, "", err
	}
	address := ""
	if h != j.h.hostVars && !h.host.Implicit {
		address = c.text(ctx, "ansible_host")
	}
	conn, err := j.b.r.o.Pool.Open(ctx, e, b)
	return conn, address, err
}

// connector renders how a host is reached: variables before keywords before the run's defaults, as Ansible has it.
type connector struct {
	j    *job
	h    *hostVars
	s    *vars.Scope // the variables of the host that is connected to
	keys *vars.Scope // the variables that the task's keywords see
	err  error
}

// variable gives the first of some variables that is set.
func (c *connector) variable(ctx context.Context, names ...string) any {
	for _, name := range names {
		if c.err != nil {
			return nil
		}
		v, ok, err := c.s.Lookup(ctx, name)
		if err != nil {
			c.err = fmt.Errorf("variable %s: %w", name, err)
			return nil
		}
		if ok && v != nil && v != vars.Omit && v != "" {
			return v
		}
	}
	return nil
}

func (c *connector) text(ctx context.Context, names ...string) string {
	v := c.variable(ctx, names...)
	if v == nil {
		return ""
	}
	s, err := value.Str(v)
	if err != nil && c.err == nil {
		c.err = err
	}
	return s
}

func (c *connector) number(ctx context.Context, unset int, names ...string) int {
	v := c.variable(ctx, names...)
	if v == nil {
		return unset
	}
	n, err := modules.Int(v)
	if err != nil && c.err == nil {
		c.err = fmt.Errorf("variable %s: %w", names[0], err)
	}
	return int(n)
}

func (c *connector) keyword(ctx context.Context, pick func(*playbook.Keywords) playbook.Field) string {
	e := evaluator{s: c.keys}
	s := e.text(ctx, c.j.w.inherited(pick))
	if e.err != nil && c.err == nil {
		c.err = e.err
	}
	return s
}

func (c *connector) words(ctx context.Context, names ...string) []string {
	text := c.text(ctx, names...)
	if text == "" {
		return nil
	}
	words, err := modules.SplitWords(text)
	if err != nil && c.err == nil {
		c.err = fmt.Errorf("variable %s: %w", names[0], err)
	}
	return words
}

// endpoint says where and as whom to log in.
func (c *connector) endpoint(ctx context.Context) (transport.Endpoint, error) {
	d := &c.j.b.r.o.Connect
	kind, err := c.kind(ctx)
	if err != nil {
		return transport.Endpoint{}, err
	}
	e := transport.Endpoint{Name: c.h.name, Kind: kind}
	if kind == "local" {
		e.Dir = c.j.b.play.dir // as in Ansible, relative paths lie beside the playbook
		return e, c.err
	}
	e.Host = cmpOr(c.text(ctx, "ansible_host", "ansible_ssh_host"), c.h.name)
	e.Port = c.number(ctx, 0, "ansible_port", "ansible_ssh_port")
	if e.Port == 0 {
		ev := evaluator{s: c.keys}
		e.Port = int(ev.number(ctx, c.j.w.inherited(func(k *playbook.Keywords) playbook.Field { return k.Port }), float64(d.Port)))
	}
	e.User = cmpOr(c.text(ctx, "ansible_user", "ansible_ssh_user"),
		c.keyword(ctx, func(k *playbook.Keywords) playbook.Field { return k.RemoteUser }), d.User)
	e.Password = d.Password
	if p := c.text(ctx, "ansible_password", "ansible_ssh_pass", "ansible_ssh_password"); p != "" {
		e.Password = secret.New(p)
	}
	if f := cmpOr(c.text(ctx, "ansible_ssh_private_key_file", "ansible_private_key_file"), d.PrivateKey); f != "" {
		e.KeyFiles = []string{f}
	}
	e.Args = c.arguments(ctx, d.Args)
	e.HostKeys, e.KnownHosts = d.HostKeys, d.KnownHosts
	if v := c.variable(ctx, "ansible_ssh_host_key_checking", "ansible_host_key_checking"); v != nil {
		if on, ok := asBool(v); ok {
			e.HostKeys = map[bool]string{true: "strict", false: "off"}[on]
		}
	}
	e.ConnectTimeout = d.Timeout
	if n := c.number(ctx, 0, "ansible_ssh_timeout", "ansible_timeout", "ansible_connection_timeout"); n > 0 {
		e.ConnectTimeout = time.Duration(n) * time.Second
	}
	e.Retries = c.number(ctx, d.Retries, "ansible_ssh_retries")
	return e, c.err
}

// arguments are ssh's, of settings and variables.
func (c *connector) arguments(ctx context.Context, general []string) []string {
	args := slices.Concat(c.words(ctx, "ansible_ssh_args"), general,
		c.words(ctx, "ansible_ssh_common_args"), c.words(ctx, "ansible_ssh_extra_args"))
	if jump := c.text(ctx, "ansible_ssh_proxy_jump"); jump != "" {
		args = append(args, "-J", jump)
	}
	return args
}

// kind is "ssh" or "local".
func (c *connector) kind(ctx context.Context) (string, error) {
	name := c.text(ctx, "ansible_connection")
	if name == "" && c.h.host.Implicit {
		name = "local"
	}
	if name == "" {
		name = cmpOr(c.keyword(ctx, func(k *playbook.Keywords) playbook.Field { return k.Connection }), c.j.b.r.o.Connect.Connection, "ssh")
	}
	if c.err != nil {
		return "", c.err
	}
	switch baseName(name) {
	case "ssh", "smart", "paramiko", "paramiko_ssh":
		return "ssh", nil
	case "local":
		return "local", nil
	}
	return "", fmt.Errorf("the connection %q is not supported: there are ssh and local", name)
}

// become says who the commands run as.
func (c *connector) become(ctx context.Context) (transport.Become, error) {
	d := &c.j.b.r.o.Connect
	e := evaluator{s: c.keys}
	on := e.truth(ctx, c.j.w.inherited(func(k *playbook.Keywords) playbook.Field { return k.Become }), d.Become)
	if e.err != nil {
		return transport.Become{}, e.err
	}
	if v := c.variable(ctx, "ansible_become"); v != nil {
		if b, ok := asBool(v); ok {
			on = b
		}
	}
	if !on || c.err != nil {
		return transport.Become{}, c.err
	}
	method := cmpOr(c.text(ctx, "ansible_become_method"),
		c.keyword(ctx, func(k *playbook.Keywords) playbook.Field { return k.BecomeMethod }), d.BecomeMethod, "sudo")
	method = strings.TrimPrefix(baseName(method), "community.general.")
	b := transport.Become{Method: method}
	b.User = cmpOr(c.text(ctx, "ansible_become_user", "ansible_"+method+"_user"),
		c.keyword(ctx, func(k *playbook.Keywords) playbook.Field { return k.BecomeUser }), d.BecomeUser, "root")
	b.Password = d.BecomePassword
	if p := c.text(ctx, "ansible_become_password", "ansible_become_pass", "ansible_"+method+"_pass", "ansible_"+method+"_password"); p != "" {
		b.Password = secret.New(p)
	}
	b.Exe = cmpOr(c.text(ctx, "ansible_become_exe", "ansible_"+method+"_exe"),
		c.keyword(ctx, func(k *playbook.Keywords) playbook.Field { return k.BecomeExe }), d.BecomeExe)
	b.Flags = c.words(ctx, "ansible_become_flags", "ansible_"+method+"_flags")
	if b.Flags == nil {
		if text := c.keyword(ctx, func(k *playbook.Keywords) playbook.Field { return k.BecomeFlags }); text != "" {
			b.Flags, c.err = modules.SplitWords(text)
		} else {
			b.Flags = d.BecomeFlags
		}
	}
	switch method {
	case "sudo", "su", "doas":
	default:
		return b, fmt.Errorf("the become method %q is not supported: there are sudo, su and doas", method)
	}
	return b, c.err
}

// strayHost stands for a host that work is delegated to and that the inventory does not have.
func (r *runner) strayHost(name string) *hostVars {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h, ok := r.hosts[name]; ok {
		return h
	}
	h := r.newHostVars(name, &inventory.Host{Name: name})
	h.inventory = []vars.Layer{}
	r.hosts[name] = h
	return h
}
