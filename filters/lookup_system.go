package filters

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/internal/localexec"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

func number64(text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		return 0, fmt.Errorf("%q is no whole number", text)
	}
	return n, nil
}

// homeOf gives a user's home folder, the own one for ""; "" when it cannot be told.
func homeOf(name string) string {
	if name == "" {
		if home := os.Getenv("HOME"); home != "" {
			return home
		}
		u, err := user.Current()
		if err != nil {
			return ""
		}
		return u.HomeDir
	}
	u, err := user.Lookup(name)
	if err != nil {
		return ""
	}
	return u.HomeDir
}

func lookupEnv(r *request) ([]any, error) {
	terms, err := r.texts()
	if err != nil {
		return nil, err
	}
	var out []any
	for _, term := range terms {
		fields := strings.Fields(term)
		if len(fields) == 0 {
			return nil, errors.New("the name of the environment variable is empty")
		}
		if v, ok := os.LookupEnv(fields[0]); ok {
			out = append(out, v)
			continue
		}
		out = append(out, r.option("default", ""))
	}
	return out, nil
}

// shellOutput runs a command line on the controller, in the playbook's folder.
func (r *request) shellOutput(term string) (string, error) {
	dir, err := r.base()
	if err != nil {
		return "", err
	}
	out, err := localexec.Output(r.ctx, localexec.Program{Path: "/bin/sh", Args: []string{"-c", term}, Dir: dir, Limit: maxText})
	if exit, ok := errors.AsType[*localexec.ExitError](err); ok {
		return "", fmt.Errorf("lookup_plugin.%s(%s) returned %d: %s", shortName(r.Name), term, exit.Status, strings.TrimSpace(exit.Stderr))
	}
	return string(out), err
}

func lookupPipe(r *request) ([]any, error) {
	terms, err := r.texts()
	if err != nil {
		return nil, err
	}
	var out []any
	for _, term := range terms {
		text, err := r.shellOutput(term)
		if err != nil {
			return nil, err
		}
		out = append(out, strings.TrimRightFunc(text, pythonSpace))
	}
	return out, nil
}

func lookupLines(r *request) ([]any, error) {
	terms, err := r.texts()
	if err != nil {
		return nil, err
	}
	var out []any
	for _, term := range terms {
		text, err := r.shellOutput(term)
		if err != nil {
			return nil, err
		}
		for _, line := range lines(text) {
			out = append(out, line)
		}
	}
	return out, nil
}

// lines splits at line ends; a last one makes no further line.
func lines(text string) []string {
	if text == "" {
		return nil
	}
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

func lookupVars(r *request) ([]any, error) {
	if err := r.only("default"); err != nil {
		return nil, err
	}
	var out []any
	for _, term := range r.Terms {
		name, ok := term.(string)
		if !ok {
			return nil, fmt.Errorf(`Invalid setting identifier, "%s" is not a string, its a %s`, shown(term), value.TypeName(term))
		}
		v, found, err := r.scope.Lookup(r.ctx, name)
		if err != nil {
			return nil, err
		}
		u, undefined := v.(*jinja.Undefined)
		if found && !undefined {
			out = append(out, value.DeepCopy(v)) // a template may alter it
			continue
		}
		fallback, ok := r.Options.Get("default")
		switch {
		case ok && fallback != nil:
			out = append(out, fallback)
		case undefined:
			return nil, u.Use()
		default:
			return nil, fmt.Errorf("No variable found with this name: %s", name)
		}
	}
	return out, nil
}

func lookupVarNames(r *request) ([]any, error) {
	scope, ok := r.scope.(interface{ Names() []string })
	if !ok {
		return nil, errors.New("no variables available to search")
	}
	terms, err := r.texts()
	if err != nil {
		return nil, err
	}
	var out []any
	for _, term := range terms {
		re, err := shared.compile(term, false, false)
		if err != nil {
			return nil, fmt.Errorf(`Unable to use "%s" as a search parameter: %w`, term, err)
		}
		for _, name := range scope.Names() {
			found, err := re.Contains(name)
			if err != nil {
				return nil, err
			}
			if found {
				out = append(out, name)
			}
		}
	}
	return out, nil
}

func lookupHostnames(r *request) ([]any, error) {
	if r.l.o.Hosts == nil {
		return nil, errors.New("there is no inventory here")
	}
	patterns, err := (&request{Query: Query{Terms: spread(r.Terms)}}).texts()
	if err != nil {
		return nil, err
	}
	names, err := r.l.o.Hosts(patterns)
	if err != nil {
		return nil, err
	}
	out := make([]any, len(names))
	for i, n := range names {
		out[i] = n
	}
	return out, nil
}

// inline reads the older form of some lookups' terms: a key and name=value pairs, which go over the options.
func (r *request) inline(term string, names ...string) (key string, options *value.Dict, err error) {
	options = value.NewDict()
	options.Update(r.Options)
	var words []string
	for word := range strings.FieldsSeq(term) {
		name, v, isPair := strings.Cut(word, "=")
		if !isPair {
			words = append(words, word)
			continue
		}
		known := false
		for _, n := range names {
			known = known || n == name
		}
		if !known {
			return "", nil, fmt.Errorf("%s is not a valid option", name)
		}
		options.Set(name, v)
	}
	if len(words) == 0 {
		return "", nil, errors.New("Search key is required but was not found")
	}
	return strings.Join(words, " "), options, nil
}

// maxBody bounds what the url lookup reads.
const maxBody = 64 << 20

func lookupURL(r *request) ([]any, error) {
	if err := r.only("validate_certs", "split_lines", "use_proxy", "username", "password", "headers", "force", "timeout",
		"http_agent", "force_basic_auth", "follow_redirects", "ca_path", "unredirected_headers", "use_netrc"); err != nil {
		return nil, err
	}
	terms, err := r.texts()
	if err != nil {
		return nil, err
	}
	client, err := r.httpClient()
	if err != nil {
		return nil, err
	}
	split, err := r.truthOption("split_lines", true)
	if err != nil {
		return nil, err
	}
	var out []any
	for _, term := range terms {
		body, err := r.fetch(client, term)
		if err != nil {
			return nil, err
		}
		if !split {
			out = append(out, body)
			continue
		}
		for _, line := range lines(body) {
			out = append(out, line)
		}
	}
	return out, nil
}

func (r *request) httpClient() (*http.Client, error) {
	seconds := 10.0
	switch v := r.option("timeout", 10).(type) {
	case int:
		seconds = float64(v)
	case float64:
		seconds = v
	}
	verify, err := r.truthOption("validate_certs", true)
	if err != nil {
		return nil, err
	}
	proxy, err := r.truthOption("use_proxy", true)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: !verify}, DisableKeepAlives: true} //nolint:gosec // the user's explicit wish
	if proxy {
		transport.Proxy = http.ProxyFromEnvironment
	}
	ca, err := r.textOption("ca_path", "")
	if err != nil {
		return nil, err
	}
	if ca != "" {
		pem, err := os.ReadFile(expandUser(ca))
		if err != nil {
			return nil, fmt.Errorf("read the certificates: %w", err)
		}
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", ca)
		}
	}
	client := &http.Client{Transport: transport, Timeout: time.Duration(seconds * float64(time.Second))}
	redirects, err := r.textOption("follow_redirects", "urllib2")
	if err != nil {
		return nil, err
	}
	if b, ok := asBool(redirects); redirects == "none" || ok && !b {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return client, nil
}

func (r *request) fetch(client *http.Client, url string) (string, error) {
	req, err := http.NewRequestWithContext(r.ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", fmt.Errorf("Failed lookup url for %s : %w", url, err)
	}
	agent, err := r.textOption("http_agent", "ansible-httpget")
	if err != nil {
		return "", err
	}
	req.Header.Set("User-Agent", agent)
	if headers, ok := r.option("headers", nil).(*value.Dict); ok {
		for k, v := range headers.All() {
			req.Header.Set(shown(k), shown(v))
		}
	}
	name, err := r.textOption("username", "")
	if err != nil {
		return "", err
	}
	if name != "" {
		word, err := r.textOption("password", "")
		if err != nil {
			return "", err
		}
		req.SetBasicAuth(name, word)
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("Failed lookup url for %s : %w", url, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return "", fmt.Errorf("Received HTTP error for %s : HTTP Error %s", url, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return "", fmt.Errorf("Failed lookup url for %s : %w", url, err)
	}
	if len(body) > maxBody {
		return "", fmt.Errorf("the answer of %s is longer than %d bytes", url, maxBody)
	}
	return string(body), nil
}
