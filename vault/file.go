package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// newMode is the mode of files that did not exist.
const newMode = 0o600

// Replace writes a file so that it has either its old or its new content, whatever happens. A file that exists keeps its mode
// and owner, a symbolic link keeps pointing to it; a new one gets mode 0600.
func Replace(path string, text []byte) error { return replace(path, text, false) }

// ReplacePrivate is Replace, but that the file has mode 0600 afterwards in any case: for text that comes out of a vault.
func ReplacePrivate(path string, text []byte) error { return replace(path, text, true) }

func replace(path string, text []byte, private bool) (err error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	f, err := os.CreateTemp(filepath.Dir(path), ".hostler-vault-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	_, err = f.Write(text)
	if err == nil {
		err = keepAttributes(path, f)
	}
	if err == nil && private {
		err = f.Chmod(newMode)
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// keepAttributes gives f the mode and owner of the file it shall replace.
func keepAttributes(path string, f *os.File) error {
	old, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f.Chmod(newMode)
	}
	if err != nil {
		return err
	}
	if !old.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	was, ok := old.Sys().(*syscall.Stat_t)
	if ok && (int(was.Uid) != os.Geteuid() || int(was.Gid) != os.Getegid()) {
		if err := f.Chown(int(was.Uid), int(was.Gid)); err != nil {
			return fmt.Errorf("keep the owner: %w", err)
		}
	}
	return f.Chmod(old.Mode().Perm())
}

// Edit lets an editor change a text in a 0600 file within a 0700 folder, both wiped afterwards, and gives
// what became of it. The file's name ends in suffix, from which editors choose their colours.
func Edit(ctx context.Context, text []byte, suffix string, editor func(ctx context.Context, path string) error) (edited []byte, err error) {
	dir, err := os.MkdirTemp(os.Getenv("XDG_RUNTIME_DIR"), "hostler-vault-")
	if err != nil {
		dir, err = os.MkdirTemp("", "hostler-vault-")
	}
	if err != nil {
		return nil, fmt.Errorf("make a folder for the editor: %w", err)
	}
	defer func() {
		if e := wipe(dir); err == nil && e != nil {
			err = fmt.Errorf("wipe the decrypted text: %w", e)
		}
	}()
	path := filepath.Join(dir, "text"+suffix)
	if err := os.WriteFile(path, text, newMode); err != nil {
		return nil, fmt.Errorf("write for the editor: %w", err)
	}
	if err := editor(ctx, path); err != nil {
		return nil, err
	}
	if edited, err = os.ReadFile(path); err != nil {
		return nil, fmt.Errorf("read what the editor wrote: %w", err)
	}
	return edited, nil
}

// wipe overwrites every file of a folder, an editor's backups too, and removes it.
func wipe(dir string) error {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		return overwrite(path)
	})
	return errors.Join(err, os.RemoveAll(dir))
}

func overwrite(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	zeros := bytes.Repeat([]byte{0}, 1<<16)
	for left := st.Size(); left > 0; left -= int64(len(zeros)) {
		if _, err := f.Write(zeros[:min(left, int64(len(zeros)))]); err != nil {
			return err
		}
	}
	return f.Sync()
}
