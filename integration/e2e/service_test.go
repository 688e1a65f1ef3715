//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"testing"
)

// repository makes an apt repository of one package from a folder with what it installs.
func repository(t *testing.T, source string) string {
	t.Helper()
	repo, tree := t.TempDir(), filepath.Join(t.TempDir(), "tree")
	if err := os.CopyFS(tree, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(tree, "usr/sbin/tally"), 0o755); err != nil {
		t.Fatal(err)
	}
	local(t, "dpkg-deb", "--root-owner-group", "-b", tree, repo)
	local(t, "sh", "-c", `cd "$1" && apt-ftparchive packages . >Packages && apt-ftparchive release . >.Release && mv .Release Release`, "sh", repo)
	return repo
}

// serviceState is what systemd itself says of the service, its timer and the machine's name, and the log of what was done to it.
const serviceState = `
systemctl show -P ActiveState -P UnitFileState tally.service tally-report.timer | grep .
hostnamectl --static
uname -n
cat /var/lib/tally/log
`

// TestRoleKeepsService: a role installs, configures, enables, starts, reloads, restarts and removes a service of a real systemd; what
// it did survives a reboot.
func TestRoleKeepsService(t *testing.T) {
	bin, repo := hostler(t), repository(t, "testdata/service/package")
	l := boot(t, spec{name: "web", image: "debian"})
	p, web := player{program: []string{bin, "play"}, inventory: l.inventory(t)}, l.machines[0]
	site := []string{"testdata/service/site.yml", "-e", "repository=" + repo}
	expect := func(step, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s:\ngot  %q\nwant %q", step, got, want)
		}
	}
	states := "active\nenabled\nactive\nenabled\ntally-host\ntally-host\n"
	log := "start first level=1\nreload first level=1\nstop first level=1\nstart first level=1\n" // both handlers were notified

	if got := p.play(t, site...); got == "web=0" {
		t.Errorf("the first run changes nothing")
	}
	expect("first run", web.sh(t, serviceState), states+log)
	expect("second run", p.play(t, site...), "web=0")

	p.play(t, append(site, "-e", "tally_level=2")...)
	log += "reload first level=2\n"
	expect("reload", web.sh(t, serviceState), states+log)

	p.play(t, append(site, "-e", "tally_level=2 tally_name=second")...)
	log += "stop second level=2\nstart second level=2\n"
	expect("restart", web.sh(t, serviceState), states+log)

	before := web.bootID(t)
	p.play(t, "testdata/service/reboot.yml")
	if web.bootID(t) == before {
		t.Fatal("the machine has not started anew")
	}
	web.ready(t)
	log += "stop second level=2\nstart second level=2\n"
	expect("reboot", web.sh(t, serviceState), states+log)
	expect("after the reboot", p.play(t, append(site, "-e", "tally_level=2 tally_name=second")...), "web=0")

	p.play(t, "testdata/service/remove.yml")
	expect("removed", web.sh(t, `
systemctl is-active tally.service tally-report.timer
systemctl list-unit-files --no-legend 'tally*'
ls -d /etc/tally* /var/lib/tally /srv/repository 2>/dev/null
grep -rs srv/repository /etc/apt/sources.list.d
dpkg-query -W -f '${db:Status-Status}' tally 2>/dev/null
:`), "inactive\ninactive\n")
	expect("removed again", p.play(t, "testdata/service/remove.yml"), "web=0")
}
