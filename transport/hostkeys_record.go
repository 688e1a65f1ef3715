package transport

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
	"golang.org/x/sys/unix"
)

// accept records a key of a host that the files do not know. The first of many goroutines and
// processes wins: under the file's lock the files are read anew.
func (k *knownStore) accept(c *hostKeyCheck, remote net.Addr, key ssh.PublicKey) error {
	if len(c.s.userKnown) == 0 || c.s.userKnown[0] == os.DevNull {
		return nil // nowhere to record: as ssh, take it each time
	}
	if cert, ok := key.(*ssh.Certificate); ok {
		key = cert.Key
	}
	line := knownLine(c.s, key)
	defer k.forget()
	return appendLocked(c.s.userKnown[0], line, func() (bool, error) {
		db, err := readKnown(c.files())
		if err != nil {
			return false, err
		}
		err = c.judge(db, remote, key)
		if errors.Is(err, errUnknownKey) {
			return true, nil
		}
		return false, err
	})
}

// knownLine is a host's line for known_hosts, hashed where HashKnownHosts asks for it.
func knownLine(s *sshSettings, key ssh.PublicKey) string {
	if s.hashKnown {
		return xknownhosts.Line([]string{xknownhosts.HashHostname(knownhosts.Normalize(s.knownName()))}, key)
	}
	return knownhosts.Line([]string{s.knownName()}, key)
}

// appendLocked adds a line to a file that other processes write too, when still wanted under the lock.
// The file and its folder are made where they are missing (0600, 0700). The line goes out in one write.
func appendLocked(path, line string, wanted func() (bool, error)) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("record a host key: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("record a host key: %w", err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("record a host key: lock %s: %w", path, err)
	}
	ok, err := wanted()
	if err != nil || !ok {
		return err
	}
	text := line + "\n"
	if size, err := f.Seek(0, io.SeekEnd); err == nil && size > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, size-1); err == nil && last[0] != '\n' {
			text = "\n" + text // the file's last line was left open
		}
	}
	if _, err := f.WriteString(text); err != nil {
		return fmt.Errorf("record a host key: %w", err)
	}
	return f.Close()
}
