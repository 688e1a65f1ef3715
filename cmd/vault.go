package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/hostlerhq/hostler/config"
	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/vault"
	"github.com/spf13/cobra"
)

// vaultOptions are those of `hostler vault`; each subcommand has some of them.
type vaultOptions struct {
	vaultFlags
	s          Streams
	encryptID  string
	output     string
	newID      string
	newFile    string
	skipTTY    bool
	verbosity  int
	stringOpts stringOptions
}

func newVault(s Streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "vault",
		Short: "Encrypt and decrypt files and values in ansible-vault's format",
		Long: "Encrypt and decrypt files and values in ansible-vault's format. Without an option that says where the\n" +
			"password comes from, and without HOSTLER_VAULT_PASSWORD_FILE or ANSIBLE_VAULT_PASSWORD_FILE, it is asked for.",
		Args: noSuchCommand,
		RunE: func(c *cobra.Command, _ []string) error {
			if s.compat {
				return hintError{usageError{errors.New("the following arguments are required: action")}, c.CommandPath() + " --help lists the commands"}
			}
			return c.Help()
		},
	}
	c.AddCommand(vaultCreate(s), vaultDecrypt(s), vaultEdit(s), vaultView(s), vaultEncrypt(s), vaultEncryptString(s), vaultRekey(s))
	return c
}

// command makes a subcommand with the options that all have.
func (o *vaultOptions) command(use, short string, run func(ctx context.Context, args []string) error) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short,
		RunE: func(c *cobra.Command, args []string) error { return vaultError(run(c.Context(), args)) },
	}
	o.vaultFlags.add(c.Flags())
	c.Flags().CountVarP(&o.verbosity, "verbose", "v", "accepted for ansible-vault's sake")
	_ = c.Flags().MarkHidden("verbose")
	return c
}

func (o *vaultOptions) withOutput(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&o.output, "output", "", "write to this file and leave the one that was read; - is standard output")
	return c
}

func (o *vaultOptions) withEncryptID(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&o.encryptID, "encrypt-vault-id", "", "the vault id to encrypt with; needed when there are several")
	return c
}

// vaultError makes the general error of what is wrong with one vaulted file: status 1, as ansible-vault's.
func vaultError(err error) error {
	e, ok := errors.AsType[*diag.Error](err)
	switch {
	case !ok:
		return err
	case e.Hint == "":
		return errors.New(e.Error())
	}
	return hintError{errors.New(e.Error()), e.Hint}
}

// reading gives the passwords for subcommands that decrypt; without any option it asks.
func (o *vaultOptions) reading(ctx context.Context) (*vault.Keyring, error) {
	return o.load(ctx, vaultLoader(o.s))
}

func (o *vaultOptions) load(ctx context.Context, l vault.Loader) (*vault.Keyring, error) {
	sources, err := o.sources(o.s)
	if err != nil {
		return nil, err
	}
	if len(sources) == 0 {
		sources = o.plain(o.s, nil, true)
	}
	return l.Load(ctx, sources)
}

// writing gives the password to encrypt with.
func (o *vaultOptions) writing(ctx context.Context) (vault.Secret, error) {
	l := vaultLoader(o.s)
	l.New = true
	ring, err := o.load(ctx, l)
	if err != nil {
		return vault.Secret{}, err
	}
	return o.choose(ring)
}

// choose picks the password of --encrypt-vault-id; of several somebody must have chosen.
func (o *vaultOptions) choose(ring *vault.Keyring) (vault.Secret, error) {
	id := orDefault(o.encryptID, o.s.conf.Text(config.VaultEncryptID))
	ids := ring.IDs()
	if id == "" && len(ring.Secrets()) > 1 {
		return vault.Secret{}, hintError{
			optionsError{fmt.Errorf("there are passwords of several vault ids: %s", strings.Join(ids, ", "))}, "choose one with --encrypt-vault-id",
		}
	}
	chosen, ok := ring.Secret(id)
	if !ok {
		return vault.Secret{}, hintError{
			fmt.Errorf("there is no password for --encrypt-vault-id %s; there is one for %s", id, strings.Join(ids, ", ")),
			fmt.Sprintf("give it with --vault-id %s@FILE", id),
		}
	}
	return chosen, nil
}

// oneOutput refuses --output with several files.
func (o *vaultOptions) oneOutput(args []string) error {
	if o.output != "" && len(args) > 1 {
		return optionsError{errors.New("at most one input file may be used with the --output option")}
	}
	return nil
}

func vaultEncrypt(s Streams) *cobra.Command {
	o := &vaultOptions{s: s}
	return o.withEncryptID(o.withOutput(o.command("encrypt [FILE...]", "Encrypt files, or standard input", func(ctx context.Context, args []string) error {
		if err := o.oneOutput(args); err != nil {
			return err
		}
		key, err := o.writing(ctx)
		if err != nil {
			return err
		}
		err = o.eachFile(args, "plain text", func(name string, text []byte) ([]byte, error) {
			if vault.IsSealed(text) {
				return nil, hintError{fmt.Errorf("%s is encrypted already", name), "hostler vault rekey gives it another password"}
			}
			return vault.Seal(text, key)
		})
		if err == nil && s.Terminal {
			fmt.Fprintln(s.Err, "Encryption successful")
		}
		return err
	})))
}

func vaultDecrypt(s Streams) *cobra.Command {
	o := &vaultOptions{s: s}
	return o.withOutput(o.command("decrypt [FILE...]", "Decrypt files, or standard input", func(ctx context.Context, args []string) error {
		if err := o.oneOutput(args); err != nil {
			return err
		}
		ring, err := o.reading(ctx)
		if err != nil {
			return err
		}
		err = o.eachFile(args, "vaulted text", func(name string, text []byte) ([]byte, error) {
			plain, _, err := ring.Open(name, text)
			return plain, err
		})
		if err == nil && s.Terminal {
			fmt.Fprintln(s.Err, "Decryption successful")
		}
		return err
	}))
}

// eachFile puts what change makes of each file in its place, or where --output says.
func (o *vaultOptions) eachFile(args []string, what string, change func(name string, text []byte) ([]byte, error)) error {
	if len(args) == 0 {
		args = []string{"-"}
		if o.s.Ask {
			fmt.Fprintf(o.s.Err, "Reading %s from standard input\n", what)
		}
	}
	for _, name := range args {
		text, err := o.read(name)
		if err != nil {
			return err
		}
		shown := name
		if name == "-" {
			shown = "standard input"
		}
		if text, err = change(shown, text); err != nil {
			return err
		}
		if err := o.write(orDefault(o.output, name), text); err != nil {
			return err
		}
	}
	return nil
}

func (o *vaultOptions) read(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(o.s.In)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fileError("the file", name, err)
	}
	return text, nil
}

func (o *vaultOptions) write(name string, text []byte) error {
	if name == "-" {
		_, err := o.s.Out.Write(text)
		return err
	}
	return vault.ReplacePrivate(name, text) // encrypt and decrypt, as Ansible does
}

func vaultRekey(s Streams) *cobra.Command {
	o := &vaultOptions{s: s}
	c := o.withEncryptID(o.command("rekey FILE...", "Give encrypted files another password", func(ctx context.Context, args []string) error {
		ring, err := o.reading(ctx)
		if err != nil {
			return err
		}
		key, err := o.newKey(ctx)
		if err != nil {
			return err
		}
		return o.rekey(ring, key, args)
	}))
	c.Args = wantArg("a file")
	c.Flags().StringVar(&o.newID, "new-vault-id", "", "the new vault id and where its password comes from")
	c.Flags().StringVar(&o.newFile, "new-vault-password-file", "", "file with the new password, or executable that prints it")
	c.MarkFlagsMutuallyExclusive("new-vault-id", "new-vault-password-file")
	return c
}

// rekey opens every file before it writes the first.
func (o *vaultOptions) rekey(ring *vault.Keyring, key vault.Secret, args []string) error {
	fresh := make([][]byte, len(args))
	for i, name := range args {
		text, err := o.read(name)
		if err != nil {
			return err
		}
		plain, _, err := ring.Open(name, text)
		if err != nil {
			return err
		}
		if fresh[i], err = vault.Seal(plain, key); err != nil {
			return err
		}
	}
	for i, name := range args {
		if err := vault.Replace(name, fresh[i]); err != nil {
			return err
		}
	}
	fmt.Fprintln(o.s.Err, "Rekey successful")
	return nil
}

// newKey gives the password of --new-vault-id or --new-vault-password-file, else it asks. With --encrypt-vault-id the
// passwords of the environment's list count too.
func (o *vaultOptions) newKey(ctx context.Context) (vault.Secret, error) {
	var sources []vault.Source
	if orDefault(o.encryptID, o.s.conf.Text(config.VaultEncryptID)) != "" {
		known := &vaultFlags{}
		listed, err := known.sources(o.s)
		if err != nil {
			return vault.Secret{}, err
		}
		sources = listed
	}
	if o.newID != "" {
		src, err := vault.ParseSource(o.newID)
		if err != nil {
			return vault.Secret{}, optionsError{err}
		}
		sources = append(sources, src)
	}
	if o.newFile != "" {
		sources = append(sources, o.plain(o.s, []string{o.newFile}, false)...)
	}
	if len(sources) == 0 {
		sources = o.plain(o.s, nil, true)
	}
	l := vaultLoader(o.s)
	l.New = true
	ring, err := l.Load(ctx, sources)
	if err != nil {
		return vault.Secret{}, err
	}
	chosen, ok := ring.Secret(orDefault(o.encryptID, o.s.conf.Text(config.VaultEncryptID)))
	if !ok {
		return o.choose(ring)
	}
	return chosen, nil
}

// suffix is the ending of a file's name, for editors.
func suffix(name string) string {
	if real, err := filepath.EvalSymlinks(name); err == nil {
		name = real
	}
	return filepath.Ext(name)
}
