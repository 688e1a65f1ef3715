//go:build integration

// Package integration holds the tests that compare with other programs or need daemons of this machine.
package integration

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/facts"
	"github.com/hostlerhq/hostler/jinja/value"
)

// mayDiffer are the facts that need not be Ansible's, with the reason.
var mayDiffer = map[string]string{
	"date_time":                    "the two look at different moments",
	"env":                          "the two run in different environments",
	"loadavg":                      "changes; and we read two decimals where Ansible has the kernel's fraction",
	"memfree_mb":                   "changes",
	"memory_mb":                    "changes",
	"uptime_seconds":               "changes",
	"mounts":                       "free space changes: compared apart",
	"python":                       "a stub: nothing here runs Python",
	"python_version":               "a stub: nothing here runs Python",
	"system_capabilities":          "names in place of libcap's short form, which differs from version to version",
	"system_capabilities_enforced": "capsh may add flags that the kernel does not count",
}

func TestFactsAreAnsibles(t *testing.T) {
	if _, err := exec.LookPath("ansible"); err != nil {
		t.Fatal("ansible is needed: apt-get install ansible-core")
	}
	theirs := ansibleFacts(t)
	for name, shell := range map[string][]string{"dash": {"dash"}, "bash": {"bash", "--posix"}, "busybox": {"busybox", "sh"}} {
		t.Run(name, func(t *testing.T) {
			ours := ourFacts(t, shell)
			compare(t, theirs, ours)
		})
	}
}

func compare(t *testing.T, theirs, ours map[string]any) {
	t.Helper()
	for key, want := range theirs {
		if _, ok := mayDiffer[key]; ok {
			if _, ok := ours[key]; !ok {
				t.Errorf("%s is missing", key)
			}
			continue
		}
		got, ok := ours[key]
		if !ok {
			t.Errorf("%s is missing; Ansible has %v", key, want)
			continue
		}
		if diff := cmp.Diff(ordered(want), ordered(got)); diff != "" {
			t.Errorf("%s (-Ansible +ours):\n%s", key, diff)
		}
	}
	for key := range ours {
		if _, ok := theirs[key]; !ok {
			t.Errorf("%s is ours only", key)
		}
	}
	if diff := cmp.Diff(steady(theirs["mounts"]), steady(ours["mounts"])); diff != "" {
		t.Errorf("mounts (-Ansible +ours):\n%s", diff)
	}
}

// steady leaves out of mounts what other programs change meanwhile.
func steady(mounts any) any {
	list, _ := mounts.([]any)
	for _, m := range list {
		for _, key := range []string{"size_available", "block_available", "block_used", "inode_available", "inode_used"} {
			delete(m.(map[string]any), key)
		}
	}
	return list
}

// ordered sorts lists of words, whose order is that of a folder or a Python set.
func ordered(v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	for _, item := range list {
		if _, text := item.(string); !text {
			return v
		}
	}
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	return list
}

func ansibleFacts(t *testing.T) map[string]any {
	t.Helper()
	out, err := exec.Command("ansible", "localhost", "-m", "setup").Output()
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(out), "=> ")
	var result struct {
		Facts map[string]any `json:"ansible_facts"`
	}
	if err := json.Unmarshal([]byte(text), &result); err != nil {
		t.Fatal(err)
	}
	bare := map[string]any{}
	for key, v := range result.Facts {
		if name, ok := strings.CutPrefix(key, "ansible_"); ok {
			bare[name] = v
		}
	}
	return bare
}

func ourFacts(t *testing.T, shell []string) map[string]any {
	t.Helper()
	parts, err := facts.Parts([]string{"all"})
	if err != nil {
		t.Fatal(err)
	}
	args := append(shell[1:len(shell):len(shell)], "-s", strings.Join(parts, " "), "10", "/etc/ansible/facts.d")
	cmd := exec.Command(shell[0], args...)
	cmd.Stdin = strings.NewReader(facts.Script)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	f, err := facts.Parse(parts, out)
	if err != nil {
		t.Fatal(err)
	}
	return plain(f.Dict()).(map[string]any)
}

// plain turns values into what encoding/json makes of the same data.
func plain(v any) any {
	switch v := v.(type) {
	case *value.Dict:
		m := map[string]any{}
		for k, item := range v.All() {
			m[k.(string)] = plain(item)
		}
		return m
	case *value.List:
		list := []any{}
		for _, item := range v.Items {
			list = append(list, plain(item))
		}
		return list
	case int:
		return float64(v)
	default:
		return v
	}
}
