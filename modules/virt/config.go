package virt

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed config.go
var configSource string

// Config sees to libvirt's configuration files.
var Config = modules.Define("libvirt_config", configSource, runConfig, modules.Converges())

// ConfigArgs set keys in a configuration file of libvirt's. Only lines of these keys are written; comments and samples stay, and a new key goes
// below its sample. The daemon that reads the file is restarted when it runs, which guests do not notice; when it does not come up with the new
// file, the old one is put back. Settings whose name ends in password keep the result out of every output.
//
//	# Locks against a second start of the same guest, and screens on the management network only.
//	- libvirt_config:
//	    file: qemu
//	    settings:
//	      lock_manager: lockd
//	      vnc_listen: 10.0.0.11
//	# Guests are shut down with the host, and get five minutes for it.
//	- libvirt_config:
//	    file: libvirt-guests
//	    settings:
//	      ON_SHUTDOWN: shutdown
//	      SHUTDOWN_TIMEOUT: 300
type ConfigArgs struct {
	// File to change: the name without .conf in /etc/libvirt; libvirt-guests is what the host's shutdown does about guests.
	File ConfigFile `arg:"file" required:"true"`
	// Settings by key: text, numbers, truth values (1 and 0), lists; null comments the key out.
	Settings *value.Dict `arg:"settings" required:"true"`
	// Restart is whether the daemon that reads the file is restarted: if_needed when something changed and it runs. virtlogd and virtlockd are
	// reloaded instead, since guests hang on them; libvirt-guests is left alone, since its restart would shut guests down.
	Restart Restart `arg:"restart" default:"if_needed"`
	// AcceptInsecure takes what lays the host open: security_driver none, user or group root, a network port that asks nobody for a password.
	AcceptInsecure bool `arg:"accept_insecure"`
}

// ConfigFile is one of libvirt's files.
type ConfigFile string

// configGuests is the file of the service libvirt-guests, which is the shell's and lies elsewhere.
const configGuests ConfigFile = "libvirt-guests"

// Choices lists the files. There is no storage.conf: the storage driver's file is that of its daemon.
func (ConfigFile) Choices() []string {
	return []string{
		"qemu", "libvirtd", "virtqemud", "network", "qemu-lockd", "virtlogd", "virtlockd", "libvirt-guests", "lxc", "virtnetworkd", "virtstoraged",
		"virtproxyd",
	}
}

// daemons are those that read a file, the one of modular daemons first.
func (f ConfigFile) daemons() []string {
	switch f {
	case "qemu", "qemu-lockd":
		return []string{"virtqemud", "libvirtd"}
	case "network":
		return []string{"virtnetworkd", "libvirtd"}
	case "lxc":
		return []string{"virtlxcd", "libvirtd"}
	}
	return []string{string(f)}
}

// path of a file, that of libvirt-guests when it is known.
func (f ConfigFile) path() string {
	if f == configGuests {
		return ""
	}
	return "/etc/libvirt/" + string(f) + ".conf"
}

// verb is what a daemon is told so that it reads its file again.
func (f ConfigFile) verb() string {
	if f == "virtlogd" || f == "virtlockd" {
		return "reload"
	}
	return "restart"
}

// syntax of a file.
func (f ConfigFile) syntax() confSyntax {
	if f == configGuests {
		return shellSyntax()
	}
	return libvirtSyntax()
}

// Restart is whether a daemon is restarted.
type Restart string

// Choices lists what can be done.
func (Restart) Choices() []string { return []string{"if_needed", "never", "always"} }

// ConfigResult tells of the file.
type ConfigResult struct {
	// Path of the file.
	Path string `json:"path"`
	// Restarted lists the daemons that were told to read it again.
	Restarted []string `json:"restarted,omitempty"`
}

// Check refuses what makes no sense, and what makes every guest root.
func (a ConfigArgs) Check() error {
	if a.File == configGuests && a.Restart == "always" {
		return &modules.ArgError{Path: []any{"restart"}, Msg: "restart: always would shut all guests down: libvirt-guests reads its file when the host goes down"}
	}
	for k, v := range a.Settings.All() {
		key := fmt.Sprint(k)
		if err := a.checkSetting(key, v); err != nil {
			return &modules.ArgError{Path: []any{"settings", k}, Msg: fmt.Sprintf("settings.%s %v", key, err)}
		}
	}
	return nil
}

func (a ConfigArgs) checkSetting(key string, given any) error {
	if !isConfKey(key) {
		return errors.New("is no name of a setting")
	}
	val, err := confValue(given)
	if err != nil {
		return err
	}
	if a.File == configGuests {
		return checkGuestSetting(key, val)
	}
	if _, number := val.(int64); number && strings.HasSuffix(key, "_perms") {
		return errors.New("must be text in quotes: YAML reads 0770 as another number")
	}
	if a.AcceptInsecure {
		return nil
	}
	list, _ := val.([]any)
	switch {
	case key == "security_driver" && (val == "none" || slices.Contains(list, any("none"))):
		return errors.New("none takes the walls between guests and host away: say accept_insecure: true")
	case (key == "user" || key == "group") && (val == "root" || val == "+0" || val == "0" || val == int64(0)):
		return errors.New("root lets a guest that breaks out own the host: say accept_insecure: true")
	case (key == "auth_tcp" || key == "auth_tls" && a.unverified()) && val == "none":
		return errors.New("none lets everybody who reaches the port own the host: say accept_insecure: true")
	}
	return nil
}

// unverified reports whether the settings let clients of the TLS port in without a certificate.
func (a ConfigArgs) unverified() bool {
	v, _ := a.Settings.Get("tls_no_verify_certificate")
	val, err := confValue(v)
	return err == nil && (val == int64(1) || val == "1")
}

// guestSettings are those of libvirt-guests with the words that they may be; those without take numbers or, nil, anything. The script for
// OpenRC has names of its own; init "" is both.
func guestSettings(init string) map[string][]string {
	openrc := map[string][]string{
		"LIBVIRT_URIS": nil, "LIBVIRT_SHUTDOWN": {"managedsave", "shutdown", "destroy"}, "LIBVIRT_MAXWAIT": {}, "LIBVIRT_NET_SHUTDOWN": nil,
	}
	if init == "openrc" {
		return openrc
	}
	all := map[string][]string{
		"URIS": nil, "ON_BOOT": {"start", "ignore"}, "START_DELAY": {}, "ON_SHUTDOWN": {"suspend", "shutdown"}, "PARALLEL_SHUTDOWN": {},
		"SHUTDOWN_TIMEOUT": {}, "BYPASS_CACHE": {}, "SYNC_TIME": {},
	}
	if init == "" {
		maps.Copy(all, openrc)
	}
	return all
}

// checkGuestSetting refuses values that the script would stumble over when the host goes down, where nobody sees it.
func checkGuestSetting(key string, val any) error {
	if _, ok := val.([]any); ok {
		return errors.New("must be text or a number")
	}
	words, known := guestSettings("")[key]
	text := confText(val)
	switch {
	case val == nil || !known || words == nil:
	case len(words) > 0 && !slices.Contains(words, text):
		return fmt.Errorf("must be one of %s, not %s", strings.Join(words, ", "), text)
	case len(words) == 0 && strings.Trim(text, "0123456789") != "":
		return fmt.Errorf("must be a number, not %s", text)
	}
	return nil
}

func runConfig(ctx context.Context, h *modules.Host, a ConfigArgs) (ConfigResult, error) {
	return setConfig(ctx, h, a, false)
}

// setConfig is runConfig; quiet warns of nothing, for one who knows what is set.
func setConfig(ctx context.Context, h *modules.Host, a ConfigArgs, quiet bool) (ConfigResult, error) {
	for k := range a.Settings.All() {
		if strings.HasSuffix(fmt.Sprint(k), "password") {
			h.Hide()
		}
	}
	j := configJob{ConfigArgs: a, host: h, path: a.File.path(), quiet: quiet}
	lock := "libvirt-config-" + string(a.File)
	if a.Restart == "always" {
		lock = "" // what is done once goes without, for under a lock it might be planned twice
	}
	_, _, err := modules.Reconcile(ctx, h, modules.Reconciler[configState]{
		Probe: configProbe, Args: append([]string{j.path}, a.File.daemons()...), Lock: lock, Plan: j.plan, Parse: j.parse,
		Diff: func(before, after configState) []modules.Diff {
			return []modules.Diff{{Before: hidePasswords(before.text), After: hidePasswords(after.text), BeforeHeader: j.path, AfterHeader: j.path}}
		},
		Want: func(s configState) configState {
			if text, err := j.edit(s.text); err == nil {
				s.text = text
			}
			return s
		},
	})
	return ConfigResult{Path: j.path, Restarted: j.restarted}, err
}
