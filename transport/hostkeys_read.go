package transport

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
)

// knownStore reads known_hosts files once and records new keys.
type knownStore struct {
	mu  sync.Mutex
	dbs map[string]*knownDB // by the files' names
}

// load parses the files that exist. log learns once of the lines that were skipped.
func (k *knownStore) load(files []string, log func(event string)) (*knownDB, error) {
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
	if len(db.skipped) > 0 && log != nil {
		log("known hosts: cannot read and skip " + strings.Join(db.skipped, ", "))
	}
	if k.dbs == nil {
		k.dbs = map[string]*knownDB{}
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

// knownDB is what known_hosts files say.
type knownDB struct {
	*knownhosts.HostKeyDB
	skipped []string          // "file:line" of lines that cannot be read
	copies  map[string]string // the files that were read in place of the user's, and whose they are
}

// file is the user's file that a name in the database stands for.
func (d *knownDB) file(name string) string {
	if original, ok := d.copies[name]; ok {
		return original
	}
	return name
}

// readKnown reads the files that exist. ssh skips lines that it cannot read, x/crypto refuses the whole
// file for one: it gets a copy then in which they are empty, and the numbers of the others stay.
func readKnown(files []string) (*knownDB, error) {
	known := &knownDB{copies: map[string]string{}}
	var read []string
	dir := ""
	defer func() {
		if dir != "" {
			_ = os.RemoveAll(dir)
		}
	}()
	for _, file := range files {
		text, err := os.ReadFile(file)
		if info, statErr := os.Stat(file); statErr != nil || info.IsDir() {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read known hosts: %w", err)
		}
		clean, bad := blankBadLines(text)
		if len(bad) == 0 {
			read = append(read, file)
			continue
		}
		if dir == "" {
			if dir, err = os.MkdirTemp("", "hostler-known-"); err != nil {
				return nil, fmt.Errorf("read known hosts: %w", err)
			}
		}
		copied := filepath.Join(dir, strconv.Itoa(len(read)))
		if err := os.WriteFile(copied, clean, 0o600); err != nil {
			return nil, fmt.Errorf("read known hosts: %w", err)
		}
		known.copies[copied] = file
		for _, line := range bad {
			known.skipped = append(known.skipped, fmt.Sprintf("%s:%d", file, line))
		}
		read = append(read, copied)
	}
	db, err := knownhosts.NewDB(read...)
	if err != nil {
		return nil, fmt.Errorf("read known hosts: %w", err)
	}
	known.HostKeyDB = db
	return known, nil
}

// maxKnownLine is how long a line x/crypto reads (bufio.Scanner's limit).
const maxKnownLine = 64 << 10

// blankBadLines empties the lines that x/crypto would refuse and gives their numbers, from 1.
func blankBadLines(text []byte) (clean []byte, bad []int) {
	lines := bytes.Split(text, []byte("\n"))
	for i, line := range lines {
		if !readableKnownLine(line) {
			lines[i] = nil
			bad = append(bad, i+1)
		}
	}
	if len(bad) == 0 {
		return text, nil
	}
	return bytes.Join(lines, []byte("\n")), bad
}

// readableKnownLine says whether a line is empty, a comment or a key (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).
func readableKnownLine(line []byte) bool {
	if len(line) >= maxKnownLine {
		return false
	}
	words := strings.Fields(string(line))
	if len(words) == 0 || words[0][0] == '#' {
		return true
	}
	if words[0] == "@cert-authority" || words[0] == "@revoked" {
		words = words[1:]
	}
	if len(words) < 3 || words[0][0] == '@' || !readableKnownNames(words[0]) {
		return false
	}
	blob, err := base64.StdEncoding.DecodeString(words[2])
	if err != nil {
		return false
	}
	key, err := ssh.ParsePublicKey(blob)
	return err == nil && key.Type() == words[1]
}

func readableKnownNames(names string) bool {
	if names[0] == '|' {
		parts := strings.Split(names, "|")
		if len(parts) != 4 || parts[1] != "1" {
			return false
		}
		salt, saltErr := base64.StdEncoding.DecodeString(parts[2])
		hash, hashErr := base64.StdEncoding.DecodeString(parts[3])
		return saltErr == nil && hashErr == nil && len(salt) > 0 && len(hash) > 0
	}
	for name := range strings.SplitSeq(names, ",") {
		if name == "" {
			continue
		}
		name = strings.TrimPrefix(name, "!")
		if name == "" {
			return false
		}
		if name[0] == '[' {
			if _, _, err := net.SplitHostPort(name); err != nil {
				return false
			}
		}
	}
	return true
}
