package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/hostlerhq/hostler/internal/secret"
)

// authBudget is how many refused attempts one connection makes. OpenSSH hangs up at the sixth
// (MaxAuthTries); what is left to try goes on over a new connection.
const authBudget = 5

// errMoreToTry says that the budget is used up and a new connection may go on.
var errMoreToTry = errors.New("more keys to try on another connection")

// authenticator logs one endpoint in. It lives across the connections that take.
type authenticator struct {
	ctx      context.Context
	s        *sshSettings
	password secret.Text
	ring     *keyRing
	prompt   promptFunc
	asking   func() (answered func()) // stops the clock of the connection being made

	keys      []candidate
	next      int
	methods   []string // those not used up
	attempted int      // of this connection

	tried   []string // for messages
	skipped []string // keys that could not be offered, and why
	allowed []string // the server's list
	partial bool
}

// candidate is a key to offer.
type candidate struct {
	signer ssh.Signer
	label  string
}

// newAuthenticator gathers the keys: those given, the agent's, then ssh's own.
func newAuthenticator(ctx context.Context, s *sshSettings, e Endpoint, p *Pool) *authenticator {
	a := &authenticator{ctx: ctx, s: s, password: e.Password, ring: p.keys, prompt: p.opts.Prompt}
	a.methods = slices.Clone(s.methods)
	if slices.Contains(a.methods, "publickey") {
		a.gather(p)
	}
	a.orderMethods(len(s.identityFiles) > 0)
	return a
}

// orderMethods puts a given password before keys that nobody named: each refused key costs a
// round trip and one of the server's few tries. PreferredAuthentications is the user's own order.
func (a *authenticator) orderMethods(keysNamed bool) {
	if a.password.IsZero() || keysNamed || !slices.Equal(a.methods, []string{"publickey", "keyboard-interactive", "password"}) {
		return
	}
	a.methods = []string{"password", "keyboard-interactive", "publickey"}
}

func (a *authenticator) gather(p *Pool) {
	var agentKeys []ssh.Signer
	if a.s.identityAgent != "" {
		keys, err := p.agents.signers(a.ctx, a.s.identityAgent)
		if err != nil {
			a.skipped = append(a.skipped, err.Error())
		}
		agentKeys = keys
	}
	fromAgent := func(key ssh.PublicKey) ssh.Signer {
		for _, s := range agentKeys {
			if bytes.Equal(s.PublicKey().Marshal(), key.Marshal()) {
				return s
			}
		}
		return nil
	}
	seen := map[string]bool{}
	add := func(s ssh.Signer, label string) {
		id := string(s.PublicKey().Marshal())
		if !seen[id] {
			seen[id] = true
			a.keys = append(a.keys, candidate{s, label})
		}
	}
	files := func(paths []string, named bool) {
		for _, path := range paths {
			a.addFile(path, named, fromAgent, add)
		}
	}
	files(a.s.identityFiles, true)
	if !a.s.identitiesOnly {
		for _, s := range agentKeys {
			add(s, "agent key "+ssh.FingerprintSHA256(s.PublicKey()))
		}
	}
	files(a.s.defaultKeys, false)
}

// addFile offers a key file, first under its certificates.
func (a *authenticator) addFile(path string, named bool, fromAgent func(ssh.PublicKey) ssh.Signer, add func(ssh.Signer, string)) {
	key := a.ring.file(path)
	if err := key.load(a.ctx); err != nil {
		if named {
			a.skipped = append(a.skipped, err.Error())
		}
		return
	}
	var signer ssh.MultiAlgorithmSigner = lazySigner{
		ctx: a.ctx, key: key,
		failed: func(err error) { a.skipped = append(a.skipped, err.Error()) },
		asking: func() func() { return a.asking() },
	}
	if s, ok := fromAgent(key.public).(ssh.AlgorithmSigner); ok {
		signer = multi{s}
	} else if _, isPublic := key.public.(*ssh.Certificate); isPublic {
		return
	}
	for _, certPath := range append(slices.Clone(a.s.certificateFiles), path+"-cert.pub") {
		cert := certificate(certPath)
		if cert != nil && bytes.Equal(cert.Key.Marshal(), key.public.Marshal()) {
			add(certSigner{cert, signer}, "certificate "+certPath)
		}
	}
	add(signer, "key "+path)
}

// begin starts over on a new connection with what was not tried yet.
func (a *authenticator) begin() {
	a.attempted = 0
}

// choose is the ssh.ClientAuthCallback: it names the next attempt.
func (a *authenticator) choose(c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	a.allowed = c.AllowedMethods
	a.partial = len(c.PartialSuccessMethods) > 0
	for len(a.methods) > 0 {
		method := a.methods[0]
		if !slices.Contains(c.AllowedMethods, method) {
			if !slices.ContainsFunc(a.methods, func(m string) bool { return slices.Contains(c.AllowedMethods, m) }) {
				return nil, a.denied()
			}
			a.methods = append(a.methods[1:], method) // perhaps after a partial success
			continue
		}
		if a.attempted >= authBudget {
			return nil, errMoreToTry
		}
		if auth := a.attempt(method); auth != nil {
			a.attempted++
			return auth, nil
		}
		a.methods = a.methods[1:]
	}
	return nil, a.denied()
}

// attempt makes the next attempt of a method; nil when it is used up.
func (a *authenticator) attempt(method string) ssh.AuthMethod {
	switch method {
	case "publickey":
		if a.next == len(a.keys) {
			return nil
		}
		k := a.keys[a.next]
		a.next++
		a.tried = append(a.tried, k.label)
		return ssh.PublicKeys(k.signer)
	case "password":
		if a.password.IsZero() || a.refusedAs("keyboard-interactive") {
			return nil
		}
		a.methods = a.methods[1:]
		a.tried = append(a.tried, "password")
		return ssh.Password(a.password.Reveal())
	case "keyboard-interactive":
		if a.prompt == nil && (a.password.IsZero() || a.refusedAs("password")) {
			return nil
		}
		a.methods = a.methods[1:]
		a.tried = append(a.tried, "keyboard-interactive")
		return ssh.KeyboardInteractive(a.answer())
	}
	return nil
}

// refusedAs reports whether the password failed already in another guise: trying it twice gains
// nothing and counts twice where accounts lock.
func (a *authenticator) refusedAs(method string) bool {
	return !a.partial && slices.Contains(a.tried, method)
}

// answer gives the password to the first lone hidden question and asks the user everything else.
func (a *authenticator) answer() ssh.KeyboardInteractiveChallenge {
	given := a.password.IsZero()
	return func(name, instruction string, questions []string, echos []bool) ([]string, error) {
		answers := make([]string, len(questions))
		for i, question := range questions {
			if len(questions) == 1 && !echos[i] && !given {
				given = true
				answers[i] = a.password.Reveal()
				continue
			}
			if a.prompt == nil {
				return nil, fmt.Errorf("the host asks %q and there is nobody to answer", strings.TrimSpace(question))
			}
			text := strings.TrimSpace(strings.Join([]string{name, instruction}, " "))
			if text != "" {
				text += "\n"
			}
			answered := a.asking()
			answer, err := a.prompt(a.ctx, fmt.Sprintf("%s(%s@%s) %s", text, a.s.user, a.s.name, question), echos[i])
			answered()
			if err != nil {
				return nil, err
			}
			answers[i] = answer.Reveal()
		}
		return answers, nil
	}
}

// more reports whether a new connection could try what this one did not.
func (a *authenticator) more() bool {
	return len(a.methods) > 0 && (a.methods[0] != "publickey" || a.next < len(a.keys) || len(a.methods) > 1)
}

// deniedError is a login that the host refused.
type deniedError struct {
	text, hint string
}

func (e *deniedError) Error() string { return e.text }

// denied says what was tried and what to do.
func (a *authenticator) denied() *deniedError {
	text := fmt.Sprintf("%s@%s: Permission denied (%s)", a.s.user, a.s.host, strings.Join(a.allowed, ","))
	if len(a.tried) > 0 {
		text += "; refused: " + strings.Join(a.tried, ", ")
	} else {
		text += "; there was nothing to try"
	}
	if len(a.skipped) > 0 {
		text += "; not offered: " + strings.Join(a.skipped, "; ")
	}
	return &deniedError{text, a.advice()}
}

func (a *authenticator) advice() string {
	if len(a.tried) == 0 && len(a.skipped) > 0 {
		return "check the key: ansible_ssh_private_key_file, --private-key or IdentityFile name it; or " + a.otherAdvice()
	}
	return a.otherAdvice()
}

func (a *authenticator) otherAdvice() string {
	switch takesPassword := slices.Contains(a.allowed, "password") || slices.Contains(a.allowed, "keyboard-interactive"); {
	case a.partial:
		return "the host wants a further proof after the first one: " + strings.Join(a.allowed, ", ")
	case a.password.IsZero() && takesPassword:
		return fmt.Sprintf("install a public key with a password login: hostler trust --install-key %s; or give a password with --ask-pass", a.s.name)
	case !a.password.IsZero() && !takesPassword:
		return "the host takes no passwords; offer a key with --private-key or an ssh-agent"
	case !a.password.IsZero():
		return "the password may be wrong, the account locked or root logins forbidden (PermitRootLogin); the host's auth log says which"
	default:
		return "offer a key that the host knows with --private-key or an ssh-agent"
	}
}
