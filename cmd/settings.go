package cmd

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/config"
	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/run"
)

// loadSettings reads the settings. Under Ansible's names some defaults are Ansible's own.
func loadSettings(s *Streams) diag.List {
	src := config.Source{Env: s.Env, Home: strings.TrimSuffix(expandHome("~/"), "/"), Defaults: map[config.Name]string{}}
	if s.compat {
		src.Defaults[config.Jinja2Native] = "false"
		src.Defaults[config.AnyUnparsedFailed] = "false"
	}
	var found diag.List
	s.conf, found = config.Load(src)
	return found
}

// apply puts settings into the options of a run, where the command line has no say.
func apply(o *run.Options, c *config.Config) {
	o.AnyErrorsFatal, o.NoLog = c.Bool(config.AnyErrorsFatal), c.Bool(config.NoLog)
	o.Gathering, o.Strategy = c.Text(config.Gathering), c.Text(config.Strategy)
	o.GatherSubset, o.GatherTimeout, o.FactPath = c.List(config.GatherSubset), c.Int(config.GatherTimeout), c.Text(config.FactPath)
	o.TaskTimeout = time.Duration(c.Int(config.TaskTimeout)) * time.Second
	o.Poll = time.Duration(c.Int(config.PollInterval)) * time.Second
	o.HideFacts = !c.Bool(config.InjectFacts)
	o.MissingHandlerWarns = !c.Bool(config.MissingHandler)
	o.Managed = c.Text(config.AnsibleManaged)
	if n := len(c.Files); n > 0 {
		o.ConfigFile = c.Files[n-1]
	}
}

// applyConnect puts settings into how hosts are reached; the command line's arguments come after theirs.
func applyConnect(d *run.ConnectDefaults, c *config.Config) error {
	var args []string
	for _, name := range []config.Name{config.SSHArgs, config.SSHCommonArgs, config.SSHExtraArgs} {
		words, err := modules.SplitWords(c.Text(name))
		if err != nil {
			return fmt.Errorf("setting %s (%s): %w", name, c.Value(name).Origin, err)
		}
		args = append(args, words...)
	}
	d.Args = append(args, d.Args...)
	d.Port, d.Retries = c.Int(config.RemotePort), c.Int(config.SSHRetries)
	if d.HostKeys == "" {
		d.HostKeys = c.Text(config.HostKeys)
	}
	if d.HostKeys == "" && !c.Bool(config.HostKeyChecking) {
		d.HostKeys = "off"
	}
	d.BecomeExe = c.Text(config.BecomeExe)
	flags, err := modules.SplitWords(c.Text(config.BecomeFlags))
	if err != nil {
		return fmt.Errorf("setting %s (%s): %w", config.BecomeFlags, c.Value(config.BecomeFlags).Origin, err)
	}
	d.BecomeFlags = flags
	return nil
}

// preset gives a setting's text where something sets it, so that defaults below the settings keep their say.
func preset(c *config.Config, name config.Name) string {
	if c.Value(name).IsDefault() {
		return ""
	}
	return c.Text(name)
}

// presetInt is preset for numbers.
func presetInt(c *config.Config, name config.Name) int {
	n, err := strconv.Atoi(preset(c, name))
	if err != nil {
		return 0
	}
	return n
}

// connection gives the setting transport, whose "smart" is ssh.
func connection(c *config.Config) string {
	switch t := c.Text(config.Transport); t {
	case "smart", "paramiko", "paramiko_ssh":
		return ""
	default:
		return t
	}
}

// settingsTold prints what is odd about the settings and gives what is wrong with them.
func settingsTold(s Streams, found diag.List) error {
	if err := found.Err(); err != nil {
		return err
	}
	for _, e := range found {
		text := e.Error()
		if e.Hint != "" {
			text += " (" + e.Hint + ")"
		}
		fmt.Fprintf(s.Err, "[WARNING]: %s\n", text)
	}
	return nil
}
