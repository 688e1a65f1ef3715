package transport

import (
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// signalName is a signal's name as the SSH protocol writes it (RFC 4254 section 6.10): without SIG.
func signalName(n int) string {
	name := unix.SignalName(syscall.Signal(n))
	if name == "" {
		return fmt.Sprintf("%d", n)
	}
	return strings.TrimPrefix(name, "SIG")
}
