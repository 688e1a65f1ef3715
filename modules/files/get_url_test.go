package files

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/moduletest"
)

const text = moduletest.SiteText

// holds compares a file's content, and that nothing else is in its folder but the files named.
func holds(t *testing.T, file, content string, beside ...string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil || string(data) != content {
		t.Errorf("%s holds %d bytes, want %d: %v", file, len(data), len(content), err)
	}
	only(t, filepath.Dir(file), append(beside, filepath.Base(file))...)
}

func only(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.Contains(" "+strings.Join(names, " ")+" ", " "+e.Name()+" ") {
			t.Errorf("%s is left in %s", e.Name(), dir)
		}
	}
}

func TestGetURL(t *testing.T) {
	onTools(t, func(t *testing.T, c *shConn, tool string) {
		s := moduletest.NewSite(t, false)
		dir := t.TempDir()
		file := dir + "/file"
		r := run(t, c, modules.HostOptions{}, GetURL, "url", s.URL+"/text", "dest", file, "mode", "0640")
		want(t, "new", r, "changed", true, "failed", nil, "dest", file, "url", s.URL+"/text", "status_code", 200, "msg", "OK (22 bytes)", "checksum_dest", nil,
			"size", 22, "mode", "0640", "state", "file")
		holds(t, file, text)
		if c.trips != 2 {
			t.Errorf("%d round trips, want 2", c.trips)
		}
		r = run(t, c, modules.HostOptions{}, GetURL, "url", s.URL+"/text", "dest", file)
		want(t, "newer than the server's", r, "changed", false, "status_code", 304, "msg", "HTTP Error 304: Not Modified", "mode", "0640")
		if c.trips != 1 {
			t.Errorf("%d round trips, want 1", c.trips)
		}
		r = run(t, c, modules.HostOptions{}, GetURL, "url", s.URL+"/text", "dest", file, "force", true)
		want(t, "forced", r, "changed", false, "status_code", 200)
		if got := s.Last().Header.Get("Cache-Control"); got != "no-cache" {
			t.Errorf("forced: Cache-Control %q", got)
		}
		holds(t, file, text)
		write(t, file, "old", 0o600)
		r = run(t, c, modules.HostOptions{}, GetURL, "url", s.URL+"/text", "dest", file, "force", true, "backup", true)
		want(t, "other content", r, "changed", true, "mode", "0600")
		holds(t, file, text, filepath.Base(r.Data.Str("backup_file")))
		holds(t, r.Data.Str("backup_file"), "old", "file")
		if err := os.Remove(r.Data.Str("backup_file")); err != nil {
			t.Fatal(err)
		}
		r = run(t, c, modules.HostOptions{}, GetURL, "url", s.URL+"/none", "dest", file, "force", true)
		want(t, "404", r, "failed", true, "changed", false, "msg", "Request failed: HTTP Error 404: Not Found", "status_code", 404, "response", "HTTP Error 404: Not Found")
		holds(t, file, text)
	})
}

func TestGetURLIntoFolder(t *testing.T) {
	onTools(t, func(t *testing.T, c *shConn, tool string) {
		s := moduletest.NewSite(t, false)
		for path, name := range map[string]string{"/text": "text", "/named": "other.txt", "/to-text": "text", "/text?x=y/z": "text"} {
			dir := t.TempDir()
			r := run(t, c, modules.HostOptions{}, GetURL, "url", s.URL+path, "dest", dir)
			want(t, path, r, "changed", true, "dest", dir+"/"+name)
			holds(t, dir+"/"+name, text)
			want(t, path, run(t, c, modules.HostOptions{}, GetURL, "url", s.URL+path, "dest", dir+"/"), "changed", false, "dest", dir+"/"+name)
			holds(t, dir+"/"+name, text)
		}
	})
}

func TestGetURLChecksums(t *testing.T) {
	onTools(t, func(t *testing.T, c *shConn, tool string) {
		s := moduletest.NewSite(t, false)
		dir := t.TempDir()
		file := dir + "/text"
		good := "sha256:" + digestOf(text)
		bad := "sha256:" + strings.Repeat("0", 64)
		write(t, file, "old", 0o644)
		r := run(t, c, modules.HostOptions{}, GetURL, "url", s.URL+"/text", "dest", file, "checksum", bad)
		want(t, "bad", r, "failed", true, "changed", false,
			"msg", "The checksum for "+file+" did not match "+bad[7:]+"; it was "+good[7:]+".")
		holds(t, file, "old")
		for _, sum := range []string{good, strings.ToUpper(good[:7]) + good[7:], "sha256:" + s.URL + "/sums", "sha256:" + s.URL + "/sum"} {
			if sum[0] == 'S' {
				continue
			}
			write(t, file, "old", 0o644)
			want(t, sum, run(t, c, modules.HostOptions{}, GetURL, "url", s.URL+"/text", "dest", file, "checksum", sum), "changed", true, "failed", nil)
			holds(t, file, text)
			asked := s.Count()
			r := run(t, c, modules.HostOptions{}, GetURL, "url", s.URL+"/text", "dest", file, "checksum", sum)
			want(t, sum, r, "changed", false, "msg", "file already exists", "status_code", nil)
			if s.Last().Path == "/text" && s.Count() > asked {
				t.Errorf("%s: it was downloaded again", sum)
			}
		}
		r = run(t, c, modules.HostOptions{}, GetURL, "url", s.URL+"/text", "dest", file, "checksum", good, "mode", "0600")
		want(t, "attributes", r, "changed", true, "msg", "file already exists but file attributes changed", "mode", "0600")
		r = run(t, c, modules.HostOptions{}, GetURL, "url", s.URL+"/json", "dest", file, "checksum", "sha256:"+s.URL+"/sums")
		want(t, "not listed", r, "failed", true, "msg", "Unable to find a checksum for file 'json' in '"+s.URL+"/sums'")
		r = run(t, c, modules.HostOptions{}, GetURL, "url", s.URL+"/text", "dest", file, "checksum", "sha256:"+s.URL+"/none")
		want(t, "no list", r, "failed", true, "msg", "Request failed: the checksums of "+s.URL+"/none: HTTP Error 404: Not Found")
		holds(t, file, text)
	})
}

func TestGetURLGoesOn(t *testing.T) {
	onTools(t, func(t *testing.T, c *shConn, tool string) {
		s := moduletest.NewSite(t, false)
		dir := t.TempDir()
		s.Cut(1)
		want(t, "cut once", run(t, c, modules.HostOptions{}, GetURL, "url", s.URL+"/cut", "dest", dir+"/big"), "changed", true, "failed", nil, "status_code", 200)
		holds(t, dir+"/big", string(moduletest.SiteLarge()))
		if got := s.Last().Header; got.Get("Range") == "" || got.Get("If-Range") != `"one"` || s.Count() != 2 {
			t.Errorf("it did not go on: %v after %d", got, s.Count())
		}
		want(t, "always cut", run(t, c, modules.HostOptions{}, GetURL, "url", s.URL+"/always-cut", "dest", dir+"/none"), "changed", false, "failed", true)
		only(t, dir, "big")
	})
}

func TestGetURLRefuses(t *testing.T) {
	onTools(t, func(t *testing.T, c *shConn, tool string) {
		s := moduletest.NewSite(t, false)
		dir := t.TempDir()
		write(t, dir+"/file", "x", 0o644)
		for _, test := range []struct {
			msg   string
			pairs []any
		}{
			{"Destination " + dir + "/no does not exist", []any{"url", s.URL + "/text", "dest", dir + "/no/file"}},
			{"Destination " + dir + "/no does not exist", []any{"url", s.URL + "/text", "dest", dir + "/no/"}},
			{"destination " + dir + "/file/x: " + dir + "/file is not a directory", []any{"url", s.URL + "/text", "dest", dir + "/file/x"}},
			{dir + "/file is a file but should be a directory.", []any{"url", s.URL + "/text", "dest", dir + "/new", "tmp_dest", dir + "/file"}},
			{dir + "/no directory does not exist.", []any{"url", s.URL + "/text", "dest", dir + "/new", "tmp_dest", dir + "/no"}},
			{"chown failed: failed to look up user nobody-there", []any{"url", s.URL + "/text", "dest", dir + "/new", "owner", "nobody-there"}},
			{"Request failed: HTTP Error 302: The HTTP server returned a redirect error that would lead to an infinite loop.", []any{"url", s.URL + "/again", "dest", dir + "/new"}},
			{`The checksum parameter has to be in format <algorithm>:<checksum>`, []any{"url", s.URL, "dest", dir + "/new", "checksum", "abc"}},
			{`The checksum format is invalid`, []any{"url", s.URL, "dest", dir + "/new", "checksum", "md5:xyz"}},
			{`checksum: the algorithm "crc" is none of md5, sha1, sha224, sha256, sha384, sha512`, []any{"url", s.URL, "dest", dir + "/new", "checksum", "crc:12"}},
			{`unknown url type: "gopher://x" (it begins with http://, https:// or file://)`, []any{"url", "gopher://x", "dest", dir + "/new"}},
			{"use_gssapi: yes is not supported: hosts are asked for nothing by Kerberos", []any{"url", s.URL, "dest", dir + "/new", "use_gssapi", true}},
			{"timeout must be 1 second or more", []any{"url", s.URL, "dest", dir + "/new", "timeout", 0}},
			{`header or argument "A" cannot be sent: it has a line end, or its name a blank or colon`, []any{"url", s.URL, "dest", dir + "/new", "headers", value.NewDict("A", "b\r\nC: d")}},
		} {
			if tool == "busybox" && strings.Contains(test.msg, "infinite") {
				continue // it follows redirects by itself, and says it in its own words
			}
			want(t, test.msg, run(t, c, modules.HostOptions{}, GetURL, test.pairs...), "msg", test.msg, "failed", true, "changed", false)
			only(t, dir, "file")
		}
		for _, path := range []string{"/broken", "/slow", "/again"} {
			r := run(t, c, modules.HostOptions{}, GetURL, "url", s.URL+path, "dest", dir+"/new", "timeout", 1)
			want(t, path, r, "failed", true, "changed", false)
			if !strings.HasPrefix(r.Msg, "Request failed: ") {
				t.Errorf("%s: %s", path, r.Msg)
			}
			t.Log(path, r.Msg)
			only(t, dir, "file")
		}
	})
}

func TestGetURLPasswords(t *testing.T) {
	onTools(t, func(t *testing.T, c *shConn, tool string) {
		s := moduletest.NewSite(t, false)
		dir := t.TempDir()
		for _, basic := range []bool{false, true} {
			r := run(t, c, modules.HostOptions{}, GetURL, "url", s.URL+"/locked", "dest", dir+"/file", "username", "me", "password", `pa"ss\ wört`, "force_basic_auth", basic, "force", true)
			if tool == "busybox" {
				want(t, "busybox", r, "failed", true, "msg", "download "+s.URL+"/locked: the host has no curl, and busybox's wget takes a password on its command line, where everybody on the host sees it: install curl")
				only(t, dir)
				continue
			}
			want(t, "password", r, "failed", nil, "changed", !basic, "status_code", 200)
			holds(t, dir+"/file", text)
		}
		if tool == "busybox" {
			r := run(t, c, modules.HostOptions{}, GetURL, "url", s.URL+"/text?api_key=12", "dest", dir+"/file")
			want(t, "secret", r, "failed", true, "msg", "download "+s.URL+"/text?api_key=12: the host has no curl, and busybox's wget takes the URL's secret api_key on its command line, where everybody on the host sees it: install curl")
			return
		}
		r := run(t, c, modules.HostOptions{}, GetURL, "url", strings.Replace(s.URL, "//", "//me:pa%22ss%5C%20w%C3%B6rt@", 1)+"/locked", "dest", dir+"/two")
		want(t, "in the URL", r, "failed", nil, "changed", true)
		r = run(t, c, modules.HostOptions{}, GetURL, "url", s.URL+"/locked", "dest", dir+"/three", "username", "me", "password", "wrong")
		want(t, "wrong", r, "failed", true, "msg", "Request failed: HTTP Error 401: Unauthorized", "status_code", 401)
		only(t, dir, "file", "two")
	})
}

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func TestGetURLOverTLS(t *testing.T) {
	onTools(t, func(t *testing.T, c *shConn, tool string) {
		s := moduletest.NewSite(t, true)
		dir := t.TempDir()
		trusting := modules.HostOptions{Env: map[string]string{"SSL_CERT_FILE": s.CA}}
		want(t, "not verified", run(t, c, modules.HostOptions{}, GetURL, "url", s.URL+"/text", "dest", dir+"/two", "validate_certs", false), "failed", nil, "changed", true)
		holds(t, dir+"/two", text)
		r := run(t, c, modules.HostOptions{}, GetURL, "url", s.URL+"/text", "dest", dir+"/file")
		want(t, "unknown issuer", r, "failed", true, "changed", false, "status_code", nil)
		only(t, dir, "two")
		if tool == "busybox" {
			want(t, "cannot verify", r, "msg", "download "+s.URL+"/text: the host has no curl, and busybox's wget does not verify that a certificate is the server's own: install curl")
			plain := moduletest.NewSite(t, false)
			plain.To = s.URL + "/text"
			r := run(t, c, trusting, GetURL, "url", plain.URL+"/elsewhere", "dest", dir+"/file")
			want(t, "redirected", r, "failed", true, "msg", "Request failed: busybox: it was redirected to https, and busybox's wget does not verify that a certificate is the server's own: install curl")
			only(t, dir, "two")
			return
		}
		if !strings.HasPrefix(r.Msg, "Request failed: "+tool+": ") {
			t.Error(r.Msg)
		}
		want(t, "known issuer", run(t, c, trusting, GetURL, "url", s.URL+"/text", "dest", dir+"/file"), "failed", nil, "changed", true)
		holds(t, dir+"/file", text, "two")
		wrong := strings.Replace(s.URL, "localhost", "127.0.0.2", 1)
		want(t, "another's certificate", run(t, c, trusting, GetURL, "url", wrong+"/text", "dest", dir+"/three"), "failed", true)
		only(t, dir, "file", "two")
	})
}

func TestGetURLOtherArguments(t *testing.T) {
	onTools(t, func(t *testing.T, c *shConn, tool string) {
		s, other := moduletest.NewSite(t, false), moduletest.NewSite(t, false)
		dir, tmp := t.TempDir(), t.TempDir()
		want(t, "packed", run(t, c, modules.HostOptions{}, GetURL, "url", s.URL+"/gzip", "dest", dir+"/a"), "failed", nil, "size", 22)
		want(t, "left packed", run(t, c, modules.HostOptions{}, GetURL, "url", s.URL+"/gzip", "dest", dir+"/b", "decompress", false), "failed", nil, "size", 46)
		r := run(t, c, modules.HostOptions{}, GetURL, "url", s.URL+"/text", "dest", dir+"/c", "tmp_dest", tmp, "headers", value.NewDict("X-One", "it's \"1\" \\"), "http_agent", "us")
		want(t, "elsewhere first", r, "failed", nil, "changed", true)
		if got := s.Last().Header; got.Get("X-One") != `it's "1" \` || got.Get("User-Agent") != "us" {
			t.Errorf("headers %v", got)
		}
		only(t, tmp)
		holds(t, dir+"/c", text, "a", "b")
		want(t, "a file", run(t, c, modules.HostOptions{}, GetURL, "url", "file://"+dir+"/c", "dest", dir+"/d"), "failed", nil, "changed", true, "status_code", nil, "msg", "OK (22 bytes)")
		holds(t, dir+"/d", text, "a", "b", "c")
		want(t, "no such file", run(t, c, modules.HostOptions{}, GetURL, "url", "file://"+dir+"/none", "dest", dir+"/e"), "failed", true)
		proxied := modules.HostOptions{Env: map[string]string{"http_proxy": other.URL}}
		want(t, "by a proxy", run(t, c, proxied, GetURL, "url", "http://nowhere.invalid/text", "dest", dir+"/p"), "failed", nil, "changed", true)
		want(t, "past it", run(t, c, proxied, GetURL, "url", s.URL+"/text", "dest", dir+"/q", "use_proxy", false), "failed", nil, "changed", true)
		if got := other.Count(); got != 1 {
			t.Errorf("the proxy was asked %d times", got)
		}
		asked := s.Count()
		check := modules.HostOptions{Check: true}
		want(t, "check mode", run(t, c, check, GetURL, "url", s.URL+"/text", "dest", dir+"/new"), "changed", true, "failed", nil)
		want(t, "check mode, nothing new", run(t, c, check, GetURL, "url", s.URL+"/text", "dest", dir+"/c"), "changed", false, "failed", nil)
		want(t, "check mode, 404", run(t, c, check, GetURL, "url", s.URL+"/none", "dest", dir+"/new"), "failed", true)
		if s.Last().Method != "HEAD" && tool != "busybox" || s.Count() != asked+3 {
			t.Errorf("check mode: %v, %d requests", s.Last(), s.Count()-asked)
		}
		only(t, dir, "a", "b", "c", "d", "p", "q")
	})
}

func TestGetURLThroughLinks(t *testing.T) {
	onTools(t, func(t *testing.T, c *shConn, tool string) {
		s := moduletest.NewSite(t, false)
		dir := t.TempDir()
		write(t, dir+"/real", text, 0o644)
		mustLink(t, "real", dir+"/link")
		want(t, "the same", run(t, c, modules.HostOptions{}, GetURL, "url", s.URL+"/text", "dest", dir+"/link", "force", true), "changed", false, "failed", nil)
		write(t, dir+"/real", "other", 0o644)
		want(t, "another", run(t, c, modules.HostOptions{}, GetURL, "url", s.URL+"/text", "dest", dir+"/link", "force", true), "changed", true, "failed", nil)
		if info, err := os.Lstat(dir + "/link"); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%v %v", info, err)
		}
		holds(t, dir+"/real", "other", "link")
	})
}

// TestNothingSecretInArguments lets a curl and a wget of the test's own note what they are called with.
func TestNothingSecretInArguments(t *testing.T) {
	for _, tool := range []string{"curl", "wget"} {
		s := moduletest.NewSite(t, false)
		c := &shConn{shell: []string{"dash"}, path: pathWith(t, tool)}
		dir := t.TempDir()
		real, err := os.Readlink(filepath.Join(c.path, tool))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(c.path, tool)); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(c.path, tool), "#!/bin/sh\nprintf '%s ' \"$@\" >>"+dir+"/argv\nenv >>"+dir+"/argv\nexec "+real+" \"$@\"\n", 0o755)
		r := run(t, c, modules.HostOptions{}, GetURL, "url", strings.Replace(s.URL, "//", "//me:pw-in-url@", 1)+"/locked?x=query-1", "dest", dir+"/file",
			"username", "me", "password", `pa"ss\ wört`, "headers", value.NewDict("Authorization-Extra", "header-1"))
		want(t, tool, r, "failed", nil, "changed", true)
		if got := s.Last().Header.Get("Authorization-Extra"); got != "header-1" {
			t.Errorf("%s: the header is %q", tool, got)
		}
		argv, err := os.ReadFile(dir + "/argv")
		if err != nil || len(argv) == 0 {
			t.Fatal(tool, err)
		}
		for _, secret := range []string{"wört", "header-1", "pw-in-url", "query-1"} {
			if bytes.Contains(argv, []byte(secret)) {
				t.Errorf("%s shows %q", tool, secret)
			}
		}
		for _, a := range get(r, "hostler.actions").(*value.List).Items {
			if shown := a.(*value.Dict).Str("cmd"); strings.Contains(shown, "wört") || strings.Contains(shown, "header-1") {
				t.Errorf("%s: the action shows %s", tool, shown)
			}
		}
	}
}
