package jinja

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hostlerhq/hostler/jinja/value"
)

// links are the patterns by which urlize knows an address.
type links struct {
	space, web, mail, head, tail *regexp.Regexp
}

func newLinks() *links {
	return &links{
		space: regexp.MustCompile(`\s+`),
		web: regexp.MustCompile(`(?i)^(?:(?:https?://|www\.)(?:(?:[\w%-]+\.)+)?(?:[a-z]{2,63}|xn--[\w%]{2,59})` +
			`|(?:[\w%-]{2,63}\.)+(?:com|net|int|edu|gov|org|info|mil)` +
			`|https?://(?:\d{1,3}(?:\.\d{1,3}){3}|\[(?:[\da-f]{0,4}:){2}(?:[\da-f]{0,4}:?){1,6}\]))` +
			`(?::\d{1,5})?(?:[/?#]\S*)?$`),
		mail: regexp.MustCompile(`^\S+@\w[\w.-]*\.\w+$`),
		head: regexp.MustCompile(`^(?:[(<]|&lt;)+`),
		tail: regexp.MustCompile(`(?:[)>.,\n]|&gt;)+$`),
	}
}

func filterUrlize(c *Call) (any, error) {
	s, err := c.rt.escape(c.Value)
	if err != nil {
		return nil, err
	}
	u := urlizer{links: newLinks(), limit: -1}
	if c.Args[0] != nil {
		if u.limit, err = c.intArg(0); err != nil {
			return nil, err
		}
	}
	rel := []string{"noopener"}
	if c.Args[3] != nil {
		text, err := c.Text(c.Args[3])
		if err != nil {
			return nil, err
		}
		rel = append(rel, strings.Fields(text)...)
	}
	if ok, err := c.Truth(c.Args[1]); err != nil {
		return nil, err
	} else if ok {
		rel = append(rel, "nofollow")
	}
	slices.Sort(rel)
	u.attrs = ` rel="` + string(escapeText(strings.Join(slices.Compact(rel), " "))) + `"`
	if c.Args[2] != nil {
		target, err := c.Text(c.Args[2])
		if err != nil {
			return nil, err
		}
		u.attrs += ` target="` + string(escapeText(target)) + `"`
	}
	if c.Args[4] != nil {
		if u.schemes, err = c.schemes(); err != nil {
			return nil, err
		}
	}
	var b strings.Builder
	text := string(s)
	for text != "" {
		at := u.links.space.FindStringIndex(text)
		if at == nil {
			at = []int{len(text), len(text)}
		}
		b.WriteString(u.word(text[:at[0]]))
		b.WriteString(text[at[0]:at[1]])
		text = text[at[1]:]
	}
	if c.rt.autoescape {
		return Markup(b.String()), nil
	}
	return b.String(), nil
}

// schemePattern is never changed.
var schemePattern = regexp.MustCompile(`^[\w.+-]{2,}:/{0,2}$`)

func (c *Call) schemes() ([]string, error) {
	items, err := c.Items(c.Args[4])
	if err != nil {
		return nil, err
	}
	var out []string
	for _, item := range items {
		s, err := c.Text(item)
		if err != nil {
			return nil, err
		}
		if !schemePattern.MatchString(s) {
			return nil, value.Errorf(value.ValueError, "%s is not a valid URI scheme prefix.", quote(s))
		}
		out = append(out, s)
	}
	return out, nil
}

type urlizer struct {
	links   *links
	limit   int // characters of a link's text; negative: all
	attrs   string
	schemes []string
}

func (u *urlizer) word(s string) string {
	head, middle, tail := u.links.head.FindString(s), s, ""
	middle = middle[len(head):]
	if t := u.links.tail.FindString(middle); t != "" {
		middle, tail = middle[:len(middle)-len(t)], t
	}
	for _, pair := range [][2]string{{"(", ")"}, {"<", ">"}, {"&lt;", "&gt;"}} {
		opened := strings.Count(middle, pair[0])
		if opened <= strings.Count(middle, pair[1]) {
			continue
		}
		for range min(opened, strings.Count(tail, pair[1])) {
			end := strings.Index(tail, pair[1]) + len(pair[1])
			middle, tail = middle+tail[:end], tail[end:]
		}
	}
	return head + u.link(middle) + tail
}

func (u *urlizer) link(s string) string {
	switch {
	case u.links.web.MatchString(s):
		href := s
		if !strings.HasPrefix(s, "https://") && !strings.HasPrefix(s, "http://") {
			href = "https://" + s
		}
		return `<a href="` + href + `"` + u.attrs + ">" + u.shorten(s) + "</a>"
	case strings.HasPrefix(s, "mailto:") && u.links.mail.MatchString(s[len("mailto:"):]):
		return `<a href="` + s + `">` + s[len("mailto:"):] + "</a>"
	case strings.Contains(s, "@") && !strings.HasPrefix(s, "www.") && !strings.Contains(s, ":") && u.links.mail.MatchString(s):
		return `<a href="mailto:` + s + `">` + s + "</a>"
	}
	for _, scheme := range u.schemes {
		if s != scheme && strings.HasPrefix(s, scheme) {
			s = `<a href="` + s + `"` + u.attrs + ">" + s + "</a>"
		}
	}
	return s
}

func (u *urlizer) shorten(s string) string {
	if u.limit < 0 || utf8.RuneCountInString(s) <= u.limit {
		return s
	}
	return cmp.Or(string([]rune(s)[:u.limit]), "") + "..."
}
