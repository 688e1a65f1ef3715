// Package shell quotes values for POSIX sh. It is the only place where a value
// becomes part of a program's text.
package shell

import (
	"fmt"
	"strings"

	"al.essio.dev/pkg/shellescape"
)

// Quote makes one word of s for any POSIX shell. A NUL byte, which no shell can
// carry, is an error.
func Quote(s string) (string, error) {
	if strings.IndexByte(s, 0) >= 0 {
		return "", fmt.Errorf("quote %q for the shell: it holds a NUL byte", s)
	}
	return shellescape.Quote(s), nil
}

// Join quotes words and joins them by blanks.
func Join(words ...string) (string, error) {
	quoted := make([]string, len(words))
	for i, w := range words {
		q, err := Quote(w)
		if err != nil {
			return "", err
		}
		quoted[i] = q
	}
	return strings.Join(quoted, " "), nil
}
