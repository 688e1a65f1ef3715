//go:build e2e

package e2e

import "testing"

// settingsState is what the machine itself says of its settings. Cron writes down the boot in which it last ran the job; that it does is
// waited for.
const settingsState = `
has() { case " $(cat /proc/cmdline) " in *" $1 "*) echo "$1" ;; *) echo "no $1" ;; esac; }
has transparent_hugepage=never
has hostler.mark=1
has quiet
cat /sys/kernel/mm/transparent_hugepage/enabled
cat /sys/module/nbd/parameters/nbds_max
cat /proc/sys/vm/swappiness
hostnamectl --static
hostnamectl --pretty
uname -n
getent hosts node7.example.com
timedatectl show -p Timezone --value
date -d 2026-01-01 +%Z
systemctl show -P ActiveState -P UnitFileState note.timer | grep .
until [ "$(cat /var/lib/cron-note)" = "$(cat /proc/sys/kernel/random/boot_id)" ]; do sleep 1; done
`

// TestSettingsSurviveReboot: settings of a kernel and of systemd hold now and after the reboot that the playbook itself does, and
// the second run has nothing to do, also no reboot.
func TestSettingsSurviveReboot(t *testing.T) {
	bin := hostler(t)
	l := boot(t, spec{name: "node", image: "debian"})
	p, node := player{program: []string{bin, "play"}, inventory: l.inventory(t)}, l.machines[0]

	before := node.bootID(t)
	if got, want := p.play(t, "testdata/settings/site.yml"), "node=9"; got != want {
		t.Errorf("first run: %s, want %s", got, want)
	}
	if node.bootID(t) == before {
		t.Fatal("the machine has not started anew")
	}
	node.ready(t)
	want := `transparent_hugepage=never
hostler.mark=1
no quiet
always madvise [never]
3
7
node7.example.com
Node Seven
node7.example.com
127.0.1.1       node7.example.com node7
Europe/Berlin
CET
active
enabled
`
	if got := node.sh(t, settingsState); got != want {
		t.Errorf("after the reboot:\n%s\nwant\n%s", got, want)
	}
	before = node.bootID(t)
	if got, want := p.play(t, "testdata/settings/site.yml"), "node=0"; got != want {
		t.Errorf("second run: %s, want %s", got, want)
	}
	if node.bootID(t) != before {
		t.Error("the second run has rebooted the machine")
	}
}
