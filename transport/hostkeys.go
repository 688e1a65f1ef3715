package transport

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// hostKeyError is a host key that was refused. Its text stands alone; hint says what to do.
type hostKeyError struct {
	text, hint string
}

func (e *hostKeyError) Error() string { return e.text }

func (e *hostKeyError) unreachable(host string) *UnreachableError {
	return &UnreachableError{Host: host, Op: "check the host key", Err: e, Hint: e.hint}
}

// hostKeyCheck checks one endpoint's host key.
type hostKeyCheck struct {
	store *knownStore
	s     *sshSettings
	log   func(event string)
}

func (c *hostKeyCheck) files() []string { return slices.Concat(c.s.userKnown, c.s.globalKnown) }

// algorithms puts the key types that the files have for the host first, so that the host shows one we can check.
func (c *hostKeyCheck) algorithms() ([]string, error) {
	safe := safeHostKeys()
	if c.s.checking == "off" {
		return safe, nil
	}
	db, err := c.store.load(c.files(), c.log)
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
	db, err := c.store.load(c.files(), c.log)
	if err != nil {
		return err
	}
	err = c.judge(db, remote, key)
	if errors.Is(err, errUnknownKey) && c.s.checking == "accept-new" {
		err = c.store.accept(c, remote, key)
	}
	return c.explain(db, err, key)
}

// errUnknownKey says that the files hold no key of the host.
var errUnknownKey = errors.New("host key is not known")

// judge asks the files. Its errors: errUnknownKey, *hostKeyError.
func (c *hostKeyCheck) judge(db *knownDB, remote net.Addr, key ssh.PublicKey) error {
	err := db.HostKeyCallback()(c.s.knownName(), remote, key)
	if err == nil {
		return nil
	}
	if revoked, ok := errors.AsType[*xknownhosts.RevokedError](err); ok {
		return &hostKeyError{
			text: fmt.Sprintf("host key %s is revoked by %s:%d", describeKey(key), db.file(revoked.Revoked.Filename), revoked.Revoked.Line),
			hint: "somebody may be posing as this host; do not connect before you know why the key was revoked",
		}
	}
	mismatch, ok := errors.AsType[*xknownhosts.KeyError](err)
	if cert, isCert := key.(*ssh.Certificate); isCert && !ok {
		if !c.hasAuthority(db, cert.SignatureKey) {
			return c.judge(db, remote, cert.Key) // as ssh does: without its authority a certificate is a plain key
		}
		return &hostKeyError{
			text: fmt.Sprintf("host key %s: %v", describeKey(key), err),
			hint: "the certificate must hold for the host's name, and now; HostKeyAlias gives the name that it holds for",
		}
	}
	if !ok {
		return &hostKeyError{text: fmt.Sprintf("host key %s: %v", describeKey(key), err)}
	}
	plain := c.plainKeys(db, mismatch.Want)
	if len(plain) == 0 {
		return errUnknownKey
	}
	return c.changed(db, plain, key)
}

// hasAuthority reports whether the files let an authority certify the host.
func (c *hostKeyCheck) hasAuthority(db *knownDB, authority ssh.PublicKey) bool {
	return slices.ContainsFunc(db.HostKeys(c.s.knownName()), func(k knownhosts.PublicKey) bool {
		return k.Cert && bytes.Equal(k.Marshal(), authority.Marshal())
	})
}

// plainKeys leaves certificate authorities out: a host that shows no certificate is unknown, not changed.
func (c *hostKeyCheck) plainKeys(db *knownDB, want []xknownhosts.KnownKey) []xknownhosts.KnownKey {
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

func (c *hostKeyCheck) changed(db *knownDB, want []xknownhosts.KnownKey, key ssh.PublicKey) error {
	old := want[0]
	for _, k := range want {
		if k.Key.Type() == key.Type() {
			old = k
			break
		}
	}
	name, file := knownhosts.Normalize(c.s.knownName()), db.file(old.Filename)
	return &hostKeyError{
		text: fmt.Sprintf("host key changed: %s:%d has %s, the host offers %s", file, old.Line, describeKey(old.Key), describeKey(key)),
		hint: fmt.Sprintf("if the host was installed anew, remove the old key: ssh-keygen -f %s -R '%s', then: hostler trust %s; "+
			"otherwise somebody may be posing as this host", file, name, c.s.name),
	}
}

func (c *hostKeyCheck) explain(db *knownDB, err error, key ssh.PublicKey) error {
	if !errors.Is(err, errUnknownKey) {
		return err
	}
	skipped := ""
	if len(db.skipped) > 0 {
		skipped = "; not readable and skipped: " + strings.Join(db.skipped[:min(3, len(db.skipped))], ", ")
	}
	return &hostKeyError{
		text: fmt.Sprintf("host key %s of %s is not known%s", describeKey(key), knownhosts.Normalize(c.s.knownName()), skipped),
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
