package transport

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// exactly reads left bytes: fewer, or more, is an error.
type exactly struct {
	r    io.Reader
	left int64
}

func (e *exactly) Read(p []byte) (int, error) {
	if e.left == 0 {
		var one [1]byte
		if n, err := io.ReadFull(e.r, one[:]); n > 0 {
			return 0, errors.New("the content is longer than was said")
		} else if !errors.Is(err, io.EOF) {
			return 0, err
		}
		return 0, io.EOF
	}
	n, err := e.r.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	if errors.Is(err, io.EOF) && e.left > 0 {
		return n, fmt.Errorf("the content ends %d bytes early: %w", e.left, io.ErrUnexpectedEOF)
	}
	return n, err
}

// progress tells how much was read.
type progress struct {
	r      io.Reader
	sent   int64
	report func(int64)
}

func (p *progress) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.sent += int64(n)
	if p.report != nil && n > 0 {
		p.report(p.sent)
	}
	return n, err
}

// summed reads a stream and then the 64 hexadecimal digits of its SHA-256.
type summed struct {
	r     io.Reader
	sum   hash.Hash
	after *strings.Reader // the digits, once the stream ended
}

func (s *summed) Read(p []byte) (int, error) {
	if s.after != nil {
		return s.after.Read(p)
	}
	n, err := s.r.Read(p)
	s.sum.Write(p[:n])
	if errors.Is(err, io.EOF) {
		s.after = strings.NewReader(hex.EncodeToString(s.sum.Sum(nil)))
		err = nil
	}
	return n, err
}

const (
	// sparseBlock is the unit of putScript's dd.
	sparseBlock = 64 << 10
	// sparseChunk is how much is looked at at once; each run of data in it costs one dd.
	sparseChunk = 8 << 20
	// sparseHole is the shortest run of zeros worth a hole.
	sparseHole = 1 << 20
)

// wholeFile reports whether a reader is a regular file at its beginning, and its size.
func wholeFile(r io.Reader) (*os.File, int64, bool) {
	f, ok := r.(*os.File)
	if !ok {
		return nil, 0, false
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, 0, false
	}
	at, err := f.Seek(0, io.SeekCurrent)
	return f, info.Size(), err == nil && at == 0
}

// putSparse sends what is data and says where it goes.
func (c *conn) putSparse(ctx context.Context, path string, f *os.File, size int64, opts PutOptions, check []string) error {
	if opts.Size > 0 && opts.Size != size {
		return fmt.Errorf("the content has %d bytes, not %d", size, opts.Size)
	}
	in := &sparseReader{f: f, size: size, report: opts.Progress}
	return c.runPut(ctx, path, opts, check, "sparse", size, Command{Input: in})
}

// sparseReader turns a file into lines for putScript with data between them: "data SEEK COUNT" in
// blocks, "tail SEEK" for a last partial block, "hole" when the file ends in one.
type sparseReader struct {
	f         *os.File
	size, pos int64
	chunk     []byte
	ready     bytes.Buffer
	holeAtEnd bool
	done      bool
	report    func(int64)
}

func (s *sparseReader) Read(p []byte) (int, error) {
	for s.ready.Len() == 0 {
		if s.done {
			return 0, io.EOF
		}
		if err := s.advance(); err != nil {
			return 0, err
		}
	}
	return s.ready.Read(p)
}

// advance makes the lines and data of one chunk.
func (s *sparseReader) advance() error {
	if err := s.skipHole(); err != nil {
		return err
	}
	if s.pos >= s.size {
		s.done = true
		if s.holeAtEnd {
			s.ready.WriteString("hole\n")
		}
		return nil
	}
	if s.chunk == nil {
		s.chunk = make([]byte, sparseChunk)
	}
	chunk := s.chunk[:min(sparseChunk, s.size-s.pos)]
	if _, err := s.f.ReadAt(chunk, s.pos); err != nil {
		return fmt.Errorf("read the content: %w", err)
	}
	s.emit(chunk)
	s.pos += int64(len(chunk))
	if s.report != nil {
		s.report(s.pos)
	}
	return nil
}

// skipHole moves to the next data as the file system knows it.
func (s *sparseReader) skipHole() error {
	if s.pos >= s.size {
		return nil
	}
	at, err := unix.Seek(int(s.f.Fd()), s.pos, unix.SEEK_DATA)
	switch {
	case errors.Is(err, syscall.ENXIO):
		s.pos, s.holeAtEnd = s.size, true
	case errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.EOPNOTSUPP):
	case err != nil:
		return fmt.Errorf("look for holes: %w", err)
	default:
		s.pos = at - at%sparseBlock
	}
	return nil
}

// emit writes the runs of a chunk that are data.
func (s *sparseReader) emit(chunk []byte) {
	for from := 0; from < len(chunk); {
		zeros := zeroRun(chunk[from:])
		last := from+zeros == len(chunk)
		if zeros >= sparseHole || last && zeros > 0 && s.pos+int64(len(chunk)) == s.size {
			from += zeros
			s.holeAtEnd = last
			continue
		}
		to := min(from+max(zeros, sparseBlock), len(chunk))
		for to < len(chunk) {
			next := zeroRun(chunk[to:])
			if next >= sparseHole {
				break
			}
			to = min(to+max(next, sparseBlock), len(chunk))
		}
		s.data(chunk[from:to], (s.pos+int64(from))/sparseBlock)
		s.holeAtEnd = false
		from = to
	}
}

// data writes one run: whole blocks, and the file's last bytes.
func (s *sparseReader) data(run []byte, seek int64) {
	blocks := len(run) / sparseBlock
	if blocks > 0 {
		fmt.Fprintf(&s.ready, "data %d %d\n", seek, blocks)
		s.ready.Write(run[:blocks*sparseBlock])
	}
	if tail := run[blocks*sparseBlock:]; len(tail) > 0 {
		fmt.Fprintf(&s.ready, "tail %d\n", seek+int64(blocks))
		s.ready.Write(tail)
	}
}

// zeroRun is the length of the blocks at the beginning that hold zeros only.
func zeroRun(p []byte) int {
	n := 0
	for n < len(p) {
		block := p[n:min(n+sparseBlock, len(p))]
		if block[0] != 0 || !bytes.Equal(block[1:], block[:len(block)-1]) {
			break
		}
		n += len(block)
	}
	return n
}
