package virt

import (
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/modules"
)

// storageLook is a piece of domainProbe: who uses what. $1 is the domain, $__all the names of all. It tells of the domain's own disks
// (own.N: path, pool or "", file, block or none, the path without links), of what others have (other.N: the domain, then paths) and of the volumes of all
// active pools that stand on something (stands: the volume's path and what it stands on, in turns).
const storageLook = `command -v qemu-img >/dev/null 2>&1 || { say fail "the host has no program qemu-img, which tells what stands on a disk; it comes with the package qemu-utils (Debian, Ubuntu) or qemu-img"; exit 0; }
real() { readlink -f -- "$1" 2>/dev/null || printf '%s\n' "$1"; }
paths() {
	for __w in "" --inactive; do v dumpxml "$1" $__w </dev/null 2>/dev/null; done | sed -n \
		-e "s/.*<source file='\([^']*\)'.*/\1/p" -e "s/.*<source dev='\([^']*\)'.*/\1/p" | sort -u
	v dumpxml "$1" --inactive </dev/null 2>/dev/null | sed -n "s/.*<source pool='\([^']*\)' volume='\([^']*\)'.*/\1\n\2/p" | while IFS= read -r __p && IFS= read -r __v; do
		v vol-path --pool "$__p" --vol "$__v" </dev/null 2>/dev/null
	done | sed '/^$/d'
}
chain() { [ ! -e "$1" ] || qemu-img info -U --backing-chain --output=json -- "$1" </dev/null 2>/dev/null | sed -n 's/.*"full-backing-filename": "\(.*\)",\{0,1\}$/\1/p'; }
say own.0 ""
k=0
while IFS= read -r f; do
	[ -n "$f" ] || continue
	k=$((k + 1)); p=$(v vol-pool "$f" </dev/null 2>/dev/null)
	kind=none; [ ! -f "$f" ] || kind=file; [ ! -b "$f" ] || kind=block
	say "own.$k" "$f
$p
$kind
$(real "$f")"
done <<LIST
$(paths "$1")
LIST
k=0
printf '%s\n' "$__all" | while IFS= read -r n; do
	[ -n "$n" ] && [ "$n" != "$1" ] || continue
	k=$((k + 1))
	say "other.$k" "$n
$(paths "$n" | while IFS= read -r f; do real "$f"; chain "$f" | while IFS= read -r b; do real "$b"; done; done)"
done
say stands "$(v pool-list --name </dev/null 2>/dev/null | sed 's/ *$//' | while IFS= read -r p; do
	[ -n "$p" ] || continue
	v vol-list --pool "$p" </dev/null 2>/dev/null | sed -n 's/^ .*[^ ]  *\(\/.*[^ ]\) *$/\1/p' | while IFS= read -r f; do
		b=$(v vol-dumpxml --vol "$f" </dev/null 2>/dev/null | sed -n '/<backingStore>/,/<\/backingStore>/s/.*<path>\(.*\)<\/path>.*/\1/p')
		if [ -n "$b" ]; then printf '%s\n' "$f"; real "$b"; fi
	done
done)"`

// storedDisk is where the data of one disk are, and why they are not to be removed, "" when they are.
type storedDisk struct{ target, path, kept string }

// parseStorage reads what storageLook told.
func parseStorage(r *modules.Report, config *libvirt.Node) []storedDisk {
	users := map[string]string{}
	for k := 1; r.Has("other." + strconv.Itoa(k)); k++ {
		lines := r.Lines("other." + strconv.Itoa(k))
		for _, path := range lines[1:] {
			users[path] = "domain " + lines[0] + " uses it"
		}
	}
	stands := r.Lines("stands")
	for i := 0; i+1 < len(stands); i += 2 {
		if users[stands[i+1]] == "" {
			users[stands[i+1]] = "volume " + stands[i] + " stands on it"
		}
	}
	found := map[string][]string{}
	for k := 1; r.Has("own." + strconv.Itoa(k)); k++ {
		lines := strings.Split(r.Text("own."+strconv.Itoa(k)), "\n")
		if len(lines) == 4 {
			found[lines[0]] = lines[1:]
		}
	}
	var disks []storedDisk
	for _, disk := range config.At("devices").All("disk") {
		d := storedDisk{target: disk.At("target").Attr("dev"), path: diskSource(disk)}
		if d.path == "" {
			continue // an empty drive
		}
		if pool, volume := disk.At("source").Attr("pool"), disk.At("source").Attr("volume"); volume != "" {
			d.path = pool + "/" + volume
		}
		d.kept = whyKept(disk, d.path, found, users)
		disks = append(disks, d)
	}
	return disks
}

// whyKept says why the data of a disk are not removed.
func whyKept(disk *libvirt.Node, path string, found map[string][]string, users map[string]string) string {
	here, ok := found[path]
	switch kind := disk.Attr("device"); {
	case kind == "cdrom" || kind == "floppy":
		return "it is a medium (" + kind + ")"
	case disk.At("readonly") != nil:
		return "it is read-only"
	case disk.At("shareable") != nil:
		return "it is shareable"
	case disk.Attr("type") == "volume":
		return "it is named by pool and volume: virt_volume removes it"
	case disk.Attr("type") == "network" || !ok:
		return "it is not on this host"
	case users[here[2]] != "":
		return users[here[2]]
	case here[1] == "none":
		return "it is not there"
	case here[1] == "block" && here[0] == "":
		return "it is a block device of no pool"
	}
	return ""
}

// removeScript: URI, path. A volume is removed by its pool, which then knows.
const removeScript = `if virsh -q -c "$1" vol-pool "$2" >/dev/null 2>&1; then exec virsh -q -c "$1" vol-delete --vol "$2"; fi
rm -f -- "$2"`

// planStorage removes the data of the disks.
func (j *virtJob) planStorage(d domain) []modules.Action {
	var actions []modules.Action
	j.removed, j.kept = nil, nil
	for _, disk := range d.disks {
		if disk.kept != "" {
			if j.kept == nil {
				j.kept = map[string]string{}
			}
			j.kept[disk.target] = disk.path + ": " + disk.kept
			continue
		}
		j.removed = append(j.removed, disk.path)
		actions = append(actions, modules.Action{
			Why: "remove " + disk.path + ", disk " + disk.target + " of domain " + j.Name, Script: removeScript, Args: []string{string(j.URI), disk.path},
		})
	}
	return actions
}
