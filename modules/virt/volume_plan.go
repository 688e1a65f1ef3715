package virt

import (
	"context"
	"fmt"
	"path"
	"strconv"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

// volumeJob is one run of virt_volume.
type volumeJob struct {
	VolumeArgs
	host *modules.Host
	want *libvirt.Node // of xml
	once bool          // a command was planned already
}

// plan leads from how a volume is to what is asked.
func (j *volumeJob) plan(d volume) ([]modules.Action, error) {
	if j.Command != "" {
		if j.once {
			return nil, nil
		}
		j.once = true
	}
	switch {
	case j.State == "present", j.Command == "create", j.Command == "create_from":
		return j.planPresent(d)
	case !d.exists && j.State != "":
		return nil, nil
	case !d.exists:
		return nil, libvirt.NotThere("volume", j.Name)
	case j.State == "deleted":
		return []modules.Action{j.script("look who uses", usersScript, d), j.virsh("overwrite", "vol-wipe"), j.script("delete", deleteVolumeScript, d)}, nil
	case j.State == "absent", j.Command == "delete":
		return []modules.Action{j.script("delete", deleteVolumeScript, d)}, nil
	case j.Command == "wipe":
		return []modules.Action{j.script("look who uses", usersScript, d), j.virsh("overwrite", "vol-wipe")}, nil
	case j.Command == "resize":
		return j.planSize(d)
	}
	return nil, nil
}

func (j *volumeJob) virsh(why, command string, args ...string) modules.Action {
	return virsh(j.Place, why+" volume "+j.Name+" of pool "+j.Pool, append([]string{command, "--pool", j.Pool, "--vol", j.Name}, args...)...)
}

func (j *volumeJob) planPresent(d volume) ([]modules.Action, error) {
	if j.want != nil {
		if err := checkXML(j.host, j.want, d.version, false); err != nil {
			return nil, err
		}
	}
	if j.ContentFrom != "" && (!d.exists || d.unfinished) {
		return j.planContent(d)
	}
	if d.exists {
		if err := j.same(d); err != nil || j.Capacity == 0 && j.want == nil {
			return nil, err
		}
		return j.planSize(d)
	}
	if (j.Backing.Volume != "" || j.Backing.Path != "") && d.base.path == "" {
		return nil, libvirt.NotThere("volume", j.Backing.Volume)
	}
	doc, err := j.build(d, int64(j.Capacity))
	if err != nil {
		return nil, err
	}
	if j.CloneFrom.Volume != "" {
		from := j.CloneFrom.Pool
		if from == "" {
			from = j.Pool
		}
		return []modules.Action{withFile(j.Place, "copy volume "+j.CloneFrom.Volume+" of pool "+from+" to "+j.Name+" of pool "+j.Pool, doc.String(), "--file",
			"vol-create-from", "--pool", j.Pool, "--vol", j.CloneFrom.Volume, "--inputpool", from)}, nil
	}
	args := []string{"vol-create", "--pool", j.Pool} // without --validate, which libvirt 9.0 offers and then refuses
	if j.Preallocation == "metadata" {
		args = append(args, "--prealloc-metadata")
	}
	return []modules.Action{withFile(j.Place, "create volume "+j.Name+" in pool "+j.Pool, doc.String(), "--file", args...)}, nil
}

// build makes the definition of a new volume of a capacity in bytes, 0 for that of its origin.
func (j *volumeJob) build(d volume, capacity int64) (*libvirt.Node, error) {
	if j.want != nil {
		return j.want.Clone(), nil
	}
	linked := d.base.path != ""
	switch {
	case linked && capacity == 0:
		capacity = d.base.capacity
	case linked && capacity < d.base.capacity:
		// qemu-img makes such a clone without a word, and the end of the file system in it is lost.
		return nil, fmt.Errorf("a linked clone of %d bytes is smaller than what it stands on (%s: %d bytes)", capacity, d.base.path, d.base.capacity)
	case capacity == 0 && j.CloneFrom.Volume == "" && j.ContentFrom == "":
		return nil, fmt.Errorf("volume '%s' not present, but xml not specified (nor capacity, backing, clone_from or content_from)", j.Name)
	}
	format := string(j.Format)
	if linked {
		format = "qcow2"
	}
	doc := libvirt.New("volume", "").Add(libvirt.New("name", j.Name), libvirt.New("capacity", strconv.FormatInt(capacity, 10), "unit", "bytes"))
	if j.Preallocation == "full" {
		doc.Add(libvirt.New("allocation", strconv.FormatInt(capacity, 10), "unit", "bytes"))
	} else if j.CloneFrom.Volume == "" && d.kind != "logical" {
		// Of a volume group libvirt would make a snapshot of nothing that has room for a kilobyte.
		doc.Add(libvirt.New("allocation", "0", "unit", "bytes"))
	}
	target := libvirt.New("target", "")
	if format != "" {
		target.Add(libvirt.New("format", "", "type", format))
	}
	if p := j.Permissions.build(); p != nil {
		target.Add(p)
	}
	if len(target.Nodes) > 0 {
		doc.Add(target)
	}
	if linked {
		doc.Add(libvirt.New("backingStore", "").Add(libvirt.New("path", d.base.path), libvirt.New("format", "", "type", d.base.format)))
	}
	return doc, nil
}

// same refuses a volume of another kind: to make it anew would lose its data.
func (j *volumeJob) same(d volume) error {
	format, backing := d.doc.At("target", "format").Attr("type"), d.doc.Val("backingStore", "path")
	wantFormat, wantBacking := string(j.Format), d.base.path
	if j.want != nil {
		wantFormat, wantBacking = j.want.At("target", "format").Attr("type"), j.want.Val("backingStore", "path")
	}
	linked := wantBacking != ""
	switch {
	case wantFormat != "" && format != "" && !j.sameFormat(format, wantFormat):
		return fmt.Errorf("volume %s of pool %s is there with format %s, wanted %s: it is not made anew, for its data would be lost", j.Name, j.Pool, format, wantFormat)
	case linked && path.Clean(wantBacking) != path.Clean(backing):
		return fmt.Errorf("volume %s of pool %s stands on %q, wanted %s: it is not made anew, for its data would be lost", j.Name, j.Pool, backing, wantBacking)
	}
	return nil
}

// grain is what a pool rounds capacities up to, in bytes.
func grain(kind string) int64 {
	switch kind {
	case "logical":
		return 64 << 20 // extents: 4 MiB unless the group was made otherwise
	case "rbd", "disk":
		return 4 << 20
	}
	return 512
}

// planSize brings a volume to its capacity.
func (j *volumeJob) planSize(d volume) ([]modules.Action, error) {
	want := int64(j.Capacity)
	if j.want != nil {
		want, _ = libvirt.Bytes(j.want.At("capacity"), "bytes")
	}
	size := strconv.FormatInt(want, 10)
	switch {
	case want == 0 || j.Resize == "never" && j.Command == "", d.capacity >= want && d.capacity-want < grain(d.kind):
		return nil, nil
	case d.capacity < want:
		why := fmt.Sprintf("grow volume %s of pool %s from %d to %d bytes", j.Name, j.Pool, d.capacity, want)
		return []modules.Action{{Why: why, Script: growScript, Args: []string{string(j.URI), j.Pool, j.Name, d.doc.Val("target", "path"), size}}}, nil
	case j.Resize != "exact" && j.Command == "":
		return nil, nil // larger than asked is enough
	case j.ConfirmShrink != j.Name:
		return nil, fmt.Errorf("volume %s of pool %s would shrink from %d to %d bytes, and what lies behind is lost: confirm_shrink: %s does it", j.Name, j.Pool, d.capacity, want, j.Name)
	}
	return []modules.Action{j.script("look who uses", usersScript, d), j.virsh("shrink", "vol-resize", "--capacity", size, "--shrink")}, nil
}

// usersLib: URI, pool, volume, path. users gives the running domains that use the volume.
const usersLib = `uri=$1 pool=$2 vol=$3 path=$4
v() { virsh -q -c "$uri" "$@"; }
users() {
	v list --name | while IFS= read -r d; do
		[ -n "$d" ] || continue
		v dumpxml --domain "$d" | grep -F -e "='$path'" -e "pool='$pool' volume='$vol'" >/dev/null && printf '%s\n' "$d"
	done
	:
}
`

// growScript: URI, pool, volume, path, bytes. What a running domain uses only that can let grow.
const growScript = usersLib + `d=$(users | head -n 1)
if [ -n "$d" ]; then v blockresize --domain "$d" --path "$path" --size "${5}B" && v pool-refresh "$pool"; else v vol-resize --pool "$pool" --vol "$vol" --capacity "$5"; fi`

// usersScript: URI, pool, volume, path, yes to go on all the same.
const usersScript = usersLib + `[ "$5" = yes ] && exit 0
u=$(users | tr '\n' ' ')
[ -z "$u" ] || { echo "running domains use it: $u(force: true does it all the same)" >&2; exit 1; }
v vol-list --pool "$pool" | sed 's/^ *//; s/  .*//' | while IFS= read -r o; do
	[ -n "$o" ] && [ "$o" != "$vol" ] || continue
	v vol-dumpxml --pool "$pool" --vol "$o" 2>/dev/null | sed -n '/<backingStore>/,/<\/backingStore>/p' | grep -F -e "<path>$path</path>" >/dev/null && printf '%s ' "$o"
done | { read -r o; [ -z "$o" ] || { echo "other volumes stand on it: $o (force: true does it all the same)" >&2; exit 1; }; }`

// deleteVolumeScript is usersScript, and then the end of the volume.
const deleteVolumeScript = "(" + usersScript + "\n) || exit 1\n" + `virsh -q -c "$1" vol-delete --pool "$2" --vol "$3"`

func (j *volumeJob) script(why, script string, d volume) modules.Action {
	force := "no"
	if j.Force {
		force = "yes"
	}
	return modules.Action{
		Why: why + " volume " + j.Name + " of pool " + j.Pool, Script: script,
		Args: []string{string(j.URI), j.Pool, j.Name, d.doc.Val("target", "path"), force},
	}
}

func (j *volumeJob) diff(before, after volume) []modules.Diff {
	header := "volume " + j.Name + " of pool " + j.Pool
	if before.shown() == after.shown() {
		return nil
	}
	return []modules.Diff{{Before: before.shown() + "\n", After: after.shown() + "\n", BeforeHeader: header, AfterHeader: header}}
}

func (d volume) shown() string {
	if !d.exists {
		return "absent"
	}
	return fmt.Sprintf("%s, %d bytes", d.doc.At("target", "format").Attr("type"), d.capacity)
}

// result makes the register's keys.
func (j *volumeJob) result(before, after volume, failed bool) VolumeResult {
	r := VolumeResult{}
	if after.exists && j.Command != "get_xml" {
		r.Volume = &StoredResult{
			Name: j.Name, Pool: j.Pool, Path: after.doc.Val("target", "path"), Format: after.doc.At("target", "format").Attr("type"),
			Capacity: after.capacity, Backing: after.doc.Val("backingStore", "path"),
		}
	}
	if failed {
		return r
	}
	if !before.exists && (j.State == "present" || after.exists) {
		r.Created = j.Name
	}
	switch j.Command {
	case "":
	case "get_xml":
		r.Dict = value.NewDict("get_xml", after.doc.String())
	default:
		r.Dict = value.NewDict(string(j.Command), 0)
	}
	return r
}

// volumesProbe tells of all volumes of a pool: $1 the URI, $2 the pool, $3 the command.
const volumesProbe = virshLib + `names pool-list --name
has "$names" "$1" || exit 0
tell list v vol-list --pool "$1"
if [ "$2" = list_volumes ]; then exit 0; fi
k=0
v vol-list --pool "$1" | sed -e '/^$/d' -e 's/^ //' -e 's/   .*//' | while IFS= read -r n; do
	k=$((k + 1)); tell "xml$k" v vol-dumpxml --pool "$1" --vol "$n"
done
exit 0
`

// runAll runs a command about all volumes of a pool.
func (a VolumeArgs) runAll(ctx context.Context, h *modules.Host) (VolumeResult, error) {
	r, err := h.Probe(ctx, volumesProbe, string(a.URI), a.Pool, string(a.Command))
	if err == nil {
		err = reached(r)
	}
	if err == nil && r.Status("list") != 0 {
		err = &libvirt.Error{Class: libvirt.NotFound, Text: "storage pool " + a.Pool + " not found, or not active"}
	}
	if err != nil {
		return VolumeResult{}, err
	}
	names := volumeNames(r.Text("list"))
	if a.Command == "list_volumes" {
		return VolumeResult{Dict: value.NewDict("list_volumes", textList(names))}, nil
	}
	all := value.NewDict()
	for i, name := range names {
		doc, err := parseDump(r, fmt.Sprint("xml", i+1), "volume", name)
		if err != nil {
			return VolumeResult{}, err
		}
		capacity, _ := libvirt.Bytes(doc.At("capacity"), "bytes")
		allocation, _ := libvirt.Bytes(doc.At("allocation"), "bytes")
		all.Set(name, value.NewDict("type", doc.Attr("type"), "path", doc.Val("target", "path"), "format", doc.At("target", "format").Attr("type"),
			"capacity", int(capacity), "allocation", int(allocation), "backing", doc.Val("backingStore", "path")))
	}
	if a.Command == "info" {
		return VolumeResult{Dict: value.NewDict("volumes", all)}, nil
	}
	return VolumeResult{Dict: value.NewDict("ansible_facts", value.NewDict("ansible_libvirt_volumes", all))}, nil
}
