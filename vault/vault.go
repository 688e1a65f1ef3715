// Package vault reads and writes the text form of ansible-vault, versions 1.1 and 1.2: files, and texts inside
// YAML. It finds the passwords that vault ids stand for (Source, Loader) and keeps them (Keyring). It does not
// look for vaulted values in documents; package document marks those and package vars has them opened.
//
// The format: a first line "$ANSIBLE_VAULT;1.1;AES256" or "$ANSIBLE_VAULT;1.2;AES256;ID", then hex in lines of
// 80. Its payload is three lines of hex: salt, HMAC-SHA256 of the ciphertext, ciphertext. PBKDF2-HMAC-SHA256 makes the keys
// and the counter of AES-256-CTR from password and salt; the text is padded as PKCS #7 says.
package vault

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/hostlerhq/hostler/internal/secret"
)

// DefaultID is the vault id of a password that was given without one.
const DefaultID = "default"

const (
	mark       = "$ANSIBLE_VAULT"
	cipherName = "AES256"
	lineWidth  = 80
	saltSize   = 32
	keySize    = 32
	rounds     = 10000
)

// Secret is a password with its vault id.
type Secret struct {
	ID       string
	Password secret.Text
}

// errPassword is a password that does not fit: the HMAC differs.
var errPassword = errors.New("the password does not fit")

// IsSealed reports whether a text is vaulted. The first 14 bytes of a file are enough to tell that it may be.
func IsSealed(text []byte) bool {
	if !bytes.HasPrefix(text, []byte(mark)) {
		return false
	}
	for _, b := range text {
		if b >= 0x80 {
			return false
		}
	}
	return true
}

// Seal vaults a text: version 1.1 for the default id, else 1.2. Text that is vaulted already is refused.
func Seal(plain []byte, s Secret) ([]byte, error) {
	salt := make([]byte, saltSize)
	if _, err := rand.Read(salt); err != nil {
		return nil, fmt.Errorf("make a salt: %w", err)
	}
	return SealWith(plain, s, salt)
}

// SealWith is Seal with a salt of the caller's: the same text, password and salt give the same vaulted text.
func SealWith(plain []byte, s Secret, salt []byte) ([]byte, error) {
	if IsSealed(plain) {
		return nil, errors.New("the text is vaulted already")
	}
	if s.Password.IsZero() {
		return nil, errors.New("a vault password must not be empty")
	}
	if err := checkID(s.ID); err != nil {
		return nil, err
	}
	k, err := derive(s.Password, salt)
	if err != nil {
		return nil, err
	}
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	text := append(bytes.Clone(plain), bytes.Repeat([]byte{byte(pad)}, pad)...)
	if err := k.crypt(text); err != nil {
		return nil, err
	}
	payload := strings.Join([]string{hex.EncodeToString(salt), hex.EncodeToString(k.sum(text)), hex.EncodeToString(text)}, "\n")
	return envelope(s.ID, hex.EncodeToString([]byte(payload))), nil
}

func checkID(id string) error {
	if strings.ContainsAny(id, ";\r\n") {
		return fmt.Errorf("vault id %q: it must not hold a semicolon or a line end", id)
	}
	return nil
}

func envelope(id, body string) []byte {
	var b bytes.Buffer
	if id == "" || id == DefaultID {
		b.WriteString(mark + ";1.1;" + cipherName + "\n")
	} else {
		b.WriteString(mark + ";1.2;" + cipherName + ";" + id + "\n")
	}
	for len(body) > 0 {
		n := min(lineWidth, len(body))
		b.WriteString(body[:n])
		b.WriteByte('\n')
		body = body[n:]
	}
	return b.Bytes()
}

// sealed is a vaulted text taken apart.
type sealed struct {
	id                string // "" in version 1.1
	salt, sum, cipher []byte
}

// Label gives the vault id that a vaulted text names, DefaultID when it names none.
func Label(text []byte) (string, error) {
	s, err := parse(text)
	if err != nil {
		return "", err
	}
	if s.id == "" {
		return DefaultID, nil
	}
	return s.id, nil
}

func parse(text []byte) (*sealed, error) {
	lines := strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' || r == '\r' })
	if len(lines) == 0 || !IsSealed(text) {
		return nil, errors.New("not vaulted text: it must begin with " + mark)
	}
	head := strings.Split(strings.TrimSpace(lines[0]), ";")
	if len(head) < 3 {
		return nil, fmt.Errorf("damaged: the first line %q is not version, cipher and vault id", lines[0])
	}
	version, name := strings.TrimSpace(head[1]), strings.TrimSpace(head[2])
	if version != "1.1" && version != "1.2" {
		return nil, fmt.Errorf("version %s of the vault format is not known; 1.1 and 1.2 are", version)
	}
	if name != cipherName {
		return nil, fmt.Errorf("the cipher %s is not known; %s is", name, cipherName)
	}
	s := &sealed{}
	if len(head) > 3 {
		s.id = strings.TrimSpace(head[3])
	}
	return s, s.payload(lines[1:])
}

// payload reads the lines after the first.
func (s *sealed) payload(lines []string) error {
	var body strings.Builder
	for _, l := range lines {
		body.WriteString(strings.TrimSpace(l))
	}
	raw, err := hex.DecodeString(body.String())
	if err != nil {
		return fmt.Errorf("damaged: %w", err)
	}
	parts := bytes.SplitN(raw, []byte("\n"), 3)
	if len(parts) != 3 {
		return errors.New("damaged: salt, checksum and text are not all there")
	}
	for i, to := range []*[]byte{&s.salt, &s.sum, &s.cipher} {
		if *to, err = hex.DecodeString(string(parts[i])); err != nil {
			return fmt.Errorf("damaged: %w", err)
		}
	}
	return nil
}

// open decrypts, after the checksum was found right.
func (s *sealed) open(k *keys) ([]byte, error) {
	if !hmac.Equal(k.sum(s.cipher), s.sum) {
		return nil, errPassword
	}
	text := bytes.Clone(s.cipher)
	if err := k.crypt(text); err != nil {
		return nil, err
	}
	if len(text) == 0 {
		return nil, errors.New("damaged: no padding")
	}
	pad := int(text[len(text)-1])
	if pad == 0 || pad > aes.BlockSize || pad > len(text) {
		return nil, errors.New("damaged: wrong padding")
	}
	return text[:len(text)-pad], nil
}

// keys are what a password and a salt give.
type keys struct{ cipher, mac, counter []byte }

func derive(password secret.Text, salt []byte) (*keys, error) {
	raw, err := pbkdf2.Key(sha256.New, password.Reveal(), salt, rounds, 2*keySize+aes.BlockSize)
	if err != nil {
		return nil, fmt.Errorf("make the key: %w", err)
	}
	return &keys{cipher: raw[:keySize], mac: raw[keySize : 2*keySize], counter: raw[2*keySize:]}, nil
}

func (k *keys) sum(text []byte) []byte {
	h := hmac.New(sha256.New, k.mac)
	h.Write(text)
	return h.Sum(nil)
}

// crypt encrypts or decrypts in place.
func (k *keys) crypt(text []byte) error {
	block, err := aes.NewCipher(k.cipher)
	if err != nil {
		return fmt.Errorf("make the cipher: %w", err)
	}
	cipher.NewCTR(block, k.counter).XORKeyStream(text, text)
	return nil
}
