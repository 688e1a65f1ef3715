//go:build integration

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ownMachine runs a playbook twice where /etc, /home, /root, /run and what cron and mail keep are copies, in namespaces of its own:
// $1 is the folder that they lie in, $2 a script that is sourced first, the rest the command. What ends with it are its processes,
// mounts and network, which has a loopback and no more. The state afterwards follows a line with STATE. The script may define stopped,
// which ends what it started, and state, which tells of more.
const ownMachine = `set -e
stopped() { :; }
state() { :; }
ip link set lo up
d=$1 prepare=$2; shift 2
mkdir -p "$d/etc" "$d/home" "$d/root" "$d/run" "$d/cron" "$d/mail"
chmod 700 "$d/root"
chmod 1730 "$d/cron"
cp -a /etc/. "$d/etc/"
for f in etc home root run; do mount --bind "$d/$f" "/$f"; done
if [ -d /var/spool/cron/crontabs ]; then chgrp crontab "$d/cron" && mount --bind "$d/cron" /var/spool/cron/crontabs; fi
if [ -d /var/mail ]; then mount --bind "$d/mail" /var/mail; fi
HOME=/root; export HOME
[ ! -e "$prepare" ] || . "$prepare"
"$@" || echo "ended with $?"
echo SECOND
"$@" --skip-tags once || echo "ended with $?"
echo STATE
for f in passwd group gshadow subuid subgid; do echo "== $f"; cat /etc/$f; done
echo == shadow; cut -d: -f1,2,4- /etc/shadow
echo == cron; (cd /etc && grep -r . crontab cron.d sudoers.d; cd /var/spool/cron/crontabs && grep -r . . | grep -v '^[^:]*:# ') 2>/dev/null | sort || :
echo == system; (cd /etc && grep -r . modules-load.d modprobe.d hostname HOSTNAME conf.d sysconfig timezone adjtime default/rcS security/limits.conf security/limits.d) 2>/dev/null | sort || :
readlink /etc/localtime || :
echo == told; cat /home/told 2>/dev/null || :
echo == links; (cd /root && find .config -type l 2>/dev/null | sort) || :
echo == files; (find /home /etc/sudoers.d /etc/cron.d -printf '%M %u %g %s %p %l\n' | sed 's/^\(d.*\) [0-9]* \(\/.*\)/\1 \2/' | sort -k 5) || :
state
stopped
`

// TestMachineIsAnsibles runs each playbook of testdata/machine by ansible-playbook and by us, each on a copy of this machine's
// accounts and settings: what tasks come to and the state afterwards must be the same. A second run of both, without tasks that are
// tagged once, must change nothing.
func TestMachineIsAnsibles(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root for a mount namespace")
	}
	byBoth(t, "../testdata/machine/*.yml", onOwnMachine)
}

// TestMachineOwn runs the playbooks of testdata/machine/own, whose modules Ansible does not have or not in this version: they assert
// what is to come of them, and a second run must change nothing.
func TestMachineOwn(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root for a mount namespace")
	}
	bin := hostlerBinary(t)
	plays, err := filepath.Glob("../testdata/machine/own/*.yml")
	if err != nil || len(plays) == 0 {
		t.Fatal(plays, err)
	}
	for _, file := range plays {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yml"), func(t *testing.T) {
			t.Parallel()
			onOwnMachine(t, file, bin, "play")
		})
	}
}

// onOwnMachine gives what tasks came to in the first run, and the state after the second.
func onOwnMachine(t *testing.T, file string, program ...string) (outcome, state string) {
	t.Helper()
	dir := t.TempDir()
	file, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	argv := []string{
		"unshare", "--net", "--uts", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", ownMachine, "sh",
		dir, strings.TrimSuffix(file, ".yml") + ".sh",
	}
	argv = append(argv, program...)
	argv = append(argv, "-i", "localhost,", "-c", "local", "-e", "ansible_python_interpreter=/usr/bin/python3", file)
	out, code := playedBy(t, dir, argv)
	first, rest, ok1 := strings.Cut(out, "SECOND\n")
	second, state, ok2 := strings.Cut(rest, "STATE\n")
	if code != 0 || !ok1 || !ok2 || strings.Contains(first, "ended with") {
		t.Errorf("%v ended with %d:\n%s", program, code, out)
	}
	if again := strings.Join(outcomes.FindAllString(second, -1), "\n"); !strings.Contains(again, " changed=0 ") {
		t.Errorf("the second run of %v changes something:\n%s", program, second)
	}
	return strings.Join(outcomes.FindAllString(first, -1), "\n"), state
}
