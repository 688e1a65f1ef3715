//go:build integration

package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/modules/moduletest"
)

// ownDisks runs a command where $1 has, in a mount namespace: ro, a file system that is read-only; full, one without a free page;
// tight, one in which a page is free, and in which the old file has two. In each lie a file and a folder.
const ownDisks = `set -e
d=$1; shift
for f in ro full tight; do
	mkdir "$d/$f"
	mount -t tmpfs -o size=64k none "$d/$f"
	mkdir "$d/$f/in"
	echo 'old = 1' >"$d/$f/old"
	chmod 640 "$d/$f/old"
done
i=0; while [ $i -lt 600 ]; do echo "old = 1 # $i"; i=$((i + 1)); done >"$d/tight/old"
head -c 4096 /dev/zero >"$d/tight/page"
dd if=/dev/zero of="$d/full/filler" bs=4096 2>/dev/null || :
dd if=/dev/zero of="$d/tight/filler" bs=4096 2>/dev/null || :
rm "$d/tight/page"
mount -o remount,ro "$d/ro"
look() { (cd "$d" && find ro full tight -printf '%M %p %s ' \( -type f -exec sha1sum {} \; -o -printf '\n' \) | sort -k 2); }
look
"$@" || echo "ended with $?"
echo AFTER
look
`

// temporary are names of temporary files.
var temporary = regexp.MustCompile(`\.hostler\.\w+`)

// TestNothingHalf lets modules write where nothing can be written: each says what failed and where, and what was there is whole, with
// nothing beside it.
func TestNothingHalf(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root for a mount namespace")
	}
	bin, dir, site := hostlerBinary(t), t.TempDir(), moduletest.NewSite(t, false)
	folder, err := filepath.Abs("../testdata/nothing_half")
	if err != nil {
		t.Fatal(err)
	}
	out, code := playedBy(t, dir, []string{
		"unshare", "--mount", "--propagation", "private", "sh", "-c", ownDisks, "sh", dir,
		bin, "play", "-i", "localhost,", "-c", "local", "-e", "d=" + dir, "-e", "web=" + site.URL, folder + "/play.yml",
	})
	before, rest, _ := strings.Cut(out, "\nPLAY ")
	_, after, ok := strings.Cut(rest, "AFTER\n")
	if code != 0 || !ok || strings.Contains(rest, "ended with") {
		t.Fatalf("it ended with %d:\n%s", code, out)
	}
	if diff := cmp.Diff(strings.TrimSpace(before), strings.TrimSpace(after)); diff != "" {
		t.Errorf("something was written (-before +after):\n%s", diff)
	}
	told, err := os.ReadFile(dir + "/told")
	if err != nil {
		t.Fatal(err)
	}
	got := temporary.ReplaceAllString(strings.NewReplacer(dir, "D", site.URL, "WEB").Replace(string(told)), "TEMP")
	got = backups.ReplaceAllString(got, ".BACKUP")
	want, err := os.ReadFile(folder + "/want")
	if os.Getenv("UPDATE") != "" {
		err = os.WriteFile(folder+"/want", []byte(got), 0o644)
		want = []byte(got)
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("what the modules say (-want +got):\n%s", diff)
	}
}
