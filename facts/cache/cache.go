// Package cache keeps the facts of hosts between runs in the form of Ansible's cache plugin jsonfile: one JSON file a
// host, which either program reads and writes. It does not gather. Its main type is Folder.
package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/jinja/value"
)

// gatheredKey is where the plugin's files say that the facts came from gathering, not only from set_fact.
const gatheredKey = "_ansible_facts_gathered"

// Folder is a folder of facts. It is safe for concurrent use as long as one goroutine at a time works on one host.
type Folder struct {
	Dir    string
	Prefix string // of the files' names
	// Timeout is how old facts may be; 0 is no limit.
	Timeout time.Duration
}

// Open makes the folder, unless it is there, and reports whether files can be kept in it.
func (c *Folder) Open() error {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of cached facts: %w", err)
	}
	f, err := os.CreateTemp(c.Dir, ".try")
	if err != nil {
		return fmt.Errorf("use the folder of cached facts: %w", err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// path gives a host's file. Names that would lead out of the folder have none.
func (c *Folder) path(host string) (string, error) {
	name := c.Prefix + host
	if strings.ContainsAny(name, "/\x00") || name == "." || name == ".." {
		return "", fmt.Errorf("the name %q cannot be that of a file", name)
	}
	return filepath.Join(c.Dir, name), nil
}

// Load gives the facts of a host, named as modules return them, and whether they came from gathering; nil when there
// are none, or none young enough.
func (c *Folder) Load(host string) (facts *value.Dict, gathered bool, err error) {
	path, err := c.path(host)
	if err != nil {
		return nil, false, nil //nolint:nilerr // such a host has no file; storing says so
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && c.Timeout > 0 && time.Since(info.ModTime()) > c.Timeout {
		return nil, false, nil
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, false, fmt.Errorf("read the cached facts of %s: %w", host, err)
	}
	v, err := value.DecodeJSON(string(text))
	if err != nil {
		return nil, false, fmt.Errorf("read the cached facts of %s: %s: %w", host, path, err)
	}
	facts, ok := v.(*value.Dict)
	if !ok {
		return nil, false, fmt.Errorf("read the cached facts of %s: %s holds no object", host, path)
	}
	mark, _ := facts.Get(gatheredKey)
	gathered, _ = mark.(bool)
	return facts, gathered, nil
}

// Store replaces the facts of a host.
func (c *Folder) Store(host string, facts *value.Dict, gathered bool) error {
	path, err := c.path(host)
	if err != nil {
		return fmt.Errorf("cache the facts of %s: %w", host, err)
	}
	if gathered {
		facts = facts.Copy()
		facts.Set(gatheredKey, true)
	}
	text, err := value.EncodeJSON(facts, value.JSONOptions{Multiline: true, Indent: "    ", SortKeys: true})
	if err == nil {
		err = replace(path, text)
	}
	if err != nil {
		return fmt.Errorf("cache the facts of %s: %w", host, err)
	}
	return nil
}

// replace puts a file of mode 0600, as the plugin makes them, into the place of another.
func replace(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new") // names with a dot are no host's to the plugin
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// Delete drops the facts of a host; there need not be any.
func (c *Folder) Delete(host string) error {
	path, err := c.path(host)
	if err != nil {
		return nil //nolint:nilerr // such a host has no file
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("drop the cached facts of %s: %w", host, err)
	}
	return nil
}
