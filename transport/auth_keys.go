package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/hostlerhq/hostler/internal/secret"
)

// promptFunc asks the user; nil means that nobody can be asked.
type promptFunc func(ctx context.Context, question string, echo bool) (secret.Text, error)

// keyRing reads private keys once for all hosts, and asks for a key's passphrase once.
type keyRing struct {
	prompt promptFunc

	mu   sync.Mutex
	keys map[string]*keyFile
}

// keyFile is one private key. Its public half is known without the passphrase, but for old formats.
type keyFile struct {
	path string
	ring *keyRing

	once   sync.Once
	public ssh.PublicKey
	err    error // cannot be used at all

	mu     sync.Mutex
	signer ssh.AlgorithmSigner // nil until decrypted
	locked error               // the passphrase could not be had
}

// file gives the key of a path.
func (r *keyRing) file(path string) *keyFile {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys == nil {
		r.keys = map[string]*keyFile{}
	}
	k := r.keys[path]
	if k == nil {
		k = &keyFile{path: path, ring: r}
		r.keys[path] = k
	}
	return k
}

// load reads the key, or what of it needs no passphrase.
func (k *keyFile) load(ctx context.Context) error {
	k.once.Do(func() { k.err = k.read(ctx) })
	return k.err
}

func (k *keyFile) read(ctx context.Context) error {
	text, err := os.ReadFile(k.path)
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(text)
	if err == nil {
		return k.adopt(signer)
	}
	missing, encrypted := errors.AsType[*ssh.PassphraseMissingError](err)
	if !encrypted {
		// ssh also takes a public key here: its private half is in the agent.
		if public, _, _, _, perr := ssh.ParseAuthorizedKey(text); perr == nil {
			k.public, k.locked = public, errors.New("only its public half is in the file")
			return nil
		}
		return fmt.Errorf("key %s: %w", k.path, err)
	}
	k.public = missing.PublicKey
	if k.public == nil {
		if pub, err := os.ReadFile(k.path + ".pub"); err == nil {
			k.public, _, _, _, _ = ssh.ParseAuthorizedKey(pub)
		}
	}
	if k.public == nil { // an old PEM file without its .pub: nothing can be offered before it is open
		signer, err := k.open(ctx)
		if err != nil {
			return err
		}
		k.public = signer.PublicKey()
	}
	return nil
}

func (k *keyFile) adopt(signer ssh.Signer) error {
	as, ok := signer.(ssh.AlgorithmSigner)
	if !ok {
		return fmt.Errorf("key %s: of a kind that cannot sign", k.path)
	}
	k.signer, k.public = as, signer.PublicKey()
	return nil
}

// open decrypts the key, asking for the passphrase. Whoever comes while another is asked waits for that answer.
func (k *keyFile) open(ctx context.Context) (ssh.AlgorithmSigner, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.signer != nil || k.locked != nil {
		return k.signer, k.locked
	}
	if k.ring.prompt == nil {
		k.locked = fmt.Errorf("key %s is encrypted and there is nobody to ask for its passphrase", k.path)
		return nil, k.locked
	}
	text, err := os.ReadFile(k.path)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	question := fmt.Sprintf("Enter passphrase for key '%s': ", k.path)
	for range 3 {
		phrase, err := k.ring.prompt(ctx, question, false)
		if err != nil {
			if ctx.Err() == nil {
				k.locked = fmt.Errorf("key %s: %w", k.path, err)
			}
			return nil, fmt.Errorf("key %s: %w", k.path, err)
		}
		if phrase.IsZero() {
			break
		}
		signer, err := ssh.ParsePrivateKeyWithPassphrase(text, []byte(phrase.Reveal()))
		if err == nil {
			return k.signer, k.adopt(signer)
		}
		question = fmt.Sprintf("Wrong passphrase. Enter passphrase for key '%s': ", k.path)
	}
	k.locked = fmt.Errorf("key %s: its passphrase was not given", k.path)
	return nil, k.locked
}

// lazySigner offers a key and opens it only when the host wants it.
type lazySigner struct {
	ctx    context.Context // of the connection being made: Sign has none of its own
	key    *keyFile
	failed func(error)              // told when the key cannot be opened
	asking func() (answered func()) // stops the connect timeout while the user may type
}

func (s lazySigner) PublicKey() ssh.PublicKey { return s.key.public }

func (s lazySigner) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return s.SignWithAlgorithm(rand, data, "")
}

func (s lazySigner) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	answered := s.asking()
	signer, err := s.key.open(s.ctx)
	answered()
	if err != nil {
		s.failed(err)
		return nil, err
	}
	return signer.SignWithAlgorithm(rand, data, algorithm)
}

// Algorithms keeps SHA-1 signatures from ever being made with an RSA key.
func (s lazySigner) Algorithms() []string { return signatureAlgorithms(s.key.public) }

func signatureAlgorithms(key ssh.PublicKey) []string {
	if cert, ok := key.(*ssh.Certificate); ok {
		key = cert.Key
	}
	if key.Type() == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{key.Type()}
}

// certificate reads a certificate file; a plain public key or none is nil.
func certificate(path string) *ssh.Certificate {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(strings.TrimSpace(string(text))))
	if err != nil {
		return nil
	}
	cert, _ := key.(*ssh.Certificate)
	return cert
}

// certSigner signs with a key under its certificate.
type certSigner struct {
	cert *ssh.Certificate
	ssh.MultiAlgorithmSigner
}

func (s certSigner) PublicKey() ssh.PublicKey { return s.cert }

// multi makes a signer choose among its safe algorithms.
type multi struct{ ssh.AlgorithmSigner }

func (m multi) Algorithms() []string { return signatureAlgorithms(m.PublicKey()) }
