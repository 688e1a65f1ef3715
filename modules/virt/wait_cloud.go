package virt

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

// cloudLib is a piece of a probe: cloud KEY NAME asks the guest's agent to run cloud-init status and tells the agent's answer. A cloud-init that
// knows no --format, or none that is in the PATH, leaves what it wrote at its end.
const cloudLib = `cloud() {
	__p=$(v qemu-agent-command --domain "$2" --timeout 5 --cmd '{"execute":"guest-exec","arguments":{"path":"/bin/sh","arg":["-c","cloud-init status --format json 2>/dev/null; echo; echo result:; cat /run/cloud-init/result.json 2>/dev/null"],"capture-output":true}}' 2>/dev/null |
		sed -n 's/.*"pid": *\([0-9][0-9]*\).*/\1/p')
	[ -n "$__p" ] || return 0
	for __i in 1 2 3 4 5 6 7 8 9 10; do
		__a=$(v qemu-agent-command --domain "$2" --timeout 5 --cmd "{\"execute\":\"guest-exec-status\",\"arguments\":{\"pid\":$__p}}" 2>/dev/null) || return 0
		case $__a in *'"exited":true'*|*'"exited": true'*) say "$1" "$__a"; return 0 ;; esac
		sleep 1
	done
}
`

// cloudState is how far cloud-init got in a guest.
type cloudState struct {
	done     bool
	degraded string // what went wrong without stopping it
	failed   string // why it will never be done
}

// parseCloud reads the agent's answer; one that cannot be read says nothing yet.
func parseCloud(answer string) cloudState {
	var said struct {
		Return struct {
			Out string `json:"out-data"`
		} `json:"return"`
	}
	if json.Unmarshal([]byte(answer), &said) != nil {
		return cloudState{}
	}
	out, err := base64.StdEncoding.DecodeString(said.Return.Out)
	if err != nil {
		return cloudState{}
	}
	status, result, _ := strings.Cut(string(out), "\nresult:\n")
	if s, ok := cloudStatus(status); ok {
		return s
	}
	return cloudResult(result)
}

// cloudStatus reads what cloud-init status --format json prints.
func cloudStatus(text string) (cloudState, bool) {
	var s struct {
		Status      string              `json:"status"`
		Detail      string              `json:"detail"`
		Errors      []string            `json:"errors"`
		Recoverable map[string][]string `json:"recoverable_errors"`
	}
	if json.Unmarshal([]byte(text), &s) != nil || s.Status == "" {
		return cloudState{}, false
	}
	switch s.Status {
	case "done":
		var all []string
		for _, level := range []string{"ERROR", "WARNING", "DEPRECATED"} {
			for _, e := range s.Recoverable[level] {
				all = append(all, level+": "+e)
			}
		}
		return cloudState{done: true, degraded: strings.Join(all, "; ")}, true
	case "error":
		return cloudState{failed: orWord(strings.Join(s.Errors, "; "), s.Detail)}, true
	case "disabled":
		return cloudState{failed: "it is disabled in the guest: " + s.Detail}, true
	}
	return cloudState{}, true // running, not started
}

// cloudResult reads /run/cloud-init/result.json, which is there when cloud-init ended.
func cloudResult(text string) cloudState {
	var s struct {
		V1 *struct {
			Errors []string `json:"errors"`
		} `json:"v1"`
	}
	if json.Unmarshal([]byte(text), &s) != nil || s.V1 == nil {
		return cloudState{}
	}
	if len(s.V1.Errors) > 0 {
		return cloudState{failed: strings.Join(s.V1.Errors, "; ")}
	}
	return cloudState{done: true}
}

func orWord(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// lateProbe: URI, names. It tells what helps to see why a guest did not come up: the end of what it said on its serial console, where that goes
// into a file, the leases of its networks, and what the host's bridges know of its MAC addresses.
const lateProbe = virshLib + `k=0
for n do
	k=$((k + 1))
	x=$(v dumpxml --domain "$n" 2>/dev/null) || continue
	printf '%s\n' "$x" | sed -n -e "s/.*<log file='\([^']*\)'.*/\1/p" -e "/<serial type='file'/,/<\/serial>/s/.*<source path='\([^']*\)'.*/\1/p" | head -n 1 | {
		IFS= read -r f && [ -f "$f" ] && say "serial$k" "$(tail -n 200 "$f" 2>/dev/null | tail -c 16000 | tr -d '\000')"
	}
	for m in $(printf '%s\n' "$x" | sed -n "s/.*<mac address='\([0-9a-f:]*\)'.*/\1/p"); do
		bridge fdb show 2>/dev/null | grep -q "^$m " && say "bridged$k" "$m"
	done
done
exit 0
`

// escapes are what a console's log has for terminals.
var escapes = regexp.MustCompile("\x1b(\\[[0-9;?]*[A-Za-z]|[()][A-Z0-9])")

// tail is the end of a console's log as text: without escape sequences and other control characters.
func tail(text string) string {
	text = escapes.ReplaceAllString(text, "")
	return strings.TrimSpace(strings.Map(func(c rune) rune {
		if unicode.IsControl(c) && c != '\n' && c != '\t' || c == unicode.ReplacementChar {
			return -1
		}
		return c
	}, strings.ToValidUTF8(text, "")))
}

// stage says where a domain stopped, by the first thing that it lacks.
func (w waited) stage() string {
	switch first := w.lacks[0]; {
	case first == "running":
		if w.state == "absent" {
			return "there is no such domain"
		}
		return "it does not run"
	case first == "agent":
		return "the guest's agent does not answer: is qemu-guest-agent installed there, and has the domain a channel org.qemu.guest_agent.0?"
	case first == "cloud_init" && w.cloud.failed != "":
		return "cloud-init failed: " + w.cloud.failed
	case first == "cloud_init":
		return "cloud-init is not done, or the guest's agent cannot be asked"
	case w.state != "running":
		return "it does not run"
	case w.ip == "" && w.bridged:
		return "it has no address, though its network card has sent something: does the guest ask for one by DHCP?"
	case w.ip == "":
		return "it has no address, and its network card has sent nothing: did it boot?"
	}
	return fmt.Sprintf("it has an address, and nothing answers at port %d", port(w.lacks[0]))
}

// explainLate adds to domains that did not get there what the host knows of them.
func explainLate(r *modules.Report, vms []waited) {
	for i := range vms {
		k := fmt.Sprint(i + 1)
		vms[i].serial, vms[i].bridged = tail(r.Text("serial"+k)), r.Has("bridged"+k)
	}
}

// show gives a domain for the register.
func (w waited) show() *value.Dict {
	d := value.NewDict("state", w.state, "addresses", textList(w.addresses), "ip", w.ip, "reached", textList(w.reached), "lacks", textList(w.lacks))
	if w.cloud.degraded != "" {
		d.Set("degraded", w.cloud.degraded)
	}
	if w.serial != "" {
		d.Set("serial", w.serial)
	}
	return d
}
