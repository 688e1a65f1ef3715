package files

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed known_hosts.go
var knownHostsSource string

// KnownHosts sees to a host's key in a file of known hosts.
var KnownHosts = modules.Define("known_hosts", knownHostsSource+attributesSource, runKnownHosts,
	modules.Aliases("ansible.builtin.known_hosts", "ansible.legacy.known_hosts"))

// KnownHostsArgs see to one key of one host in a file by which ssh knows hosts. A key of the same kind takes the old one's place.
//
//	# Trust the storage.
//	- known_hosts:
//	    name: storage1
//	    key: storage1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI…
type KnownHostsArgs struct {
	// Name of the host, in brackets with its port where that is not 22: [storage1]:2222.
	Name string `arg:"name,alias=host" required:"true"`
	// Key is the line with the host's names, the kind and the key; without it, state absent removes every key of the host.
	Key string `arg:"key"`
	// Path of the file.
	Path modules.Path `arg:"path" default:"~/.ssh/known_hosts"`
	// HashHost writes the host's name so that it cannot be read from the file.
	HashHost bool `arg:"hash_host"`
	// State is whether the key shall be there.
	State modules.Presence `arg:"state" default:"present"`
}

// severalNames finds a list of names.
var severalNames = regexp.MustCompile(`\S+\s*,\s*`)

// Check holds the rules over several arguments.
func (a KnownHostsArgs) Check() error {
	if a.Key == "" {
		if a.State == modules.Present {
			return errors.New("no key specified when adding a host")
		}
		return nil
	}
	if severalNames.MatchString(a.Name) {
		return &modules.ArgError{
			Path: []any{"name"},
			Msg:  "comma separated list of names is not supported. Please pass a single name to lookup in the known_hosts file: " + a.Name,
		}
	}
	for line := range strings.Lines(a.Key) {
		if one, ok := readKnownHost(line); ok && one.matches(a.Name) {
			return nil
		}
	}
	return &modules.ArgError{Path: []any{"key"}, Msg: "host parameter does not match hashed host field in supplied key: " + a.Name}
}

// KnownHostsResult is what became of the key.
type KnownHostsResult struct {
	// Name of the host.
	Name string `json:"name"`
	// Key is the argument.
	Key string `json:"key,omitempty"`
	// Path of the file.
	Path string `json:"path"`
	// HashHost is the argument.
	HashHost bool `json:"hash_host"`
	PathInfo
}

func runKnownHosts(ctx context.Context, h *modules.Host, a KnownHostsArgs) (KnownHostsResult, error) {
	e := newEdit(a.Path, Attributes{}, false, "")
	e.follow, e.parents = false, false
	key := strings.TrimSpace(a.Key)
	if key != "" && a.HashHost {
		key = hashedKey(key, a.Name)
	}
	e.change = func(before string, exists bool) (edited, error) {
		after := a.edit(before, key)
		return edited{content: after, leave: !exists && after == ""}, nil
	}
	o, err := e.run(ctx, h)
	return KnownHostsResult{Name: a.Name, Key: a.Key, Path: o.after.at.path, HashHost: a.HashHost, PathInfo: o.pathInfo(a.State)}, err
}

// knownHost is a line of a file of known hosts.
type knownHost struct{ marker, hosts, kind, key string }

// readKnownHost reads a line; false for what is no key.
func readKnownHost(line string) (knownHost, bool) {
	words := strings.Fields(line)
	var k knownHost
	if len(words) > 0 && strings.HasPrefix(words[0], "@") {
		k.marker, words = words[0], words[1:]
	}
	if len(words) < 3 || strings.HasPrefix(words[0], "#") {
		return k, false
	}
	k.hosts, k.kind, k.key = words[0], words[1], words[2]
	raw, err := base64.StdEncoding.DecodeString(k.key)
	if err != nil || len(raw) < 4 {
		return k, false
	}
	// A key begins with its kind's length and name.
	n := binary.BigEndian.Uint32(raw)
	return k, uint64(n) <= uint64(len(raw)-4) && string(raw[4:4+n]) == k.kind
}

// matches reports whether the line is about the host.
func (k knownHost) matches(name string) bool {
	name = strings.ToLower(name)
	if rest, hashed := strings.CutPrefix(k.hosts, "|1|"); hashed {
		salt, sum, _ := strings.Cut(rest, "|")
		raw, err := base64.StdEncoding.DecodeString(salt)
		return err == nil && sum == hashOf(raw, name)
	}
	found := false
	for pattern := range strings.SplitSeq(strings.ToLower(k.hosts), ",") {
		pattern, not := strings.CutPrefix(pattern, "!")
		// Only * and ? are special here.
		ok, err := path.Match(strings.NewReplacer("[", `\[`, "]", `\]`, `\`, `\\`).Replace(pattern), name)
		if err != nil || !ok {
			continue
		}
		if not {
			return false
		}
		found = true
	}
	return found
}

func hashOf(salt []byte, name string) string {
	mac := hmac.New(sha1.New, salt)
	mac.Write([]byte(name)) // never fails, hash.Hash says
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// hashedKey is the line with the host's name hashed.
func hashedKey(key, name string) string {
	var salt [20]byte
	_, _ = rand.Read(salt[:]) // never fails, crypto/rand says
	words := strings.Fields(key)
	at := 0
	if strings.HasPrefix(words[0], "@") {
		at = 1
	}
	words[at] = "|1|" + base64.StdEncoding.EncodeToString(salt[:]) + "|" + hashOf(salt[:], strings.ToLower(name))
	return strings.Join(words, " ")
}

// edit gives the file with the key, or without it.
func (a KnownHostsArgs) edit(text, key string) string {
	lines := splitLines(text)
	if key == "" {
		// ssh-keygen -R, too, leaves authorities and revoked keys.
		return strings.Join(slices.DeleteFunc(lines, func(line string) bool {
			k, ok := readKnownHost(line)
			return ok && k.marker == "" && k.matches(a.Name)
		}), "")
	}
	at, same := a.find(lines, key)
	switch {
	case a.State == modules.Absent && at < 0, a.State == modules.Present && same:
		return text
	case at >= 0:
		lines = slices.Delete(lines, at, at+1)
	}
	if a.State == modules.Absent {
		return strings.Join(lines, "")
	}
	text = strings.Join(lines, "")
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text + key + "\n"
}

// find gives the line with the host's key of the same kind, -1 when there is none, and whether it is the very same.
func (a KnownHostsArgs) find(lines []string, key string) (at int, same bool) {
	asked, _ := readKnownHost(key)
	for i, line := range lines {
		k, ok := readKnownHost(line)
		if !ok || !k.matches(a.Name) {
			continue
		}
		if strings.HasPrefix(asked.hosts, "|1|") && strings.HasPrefix(k.hosts, "|1|") {
			asked.hosts = k.hosts
		}
		if k == asked || k.kind == asked.kind {
			return i, k == asked
		}
	}
	return -1, false
}
