package transport

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// openPTY makes a pseudo-terminal (pts(4)) of 80 columns by 24 lines.
func openPTY() (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80})
	}
	if err == nil {
		err = syscall.SetNonblock(fd, true)
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		return nil, nil, errors.Join(err, master.Close())
	}
	// Fd left the file blocking for Go; a new File of the now non-blocking descriptor can be closed while it is read.
	dup, err := unix.FcntlInt(master.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, nil, errors.Join(err, master.Close(), slave.Close())
	}
	if err := errors.Join(master.Close(), syscall.SetNonblock(dup, true)); err != nil {
		return nil, nil, errors.Join(err, slave.Close())
	}
	return os.NewFile(uintptr(dup), "ptmx"), slave, nil
}

// terminalInput writes to a terminal; its end is the character Ctrl-D.
type terminalInput struct{ master *os.File }

func (t terminalInput) Write(p []byte) (int, error) { return t.master.Write(p) }

func (t terminalInput) Close() error {
	_, err := t.master.Write([]byte{4})
	if errors.Is(err, os.ErrClosed) || errors.Is(err, syscall.EIO) {
		return nil
	}
	return err
}

// terminalOutput reads from a terminal; Linux answers EIO once nobody has the other side open.
type terminalOutput struct{ master *os.File }

func (t terminalOutput) Read(p []byte) (int, error) {
	n, err := t.master.Read(p)
	if errors.Is(err, syscall.EIO) {
		err = io.EOF
	}
	return n, err
}

func (t terminalOutput) Close() error { return t.master.Close() }

type eofReader struct{}

func (eofReader) Read([]byte) (int, error) { return 0, io.EOF }
func (eofReader) Close() error             { return nil }
