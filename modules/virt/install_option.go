package virt

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

// installOptions are the suboptions of virt-install 4.1.0, as it prints them for --OPTION=?, without what all have (xpath, clearxml). # is any
// number, or none.
//
//go:embed install_options.txt
var installOptions string

// suboptions gives those of an option.
func suboptions(flag string) []string {
	_, rest, ok := strings.Cut(installOptions, "["+flag+"]\n")
	if !ok {
		return nil
	}
	text, _, _ := strings.Cut(rest, "\n[")
	return strings.Fields(text)
}

// spelling are other names for suboptions, by option and place (without numbers): community.libvirt's and ours for virt-install's.
func spelling() map[string]string {
	return map[string]string{
		"memory current_memory": "currentMemory", "memory max_memory": "maxMemory", "memory max_memory_opts": "maxMemory",
		"memorybacking hugepage_specs": "hugepages.page", "memorybacking hugepage_specs.page_size": "size",
		"vcpus current": "vcpu.current", "vcpus placement": "vcpu.placement", "vcpus vcpu_specs": "vcpus.vcpu", "vcpus count": "vcpus", "vcpus maximum": "maxvcpus",
		"blkiotune devices": "device", "cpu model_opts": "model", "cpu numa.cell_specs.mem_access": "memAccess",
		"keywrap ciphers": "cipher", "iothreads iothread_specs": "iothreadids.iothread", "clock timers": "timer",
		"launchSecurity dh_cert": "dhCert", "launchSecurity reduced_phys_bits": "reducedPhysBits", "osinfo short_id": "short-id",
		"disk transient_opts": "transient", "disk transient_opts.share_backing": "shareBacking", "disk boot_order": "boot.order", "disk backing": "backing_store",
		"disk io": "driver.io", "disk discard": "driver.discard", "disk detect_zeroes": "driver.detect_zeroes",
		"network trust_guest_rx_filters": "trustGuestRxFilters", "network state": "link.state", "network boot_order": "boot.order",
		"network portgroup": "source.portgroup", "network filter": "filterref.filter",
	}
}

// onOffSuboptions are the suboptions where a truth value is on or off, not yes or no.
var onOffSuboptions = []string{
	"iommu", "ats", "packed", "page_per_vq", "ioeventfd", "event_idx", "copy_on_read", "freePageReporting", "autodeflate", "caching_mode", "eim",
	"intremap", "iotlb", "auto", "sha1", "sha256", "sha384", "sha512", "persistent_state", "detect", "require",
}

// optionText makes the text of one option from what was given for it. Arg is the argument's place, for mistakes.
func optionText(arg []any, flag string, given any) (string, error) {
	switch v := given.(type) {
	case string:
		if strings.ContainsAny(v, "\n\x00") {
			return "", optionError(arg, "has a line break in it")
		}
		return v, nil
	case bool:
		return onOff(v), nil
	case int:
		return strconv.Itoa(v), nil
	case *value.Dict:
		w := optionWriter{flag: flag, known: suboptions(flag), spelling: spelling()}
		if err := w.dict(arg, "", "", v); err != nil {
			return "", err
		}
		if len(w.parts) == 0 {
			return "", optionError(arg, "is empty")
		}
		return strings.Join(w.parts, ","), nil
	}
	return "", optionError(arg, "must be text or a dict of suboptions of virt-install --"+flag)
}

func optionError(arg []any, msg string) error {
	return &modules.ArgError{Path: slices.Clone(arg), Msg: fmt.Sprintf("%s %s", placeOf(arg), msg)}
}

// placeOf writes a place as people do: disks[0].size.
func placeOf(path []any) string {
	text := ""
	for i, p := range path {
		switch n, isIndex := p.(int); {
		case isIndex:
			text += "[" + strconv.Itoa(n) + "]"
		case i == 0:
			text = fmt.Sprint(p)
		default:
			text += "." + fmt.Sprint(p)
		}
	}
	return text
}

// optionWriter writes a dict as suboptions: key=value, dicts as key.key=value, lists as key0=value.
type optionWriter struct {
	flag     string
	known    []string
	spelling map[string]string
	parts    []string
}

// dict writes what is below place (as the user spells it, without numbers) and name (as virt-install does, a dot at its end).
func (w *optionWriter) dict(arg []any, place, name string, d *value.Dict) error {
	for k, v := range d.All() {
		key, ok := k.(string)
		if !ok || v == nil {
			continue
		}
		at := append(slices.Clone(arg), key)
		word := strings.TrimSuffix(key, "_specs")
		if to, ok := w.spelling[w.flag+" "+place+key]; ok {
			word = to
		}
		if err := w.item(at, place+key+".", name+word, v); err != nil {
			return err
		}
	}
	return nil
}

func (w *optionWriter) item(arg []any, place, name string, v any) error {
	switch v := v.(type) {
	case *value.Dict:
		if v.Len() == 0 {
			return w.add(arg, name, "on") // features: {acpi: {}}
		}
		return w.dict(arg, place, name+".", v)
	case *value.List:
		for i, item := range v.Items {
			if err := w.item(append(slices.Clone(arg), i), place, name+strconv.Itoa(i), item); err != nil {
				return err
			}
		}
		return nil
	case bool:
		last := name[strings.LastIndexByte(name, '.')+1:]
		if slices.Contains(onOffSuboptions, last) || w.flag == "features" {
			return w.add(arg, name, onOff(v))
		}
		if v {
			return w.add(arg, name, "yes")
		}
		return w.add(arg, name, "no")
	}
	text, err := modules.Str(v)
	if err != nil {
		return optionError(arg, "must be text or a number")
	}
	return w.add(arg, name, text)
}

// add writes one suboption, which virt-install must know.
func (w *optionWriter) add(arg []any, name, text string) error {
	if !w.knows(name) {
		e := &modules.ArgError{Path: slices.Clone(arg), Key: true, Msg: placeOf(arg) + " is no suboption of virt-install --" + w.flag}
		if near := diag.Near(name, w.known); near != "" {
			e.Hint = fmt.Sprintf("did you mean %q?", near)
		}
		return e
	}
	if strings.ContainsAny(text, "\n\x00") {
		return optionError(arg, "has a line break in it")
	}
	w.parts = append(w.parts, name+"="+quoteSuboption(text))
	return nil
}

// knows reports whether virt-install has a suboption, numbers aside.
func (w *optionWriter) knows(name string) bool {
	if slices.Contains(w.known, name) || name == "clearxml" || strings.HasPrefix(name, "xpath") {
		return true
	}
	words := strings.Split(name, ".")
	for i, word := range words {
		words[i] = strings.TrimRight(word, "0123456789")
	}
	plain := strings.Join(words, ".")
	return slices.ContainsFunc(w.known, func(k string) bool { return strings.Contains(k, "#") && strings.ReplaceAll(k, "#", "") == plain })
}

// quoteSuboption quotes a value for virt-install, which splits by Python's shlex at commas.
func quoteSuboption(text string) string {
	if !strings.ContainsAny(text, `,"'\`) {
		return text
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// isNone reports whether a list of devices is to be empty.
func isNone(given any) bool {
	switch v := given.(type) {
	case string:
		return v == "none"
	case *value.List:
		return len(v.Items) == 0 || len(v.Items) == 1 && isNone(v.Items[0])
	}
	return false
}

// itemsOf gives what was given for an option with several: one or a list.
func itemsOf(given any) []any {
	switch v := given.(type) {
	case nil:
		return nil
	case *value.List:
		return v.Items
	}
	return []any{given}
}
