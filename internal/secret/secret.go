// Package secret holds values that must never be seen: a Text prints as ***
// wherever Go prints it, and only Reveal gives the value.
package secret

import "log/slog"

const mask = "***"

// Text is a secret such as a password. The zero value is no secret at all.
type Text struct{ value string }

// New wraps a secret.
func New(value string) Text { return Text{value: value} }

// Reveal gives the secret. Call it only where the secret leaves for its
// destination: a tool's standard input, a key parser, a 0600 file.
func (t Text) Reveal() string { return t.value }

// IsZero reports whether there is no secret.
func (t Text) IsZero() bool { return t.value == "" }

func (t Text) String() string {
	if t.value == "" {
		return ""
	}
	return mask
}

// GoString keeps %#v from printing the value.
func (t Text) GoString() string { return mask }

// MarshalText keeps JSON and YAML from printing the value.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// LogValue keeps slog from printing the value.
func (t Text) LogValue() slog.Value { return slog.StringValue(t.String()) }
