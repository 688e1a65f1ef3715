package packages

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/web"
)

// want gives a repository's files as they shall be. The key is fetched only where the file on the host does not hold it, and is refused
// unless it has the fingerprint: then nothing has been written yet.
func (a PackageRepositoryArgs) want(ctx context.Context, h *modules.Host, kind RepositoryType, files repoFiles, is repoState) (repoState, error) {
	want := repoState{}
	if kind == "apk" {
		want.source, want.hasSource = a.apkLines(is.source), true
	} else if a.State == modules.Present {
		want.source, want.hasSource = a.repo(kind, files), true
	}
	switch {
	case a.State == modules.Absent && kind == "apk" && a.Key == "":
		want.key, want.hasKey = is.key, is.hasKey // which other repositories may need
		return want, nil
	case a.State == modules.Absent || a.Key == "":
		return want, nil
	}
	want.hasKey = true
	if is.hasKey && a.holds(kind, is) {
		want.key = is.key
		return want, nil
	}
	var err error
	want.key, err = a.fetch(ctx, h, kind)
	return want, err
}

// apkLines gives apk's repositories with those of the arguments, or without.
func (a PackageRepositoryArgs) apkLines(text string) string {
	var out strings.Builder
	var there []string
	for line := range strings.Lines(text) {
		address := strings.TrimSpace(line)
		if slices.Contains(a.URL, address) {
			if a.State == modules.Absent || slices.Contains(there, address) {
				continue
			}
			there = append(there, address)
		}
		out.WriteString(strings.TrimSuffix(line, "\n") + "\n")
	}
	if a.State == modules.Absent {
		return out.String()
	}
	for _, u := range a.URL {
		if !slices.Contains(there, u) {
			out.WriteString(u + "\n")
		}
	}
	return out.String()
}

// fingerprints gives those of the arguments as gpg writes them.
func (a PackageRepositoryArgs) fingerprints() []string {
	var list []string
	for _, f := range a.Fingerprint {
		list = append(list, hexID(f))
	}
	return list
}

// holds reports that the key's file holds the keys that are asked for, and no others.
func (a PackageRepositoryArgs) holds(kind RepositoryType, is repoState) bool {
	wanted := a.fingerprints()
	if kind == "apk" {
		return slices.Contains(wanted, digest(is.key))
	}
	var have []string
	for _, k := range is.keys {
		if k.expired || k.revoked || !slices.Contains(wanted, k.fingerprint) {
			return false
		}
		have = append(have, k.fingerprint)
	}
	return !slices.ContainsFunc(wanted, func(f string) bool { return !slices.Contains(have, f) })
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// repoKeyScript: where the key comes from (url, file, stdin), what, whether it goes out armored, the fingerprints. It tells what keys came, and those of
// the fingerprints alone as a keyring.
const repoKeyScript = openpgpLib + `
kind=$1 from=$2 armor=$3
shift 3
case $kind in
url) why=$(fetch "$from" "$h/given" 2>&1) || { say refused "$why"; exit 0; } ;;
file) why=$(cat "$from" 2>&1 >"$h/given") || { say refused "$why"; exit 0; } ;;
stdin) cat >"$h/given" ;;
esac
import new "$h/given" 2>/dev/null && keys new >"$h/told" || : >"$h/told"
show keys "$h/told"
pgp --no-default-keyring --keyring "$h/new" ${armor:+--armor} --export "$@" >"$h/key" 2>/dev/null
show key "$h/key"
`

// repoFileScript shows a file.
const repoFileScript = `why=$(cat "$1" 2>&1 >/dev/null) || { say refused "$why"; exit 0; }
show key "$1"`

// fetch gets the key, verifies it, and gives it as it is to be written.
func (a PackageRepositoryArgs) fetch(ctx context.Context, h *modules.Host, kind RepositoryType) (string, error) {
	how, from, data := "stdin", "", []byte(a.Key)
	switch oneLine := !strings.Contains(strings.TrimSpace(a.Key), "\n"); {
	case oneLine && strings.HasPrefix(a.Key, "/"):
		how, from = "file", a.Key
	case oneLine && uriScheme.MatchString(a.Key):
		how, from = "url", a.Key
	case oneLine:
		return "", fmt.Errorf("key: %q is no URL, no absolute path and no key", a.Key)
	}
	if how == "url" && kind != "apt" { // apt's own helper is only there
		resp, err := web.Do(ctx, h, web.Request{
			Method: "GET", URL: from, Verify: true, Proxy: true, Redirects: web.FollowSafe, Timeout: 30, ReadOnly: true, Why: "fetch the key " + from,
		})
		if err != nil {
			return "", err
		}
		if !resp.OK() {
			return "", fmt.Errorf("Could not fetch the key %s: %s", from, resp.Msg)
		}
		how, data = "stdin", resp.Body
	}
	if kind == "apk" {
		return a.apkKey(ctx, h, how, from, data)
	}
	armor := "1"
	if kind == "apt" {
		armor = ""
	}
	if how != "stdin" {
		data = nil
	}
	told, err := h.ProbeInput(ctx, data, repoKeyScript, append([]string{how, from, armor}, a.fingerprints()...)...)
	if err != nil {
		return "", fmt.Errorf("read the key: %w", err)
	}
	if told.Has("refused") {
		return "", fmt.Errorf("Could not fetch the key %s: %s", from, told.Text("refused"))
	}
	return a.verified(parseKeys(told.Text("keys")), string(told.Bytes("key")), firstOf(from, "of the task"), h)
}

// verified compares fingerprints.
func (a PackageRepositoryArgs) verified(keys []pgpKey, text, from string, h *modules.Host) (string, error) {
	if len(keys) == 0 {
		return "", fmt.Errorf("the key %s holds no OpenPGP public key", from)
	}
	var have, others []string
	for _, k := range keys {
		have = append(have, k.fingerprint)
		if !slices.Contains(a.fingerprints(), k.fingerprint) {
			others = append(others, k.fingerprint)
		}
	}
	for _, f := range a.fingerprints() {
		at := slices.Index(have, f)
		switch {
		case at < 0:
			return "", fmt.Errorf("the key %s has the fingerprint %s, not %s: nothing was written", from, strings.Join(have, " and "), f)
		case keys[at].expired:
			return "", fmt.Errorf("the key %s (%s) has expired: nothing was written", f, keys[at].user)
		case keys[at].revoked:
			return "", fmt.Errorf("the key %s (%s) was revoked: nothing was written", f, keys[at].user)
		}
	}
	if len(others) > 0 {
		h.Warn("what %s gives holds further keys, which are left out: %s", from, strings.Join(others, ", "))
	}
	if text == "" {
		return "", errors.New("gpg gave no key out")
	}
	return text, nil
}

// apkKey gets a key of apk's, which is the PEM of an RSA key.
func (a PackageRepositoryArgs) apkKey(ctx context.Context, h *modules.Host, how, from string, data []byte) (string, error) {
	if how == "file" {
		told, err := h.Probe(ctx, repoFileScript, from)
		if err != nil {
			return "", fmt.Errorf("read the key: %w", err)
		}
		if told.Has("refused") {
			return "", fmt.Errorf("Could not fetch the key %s: %s", from, told.Text("refused"))
		}
		data = told.Bytes("key")
	}
	if sum := digest(string(data)); !slices.Contains(a.fingerprints(), sum) {
		return "", fmt.Errorf("the key %s has the SHA-256 %s, not %s: nothing was written", firstOf(from, "of the task"), sum, strings.Join(a.fingerprints(), " or "))
	}
	return string(data), nil
}
