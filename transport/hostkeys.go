package transport

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// hostKeyError is a host key that was refused. Its text stands alone; hint says what to do.
type hostKeyError struct {
	text, hint string
}

func (e *hostKeyError) Error() string { return e.text }

// knownStore reads known_hosts files once and records new keys.
type knownStore struct {
	mu  sync.Mutex
	dbs map[string]*knownhosts.HostKeyDB // by the files' names
}

// load parses the files that exist.
func (k *knownStore) load(files []string) (*knownhosts.HostKeyDB, error) {
	key := strings.Join(files, "\x00")
	k.mu.Lock()
	defer k.mu.Unlock()
	if db := k.dbs[key]; db != nil {
		return db, nil
	}
	db, err := readKnown(files)
	if err != nil {
		return nil, err
	}
	if k.dbs == nil {
		k.dbs = map[string]*knownhosts.HostKeyDB{}
	}
	k.dbs[key] = db
	return db, nil
}

// forget makes the next load read the files again.
func (k *knownStore) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dbs = nil
}

func readKnown(files []string) (*knownhosts.HostKeyDB, error) {
	var there []string
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && !info.IsDir() {
			there = append(there, f)
		}
	}
	db, err := knownhosts.NewDB(there...)
	if err != nil {
		return nil, fmt.Errorf("read known hosts: %w", err)
	}
	return db, nil
}

// hostKeyCheck checks one endpoint's host key.
type hostKeyCheck struct {
	store *knownStore
	s     *sshSettings
}

func (c *hostKeyCheck) files() []string { return slices.Concat(c.s.userKnown, c.s.globalKnown) }

// algorithms puts the key types that the files have for the host first, so that the host shows one we can check.
func (c *hostKeyCheck) algorithms() ([]string, error) {
	safe := safeHostKeys()
	if c.s.checking == "off" {
		return safe, nil
	}
	db, err := c.store.load(c.files())
	if err != nil {
		return nil, err
	}
	var first []string
	for _, a := range db.HostKeyAlgorithms(c.s.knownName()) {
		if slices.Contains(safe, a) {
			first = append(first, a)
		}
	}
	for _, a := range safe {
		if !slices.Contains(first, a) {
			first = append(first, a)
		}
	}
	return first, nil
}

// safeHostKeys are the host key algorithms we accept, today's first.
func safeHostKeys() []string {
	all := ssh.SupportedAlgorithms().HostKeys
	preferred := []string{ssh.CertAlgoED25519v01, ssh.KeyAlgoED25519}
	rest := slices.DeleteFunc(slices.Clone(all), func(a string) bool { return slices.Contains(preferred, a) })
	// Plain keys before certificates would hide a @cert-authority line; the files' own order comes first anyway.
	return append(preferred, rest...)
}

// check is the ssh.HostKeyCallback.
func (c *hostKeyCheck) check(_ string, remote net.Addr, key ssh.PublicKey) error {
	if c.s.checking == "off" {
		return nil
	}
	db, err := c.store.load(c.files())
	if err != nil {
		return err
	}
	err = c.judge(db, remote, key)
	if err == nil || c.s.checking != "accept-new" || !errors.Is(err, errUnknownKey) {
		return c.explain(err, key)
	}
	return c.explain(c.store.accept(c, remote, key), key)
}

// errUnknownKey says that the files hold no key of the host.
var errUnknownKey = errors.New("host key is not known")

// judge asks the files. Its errors: errUnknownKey, *hostKeyError.
func (c *hostKeyCheck) judge(db *knownhosts.HostKeyDB, remote net.Addr, key ssh.PublicKey) error {
	err := db.HostKeyCallback()(c.s.knownName(), remote, key)
	if err == nil {
		return nil
	}
	if revoked, ok := errors.AsType[*xknownhosts.RevokedError](err); ok {
		return &hostKeyError{
			text: fmt.Sprintf("host key %s is revoked by %s:%d", describeKey(key), revoked.Revoked.Filename, revoked.Revoked.Line),
			hint: "somebody may be posing as this host; do not connect before you know why the key was revoked",
		}
	}
	mismatch, ok := errors.AsType[*xknownhosts.KeyError](err)
	if !ok {
		return &hostKeyError{text: fmt.Sprintf("host key %s: %v", describeKey(key), err)}
	}
	plain := c.plainKeys(db, mismatch.Want)
	if len(plain) == 0 {
		return errUnknownKey
	}
	return c.changed(plain, key)
}

// plainKeys leaves certificate authorities out: a host that shows no certificate is unknown, not changed.
func (c *hostKeyCheck) plainKeys(db *knownhosts.HostKeyDB, want []xknownhosts.KnownKey) []xknownhosts.KnownKey {
	authority := map[string]bool{}
	for _, k := range db.HostKeys(c.s.knownName()) {
		if k.Cert {
			authority[string(k.Marshal())] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(want), func(k xknownhosts.KnownKey) bool {
		return authority[string(k.Key.Marshal())]
	})
}

func (c *hostKeyCheck) changed(want []xknownhosts.KnownKey, key ssh.PublicKey) error {
	old := want[0]
	for _, k := range want {
		if k.Key.Type() == key.Type() {
			old = k
			break
		}
	}
	name := knownhosts.Normalize(c.s.knownName())
	return &hostKeyError{
		text: fmt.Sprintf("host key changed: %s:%d has %s, the host offers %s", old.Filename, old.Line, describeKey(old.Key), describeKey(key)),
		hint: fmt.Sprintf("if the host was installed anew, remove the old key: ssh-keygen -f %s -R '%s', then: hostler trust %s; "+
			"otherwise somebody may be posing as this host", old.Filename, name, c.s.name),
	}
}

func (c *hostKeyCheck) explain(err error, key ssh.PublicKey) error {
	if !errors.Is(err, errUnknownKey) {
		return err
	}
	return &hostKeyError{
		text: fmt.Sprintf("host key %s of %s is not known", describeKey(key), knownhosts.Normalize(c.s.knownName())),
		hint: fmt.Sprintf("compare the fingerprint with the host's, then record it: hostler trust %s", c.s.name),
	}
}

// describeKey is a key's type and SHA-256 fingerprint, as ssh-keygen -l shows it.
func describeKey(key ssh.PublicKey) string {
	if cert, ok := key.(*ssh.Certificate); ok {
		return fmt.Sprintf("%s %s (certificate %q)", cert.Key.Type(), ssh.FingerprintSHA256(cert.Key), cert.KeyId)
	}
	return key.Type() + " " + ssh.FingerprintSHA256(key)
}
