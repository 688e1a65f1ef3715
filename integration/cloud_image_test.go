//go:build integration

package integration

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// tool runs a program of this machine in a folder, which must succeed.
func tool(t *testing.T, dir string, argv ...string) string {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, out)
	}
	return string(out)
}

func sha256Of(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// TestCloudImage has a hypervisor with libvirt fetch images, verified by signed lists, and from the controller; guests stand on them.
func TestCloudImage(t *testing.T) {
	v, bin := startHypervisor(t), hostlerBinary(t)
	v.write("pool.xml", "<pool type='dir'><name>images</name><target><path>/srv</path></target></pool>")
	for _, argv := range [][]string{{"pool-define", "pool.xml"}, {"pool-start", "images"}} {
		v.virsh(argv...)
	}
	site := filepath.Join(v.dir, "site")
	if err := os.MkdirAll(filepath.Join(site, "gpg"), 0o700); err != nil {
		t.Fatal(err)
	}
	gpg := func(args ...string) {
		t.Helper()
		tool(t, site, append([]string{"gpg", "--homedir", filepath.Join(site, "gpg"), "--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase", ""}, args...)...)
	}
	t.Cleanup(func() { _ = exec.Command("gpgconf", "--homedir", filepath.Join(site, "gpg"), "--kill", "all").Run() })
	gpg("--quick-gen-key", "images@example.com", "ed25519", "sign", "never")
	gpg("--armor", "--output", "../ring.asc", "--export")
	gpg("--output", "../ring.gpg", "--export")
	image := func(name, size string) string {
		t.Helper()
		file := filepath.Join(site, name)
		tool(t, site, "qemu-img", "create", "-q", "-f", "qcow2", file, size)
		sum := sha256Of(t, file)
		for list, text := range map[string]string{"SHA256SUMS": sum + " *" + name + "\n", "CHECKSUM": "SHA256 (" + name + ") = " + sum + "\n"} {
			if err := os.WriteFile(filepath.Join(site, list), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		gpg("--detach-sign", "--output", "SHA256SUMS.gpg", "SHA256SUMS")
		gpg("--clearsign", "--output", "CHECKSUM.asc", "CHECKSUM")
		return "base-" + sum[:12] + ".qcow2"
	}
	step, refused := v.steps(bin, "cloud_image: {pool: images, name: base, ")
	from := "url: 'file://" + site + "/debian.qcow2', "
	detached := from + fmt.Sprintf("checksum: 'sha256:file://%[1]s/SHA256SUMS', signature: {url: 'file://%[1]s/SHA256SUMS.gpg', keyring: ring.asc}", site)
	clear := from + fmt.Sprintf("checksum: 'sha256:file://%[1]s/CHECKSUM.asc', signature: {keyring: ring.gpg}", site)

	first := image("debian.qcow2", "10M")
	step(detached, "changed=1")
	if got := v.virsh("vol-list", "images"); !strings.Contains(got, first) {
		t.Errorf("the pool has %s", got)
	}
	v.virsh("define", v.write("d.xml", "<domain type='qemu'><name>vm1</name><memory unit='MiB'>16</memory><os><type>hvm</type></os><devices>"+
		"<disk type='file'><driver name='qemu' type='qcow2'/><source file='/srv/vm1.qcow2'/><target dev='vda'/></disk></devices></domain>"))
	if out, code := v.run("qemu-img", "create", "-q", "-f", "qcow2", "-b", "/srv/"+first, "-F", "qcow2", "/srv/vm1.qcow2"); code != 0 {
		t.Fatal(out)
	}
	second := image("debian.qcow2", "11M")
	step(clear+", keep: 0", "changed=1")
	if got := v.virsh("vol-list", "images"); !strings.Contains(got, first) || !strings.Contains(got, second) {
		t.Errorf("a version that a guest stands on went away: %s", got)
	}
	v.virsh("undefine", "vm1", "--remove-all-storage")
	step(clear+", keep: 0", "changed=1")
	if got := v.virsh("vol-list", "images"); strings.Contains(got, first) || !strings.Contains(got, second) {
		t.Errorf("keep: 0 left %s", got)
	}

	tool(t, v.dir, "xz", "-k", filepath.Join(site, "debian.qcow2"))
	tool(t, v.dir, "mv", filepath.Join(site, "debian.qcow2.xz"), "local.qcow2.xz")
	step("src: local.qcow2.xz, keep: 0", "changed=1")
	step(from+"checksum: 'sha256:"+sha256Of(t, filepath.Join(site, "debian.qcow2"))+"', via: controller", "changed=1")
	if got := v.virsh("vol-list", "images"); !strings.Contains(got, "base-"+sha256Of(t, filepath.Join(v.dir, "local.qcow2.xz"))[:12]+".qcow2") {
		t.Errorf("the pool has %s", got)
	}

	gpg("--detach-sign", "--output", "SHA256SUMS.gpg", "CHECKSUM")
	refused(detached+", refresh: if_newer", "SHA256SUMS is not good: ")
	refused("src: none.qcow2", "none.qcow2")
	v.virsh("pool-destroy", "images")
	refused(clear, "pool images is not active: virt_pool: {name: images, state: active} starts it")
	v.stop()
	refused(clear, "is libvirtd running?")
}
