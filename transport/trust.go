package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/hostlerhq/hostler/internal/sshkey"
)

// HostKey is a host's public key, as it offered it.
type HostKey struct {
	Type        string // "ssh-ed25519"
	Fingerprint string // "SHA256:…"
	Line        string // for known_hosts
	Known       bool   // the endpoint's files hold it already
	// Changed says that the files hold another key for the host: where, and what that may mean.
	Changed error

	key ssh.PublicKey
}

// trustTypes are the kinds of key that are asked for one by one, as ssh-keyscan does.
func trustTypes() [][]string {
	return [][]string{
		{ssh.KeyAlgoED25519},
		{ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521},
		{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256},
	}
}

// errEnough ends a handshake once the host key was seen: nothing is proven to the host, nobody logs in.
var errEnough = errors.New("host key seen")

// FetchHostKeys asks a host for its keys, one of each type that it has, without logging in. Jump hosts on the
// way are logged in to as ever, and their keys must be known. Errors: *UnreachableError.
func (p *Pool) FetchHostKeys(ctx context.Context, e Endpoint) ([]HostKey, error) {
	s, err := p.config.settings(e)
	if err != nil {
		return nil, &UnreachableError{Host: e.Name, Op: "read the ssh settings", Err: err}
	}
	check := &hostKeyCheck{store: p.known, s: s}
	db, err := p.known.load(check.files(), nil)
	if err != nil {
		return nil, &UnreachableError{Host: e.Name, Op: "read the ssh settings", Err: err}
	}
	var keys []HostKey
	for _, algorithms := range trustTypes() {
		key, err := p.fetchOne(ctx, s, e, algorithms)
		if err != nil {
			return nil, err
		}
		if key == nil {
			continue
		}
		k := HostKey{Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(key), Line: knownLine(s, key), key: key}
		err = check.judge(db, placeholderAddr(), key)
		k.Known = err == nil
		if err != nil && !errors.Is(err, errUnknownKey) {
			k.Changed = err
			if bad, ok := errors.AsType[*hostKeyError](err); ok {
				k.Changed = bad.unreachable(e.Name)
			}
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, &UnreachableError{Host: e.Name, Op: "handshake", Err: fmt.Errorf("%s: it has no host key of a safe type", s.address())}
	}
	return keys, nil
}

func placeholderAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4zero} }

// fetchOne gives the host's key for one of the algorithms; nil when it has none.
func (p *Pool) fetchOne(ctx context.Context, s *sshSettings, e Endpoint, algorithms []string) (ssh.PublicKey, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.connectTimeout, errConnectTimeout)
	defer cancel()
	fail := func(err error) error {
		err = timeoutOr(context.WithoutCancel(ctx), ctx, "connect", s, err)
		if u, ok := errors.AsType[*UnreachableError](err); ok {
			u.Host = e.Name
			return u
		}
		return &UnreachableError{Host: e.Name, Op: "handshake", Err: fmt.Errorf("%s: %w", s.address(), err)}
	}
	raw, release, err := p.stream(ctx, s, e)
	if err != nil {
		return nil, fail(err)
	}
	defer release()
	defer raw.Close()
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	var seen ssh.PublicKey
	_, _, _, err = ssh.NewClientConn(raw, s.knownName(), &ssh.ClientConfig{
		Config: safeAlgorithms(), User: s.user, HostKeyAlgorithms: algorithms, ClientVersion: clientVersion,
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error { seen = key; return errEnough },
	})
	if _, other := errors.AsType[*ssh.AlgorithmNegotiationError](err); seen == nil && !other {
		return nil, fail(err)
	}
	return seen, nil
}

// RecordHostKeys writes keys that FetchHostKeys gave into the endpoint's known_hosts file (the user's own, or
// the first of KnownHosts). It returns the file and how many were added: those that are known are not written
// again. A changed key is refused.
func (p *Pool) RecordHostKeys(e Endpoint, keys []HostKey) (file string, added int, err error) {
	s, err := p.config.settings(e)
	if err != nil {
		return "", 0, err
	}
	if len(s.userKnown) == 0 {
		return "", 0, fmt.Errorf("record host keys of %s: UserKnownHostsFile is none", s.name)
	}
	defer p.known.forget()
	file = s.userKnown[0]
	for _, k := range keys {
		if k.Changed != nil {
			return file, added, k.Changed
		}
		wrote := false
		err := appendLocked(file, k.Line, func() (bool, error) {
			db, err := readKnown([]string{file})
			if err != nil {
				return false, err
			}
			wrote = !holdsKey(db, s.knownName(), k.key)
			return wrote, nil
		})
		if err != nil {
			return file, added, err
		}
		if wrote {
			added++
		}
	}
	return file, added, nil
}

func holdsKey(db *knownDB, name string, key ssh.PublicKey) bool {
	return db.HostKeyCallback()(name, placeholderAddr(), key) == nil
}

// installScript appends the key $1 (its blob is $2) to authorized_keys in the home folder: atomically, once, and
// with the modes that sshd asks for. The file is a symbolic link on some hosts, which stays one.
const installScript = `umask 077
d=$HOME/.ssh
[ -d "$d" ] || mkdir "$d" || exit 1
chmod 700 "$d" || exit 1
f=$d/authorized_keys
[ ! -L "$f" ] || f=$(cd "$d" && readlink -f authorized_keys) || exit 1
if [ -f "$f" ] && grep -v '^[[:space:]]*#' "$f" | grep -qF -e "$2"; then
	chmod 600 "$f" && echo present
	exit
fi
t=$f.hostler.$$
trap 'rm -f "$t"' EXIT
if [ -f "$f" ]; then
	cat "$f" >"$t" || exit 1
	[ -z "$(tail -c1 "$f")" ] || echo >>"$t" || exit 1
fi
printf '%s\n' "$1" >>"$t" || exit 1
chmod 600 "$t" && { sync "$t" 2>/dev/null || :; } && mv -f "$t" "$f" && { command -v restorecon >/dev/null && restorecon -R "$d"; echo added; }`

// InstallKey adds a public key, a line of a .pub file, to the authorized_keys of the user that c is. added is
// false when it was there already.
func InstallKey(ctx context.Context, c Conn, publicKey string) (added bool, err error) {
	line := strings.TrimSpace(publicKey)
	key, err := sshkey.ParsePublic(line)
	if err != nil {
		return false, err
	}
	out, err := c.Exec(ctx, Command{Script: installScript, Args: []string{line, key.Blob}})
	if err != nil {
		return false, fmt.Errorf("install a public key: %w", err)
	}
	switch got := strings.TrimSpace(string(out.Stdout)); got {
	case "added":
		return true, nil
	case "present":
		return false, nil
	default:
		return false, fmt.Errorf("install a public key: the host said %q", got)
	}
}
