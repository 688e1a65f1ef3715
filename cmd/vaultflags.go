package cmd

import (
	"context"
	"fmt"
	"strings"

	"github.com/hostlerhq/hostler/config"
	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/vault"
	"github.com/spf13/pflag"
)

// vaultFlags say which vault passwords there are.
type vaultFlags struct {
	ids, files []string
	ask        bool
}

func (f *vaultFlags) add(fs *pflag.FlagSet) {
	fs.StringArrayVar(&f.ids, "vault-id", nil, "a vault id and where its password comes from: id@FILE, id@SCRIPT or id@prompt; may be repeated")
	fs.StringArrayVar(&f.files, "vault-password-file", nil, "file with the vault password, or executable that prints it; may be repeated")
	fs.StringArrayVar(&f.files, "vault-pass-file", nil, "the same as --vault-password-file")
	fs.BoolVarP(&f.ask, "ask-vault-password", "J", false, "ask for the vault password")
	fs.BoolVar(&f.ask, "ask-vault-pass", false, "the same as --ask-vault-password")
	_ = fs.MarkHidden("vault-pass-file")
	_ = fs.MarkHidden("ask-vault-pass")
}

// vaultSources lists where passwords come from, the better ones first as in Ansible: the environment's list of ids,
// --vault-id, --vault-password-file, the environment's file, the question.
func (f *vaultFlags) sources(s Streams) ([]vault.Source, error) {
	var out []vault.Source
	for _, text := range append(s.conf.List(config.VaultIdentityList), f.ids...) {
		src, err := vault.ParseSource(text)
		if err != nil {
			return nil, hintError{optionsError{err}, "write --vault-id ID@FILE or --vault-id ID@prompt"}
		}
		out = append(out, src)
	}
	files := f.files
	if file := s.conf.Path(config.VaultPasswordFile); file != "" {
		files = append(files, file)
	}
	return append(out, f.plain(s, files, f.ask || s.conf.Bool(config.AskVaultPass))...), nil
}

// plain are the sources that have no id of their own.
func (f *vaultFlags) plain(s Streams, files []string, ask bool) []vault.Source {
	id := s.conf.Text(config.VaultIdentity)
	var out []vault.Source
	for _, file := range files {
		out = append(out, vault.Source{ID: id, From: file})
	}
	if ask {
		out = append(out, vault.Source{ID: id, From: vault.AskVault})
	}
	return out
}

// keyring reads the passwords. None at all is no mistake until something vaulted is read.
func (f *vaultFlags) keyring(ctx context.Context, s Streams) (*vault.Keyring, error) {
	sources, err := f.sources(s)
	if err != nil {
		return nil, err
	}
	return vaultLoader(s).Load(ctx, sources)
}

func vaultLoader(s Streams) vault.Loader {
	ask := prompter(s)
	return vault.Loader{
		Ask: func(ctx context.Context, question string) (secret.Text, error) { return ask(ctx, question, false) },
		// Scripts may ask the user themselves.
		Stdin: s.In, Stderr: s.Err,
		Warn:  func(text string) { fmt.Fprintf(s.Err, "[WARNING]: %s\n", text) },
		Exact: s.conf.Bool(config.VaultIDMatch),
	}
}

// unseal opens values written with !vault.
func unseal(ring *vault.Keyring) func(*value.Sealed) (string, error) {
	return func(sealed *value.Sealed) (string, error) {
		text, _, err := ring.Open("", []byte(strings.TrimSpace(sealed.Text)))
		return string(text), err
	}
}
