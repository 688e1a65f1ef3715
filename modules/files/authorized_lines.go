package files

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

// authorizedLine is a line of a file of keys: a key with what belongs to it, or what is none.
type authorizedLine struct {
	kind, key string // kind is "" for what is no key: then key is the line
	options   []keyOption
	comment   string
	rank      int // the place in the file
}

type keyOption struct {
	name, value string
	hasValue    bool
}

// keyTypes are the kinds of keys, as Ansible knows them.
var keyTypes = strings.Fields(`sk-ecdsa-sha2-nistp256@openssh.com sk-ecdsa-sha2-nistp256-cert-v01@openssh.com
	webauthn-sk-ecdsa-sha2-nistp256@openssh.com ecdsa-sha2-nistp256 ecdsa-sha2-nistp256-cert-v01@openssh.com ecdsa-sha2-nistp384
	ecdsa-sha2-nistp384-cert-v01@openssh.com ecdsa-sha2-nistp521 ecdsa-sha2-nistp521-cert-v01@openssh.com sk-ssh-ed25519@openssh.com
	sk-ssh-ed25519-cert-v01@openssh.com ssh-ed25519 ssh-ed25519-cert-v01@openssh.com ssh-dss ssh-rsa ssh-xmss@openssh.com
	ssh-xmss-cert-v01@openssh.com rsa-sha2-256 rsa-sha2-512 ssh-rsa-cert-v01@openssh.com rsa-sha2-256-cert-v01@openssh.com
	rsa-sha2-512-cert-v01@openssh.com ssh-dss-cert-v01@openssh.com`)

// readAuthorized reads a line; false for what is no key.
func readAuthorized(text string, rank int) (authorizedLine, bool) {
	words := strings.FieldsFunc(strings.ReplaceAll(text, `\#`, "#"), func(c rune) bool { return strings.ContainsRune(" \t\r\n", c) })
	none := authorizedLine{key: text, rank: rank}
	at := slices.IndexFunc(words, func(w string) bool { return slices.Contains(keyTypes, w) })
	if at < 0 || at+1 == len(words) || words[0] == "#" {
		return none, false
	}
	return authorizedLine{
		kind: words[at], key: words[at+1], options: readKeyOptions(strings.Join(words[:at], " ")),
		comment: strings.Join(words[at+2:], " "), rank: rank,
	}, true
}

// optionPattern is one option: commas in quotes do not end it.
var optionPattern = regexp.MustCompile(`(?:[^,"']|"[^"]*"|'[^']*')+`)

func readKeyOptions(text string) []keyOption {
	var options []keyOption
	for _, part := range optionPattern.FindAllString(text, -1) {
		name, value, has := strings.Cut(part, "=")
		options = append(options, keyOption{name, value, has})
	}
	return options
}

// String writes the line.
func (l authorizedLine) String() string {
	if l.kind == "" {
		return l.key
	}
	parts := make([]string, len(l.options))
	for i, o := range l.options {
		parts[i] = o.name
		if o.hasValue {
			parts[i] += "=" + o.value
		}
	}
	options := strings.Join(parts, ",")
	if options != "" {
		options += " "
	}
	return fmt.Sprintf("%s%s %s %s\n", options, l.kind, l.key, l.comment)
}

// same reports that two keys are the same with all that belongs to them; the order of options does not matter.
func (l authorizedLine) same(other authorizedLine) bool {
	group := func(options []keyOption) map[string][]keyOption {
		m := map[string][]keyOption{}
		for _, o := range options {
			m[o.name] = append(m[o.name], o)
		}
		return m
	}
	return l.kind == other.kind && l.key == other.key && l.comment == other.comment &&
		maps.EqualFunc(group(l.options), group(other.options), slices.Equal)
}

// keys reads the keys that the task is about.
func (a AuthorizedKeyArgs) keys() ([]authorizedLine, error) {
	var keys []authorizedLine
	for _, text := range modules.SplitLines(a.Key) {
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		key, ok := readAuthorized(text, len(keys))
		if !ok {
			return nil, &modules.ArgError{Path: []any{"key"}, Msg: "invalid key specified: " + text}
		}
		if a.KeyOptions != nil {
			key.options = readKeyOptions(*a.KeyOptions)
		}
		if a.Comment != nil {
			key.comment = *a.Comment
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// edit gives the file with the keys, or without them, and whether that is another file.
func (a AuthorizedKeyArgs) edit(text string) (string, bool, error) {
	keys, err := a.keys()
	if err != nil {
		return text, false, err
	}
	// A key that is there twice counts once, with what the second has; so does a line that is no key.
	var lines []authorizedLine
	find := func(key string) int {
		return slices.IndexFunc(lines, func(l authorizedLine) bool { return l.key == key })
	}
	for i, line := range splitLines(text) {
		one, _ := readAuthorized(line, i)
		if at := find(one.key); at >= 0 {
			lines[at] = one
			continue
		}
		lines = append(lines, one)
	}
	changed, behind := false, len(lines)
	for _, key := range keys {
		at := find(key.key)
		switch {
		case a.State == modules.Absent && at >= 0:
			lines, changed = slices.Delete(lines, at, at+1), true
		case a.State == modules.Absent, at >= 0 && lines[at].same(key):
		default:
			if at >= 0 {
				lines = slices.Delete(lines, at, at+1)
			}
			key.rank += behind
			lines, changed = append(lines, key), true
		}
	}
	if a.State == modules.Present && a.Exclusive {
		kept := slices.DeleteFunc(slices.Clone(lines), func(l authorizedLine) bool {
			return !slices.ContainsFunc(keys, func(k authorizedLine) bool { return k.key == l.key })
		})
		lines, changed = kept, changed || len(kept) < len(lines)
	}
	slices.SortStableFunc(lines, func(a, b authorizedLine) int { return a.rank - b.rank })
	var out strings.Builder
	for _, l := range lines {
		if s := out.String(); s != "" && !strings.HasSuffix(s, "\n") {
			out.WriteByte('\n')
		}
		out.WriteString(l.String())
	}
	return out.String(), changed, nil
}
