package files

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"mime"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/web"
)

//go:embed uri.go
var uriSource string

// URI asks a web service.
var URI = modules.Define("uri", uriSource+urlOptionsSource+attributesSource, runURI,
	modules.Aliases("ansible.builtin.uri", "ansible.legacy.uri"))

// BodyFormat is how a body is written.
type BodyFormat string

// Choices lists the forms.
func (BodyFormat) Choices() []string {
	return []string{"form-urlencoded", "json", "raw", "form-multipart"}
}

// FollowRedirects is which redirects are followed.
type FollowRedirects string

// Choices lists the policies.
func (FollowRedirects) Choices() []string {
	return []string{"all", "no", "none", "safe", "urllib2", "yes"}
}

// URIArgs let the host ask a web service, and fail when the answer's status is not one of those expected.
//
//	# Wait until the service answers.
//	- uri:
//	    url: https://localhost:8443/health
//	    return_content: true
//	  register: health
//	  until: health.status == 200
//	  retries: 30
type URIArgs struct {
	// URL begins with http:// or https://.
	URL string `arg:"url" required:"true"`
	// Method is GET, POST, PUT … in upper case.
	Method string `arg:"method" default:"GET"`
	// Body is what to send: text, or data that body_format writes.
	Body any `arg:"body" exclusive:"content"`
	// BodyFormat is how body is written; it sets the header Content-Type unless headers does.
	BodyFormat BodyFormat `arg:"body_format" default:"raw"`
	// Src is a file to send, on the controller beside the playbook or role, or on the host with remote_src.
	Src string `arg:"src" exclusive:"content"`
	// RemoteSrc says that src, and the files of a form, are on the host.
	RemoteSrc bool `arg:"remote_src"`
	// Dest is where to put what comes: a file, or a folder, in which it gets the name that the server or the URL tells.
	Dest modules.Path `arg:"dest"`
	// StatusCode are the statuses that are expected.
	StatusCode []int `arg:"status_code" default:"200"`
	// ReturnContent tells what came in content. JSON is read into json in any case.
	ReturnContent bool `arg:"return_content"`
	// FollowRedirects is which redirects are followed: safe those of GET and HEAD.
	FollowRedirects FollowRedirects `arg:"follow_redirects" default:"safe"`
	// Creates is a path; when it is there, nothing is asked.
	Creates modules.Path `arg:"creates"`
	// Removes is a path; when it is not there, nothing is asked.
	Removes modules.Path `arg:"removes"`
	// Timeout is after how many seconds without a byte to give up.
	Timeout int `arg:"timeout" default:"30"`
	// URLUsername is the user's name for the server.
	URLUsername string `arg:"url_username,alias=user"`
	// URLPassword is the password for the server.
	URLPassword secret.Text `arg:"url_password,alias=password"`
	// UnixSocket is a socket of the host to connect to; it needs curl there.
	UnixSocket modules.Path `arg:"unix_socket"`
	// CAPath is a file of the host with the certificates of those who may sign the server's.
	CAPath modules.Path `arg:"ca_path"`
	URLOptions
	Attributes
}

var methodWord = regexp.MustCompile(`^[A-Z]+$`)

// Check holds the rules over several arguments.
func (a URIArgs) Check() error {
	switch {
	case strings.HasPrefix(strings.ToLower(a.URL), "file:"):
		return &modules.ArgError{Path: []any{"url"}, Msg: "a file is no web service: " + a.URL}
	case !methodWord.MatchString(strings.ToUpper(a.Method)):
		return &modules.ArgError{Path: []any{"method"}, Msg: "Parameter 'method' needs to be a single word in uppercase, like GET or POST."}
	case a.Timeout < 1:
		return &modules.ArgError{Path: []any{"timeout"}, Msg: "timeout must be 1 second or more"}
	}
	return a.check(a.URL)
}

// URIResult is what was answered. Each header is a key too, in lower case and with _ for -.
type URIResult struct {
	*value.Dict
	// Changed says whether the file at dest, or its attributes, changed.
	Changed bool `json:"changed"`
	// Status is the server's status, -1 when there was no answer.
	Status *int `json:"status,omitempty"`
	// URL is the last one asked.
	URL string `json:"url,omitempty"`
	// Redirected says whether that is another than the argument.
	Redirected *bool `json:"redirected,omitempty"`
	// Msg is what the server said.
	Msg string `json:"msg,omitempty"`
	// Elapsed is how many seconds it took.
	Elapsed *int `json:"elapsed,omitempty"`
	// Cookies that were set, by their names.
	Cookies *value.Dict `json:"cookies,omitempty"`
	// CookiesString is the same as a later request's header Cookie.
	CookiesString *string `json:"cookies_string,omitempty"`
	// Location is where a redirect leads that was not followed, in full.
	Location string `json:"location,omitempty"`
	// Content is what came, with return_content.
	Content *string `json:"content,omitempty"`
	// JSON is what came, read.
	JSON any `json:"json,omitempty"`
	// Path is the file at dest.
	Path string `json:"path,omitempty"`
	// Stdout says why nothing was asked.
	Stdout string `json:"stdout,omitempty"`
	// Skipped says that nothing is asked in check mode.
	Skipped bool `json:"skipped,omitempty"`
	PathInfo
}

// uriLook: creates, removes, dest, end of the temporary file's name, force, statuses that are expected, with blanks around.
const uriLook = lookLib + intoLib + `
if [ -n "$1" ]; then expand "$1"; if [ -e "$expanded" ]; then say skip "skipped, since '$expanded' exists"; exit 0; fi; fi
if [ -n "$2" ]; then expand "$2"; if [ ! -e "$expanded" ]; then say skip "skipped, since '$expanded' does not exist"; exit 0; fi; fi
into= expected=$6
if [ -n "$3" ]; then
	expand "$3"; into=$expanded
	case $into in */*) dir=${into%/*} ;; *) dir=. ;; esac
	if [ -d "$into" ]; then dir=$into folder=1; say folder 1; fi
	say into "$into"
	look at "$into" -L
	if [ ! -d "${dir:-/}" ]; then say missing "$dir"; exit 0; fi
	if [ -f "$into" ] && [ -z "$5" ]; then since "$into"; fi
	into "${dir:-/}" "$4"
fi
[ -z "$5" ] || more='cache-control: no-cache'
`

// uriThen keeps what is for dest.
const uriThen = web.BodyScript + `
if [ "$rc" = 0 ] && [ -n "$into" ]; then
	case $expected in *" $status "*) keep=1; say new "$(sum sha1 "$out")" ;; esac
fi
`

func runURI(ctx context.Context, h *modules.Host, a URIArgs) (URIResult, error) {
	if h.Planning() {
		return URIResult{Skipped: true, Msg: "remote module (ansible.legacy.uri) does not support check mode"}, nil
	}
	method := strings.ToUpper(a.Method)
	req, err := a.request(method, a.URL, a.URLUsername, a.URLPassword)
	if err != nil {
		return URIResult{}, err
	}
	if err := a.setBody(ctx, h, &req); err != nil {
		return URIResult{}, err
	}
	req.Timeout, req.CA, req.UnixSocket, req.Redirects = a.Timeout, string(a.CAPath), string(a.UnixSocket), a.policy()
	var expected []string
	for _, code := range a.StatusCode {
		expected = append(expected, fmt.Sprint(code))
	}
	req.Look, req.Then = uriLook, uriThen
	req.LookArgs = []string{
		string(a.Creates), string(a.Removes), string(a.Dest), tempEnd(), given(a.Force, "1"), " " + strings.Join(expected, " ") + " ",
	}
	resp, err := web.Do(ctx, h, req)
	if err != nil {
		return URIResult{}, err
	}
	switch r := resp.Report; {
	case r.Has("skip"):
		return URIResult{Stdout: r.Text("skip")}, nil
	case r.Has("missing"):
		return URIResult{}, fmt.Errorf("Destination %s does not exist", r.Text("missing"))
	case r.Has("unwritable"):
		return URIResult{}, fmt.Errorf("Destination %s is not writable: %s", a.Dest, r.Text("unwritable"))
	}
	result := a.tell(req.URL, resp)
	if resp.Report.Has("at") && resp.Status > 0 {
		is, err := readInfo(resp.Report, "at", resp.Report.Text("into"))
		if err != nil {
			return result, err
		}
		if result.Path = is.path; is.exists {
			result.PathInfo = pathInfo(is)
		}
	}
	if resp.Large && (a.ReturnContent || maybeJSON(resp)) {
		err = fmt.Errorf("the answer of %s bytes is too long to be returned: give dest", resp.Report.Text("web.size"))
	}
	if !slices.Contains(a.StatusCode, resp.Status) {
		return result, fmt.Errorf("Status code was %d and not [%s]: %s", resp.Status, strings.Join(expected, ", "), resp.Msg)
	}
	if a.Dest == "" || !resp.OK() {
		return result, errors.Join(err, a.dropped(ctx, h, resp))
	}
	return a.save(ctx, h, resp, result)
}

// dropped removes what came for dest where the status, though expected, is none of success.
func (a URIArgs) dropped(ctx context.Context, h *modules.Host, resp web.Response) error {
	if !resp.Report.Has("new") {
		return nil
	}
	return discard(ctx, h, resp.Report.Text("out"))
}

func (a URIArgs) policy() web.Redirects {
	switch a.FollowRedirects {
	case "yes":
		return web.FollowAll
	case "no":
		return web.FollowNone
	}
	return web.Redirects(a.FollowRedirects)
}

// mediaType is an answer's type and its parameters; what cannot be read is text.
func mediaType(resp web.Response) (kind string, params map[string]string) {
	kind, params, err := mime.ParseMediaType(resp.Header("Content-Type"))
	if err != nil {
		return "text/plain", nil
	}
	return kind, params
}

func maybeJSON(resp web.Response) bool {
	kind, _ := mediaType(resp)
	_, sub, _ := strings.Cut(kind, "/")
	if _, suffix, ok := strings.Cut(sub, "+"); ok {
		sub = suffix
	}
	return sub == "json" || sub == "javascript"
}

// tell makes the result of an answer.
func (a URIArgs) tell(first string, resp web.Response) URIResult {
	elapsed, redirected := int(resp.Elapsed.Seconds()), resp.URL != first
	result := URIResult{
		Dict: value.NewDict(), Status: &resp.Status, URL: resp.URL, Redirected: &redirected, Msg: resp.Msg, Elapsed: &elapsed,
	}
	for _, f := range resp.Headers {
		result.Set(strings.ToLower(strings.ReplaceAll(f.Name, "-", "_")), resp.Header(f.Name))
	}
	if location := resp.Header("Location"); location != "" {
		result.Location = location
		if at, err := url.Parse(resp.URL); err == nil {
			if to, err := at.Parse(location); err == nil {
				result.Location = to.String()
			}
		}
	}
	if resp.OK() {
		var pairs []string
		result.Cookies = value.NewDict()
		for _, c := range resp.Cookies {
			result.Cookies.Set(c.Name, c.Value)
			pairs = append(pairs, c.Name+"="+c.Value)
		}
		text := strings.Join(pairs, "; ")
		result.CookiesString = &text
	}
	text := decoded(resp)
	if a.ReturnContent && !resp.Large {
		result.Content = &text
	}
	if maybeJSON(resp) {
		if v, err := value.DecodeJSON(text); err == nil {
			result.JSON = v
		}
	}
	return result
}

// decoded is the body as text.
func decoded(resp web.Response) string {
	_, params := mediaType(resp)
	switch strings.ToLower(params["charset"]) {
	case "iso-8859-1", "latin-1", "latin1":
		runes := make([]rune, len(resp.Body))
		for i, b := range resp.Body {
			runes[i] = rune(b)
		}
		return string(runes)
	}
	return modules.Clean(resp.Body)
}

// save brings what came to dest.
func (a URIArgs) save(ctx context.Context, h *modules.Host, resp web.Response, result URIResult) (URIResult, error) {
	temp := resp.Report.Text("out")
	d := &deployment{dest: string(a.Dest), attributes: a.Attributes, force: true}
	d.sha1, d.size = firstWord(resp.Report.Text("new")), int64(resp.Report.Int("web.size"))
	if resp.Report.Has("folder") {
		d.name = "index.html"
		if name := responseName(resp); name != "" {
			d.name = name
		}
	}
	before, after, err := modules.Reconcile(ctx, h, modules.Reconciler[target]{
		Probe: deployScript, Args: d.lookAt(), Parse: d.parse,
		Plan: func(t target) ([]modules.Action, error) {
			actions, _, err := d.plan(t, temp, "")
			return actions, err
		},
	})
	result.Path, result.PathInfo = after.at.path, pathInfo(after.at)
	written := !d.same(before)
	if err == nil {
		actions, _, planErr := d.plan(before, temp, "")
		result.Changed = planErr == nil && len(actions) > 0
	}
	if err != nil || !written {
		err = errors.Join(err, discard(ctx, h, temp))
	}
	return result, err
}

// responseName is the name that an answer has, or its URL.
func responseName(resp web.Response) string {
	if _, params, err := mime.ParseMediaType(resp.Header("Content-Disposition")); err == nil && base(params["filename"]) != "" {
		return base(params["filename"])
	}
	u, err := url.Parse(resp.URL)
	if err != nil || strings.Trim(u.Path, "/") == "" {
		return ""
	}
	return path.Base(strings.TrimRight(u.Path, "/"))
}
