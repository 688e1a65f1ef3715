package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// maxMark bounds what stands between a token and the semicolon that ends its mark.
const maxMark = 128

// frames reads one stream of a worker: raw output with marks in it. A mark is the worker's
// random token, a letter and a short text up to a semicolon: it cannot come from a
// command's output by chance. Memory is one read buffer that grows with the output, at most 64 KiB.
type frames struct {
	r     io.Reader
	token []byte
	buf   []byte // read, not yet handed on
	size  int    // of the next read
}

const (
	smallRead = 2 << 10
	largeRead = 64 << 10
)

// mark is what a worker says about a command.
type mark struct {
	kind byte   // 'H' hello, 'S' started, 'E' ended
	text string // what follows the letter
}

// next copies output to w up to the next mark. A nil w drops it. The error of w is given only after the
// mark was found, so that the stream stays in step.
func (f *frames) next(w io.Writer) (mark, error) {
	var sinkErr error
	pass := func(p []byte) {
		if w == nil || sinkErr != nil || len(p) == 0 {
			return
		}
		_, sinkErr = w.Write(p)
	}
	for {
		if at := bytes.Index(f.buf, f.token); at >= 0 {
			pass(f.buf[:at])
			f.consume(at)
			if end := bytes.IndexByte(f.buf, ';'); end >= 0 {
				text := f.buf[len(f.token):end]
				if len(text) == 0 || len(text) > maxMark {
					return mark{}, errors.New("the remote shell's marks are garbled")
				}
				m := mark{kind: text[0], text: string(text[1:])}
				f.consume(end + 1)
				if sinkErr != nil {
					return m, &sinkError{sinkErr}
				}
				return m, nil
			}
			if len(f.buf) > len(f.token)+maxMark {
				return mark{}, errors.New("the remote shell's marks are garbled")
			}
		} else {
			keep := partial(f.buf, f.token)
			pass(f.buf[:len(f.buf)-keep])
			f.consume(len(f.buf) - keep)
		}
		if err := f.fill(); err != nil {
			pass(f.buf)
			f.buf = nil
			return mark{}, err
		}
	}
}

// flow copies all that is left to w as it comes, without a look for marks. The error of w is given at the end.
func (f *frames) flow(w io.Writer) error {
	_, sinkErr := w.Write(f.buf)
	f.buf = nil
	if sinkErr == nil {
		source := &failing{r: f.r}
		if _, err := io.Copy(w, source); err == nil || source.err != nil {
			return source.err
		} else {
			sinkErr = err
		}
	}
	if _, err := io.Copy(io.Discard, f.r); err != nil {
		return err
	}
	return &sinkError{sinkErr}
}

// fill reads once, into a buffer that doubles while reads fill it: idle workers and short
// answers stay small.
func (f *frames) fill() error {
	if f.size == 0 {
		f.size = smallRead
	}
	have := len(f.buf)
	if cap(f.buf)-have < f.size {
		grown := make([]byte, have, have+f.size)
		copy(grown, f.buf)
		f.buf = grown
	}
	n, err := f.r.Read(f.buf[have : have+f.size])
	f.buf = f.buf[:have+n]
	if n == f.size && f.size < largeRead {
		f.size *= 2
	}
	if n > 0 {
		return nil
	}
	if err == nil {
		return nil
	}
	return err
}

// consume drops the first n bytes and keeps the buffer's room.
func (f *frames) consume(n int) {
	rest := copy(f.buf, f.buf[n:])
	f.buf = f.buf[:rest]
}

// rest gives the buffer back between commands.
func (f *frames) rest() {
	if len(f.buf) == 0 {
		f.buf = nil
	}
	f.size = 0
}

// partial is the length of the longest end of buf that begins token.
func partial(buf, token []byte) int {
	for n := min(len(buf), len(token)-1); n > 0; n-- {
		if bytes.HasPrefix(token, buf[len(buf)-n:]) {
			return n
		}
	}
	return 0
}

// sinkError is a failure of the writer that takes a command's output, not of the connection.
type sinkError struct{ err error }

func (e *sinkError) Error() string { return fmt.Sprintf("pass the output on: %v", e.err) }
func (e *sinkError) Unwrap() error { return e.err }
