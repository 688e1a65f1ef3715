package web

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// check refuses what could not be written to a tool's file as one line, and URLs of other kinds.
func (req Request) check() error {
	u, err := url.Parse(req.URL)
	switch {
	case err != nil:
		return fmt.Errorf("the URL cannot be read: %w", err)
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "file":
		return fmt.Errorf("a URL begins with http://, https:// or file://, not as %s does", u.Redacted())
	case u.Scheme != "file" && u.Host == "":
		return fmt.Errorf("the URL names no host: %s", u.Redacted())
	case strings.ContainsFunc(req.URL, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return fmt.Errorf("URL can't contain control characters or blanks: %q", u.Redacted())
	}
	for _, f := range append([]Field{{"http_agent", req.Agent}, {"url_username", req.Username}, {"url_password", req.Password}}, req.Headers...) {
		if strings.ContainsAny(f.Name+f.Value, "\r\n\x00") || strings.ContainsAny(f.Name, ": ") {
			return fmt.Errorf("header or argument %q cannot be sent: it has a line end, or its name a blank or colon", f.Name)
		}
	}
	if strings.Contains(req.Username, ":") {
		return fmt.Errorf("a user's name cannot have a colon in it: %q", req.Username)
	}
	return nil
}

// fields are the headers to send.
func (req Request) fields() []Field {
	fields := slices.Clone(req.Headers)
	if !hasField(fields, "Accept-Encoding") {
		fields = append(fields, Field{"Accept-Encoding", "identity"})
	}
	if !req.hasBody() && slices.Contains([]string{"POST", "PUT", "PATCH"}, req.Method) && !hasField(fields, "Content-Length") {
		fields = append(fields, Field{"Content-Length", "0"})
	}
	return fields
}

func (req Request) hasBody() bool { return req.Body != nil || req.BodyFile != "" }

// curlConfig is a file for curl -K.
func (req Request) curlConfig() string {
	var b strings.Builder
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\t", `\t`)
	set := func(name, value string) { fmt.Fprintf(&b, "%s = \"%s\"\n", name, quote.Replace(value)) }
	set("url", req.URL)
	timeout := strconv.Itoa(req.Timeout)
	b.WriteString("silent\nshow-error\ngloboff\nhttp1.1\nspeed-limit = 1\n")
	set("connect-timeout", timeout)
	set("speed-time", timeout)
	set("proto", "=http,https")
	if req.Method == "HEAD" {
		b.WriteString("head\n")
	} else {
		set("request", req.Method)
	}
	for _, f := range append(req.fields(), Field{"Expect", ""}) {
		if f.Value == "" && f.Name != "Expect" {
			set("header", f.Name+";") // curl's way to send an empty one
			continue
		}
		set("header", f.Name+": "+f.Value)
	}
	set("user-agent", req.Agent)
	if req.Username != "" {
		set("user", req.Username+":"+req.Password)
		b.WriteString(map[bool]string{true: "basic\n", false: "anyauth\n"}[req.Basic])
	} else if req.Netrc {
		b.WriteString("netrc-optional\n")
	}
	if !req.Proxy {
		set("noproxy", "*")
	}
	if !req.Verify {
		b.WriteString("insecure\n")
	}
	if len(req.Ciphers) > 0 {
		set("ciphers", strings.Join(req.Ciphers, ":"))
	}
	return b.String()
}

// wgetConfig is a file for GNU wget's --config.
func (req Request) wgetConfig() string {
	var b strings.Builder
	set := func(name, value string) { fmt.Fprintf(&b, "%s = %s\n", name, value) }
	set("tries", "1")
	set("max_redirect", "0")
	set("timeout", strconv.Itoa(req.Timeout))
	set("method", req.Method)
	set("user_agent", req.Agent)
	for _, f := range req.fields() {
		if !strings.EqualFold(f.Name, "Content-Length") { // wget counts by itself
			set("header", f.Name+": "+f.Value)
		}
	}
	if req.Username != "" {
		set("http_user", req.Username)
		set("http_password", req.Password)
		set("auth_no_challenge", onOff(req.Basic))
	}
	set("netrc", onOff(req.Netrc && req.Username == ""))
	set("use_proxy", onOff(req.Proxy))
	set("check_certificate", onOff(req.Verify))
	return b.String()
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// secretName are names of headers and of parts of a URL that carry secrets.
var secretName = regexp.MustCompile(`(?i)auth|cookie|token|key|secret|passw|session|credential|signature`)

// notWget tells what GNU wget cannot do of what is asked, "" when nothing.
func (req Request) notWget() string {
	switch {
	case req.UnixSocket != "":
		return "GNU wget connects to no Unix socket"
	case len(req.Ciphers) > 0:
		return "GNU wget may be built with GnuTLS, which has other names for ciphers"
	case req.Username != strings.TrimSpace(req.Username) || req.Password != strings.TrimSpace(req.Password):
		return "GNU wget takes no blanks around a password"
	}
	return ""
}

// notBusybox tells what busybox's wget cannot do, or not without showing secrets to everybody on the host, "" when nothing.
func (req Request) notBusybox() string {
	const seen = "busybox's wget takes %s on its command line, where everybody on the host sees it"
	u, err := url.Parse(req.URL)
	if err != nil {
		return "the URL cannot be read"
	}
	for name := range u.Query() {
		if secretName.MatchString(name) {
			return fmt.Sprintf(seen, "the URL's secret "+name)
		}
	}
	for _, f := range req.Headers {
		if secretName.MatchString(f.Name) {
			return fmt.Sprintf(seen, "the header "+f.Name)
		}
	}
	switch {
	case req.Username != "":
		return fmt.Sprintf(seen, "a password")
	case req.Method == "HEAD" && !req.ReadOnly, !slices.Contains([]string{"GET", "HEAD", "POST"}, req.Method):
		return "busybox's wget knows no method " + req.Method
	case req.Method != "POST" && req.hasBody(), req.Method == "POST" && !req.hasBody():
		return "busybox's wget sends a body with POST, always and only"
	case req.Method == "POST" && req.Redirects != FollowAll, req.Redirects == FollowNone:
		return "busybox's wget always follows redirects"
	case req.Method == "POST" && req.Verify && u.Scheme == "https":
		return "busybox's wget may send the body to a server whose certificate it did not verify"
	case req.CA != "" || req.Cert != "" || req.Key != "" || len(req.Ciphers) > 0:
		return "busybox's wget takes no certificates and ciphers"
	case req.UnixSocket != "":
		return "busybox's wget connects to no Unix socket"
	case len(req.Unredirected) > 0:
		return "busybox's wget sends all headers to redirects"
	}
	return ""
}

// busyboxWords are arguments for busybox's wget.
func (req Request) busyboxWords() []string {
	if req.notBusybox() != "" {
		return nil
	}
	words := []string{"-U", req.Agent}
	for _, f := range req.Headers {
		words = append(words, "--header", f.Name+": "+f.Value)
	}
	if req.Method == "HEAD" {
		words = append(words, "--spider")
	}
	if !req.Proxy {
		words = append(words, "-Y", "off")
	}
	if !req.Verify {
		words = append(words, "--no-check-certificate")
	}
	return append(words, "--", req.URL)
}

// compose gives the script's standard input and arguments.
func (req Request) compose() (stdin []byte, args []string) {
	curl, wget, target := req.curlConfig(), req.wgetConfig(), req.URL
	method, body := req.Method, req.BodyFile
	if u, err := url.Parse(req.URL); err == nil && u.Scheme == "file" {
		method, target = "FILE", u.Path
	}
	if req.Body != nil {
		body = "-"
	}
	flag := func(b bool) string { return map[bool]string{true: "1"}[b] }
	args = []string{
		strconv.Itoa(len(curl)), strconv.Itoa(len(wget)), strconv.Itoa(len(target)), body, method, strconv.Itoa(req.Timeout),
		flag(req.Decompress), flag(req.Resume), flag(req.Verify),
		req.notWget(), req.notBusybox(), req.CA, req.Cert, req.Key, req.UnixSocket, strconv.Itoa(len(req.LookArgs)),
	}
	args = append(append(args, req.LookArgs...), req.busyboxWords()...)
	return append([]byte(curl+wget+target), req.Body...), args
}
