package filters

import (
	"os"
	"path"
	"strings"

	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

func pathFilters() []entry {
	return []entry{
		one("basename", "", onText(basename)),
		one("dirname", "", onText(dirname)),
		one("normpath", "", onText(normpath)),
		one("splitext", "", splitext),
		one("path_join", "", pathJoin),
		one("relpath", "start='.'", relpath),
		one("win_basename", "", onText(winBasename)),
	}
}

// onText makes a filter of a function from text to text.
func onText(f func(string) string) jinja.Func {
	return func(c *jinja.Call) (any, error) {
		text, err := c.Text(c.Value)
		if err != nil {
			return nil, err
		}
		return f(text), nil
	}
}

// basename is Python's: what stands after the last slash, nothing when it ends in one.
func basename(p string) string { return p[strings.LastIndexByte(p, '/')+1:] }

func dirname(p string) string {
	head := p[:strings.LastIndexByte(p, '/')+1]
	if trimmed := strings.TrimRight(head, "/"); trimmed != "" {
		return trimmed
	}
	return head
}

// normpath is Python's: path.Clean, but that two leading slashes stay.
func normpath(p string) string {
	clean := path.Clean(p)
	if strings.HasPrefix(p, "//") && !strings.HasPrefix(p, "///") {
		return "/" + clean
	}
	return clean
}

func splitext(c *jinja.Call) (any, error) {
	text, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	name := basename(text)
	dot := strings.LastIndexByte(name, '.')
	if strings.TrimLeft(name[:max(dot, 0)], ".") == "" {
		return value.Tuple{text, ""}, nil
	}
	at := len(text) - len(name) + dot
	return value.Tuple{text[:at], text[at:]}, nil
}

func pathJoin(c *jinja.Call) (any, error) {
	if s, ok := c.Value.(string); ok {
		return s, nil
	}
	parts, ok := sequence(c.Value)
	if !ok {
		return nil, value.Errorf(value.TypeError, "|path_join expects string or sequence, got %s instead.", value.TypeName(c.Value))
	}
	if len(parts) == 0 {
		return nil, value.Errorf(value.TypeError, "path_join: there is nothing to join")
	}
	joined := ""
	for _, part := range parts {
		s, ok := part.(string)
		if !ok {
			return nil, value.Errorf(value.TypeError, "|path_join expects string or sequence, got %s instead.", value.TypeName(part))
		}
		switch {
		case strings.HasPrefix(s, "/"), joined == "":
			joined = s
		case strings.HasSuffix(joined, "/"):
			joined += s
		default:
			joined += "/" + s
		}
	}
	return joined, nil
}

func relpath(c *jinja.Call) (any, error) {
	text, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	start, err := c.Text(c.Args[0])
	if err != nil {
		return nil, err
	}
	full := func(p string) (string, error) {
		if path.IsAbs(p) {
			return p, nil
		}
		dir, err := os.Getwd()
		return dir + "/" + p, err
	}
	if start, err = full(start); err != nil {
		return nil, err
	}
	if text == "" {
		return nil, value.Errorf(value.ValueError, "no path specified")
	}
	if text, err = full(text); err != nil {
		return nil, err
	}
	a, b := pathParts(start), pathParts(text)
	same := 0
	for same < len(a) && same < len(b) && a[same] == b[same] {
		same++
	}
	rel := append(make([]string, 0, len(a)+len(b)), strings.Split(strings.Repeat("../", len(a)-same), "/")[:len(a)-same]...)
	rel = append(rel, b[same:]...)
	if len(rel) == 0 {
		return ".", nil
	}
	return strings.Join(rel, "/"), nil
}

func pathParts(p string) []string {
	clean := strings.Trim(path.Clean(p), "/")
	if clean == "" || clean == "." {
		return nil
	}
	return strings.Split(clean, "/")
}
