package filters

import (
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-crypt/x/bcrypt"
	xcrypt "github.com/go-crypt/x/crypt"
	"github.com/go-crypt/x/yescrypt"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

// hashKind is a kind of password hash of crypt(5).
type hashKind struct {
	ident            string
	saltSize         int
	saltExact        bool
	rounds           int // unless asked for; 0 is no rounds
	lowest, greatest int
}

// hashKindOf knows the names of passlib, which password_hash and the password lookup are told.
func hashKindOf(name string) (hashKind, bool) {
	switch name {
	case "sha512", "sha512_crypt":
		return hashKind{ident: "6", saltSize: 16, rounds: 656000, lowest: 1000, greatest: 5_000_000}, true
	case "sha256", "sha256_crypt":
		return hashKind{ident: "5", saltSize: 16, rounds: 535000, lowest: 1000, greatest: 5_000_000}, true
	case "md5", "md5_crypt":
		return hashKind{ident: "1", saltSize: 8}, true
	case "blowfish", "bcrypt":
		return hashKind{ident: "2b", saltSize: 22, saltExact: true, rounds: 12, lowest: 4, greatest: 15}, true
	case "yescrypt":
		return hashKind{ident: "y", saltSize: 22, rounds: 5, lowest: 3, greatest: 11}, true
	}
	return hashKind{}, false
}

// saltLetters are those of crypt(5).
const saltLetters = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// newSalt makes a salt of the size that a hash wants.
func newSalt(name string) (string, error) {
	size := 8
	if kind, ok := hashKindOf(name); ok {
		size = kind.saltSize
	}
	return randomText([]rune(saltLetters), size, nil)
}

// implicitIdent is the ident that is stored when none was asked for: bcrypt's.
func implicitIdent(name string) string {
	if kind, ok := hashKindOf(name); ok && kind.saltExact {
		return kind.ident
	}
	return ""
}

// hashPassword gives the form of crypt(5). Salt, rounds and ident are chosen where empty.
func hashPassword(word, name, salt string, rounds *int, ident string) (string, error) {
	kind, ok := hashKindOf(name)
	if !ok {
		return "", value.Errorf(value.ValueError, "password_hash: the hash type '%s' is not supported; there are sha512, sha256, md5, blowfish and yescrypt", name)
	}
	if salt == "" {
		var err error
		if salt, err = newSalt(name); err != nil {
			return "", err
		}
	}
	if strings.Trim(salt, saltLetters) != "" {
		return "", value.Errorf(value.ValueError, "invalid characters in salt")
	}
	if len(salt) > kind.saltSize || kind.saltExact && len(salt) != kind.saltSize {
		return "", value.Errorf(value.ValueError, "invalid salt size: %d, where %s wants %d", len(salt), name, kind.saltSize)
	}
	n := kind.rounds
	if rounds != nil && *rounds != 0 {
		n = *rounds
	}
	if kind.rounds > 0 && (n < kind.lowest || n > kind.greatest) {
		return "", value.Errorf(value.ValueError, "rounds of %s must be %d to %d, not %d", name, kind.lowest, kind.greatest, n)
	}
	switch kind.ident {
	case "6":
		return shaCrypt("6", salt, n, xcrypt.KeySHACrypt(sha512.New, []byte(word), []byte(salt), n)), nil
	case "5":
		return shaCrypt("5", salt, n, xcrypt.KeySHACrypt(sha256.New, []byte(word), []byte(salt), n)), nil
	case "1":
		return "$1$" + salt + "$" + string(xcrypt.KeyMD5Crypt([]byte(word), []byte(salt))), nil
	case "y":
		return yescryptOf(word, salt, n)
	}
	return bcryptOf(word, salt, n, ident)
}

func shaCrypt(ident, salt string, rounds int, key []byte) string {
	if rounds == 5000 { // what crypt(5) takes when nothing is said
		return "$" + ident + "$" + salt + "$" + string(key)
	}
	return "$" + ident + "$rounds=" + strconv.Itoa(rounds) + "$" + salt + "$" + string(key)
}

func yescryptOf(word, salt string, cost int) (string, error) {
	// N is 2**(cost+7) and r is 32, as crypt_gensalt(3) has it for costs above 2.
	out, err := yescrypt.Hash([]byte(word), []byte("$y$j"+saltLetters[cost+6:cost+7]+"T$"+salt))
	if err != nil {
		return "", fmt.Errorf("yescrypt: %w", err)
	}
	return string(out), nil
}

// bcryptLetters are bcrypt's base64.
const bcryptLetters = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

func bcryptOf(word, salt string, rounds int, ident string) (string, error) {
	if ident == "" {
		ident = "2b"
	}
	switch ident {
	case "2a", "2b", "2y":
	default:
		return "", value.Errorf(value.ValueError, "bcrypt: the ident %s is not supported; there are 2b, 2a and 2y", ident)
	}
	// The last letter holds two bits only; passlib clears the others.
	last := strings.IndexByte(bcryptLetters, salt[21]) &^ 15
	salt = salt[:21] + bcryptLetters[last:last+1]
	raw, err := bcrypt.Base64Decode([]byte(salt))
	if err != nil {
		return "", fmt.Errorf("bcrypt: %w", err)
	}
	if len(word) > 72 {
		word = word[:72]
	}
	key, err := bcrypt.Key([]byte(word), raw, rounds)
	if err != nil {
		return "", fmt.Errorf("bcrypt: %w", err)
	}
	return fmt.Sprintf("$%s$%02d$%s%s", ident, rounds, salt, key), nil
}

func passwordHash(c *jinja.Call) (any, error) {
	word, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	text := func(i int) string {
		if c.Args[i] == nil {
			return ""
		}
		s, _ := value.Str(c.Args[i])
		return s
	}
	salt := text(1)
	if salt == "" {
		volatile(c)
	}
	if size, ok := c.Args[2].(int); ok && salt == "" {
		if salt, err = randomText([]rune(saltLetters), size, nil); err != nil {
			return nil, err
		}
	}
	var rounds *int
	if n, ok := c.Args[3].(int); ok {
		rounds = &n
	}
	return hashPassword(word, text(0), salt, rounds, text(4))
}
