package system

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/moduletest"
	"github.com/hostlerhq/hostler/transport/transporttest"
)

func TestKernelCmdline(t *testing.T) {
	moduletest.Run(t, KernelCmdline, "testdata/kernel_cmdline/*.txtar")
}

func TestKernelCmdlineEdit(t *testing.T) {
	const head = "GRUB_TIMEOUT=5\n"
	for _, c := range []struct {
		what, parameters string
		state            modules.Presence
		several          bool
		text, want       string
	}{
		{"new", "iommu=pt", modules.Present, false, "GRUB_CMDLINE_LINUX=\"quiet\"\n", "GRUB_CMDLINE_LINUX=\"quiet iommu=pt\"\n"},
		{"no variable", "iommu=pt", modules.Present, false, "", "GRUB_CMDLINE_LINUX=\"iommu=pt\"\n"},
		{"there for regular entries", "quiet", modules.Present, false, "GRUB_CMDLINE_LINUX_DEFAULT='quiet'\n", "GRUB_CMDLINE_LINUX_DEFAULT='quiet'\n"},
		{
			"another value in both", "iommu=pt", modules.Present, false, "GRUB_CMDLINE_LINUX=iommu=off\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet iommu=on\"\n",
			"GRUB_CMDLINE_LINUX=\"iommu=pt\"\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n",
		},
		{"one more console", "console=ttyS0", modules.Present, true, "GRUB_CMDLINE_LINUX=\"console=tty0\"\n", "GRUB_CMDLINE_LINUX=\"console=tty0 console=ttyS0\"\n"},
		{"any value goes", "console", modules.Absent, false, "GRUB_CMDLINE_LINUX=\"console=tty0 ro console=ttyS0\"\n", "GRUB_CMDLINE_LINUX=\"ro\"\n"},
		{"one value goes", "console=tty0", modules.Absent, false, "GRUB_CMDLINE_LINUX=\"console=tty0 console=ttyS0\"\n", "GRUB_CMDLINE_LINUX=\"console=ttyS0\"\n"},
		{"as the kernel reads names", "transparent-hugepage=never", modules.Present, false, "GRUB_CMDLINE_LINUX=\"transparent_hugepage=always\"\n", "GRUB_CMDLINE_LINUX=\"transparent-hugepage=never\"\n"},
		{"nothing to go", "nosmt", modules.Absent, false, "GRUB_CMDLINE_LINUX=\"quiet\"\n", "GRUB_CMDLINE_LINUX=\"quiet\"\n"},
	} {
		a := KernelCmdlineArgs{Parameters: strings.Fields(c.parameters), State: c.state, Several: c.several}
		got := a.editGrub(head + c.text)
		if got != head+c.want {
			t.Errorf("%s: %q, want %q", c.what, got, head+c.want)
		}
		if again := a.editGrub(got); again != got {
			t.Errorf("%s, again: %q", c.what, again)
		}
	}
}

// TestKernelCmdlineKilled kills the change while the menu is made: the file must be the old one, or a second run would see nothing to do.
func TestKernelCmdlineKilled(t *testing.T) {
	transporttest.Installed(t, "busybox")
	for _, shell := range [][]string{{"dash"}, {"busybox", "sh"}} {
		dir := t.TempDir()
		grub := filepath.Join(dir, "grub")
		for name, maker := range map[string]string{"new": "exit 0", "old": "kill $P; kill $$", "failed": "exit 3"} {
			if err := os.WriteFile(grub, []byte("old"), 0o640); err != nil {
				t.Fatal(err)
			}
			script := "P=$$; export P\n" + strings.ReplaceAll(kernelCmdlineWrite, grubDefaults, grub)
			cmd := exec.Command(shell[0], append(shell[1:], "-c", script, "sh", "sh", "-c", maker)...)
			cmd.Stdin = strings.NewReader("new")
			out, err := cmd.CombinedOutput()
			want := "new"
			if name != "new" {
				want = "old"
			}
			if text, _ := os.ReadFile(grub); string(text) != want || (err == nil) != (name == "new") {
				t.Errorf("%s, %s: the file is %q, %v: %s", shell[0], name, text, err, out)
			}
			if entries, _ := os.ReadDir(dir); len(entries) != 1 {
				t.Errorf("%s, %s: left behind: %v", shell[0], name, entries)
			}
		}
	}
}

func TestKernelCmdlineMistakes(t *testing.T) {
	const hint = " (one is NAME or NAME=VALUE, without blanks, quotes, $ and \\)"
	refused(t, KernelCmdline, nil, []mistake{
		{`"iommu = pt" is no kernel parameter` + hint, []any{"parameters", "iommu = pt"}},
		{`"x=$(reboot)" is no kernel parameter` + hint, []any{"parameters", "x=$(reboot)"}},
		{`"-x" is no kernel parameter` + hint, []any{"parameters", "-x"}},
		{"parameters has both iommu=pt and iommu=on (several: true lets them stand together)", []any{"parameters", "iommu=pt,iommu=on"}},
	})
}
