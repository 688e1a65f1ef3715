//go:build integration

package integration

import (
	"strings"
	"testing"
)

// TestWaitForGuests waits for a guest whose address the host's ARP table knows, and for something that listens there; what never comes is told of.
func TestWaitForGuests(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	play := func(args string) (string, int) {
		return v.play(v.write("play.yml", "- hosts: all\n  gather_facts: false\n  tasks:\n    - vm_wait: {"+args+"}\n      register: r\n    - debug: {var: r.vms}\n"), bin, "play")
	}
	v.virsh("net-define", v.write("n.xml", "<network><name>lab</name><bridge name='hvlab0'/><ip address='10.77.0.1' prefix='24'/></network>"))
	v.virsh("net-start", "lab")
	v.virsh("define", v.write("d.xml", `<domain type='qemu'><name>g</name><memory unit='MiB'>16</memory><os><type>hvm</type></os><devices>
<interface type='network'><mac address='52:54:00:AB:00:01'/><source network='lab'/></interface></devices></domain>`))
	if out, code := play("name: g, timeout: 1s, interval: 1s"); code == 0 || !strings.Contains(out, "g: no running after 1 s: shut off, no address") {
		t.Errorf("a guest that is off: ended with %d:\n%s", code, out)
	}
	v.virsh("start", "g")
	if out, code := play("name: g"); code != 0 {
		t.Errorf("a guest that runs: ended with %d:\n%s", code, out)
	}
	if out, code := play("names: [g, gone], for: [ip], timeout: 1s, interval: 1s"); code == 0 ||
		!strings.Contains(out, "g: no ip after 1 s: running, no address; it has no address") ||
		!strings.Contains(out, "gone: no ip after 1 s: absent, no address; it does not run") {
		t.Errorf("guests without an address: ended with %d:\n%s", code, out)
	}
	// The guest has no system; the host itself answers in its place, under an address that the ARP table gives for it.
	if out, code := v.run("sh", "-c", `ip address add 10.77.0.9/32 dev lo && ip neigh replace 10.77.0.9 lladdr 52:54:00:ab:00:01 nud permanent dev hvlab0`); code != 0 {
		t.Fatalf("neighbour: %s", out)
	}
	if out, code := play("name: g, for: [ip], cidr: 10.77.0.0/24, timeout: 60s"); code != 0 || !strings.Contains(out, "10.77.0.9") {
		t.Errorf("a guest with an address: ended with %d:\n%s", code, out)
	}
	listener := v.command("python3", "-c", `import socket
s = socket.create_server(("10.77.0.9", 2222)); print("listening", flush=True)
while True:
    c, _ = s.accept(); c.close()`)
	said, err := listener.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Process.Kill(); _ = listener.Wait() }()
	if _, err := said.Read(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	if out, code := play("name: g, for: ['port:2222'], timeout: 60s"); code != 0 {
		t.Errorf("something that listens: ended with %d:\n%s", code, out)
	}
	if out, code := play("name: g, for: ['port:2223'], timeout: 1s, interval: 1s"); code == 0 || !strings.Contains(out, "g: no port:2223 after 1 s: running, 10.77.0.9") {
		t.Errorf("nothing that listens: ended with %d:\n%s", code, out)
	}
}

// agentGuest stands for virsh and a guest whose agent runs what it is asked to.
const agentGuest = `#!/usr/bin/python3
import base64, json, subprocess, sys
line = " ".join(sys.argv[1:])
if "list --all --name" in line: print("g")
elif "domstate" in line: print("running")
elif "qemu-agent-command" in line:
    cmd = json.loads(sys.argv[-1])
    if cmd["execute"] == "guest-exec":
        a = cmd["arguments"]
        out = subprocess.run([a["path"], *a["arg"]], stdout=subprocess.PIPE).stdout
        open("/run/agent.out", "wb").write(out)
        print(json.dumps({"return": {"pid": 77}}, separators=(",", ":")))
    elif cmd["execute"] == "guest-exec-status" and cmd["arguments"]["pid"] == 77:
        print(json.dumps({"return": {"exitcode": 0, "out-data": base64.b64encode(open("/run/agent.out", "rb").read()).decode(), "exited": True}}, separators=(",", ":")))
`

// TestWaitForCloudInit asks a guest's agent for cloud-init, which is scripted here: for one that tells, one that only left its result, and one
// that failed; and tells what a real guest said on its serial console.
func TestWaitForCloudInit(t *testing.T) {
	v := startHypervisor(t)
	bin := hostlerBinary(t)
	v.run("mkdir", "-p", "/srv/bin", "/run/cloud-init")
	program := func(name, text string) {
		if out, code := v.run("sh", "-c", "cat >/srv/bin/"+name+" <<'TEXT'\n"+text+"\nTEXT\nchmod 755 /srv/bin/"+name); code != 0 {
			t.Fatal(out)
		}
	}
	play := func(args, env string) (string, int) {
		return v.play(v.write("play.yml", "- hosts: all\n  gather_facts: false\n  environment: {PATH: '"+env+"'}\n  tasks:\n    - vm_wait: {"+args+"}\n"), bin, "play")
	}
	const stub = "/srv/bin:/usr/bin:/bin"
	program("virsh", agentGuest)
	program("cloud-init", `#!/bin/sh
[ "$*" = 'status --format json' ] || exit 3
echo '{"status": "done", "errors": [], "recoverable_errors": {"WARNING": ["no such key: runcmdd"]}}'; exit 2`)
	if out, code := play("name: g, for: [cloud_init]", stub); code != 0 || !strings.Contains(out, "cloud-init of g: WARNING: no such key: runcmdd") {
		t.Errorf("done, degraded: ended with %d:\n%s", code, out)
	}
	program("cloud-init", "#!/bin/sh\necho '{\"status\": \"error\", \"errors\": [\"no disk\"]}'; exit 1")
	if out, code := play("name: g, for: [cloud_init], timeout: 1h", stub); code == 0 || !strings.Contains(out, "cloud-init failed: no disk") {
		t.Errorf("failed: ended with %d:\n%s", code, out)
	}
	program("cloud-init", "#!/bin/sh\necho 'unrecognized arguments: --format' >&2; exit 2")
	if out, code := play("name: g, for: [cloud_init], timeout: 1s", stub); code == 0 || !strings.Contains(out, "cloud-init is not done") {
		t.Errorf("no result: ended with %d:\n%s", code, out)
	}
	v.run("sh", "-c", `echo '{"v1": {"datasource": "DataSourceNoCloud", "errors": []}}' >/run/cloud-init/result.json`)
	if out, code := play("name: g, for: [cloud_init]", stub); code != 0 {
		t.Errorf("by its result: ended with %d:\n%s", code, out)
	}

	v.virsh("define", v.buttonGuest("said"))
	v.virsh("start", "said")
	v.listens("said")
	if out, code := play("name: said, for: [ip, ssh], timeout: 1s", "/usr/bin:/bin"); code == 0 ||
		!strings.Contains(out, "it has no address, and its network card has sent nothing: did it boot?; its serial console ends in \\\"R\\\"") {
		t.Errorf("the console: ended with %d:\n%s", code, out)
	}
}
