package practice

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// Farm is several practice hosts with one key that may log in to all of them.
type Farm struct {
	Names   []string
	Servers []*Server
	// Key is the file with the private key, KnownHosts the one with the hosts' keys.
	Key, KnownHosts string
}

// StartFarm starts a host for each name, with its home folder and all other files below dir, which must exist. Each
// host takes its options from each, but for Home and Keys. After an error nothing is left running.
func StartFarm(dir string, names []string, each Options) (*Farm, error) {
	f := &Farm{Names: names, Key: filepath.Join(dir, "key"), KnownHosts: filepath.Join(dir, "known_hosts")}
	public, err := writeKey(f.Key)
	if err != nil {
		return nil, err
	}
	each.Keys = []ssh.PublicKey{public}
	var known strings.Builder
	for _, name := range names {
		each.Home = filepath.Join(dir, "home", name)
		if err := os.MkdirAll(each.Home, 0o700); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		s, err := Start(each)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		f.Servers = append(f.Servers, s)
		fmt.Fprintln(&known, knownhosts.Line([]string{s.Addr().String()}, s.HostKey()))
	}
	if err := os.WriteFile(f.KnownHosts, []byte(known.String()), 0o600); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Inventory is an INI inventory of the hosts in one group. Nothing of the user's own SSH configuration is used.
func (f *Farm) Inventory(group string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[%s]\n", group)
	for i, name := range f.Names {
		fmt.Fprintf(&b, "%s ansible_port=%d\n", name, f.Servers[i].Addr().Port)
	}
	fmt.Fprintf(&b, "\n[%s:vars]\nansible_host=127.0.0.1\nansible_ssh_private_key_file=%s\n", group, f.Key)
	fmt.Fprintf(&b, "ansible_ssh_common_args='-F /dev/null -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=%s'\n", f.KnownHosts)
	return b.String()
}

// Close stops all hosts.
func (f *Farm) Close() error {
	var errs []error
	for _, s := range f.Servers {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// writeKey makes a key, writes its private half (0600, OpenSSH's format) and gives its public half.
func writeKey(path string) (ssh.PublicKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, "practice")
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		return nil, err
	}
	return ssh.NewPublicKey(public)
}
