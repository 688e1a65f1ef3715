//go:build integration

package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/modules/packages"
	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/transport/transporttest"
)

// debPackage is a package of a test's own repository: the suite, the control file without what all have, and what runs when it is installed.
type debPackage struct{ suite, control, postinst string }

// debs are the packages of most tests.
var debs = []debPackage{
	{"stable", "Package: hp-one\nVersion: 1.0", ""},
	{"stable", "Package: hp-one\nVersion: 1.1", ""},
	{"testing", "Package: hp-one\nVersion: 2.0", ""},
	{"stable", "Package: hp-two\nVersion: 1:1.0-1\nDepends: hp-lib (>= 1.0~)", ""},
	{"stable", "Package: hp-lib\nVersion: 1.0", ""},
	{"stable", "Package: hp-conf\nVersion: 1.0\nRecommends: hp-extra", ""},
	{"stable", "Package: hp-conf\nVersion: 1.1\nRecommends: hp-extra", ""},
	{"stable", "Package: hp-extra\nVersion: 1.0", ""},
	{"stable", "Package: hp-provider\nVersion: 1.0\nProvides: hp-virtual", ""},
	{"stable", "Package: hp-broken\nVersion: 1.0\nDepends: hp-nowhere", ""},
	{"files", "Package: hp-file\nVersion: 1.0\nDepends: hp-lib", ""},
	{"files", "Package: hp-service\nVersion: 1.0", "#!/bin/sh\n/usr/sbin/policy-rc.d hp start >/var/policy.out 2>&1; echo $? >/var/policy.status\n"},
}

// debRepository makes the repository of most tests.
func debRepository(t *testing.T) string {
	t.Helper()
	return debRepositoryOf(t, debs)
}

// debRepositoryOf makes a repository: a folder of files, and one with an index for each suite.
func debRepositoryOf(t *testing.T, debs []debPackage) string {
	t.Helper()
	transporttest.Installed(t, "dpkg-deb")
	transporttest.Installed(t, "apt-ftparchive")
	repo := t.TempDir()
	for i, d := range debs {
		root := fmt.Sprintf("%s/build/%d", repo, i)
		mustWrite(t, root+"/DEBIAN/control", d.control+"\nArchitecture: all\nMaintainer: Nobody <nobody@example.com>\nDescription: a test\n", 0o644)
		if strings.Contains(d.control, "hp-conf") {
			mustWrite(t, root+"/etc/hp.conf", d.control, 0o644)
			mustWrite(t, root+"/DEBIAN/conffiles", "/etc/hp.conf\n", 0o644)
		}
		if d.postinst != "" {
			mustWrite(t, root+"/DEBIAN/postinst", d.postinst, 0o755)
		}
		suite := filepath.Join(repo, "www", d.suite)
		if err := os.MkdirAll(suite, 0o755); err != nil {
			t.Fatal(err)
		}
		local(t, "", "dpkg-deb", "--root-owner-group", "-Znone", "-b", root, suite)
	}
	for _, suite := range []string{"stable", "testing"} {
		dir := filepath.Join(repo, "www", suite)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		mustWrite(t, dir+"/Packages", local(t, dir, "apt-ftparchive", "packages", "."), 0o644)
		mustWrite(t, dir+"/Release", local(t, dir, "apt-ftparchive", "-o", "APT::FTPArchive::Release::Suite="+suite, "release", "."), 0o644)
	}
	return filepath.Join(repo, "www")
}

// local runs a program here and gives what it prints.
func local(t *testing.T, dir string, argv ...string) string {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", argv, err)
	}
	return string(out)
}

// aptHost starts a host whose apt knows the tests' repository alone and nothing that is installed.
func aptHost(t *testing.T, repo, setup string) transport.Conn {
	t.Helper()
	return layeredHost(t, `
rm -rf /var/lib/dpkg /var/lib/apt/extended_states
mkdir -p /var/lib/dpkg/info /var/lib/dpkg/updates /var/lib/dpkg/triggers /var/lib/dpkg/alternatives
: >/var/lib/dpkg/status
rm -rf /etc/apt/sources.list.d/* /etc/apt/preferences.d/* /var/lib/apt/lists/* /var/lib/apt/periodic/* /usr/sbin/policy-rc.d
cp -r `+repo+` /var/repo
printf 'deb [trusted=yes] file:/var/repo/%s ./\n' stable testing >/etc/apt/sources.list
printf 'Package: *\nPin: release a=testing\nPin-Priority: 100\n' >/etc/apt/preferences
`+setup)
}

// layeredHost starts a host whose /usr, /var and /etc are this machine's with a layer of their own on top.
func layeredHost(t *testing.T, setup string) transport.Conn {
	t.Helper()
	s := transporttest.SSHD(t, transporttest.SSHDOptions{Setup: `
mkdir $d/layers
mount -t tmpfs tmpfs $d/layers
for x in usr var; do
	mkdir $d/layers/$x $d/layers/$x.work
	mount -t overlay overlay -o lowerdir=/$x,upperdir=$d/layers/$x,workdir=$d/layers/$x.work /$x
done
` + setup})
	pool := transport.NewPool(transport.PoolOptions{})
	t.Cleanup(func() { _ = pool.Close() })
	conn, err := pool.Open(t.Context(), transport.Endpoint{
		Name: "target", Kind: "ssh", Host: s.Host, Port: s.Port, User: "root",
		KeyFiles: []string{s.KeyFile}, KnownHosts: []string{s.KnownHosts}, Args: []string{"-F", "none"},
	}, transport.Become{})
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// onHost runs a shell script on a host; a status other than 0 fails the test.
func onHost(t *testing.T, conn transport.Conn, script string, args ...string) string {
	t.Helper()
	out, err := conn.Exec(t.Context(), transport.Command{Script: script, Args: args, Env: map[string]string{"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}})
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out.Stdout, out.Stderr)
	}
	return string(out.Stdout)
}

// ansibleThere runs tasks on a host by the ansible-playbook that it has, and gives each one's result.
func ansibleThere(t *testing.T, conn transport.Conn, list []fileTask, check bool) []map[string]any {
	t.Helper()
	var tasks []any
	for _, task := range list {
		tasks = append(tasks, a{task.module.Names[0]: task.args, "ignore_errors": true})
	}
	play, err := json.Marshal([]any{a{"hosts": "localhost", "gather_facts": false, "tasks": tasks}})
	if err != nil {
		t.Fatal(err)
	}
	args := []string{string(play)}
	if check {
		args = append(args, "--check")
	}
	out := onHost(t, conn, `printf %s "$1" >/root/play.yml; shift
cd /root
export LC_ALL=C.UTF-8 ANSIBLE_STDOUT_CALLBACK=json ANSIBLE_PIPELINING=1 ANSIBLE_PYTHON_INTERPRETER=/usr/bin/python3
ansible-playbook -c local -i localhost, play.yml "$@" 2>/root/errors || { cat /root/errors >&2; exit 1; }`, args...)
	return playResults(t, []byte(out), len(list))
}

// playResults reads what the callback json prints of a play on localhost.
func playResults(t *testing.T, out []byte, tasks int) []map[string]any {
	t.Helper()
	_, text, _ := bytes.Cut(append([]byte("\n"), out...), []byte("\n{"))
	var report struct {
		Plays []struct {
			Tasks []struct {
				Hosts map[string]map[string]any `json:"hosts"`
			} `json:"tasks"`
		} `json:"plays"`
	}
	if err := json.Unmarshal(append([]byte("{"), text...), &report); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var results []map[string]any
	for _, task := range report.Plays[0].Tasks {
		results = append(results, task.Hosts["localhost"])
	}
	if len(results) != tasks {
		t.Fatalf("%d results of %d tasks", len(results), tasks)
	}
	return results
}

var aptTasks = []fileTask{
	{packages.Apt, a{"update_cache": true, "update_cache_retries": 1}},
	{packages.Apt, a{"update_cache": true, "cache_valid_time": 36000}},
	{packages.Apt, a{"name": []any{"hp-one", "hp-two"}}},
	{packages.Apt, a{"name": "hp-one,hp-two"}},
	{packages.Apt, a{"name": "hp-nothing"}},
	{packages.Apt, a{"name": "hp-one=1.0"}},
	{packages.Apt, a{"name": "hp-one=1.0", "allow_downgrade": true}},
	{packages.Apt, a{"name": "hp-one"}},
	{packages.Apt, a{"name": "hp-one=1.1", "only_upgrade": true}},
	{packages.Apt, a{"name": "hp-one=9.*"}},
	{packages.Apt, a{"name": "hp-one=1.*"}},
	{packages.Apt, a{"name": "hp-one>=1.0"}},
	{packages.Apt, a{"name": "hp-one", "state": "latest"}},
	{packages.Apt, a{"name": "hp-one", "state": "latest", "default_release": "testing"}},
	{packages.Apt, a{"name": "hp-one", "default_release": "testing"}},
	{packages.Apt, a{"name": "hp-lib"}},
	{packages.Apt, a{"name": "hp-conf=1.0", "install_recommends": false, "policy_rc_d": 101}},
	{packages.Apt, a{"upgrade": "dist"}},
	{packages.Apt, a{"upgrade": "safe"}},
	{packages.Apt, a{"name": "*", "state": "latest"}},
	{packages.Apt, a{"name": "hp-conf", "state": "absent"}},
	{packages.Apt, a{"name": "hp-conf", "state": "absent"}},
	{packages.Apt, a{"name": "hp-conf", "state": "absent", "purge": true}},
	{packages.Apt, a{"name": "hp-conf", "state": "absent", "purge": true}},
	{packages.Apt, a{"name": "hp-conf", "install_recommends": true}},
	{packages.Apt, a{"name": "hp-virtual"}},
	{packages.Apt, a{"name": "hp-virtual"}},
	{packages.Apt, a{"name": "hp-broken"}},
	{packages.Apt, a{"name": "hp-e*"}},
	{packages.Apt, a{"name": "hp-z*"}},
	{packages.Apt, a{"name": []any{"hp-t*", "hp-l?b"}, "state": "absent"}},
	{packages.Apt, a{"name": "hp-extra", "only_upgrade": true}},
	{packages.Apt, a{"name": "hp-two", "only_upgrade": true}},
	{packages.Apt, a{"name": "hp-two", "state": "fixed"}},
	{packages.Apt, a{"name": "hp-two", "state": "absent", "autoremove": true}},
	{packages.Apt, a{"name": "hp-a=1=2"}},
	{packages.Apt, a{"deb": "/var/repo/files/hp-file_1.0_all.deb"}},
	{packages.Apt, a{"deb": "/var/repo/files/hp-file_1.0_all.deb"}},
	{packages.Apt, a{"deb": "/var/repo/files/nothing.deb"}},
	{packages.Apt, a{"name": "hp-file,hp-lib", "state": "absent"}}, // Ansible marks what a file needs as wanted for itself
	{packages.Apt, a{"autoremove": true}},
	{packages.Apt, a{"autoremove": true}},
	{packages.Apt, a{"autoclean": true}},
	{packages.Apt, a{"clean": true}},
	{packages.Apt, a{"name": []any{}}},
}

// packagesScript tells how the tests' packages are on a host.
const packagesScript = `dpkg-query -W -f '${Package} ${Version} ${db:Status-Abbrev}\n' 'hp-*'
apt-mark showmanual | grep ^hp-
ls /etc/hp.conf /usr/sbin/policy-rc.d 2>&1
:`

func TestAptIsAnsibles(t *testing.T) {
	repo := debRepository(t)
	theirs, ours := aptHost(t, repo, ""), aptHost(t, repo, "")
	comparePackages(t, theirs, ours, aptTasks[:1], true, packagesScript)
	comparePackages(t, theirs, ours, aptTasks, false, packagesScript)
	comparePackages(t, theirs, ours, aptChecked, true, packagesScript)
}

// aptChecked are tasks in check mode, after the others.
var aptChecked = []fileTask{
	{packages.Apt, a{"name": "hp-two", "update_cache": true}},
	{packages.Apt, a{"name": "hp-one,hp-extra"}},
	{packages.Apt, a{"name": "hp-one", "state": "absent"}},
	{packages.Apt, a{"name": "hp-one=1.1", "allow_downgrade": true}},
	{packages.Apt, a{"name": "hp-broken"}},
	{packages.Apt, a{"upgrade": "full"}},
	{packages.Apt, a{"deb": "/var/repo/files/hp-file_1.0_all.deb"}},
	{packages.Apt, a{"autoremove": true}},
}

// comparePackages runs tasks by Ansible on one host and by us on another: results and packages, as a script tells them, must be the same.
func comparePackages(t *testing.T, theirs, ours transport.Conn, list []fileTask, check bool, script string) {
	t.Helper()
	want := ansibleThere(t, theirs, list, check)
	for i, task := range list {
		got := ourResult(t, ours, task, "", "", check)
		what := fmt.Sprintf("task %d, %v", i, task.args)
		for _, key := range []string{"failed", "changed", "cache_updated"} {
			if w, g := want[i][key] == true, got[key] == true; w != g && (key != "changed" || want[i]["failed"] != true) {
				t.Errorf("%s: %s is %v, Ansible's is %v: %v, %v", what, key, g, w, got["msg"], want[i]["msg"])
			}
		}
		if want[i]["failed"] == true {
			t.Logf("%s:\n  %v\n  %v", what, want[i]["msg"], got["msg"])
		} else if diff := cmp.Diff(sorted(want[i]["results"]), sorted(got["results"])); diff != "" {
			t.Errorf("%s: results (-Ansible +ours):\n%s", what, diff)
		}
	}
	if diff := cmp.Diff(onHost(t, theirs, script), onHost(t, ours, script)); diff != "" {
		t.Errorf("packages (-Ansible +ours):\n%s", diff)
	}
}

// sorted gives a list's items as text, in order, without what Ansible says of files and groups even where it did nothing with them.
func sorted(list any) []string {
	items, _ := list.([]any)
	var texts []string
	for _, one := range items {
		if text := fmt.Sprint(one); !strings.HasPrefix(text, "Installed /") && !strings.HasPrefix(text, "Group ") {
			texts = append(texts, text)
		}
	}
	slices.Sort(texts)
	return texts
}
