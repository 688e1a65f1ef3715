package transport

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// maxInclude is how deep ssh lets Include nest.
const maxInclude = 16

// matcher walks ssh_config files for one host and gathers the options that apply.
type matcher struct {
	reader   *configReader
	options  *optionSet
	original string // as the user named the host
	host     string // as HostName has it
	final    bool   // the second pass, which `Match final` asks for
	again    bool   // somebody asked for it
	settled  *sshSettings
}

// readAll reads the user's file and the system's, or the one that -F names.
func (m *matcher) readAll(configFile string) error {
	if err := m.pass(configFile); err != nil {
		return err
	}
	if !m.again {
		return nil
	}
	m.final = true
	return m.pass(configFile)
}

func (m *matcher) pass(configFile string) error {
	local := m.reader.local
	files := []string{filepath.Join(local.home, ".ssh", "config"), local.system}
	switch {
	case strings.EqualFold(configFile, "none"):
		files = nil
	case configFile != "":
		files = []string{m.home(configFile)}
	}
	for _, path := range files {
		err := m.file(path, true, 0)
		if err != nil && (configFile != "" || !errors.Is(err, fs.ErrNotExist)) {
			return err
		}
	}
	if name := m.options.get("hostname"); name != "" {
		host, err := m.expandHostName(name)
		if err != nil {
			return err
		}
		m.host = host
	}
	return nil
}

// file reads one file; active says whether its first lines apply.
func (m *matcher) file(path string, active bool, depth int) error {
	if depth > maxInclude {
		return fmt.Errorf("%s: Include nests too deep", path)
	}
	lines, err := m.reader.files.load(path)
	if err != nil {
		return err
	}
	allowed := active // an Include inside a block that does not apply never applies
	for _, line := range lines {
		switch line.key {
		case "host":
			active = allowed && matchPatterns(m.hostNow(), line.args)
		case "match":
			ok, err := m.match(line.args, allowed)
			if err != nil {
				return fmt.Errorf("%s:%d: %w", path, line.number, err)
			}
			active = ok
		case "include":
			if err := m.include(line.args, path, active, depth); err != nil {
				return fmt.Errorf("%s:%d: %w", path, line.number, err)
			}
		default:
			if active {
				m.options.put(line.key, line.args)
			}
		}
	}
	return nil
}

// hostNow is the name that Host lines see: the user's, and in the final pass HostName's.
func (m *matcher) hostNow() string {
	if m.final {
		return m.host
	}
	return m.original
}

func (m *matcher) include(patterns []string, from string, active bool, depth int) error {
	for _, pattern := range patterns {
		pattern, err := m.expandEnv(m.home(pattern))
		if err != nil {
			return err
		}
		if !filepath.IsAbs(pattern) {
			base := filepath.Join(m.reader.local.home, ".ssh")
			if from == m.reader.local.system {
				base = filepath.Dir(from)
			}
			pattern = filepath.Join(base, pattern)
		}
		files, err := filepath.Glob(pattern)
		if err != nil {
			return fmt.Errorf("include %s: %w", pattern, err)
		}
		for _, f := range files {
			if err := m.file(f, active, depth+1); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// match evaluates the criteria of a Match line; all must hold.
func (m *matcher) match(args []string, allowed bool) (bool, error) {
	if len(args) == 0 {
		return false, errors.New("a Match line has no criteria")
	}
	result := allowed
	for i := 0; i < len(args); i++ {
		name, value, hasValue := strings.Cut(args[i], "=")
		name, negated := strings.CutPrefix(strings.ToLower(name), "!")
		ok := false
		switch name {
		case "all":
			ok = true
		case "canonical":
			ok = false // names are not canonicalized here
		case "final":
			m.again = true
			ok = m.final
		default:
			if !hasValue {
				i++
				if i == len(args) {
					return false, fmt.Errorf("the value of Match %s is missing", name)
				}
				value = args[i]
			}
			var err error
			// A program is run only when the other criteria hold so far, as ssh does.
			if ok, err = m.criterion(name, value, result); err != nil {
				return false, err
			}
		}
		if ok == negated {
			result = false
		}
	}
	return result, nil
}

func (m *matcher) criterion(name, value string, live bool) (bool, error) {
	local := m.reader.local
	switch name {
	case "host":
		host := m.original
		if configured := m.options.get("hostname"); configured != "" {
			var err error
			if host, err = m.expandHostName(configured); err != nil {
				return false, err
			}
		}
		if m.final {
			host = m.host
		}
		return matchPatterns(host, strings.Split(value, ",")), nil
	case "originalhost":
		return matchPatterns(m.original, strings.Split(value, ",")), nil
	case "user":
		user := m.options.get("user")
		if user == "" {
			user = local.user
		}
		return matchPatterns(user, strings.Split(value, ",")), nil
	case "localuser":
		return matchPatterns(local.user, strings.Split(value, ",")), nil
	case "tagged":
		return matchPatterns(m.options.get("tag"), strings.Split(value, ",")), nil
	case "localnetwork", "command", "sessiontype", "version":
		return false, nil
	case "exec":
		if !live {
			return false, nil
		}
		return m.matchExec(value)
	default:
		return false, fmt.Errorf("unknown Match criterion %q", name)
	}
}

// matchExec runs a program of the user's own file through the user's shell; status 0 matches.
func (m *matcher) matchExec(command string) (bool, error) {
	line, err := m.expand(command, "%CdhikLlnpru")
	if err != nil {
		return false, err
	}
	shell := m.reader.local.getenv("SHELL")
	if shell == "" {
		shell = "/bin/sh"
	}
	return exec.Command(shell, "-c", line).Run() == nil, nil
}

// matchPatterns is ssh's pattern list: * and ?, and a ! that excludes. A list of nothing but
// exclusions matches nothing.
func matchPatterns(s string, patterns []string) bool {
	matched := false
	s = strings.ToLower(s)
	for _, p := range patterns {
		p, negated := strings.CutPrefix(p, "!")
		if !matchPattern(s, strings.ToLower(p)) {
			continue
		}
		if negated {
			return false
		}
		matched = true
	}
	return matched
}

func matchPattern(s, p string) bool {
	for p != "" {
		switch {
		case p[0] == '*':
			p = strings.TrimLeft(p, "*")
			if p == "" {
				return true
			}
			for i := range len(s) {
				if matchPattern(s[i:], p) {
					return true
				}
			}
			return false
		case s == "" || p[0] != '?' && p[0] != s[0]:
			return false
		}
		s, p = s[1:], p[1:]
	}
	return s == ""
}

// expandHostName expands HostName, which knows %h and %% alone.
func (m *matcher) expandHostName(s string) (string, error) {
	return percent(s, func(c byte) (string, bool) { return m.original, c == 'h' })
}

// path expands a file name: ~, tokens and ${ENV}.
func (m *matcher) path(s string) (string, error) {
	s, err := m.expandEnv(s)
	if err != nil {
		return "", err
	}
	return m.expand(m.home(s), "%CdhikLlnpru")
}

// home expands a leading ~; another user's home stays as it is.
func (m *matcher) home(s string) string {
	if s == "~" || strings.HasPrefix(s, "~/") {
		return m.reader.local.home + s[1:]
	}
	return s
}

func (m *matcher) expandEnv(s string) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(s, "${")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}")
		value := m.reader.local.getenv(name)
		if !closed || value == "" {
			return "", fmt.Errorf("ssh_config: ${%s} is not set", name)
		}
		out.WriteString(value)
		s = after
	}
}

// expand expands the tokens in allowed ("" leaves the text as it is).
func (m *matcher) expand(s, allowed string) (string, error) {
	if allowed == "" {
		return s, nil
	}
	return percent(s, func(c byte) (string, bool) {
		if strings.IndexByte(allowed, c) < 0 {
			return "", false
		}
		return m.token(c)
	})
}

// token gives a token's value (ssh_config(5), TOKENS).
func (m *matcher) token(c byte) (string, bool) {
	local := m.reader.local
	host, port, user := m.host, m.options.get("port"), m.options.get("user")
	if m.settled != nil {
		port, user = strconv.Itoa(m.settled.port), m.settled.user
	} else if name := m.options.get("hostname"); name != "" {
		if expanded, err := m.expandHostName(name); err == nil {
			host = expanded
		}
	}
	if port == "" {
		port = "22"
	}
	if user == "" {
		user = local.user
	}
	short, _, _ := strings.Cut(local.hostname, ".")
	switch c {
	case 'h':
		return host, true
	case 'n':
		return m.original, true
	case 'p':
		return port, true
	case 'r':
		return user, true
	case 'u':
		return local.user, true
	case 'l':
		return local.hostname, true
	case 'L':
		return short, true
	case 'd':
		return local.home, true
	case 'k':
		if alias := m.options.get("hostkeyalias"); alias != "" {
			return alias, true
		}
		return m.original, true
	case 'C':
		return fmt.Sprintf("%x", sha1.Sum([]byte(local.hostname+host+port+user+m.options.get("proxyjump")))), true
	case 'i':
		return strconv.Itoa(os.Getuid()), true
	}
	return "", false
}

// percent replaces %-tokens; %% is a percent sign, an unknown token is an error.
func percent(s string, token func(c byte) (string, bool)) (string, error) {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			out.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) {
			return "", fmt.Errorf("ssh_config: %q ends in %%", s)
		}
		if s[i] == '%' {
			out.WriteByte('%')
			continue
		}
		value, ok := token(s[i])
		if !ok {
			return "", fmt.Errorf("ssh_config: unknown token %%%c in %q", s[i], s)
		}
		out.WriteString(value)
	}
	return out.String(), nil
}
