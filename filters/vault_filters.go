package filters

import (
	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/vault"
)

func vaultFilters() []entry {
	return []entry{
		one("vault", "secret, salt=None, vault_id='filter_default', wrap_object=False, vaultid=None", sealText),
		one("unvault", "secret, vault_id='filter_default', vaultid=None", openText),
	}
}

// vaultSecret reads the two arguments that say what to vault with; vaultid is the old name of vault_id.
func vaultSecret(password, id, oldID any) (vault.Secret, error) {
	text, ok := value.AsString(password)
	if !ok {
		return vault.Secret{}, value.Errorf(value.TypeError, "Secret passed is required to be a string, instead we got: %s", value.TypeName(password))
	}
	if oldID != nil {
		id = oldID
	}
	name, _ := value.AsString(id)
	return vault.Secret{ID: name, Password: secret.New(text)}, nil
}

func sealText(c *jinja.Call) (any, error) {
	s, err := vaultSecret(c.Args[0], c.Args[2], c.Args[4])
	if err != nil {
		return nil, err
	}
	plain, ok := value.AsString(c.Value)
	if !ok {
		return nil, value.Errorf(value.TypeError, "Can only vault strings, instead we got: %s", value.TypeName(c.Value))
	}
	if wrap, err := c.Truth(c.Args[3]); err != nil || wrap {
		return nil, value.Errorf(value.ValueError, "vault: wrap_object is not supported; the text comes as it is")
	}
	salt, given := value.AsString(c.Args[1])
	var out []byte
	if given && salt != "" {
		out, err = vault.SealWith([]byte(plain), s, []byte(salt))
	} else {
		volatile(c)
		out, err = vault.Seal([]byte(plain), s)
	}
	if err != nil {
		return nil, value.Errorf(value.ValueError, "Unable to encrypt: %v", err)
	}
	return string(out), nil
}

// openText gives text that is not vaulted as it is, as Ansible does.
func openText(c *jinja.Call) (any, error) {
	s, err := vaultSecret(c.Args[0], c.Args[1], c.Args[2])
	if err != nil {
		return nil, err
	}
	text, ok := value.AsString(c.Value)
	if !ok {
		return nil, value.Errorf(value.TypeError, "Vault should be in the form of a string, instead we got: %s", value.TypeName(c.Value))
	}
	if !vault.IsSealed([]byte(text)) {
		return text, nil
	}
	plain, _, err := vault.NewKeyring(false, s).Open("", []byte(text))
	if err != nil {
		return nil, value.Errorf(value.ValueError, "Unable to decrypt: %v", err)
	}
	return string(plain), nil
}
