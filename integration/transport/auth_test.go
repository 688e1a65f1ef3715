//go:build integration

package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/internal/sshkey"
	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/transport/transporttest"
)

// newKey writes a new key into a folder of the test's own.
func newKey(t *testing.T, phrase string) (sshkey.Pair, string) {
	t.Helper()
	pair, err := sshkey.Generate("test", secret.New(phrase))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "id")
	if err := os.WriteFile(file, []byte(pair.Private.Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	return pair, file
}

func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// TestEncryptedKeyAsksOnce: many hosts, one question.
func TestEncryptedKeyAsksOnce(t *testing.T) {
	pair, file := newKey(t, "open sesame")
	users := []transporttest.SSHDUser{{Name: "u1", Keys: []string{pair.Public}}, {Name: "u2", Keys: []string{pair.Public}}, {Name: "u3", Keys: []string{pair.Public}}}
	s := transporttest.SSHD(t, transporttest.SSHDOptions{Users: users})
	var asked atomic.Int32
	answers := []string{"wrong", "open sesame"}
	p := newPool(t, transport.PoolOptions{Prompt: func(_ context.Context, question string, echo bool) (secret.Text, error) {
		if echo || !strings.Contains(question, file) {
			t.Errorf("asked %q, echo %v", question, echo)
		}
		n := int(asked.Add(1))
		if n > len(answers) {
			return secret.Text{}, errors.New("asked too often")
		}
		return secret.New(answers[n-1]), nil
	}})
	errs := make(chan error)
	for _, u := range users {
		go func() {
			e := endpoint(s, u.Name)
			e.KeyFiles = []string{file}
			c, err := p.Open(limited(t), e, transport.Become{})
			if err == nil {
				err = c.Close()
			}
			errs <- err
		}()
	}
	for range users {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("asked %d times, want 2: a wrong answer and the right one", n)
	}
	e := endpoint(s, "u1")
	e.KeyFiles = []string{file}
	_, err := newPool(t, transport.PoolOptions{}).Open(limited(t), e, transport.Become{})
	if err == nil || !strings.Contains(err.Error(), "encrypted and there is nobody to ask") {
		t.Errorf("without a prompt: %v", err)
	}
}

func TestKeyboardInteractive(t *testing.T) {
	s := transporttest.SSHD(t, transporttest.SSHDOptions{
		Users:  []transporttest.SSHDUser{{Name: "ann", Password: "correct horse"}},
		Config: []string{"PasswordAuthentication no", "KbdInteractiveAuthentication yes"},
	})
	says(t, open(t, newPool(t, transport.PoolOptions{}), passwordOnly(s, "ann", "correct horse"), transport.Become{}), "ann\n", "id", "-un")

	p := newPool(t, transport.PoolOptions{Prompt: func(_ context.Context, question string, echo bool) (secret.Text, error) {
		if echo || !strings.Contains(question, "Password:") {
			t.Errorf("asked %q, echo %v", question, echo)
		}
		return secret.New("correct horse"), nil
	}})
	says(t, open(t, p, passwordOnly(s, "ann", ""), transport.Become{}), "ann\n", "id", "-un")
}

// TestTwoFactors: the server wants a key and then the password.
func TestTwoFactors(t *testing.T) {
	s := transporttest.SSHD(t, transporttest.SSHDOptions{
		Users:  []transporttest.SSHDUser{{Name: "ann", Password: "correct horse"}},
		Config: []string{"AuthenticationMethods publickey,password"},
	})
	e := endpoint(s, "ann")
	e.Password = secret.New("correct horse")
	says(t, open(t, newPool(t, transport.PoolOptions{}), e, transport.Become{}), "ann\n", "id", "-un")
}

func TestCertificates(t *testing.T) {
	_, userCA := newKey(t, "")
	_, key := newKey(t, "")
	caPublic := tool(t, "ssh-keygen", "-y", "-f", userCA)
	public := key + ".pub"
	if err := os.WriteFile(public, []byte(tool(t, "ssh-keygen", "-y", "-f", key)), 0o600); err != nil {
		t.Fatal(err)
	}
	tool(t, "ssh-keygen", "-q", "-s", userCA, "-I", "ann's", "-n", "ann", public)
	caFile := filepath.Join(t.TempDir(), "ca.pub")
	if err := os.WriteFile(caFile, []byte(caPublic), 0o644); err != nil {
		t.Fatal(err)
	}
	s := transporttest.SSHD(t, transporttest.SSHDOptions{
		Users:  []transporttest.SSHDUser{{Name: "ann"}},
		Config: []string{"TrustedUserCAKeys /etc/ssh/user_ca.pub"},
		Setup:  "cp " + caFile + " /etc/ssh/user_ca.pub; rm /home/ann/.ssh/authorized_keys",
	})
	e := endpoint(s, "ann")
	e.KeyFiles = []string{key}
	says(t, open(t, newPool(t, transport.PoolOptions{}), e, transport.Become{}), "ann\n", "id", "-un")
}

// TestAgent: the agent holds more keys than the server's MaxAuthTries, the right one last.
func TestAgent(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "agent")
	agent := exec.Command("ssh-agent", "-D", "-a", socket)
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = agent.Process.Kill(); _ = agent.Wait() })
	for {
		if _, err := os.Stat(socket); err == nil {
			break
		}
	}
	t.Setenv("SSH_AUTH_SOCK", socket)
	var last sshkey.Pair
	for range 9 {
		pair, file := newKey(t, "")
		tool(t, "ssh-add", "-q", file)
		last = pair
	}
	s := transporttest.SSHD(t, transporttest.SSHDOptions{Users: []transporttest.SSHDUser{{Name: "ann", Keys: []string{last.Public}}}})
	e := endpoint(s, "ann")
	e.KeyFiles = nil
	says(t, open(t, newPool(t, transport.PoolOptions{}), e, transport.Become{}), "ann\n", "id", "-un")
	e.Args = append(e.Args, "-A")
	out := open(t, newPool(t, transport.PoolOptions{}), e, transport.Become{})
	got, err := out.Exec(limited(t), transport.Command{Raw: "ssh-add -l | wc -l"})
	if err != nil || strings.TrimSpace(string(got.Stdout)) != "9" {
		t.Errorf("the forwarded agent shows %q, %v; want 9 keys", got.Stdout, err)
	}
	e.Args = []string{"-F", "none", "-o", "IdentitiesOnly=yes", "-o", "IdentityFile=" + fmt.Sprint(s.KeyFile)}
	says(t, open(t, newPool(t, transport.PoolOptions{}), e, transport.Become{}), "ann\n", "id", "-un")
}
