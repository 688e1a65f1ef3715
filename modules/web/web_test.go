package web

import "testing"

// TestRedirectedSecrets shows to which servers a password and a cookie of the request's own go along.
func TestRedirectedSecrets(t *testing.T) {
	for _, c := range []struct {
		from, to string
		along    bool
	}{
		{"https://a.example/x", "/y", true},
		{"http://a.example/x", "https://a.example/x", true},
		{"https://a.example/x", "http://a.example/x", false},
		{"https://a.example/x", "https://b.example/x", false},
		{"https://a.example/x", "https://a.example:8443/x", false},
	} {
		req := Request{Method: "GET", URL: c.from, Username: "me", Password: "p", Redirects: FollowSafe, Headers: []Field{{"Accept", "*/*"}, {"Cookie", "a=b"}}}
		next, ok := req.redirected(Response{Status: 302, Headers: []Field{{"Location", c.to}}})
		if !ok {
			t.Errorf("%s to %s is not followed", c.from, c.to)
		}
		if along := next.Password != "" && next.Username != "" && hasField(next.Headers, "Cookie"); along != c.along || hasField(next.Headers, "Cookie") != along {
			t.Errorf("%s to %s: user %q, password %q, headers %v", c.from, c.to, next.Username, next.Password, next.Headers)
		}
		if !hasField(next.Headers, "Accept") {
			t.Errorf("%s to %s: a header that is no secret went away", c.from, c.to)
		}
	}
}
