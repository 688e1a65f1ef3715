package files

import (
	_ "embed"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/web"
)

//go:embed url_options.go
var urlOptionsSource string

// URLOptions are how a host asks a server; get_url and uri take them. The host does it by curl or, where there is none, by its wget.
// What that cannot do, or not without showing a secret to everybody on the host, is an error.
type URLOptions struct {
	// Force asks for what is new, past all caches.
	Force bool `arg:"force"`
	// HTTPAgent is what the host says that it is.
	HTTPAgent string `arg:"http_agent" default:"ansible-httpget"`
	// UseProxy heeds the host's variables for proxies, such as https_proxy.
	UseProxy bool `arg:"use_proxy" default:"yes"`
	// ValidateCerts verifies the server's certificate.
	ValidateCerts bool `arg:"validate_certs" default:"yes"`
	// ForceBasicAuth sends the password with the first request, not only when the server asks for it.
	ForceBasicAuth bool `arg:"force_basic_auth"`
	// ClientCert is a file of the host with the host's own certificate, in PEM.
	ClientCert modules.Path `arg:"client_cert"`
	// ClientKey is a file of the host with the key to client_cert, where that does not hold it.
	ClientKey modules.Path `arg:"client_key"`
	// UseGSSAPI is Kerberos, which is refused.
	UseGSSAPI bool `arg:"use_gssapi"`
	// Headers are further headers. They may hold secrets: they reach the host's tool by a file that only the user may read.
	Headers *value.Dict `arg:"headers"`
	// UnredirectedHeaders are names of headers that only the first server gets.
	UnredirectedHeaders []string `arg:"unredirected_headers"`
	// Decompress unpacks what comes packed by gzip.
	Decompress bool `arg:"decompress" default:"yes"`
	// Ciphers are names of ciphers in OpenSSL's form, for curl.
	Ciphers []string `arg:"ciphers"`
	// UseNetrc asks the user's .netrc on the host when no url_username is given. Busybox's wget knows no such file.
	UseNetrc bool `arg:"use_netrc" default:"yes"`
}

// intoLib are shell functions for the look before a request.
//
//	since FILE       asks for what is newer than the file
//	into DIR SUFFIX  downloads to a new file in the folder; one where none can be made is told of and ends the look
const intoLib = `
since() { more="If-Modified-Since: $(date -u -d "@$(stat -L -c %Y -- "$1")" '+%a, %d %b %Y %H:%M:%S GMT')"; }
into() {
	out=${1%/}/.hostler.$2
	if ! err=$( (umask 077; set -C; : >"$out") 2>&1); then say unwritable "${err##*: }"; exit 0; fi
	say out "$out"
}
`

// tempEnd ends the name of a temporary file.
func tempEnd() string { return strings.TrimPrefix(tempBeside("/"), "/.hostler.") }

// check refuses what cannot be done, before any host is contacted.
func (o URLOptions) check(target string) error {
	if o.UseGSSAPI {
		return &modules.ArgError{Path: []any{"use_gssapi"}, Msg: "use_gssapi: yes is not supported: hosts are asked for nothing by Kerberos"}
	}
	return checkURL("url", target)
}

// checkURL refuses a URL of another kind than those that are fetched.
func checkURL(arg, target string) error {
	if urlScheme.MatchString(target) {
		return nil
	}
	return &modules.ArgError{Path: []any{arg}, Msg: fmt.Sprintf("unknown url type: %q", redacted(target)), Hint: "it begins with http://, https:// or file://"}
}

// usualRequest is a request of a module that takes no more about it than whether to verify certificates.
func usualRequest(target string, verify bool) (web.Request, error) {
	o := URLOptions{HTTPAgent: "ansible-httpget", UseProxy: true, ValidateCerts: verify, Decompress: true, UseNetrc: true}
	req, err := o.request("GET", target, "", secret.Text{})
	req.Timeout = 10
	return req, err
}

var urlScheme = regexp.MustCompile(`(?i)^(https?|file)://`)

// redacted is a URL without its password.
func redacted(target string) string {
	if u, err := url.Parse(target); err == nil {
		return u.Redacted()
	}
	return target
}

// request makes a request; a user's name in the URL counts where none is given.
func (o URLOptions) request(method, target, user string, password secret.Text) (web.Request, error) {
	req := web.Request{
		Method: method, URL: target, Agent: o.HTTPAgent, Username: user, Password: password.Reveal(), Basic: o.ForceBasicAuth,
		Netrc: o.UseNetrc, Proxy: o.UseProxy, Verify: o.ValidateCerts, Cert: string(o.ClientCert), Key: string(o.ClientKey),
		Ciphers: o.Ciphers, Redirects: web.FollowUsual, Unredirected: o.UnredirectedHeaders, Decompress: o.Decompress,
		Why: method + " " + redacted(target),
	}
	u, err := url.Parse(target)
	if err != nil {
		return req, fmt.Errorf("the URL cannot be read: %w", err)
	}
	if u.User != nil {
		if user == "" {
			req.Username = u.User.Username()
			req.Password, _ = u.User.Password()
		}
		u.User = nil
		req.URL = u.String()
	}
	if o.Headers == nil {
		return req, nil
	}
	for k, v := range o.Headers.All() {
		name, err := value.Str(k)
		if err != nil {
			return req, fmt.Errorf("header %v: %w", k, err)
		}
		text, err := value.Str(v)
		if err != nil {
			return req, fmt.Errorf("header %s: %w", name, err)
		}
		req.Headers = append(req.Headers, web.Field{Name: name, Value: text})
	}
	return req, nil
}

// status is a status for a result: nothing for files, which have none.
func status(r web.Response) *int {
	if r.Status == 0 {
		return nil
	}
	return &r.Status
}

// fileName is the name that a URL's path ends in.
func fileName(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return ""
	}
	return u.EscapedPath()[strings.LastIndexByte(u.EscapedPath(), '/')+1:]
}
