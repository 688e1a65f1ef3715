package filters

import (
	"crypto/md5"  //nolint:gosec // checksums as Ansible names them, not secrets
	"crypto/sha1" //nolint:gosec // the same
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"strings"

	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
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
	return base64.StdEncoding.EncodeToString([]byte(text)), nil
}

func b64decode(c *jinja.Call) (any, error) {
	text, err := c.Text(c.Value)
	if err != nil {
		return nil, err
	}
	out, err := base64.StdEncoding.DecodeString(strings.Map(dropSpace, text))
	if err != nil {
		return nil, value.Errorf(value.ValueError, "b64decode: %v", err)
	}
	return string(out), nil
}

func dropSpace(r rune) rune {
	if strings.ContainsRune(" \t\r\n", r) {
		return -1
	}
	return r
}

func fromJSON(c *jinja.Call) (any, error) {
	text, err := c.Text(c.Value)
	if err != nil {
		return nil, err
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
			o.Indent = indent
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
	o, err := jsonOptions(c, value.JSONOptions{})
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
	o, err := jsonOptions(c, value.JSONOptions{Indent: indent, SortKeys: sort})
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
