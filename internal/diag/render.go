package diag

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// snippetWidth is how many characters of a line are shown at most.
const snippetWidth = 100

// vaultMark begins every vaulted file; its lines say nothing to a reader.
const vaultMark = "$ANSIBLE_VAULT"

// Render gives the list as text for a terminal: each error on its line, below
// it the line of the file with a caret, then its hint. It is sorted by file
// and place; exact repeats are dropped. read fetches a file again for its
// snippet; where it is nil or fails, and for vaulted files, there is none. So
// text that was decrypted or generated never shows.
func Render(list List, read func(path string) ([]byte, error)) string {
	sources := map[string][]byte{}
	var b strings.Builder
	for _, e := range Sorted(list) {
		if e.Severity == Warning {
			b.WriteString("[WARNING]: ")
		}
		b.WriteString(e.Error())
		b.WriteByte('\n')
		if read != nil && e.Pos.File != "" && e.Pos.Line > 0 {
			text, known := sources[e.Pos.File]
			if !known {
				text, _ = read(e.Pos.File)
				sources[e.Pos.File] = text
			}
			b.WriteString(Snippet(text, e.Pos))
		}
		if e.Hint != "" {
			fmt.Fprintf(&b, "hint: %s\n", e.Hint)
		}
	}
	return b.String()
}

// Sorted gives the errors by file and place, those without a place first, and
// each only once.
func Sorted(list List) List {
	out := slices.Clone(list)
	slices.SortStableFunc(out, func(a, b *Error) int {
		return cmp.Or(
			cmp.Compare(a.Pos.File, b.Pos.File),
			cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Pos.Col, b.Pos.Col),
		)
	})
	type same struct {
		text, hint string
		severity   Severity
	}
	seen := map[same]bool{}
	return slices.DeleteFunc(out, func(e *Error) bool {
		key := same{e.Error(), e.Hint, e.Severity}
		again := seen[key]
		seen[key] = true
		return again
	})
}

// Snippet gives the line of a position with a caret below its column, as two
// lines with a newline each; "" when the source has no such line, is binary
// or is vaulted.
func Snippet(source []byte, pos Pos) string {
	if bytes.HasPrefix(source, []byte(vaultMark)) || bytes.IndexByte(source, 0) >= 0 {
		return ""
	}
	text, ok := lineOf(source, pos.Line)
	if !ok || strings.TrimSpace(text) == "" {
		return ""
	}
	line, col := cutLine([]rune(text), pos.Col)
	number := fmt.Sprintf("%5d | ", pos.Line)
	if pos.Col == 0 {
		return number + string(line) + "\n"
	}
	return number + string(line) + "\n" + strings.Repeat(" ", len(number)-2) + "| " + caretPad(line, col) + "^\n"
}

// lineOf finds a line by its number, counted from 1, without its line break.
func lineOf(source []byte, n int) (string, bool) {
	source = bytes.TrimPrefix(source, []byte("\xef\xbb\xbf"))
	for i := 1; len(source) > 0 && n > 0; i++ {
		line, rest, _ := bytes.Cut(source, []byte("\n"))
		if i == n {
			return strings.ToValidUTF8(string(bytes.TrimSuffix(line, []byte("\r"))), "\ufffd"), true
		}
		source = rest
	}
	return "", false
}

// cutLine shortens a long line around a column and gives the column in what is
// left. Control characters, which could drive a terminal, become "?".
func cutLine(line []rune, col int) ([]rune, int) {
	line = slices.Clone(line)
	for i, r := range line {
		if r != '\t' && unicode.IsControl(r) {
			line[i] = '?'
		}
	}
	at := min(max(col, 1), len(line)+1)
	if len(line) > snippetWidth {
		from := max(0, min(at-1-snippetWidth*2/3, len(line)-snippetWidth))
		to := from + snippetWidth
		part := slices.Clone(line[from:to])
		if from > 0 {
			part[0] = '…'
		}
		if to < len(line) {
			part[len(part)-1] = '…'
		}
		return part, at - from
	}
	return line, at
}

// caretPad is the blank space that brings a caret below a column: tabs stay
// tabs, wide characters take two blanks, combining ones none.
func caretPad(line []rune, col int) string {
	var b strings.Builder
	for _, r := range line[:min(col-1, len(line))] {
		switch {
		case r == '\t':
			b.WriteByte('\t')
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case wide(r):
			b.WriteString("  ")
		default:
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// wide reports whether a terminal shows a character two cells wide (Unicode's
// East Asian Width W and F, coarsely).
func wide(r rune) bool {
	switch {
	case r < 0x1100:
		return false
	case r <= 0x115f, // Hangul Jamo
		r >= 0x2e80 && r <= 0x303e,
		r >= 0x3041 && r <= 0xa4cf,
		r >= 0xa960 && r <= 0xa97f,
		r >= 0xac00 && r <= 0xd7a3,
		r >= 0xf900 && r <= 0xfaff,
		r >= 0xfe30 && r <= 0xfe6f,
		r >= 0xff00 && r <= 0xff60,
		r >= 0xffe0 && r <= 0xffe6,
		r >= 0x1f300 && r <= 0x1f64f,
		r >= 0x1f680 && r <= 0x1f6ff,
		r >= 0x1f900 && r <= 0x1f9ff,
		r >= 0x20000 && r <= 0x3fffd:
		return true
	}
	return false
}
