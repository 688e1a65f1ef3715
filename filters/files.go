package filters

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

// fileFilters look at the controller's files.
func fileFilters() []entry {
	return []entry{
		one("fileglob", "", func(c *jinja.Call) (any, error) {
			volatile(c)
			pattern, err := c.Text(c.Value)
			if err != nil {
				return nil, err
			}
			out := value.NewList()
			for _, path := range globFiles(pattern) {
				out.Append(path)
			}
			return out, nil
		}),
		one("realpath", "", func(c *jinja.Call) (any, error) {
			volatile(c)
			text, err := c.Text(c.Value)
			if err != nil {
				return nil, err
			}
			return realpath(text)
		}),
		one("expanduser", "", onText(expandUser)),
		one("expandvars", "", onText(expandVars)),
		one("commonpath", "", commonPath),
		one("win_dirname", "", onText(winDirname)),
		one("win_splitdrive", "", func(c *jinja.Call) (any, error) {
			text, err := c.Text(c.Value)
			if err != nil {
				return nil, err
			}
			drive, rest := winSplitDrive(text)
			return value.Tuple{drive, rest}, nil
		}),
	}
}

var shellVariable = regexp.MustCompile(`\$(?:\w+|\{[^}]*\})`)

// expandVars is Python's os.path.expandvars: unknown names stay.
func expandVars(s string) string {
	return shellVariable.ReplaceAllStringFunc(s, func(m string) string {
		if v, ok := os.LookupEnv(strings.Trim(m, "${}")); ok {
			return v
		}
		return m
	})
}

// realpath is Python's: links are followed as far as there are files.
func realpath(p string) (string, error) {
	full, err := filepath.Abs("/")
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(p, "/") {
		if full, err = os.Getwd(); err != nil {
			return "", err
		}
	}
	links := 0
	rest := strings.Split(p, "/")
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			full = filepath.Dir(full)
			continue
		}
		next := filepath.Join(full, name)
		target, err := os.Readlink(next)
		if err != nil || links > 40 {
			full = next
			continue
		}
		links++
		if strings.HasPrefix(target, "/") {
			full = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return full, nil
}

func commonPath(c *jinja.Call) (any, error) {
	items, ok := sequence(c.Value)
	if !ok {
		return nil, value.Errorf(value.TypeError, "|commonpath expects sequence, got %s instead.", value.TypeName(c.Value))
	}
	if len(items) == 0 {
		return nil, value.Errorf(value.ValueError, "commonpath() arg is an empty sequence")
	}
	var common []string
	absolute := false
	for i, item := range items {
		s, err := c.Text(item)
		if err != nil {
			return nil, err
		}
		parts := strings.FieldsFunc(s, func(r rune) bool { return r == '/' })
		kept := parts[:0]
		for _, p := range parts {
			if p != "." {
				kept = append(kept, p)
			}
		}
		if i == 0 {
			common, absolute = kept, strings.HasPrefix(s, "/")
			continue
		}
		if absolute != strings.HasPrefix(s, "/") {
			return nil, value.Errorf(value.ValueError, "Can't mix absolute and relative paths")
		}
		same := 0
		for same < len(common) && same < len(kept) && common[same] == kept[same] {
			same++
		}
		common = common[:same]
	}
	joined := strings.Join(common, "/")
	if absolute {
		return "/" + joined, nil
	}
	return joined, nil
}

// winSplitDrive is Python's ntpath.splitdrive: a letter, or \\host\share.
func winSplitDrive(p string) (drive, rest string) {
	slashes := strings.ReplaceAll(p, "/", `\`)
	if strings.HasPrefix(slashes, `\\`) && !strings.HasPrefix(slashes, `\\\`) {
		at := strings.IndexByte(slashes[2:], '\\')
		if at < 0 {
			return "", p
		}
		next := strings.IndexByte(slashes[2+at+1:], '\\')
		if next == 0 {
			return "", p
		}
		if next < 0 {
			return p, ""
		}
		end := 2 + at + 1 + next
		return p[:end], p[end:]
	}
	if len(p) > 1 && p[1] == ':' {
		return p[:2], p[2:]
	}
	return "", p
}

func winSplit(p string) (head, tail string) {
	drive, rest := winSplitDrive(p)
	at := strings.LastIndexAny(rest, `\/`) + 1
	head, tail = rest[:at], rest[at:]
	if trimmed := strings.TrimRight(head, `\/`); trimmed != "" {
		head = trimmed
	}
	return drive + head, tail
}

func winDirname(p string) string {
	head, _ := winSplit(p)
	return head
}

func winBasename(p string) string {
	_, tail := winSplit(p)
	return tail
}

func fileTests() []entry {
	stat := func(holds func(fs.FileInfo) bool) jinja.Func {
		return func(c *jinja.Call) (any, error) {
			volatile(c)
			path, err := c.Text(c.Value)
			if err != nil {
				return nil, err
			}
			st, err := os.Stat(path)
			return err == nil && holds(st), nil
		}
	}
	lstat := func(holds func(fs.FileInfo) bool) jinja.Func {
		return func(c *jinja.Call) (any, error) {
			volatile(c)
			path, err := c.Text(c.Value)
			if err != nil {
				return nil, err
			}
			st, err := os.Lstat(path)
			return err == nil && holds(st), nil
		}
	}
	always := func(fs.FileInfo) bool { return true }
	return []entry{
		one("directory", "", stat(fs.FileInfo.IsDir)).named("is_dir"),
		one("file", "", stat(func(st fs.FileInfo) bool { return st.Mode().IsRegular() })).named("is_file"),
		one("exists", "", stat(always)),
		one("link", "", lstat(func(st fs.FileInfo) bool { return st.Mode()&fs.ModeSymlink != 0 })).named("is_link"),
		one("link_exists", "", lstat(always)),
		one("abs", "", func(c *jinja.Call) (any, error) {
			path, err := c.Text(c.Value)
			return strings.HasPrefix(path, "/"), err
		}).named("is_abs"),
		one("same_file", "path", sameFile).named("is_same_file"),
		one("mount", "", isMount).named("is_mount"),
	}
}

func sameFile(c *jinja.Call) (any, error) {
	volatile(c)
	var infos [2]fs.FileInfo
	for i, v := range []any{c.Value, c.Args[0]} {
		path, err := c.Text(v)
		if err != nil {
			return nil, err
		}
		if infos[i], err = os.Stat(path); err != nil {
			return nil, fmt.Errorf("same_file: %w", err)
		}
	}
	return os.SameFile(infos[0], infos[1]), nil
}

// isMount is Python's os.path.ismount.
func isMount(c *jinja.Call) (any, error) {
	volatile(c)
	path, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	own, err := os.Lstat(path)
	if err != nil || own.Mode()&fs.ModeSymlink != 0 {
		return false, nil //nolint:nilerr // no mount then
	}
	real, err := realpath(path + "/..")
	if err != nil {
		return nil, err
	}
	parent, err := os.Lstat(real)
	if err != nil {
		return false, nil //nolint:nilerr // no mount then
	}
	a, aOK := own.Sys().(*syscall.Stat_t)
	b, bOK := parent.Sys().(*syscall.Stat_t)
	return aOK && bOK && (a.Dev != b.Dev || a.Ino == b.Ino), nil
}

const vaultMark = "$ANSIBLE_VAULT;"

func vaultTests() []entry {
	return []entry{
		one("vault_encrypted", "", vaultEncrypted),
		one("vaulted_file", "", func(c *jinja.Call) (any, error) {
			volatile(c)
			path, err := c.Text(c.Value)
			if err != nil {
				return nil, err
			}
			f, err := os.Open(path)
			if err != nil {
				return nil, fmt.Errorf("vaulted_file: %w", err)
			}
			defer f.Close()
			head := make([]byte, len(vaultMark))
			if _, err := io.ReadFull(f, head); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				return nil, fmt.Errorf("vaulted_file: %w", err)
			}
			return bytes.Equal(head, []byte(vaultMark)), nil
		}),
	}
}

// vaultEncrypted holds for variables that are written with !vault, not for text that looks vaulted.
func vaultEncrypted(c *jinja.Call) (any, error) {
	s, ok := c.Caller().(interface {
		Sealed(ctx context.Context, path string) (bool, error)
	})
	if path := c.Operand(); ok && path != "" {
		return s.Sealed(c.Ctx, path)
	}
	return false, nil
}
