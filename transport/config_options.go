package transport

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// optionSet holds ssh options by lower-case name: the first value of each wins, and a few gather.
type optionSet struct {
	values map[string][]string
	order  []string
}

func newOptionSet() *optionSet { return &optionSet{values: map[string][]string{}} }

// set keeps the first value.
func (o *optionSet) set(key string, values ...string) {
	if _, ok := o.values[key]; ok {
		return
	}
	o.values[key] = values
	o.order = append(o.order, key)
}

// add gathers values, each once.
func (o *optionSet) add(key, value string) {
	if _, ok := o.values[key]; !ok {
		o.order = append(o.order, key)
	}
	if !slices.Contains(o.values[key], value) {
		o.values[key] = append(o.values[key], value)
	}
}

// put sets or adds, as the option wants it.
func (o *optionSet) put(key string, values []string) {
	switch key {
	case "identityfile", "certificatefile":
		for _, v := range values {
			o.add(key, v)
		}
	default:
		o.set(key, values...)
	}
}

func (o *optionSet) merge(other *optionSet) {
	for _, key := range other.order {
		o.put(key, other.values[key])
	}
}

func (o *optionSet) all(key string) []string { return o.values[key] }

func (o *optionSet) get(key string) string {
	if v := o.values[key]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// firstOf is the key that was set first, or "".
func (o *optionSet) firstOf(keys ...string) string {
	for _, key := range o.order {
		if slices.Contains(keys, key) {
			return key
		}
	}
	return ""
}

func (o *optionSet) yes(key string, fallback bool) bool {
	switch strings.ToLower(o.get(key)) {
	case "yes", "true":
		return true
	case "no", "false":
		return false
	default:
		return fallback
	}
}

func (o *optionSet) number(key string, fallback, low, high int) (int, error) {
	v := o.get(key)
	if v == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("%s %q: want a number from %d to %d", key, v, low, high)
	}
	return n, nil
}

// interval reads a time as sshd_config(5) writes it: seconds, or a sequence such as 1h30m.
func (o *optionSet) interval(key string, fallback time.Duration) (time.Duration, error) {
	v := o.get(key)
	if v == "" || strings.EqualFold(v, "none") {
		return fallback, nil
	}
	d, err := parseInterval(v)
	if err != nil {
		return 0, fmt.Errorf("%s %q: want seconds or a time such as 1m30s", key, v)
	}
	return d, nil
}

func parseInterval(v string) (time.Duration, error) {
	if n, err := strconv.Atoi(v); err == nil && n >= 0 {
		return time.Duration(n) * time.Second, nil
	}
	if d, err := time.ParseDuration(strings.ToLower(v)); err == nil && d >= 0 {
		return d, nil
	}
	var total time.Duration
	number := ""
	units := map[rune]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	for _, r := range strings.ToLower(v) + "s" {
		if r >= '0' && r <= '9' {
			number += string(r)
			continue
		}
		unit, ok := units[r]
		n, err := strconv.Atoi(number)
		if number == "" && r == 's' {
			continue // the one that stands for a number without a unit at the end
		}
		if !ok || err != nil {
			return 0, fmt.Errorf("time %q", v)
		}
		total += time.Duration(n) * unit
		number = ""
	}
	return total, nil
}

// ignoredOptions are ssh_config's options that change nothing for a program that runs commands: they
// are accepted, because users' files and arguments are full of them.
const ignoredOptions = ` addkeystoagent batchmode bindinterface canonicaldomains canonicalizefallbacklocal
canonicalizehostname canonicalizemaxdots canonicalizepermittedcnames casignaturealgorithms challengeresponseauthentication
channeltimeout checkhostip cipher ciphers clearallforwardings compression compressionlevel controlmaster controlpath
controlpersist dsaauthentication dynamicforward enableescapecommandline enablesshkeysign escapechar exitonforwardfailure
fingerprinthash forkafterauthentication forwardx11 forwardx11timeout forwardx11trusted gatewayports
gssapiauthentication gssapidelegatecredentials gssapiclientidentity gssapikeyexchange gssapikexalgorithms gssapirenewalforcesrekey
gssapiserveridentity gssapitrustdns hostbasedacceptedalgorithms hostbasedauthentication hostbasedkeytypes
hostkeyalgorithms ignoreunknown ipqos kbdinteractivedevices kexalgorithms knownhostscommand localcommand localforward
logingracetime loglevel logverbose macs nohostauthenticationforlocalhost numberofpasswordprompts obscurekeystroketiming permitlocalcommand
permitremoteopen pkcs11provider protocol proxyusefdpass pubkeyacceptedalgorithms pubkeyacceptedkeytypes
refuseconnection rekeylimit remotecommand remoteforward requesttty requiredrsasize revokedhostkeys rhostsrsaauthentication rsaauthentication
securitykeyprovider sendenv sessiontype setenv smartcarddevice stdinnull streamlocalbindmask streamlocalbindunlink
syslogfacility tag tcpkeepalive tunnel tunneldevice updatehostkeys useprivilegedport userroaming usekeychain useroaming
verifyhostkeydns versionaddendum visualhostkey warnweakcrypto xauthlocation skeyauthentication `

// usedOptions are those that settings are made of.
const usedOptions = ` host match include hostname user port identityfile identityagent identitiesonly certificatefile proxyjump
proxycommand userknownhostsfile globalknownhostsfile stricthostkeychecking connecttimeout connectionattempts
serveraliveinterval serveralivecountmax hostkeyalias preferredauthentications passwordauthentication
pubkeyauthentication kbdinteractiveauthentication addressfamily bindaddress forwardagent hashknownhosts `

// canonicalOption gives an option's name in lower case, old names turned into today's. known is
// whether ssh has such an option.
func canonicalOption(name string) (key string, known bool) {
	key = strings.ToLower(name)
	switch key {
	case "challengeresponseauthentication", "skeyauthentication", "tisauthentication":
		key = "kbdinteractiveauthentication"
	case "dsaauthentication", "rsaauthentication":
	case "identityfile2":
		key = "identityfile"
	case "userknownhostsfile2":
		key = "userknownhostsfile"
	case "globalknownhostsfile2":
		key = "globalknownhostsfile"
	}
	return key, slices.Contains(strings.Fields(usedOptions), key) || slices.Contains(strings.Fields(ignoredOptions), key)
}
