// Package sshkey makes and reads SSH keys, for packages that speak no SSH themselves.
// Its main type is Pair. It stores nothing.
package sshkey

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/hostlerhq/hostler/internal/secret"
)

// Pair is a key: its private half as OpenSSH writes it into a file, and its public half as a
// line of authorized_keys without the newline.
type Pair struct {
	Private secret.Text
	Public  string
}

// Generate makes an Ed25519 key. A passphrase that is not zero encrypts the private half.
func Generate(comment string, passphrase secret.Text) (Pair, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Pair{}, fmt.Errorf("make a key: %w", err)
	}
	block, err := marshal(private, comment, passphrase)
	if err != nil {
		return Pair{}, fmt.Errorf("make a key: %w", err)
	}
	line, err := ssh.NewPublicKey(public)
	if err != nil {
		return Pair{}, fmt.Errorf("make a key: %w", err)
	}
	text := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(line)))
	return Pair{Private: secret.New(string(pem.EncodeToMemory(block))), Public: strings.TrimSpace(text + " " + comment)}, nil
}

func marshal(private crypto.PrivateKey, comment string, passphrase secret.Text) (*pem.Block, error) {
	if passphrase.IsZero() {
		return ssh.MarshalPrivateKey(private, comment)
	}
	return ssh.MarshalPrivateKeyWithPassphrase(private, comment, []byte(passphrase.Reveal()))
}

// Public is a public key as it was read.
type Public struct {
	Type        string // "ssh-ed25519"
	Fingerprint string // "SHA256:…"
	Blob        string // type and base64, without options and comment
	Comment     string
}

// ParsePublic reads one line of a .pub or authorized_keys file.
func ParsePublic(line string) (Public, error) {
	key, comment, _, rest, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return Public{}, fmt.Errorf("read a public key: %w", err)
	}
	if strings.TrimSpace(string(rest)) != "" {
		return Public{}, fmt.Errorf("read a public key: more than one line")
	}
	return Public{
		Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(key), Comment: comment,
		Blob: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))),
	}, nil
}
