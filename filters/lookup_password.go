package filters

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/shell"
	"golang.org/x/sys/unix"
)

// passwordWish is what a term of the password lookup asks for.
type passwordWish struct {
	path           string
	length         int
	chars          []string
	encrypt, ident string
	seed           any
}

func lookupPassword(r *request) ([]any, error) {
	if err := r.only("length", "chars", "encrypt", "ident", "seed"); err != nil {
		return nil, err
	}
	terms, err := r.texts()
	if err != nil {
		return nil, err
	}
	var out []any
	for _, term := range terms {
		w, err := r.wish(term)
		if err != nil {
			return nil, err
		}
		word, err := w.password()
		if err != nil {
			return nil, fmt.Errorf("password %s: %w", w.path, err)
		}
		out = append(out, word)
	}
	return out, nil
}

// wish reads a term: a path, then name=value pairs, which go over the options.
func (r *request) wish(term string) (*passwordWish, error) {
	w := &passwordWish{length: 20, chars: []string{"ascii_letters", "digits", ".,:-_"}}
	for k, v := range r.Options.All() {
		if v == nil {
			continue
		}
		if k == "seed" {
			w.seed = shown(v)
			continue
		}
		if list, ok := sequence(v); ok && k == "chars" {
			w.chars = nil
			for _, item := range list {
				w.chars = append(w.chars, shown(item))
			}
			continue
		}
		if err := w.set(shown(k), shown(v)); err != nil {
			return nil, err
		}
	}
	path, rest, _ := strings.Cut(term, " ")
	words, err := shell.Split(rest)
	if err != nil {
		return nil, fmt.Errorf("the term %q: %w", term, err)
	}
	pairs := false
	for _, word := range words {
		name, v, ok := strings.Cut(word, "=")
		switch {
		case !ok && pairs:
			return nil, errors.New("Unrecognized value after key=value parameters given to password lookup")
		case !ok:
			path += " " + word
		default:
			pairs = true
			if err := w.set(name, v); err != nil {
				return nil, err
			}
		}
	}
	base, err := r.base()
	if err != nil {
		return nil, err
	}
	if w.path = expandUser(path); !filepath.IsAbs(w.path) {
		w.path = filepath.Join(base, w.path)
	}
	return w, nil
}

func (w *passwordWish) set(name, text string) error {
	switch name {
	case "length":
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return fmt.Errorf("length=%s is no length", text)
		}
		w.length = n
	case "chars":
		w.chars = nil
		if strings.Contains(text, ",,") {
			w.chars = append(w.chars, ",")
		}
		for part := range strings.SplitSeq(strings.ReplaceAll(text, ",,", ","), ",") {
			if part != "" {
				w.chars = append(w.chars, part)
			}
		}
	case "encrypt":
		w.encrypt = text
	case "ident":
		w.ident = text
	case "seed":
		w.seed = text
	default:
		return fmt.Errorf("Unrecognized parameter(s) given to password lookup: %s", name)
	}
	return nil
}

// alphabet gives the characters to choose from; quotes are never among them.
func (w *passwordWish) alphabet() []rune {
	var all strings.Builder
	const lower, upper, digits = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	const punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
	for _, name := range w.chars {
		switch name {
		case "ascii_lowercase":
			name = lower
		case "ascii_uppercase":
			name = upper
		case "ascii_letters":
			name = lower + upper
		case "digits":
			name = digits
		case "hexdigits":
			name = digits + "abcdefABCDEF"
		case "octdigits":
			name = "01234567"
		case "punctuation":
			name = punctuation
		case "whitespace":
			name = " \t\n\r\v\f"
		case "printable":
			name = digits + lower + upper + punctuation + " \t\n\r\v\f"
		}
		all.WriteString(name)
	}
	return []rune(strings.NewReplacer(`"`, "", "'", "").Replace(all.String()))
}

func (w *passwordWish) invent() (string, error) {
	alphabet := w.alphabet()
	if len(alphabet) == 0 {
		return "", errors.New("there are no characters to choose from")
	}
	return randomText(alphabet, w.length, w.seed)
}

// randomText chooses characters: with a seed as Python's random does, else by the system's secure source.
func randomText(alphabet []rune, length int, seed any) (string, error) {
	var t *twister
	if seed != nil {
		var err error
		if t, err = newTwister(seed); err != nil {
			return "", err
		}
	}
	out := make([]rune, length)
	for i := range out {
		if t != nil {
			out[i] = alphabet[t.below(len(alphabet))]
			continue
		}
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(alphabet))))
		if err != nil {
			return "", fmt.Errorf("random number: %w", err)
		}
		out[i] = alphabet[n.Int64()]
	}
	return string(out), nil
}

// password reads the file, or makes one up and writes it. A lock beside it keeps other processes and hosts
// of the same run waiting meanwhile.
func (w *passwordWish) password() (string, error) {
	keep := w.path != "/dev/null"
	if keep {
		unlock, err := lockFolder(filepath.Dir(w.path))
		if err != nil {
			return "", err
		}
		defer unlock()
	}
	word, salt, ident := "", "", ""
	text, err := os.ReadFile(w.path)
	changed := errors.Is(err, fs.ErrNotExist) || !keep
	switch {
	case changed:
		if word, err = w.invent(); err != nil {
			return "", err
		}
	case err != nil:
		return "", err
	default:
		word, salt, ident = storedPassword(strings.TrimRightFunc(string(text), pythonSpace))
	}
	if w.encrypt != "" && salt == "" {
		changed = true
		if salt, err = newSalt(w.encrypt); err != nil {
			return "", err
		}
	}
	if ident != "" && w.ident != "" && ident != w.ident {
		return "", fmt.Errorf("the ident parameter provided (%s) does not match the stored one (%s)", w.ident, ident)
	}
	if ident == "" && w.encrypt != "" {
		if ident = w.ident; ident == "" {
			ident = implicitIdent(w.encrypt)
		}
		changed = changed || ident != ""
	}
	if changed && keep {
		if err := os.WriteFile(w.path, []byte(storedForm(word, salt, ident, w.encrypt)), 0o600); err != nil {
			return "", err
		}
		if err := os.Chmod(w.path, 0o600); err != nil {
			return "", err
		}
	}
	if w.encrypt == "" {
		return word, nil
	}
	return hashPassword(word, w.encrypt, salt, nil, ident)
}

// storedPassword takes a line "word salt=… ident=…" apart.
func storedPassword(text string) (word, salt, ident string) {
	at := strings.LastIndex(text, " salt=")
	if at < 0 {
		return text, "", ""
	}
	word, salt = text[:at], text[at+len(" salt="):]
	if at = strings.LastIndex(salt, " ident="); at >= 0 {
		salt, ident = salt[:at], salt[at+len(" ident="):]
	}
	return word, salt, ident
}

func storedForm(word, salt, ident, encrypt string) string {
	switch {
	case encrypt == "" && salt == "":
		return word + "\n"
	case ident != "":
		return word + " salt=" + salt + " ident=" + ident + "\n"
	}
	return word + " salt=" + salt + "\n"
}

// lockFolder makes a folder and locks it until unlock is called.
func lockFolder(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { _ = f.Close() }, nil
}

// ownerName is the name, else the number, of the user who owns a file.
func ownerName(st fs.FileInfo) string {
	id, ok := ownerID(st)
	if !ok {
		return ""
	}
	return userName(id)
}
