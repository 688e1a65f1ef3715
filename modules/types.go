package modules

import (
	"fmt"
	"io/fs"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
)

// Presence is whether a thing shall be there.
type Presence string

// The states of most things.
const (
	Present Presence = "present"
	Absent  Presence = "absent"
)

// Choices lists the states.
func (Presence) Choices() []string { return []string{string(Present), string(Absent)} }

// Path is a path on the host, where ~ and $NAME at run time mean what they mean there.
type Path string

// LocalFile is a file or folder of the controller as the user wrote it; Host.Local finds it.
type LocalFile string

// JSON is JSON text; a dict or list given in its place is encoded.
type JSON string

// DecodeArg implements the reading of an argument.
func (j *JSON) DecodeArg(v any) error {
	if s, ok := v.(string); ok {
		*j = JSON(strings.TrimSpace(s))
		return nil
	}
	text, err := value.EncodeJSON(v, value.JSONOptions{})
	if err != nil {
		return fmt.Errorf("must be JSON: %w", err)
	}
	*j = JSON(text)
	return nil
}

// Size is a number of bytes. K, M, G, T, P, E, alone or with iB, are powers of 1024; KB, MB … are powers of 1000.
type Size int64

var sizePattern = regexp.MustCompile(`^\s*([0-9]*\.?[0-9]+)\s*([KMGTPEkmgtpe]?)([iI]?[bB])?\s*$`)

// DecodeArg implements the reading of an argument.
func (z *Size) DecodeArg(v any) error {
	text, err := Str(v)
	if err != nil {
		return err
	}
	n, err := ParseSize(text)
	*z = n
	return err
}

// ParseSize reads a size such as 10G, 1.5GiB, 10GB or 4096.
func ParseSize(text string) (Size, error) {
	m := sizePattern.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("must be a size (10G, 512MiB, 10GB), not %q", text)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0, fmt.Errorf("read size %q: %w", text, err)
	}
	base := 1024.0
	if len(m[3]) == 1 && m[2] != "" {
		base = 1000
	}
	if m[2] != "" {
		n *= math.Pow(base, float64(1+strings.Index("KMGTPE", strings.ToUpper(m[2]))))
	}
	if n > math.MaxInt64/2 {
		return 0, fmt.Errorf("size %q is too large", text)
	}
	return Size(math.Round(n)), nil
}

// FileMode is what permissions a file shall have: octal ("0644", 0o644), symbolic ("u=rwX,g+r") or "preserve".
// The zero value asks for nothing.
type FileMode struct {
	Text    string // as given; octal numbers as "0644"
	warning string
}

var (
	octalMode    = regexp.MustCompile(`^(0o|0)?[0-7]{1,4}$`)
	symbolicMode = regexp.MustCompile(`^[ugoa]*([-+=]([rwxXst]*|[ugo]))+(,[ugoa]*([-+=]([rwxXst]*|[ugo]))+)*$`)
)

// DecodeArg implements the reading of an argument. A number counts as YAML gave it, so 0644 and 0o644 are the
// octal mode and 644 is decimal, which is warned of.
func (m *FileMode) DecodeArg(v any) error {
	if n, ok := v.(int); ok {
		if n < 0 || n > 0o7777 {
			return fmt.Errorf("must be permissions, not %d; write it in quotes: '0644'", n)
		}
		m.Text = fmt.Sprintf("%04o", n)
		if text := strconv.Itoa(n); octalMode.MatchString(text) && len(text) == 3 {
			m.warning = fmt.Sprintf("%d is a decimal number and means %s; write '0%d' in quotes for the octal mode", n, m.Text, n)
		}
		return nil
	}
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("must be permissions ('0644' or u=rw,g=r), not %s", describe(v))
	}
	s = strings.TrimSpace(s)
	if s != "" && s != "preserve" && !octalMode.MatchString(s) && !symbolicMode.MatchString(s) {
		return fmt.Errorf("must be permissions ('0644' or u=rw,g=r), not %q", s)
	}
	m.Text = s
	return nil
}

// Warning tells of a mode that probably was meant otherwise.
func (m *FileMode) Warning() string { return m.warning }

// IsZero reports that no permissions are asked for.
func (m FileMode) IsZero() bool { return m.Text == "" }

// Preserve reports that the source's permissions are to be kept.
func (m FileMode) Preserve() bool { return m.Text == "preserve" }

// Apply gives the permission bits (with setuid 04000, setgid 02000, sticky 01000 as chmod has them) that a file with
// the current ones is to get. Dir is whether it is a folder, umask the process's where no user is named ("+x").
func (m FileMode) Apply(current uint32, dir bool, umask uint32) uint32 {
	if octalMode.MatchString(m.Text) {
		n, err := strconv.ParseUint(strings.TrimPrefix(m.Text, "0o"), 8, 32)
		if err != nil {
			return current
		}
		return uint32(n)
	}
	if m.Preserve() || m.IsZero() {
		return current
	}
	next := current
	for clause := range strings.SplitSeq(m.Text, ",") {
		next = applyClause(clause, current, next, dir, umask)
	}
	return next
}

// applyClause applies one clause such as ug+rX to next; X and copies (g=u) look at current.
func applyClause(clause string, current, next uint32, dir bool, umask uint32) uint32 {
	at := strings.IndexAny(clause, "+-=")
	who := clause[:at]
	masked := who == ""
	if who == "" || strings.Contains(who, "a") {
		who = "ugo"
	}
	for rest := clause[at:]; rest != ""; {
		op := rest[0]
		end := strings.IndexAny(rest[1:], "+-=")
		perms := rest[1:]
		if end >= 0 {
			perms = rest[1 : 1+end]
		}
		rest = rest[1+len(perms):]
		for _, u := range who {
			bits, mask := permBits(u, perms, current, dir)
			if masked {
				bits &= ^umask & 0o7777
			}
			switch op {
			case '=':
				next = next&^mask | bits
			case '+':
				next |= bits
			case '-':
				next &^= bits
			}
		}
	}
	return next
}

// permBits gives the bits of some permissions for one user class, and all the bits of that class.
func permBits(who rune, perms string, current uint32, dir bool) (bits, mask uint32) {
	shift := map[rune]uint32{'u': 6, 'g': 3, 'o': 0}
	special := map[rune]uint32{'u': 0o4000, 'g': 0o2000, 'o': 0o1000}
	s := shift[who]
	for _, p := range perms {
		switch p {
		case 'r':
			bits |= 4 << s
		case 'w':
			bits |= 2 << s
		case 'x':
			bits |= 1 << s
		case 'X':
			if dir || current&0o111 != 0 {
				bits |= 1 << s
			}
		case 's':
			if who != 'o' {
				bits |= special[who]
			}
		case 't':
			if who == 'o' {
				bits |= special[who]
			}
		case 'u', 'g', 'o':
			bits |= (current >> shift[p] & 7) << s
		}
	}
	return bits, 7<<s | special[who]
}

// GoMode turns chmod's bits into Go's.
func GoMode(bits uint32) fs.FileMode {
	mode := fs.FileMode(bits & 0o777)
	for bit, flag := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if bits&bit != 0 {
			mode |= flag
		}
	}
	return mode
}

// nearHint is the hint that names the word probably meant.
func nearHint(word string, words []string) string {
	near := diag.Near(word, words)
	if near == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", near)
}
