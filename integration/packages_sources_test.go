//go:build integration

package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/modules/packages"
)

var sourceTasks = []fileTask{
	{packages.AptRepository, a{"repo": "deb [trusted=yes] file:/var/repo/stable ./"}},
	{packages.AptRepository, a{"repo": "deb  [trusted=yes] file:/var/repo/testing   ./", "state": "absent"}},
	{packages.AptRepository, a{"repo": "deb  [trusted=yes] file:/var/repo/testing   ./"}},
	{packages.AptRepository, a{"repo": "deb [trusted=yes] file:/var/repo/testing ./", "update_cache": false}},
	{packages.AptRepository, a{"repo": "deb http://user:word@127.0.0.1/deb x main", "update_cache": false, "mode": "0600"}},
	{packages.AptRepository, a{"repo": "deb http://127.0.0.1/deb y main", "update_cache": false, "filename": "mine"}},
	{packages.AptRepository, a{"repo": "deb http://127.0.0.1/deb z main", "update_cache": false, "filename": "mine", "mode": "0640"}},
	{packages.AptRepository, a{"repo": "deb http://127.0.0.1/deb y main", "update_cache": false, "state": "absent"}},
	{packages.AptRepository, a{"repo": "deb http://127.0.0.1/deb z main", "update_cache": false, "state": "absent"}},
	{packages.AptRepository, a{"repo": "deb http://127.0.0.1/deb z main", "update_cache": false, "state": "absent"}},
	{packages.AptRepository, a{"repo": "deb http://user:word@127.0.0.1/deb x main", "update_cache": false, "state": "absent"}},
	{packages.AptRepository, a{"repo": "deb http://127.0.0.1/off x main", "update_cache": false}},
	{packages.AptRepository, a{"repo": "deb [trusted=yes] file:/var/nowhere ./", "update_cache_retries": 1}},
	{packages.AptRepository, a{"repo": "no source"}},
	{packages.AptRepository, a{"repo": ""}},
}

// sourcesTold tells apt's files of sources on a host, with their modes.
const sourcesTold = `cd /etc/apt; stat -c '%a %U %n' sources.list sources.list.d/*; tail -n +1 sources.list sources.list.d/* 2>/dev/null; apt-cache policy hp-one`

func TestAptRepositoryIsAnsibles(t *testing.T) {
	repo := debRepository(t)
	setup := "echo '# deb http://127.0.0.1/off x main # not now' >>/etc/apt/sources.list\n"
	theirs, ours := aptHost(t, repo, setup), aptHost(t, repo, setup)
	onHost(t, theirs, "apt-get -qq update")
	onHost(t, ours, "apt-get -qq update")
	for _, check := range []bool{true, false} {
		list := sourceTasks
		if check {
			list = list[:5]
		}
		want := ansibleThere(t, theirs, list, check)
		for i, task := range list {
			got := ourResult(t, ours, task, "", "", check)
			what := fmt.Sprintf("task %d, %v, check %v", i, task.args, check)
			for _, key := range []string{"failed", "changed"} {
				if w, g := want[i][key] == true, got[key] == true; w != g {
					t.Errorf("%s: %s is %v, Ansible's is %v: %v, %v", what, key, g, w, got["msg"], want[i]["msg"])
				}
			}
			if want[i]["failed"] != true && (got["repo"] != want[i]["repo"] || got["state"] != want[i]["state"]) {
				t.Errorf("%s: repo and state are %v, %v", what, got["repo"], got["state"])
			}
		}
		if diff := cmp.Diff(onHost(t, theirs, sourcesTold), onHost(t, ours, sourcesTold)); diff != "" {
			t.Errorf("sources (-Ansible +ours):\n%s", diff)
		}
	}
}

// TestAptRepositoryPutsBack: a source that cannot be had leaves everything as it was, and says why.
func TestAptRepositoryPutsBack(t *testing.T) {
	conn := aptHost(t, debRepository(t), "echo '# deb [trusted=yes] file:/var/nowhere ./' >>/etc/apt/sources.list; chmod 640 /etc/apt/sources.list\n")
	before := onHost(t, conn, "apt-get -qq update; "+sourcesTold)
	for _, repo := range []string{"deb [trusted=yes] file:/var/nowhere ./", "deb [trusted=yes] file:/var/neither ./"} {
		r := ourResult(t, conn, fileTask{packages.AptRepository, a{"repo": repo, "update_cache_retries": 1}}, "", "", false)
		if msg := fmt.Sprint(r["msg"]); r["failed"] != true || !strings.HasPrefix(msg, "Failed to update apt cache: ") || !strings.Contains(msg, strings.Fields(repo)[2][5:]) {
			t.Errorf("%s: %v", repo, r)
		}
		if diff := cmp.Diff(before, onHost(t, conn, sourcesTold)); diff != "" {
			t.Errorf("%s: sources (-before +after):\n%s", repo, diff)
		}
	}
}
