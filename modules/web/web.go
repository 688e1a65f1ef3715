// Package web makes HTTP requests on a host, by whichever of curl, GNU wget and busybox's wget it has. Do is the way. Passwords, headers
// and bodies reach the tool by files that only the user may read, never by its command line; what a tool cannot do, or not safely, is
// an error that says so. Redirects and cookies are seen to here, so that all tools do the same, but for busybox's wget, which follows
// redirects by itself.
package web

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/modules"
)

// Redirects is which redirects are followed.
type Redirects string

// The policies: as Python's urllib does (also a POST that becomes a GET), those of GET and HEAD alone, all, none.
const (
	FollowUsual Redirects = "urllib2"
	FollowSafe  Redirects = "safe"
	FollowAll   Redirects = "all"
	FollowNone  Redirects = "none"
)

// maxRedirects is how many redirects are followed.
const maxRedirects = 10

// Field is one header.
type Field struct{ Name, Value string }

// Request is what is asked of a server, and how. Paths are the host's; ~ and $NAME in them mean what they mean there.
type Request struct {
	Method  string
	URL     string // http, https or file, without a user's name
	Headers []Field
	Body    []byte // nil is none
	// BodyFile is a file to send in place of Body.
	BodyFile string

	Agent              string
	Username, Password string
	Basic              bool // the password goes with the first request, not only when it is asked for
	Netrc              bool // without Username, ~/.netrc is asked
	Proxy              bool // variables such as http_proxy are heeded
	Verify             bool // certificates are verified
	CA, Cert, Key      string
	Ciphers            []string
	UnixSocket         string
	Timeout            int // seconds without a byte
	Redirects          Redirects
	Unredirected       []string // names of headers that are for the first server only
	Decompress         bool     // what comes packed by gzip is unpacked
	Resume             bool     // a download that was cut goes on where it was

	// Look is a script that looks at the host first, in the same round trip, with LookArgs as $1, $2 …; what it tells is in the
	// Response's Report. It may end the whole (exit 0) when there is nothing to ask, set out to the file to download to, which then
	// is to be made, and set more to one further header.
	Look     string
	LookArgs []string
	// Then is a script that looks at what came: in $out, with $status as the status and $rc, which is 0 when all of it came. The file is
	// removed in the end unless Then sets keep. Without, Response.Body is what came.
	Then string
	// ReadOnly says that the request alters neither the host nor the server, so that it may be repeated, and be sent in check mode.
	ReadOnly bool
	// Why is what the request is for, in a line for people.
	Why string
}

// Response is what a server answered.
type Response struct {
	Report *modules.Report // what Look and Then told
	// Asked says that there was a request at all.
	Asked bool
	// Status is 0 for a file and -1 when there was no answer; Msg then says why.
	Status  int
	Msg     string // as Ansible's modules say it: "OK (12 bytes)", "HTTP Error 404: Not Found"
	Headers []Field
	URL     string // the last one asked
	// Body is what was answered, unless Then was set; Large says that it is too long to be taken to the controller.
	Body    []byte
	Large   bool
	Cookies []*http.Cookie
	Elapsed time.Duration
}

// OK reports a status of success.
func (r Response) OK() bool { return r.Status == 0 && r.Asked || r.Status >= 200 && r.Status < 300 }

// Header gives the values of a header, joined as one; "" when there is none.
func (r Response) Header(name string) string {
	var values []string
	for _, f := range r.Headers {
		if strings.EqualFold(f.Name, name) {
			values = append(values, f.Value)
		}
	}
	return strings.Join(values, ", ")
}

// Do asks and follows redirects, each in a round trip of its own. That there was no answer is in the Response; an error is about the
// host, or a host without a tool that can do what is asked.
func Do(ctx context.Context, h *modules.Host, req Request) (Response, error) {
	start := time.Now()
	if err := req.check(); err != nil {
		return Response{Status: -1, URL: req.URL}, err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return Response{}, fmt.Errorf("keep cookies: %w", err)
	}
	first, cookies := req.URL, []*http.Cookie(nil)
	for hop := 0; ; hop++ {
		resp, err := req.once(ctx, h, jar)
		resp.Elapsed = time.Since(start)
		if err != nil {
			return resp, fmt.Errorf("%s: %w", req.Why, err)
		}
		at, err := url.Parse(resp.URL)
		if err != nil {
			return resp, fmt.Errorf("the answer's URL: %w", err)
		}
		set := (&http.Response{Header: resp.httpHeader()}).Cookies()
		jar.SetCookies(at, set)
		cookies = keepCookies(cookies, set)
		resp.Cookies = cookies
		next, ok := req.redirected(resp)
		switch {
		case !ok:
			if !resp.OK() && resp.Status > 0 {
				resp.URL = first // as urllib has it in its errors
			}
			return resp, nil
		case hop == maxRedirects:
			resp.Msg = fmt.Sprintf("HTTP Error %d: The HTTP server returned a redirect error that would lead to an infinite loop.", resp.Status)
			resp.URL = first
			return resp, nil
		}
		req = next
	}
}

// keepCookies adds cookies; a later one of the same name takes an earlier one's place.
func keepCookies(have, set []*http.Cookie) []*http.Cookie {
	for _, c := range set {
		if i := slices.IndexFunc(have, func(o *http.Cookie) bool { return o.Name == c.Name && o.Path == c.Path }); i >= 0 {
			have[i] = c
			continue
		}
		have = append(have, c)
	}
	return have
}

func (r Response) httpHeader() http.Header {
	h := http.Header{}
	for _, f := range r.Headers {
		h.Add(f.Name, f.Value)
	}
	return h
}

// redirected gives the request that a redirect asks for.
func (req Request) redirected(resp Response) (Request, bool) {
	location := strings.ReplaceAll(resp.Header("Location"), " ", "%20")
	if !slices.Contains([]int{301, 302, 303, 307, 308}, resp.Status) || location == "" {
		return req, false
	}
	read := req.Method == "GET" || req.Method == "HEAD"
	switch req.Redirects {
	case FollowNone:
		return req, false
	case FollowSafe:
		if !read {
			return req, false
		}
	case FollowUsual:
		if !read && (req.Method != "POST" || resp.Status > 303) {
			return req, false
		}
	}
	was, err := url.Parse(req.URL)
	if err != nil {
		return req, false
	}
	to, err := was.Parse(location)
	if err != nil || to.Scheme != "http" && to.Scheme != "https" {
		return req, false
	}
	// What is for one server is no other's business, and what was sent encrypted is nobody else's.
	other := was.Host != to.Host || was.Scheme == "https" && to.Scheme == "http"
	next := req
	next.URL = to.String()
	next.Headers = slices.DeleteFunc(slices.Clone(req.Headers), func(f Field) bool {
		return slices.ContainsFunc(req.Unredirected, func(n string) bool { return strings.EqualFold(n, f.Name) }) ||
			other && (strings.EqualFold(f.Name, "Authorization") || strings.EqualFold(f.Name, "Cookie"))
	})
	if other {
		next.Username, next.Password = "", ""
	}
	if resp.Status == 307 || resp.Status == 308 {
		return next, true
	}
	if !read && (req.Redirects == FollowUsual || resp.Status != 301 || req.Method == "POST") {
		next.Method = "GET"
	}
	next.Body, next.BodyFile = nil, ""
	next.Headers = slices.DeleteFunc(next.Headers, func(f Field) bool {
		return slices.Contains([]string{"content-length", "content-type", "transfer-encoding"}, strings.ToLower(f.Name))
	})
	return next, true
}

// once asks once.
func (req Request) once(ctx context.Context, h *modules.Host, jar http.CookieJar) (Response, error) {
	sent := req
	if at, err := url.Parse(req.URL); err == nil {
		var pairs []string
		for _, c := range jar.Cookies(at) {
			pairs = append(pairs, c.Name+"="+c.Value)
		}
		if len(pairs) > 0 && !hasField(req.Headers, "Cookie") {
			sent.Headers = append(slices.Clone(req.Headers), Field{"Cookie", strings.Join(pairs, "; ")})
		}
	}
	stdin, args := sent.compose()
	script := req.script()
	var report *modules.Report
	if req.ReadOnly {
		r, err := h.ProbeInput(ctx, stdin, script, args...)
		if err != nil {
			return Response{Status: -1, URL: req.URL}, err
		}
		report = r
	} else {
		done, err := h.Change(ctx, modules.Action{Why: req.Why, Script: script, Args: args, Stdin: stdin})
		if err != nil {
			return Response{Status: -1, URL: req.URL}, err
		}
		report = modules.ParseReport(done[0].Stdout)
	}
	return req.read(report)
}

func hasField(fields []Field, name string) bool {
	return slices.ContainsFunc(fields, func(f Field) bool { return strings.EqualFold(f.Name, name) })
}

// read makes the Response of what the script told.
func (req Request) read(r *modules.Report) (Response, error) {
	resp := Response{Report: r, URL: req.URL, Status: -1}
	if why := r.Text("web.why"); why != "" {
		return resp, &ToolError{why}
	}
	if !r.Has("web.rc") {
		return resp, nil
	}
	resp.Asked = true
	resp.Body, resp.Large = r.Bytes("web.body"), r.Has("web.large")
	trouble := explain(r.Text("web.err"))
	if r.Text("web.tool") == "file" {
		resp.Status, resp.Msg = 0, fmt.Sprintf("OK (%s bytes)", r.Text("web.size"))
		if r.Int("web.rc") != 0 {
			resp.Status, resp.Msg = -1, "Request failed: "+trouble
		}
		return resp, nil
	}
	blocks := headerBlocks(r.Text("web.head"))
	if r.Text("web.tool") == "busybox" {
		resp.URL = chase(req.URL, blocks)
	}
	if len(blocks) == 0 && r.Int("web.rc") == 0 {
		trouble = explain("") // what came is no HTTP
	}
	if len(blocks) == 0 || r.Int("web.rc") != 0 && blocks[len(blocks)-1].status < 300 {
		resp.Msg = fmt.Sprintf("Request failed: %s: %s", r.Text("web.tool"), trouble)
		return resp, nil
	}
	last := blocks[len(blocks)-1]
	resp.Status, resp.Headers = last.status, last.fields
	resp.Msg = fmt.Sprintf("HTTP Error %d: %s", last.status, last.reason)
	if resp.OK() {
		length := resp.Header("Content-Length")
		if length == "" {
			length = "unknown"
		}
		resp.Msg = fmt.Sprintf("OK (%s bytes)", length)
	}
	return resp, nil
}

// ToolError says that the host has no tool that can do, or do safely, what is asked.
type ToolError struct{ why string }

func (e *ToolError) Error() string { return e.why }

// explain makes one line of what a tool said.
func explain(text string) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(line, "curl: "), "wget: "))
		if line != "" && !strings.HasPrefix(line, "More details here") {
			lines = append(lines, line)
		}
		if len(lines) == 4 || strings.HasPrefix(line, "(") && len(lines) == 1 {
			break
		}
	}
	if len(lines) == 0 {
		return "no valid response came before the connection was closed or the time was over"
	}
	return strings.Join(lines, "; ")
}

// block is one answer's headers.
type block struct {
	status int
	reason string
	fields []Field
}

// headerBlocks reads headers as the tools print them: those of proxies, of 100 Continue and of redirects come first.
func headerBlocks(text string) []block {
	var blocks []block
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimRight(line, "\r")
		if rest, ok := strings.CutPrefix(line, "HTTP/"); ok {
			_, rest, _ = strings.Cut(rest, " ")
			code, reason, _ := strings.Cut(strings.TrimSpace(rest), " ")
			if n, err := strconv.Atoi(code); err == nil {
				blocks = append(blocks, block{status: n, reason: reason})
				continue
			}
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || len(blocks) == 0 {
			continue
		}
		b := &blocks[len(blocks)-1]
		b.fields = append(b.fields, Field{name, strings.TrimSpace(value)})
	}
	return blocks
}

// chase gives the URL that a tool ended at which follows redirects by itself.
func chase(from string, blocks []block) string {
	for _, b := range blocks[:max(0, len(blocks)-1)] {
		location := Response{Headers: b.fields}.Header("Location")
		if at, err := url.Parse(from); err == nil && location != "" && b.status >= 300 && b.status < 400 {
			if to, err := at.Parse(location); err == nil {
				from = to.String()
			}
		}
	}
	return from
}
