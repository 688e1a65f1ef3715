package transport

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
)

// configLine is one line of an ssh_config.
type configLine struct {
	number int
	key    string // canonical
	args   []string
}

// fileCache keeps parsed files by path.
type fileCache struct {
	mu    sync.Mutex
	files map[string][]configLine
}

// load parses a file once. A missing one is fs.ErrNotExist.
func (c *fileCache) load(path string) ([]configLine, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if lines, ok := c.files[path]; ok {
		return lines, nil
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrPermission) { // ssh ignores a file that it may not read
		return nil, fmt.Errorf("read ssh_config: %w", err)
	}
	lines, err := parseConfig(path, string(text))
	if err != nil {
		return nil, err
	}
	if c.files == nil {
		c.files = map[string][]configLine{}
	}
	c.files[path] = lines
	return lines, nil
}

// parseConfig splits a file into lines. Options that no ssh has are left out: files are shared
// between versions, and IgnoreUnknown exists for that.
func parseConfig(path, text string) ([]configLine, error) {
	var out []configLine
	for i, line := range strings.Split(text, "\n") {
		key, args, err := splitConfigLine(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
		}
		if key == "" {
			continue
		}
		name, known := canonicalOption(key)
		if !known {
			continue
		}
		if len(args) == 0 && name != "host" && name != "match" {
			return nil, fmt.Errorf("%s:%d: %s has no value", path, i+1, key)
		}
		out = append(out, configLine{number: i + 1, key: name, args: args})
	}
	return out, nil
}

// splitConfigLine takes a line apart: a key, blanks or one "=", and words that may be quoted. The
// value of ProxyCommand and its kind stays one text.
func splitConfigLine(line string) (key string, args []string, err error) {
	line = strings.Trim(line, " \t\r\f")
	if line == "" || line[0] == '#' {
		return "", nil, nil
	}
	if line[0] == '"' {
		end := strings.IndexByte(line[1:], '"')
		if end < 0 {
			return "", nil, errors.New("a quote is not closed")
		}
		key, line = line[1:end+1], line[end+2:]
	} else {
		end := strings.IndexAny(line, " \t=")
		if end < 0 {
			return line, nil, nil
		}
		key, line = line[:end], line[end:]
	}
	line = strings.TrimLeft(line, " \t")
	if rest, ok := strings.CutPrefix(line, "="); ok {
		line = strings.TrimLeft(rest, " \t")
	}
	switch strings.ToLower(key) {
	case "proxycommand", "localcommand", "remotecommand", "knownhostscommand":
		if line == "" {
			return key, nil, nil
		}
		return key, []string{line}, nil
	}
	args, err = splitWords(line)
	return key, args, err
}

// splitWords splits as OpenSSH 9's argv_split does: double and single quotes, a backslash before a quote,
// a backslash or a blank, and a comment after the values.
func splitWords(s string) ([]string, error) {
	var words []string
	for i := 0; i < len(s); {
		for i < len(s) && (s[i] == ' ' || s[i] == '\t') {
			i++
		}
		if i == len(s) || s[i] == '#' {
			break
		}
		var word strings.Builder
		quote := byte(0)
		for ; i < len(s); i++ {
			c := s[i]
			switch {
			case c == '\\' && i+1 < len(s) && (strings.IndexByte(`"'\`, s[i+1]) >= 0 || quote == 0 && s[i+1] == ' '):
				i++
				word.WriteByte(s[i])
			case quote == 0 && (c == ' ' || c == '\t'):
				goto done
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
			case c == quote && quote != 0:
				quote = 0
			default:
				word.WriteByte(c)
			}
		}
		if quote != 0 {
			return nil, errors.New("a quote is not closed")
		}
	done:
		words = append(words, word.String())
	}
	return words, nil
}
