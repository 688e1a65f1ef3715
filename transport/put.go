package transport

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/hostlerhq/hostler/internal/shell"
)

// Put writes a file: see Conn. Small content goes in one round trip through a worker; more goes as a stream through a session
// of its own, whoever we are there.
func (c *conn) Put(ctx context.Context, path string, r io.Reader, opts PutOptions) error {
	if err := c.put(ctx, path, r, opts); err != nil {
		return fmt.Errorf("put %s: %w", path, err)
	}
	return nil
}

func (c *conn) put(ctx context.Context, path string, r io.Reader, opts PutOptions) error {
	check, err := validateWords(opts.Validate)
	if err != nil {
		return err
	}
	if path == "" {
		return fs.ErrInvalid
	}
	if opts.Sparse {
		if f, size, ok := wholeFile(r); ok && size > maxStdin {
			return c.putSparse(ctx, path, f, size, opts, check)
		}
	}
	head, err := io.ReadAll(io.LimitReader(r, maxStdin+1))
	if err != nil {
		return fmt.Errorf("read the content: %w", err)
	}
	if len(head) <= maxStdin {
		if opts.Size > 0 && opts.Size != int64(len(head)) {
			return fmt.Errorf("the content has %d bytes, not %d", len(head), opts.Size)
		}
		sum := sha256.Sum256(head)
		err := c.runPut(ctx, path, opts, check, "whole:"+hex.EncodeToString(sum[:]), int64(len(head)), Command{Stdin: head})
		if err == nil && opts.Progress != nil {
			opts.Progress(int64(len(head)))
		}
		return err
	}
	rest := io.MultiReader(bytes.NewReader(head), r)
	if opts.Size > 0 {
		return c.putStream(ctx, path, rest, opts.Size, opts, check)
	}
	return c.putSpooled(ctx, path, rest, opts, check)
}

// maxVerify is up to which size the host compares the SHA-256 of a streamed file with what was sent: that
// costs both sides a tenth of a second. More is only counted; SSH guards the bytes on their way in any case.
const maxVerify = 64 << 20

// putStream sends size bytes. The host counts them, so that a cut connection is no end of file.
func (c *conn) putStream(ctx context.Context, path string, r io.Reader, size int64, opts PutOptions, check []string) error {
	in := &progress{r: &exactly{r: r, left: size}, report: opts.Progress}
	if size > maxVerify {
		return c.runPut(ctx, path, opts, check, "whole", size, Command{Input: in})
	}
	return c.runPut(ctx, path, opts, check, "summed", size, Command{Input: &summed{r: in, sum: sha256.New()}})
}

// putSpooled puts content of unknown length on the controller's disk first: only a known length tells the
// end of a file from a cut.
func (c *conn) putSpooled(ctx context.Context, path string, r io.Reader, opts PutOptions, check []string) error {
	dir := ""
	if c.m.opts.tempDir != nil {
		var err error
		if dir, err = c.m.opts.tempDir(); err != nil {
			return err
		}
	}
	f, err := os.CreateTemp(dir, "upload-")
	if err != nil {
		return fmt.Errorf("spool the content: %w", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	size, err := io.Copy(f, r)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return fmt.Errorf("spool the content: %w", err)
	}
	if opts.Sparse {
		return c.putSparse(ctx, path, f, size, opts, check)
	}
	return c.putStream(ctx, path, f, size, opts, check)
}

// runPut runs putScript and reads what it says.
func (c *conn) runPut(ctx context.Context, path string, opts PutOptions, check []string, way string, size int64, cmd Command) error {
	temp := ".hostler-" + newToken()
	mode := ""
	if opts.HasMode {
		mode = "0" + strconv.FormatUint(uint64(unixMode(opts.Mode)), 8)
	}
	cmd.Script = putScript
	cmd.Args = append([]string{
		path, temp, way, strconv.FormatInt(size, 10), mode,
		opts.Owner, opts.Group, opts.Context, opts.IfHash,
	}, check...)
	out, err := c.Exec(ctx, cmd)
	exit, ok := errors.AsType[*ExitError](err)
	if !ok {
		return err
	}
	return putError(exit, strings.TrimSpace(string(out.Stderr)), opts.Validate)
}

// putError makes an error of a status of putScript.
func putError(exit *ExitError, said, validate string) error {
	switch exit.Status {
	case putChanged:
		return ErrChanged
	case putRefused:
		status, text, _ := strings.Cut(said, "\n")
		n, err := strconv.Atoi(status)
		if err != nil {
			n = exit.Status
		}
		return &InvalidError{Check: validate, Status: n, Output: []byte(text)}
	case putNoFolder:
		return &hostError{said, fs.ErrNotExist}
	case putIsFolder:
		return &hostError{said, syscall.EISDIR}
	}
	for _, known := range []struct {
		text string
		err  error
	}{
		{"No space left on device", syscall.ENOSPC},
		{"Disk quota exceeded", syscall.EDQUOT},
		{"Read-only file system", syscall.EROFS},
		{"Permission denied", fs.ErrPermission},
		{"Operation not permitted", fs.ErrPermission},
	} {
		if strings.Contains(said, known.text) {
			if errors.Is(known.err, syscall.ENOSPC) || errors.Is(known.err, syscall.EDQUOT) {
				said = known.text // where is known: the folder of the file
			}
			return &hostError{strings.ReplaceAll(said, known.text, strings.ToLower(known.text[:1])+known.text[1:]), known.err}
		}
	}
	if said == "" {
		return exit
	}
	return &hostError{said, exit}
}

// hostError is what the host said, as an error that can be asked for.
type hostError struct {
	said string
	err  error
}

func (e *hostError) Error() string { return e.said }
func (e *hostError) Unwrap() error { return e.err }

// validateWords splits PutOptions.Validate.
func validateWords(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	words, err := shell.Split(text)
	if err != nil {
		return nil, fmt.Errorf("validate: %w", err)
	}
	if !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(w, "%s") }) {
		return nil, fmt.Errorf("validate must contain %%s: %s", text)
	}
	return words, nil
}

// unixMode is a mode's bits as chmod(1) takes them.
func unixMode(m fs.FileMode) uint32 {
	bits := uint32(m.Perm())
	for flag, bit := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if m&flag != 0 {
			bits |= bit
		}
	}
	return bits
}
