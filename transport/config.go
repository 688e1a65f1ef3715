package transport

import (
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sshSettings is everything needed to reach one endpoint over SSH: what the endpoint says, then its
// ssh(1) arguments, then the user's and the system's ssh_config, in ssh's order.
type sshSettings struct {
	name       string // how messages call the host
	original   string // what the endpoint names: %n
	host       string
	port       int
	user       string
	family     string // "tcp", "tcp4", "tcp6"
	bind       string // local address; "" is any
	configFile string // -F, for jump hosts too

	connectTimeout time.Duration
	attempts       int
	aliveInterval  time.Duration
	aliveCount     int

	identityFiles    []string // named by somebody: offered even under IdentitiesOnly
	defaultKeys      []string // ssh's own, where none is named
	certificateFiles []string
	identityAgent    string // socket; "" is none
	identitiesOnly   bool
	forwardAgent     bool
	methods          []string // in order of preference

	checking     string // "strict", "accept-new", "off"
	userKnown    []string
	globalKnown  []string
	hostKeyAlias string
	hashKnown    bool

	jump         string // ProxyJump; "" is none
	proxyCommand string // "" is none
}

// knownName is what known_hosts calls the host.
func (s *sshSettings) knownName() string {
	if s.hostKeyAlias != "" {
		return net.JoinHostPort(s.hostKeyAlias, "22") // an alias stands without a port
	}
	return net.JoinHostPort(s.host, strconv.Itoa(s.port))
}

// localSide is the controller as ssh_config sees it.
type localSide struct {
	home     string
	user     string
	hostname string
	getenv   func(string) string
	system   string // the system-wide file
}

func newLocalSide() localSide {
	l := localSide{getenv: os.Getenv, system: "/etc/ssh/ssh_config"}
	l.home, _ = os.UserHomeDir()
	if u, err := user.Current(); err == nil {
		l.user = u.Username
		if l.home == "" {
			l.home = u.HomeDir
		}
	}
	l.hostname, _ = os.Hostname()
	return l
}

// configReader turns endpoints into settings. It keeps parsed files, so that a thousand hosts read them once.
type configReader struct {
	local localSide
	files fileCache
}

// settings resolves an endpoint. It contacts nothing, but a `Match exec` in the user's files runs its program.
func (r *configReader) settings(e Endpoint) (*sshSettings, error) {
	given := newOptionSet()
	host, hostUser, hostPort, err := splitDestination(e.Host)
	if err != nil {
		return nil, err
	}
	if e.Port != 0 {
		given.set("port", strconv.Itoa(e.Port))
	}
	if e.User != "" {
		given.set("user", e.User)
	}
	for _, f := range e.KeyFiles {
		given.add("identityfile", f)
	}
	if e.ConnectTimeout > 0 {
		given.set("connecttimeout", e.ConnectTimeout.String())
	}
	args, err := parseSSHArgs(e.Args)
	if err != nil {
		return nil, err
	}
	given.merge(args.options)
	if hostUser != "" {
		given.set("user", hostUser)
	}
	if hostPort != "" {
		given.set("port", hostPort)
	}
	m := &matcher{reader: r, options: given, original: host, host: host}
	if err := m.readAll(args.configFile); err != nil {
		return nil, err
	}
	s, err := m.finish()
	if err != nil {
		return nil, err
	}
	s.configFile = args.configFile
	s.name = e.Name
	if s.name == "" {
		s.name = e.Host
	}
	if err := applyHostKeyMode(s, e); err != nil {
		return nil, err
	}
	s.attempts += e.Retries
	return s, nil
}

// applyHostKeyMode lets what the endpoint says about host keys win over ssh_config.
func applyHostKeyMode(s *sshSettings, e Endpoint) error {
	switch e.HostKeys {
	case "":
	case "strict", "accept-new", "off":
		s.checking = e.HostKeys
	default:
		return fmt.Errorf("host key mode %q: want strict, accept-new or off", e.HostKeys)
	}
	if len(e.KnownHosts) > 0 {
		s.userKnown, s.globalKnown = slices.Clone(e.KnownHosts), nil
	}
	return nil
}

// splitDestination takes [user@]host and ssh://[user@]host[:port] apart.
func splitDestination(dest string) (host, user, port string, err error) {
	rest, isURI := strings.CutPrefix(dest, "ssh://")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		user, rest = rest[:at], rest[at+1:]
	}
	host = strings.TrimSuffix(rest, "/")
	if isURI {
		host, port = splitHostPort(host)
	} else if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	}
	if host == "" || strings.HasPrefix(host, "-") {
		return "", "", "", fmt.Errorf("host %q: not a name or an address", dest)
	}
	return host, user, port, nil
}

// splitHostPort is net.SplitHostPort where the port may be missing and IPv6 stands in brackets.
func splitHostPort(s string) (host, port string) {
	if h, p, err := net.SplitHostPort(s); err == nil {
		return h, p
	}
	return strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"), ""
}

// finish reads the settings out of the options gathered.
func (m *matcher) finish() (*sshSettings, error) {
	o := m.options
	s := &sshSettings{original: m.original, host: m.host, family: "tcp", bind: o.get("bindaddress")}
	var err error
	if s.port, err = o.number("port", 22, 1, 65535); err != nil {
		return nil, err
	}
	if s.user = o.get("user"); s.user == "" {
		s.user = m.reader.local.user
	}
	m.settled = s
	switch strings.ToLower(o.get("addressfamily")) {
	case "inet":
		s.family = "tcp4"
	case "inet6":
		s.family = "tcp6"
	}
	if s.connectTimeout, err = o.interval("connecttimeout", 10*time.Second); err != nil {
		return nil, err
	}
	if s.attempts, err = o.number("connectionattempts", 1, 1, 1000); err != nil {
		return nil, err
	}
	if s.aliveInterval, err = o.interval("serveraliveinterval", 15*time.Second); err != nil {
		return nil, err
	}
	if s.aliveCount, err = o.number("serveralivecountmax", 3, 1, 1<<20); err != nil {
		return nil, err
	}
	s.identitiesOnly = o.yes("identitiesonly", false)
	s.hashKnown = o.yes("hashknownhosts", false)
	s.methods = m.methods()
	if err := m.finishFiles(s); err != nil {
		return nil, err
	}
	if err := m.finishHostKeys(s); err != nil {
		return nil, err
	}
	return s, m.finishProxy(s)
}

// methods is the authentication methods in order; disabled ones are left out.
func (m *matcher) methods() []string {
	order := []string{"publickey", "keyboard-interactive", "password"}
	if p := m.options.get("preferredauthentications"); p != "" {
		order = strings.Split(p, ",")
	}
	off := map[string]bool{
		"publickey":            strings.EqualFold(m.options.get("pubkeyauthentication"), "no"),
		"password":             !m.options.yes("passwordauthentication", true),
		"keyboard-interactive": !m.options.yes("kbdinteractiveauthentication", true),
	}
	return slices.DeleteFunc(slices.Clone(order), func(method string) bool { return off[method] })
}

// defaultIdentities are ssh's own key files, in its order.
var defaultIdentities = [...]string{"id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk"}

func (m *matcher) finishFiles(s *sshSettings) error {
	local := m.reader.local
	for _, raw := range m.options.all("identityfile") {
		if strings.EqualFold(raw, "none") {
			continue
		}
		path, err := m.path(raw)
		if err != nil {
			return err
		}
		s.identityFiles = append(s.identityFiles, path)
	}
	if len(m.options.all("identityfile")) == 0 {
		for _, name := range defaultIdentities {
			s.defaultKeys = append(s.defaultKeys, filepath.Join(local.home, ".ssh", name))
		}
	}
	for _, raw := range m.options.all("certificatefile") {
		path, err := m.path(raw)
		if err != nil {
			return err
		}
		s.certificateFiles = append(s.certificateFiles, path)
	}
	agent := m.options.get("identityagent")
	switch {
	case agent == "" || agent == "SSH_AUTH_SOCK":
		s.identityAgent = local.getenv("SSH_AUTH_SOCK")
	case strings.EqualFold(agent, "none"):
	case strings.HasPrefix(agent, "$") && !strings.HasPrefix(agent, "${"):
		s.identityAgent = local.getenv(agent[1:])
	default:
		path, err := m.path(agent)
		if err != nil {
			return err
		}
		s.identityAgent = path
	}
	forward := m.options.get("forwardagent")
	s.forwardAgent = forward != "" && !strings.EqualFold(forward, "no")
	return nil
}

func (m *matcher) finishHostKeys(s *sshSettings) error {
	switch v := strings.ToLower(m.options.get("stricthostkeychecking")); v {
	case "", "ask", "yes", "true":
		s.checking = "strict" // nobody can be asked in the middle of a run
	case "accept-new":
		s.checking = v
	case "no", "off", "false":
		s.checking = "off"
	default:
		return fmt.Errorf("StrictHostKeyChecking %q: want yes, accept-new, ask or no", v)
	}
	s.hostKeyAlias = m.options.get("hostkeyalias")
	var err error
	s.userKnown, err = m.paths("userknownhostsfile", "~/.ssh/known_hosts", "~/.ssh/known_hosts2")
	if err != nil {
		return err
	}
	s.globalKnown, err = m.paths("globalknownhostsfile", "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
	return err
}

func (m *matcher) finishProxy(s *sshSettings) error {
	// As in ssh, whichever of the two is set first excludes the other.
	first := m.options.firstOf("proxyjump", "proxycommand")
	switch v := m.options.get(first); {
	case v == "" || strings.EqualFold(v, "none"):
	case first == "proxyjump":
		jump, err := m.expand(v, "")
		if err != nil {
			return err
		}
		s.jump = jump
	default:
		command, err := m.expand(v, "%hnpr")
		if err != nil {
			return err
		}
		s.proxyCommand = command
	}
	return nil
}

// paths expands a list of files; "none" is none at all.
func (m *matcher) paths(key string, fallback ...string) ([]string, error) {
	raw := m.options.all(key)
	if len(raw) == 0 {
		raw = fallback
	}
	var out []string
	for _, f := range raw {
		if strings.EqualFold(f, "none") {
			return nil, nil
		}
		path, err := m.path(f)
		if err != nil {
			return nil, err
		}
		out = append(out, path)
	}
	return out, nil
}
