package web

import (
	"regexp"
	"strings"
)

var (
	notWord   = regexp.MustCompile(`\W+`)
	hexDigits = regexp.MustCompile(`^[0-9a-f]+$`)
)

// CleanDigest takes what people write between a digest's digits away, colons for one, and makes the digits lower case. It reports
// whether only hexadecimal digits are left; how many an algorithm has is not looked at.
func CleanDigest(text string) (digest string, ok bool) {
	digest = strings.ToLower(notWord.ReplaceAllString(text, ""))
	return digest, hexDigits.MatchString(digest)
}

// ListedDigest finds the digest of the file called name in a list as sha256sum prints it, with an asterisk or without, and with ./ or ../
// before names or without, or takes the only word of a file that holds nothing but a digest. It gives the digest as it is written there,
// for CleanDigest; "" when the list does not name the file.
func ListedDigest(list, name string) string {
	lines := strings.Split(strings.TrimSuffix(list, "\n"), "\n")
	if words := strings.Fields(lines[0]); len(lines) == 1 && len(words) == 1 {
		return words[0]
	}
	for _, line := range lines {
		sum, file, ok := strings.Cut(strings.TrimSuffix(line, "\r"), " ")
		if ok && (strings.HasPrefix(file, " ") || strings.HasPrefix(file, "*")) {
			file = file[1:]
		}
		if ok && strings.TrimLeft(file, "./") == name {
			return sum
		}
	}
	return ""
}
