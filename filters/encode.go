package filters

import (
	"crypto/md5"  //nolint:gosec // checksums as Ansible names them, not secrets
	"crypto/sha1" //nolint:gosec // the same
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"strings"
	"unicode/utf16"

	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/blake2s"
)

func encodeFilters() []entry {
	return []entry{
		one("b64encode", "encoding='utf-8'", b64encode),
		one("b64decode", "encoding='utf-8'", b64decode),
		one("from_json", "", fromJSON),
		one("to_json", "**options", toJSON),
		one("to_nice_json", "indent=4, sort_keys=True, **options", toNiceJSON),
		one("hash", "hashtype='sha1'", hashed),
		one("md5", "", digest("md5")),
		one("sha1", "", digest("sha1")).named("checksum"),
		one("password_hash", "hashtype='sha512', salt=None, salt_size=None, rounds=None, ident=None", passwordHash),
		one("to_uuid", "namespace='361E6D51-FAEC-444A-9079-341386DA8E2E'", toUUID),
	}
}

func b64encode(c *jinja.Call) (any, error) {
	if b, ok := c.Value.(value.Bytes); ok {
		return base64.StdEncoding.EncodeToString(b), nil
	}
	text, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	raw, err := encodeAs(text, c.Args[0])
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}

func b64decode(c *jinja.Call) (any, error) {
	text, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	out, err := lenientBase64(text)
	if err != nil {
		return nil, err
	}
	return decodeAs(out, c.Args[0])
}

// lenientBase64 decodes as Python does: what is no letter of base64 is skipped, and what follows the padding.
func lenientBase64(text string) ([]byte, error) {
	var kept strings.Builder
	for _, r := range text {
		switch {
		case r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '+', r == '/':
			kept.WriteRune(r)
			continue
		case r != '=' || kept.Len()%4 < 2:
			continue
		}
		padding := strings.Count(text[strings.IndexByte(text, '='):], "=")
		if kept.Len()%4+padding >= 4 {
			return base64.RawStdEncoding.DecodeString(kept.String())
		}
	}
	if kept.Len()%4 != 0 {
		return nil, value.Errorf(value.ValueError, "b64decode: Incorrect padding")
	}
	return base64.RawStdEncoding.DecodeString(kept.String())
}

// codec normalizes the name of a text encoding.
func codec(name any) string {
	s, _ := name.(string)
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(s))
}

func encodeAs(text string, name any) ([]byte, error) {
	switch codec(name) {
	case "utf8":
		return []byte(text), nil
	case "utf16le", "utf16be", "utf16":
		var out []byte
		if codec(name) == "utf16" {
			out = append(out, 0xff, 0xfe)
		}
		for _, unit := range utf16.Encode([]rune(text)) {
			if codec(name) == "utf16be" {
				out = append(out, byte(unit>>8), byte(unit))
			} else {
				out = append(out, byte(unit), byte(unit>>8))
			}
		}
		return out, nil
	case "latin1", "iso88591", "ascii", "usascii":
		limit := rune(256)
		if strings.HasSuffix(codec(name), "ascii") {
			limit = 128
		}
		out := make([]byte, 0, len(text))
		for _, r := range text {
			if r >= limit {
				return nil, value.Errorf(value.ValueError, "%v cannot encode the character %q", name, r)
			}
			out = append(out, byte(r))
		}
		return out, nil
	}
	return nil, value.Errorf(value.ValueError, "unknown encoding: %v", name)
}

func decodeAs(raw []byte, name any) (string, error) {
	switch codec(name) {
	case "utf8":
		return string(raw), nil
	case "ascii", "usascii":
		return string(raw), nil
	case "latin1", "iso88591":
		out := make([]rune, len(raw))
		for i, b := range raw {
			out[i] = rune(b)
		}
		return string(out), nil
	case "utf16le", "utf16be", "utf16":
		big := codec(name) == "utf16be"
		if codec(name) == "utf16" && len(raw) >= 2 && (raw[0] == 0xff && raw[1] == 0xfe || raw[0] == 0xfe && raw[1] == 0xff) {
			big, raw = raw[0] == 0xfe, raw[2:]
		}
		if len(raw)%2 != 0 {
			return "", value.Errorf(value.ValueError, "truncated %v text", name)
		}
		units := make([]uint16, len(raw)/2)
		for i := range units {
			units[i] = uint16(raw[2*i]) | uint16(raw[2*i+1])<<8
			if big {
				units[i] = units[i]<<8 | units[i]>>8
			}
		}
		return string(utf16.Decode(units)), nil
	}
	return "", value.Errorf(value.ValueError, "unknown encoding: %v", name)
}

// readable is the size up to which no text that is read has too many values, whatever is in it.
const readable = 1 << 20

// marks counts the bytes of a text that are one of those given: about as many values are in it.
func marks(text, of string) int {
	n := 0
	for i := range len(of) {
		n += strings.Count(text, of[i:i+1])
	}
	return n
}

func fromJSON(c *jinja.Call) (any, error) {
	text, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	if len(text) > readable {
		if err := c.Room(marks(text, ",:[{")); err != nil {
			return nil, err
		}
	}
	return value.DecodeJSON(text)
}

// jsonOptions reads the keyword arguments of json.dumps that people pass.
func jsonOptions(c *jinja.Call, o value.JSONOptions) (value.JSONOptions, error) {
	for k, v := range c.Kwargs.All() {
		switch k {
		case "indent":
			indent, err := jsonIndent(v)
			if err != nil {
				return o, err
			}
			o.Indent, o.Multiline = indent, v != nil
		case "sort_keys", "ensure_ascii":
			truth, err := c.Truth(v)
			if err != nil {
				return o, err
			}
			if k == "sort_keys" {
				o.SortKeys = truth
			} else {
				o.KeepUTF8 = !truth
			}
		case "separators":
			pair, err := c.Items(v)
			if err != nil {
				return o, err
			}
			if len(pair) != 2 {
				return o, value.Errorf(value.ValueError, "separators must be two texts")
			}
			o.ItemSep, _ = value.AsString(pair[0])
			o.KeySep, _ = value.AsString(pair[1])
		case "vault_to_text", "preprocess_unsafe", "default", "skipkeys", "allow_nan":
		default:
			return o, value.Errorf(value.TypeError, "unexpected keyword argument '%v'", k)
		}
	}
	return o, nil
}

func jsonIndent(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case int:
		return strings.Repeat(" ", max(v, 0)), nil
	case string:
		return v, nil
	}
	return "", value.Errorf(value.TypeError, "indent must be a number, not %s", value.TypeName(v))
}

func toJSON(c *jinja.Call) (any, error) {
	o, err := jsonOptions(c, value.JSONOptions{Limit: c.MaxOutput()})
	if err != nil {
		return nil, err
	}
	return value.EncodeJSON(c.Value, o)
}

func toNiceJSON(c *jinja.Call) (any, error) {
	indent, err := jsonIndent(c.Args[0])
	if err != nil {
		return nil, err
	}
	sort, err := c.Truth(c.Args[1])
	if err != nil {
		return nil, err
	}
	o, err := jsonOptions(c, value.JSONOptions{Indent: indent, Multiline: c.Args[0] != nil, SortKeys: sort, Limit: c.MaxOutput()})
	if err != nil {
		return nil, err
	}
	return value.EncodeJSON(c.Value, o)
}

func newHash(name string) (hash.Hash, bool) {
	switch name {
	case "md5":
		return md5.New(), true //nolint:gosec // see above
	case "sha1":
		return sha1.New(), true //nolint:gosec // see above
	case "sha224":
		return sha256.New224(), true
	case "sha256":
		return sha256.New(), true
	case "sha384":
		return sha512.New384(), true
	case "sha512":
		return sha512.New(), true
	case "sha3_224":
		return sha3.New224(), true
	case "sha3_256":
		return sha3.New256(), true
	case "sha3_384":
		return sha3.New384(), true
	case "sha3_512":
		return sha3.New512(), true
	case "blake2b":
		h, err := blake2b.New512(nil)
		return h, err == nil
	case "blake2s":
		h, err := blake2s.New256(nil)
		return h, err == nil
	}
	return nil, false
}

func hashed(c *jinja.Call) (any, error) {
	name, _ := c.Args[0].(string)
	return digest(name)(c)
}

func digest(name string) jinja.Func {
	return func(c *jinja.Call) (any, error) {
		h, ok := newHash(name)
		if !ok {
			return nil, value.Errorf(value.ValueError, "unsupported hash type %s", name)
		}
		text, err := c.Text(c.Value)
		if err != nil {
			return nil, err
		}
		h.Write([]byte(text))
		return hex.EncodeToString(h.Sum(nil)), nil
	}
}

// toUUID is a version 5 UUID (RFC 9562) in Ansible's namespace or the one given.
func toUUID(c *jinja.Call) (any, error) {
	text, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	namespace, _ := c.Args[0].(string)
	raw, err := hex.DecodeString(strings.ReplaceAll(namespace, "-", ""))
	if err != nil || len(raw) != 16 {
		return nil, value.Errorf(value.ValueError, "Invalid value '%s' for 'namespace': it must be a UUID", namespace)
	}
	h := sha1.New() //nolint:gosec // what version 5 is made of
	h.Write(raw)
	h.Write([]byte(text))
	sum := h.Sum(nil)[:16]
	sum[6] = sum[6]&0x0f | 0x50
	sum[8] = sum[8]&0x3f | 0x80
	s := hex.EncodeToString(sum)
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:], nil
}
