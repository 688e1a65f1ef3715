package facts

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
)

// factsOf are the parts that can be gathered apart, and the facts by whose names they can be asked for too.
var factsOf = map[string]string{
	"apparmor": "", "caps": "system_capabilities system_capabilities_enforced", "chroot": "is_chroot",
	"cmdline": "proc_cmdline", "date_time": "", "dns": "", "env": "", "fips": "", "fibre_channel_wwn": "",
	"distribution": "distribution_version distribution_release distribution_major_version os_family",
	"hardware":     "processor processor_cores processor_count mounts devices",
	"iscsi":        "iscsi_iqn", "loadavg": "", "local": "", "lsb": "",
	"network": "interfaces default_ipv4 default_ipv6 all_ipv4_addresses all_ipv6_addresses",
	"nvme":    "hostnqn", "pkg_mgr": "", "platform": "system kernel kernel_version machine python_version architecture machine_id",
	"python": "", "selinux": "", "service_mgr": "",
	"ssh_pub_keys": "ssh_host_pub_keys ssh_host_key_dsa_public ssh_host_key_rsa_public ssh_host_key_ecdsa_public ssh_host_key_ed25519_public",
	"user":         "user_id user_uid user_gid user_gecos user_dir user_shell real_user_id real_group_id effective_user_id effective_group_ids",
	"virtual":      "virtualization_type virtualization_role virtualization_tech_guest virtualization_tech_host",
}

// minimal is what the word min stands for.
var minimal = strings.Fields(`apparmor caps cmdline date_time distribution dns env fips local lsb pkg_mgr platform python selinux
	service_mgr ssh_pub_keys user`)

// needs are the parts that others are worked out from.
var needs = map[string][]string{
	"pkg_mgr": {"distribution"}, "service_mgr": {"platform", "distribution"}, "hardware": {"platform"},
}

// noParts are collectors of Ansible that run tools of other projects; they are accepted and give nothing.
var noParts = []string{"facter", "ohai"}

// Parts gives the parts that a gather_subset asks for, sorted: names of parts or facts, all, min, and the same after "!".
// An unknown name is an error that lists the known ones.
func Parts(subset []string) ([]string, error) {
	add, drop, explicit := setOf(minimal), map[string]bool{}, map[string]bool{}
	for _, word := range subset {
		name, not := strings.CutPrefix(strings.TrimSpace(word), "!")
		parts, err := partsOf(name)
		switch {
		case err != nil && not:
			// Ansible takes the negation of an unknown name for nothing.
		case err != nil:
			return nil, err
		case not && name == "all":
			maps.Copy(drop, without(setOf(parts), minimal))
		case not:
			maps.Copy(drop, setOf(parts))
		default:
			maps.Copy(add, setOf(parts))
			if name != "all" && name != "min" {
				maps.Copy(explicit, setOf(parts))
			}
		}
	}
	for part := range drop {
		if !explicit[part] {
			delete(add, part)
		}
	}
	for part := range maps.Clone(add) {
		for _, need := range needs[part] {
			add[need] = true
		}
	}
	return slices.Sorted(maps.Keys(add)), nil
}

func partsOf(name string) ([]string, error) {
	switch {
	case name == "all":
		return slices.Sorted(maps.Keys(factsOf)), nil
	case name == "min":
		return minimal, nil
	case slices.Contains(noParts, name):
		return nil, nil
	}
	for part, facts := range factsOf {
		if part == name || slices.Contains(strings.Fields(facts), name) {
			return []string{part}, nil
		}
	}
	names := []string{"all", "min"}
	for part, facts := range factsOf {
		names = append(names, part)
		names = append(names, strings.Fields(facts)...)
	}
	slices.Sort(names)
	return nil, fmt.Errorf("bad subset %q given to gather_subset; known: %s", name, strings.Join(slices.Compact(names), ", "))
}

func setOf(names []string) map[string]bool {
	set := map[string]bool{}
	for _, name := range names {
		set[name] = true
	}
	return set
}

func without(set map[string]bool, names []string) map[string]bool {
	for _, name := range names {
		delete(set, name)
	}
	return set
}

// Filter keeps the facts whose name, with or without the prefix "ansible_", matches one of the patterns
// (*, ? and [...]). No patterns keep all.
func Filter(facts *value.Dict, patterns []string) *value.Dict {
	if len(patterns) == 0 || slices.Contains(patterns, "") || slices.Contains(patterns, "*") {
		return facts
	}
	kept := value.NewDict()
	for key, v := range facts.All() {
		name, _ := key.(string)
		bare := strings.TrimPrefix(name, "ansible_")
		if slices.ContainsFunc(patterns, func(p string) bool { return Matches(p, bare) || Matches(p, "ansible_"+bare) }) {
			kept.Set(key, v)
		}
	}
	return kept
}

// Matches is Python's fnmatch: a slash is a character as any other.
func Matches(pattern, name string) bool {
	plain := strings.NewReplacer("[!", "[^", "/", "\x00")
	ok, err := path.Match(plain.Replace(pattern), strings.ReplaceAll(name, "/", "\x00"))
	return ok && err == nil
}
