package modules

import (
	"encoding/base64"
	"reflect"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/internal/shell"
	"github.com/hostlerhq/hostler/jinja/value"
)

// hidden is what Ansible puts in place of a secret that a result holds.
const hidden = "********"

// secrets gives the values of the secret arguments, longest first, so that one that is part of another hides no half of it.
func (s *schema) secrets(args reflect.Value) []string {
	var found []string
	for _, f := range s.fields {
		v := args.FieldByIndex(f.index)
		switch {
		case f.secret:
			found = appendSecrets(found, v)
		case v.Type() == addressType:
			if password := Address(v.String()).password(); password != "" {
				found = append(found, password)
			}
		case f.sub != nil:
			found = append(found, f.sub.secretsIn(v)...)
		}
	}
	slices.SortFunc(found, func(a, b string) int { return len(b) - len(a) })
	return found
}

// Address is an argument that may be a URL with a password in it, which results hide.
type Address string

var addressType = reflect.TypeFor[Address]()

// password is the one in a URL as it is written there, "" when there is none.
func (a Address) password() string {
	scheme, rest, ok := strings.Cut(string(a), "://")
	if !ok || scheme == "" {
		return ""
	}
	rest, _, _ = strings.Cut(rest, "/")
	at := strings.LastIndexByte(rest, '@')
	if at < 0 {
		return ""
	}
	_, password, _ := strings.Cut(rest[:at], ":")
	return password
}

// hidden gives the URL without its password.
func (a Address) hidden() string {
	if password := a.password(); password != "" {
		return strings.Replace(string(a), ":"+password+"@", ":"+hidden+"@", 1)
	}
	return string(a)
}

// secretsIn is secrets for a struct, a pointer to one or a list of them.
func (s *schema) secretsIn(v reflect.Value) []string {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return s.secretsIn(v.Elem())
	case reflect.Slice:
		var found []string
		for i := range v.Len() {
			found = append(found, s.secretsIn(v.Index(i))...)
		}
		return found
	}
	return s.secrets(v)
}

func appendSecrets(to []string, v reflect.Value) []string {
	if v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return to
		}
		return appendSecrets(to, v.Elem())
	}
	if text, ok := reflect.TypeAssert[secret.Text](v); ok && !text.IsZero() {
		return append(to, text.Reveal())
	}
	switch v.Kind() {
	case reflect.String:
		if v.Len() > 0 {
			to = append(to, v.String())
		}
	case reflect.Slice:
		for i := range v.Len() {
			to = appendSecrets(to, v.Index(i))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			to = appendSecrets(to, v.MapIndex(k))
		}
	}
	return to
}

// mask hides secrets wherever the module's result, its diff or its warnings hold them.
func (r *Result) mask(secrets []string) {
	var pairs []string
	for _, s := range disguises(secrets) {
		pairs = append(pairs, s, hidden)
	}
	hide := strings.NewReplacer(pairs...).Replace
	r.Data, _ = maskValue(r.Data, hide).(*value.Dict)
	for i, d := range r.Diff {
		d.Before, d.After, d.Prepared = hide(d.Before), hide(d.After), hide(d.Prepared)
		d.BeforeHeader, d.AfterHeader = hide(d.BeforeHeader), hide(d.AfterHeader)
		r.Diff[i] = d
	}
	for i, w := range r.Warnings {
		r.Warnings[i] = hide(w)
	}
	if r.Facts != nil {
		r.Facts, _ = maskValue(r.Facts, hide).(*value.Dict)
	}
}

// disguises adds the forms in which tools and we ourselves show values: quoted for a shell, in Base64. The longest come first.
func disguises(secrets []string) []string {
	all := slices.Clone(secrets)
	for _, s := range secrets {
		if quoted, err := shell.Quote(s); err == nil && quoted != s {
			all = append(all, strings.Trim(quoted, "'"))
		}
		all = append(all, base64.StdEncoding.EncodeToString([]byte(s)))
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

// maskValue gives a copy of a value with its texts masked; keys stay.
func maskValue(v any, hide func(string) string) any {
	switch x := v.(type) {
	case string:
		return hide(x)
	case *value.Dict:
		out := value.NewDict()
		for k, item := range x.All() {
			out.Set(k, maskValue(item, hide))
		}
		return out
	case *value.List:
		out := value.NewList()
		for _, item := range x.Items {
			out.Append(maskValue(item, hide))
		}
		return out
	}
	return v
}
