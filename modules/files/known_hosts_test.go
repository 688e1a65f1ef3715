package files

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/modules"
)

const (
	edKey  = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
	edKey2 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgEA"
	rsaKey = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAAgEC"
)

func TestKnownHosts(t *testing.T) {
	onShells(t, func(t *testing.T, c *shConn) {
		dir := t.TempDir()
		file := filepath.Join(dir, "known")
		for _, one := range []editCase{
			{"added", "# c\na " + edKey, "# c\na " + edKey + "\nb " + edKey + "\n", []any{"name", "b", "key", "b " + edKey}, "", false},
			{"there", "b,c " + edKey + "\n", "b,c " + edKey + "\n", []any{"name", "B", "key", "b,c " + edKey + " comment"}, "", false},
			{"replaced", "b " + edKey2 + "\na " + edKey + "\n", "a " + edKey + "\nb " + edKey + "\n", []any{"name", "b", "key", "b " + edKey}, "", false},
			{"of another kind", "b " + rsaKey + "\n", "b " + rsaKey + "\nb " + edKey + "\n", []any{"name", "b", "key", "b " + edKey}, "", false},
			{"with a port", "b " + edKey2 + "\n", "b " + edKey2 + "\n[b]:22 " + edKey + "\n", []any{"name", "[b]:22", "key", "[b]:22 " + edKey}, "", false},
			{"pattern", "*.b,!x.b " + edKey2 + "\n", "y.b " + edKey + "\n", []any{"name", "y.b", "key", "y.b " + edKey}, "", false},
			{"not of the pattern", "*.b,!x.b " + edKey2 + "\n", "*.b,!x.b " + edKey2 + "\nx.b " + edKey + "\n", []any{"name", "x.b", "key", "x.b " + edKey}, "", false},
			{"removed", "b " + edKey + "\nb " + rsaKey + "\n", "b " + rsaKey + "\n", []any{"name", "b", "key", "b " + edKey, "state", "absent"}, "", false},
			{"all removed", "@revoked b " + edKey + "\nb " + edKey + "\nc " + rsaKey + "\nb,c " + rsaKey + "\n", "@revoked b " + edKey + "\nc " + rsaKey + "\n", []any{"name", "b", "state", "absent"}, "", false},
			{"none to remove", "c " + edKey + "\n", "c " + edKey + "\n", []any{"name", "b", "state", "absent"}, "", false},
		} {
			write(t, file, one.before, 0o600)
			r := checkThenRun(t, one.what, c, modules.HostOptions{Diff: true}, dir, KnownHosts, append(one.args, "path", file)...)
			want(t, one.what, r, "changed", one.before != one.want, "failed", nil, "path", file)
			if got, err := os.ReadFile(file); err != nil || string(got) != one.want {
				t.Errorf("%s: %q, %v, want %q", one.what, got, err, one.want)
			}
		}
		hashed := []any{"name", "b", "key", "b " + edKey, "hash_host", true, "path", dir + "/hashed"}
		want(t, "hashed", run(t, c, modules.HostOptions{}, KnownHosts, hashed...), "changed", true)
		want(t, "hashed again", run(t, c, modules.HostOptions{}, KnownHosts, hashed...), "changed", false)
		got, err := os.ReadFile(dir + "/hashed")
		if k, ok := readKnownHost(string(got)); err != nil || !ok || !k.matches("b") || k.matches("c") || !strings.HasPrefix(k.hosts, "|1|") {
			t.Errorf("hashed: %q, %v", got, err)
		}
	})
}

func TestKnownHostsRefuses(t *testing.T) {
	testRefusals(t, KnownHosts, []refusal{
		{"no key", []any{"name", "b", "path", "$D/f"}, "no key specified when adding a host"},
		{"several names", []any{"name", "a, b", "key", "a " + edKey}, "comma separated list of names is not supported"},
		{"another host", []any{"name", "b", "key", "a " + edKey}, "host parameter does not match hashed host field in supplied key"},
		{"no key at all", []any{"name", "b", "key", "b ssh-rsa nonsense"}, "host parameter does not match"},
		{"another kind of key", []any{"name", "b", "key", "b ssh-dss " + strings.Fields(edKey)[1]}, "host parameter does not match"},
		{"missing folder", []any{"name", "b", "key", "b " + edKey, "path", "$D/no/f"}, "destination directory $D/no does not exist"},
		{"folder", []any{"name", "b", "key", "b " + edKey, "path", "$D/d"}, "Path $D/d is a directory !"},
		{"read-only", []any{"name", "b", "key", "b " + edKey, "path", "/proc/version"}, "write /proc/version"},
		{"wrong type", []any{"name", "b", "key", "b " + edKey, "hash_host", "perhaps"}, `argument "hash_host" must be a truth value`},
	})
}
