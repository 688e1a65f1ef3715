package transport

import (
	"fmt"
	"strings"
)

// sshArgs is what ssh(1)'s arguments say.
type sshArgs struct {
	options    *optionSet
	configFile string // -F; "none" reads no file
}

const (
	argsFlags   = "46AaCfgKkMNnqsTtvXxYy" // ssh's flags without a value
	argsValued  = "BbcDEeFIiJLlmoPpRSw"   // and with one
	argsRefused = "GVQOW"                 // those that make ssh do something else than log in
)

// parseSSHArgs reads ssh(1)'s arguments as ansible_ssh_common_args and its kin hold them. Flags that mean
// nothing to a run are accepted; an unknown one is an error naming it.
func parseSSHArgs(args []string) (sshArgs, error) {
	out := sshArgs{options: newOptionSet()}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if len(arg) < 2 || arg[0] != '-' || arg == "--" {
			return out, fmt.Errorf("ssh argument %q: want an option such as -o, -J or -i", arg)
		}
		for j := 1; j < len(arg); j++ {
			flag := arg[j]
			if strings.IndexByte(argsRefused, flag) >= 0 {
				return out, fmt.Errorf("ssh argument -%c: it has no meaning here", flag)
			}
			if strings.IndexByte(argsFlags, flag) >= 0 {
				out.flag(flag)
				continue
			}
			if strings.IndexByte(argsValued, flag) < 0 {
				return out, fmt.Errorf("ssh argument %q: unknown option -%c", arg, flag)
			}
			value := arg[j+1:]
			if value == "" {
				i++
				if i == len(args) {
					return out, fmt.Errorf("ssh argument -%c: its value is missing", flag)
				}
				value = args[i]
			}
			if err := out.valued(flag, value); err != nil {
				return out, err
			}
			break
		}
	}
	return out, nil
}

func (a *sshArgs) flag(flag byte) {
	switch flag {
	case '4':
		a.options.set("addressfamily", "inet")
	case '6':
		a.options.set("addressfamily", "inet6")
	case 'A':
		a.options.set("forwardagent", "yes")
	case 'a':
		a.options.set("forwardagent", "no")
	}
}

func (a *sshArgs) valued(flag byte, value string) error {
	switch flag {
	case 'F':
		a.configFile = value
	case 'b':
		a.options.set("bindaddress", value)
	case 'i':
		a.options.add("identityfile", value)
	case 'J':
		a.options.set("proxyjump", value)
	case 'l':
		a.options.set("user", value)
	case 'p':
		a.options.set("port", value)
	case 'o':
		return a.option(value)
	}
	return nil
}

// option reads the value of -o: one line of ssh_config.
func (a *sshArgs) option(line string) error {
	key, values, err := splitConfigLine(line)
	if err != nil {
		return fmt.Errorf("ssh argument -o %s: %w", line, err)
	}
	if key == "" {
		return fmt.Errorf("ssh argument -o %q: want Name=value", line)
	}
	name, known := canonicalOption(key)
	switch {
	case !known:
		return fmt.Errorf("ssh argument -o %s: ssh has no option %q", line, key)
	case name == "host" || name == "match" || name == "include":
		return fmt.Errorf("ssh argument -o %s: %s belongs into a file", line, key)
	case len(values) == 0:
		return fmt.Errorf("ssh argument -o %s: its value is missing", line)
	}
	a.options.put(name, values)
	return nil
}
