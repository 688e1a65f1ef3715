package cmd

import (
	"fmt"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/config"
	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/spf13/pflag"
)

// inventoryFlags say which hosts there are.
type inventoryFlags struct {
	sources []string
	limit   string
	extra   []string
	vault   vaultFlags
	// warned takes the warnings of reading the inventory; nil prints them.
	warned func(diag.List)
	// connect is how the hypervisor of a source libvirt:HOST is reached; nil is by settings alone.
	connect *connectFlags
	// masks makes everything that stands in a vaulted file a vaulted value.
	masks bool
}

func (f *inventoryFlags) add(fs *pflag.FlagSet) {
	fs.StringArrayVarP(&f.sources, "inventory", "i", nil, "inventory file, folder or script, libvirt:URI or libvirt:HOST, or host names separated by commas; may be repeated")
	fs.StringVarP(&f.limit, "limit", "l", "", "work on these of the hosts only (a pattern, or @file)")
	fs.StringArrayVarP(&f.extra, "extra-vars", "e", nil, "variables that win over all others: k=v …, YAML or JSON text, or @file; may be repeated")
	fs.StringArrayVar(&f.sources, "inventory-file", nil, "the same as --inventory")
	_ = fs.MarkHidden("inventory-file")
	f.vault.add(fs)
}

// connectFlags say how hosts are reached.
type connectFlags struct {
	connection   string
	user         string
	privateKey   string
	timeout      int
	askPass      bool
	passFile     string
	commonArgs   string
	extraArgs    string
	hostKeys     string
	become       bool
	becomeMethod string
	becomeUser   string
	askBecome    bool
	becomeFile   string
}

func (f *connectFlags) add(fs *pflag.FlagSet, c *config.Config) {
	fs.StringVarP(&f.connection, "connection", "c", connection(c), "how hosts are reached: ssh or local")
	fs.StringVarP(&f.user, "user", "u", c.Text(config.RemoteUser), "log in as this user")
	fs.StringVar(&f.privateKey, "private-key", c.Path(config.PrivateKeyFile), "log in with this private key")
	fs.StringVar(&f.privateKey, "key-file", c.Path(config.PrivateKeyFile), "the same as --private-key")
	fs.IntVarP(&f.timeout, "timeout", "T", presetInt(c, config.Timeout), "seconds that connecting to a host may take (default 10)")
	fs.BoolVarP(&f.askPass, "ask-pass", "k", c.Bool(config.AskPass), "ask for the password to log in with")
	fs.StringVar(&f.passFile, "connection-password-file", c.Path(config.ConnectionPassFile), "file with the password to log in with")
	fs.StringVar(&f.commonArgs, "ssh-common-args", "", "ssh arguments for every connection, such as '-J jump.example.org'")
	fs.StringVar(&f.extraArgs, "ssh-extra-args", "", "further ssh arguments")
	fs.StringVar(&f.hostKeys, "host-keys", "", "how host keys are checked: strict (known ones only), accept-new (record new ones, refuse changed ones) or off")
	fs.BoolVarP(&f.become, "become", "b", c.Bool(config.Become), "run as another user, root unless --become-user names one")
	fs.StringVar(&f.becomeMethod, "become-method", preset(c, config.BecomeMethod), "sudo (the default), su or doas")
	fs.StringVar(&f.becomeUser, "become-user", preset(c, config.BecomeUser), "run as this user (default root)")
	fs.BoolVarP(&f.askBecome, "ask-become-pass", "K", c.Bool(config.BecomeAskPass), "ask for the password of sudo, su or doas")
	fs.StringVar(&f.becomeFile, "become-password-file", c.Path(config.BecomePassFile), "file with the password of sudo, su or doas")
	fs.StringVar(&f.passFile, "conn-pass-file", c.Path(config.ConnectionPassFile), "the same as --connection-password-file")
	fs.StringVar(&f.becomeFile, "become-pass-file", c.Path(config.BecomePassFile), "the same as --become-password-file")
	ignored := ""
	fs.StringVar(&ignored, "sftp-extra-args", "", "accepted and passed over: files go over ssh itself")
	fs.StringVar(&ignored, "scp-extra-args", "", "accepted and passed over: files go over ssh itself")
	fs.StringVarP(&ignored, "module-path", "M", "", "accepted and passed over: modules in Python cannot run here")
	for _, name := range []string{"key-file", "conn-pass-file", "become-pass-file"} {
		_ = fs.MarkHidden(name)
	}
}

// args splits the ssh arguments.
func (f *connectFlags) args() []string {
	return append(strings.Fields(f.commonArgs), strings.Fields(f.extraArgs)...)
}

func (f *connectFlags) connectTimeout() time.Duration { return time.Duration(f.timeout) * time.Second }

// runFlags are common to play and run.
type runFlags struct {
	forks   int
	check   bool
	diff    bool
	verbose int
	output  string
	waiting int
}

func (r *runFlags) add(fs *pflag.FlagSet, c *config.Config) {
	fs.IntVarP(&r.forks, "forks", "f", c.Int(config.Forks), "how many hosts work at once")
	fs.BoolVarP(&r.check, "check", "C", false, "change nothing; say what would change")
	fs.BoolVarP(&r.diff, "diff", "D", c.Bool(config.DiffAlways), "show what changes in files")
	fs.CountVarP(&r.verbose, "verbose", "v", "show more; -vvv also connections")
	r.verbose = c.Int(config.Verbosity)
	fs.IntVar(&r.waiting, "tell-waiting", 60, "name hosts that are at a task for so many seconds, and again when that doubled; 0 never")
	fs.StringVar(&r.output, "output", "text", "text, or jsonl for one JSON object an event")
}

func (r *runFlags) verify() error {
	if r.output != "text" && r.output != "jsonl" {
		return hintError{usageError{fmt.Errorf("--output cannot be %q", r.output)}, "it is text or jsonl"}
	}
	if r.forks < 1 {
		return usageError{fmt.Errorf("--forks cannot be %d: it must be positive", r.forks)}
	}
	return nil
}

// tagFlags choose tasks.
type tagFlags struct {
	tags, skip []string
	startAt    string
}

func (f *tagFlags) add(fs *pflag.FlagSet) {
	fs.StringArrayVarP(&f.tags, "tags", "t", nil, "run only tasks with these tags, separated by commas; may be repeated")
	fs.StringArrayVar(&f.skip, "skip-tags", nil, "leave out tasks with these tags")
	fs.StringVar(&f.startAt, "start-at-task", "", "begin at the task with this name")
}

// words splits values that hold several ones separated by commas.
func words(values []string) []string {
	var out []string
	for _, v := range values {
		for w := range strings.SplitSeq(v, ",") {
			if w = strings.TrimSpace(w); w != "" {
				out = append(out, w)
			}
		}
	}
	return out
}
