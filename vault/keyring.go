package vault

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/hostlerhq/hostler/internal/diag"
)

// Keyring holds the passwords there are, the better ones first. It is safe for concurrent use; nil and the
// zero value are one without passwords.
type Keyring struct {
	secrets []Secret
	exact   bool

	mu    sync.Mutex
	known map[keyID]func() (*keys, error)
}

// keyID says what a key was made from. Making one takes milliseconds, and a run opens the same text for each of a
// thousand hosts.
type keyID struct {
	secret int
	salt   string
}

// NewKeyring makes one. With exact a text is only tried with the passwords of its own id
// (ANSIBLE_VAULT_ID_MATCH), else with those first and then with all others.
func NewKeyring(exact bool, secrets ...Secret) *Keyring {
	return &Keyring{secrets: secrets, exact: exact}
}

// Secrets gives the passwords, the better ones first.
func (k *Keyring) Secrets() []Secret {
	if k == nil {
		return nil
	}
	return slices.Clone(k.secrets)
}

// IDs gives the vault ids of the passwords.
func (k *Keyring) IDs() []string {
	var ids []string
	for _, s := range k.Secrets() {
		if !slices.Contains(ids, s.ID) {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// Secret gives the best password for an id; "" is any.
func (k *Keyring) Secret(id string) (Secret, bool) {
	for _, s := range k.Secrets() {
		if id == "" || s.ID == id {
			return s, true
		}
	}
	return Secret{}, false
}

// Open decrypts a vaulted text and gives the password that fitted. Name is the file for errors, which are
// *diag.Error and say which ids were tried; it may be "".
func (k *Keyring) Open(name string, text []byte) ([]byte, Secret, error) {
	s, err := parse(text)
	if err != nil {
		return nil, Secret{}, diag.Errorf(diag.Pos{File: name}, "%w", err)
	}
	order := k.order(s.id)
	for _, i := range order {
		plain, err := k.try(i, s)
		if err == nil {
			return plain, k.secrets[i], nil
		}
		if !errors.Is(err, errPassword) {
			return nil, Secret{}, diag.Errorf(diag.Pos{File: name}, "%w", err)
		}
	}
	return nil, Secret{}, k.refusal(name, s.id, order)
}

// order gives the passwords to try, by number: those of the text's own id first.
func (k *Keyring) order(id string) []int {
	if k == nil {
		return nil
	}
	if id == "" {
		id = DefaultID
	}
	var own, others []int
	for i, s := range k.secrets {
		if s.ID == id {
			own = append(own, i)
		} else {
			others = append(others, i)
		}
	}
	if k.exact {
		return own
	}
	return append(own, others...)
}

func (k *Keyring) try(i int, s *sealed) ([]byte, error) {
	id := keyID{i, string(s.salt)}
	k.mu.Lock()
	key := k.known[id]
	if key == nil {
		if k.known == nil {
			k.known = make(map[keyID]func() (*keys, error))
		}
		key = sync.OnceValues(func() (*keys, error) { return derive(k.secrets[i].Password, s.salt) })
		k.known[id] = key
	}
	k.mu.Unlock()
	made, err := key()
	if err != nil {
		return nil, err
	}
	return s.open(made)
}

// refusal words that no password fitted, or that there is none.
func (k *Keyring) refusal(name, id string, tried []int) error {
	label := ""
	if id != "" {
		label = fmt.Sprintf(" with vault id %q", id)
	}
	own := id
	if own == "" {
		own = DefaultID
	}
	e := &diag.Error{Pos: diag.Pos{File: name}}
	switch {
	case len(k.Secrets()) == 0:
		e.Err = fmt.Errorf("vaulted%s, and no vault password was given", label)
		if id == "" {
			return e.WithHint("give it with --vault-password-file FILE or --ask-vault-password")
		}
	case len(tried) == 0:
		e.Err = fmt.Errorf("vaulted with vault id %q, and there is no password for it (there is one for %s)", own, strings.Join(k.IDs(), ", "))
	default:
		e.Err = fmt.Errorf("vaulted%s, and no vault password fits (tried %s)", label, strings.Join(k.IDs(), ", "))
		if id == "" {
			return e.WithHint("give the right one with --vault-password-file FILE or --ask-vault-password")
		}
	}
	return e.WithHint("give its password with --vault-id %s@FILE, or --vault-id %s@prompt", own, own)
}

// ReadFile reads a file, a vaulted one opened.
func (k *Keyring) ReadFile(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil || !IsSealed(text) {
		return text, err
	}
	plain, _, err := k.Open(path, text)
	return plain, err
}
