package filters

import (
	"fmt"
	"strconv"

	"github.com/hostlerhq/hostler/jinja/value"
)

func lookupConfig(r *request) ([]any, error) {
	for _, t := range r.Terms {
		if _, ok := value.AsString(t); !ok {
			return nil, fmt.Errorf("invalid setting identifier, %s is not a string", shown(t))
		}
	}
	terms, err := r.texts()
	if err != nil {
		return nil, err
	}
	missing, err := r.textOption("on_missing", "error")
	if err != nil {
		return nil, err
	}
	switch missing {
	case "error", "warn", "skip":
	default:
		return nil, fmt.Errorf(`"on_missing" must be one of "error", "warn" or "skip", not %s`, missing)
	}
	var out []any
	for _, term := range terms {
		if v, ok := r.l.setting(term); ok {
			out = append(out, v)
			continue
		}
		switch missing {
		case "error":
			return nil, fmt.Errorf("unable to find setting %s", term)
		case "warn":
			if r.l.o.Warn != nil {
				r.l.o.Warn("Skipping, did not find setting " + term)
			}
		}
	}
	return out, nil
}

// setting gives a setting as it was set, with the type that it has in Ansible, else Ansible's default.
func (l *Lookups) setting(name string) (any, bool) {
	def, known := settingDefault(name)
	if l.o.Setting == nil {
		return def, known
	}
	v, ok := l.o.Setting(name)
	if !ok {
		return def, known
	}
	text, isText := v.(string)
	if !isText {
		return v, true
	}
	switch def.(type) {
	case bool:
		switch text {
		case "1", "yes", "true", "True", "on", "y", "t":
			return true, true
		}
		return false, true
	case int:
		if n, err := strconv.Atoi(text); err == nil {
			return n, true
		}
	}
	return text, true
}

// settingDefault gives the defaults of ansible-core 2.14 of settings that playbooks may want to know.
func settingDefault(name string) (any, bool) {
	switch name {
	case "DEFAULT_FORKS":
		return 5, true
	case "DEFAULT_TIMEOUT":
		return 10, true
	case "DEFAULT_VERBOSITY":
		return 0, true
	case "DEFAULT_REMOTE_USER", "DEFAULT_REMOTE_PORT":
		return nil, true
	case "DEFAULT_BECOME", "DEFAULT_NO_LOG", "DEFAULT_FORCE_HANDLERS", "ANY_ERRORS_FATAL", "RETRY_FILES_ENABLED", "DEFAULT_JINJA2_NATIVE":
		return false, true
	case "HOST_KEY_CHECKING", "INJECT_FACTS_AS_VARS", "DEFAULT_UNDEFINED_VAR_BEHAVIOR":
		return true, true
	case "TAGS_RUN", "TAGS_SKIP":
		return value.NewList(), true
	}
	texts := map[string]string{
		"DEFAULT_BECOME_METHOD": "sudo", "DEFAULT_BECOME_USER": "root", "DEFAULT_HASH_BEHAVIOUR": "replace", "DEFAULT_GATHERING": "implicit",
		"DEFAULT_STRATEGY": "linear", "DEFAULT_TRANSPORT": "smart", "DEFAULT_MODULE_NAME": "command", "DEFAULT_MANAGED_STR": "Ansible managed",
		"DEFAULT_VAULT_IDENTITY": "default", "DEFAULT_EXECUTABLE": "/bin/sh", "DUPLICATE_YAML_DICT_KEY": "warn",
	}
	text, ok := texts[name]
	if !ok {
		return nil, false
	}
	return text, true
}
