package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hostlerhq/hostler/internal/localexec"
	"github.com/hostlerhq/hostler/internal/secret"
)

// Where a Source may come from besides a file.
const (
	Prompt   = "prompt"
	AskVault = "prompt_ask_vault_pass" // what --ask-vault-password asks
)

// Source says where the password of a vault id comes from: a file, an executable that prints it, or Prompt.
type Source struct{ ID, From string }

// ParseSource reads "id@source" or "source", as --vault-id takes it.
func ParseSource(text string) (Source, error) {
	id, from, found := strings.Cut(text, "@")
	if !found {
		id, from = "", text
	}
	if strings.Contains(text, ";") {
		return Source{}, fmt.Errorf("'%s' is not a valid vault id. The character ';' is not allowed in vault ids", text)
	}
	if from == "" {
		return Source{}, fmt.Errorf("'%s' names no source of a password", text)
	}
	return Source{ID: id, From: from}, nil
}

// Loader reads the passwords of sources.
type Loader struct {
	// Ask asks the user for a password.
	Ask func(ctx context.Context, question string) (secret.Text, error)
	// Stdin and Stderr are what password scripts get, so that they can ask the user themselves.
	Stdin  io.Reader
	Stderr io.Writer
	// Warn tells of a source that gave no password while others did.
	Warn func(text string)
	// New asks twice and words the questions for a password that shall come to be.
	New bool
	// Exact is NewKeyring's.
	Exact bool
}

// Load reads every source in order. A source that fails is an error only when none gave a password,
// as in Ansible; a prompt that fails always is one. A password file may itself be vaulted with a password before it.
func (l Loader) Load(ctx context.Context, sources []Source) (*Keyring, error) {
	var secrets []Secret
	var failed []error
	for _, src := range sources {
		id := src.ID
		if id == "" {
			id = DefaultID
		}
		if src.From == Prompt || src.From == AskVault {
			text, err := l.prompt(ctx, src.From, id)
			if err != nil {
				return nil, err
			}
			secrets = append(secrets, Secret{id, text})
			continue
		}
		text, err := l.file(ctx, src, NewKeyring(l.Exact, secrets...))
		if err != nil {
			failed = append(failed, fmt.Errorf("vault id %q: %w", id, err))
			continue
		}
		secrets = append(secrets, Secret{id, text})
	}
	if len(secrets) == 0 && len(failed) > 0 {
		return nil, errors.Join(failed...)
	}
	for _, err := range failed {
		l.Warn(err.Error())
	}
	return NewKeyring(l.Exact, secrets...), ctx.Err()
}

// prompt asks with the questions that Ansible asks, on which programs wait.
func (l Loader) prompt(ctx context.Context, kind, id string) (secret.Text, error) {
	questions := []string{"Vault password: "}
	switch {
	case kind == AskVault && l.New:
		questions = []string{"New Vault password: ", "Confirm New Vault password: "}
	case kind == Prompt && l.New:
		questions = []string{fmt.Sprintf("New vault password (%s): ", id), fmt.Sprintf("Confirm new vault password (%s): ", id)}
	case kind == Prompt:
		questions = []string{fmt.Sprintf("Vault password (%s): ", id)}
	}
	var first secret.Text
	for i, question := range questions {
		answer, err := l.Ask(ctx, question)
		if err != nil {
			return secret.Text{}, fmt.Errorf("vault id %q: ask for the password: %w", id, err)
		}
		answer = secret.New(strings.TrimSpace(answer.Reveal()))
		switch {
		case answer.IsZero():
			return secret.Text{}, fmt.Errorf("vault id %q: the password is empty", id)
		case i == 0:
			first = answer
		case answer != first:
			return secret.Text{}, fmt.Errorf("vault id %q: the two passwords differ", id)
		}
	}
	return first, nil
}

// file reads a password file, or runs it when it is executable.
func (l Loader) file(ctx context.Context, src Source, before *Keyring) (secret.Text, error) {
	path := expand(src.From)
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return secret.Text{}, fmt.Errorf("the vault password file %s was not found", path)
	case err != nil:
		return secret.Text{}, fmt.Errorf("vault password file: %w", err)
	case st.IsDir():
		return secret.Text{}, fmt.Errorf("the vault password file %s is a folder", path)
	}
	if st.Mode()&0o111 != 0 {
		return l.script(ctx, path, src.ID)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return secret.Text{}, fmt.Errorf("vault password file: %w", err)
	}
	text = bytes.TrimSpace(text)
	if IsSealed(text) {
		if text, _, err = before.Open(path, text); err != nil {
			return secret.Text{}, err
		}
	}
	return filled(text, path)
}

// script runs a password script; one whose name ends in -client is told the vault id.
func (l Loader) script(ctx context.Context, path, id string) (secret.Text, error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return secret.Text{}, fmt.Errorf("vault password script %s: %w", path, err)
	}
	p := localexec.Program{Path: full, Stdin: l.Stdin}
	client := strings.HasSuffix(strings.TrimSuffix(path, filepath.Ext(path)), "-client")
	if client && id != "" {
		p.Args = []string{"--vault-id", id}
	}
	var out bytes.Buffer
	err = localexec.Attached(ctx, p, &out, l.Stderr)
	exit, ran := errors.AsType[*localexec.ExitError](err)
	switch {
	case ran && client && exit.Status == 2:
		return secret.Text{}, fmt.Errorf("the vault password script %s knows no password for this id", path)
	case ran:
		return secret.Text{}, fmt.Errorf("the vault password script %s ended with status %d", path, exit.Status)
	case err != nil:
		return secret.Text{}, fmt.Errorf("the vault password script %s: %w (if it is no script, remove its executable bit)", path, err)
	}
	return filled(out.Bytes(), path)
}

func filled(text []byte, path string) (secret.Text, error) {
	text = bytes.Trim(text, "\r\n")
	if len(text) == 0 {
		return secret.Text{}, fmt.Errorf("%s gives an empty password", path)
	}
	return secret.New(string(text)), nil
}

func expand(path string) string {
	rest, ok := strings.CutPrefix(path, "~/")
	home, err := os.UserHomeDir()
	if !ok || err != nil {
		return path
	}
	return filepath.Join(home, rest)
}
