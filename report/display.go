package report

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// The colours as Ansible names and numbers them.
const (
	green        = "0;32"
	yellow       = "0;33"
	cyan         = "0;36"
	red          = "0;31"
	brightRed    = "1;31"
	brightPurple = "1;35"
	darkGray     = "1;30"
	blue         = "0;34"
	purple       = "0;35"
)

// display writes lines as Ansible's display does. Errors of the writers are remembered, not returned line by line.
type display struct {
	opts Options
	err  error
	seen map[string]bool // warnings already given
}

func (d *display) columns() int { return max(79, d.opts.Width-1) }

// paint colours every line of a text by itself, so that a pager or a cut line does not bleed.
func (d *display) paint(s, color string) string {
	if !d.opts.Color || color == "" {
		return s
	}
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = "\x1b[" + color + "m" + l + "\x1b[0m"
	}
	return strings.Join(lines, "\n")
}

func (d *display) write(w io.Writer, s string) {
	if _, err := io.WriteString(w, s); err != nil && d.err == nil {
		d.err = fmt.Errorf("write the report: %w", err)
	}
}

// line prints one text with exactly one line end.
func (d *display) line(s, color string) {
	d.write(d.opts.Out, d.paint(strings.TrimSuffix(s, "\n"), color)+"\n")
}

// failure prints a line about a failure, to stderr where settings want that.
func (d *display) failure(s, color string) {
	w := d.opts.Out
	if d.opts.FailedToErr {
		w = d.opts.Err
	}
	d.write(w, d.paint(strings.TrimSuffix(s, "\n"), color)+"\n")
}

// banner prints an empty line, the text and stars to the width.
func (d *display) banner(s string) {
	s = strings.TrimSpace(s)
	stars := max(3, d.columns()-textWidth(s))
	d.write(d.opts.Out, "\n"+s+" "+strings.Repeat("*", stars)+"\n")
}

// warn prints a warning once.
func (d *display) warn(text string) { d.once("[WARNING]: "+text, brightPurple) }

func (d *display) once(text, color string) {
	if d.opts.NoDeprecations && strings.HasPrefix(text, "[DEPRECATION") {
		return
	}
	wrapped := wrap(text, d.columns())
	if d.seen[wrapped] {
		return
	}
	if d.seen == nil {
		d.seen = make(map[string]bool)
	}
	d.seen[wrapped] = true
	d.write(d.opts.Err, d.paint(wrapped, color)+"\n")
}

// wrap breaks text at blanks so that no line is longer than columns, where words allow it.
func wrap(text string, columns int) string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && textWidth(line)+1+textWidth(word) > columns {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return strings.Join(append(lines, line), "\n")
}

// textWidth counts terminal columns: wide East Asian characters take two, combining ones none.
func textWidth(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r) || unicode.Is(unicode.Cf, r):
		case width.LookupRune(r).Kind() == width.EastAsianWide || width.LookupRune(r).Kind() == width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}
