package transport

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// capture takes one output stream: the beginning in memory, all of it in a file once it
// is longer than the limit, or none of it where a writer takes it live.
type capture struct {
	live  io.Writer
	limit int64
	dir   func() (string, error)
	// header keeps the first line out of the file.
	header bool

	head  []byte
	file  *os.File
	tail  []byte // the last few KiB for the error message, when live
	total int64
}

// tailSize is how much of stderr an ExitError carries.
const tailSize = 4 << 10

func (c *capture) Write(p []byte) (int, error) {
	c.total += int64(len(p))
	if c.live != nil || c.file != nil {
		c.keepTail(p)
	}
	if c.live != nil {
		return c.live.Write(p)
	}
	if c.file == nil && int64(len(c.head)+len(p)) <= c.limit {
		c.head = append(c.head, p...)
		return len(p), nil
	}
	if c.file == nil {
		if err := c.spill(); err != nil {
			return 0, err
		}
		c.keepTail(c.head)
		c.keepTail(p)
		fits := c.limit - int64(len(c.head))
		c.head = append(c.head, p[:fits]...)
	}
	return c.file.Write(p)
}

// spill starts the file with what came so far.
func (c *capture) spill() error {
	dir := ""
	if c.dir != nil {
		var err error
		if dir, err = c.dir(); err != nil {
			return fmt.Errorf("spill long output: %w", err)
		}
	}
	f, err := os.CreateTemp(dir, "output-")
	if err != nil {
		return fmt.Errorf("spill long output: %w", err)
	}
	head := c.head
	if c.header {
		_, head, _ = bytes.Cut(head, []byte("\n"))
	}
	if _, err := f.Write(head); err != nil {
		_ = f.Close()
		_ = os.Remove(f.Name())
		return fmt.Errorf("spill long output: %w", err)
	}
	c.file = f
	return nil
}

func (c *capture) keepTail(p []byte) {
	c.tail = append(c.tail, p[max(0, len(p)-tailSize):]...)
	if len(c.tail) > 2*tailSize {
		c.tail = append(c.tail[:0], c.tail[len(c.tail)-tailSize:]...)
	}
}

// end is the stream's last few KiB.
func (c *capture) end() []byte {
	p := c.tail
	if c.live == nil && c.file == nil {
		p = c.head
	}
	return p[max(0, len(p)-tailSize):]
}

// finish closes the file and gives what was captured.
func (c *capture) finish() (head []byte, path string, err error) {
	if c.file == nil {
		return c.head, "", nil
	}
	if err := c.file.Close(); err != nil {
		return c.head, c.file.Name(), fmt.Errorf("spill long output: %w", err)
	}
	return c.head, c.file.Name(), nil
}

// discard removes the file of a command that will run again.
func (c *capture) discard() {
	if c.file != nil {
		_ = c.file.Close()
		_ = os.Remove(c.file.Name())
	}
}
