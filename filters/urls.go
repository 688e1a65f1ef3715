package filters

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

func urlFilters() []entry {
	return []entry{
		one("urlsplit", "query=''", urlSplit),
		one("urldecode", "", onText(func(s string) string { return percentDecoded(strings.ReplaceAll(s, "+", " ")) })),
	}
}

func urlTests() []entry {
	return []entry{
		one("uri", "schemes=None", uriTest(false)),
		one("url", "schemes=None", uriTest(true)),
		one("urn", "", func(c *jinja.Call) (any, error) {
			s, ok := value.AsString(c.Value)
			return ok && strings.HasPrefix(strings.ToLower(s), "urn:"), nil
		}),
	}
}

// percentDecoded replaces %xx; what is no such escape stays.
func percentDecoded(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				out.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return strings.ToValidUTF8(out.String(), "\ufffd")
}

// splitURL is Python's urlsplit.
type splitURL struct{ scheme, netloc, path, query, fragment string }

var urlScheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)

func newSplitURL(s string) splitURL {
	var u splitURL
	s = strings.Trim(s, "\x00\x01\x02\x03\x04\x05\x06\x07\b\t\n\v\f\r\x0e\x0f \x1f")
	s = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(s)
	if scheme := urlScheme.FindString(s); scheme != "" {
		u.scheme, s = strings.ToLower(strings.TrimSuffix(scheme, ":")), s[len(scheme):]
	}
	if rest, ok := strings.CutPrefix(s, "//"); ok {
		end := strings.IndexAny(rest, "/?#")
		if end < 0 {
			end = len(rest)
		}
		u.netloc, s = rest[:end], rest[end:]
	}
	s, u.fragment, _ = strings.Cut(s, "#")
	u.path, u.query, _ = strings.Cut(s, "?")
	return u
}

// host gives the parts of netloc; what is missing is None.
func (u splitURL) host() (username, password, hostname, port any, err error) {
	at := strings.LastIndexByte(u.netloc, '@')
	if at >= 0 {
		name, word, ok := strings.Cut(u.netloc[:at], ":")
		if username = name; ok {
			password = word
		}
	}
	rest := u.netloc[at+1:]
	var name, number string
	if inner, ok := strings.CutPrefix(rest, "["); ok {
		var after string
		name, after, _ = strings.Cut(inner, "]")
		_, number, _ = strings.Cut(after, ":")
	} else {
		name, number, _ = strings.Cut(rest, ":")
	}
	if name != "" {
		hostname = strings.ToLower(name)
	}
	if number != "" {
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil {
			return nil, nil, nil, nil, value.Errorf(value.ValueError, "Port could not be cast to integer value as '%s'", number)
		}
		port = int(n)
	}
	return username, password, hostname, port, nil
}

func urlSplit(c *jinja.Call) (any, error) {
	text, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	u := newSplitURL(text)
	username, password, hostname, port, err := u.host()
	if err != nil {
		return nil, err
	}
	all := value.NewDict("fragment", u.fragment, "hostname", hostname, "netloc", u.netloc, "password", password, "path", u.path,
		"port", port, "query", u.query, "scheme", u.scheme, "username", username)
	query, err := c.Text(c.Args[0])
	if err != nil || query == "" {
		return all, err
	}
	v, ok := all.Get(query)
	if !ok {
		return nil, value.Errorf(value.ValueError, "urlsplit: unknown URL component: %s", query)
	}
	return v, nil
}

func uriTest(needsHost bool) jinja.Func {
	return func(c *jinja.Call) (any, error) {
		s, ok := value.AsString(c.Value)
		if !ok {
			return false, nil
		}
		u := newSplitURL(s)
		if _, err := url.Parse(s); err != nil {
			return false, nil //nolint:nilerr // no URL then
		}
		if needsHost && u.netloc == "" && u.scheme != "file" {
			return false, nil
		}
		if c.Args[0] == nil {
			return true, nil
		}
		schemes, err := c.Items(c.Args[0])
		if err != nil {
			return nil, err
		}
		return slices.Contains(schemes, any(u.scheme)), nil
	}
}
