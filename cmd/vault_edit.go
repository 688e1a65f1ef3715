package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hostlerhq/hostler/internal/localexec"
	"github.com/hostlerhq/hostler/internal/shell"
	"github.com/hostlerhq/hostler/vault"
	"github.com/spf13/cobra"
)

func vaultCreate(s Streams) *cobra.Command {
	o := &vaultOptions{s: s}
	c := o.withEncryptID(o.command("create FILE", "Write a new encrypted file in an editor", func(ctx context.Context, args []string) error {
		return o.create(ctx, args)
	}))
	c.Args = wantArg("a file")
	c.Flags().BoolVar(&o.skipTTY, "skip-tty-check", false, "start the editor even where there is no terminal")
	return c
}

func (o *vaultOptions) create(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return optionsError{errors.New("hostler vault create takes one file")}
	}
	name := args[0]
	if _, err := os.Lstat(name); err == nil {
		return hintError{fmt.Errorf("%s exists", name), "hostler vault edit changes it"}
	}
	if o.s.Env("EDITOR") == "" && !o.s.Ask && !o.skipTTY {
		return hintError{errors.New("there is no terminal for an editor"), "set EDITOR, or give --skip-tty-check"}
	}
	key, err := o.writing(ctx)
	if err != nil {
		return err
	}
	text, err := vault.Edit(ctx, nil, filepath.Ext(name), o.editor)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return fmt.Errorf("make the folder of %s: %w", name, err)
	}
	return o.save(name, text, key)
}

func vaultEdit(s Streams) *cobra.Command {
	o := &vaultOptions{s: s}
	c := o.withEncryptID(o.command("edit FILE...", "Change encrypted files in an editor", func(ctx context.Context, args []string) error {
		ring, err := o.reading(ctx)
		if err != nil {
			return err
		}
		for _, name := range args {
			if err := o.edit(ctx, ring, name); err != nil {
				return err
			}
		}
		return nil
	}))
	c.Args = wantArg("a file")
	return c
}

// edit keeps the file's own vault id, and the file itself where the text was not changed.
func (o *vaultOptions) edit(ctx context.Context, ring *vault.Keyring, name string) error {
	before, err := o.read(name)
	if err != nil {
		return err
	}
	plain, key, err := ring.Open(name, before)
	if err != nil {
		return err
	}
	if key.ID, err = vault.Label(before); err != nil {
		return err
	}
	if o.encryptID != "" {
		if key, err = o.choose(ring); err != nil {
			return err
		}
	}
	text, err := vault.Edit(ctx, plain, suffix(name), o.editor)
	if err != nil || bytes.Equal(text, plain) {
		return err
	}
	if now, err := os.ReadFile(name); err != nil || !bytes.Equal(now, before) {
		kept, keepErr := o.keep(text, key)
		return hintError{fmt.Errorf("%s changed while it was edited; it was left alone", name), errors.Join(keepErr, errors.New(kept)).Error()}
	}
	return o.save(name, text, key)
}

// save writes the vaulted text; where that fails the work is kept, vaulted, in another place.
func (o *vaultOptions) save(name string, text []byte, key vault.Secret) error {
	if vault.IsSealed(text) {
		return fmt.Errorf("%s: the text is vaulted already", name)
	}
	sealed, err := vault.Seal(text, key)
	if err != nil {
		return err
	}
	if err := vault.Replace(name, sealed); err != nil {
		kept, keepErr := o.keep(text, key)
		if keepErr != nil {
			return errors.Join(err, keepErr)
		}
		return hintError{err, kept}
	}
	return nil
}

// keep saves edited text, vaulted, in the folder for temporary files and says where.
func (o *vaultOptions) keep(text []byte, key vault.Secret) (string, error) {
	sealed, err := vault.Seal(text, key)
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp("", "hostler-vault-kept-*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(sealed)
	return "your text was kept, encrypted, in " + f.Name(), errors.Join(err, f.Close())
}

// editor starts $EDITOR, vi without one. A failing editor leaves the file as it was.
func (o *vaultOptions) editor(ctx context.Context, path string) error {
	words, err := shell.Split(orDefault(o.s.Env("EDITOR"), "vi"))
	if err != nil || len(words) == 0 {
		return hintError{fmt.Errorf("EDITOR cannot be read: %w", err), "set EDITOR to a program and its arguments"}
	}
	p := localexec.Program{Path: words[0], Args: append(words[1:], path), Stdin: o.s.In}
	if err := localexec.Attached(ctx, p, o.s.Out, o.s.Err); err != nil {
		return fmt.Errorf("editor, nothing was saved: %w", err)
	}
	return nil
}

func vaultView(s Streams) *cobra.Command {
	o := &vaultOptions{s: s}
	c := o.command("view FILE...", "Show encrypted files", func(ctx context.Context, args []string) error {
		ring, err := o.reading(ctx)
		if err != nil {
			return err
		}
		for _, name := range args {
			text, err := o.read(name)
			if err != nil {
				return err
			}
			plain, _, err := ring.Open(name, text)
			if err != nil {
				return err
			}
			if err := o.page(ctx, string(plain)); err != nil {
				return err
			}
		}
		return nil
	})
	c.Args = wantArg("a file")
	return c
}

// page shows text through $PAGER (less without one) where somebody watches; otherwise it prints it.
func (o *vaultOptions) page(ctx context.Context, text string) error {
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	words, err := shell.Split(orDefault(o.s.Env("PAGER"), "less"))
	if !o.s.Terminal || err != nil || len(words) == 0 {
		_, err := fmt.Fprint(o.s.Out, text)
		return err
	}
	// What less keeps on the screen after it ends would be the secret.
	p := localexec.Program{Path: words[0], Args: words[1:], Stdin: strings.NewReader(text)}
	if err := localexec.Attached(ctx, p, o.s.Out, o.s.Err); err != nil {
		_, err := fmt.Fprint(o.s.Out, text)
		return err
	}
	return nil
}
