package files

import (
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestURI(t *testing.T) {
	onTools(t, func(t *testing.T, c *shConn, tool string) {
		s := moduletest.NewSite(t, false)
		r := run(t, c, modules.HostOptions{}, URI, "url", s.URL+"/json", "return_content", true)
		want(t, "json", r, "failed", nil, "changed", false, "status", 200, "url", s.URL+"/json", "redirected", false, "content", `{"a": [1, "é"]}`,
			"msg", "OK (16 bytes)", "content_type", "application/json", "x_two", "a, b", "cookies.c", "1", "cookies_string", "c=1", "elapsed", 0)
		if got := get(r, "json.a").(*value.List).Items[1]; got != "é" {
			t.Errorf("json %v", got)
		}
		if c.trips != 1 {
			t.Errorf("%d round trips, want 1", c.trips)
		}
		r = run(t, c, modules.HostOptions{}, URI, "url", s.URL+"/to-json")
		want(t, "redirected", r, "failed", nil, "redirected", true, "url", s.URL+"/json", "status", 200, "content", nil)
		r = run(t, c, modules.HostOptions{}, URI, "url", s.URL+"/none")
		want(t, "404", r, "failed", true, "status", 404, "msg", "Status code was 404 and not [200]: HTTP Error 404: Not Found", "url", s.URL+"/none", "redirected", false)
		want(t, "404 is fine", run(t, c, modules.HostOptions{}, URI, "url", s.URL+"/none", "status_code", value.NewList(404, "410")), "failed", nil, "status", 404)
		r = run(t, c, modules.HostOptions{}, URI, "url", s.URL+"/broken")
		want(t, "broken", r, "failed", true, "status", -1)
		if !strings.HasPrefix(r.Msg, "Status code was -1 and not [200]: Request failed: "+tool+": ") {
			t.Error(r.Msg)
		}
		want(t, "latin", run(t, c, modules.HostOptions{}, URI, "url", s.URL+"/latin", "return_content", true), "content", "eé\n")
		want(t, "check mode", run(t, c, modules.HostOptions{Check: true}, URI, "url", s.URL+"/json"), "skipped", true,
			"msg", "remote module (ansible.legacy.uri) does not support check mode")
	})
}

func TestURISends(t *testing.T) {
	onTools(t, func(t *testing.T, c *shConn, tool string) {
		s := moduletest.NewSite(t, false)
		dir := t.TempDir()
		write(t, dir+"/there", "from the host", 0o600)
		write(t, dir+"/files/here", "from here", 0o600)
		opts := modules.HostOptions{Local: folderLocal{dir}}
		form := "application/x-www-form-urlencoded"
		for _, test := range []struct {
			what, kind, body string
			pairs            []any
		}{
			{"json", "application/json", `{"a": 1, "b": ["x", null]}`, []any{"body_format", "json", "body", value.NewDict("a", 1, "b", value.NewList("x", nil))}},
			{"json text", "application/x-own", `{"a":1}`, []any{"body_format", "json", "body", `{"a":1}`, "headers", value.NewDict("Content-Type", "application/x-own")}},
			{"form", form, `a+b=%26%C3%A9&c=1&c=2&d=True`, []any{"body_format", "form-urlencoded", "body", value.NewDict("a b", "&é", "c", value.NewList(1, 2, nil), "d", true)}},
			{"pairs", form, `z=1&a=2`, []any{"body_format", "form-urlencoded", "body", value.NewList(value.NewList("z", 1), value.NewList("a", 2))}},
			{"raw", form, "a\nb 'c' \\", []any{"body", "a\nb 'c' \\"}},
			{"file of the host", form, "from the host", []any{"src", dir + "/there", "remote_src", true}},
			{"file from here", form, "from here", []any{"src", "here"}},
		} {
			r := run(t, c, opts, URI, append([]any{"url", s.URL + "/echo", "method", "POST", "follow_redirects", "all", "return_content", true}, test.pairs...)...)
			want(t, test.what, r, "failed", nil, "content", "POST "+test.kind+" "+test.body)
		}
		r := run(t, c, opts, URI, "url", s.URL+"/echo", "method", "POST", "follow_redirects", "all", "body_format", "form-multipart", "body", value.NewDict(
			"text", "one", "file", value.NewDict("filename", "here"), "made", value.NewDict("filename", "x.txt", "content", "two", "mime_type", "text/x-own")))
		want(t, "multipart", r, "failed", nil)
		got := s.Last()
		_, boundary, _ := strings.Cut(got.Header.Get("Content-Type"), "boundary=")
		parts := multipart.NewReader(strings.NewReader(got.Body), strings.Trim(boundary, `"`))
		for _, name := range []string{`file here ZnJvbSBoZXJl`, `made x.txt two`, `text  one`} {
			p, err := parts.NextPart()
			if err != nil {
				t.Fatal(name, err)
			}
			data, _ := io.ReadAll(p)
			if is := strings.TrimSpace(p.FormName() + " " + p.FileName() + " " + string(data)); is != name {
				t.Errorf("part %q, want %q", is, name)
			}
		}
		if tool == "busybox" {
			r := run(t, c, opts, URI, "url", s.URL+"/echo", "method", "PUT", "body", "x")
			want(t, "PUT", r, "failed", true, "msg", "PUT "+s.URL+"/echo: the host has no curl, and busybox's wget knows no method PUT: install curl")
			return
		}
		for _, method := range []string{"PUT", "DELETE", "POST"} {
			r := run(t, c, opts, URI, "url", s.URL+"/echo", "method", strings.ToLower(method), "return_content", true)
			want(t, method, r, "failed", nil, "content", method+"  ")
		}
		want(t, "HEAD", run(t, c, opts, URI, "url", s.URL+"/json", "method", "HEAD", "return_content", true), "failed", nil, "content", "")
	})
}

func TestURIRedirectsAndPasswords(t *testing.T) {
	onTools(t, func(t *testing.T, c *shConn, tool string) {
		if tool == "busybox" {
			return // it follows redirects by itself and takes no passwords, which other tests see
		}
		s, other := moduletest.NewSite(t, false), moduletest.NewSite(t, false)
		r := run(t, c, modules.HostOptions{}, URI, "url", s.URL+"/to-json", "follow_redirects", "none", "status_code", 302)
		want(t, "none", r, "failed", nil, "status", 302, "location", s.URL+"/json", "redirected", false)
		r = run(t, c, modules.HostOptions{}, URI, "url", s.URL+"/kept", "method", "POST", "body", "x")
		want(t, "safe", r, "failed", true, "status", 307, "msg", "Status code was 307 and not [200]: HTTP Error 307: Temporary Redirect")
		r = run(t, c, modules.HostOptions{}, URI, "url", s.URL+"/kept", "method", "POST", "body", "x", "follow_redirects", "yes", "return_content", true)
		want(t, "all", r, "failed", nil, "content", "POST application/x-www-form-urlencoded x")
		s.To = other.URL + "/json"
		r = run(t, c, modules.HostOptions{}, URI, "url", s.URL+"/elsewhere", "user", "me", "password", "pw", "force_basic_auth", true,
			"headers", value.NewDict("X-Once", "1", "X-Always", "2", "Authorization-Not", "3"), "unredirected_headers", value.NewList("x-once"))
		want(t, "elsewhere", r, "failed", nil, "url", other.URL+"/json")
		if got := other.Last().Header; got.Get("Authorization") != "" || got.Get("X-Once") != "" || got.Get("X-Always") != "2" {
			t.Errorf("the other server got %v", got)
		}
		r = run(t, c, modules.HostOptions{}, URI, "url", s.URL+"/to-json")
		want(t, "cookie", r, "cookies.seen", "yes", "cookies.c", "1")
		if got := s.Last().Header.Get("Cookie"); got != "seen=yes" {
			t.Errorf("the cookie after the redirect is %q", got)
		}
		r = run(t, c, modules.HostOptions{}, URI, "url", s.URL+"/locked", "url_username", "me", "url_password", `pa"ss\ wört`, "return_content", true)
		want(t, "password", r, "failed", nil, "content", text)
		r = run(t, c, modules.HostOptions{}, URI, "url", s.URL+"/locked", "user", "me", "password", "wrong")
		want(t, "wrong password", r, "failed", true, "status", 401, "www_authenticate", `Basic realm="here"`)
	})
}

func TestURIFiles(t *testing.T) {
	onTools(t, func(t *testing.T, c *shConn, tool string) {
		s := moduletest.NewSite(t, false)
		dir := t.TempDir()
		r := run(t, c, modules.HostOptions{}, URI, "url", s.URL+"/json", "dest", dir+"/file", "mode", "0640")
		want(t, "new", r, "failed", nil, "changed", true, "path", dir+"/file", "mode", "0640", "size", 16)
		want(t, "again", run(t, c, modules.HostOptions{}, URI, "url", s.URL+"/json", "dest", dir+"/file"), "failed", nil, "changed", false)
		want(t, "folder", run(t, c, modules.HostOptions{}, URI, "url", s.URL+"/named", "dest", dir), "failed", nil, "changed", true, "path", dir+"/other.txt")
		want(t, "304", run(t, c, modules.HostOptions{}, URI, "url", s.URL+"/text", "dest", dir+"/other.txt", "status_code", value.NewList(200, 304)),
			"failed", nil, "changed", false, "status", 304)
		want(t, "404", run(t, c, modules.HostOptions{}, URI, "url", s.URL+"/none", "dest", dir+"/no"), "failed", true)
		want(t, "no folder", run(t, c, modules.HostOptions{}, URI, "url", s.URL+"/text", "dest", dir+"/no/file"), "failed", true, "msg", "Destination "+dir+"/no does not exist")
		only(t, dir, "file", "other.txt")
		asked := s.Count()
		want(t, "creates", run(t, c, modules.HostOptions{}, URI, "url", s.URL+"/text", "creates", dir+"/file"), "changed", false,
			"stdout", "skipped, since '"+dir+"/file' exists", "status", nil)
		want(t, "removes", run(t, c, modules.HostOptions{}, URI, "url", s.URL+"/text", "removes", dir+"/no"), "changed", false,
			"stdout", "skipped, since '"+dir+"/no' does not exist")
		if s.Count() != asked {
			t.Error("the server was asked")
		}
	})
}

func TestURISocketAndCertificates(t *testing.T) {
	onTools(t, func(t *testing.T, c *shConn, tool string) {
		dir := t.TempDir()
		l, err := net.Listen("unix", dir+"/socket")
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host) })}
		go func() { _ = server.Serve(l) }()
		t.Cleanup(func() { _ = server.Close() })
		r := run(t, c, modules.HostOptions{}, URI, "url", "http://there/x", "unix_socket", dir+"/socket", "return_content", true)
		s := moduletest.NewSite(t, true)
		switch tool {
		case "curl":
			want(t, "socket", r, "failed", nil, "content", "there")
		case "wget":
			want(t, "socket", r, "failed", true, "msg", "GET http://there/x: the host has no curl, and GNU wget connects to no Unix socket: install curl")
		case "busybox":
			want(t, "socket", r, "failed", true, "msg", "GET http://there/x: the host has no curl, and busybox's wget connects to no Unix socket: install curl")
			return
		}
		want(t, "known issuer", run(t, c, modules.HostOptions{}, URI, "url", s.URL+"/json", "ca_path", s.CA), "failed", nil, "status", 200)
		want(t, "unknown issuer", run(t, c, modules.HostOptions{}, URI, "url", s.URL+"/json"), "failed", true, "status", -1)
	})
}

func TestURIRefuses(t *testing.T) {
	c := &shConn{shell: []string{"sh"}}
	opts := modules.HostOptions{Local: folderLocal{t.TempDir()}}
	for _, test := range []struct {
		msg   string
		pairs []any
	}{
		{`a file is no web service: file:///etc/passwd`, []any{"url", "file:///etc/passwd"}},
		{`unknown url type: "nothing" (it begins with http://, https:// or file://)`, []any{"url", "nothing"}},
		{"Parameter 'method' needs to be a single word in uppercase, like GET or POST.", []any{"url", "http://x", "method", "GET IT"}},
		{"arguments are mutually exclusive: body, src", []any{"url", "http://x", "body", "x", "src", "y"}},
		{"body must be text with body_format: raw; body_format: json writes data", []any{"url", "http://x", "body", value.NewDict("a", 1)}},
		{"failed to parse body as form_urlencoded: cannot form-urlencode body, expect list or dict", []any{"url", "http://x", "body_format", "form-urlencoded", "body", 1}},
		{"failed to parse body as form-multipart: body must be a dict", []any{"url", "http://x", "body_format", "form-multipart", "body", "x"}},
		{"failed to parse body as form-multipart: at least one of filename or content must be provided: f", []any{"url", "http://x", "body_format", "form-multipart", "body", value.NewDict("f", value.NewDict())}},
		{`URL can't contain control characters or blanks: "http://x/a%20b"`, []any{"url", "http://x/a b"}},
	} {
		r := run(t, c, opts, URI, test.pairs...)
		if !r.Failed || !strings.Contains(r.Msg, test.msg) {
			t.Errorf("%v: %q, want %q", test.pairs, r.Msg, test.msg)
		}
	}
	if _, err := os.Stat("x"); err == nil {
		t.Error("something was written")
	}
}
