package virt

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

// poolJob is one run of virt_pool.
type poolJob struct {
	PoolArgs
	host  *modules.Host
	want  *libvirt.Node // nil when nothing is to be defined
	once  bool          // a command was planned already
	diffs []libvirt.Difference
}

// plan leads from how a pool is to what is asked.
func (j *poolJob) plan(p pool) ([]modules.Action, error) {
	switch {
	case j.gone():
		return j.planGone(p), nil
	case j.Command != "" && j.Command != "define":
		return j.planCommand(p)
	case j.State == "inactive" && !p.exists && j.want == nil:
		return nil, nil
	case !p.exists && j.State == "present" && j.want == nil:
		return nil, fmt.Errorf("storage pool '%s' not present, but xml not specified", j.Name)
	case !p.exists && j.want == nil:
		return nil, j.notThere()
	}
	actions, down, err := j.planDefine(p)
	if err != nil {
		return nil, err
	}
	active := p.active && !down
	up := j.State == "active" || down && j.State != "inactive" // what ran before it was defined anew runs on
	switch {
	case up && !active:
		if err := j.mounted(p); err != nil {
			return nil, err
		}
		if j.want != nil && j.Build == "auto" && !p.folder && slices.Contains([]string{"dir", "fs", "netfs", "vstorage"}, j.want.Attr("type")) {
			actions = append(actions, j.virsh("build", "pool-build"))
		}
		actions = append(actions, j.virsh("start", "pool-start"))
	case active && j.State == "inactive":
		actions = append(actions, j.stop(p))
	}
	if j.Autostart != nil && *j.Autostart != p.autostart {
		if *j.Autostart {
			actions = append(actions, virsh(j.Place, "start pool "+j.Name+" with the host", "pool-autostart", "--pool", j.Name))
		} else {
			actions = append(actions, virsh(j.Place, "do not start pool "+j.Name+" with the host", "pool-autostart", "--pool", j.Name, "--disable"))
		}
	}
	return actions, nil
}

func (j *poolJob) notThere() error { return libvirt.NotThere("storage pool", j.Name) }

func (j *poolJob) virsh(why, command string, args ...string) modules.Action {
	return virsh(j.Place, why+" pool "+j.Name, append([]string{command, "--pool", j.Name}, args...)...)
}

// mounted refuses a folder that is not what is mounted there.
func (j *poolJob) mounted(p pool) error {
	if j.RequireMount && !p.mount {
		return fmt.Errorf("pool %s is not started: nothing is mounted at its path", j.Name)
	}
	return nil
}

// planDefine brings the definition to what is wanted; down says that the pool is stopped for it.
func (j *poolJob) planDefine(p pool) (actions []modules.Action, down bool, err error) {
	if j.want == nil {
		return nil, false, nil
	}
	if err := checkXML(j.host, j.want, p.version, true); err != nil {
		return nil, false, err
	}
	doc, why := j.want.Clone(), "define pool "+j.Name
	if p.exists {
		if uuid := doc.Val("uuid"); uuid != "" {
			if canon, err := libvirt.ParseUUID(uuid); err != nil || canon != p.uuid {
				return nil, false, fmt.Errorf("pool %s has the UUID %s, the XML another one: %s", j.Name, p.uuid, uuid)
			}
		}
		diffs := libvirt.Compare(j.want, p.config, nil)
		if len(diffs) == 0 && p.persistent {
			return nil, false, nil
		}
		if len(j.diffs) == 0 {
			j.diffs = diffs
		}
		doc.Set("uuid", p.uuid)
		why += " anew: " + tell(diffs)
		if p.active {
			actions, down = append(actions, j.stop(p)), true
		}
	}
	if !p.exists && len(j.diffs) == 0 {
		j.diffs = libvirt.Compare(j.want, libvirt.New("pool", ""), nil)
	}
	define := withFile(j.Place, why, doc.String(), "--file", append([]string{"pool-define"}, validate(p.version)...)...)
	return append(actions, define), down, nil
}

// stopScript: URI, name, path, yes when running domains are to be looked at. A pool that is unmounted or logged out takes their disks away.
const stopScript = `uri=$1 name=$2 path=$3
v() { virsh -q -c "$uri" "$@"; }
if [ "$4" = yes ]; then
	users=$(v list --name | while IFS= read -r d; do
		[ -n "$d" ] || continue
		v dumpxml --domain "$d" | grep -F -e "pool='$name'" -e "='$path/" >/dev/null && printf '%s ' "$d"
	done)
	if [ -n "$users" ]; then echo "its volumes are used by running domains: $users(force: true stops it all the same)" >&2; exit 1; fi
fi
v pool-destroy --pool "$name"`

// stop stops a pool. Only where that takes volumes away is it asked who uses them.
func (j *poolJob) stop(p pool) modules.Action {
	look := "no"
	if !j.Force && slices.Contains([]string{"fs", "netfs", "logical", "iscsi", "vstorage"}, p.config.Attr("type")) {
		look = "yes"
	}
	return modules.Action{
		Why: "stop pool " + j.Name, Script: stopScript, Args: []string{string(j.URI), j.Name, p.config.Val("target", "path"), look},
	}
}

func (j *poolJob) planGone(p pool) []modules.Action {
	var actions []modules.Action
	if !p.exists {
		return nil
	}
	if p.active {
		actions = append(actions, j.stop(p))
	}
	if j.State == "deleted" {
		actions = append(actions, j.virsh("delete what is in", "pool-delete"))
	}
	if p.persistent {
		actions = append(actions, j.virsh("undefine", "pool-undefine"))
	}
	return actions
}

// planCommand does a command once, as libvirt does it: what is so already is libvirt's error.
func (j *poolJob) planCommand(p pool) ([]modules.Action, error) {
	if j.once {
		return nil, nil
	}
	j.once = true
	if !p.exists {
		return nil, j.notThere()
	}
	switch j.Command {
	case "create", "start":
		return []modules.Action{j.virsh("start", "pool-start")}, j.mounted(p)
	case "stop", "destroy":
		if !p.active {
			return []modules.Action{j.virsh("stop", "pool-destroy")}, nil
		}
		return []modules.Action{j.stop(p)}, nil
	case "undefine":
		return []modules.Action{j.virsh("undefine", "pool-undefine")}, nil
	case "refresh":
		return []modules.Action{j.virsh("refresh", "pool-refresh")}, nil
	case "delete":
		if j.Mode != "" && j.Mode != "normal" {
			return nil, fmt.Errorf("mode %s is none of delete's", j.Mode)
		}
		return []modules.Action{j.virsh("delete what is in", "pool-delete")}, nil
	case "build":
		switch j.Mode {
		case "", "new":
			return []modules.Action{j.virsh("build", "pool-build")}, nil
		case "overwrite":
			return []modules.Action{j.virsh("build", "pool-build", "--overwrite")}, nil
		case "no_overwrite":
			return []modules.Action{j.virsh("build", "pool-build", "--no-overwrite")}, nil
		}
		return nil, fmt.Errorf("mode %s is none of build's", j.Mode)
	}
	return nil, nil
}

func (j *poolJob) diff(before, after pool) []modules.Diff {
	var diffs []modules.Diff
	if len(j.diffs) > 0 {
		diffs = differences("pool "+j.Name, j.diffs)
	}
	if before.shown() != after.shown() {
		diffs = append(diffs, modules.Diff{
			Before: before.shown() + "\n", After: after.shown() + "\n", BeforeHeader: "state of " + j.Name, AfterHeader: "state of " + j.Name,
		})
	}
	return diffs
}

func (p pool) shown() string {
	switch {
	case !p.exists:
		return "absent"
	case p.active:
		return "active"
	}
	return "inactive"
}

// result makes the register's keys.
func (j *poolJob) result(before, after pool, failed bool) PoolResult {
	r := PoolResult{}
	if after.exists && (j.Command == "" || j.Command == "define") {
		r.Pool = &StorageResult{
			Name: j.Name, UUID: after.uuid, Type: after.config.Attr("type"), Path: after.config.Val("target", "path"),
			Active: after.active, Autostart: after.autostart,
		}
	}
	if failed {
		return r
	}
	if j.want != nil && !before.exists {
		r.Created = j.Name
	}
	switch j.Command {
	case "", "define":
		if j.State != "" && before.exists && before.shown() != after.shown() {
			r.Msg = 0
		}
	case "status":
		r.Dict = value.NewDict("status", after.shown())
	case "get_xml":
		r.Dict = value.NewDict("get_xml", after.config.String())
	default:
		r.Dict = value.NewDict(string(j.Command), 0)
	}
	return r
}

// poolsProbe tells of all pools: $1 the URI, $2 the command.
const poolsProbe = virshLib + `names pool-list --all --name
say names "$names"
if [ "$1" = list_pools ]; then names pool-list --name; say active "$names"; exit 0; fi
k=0
while IFS= read -r n; do
	[ -n "$n" ] || continue
	k=$((k + 1))
	ask "info$k" pool-info "$n" --bytes; ask "xml$k" pool-dumpxml "$n"; ask "volumes$k" vol-list "$n"
done <<LIST
$names
LIST
answers
exit 0
`

// runAll runs a command about all pools.
func (a PoolArgs) runAll(ctx context.Context, h *modules.Host) (PoolResult, error) {
	r, err := h.Probe(ctx, poolsProbe, string(a.URI), string(a.Command))
	if err == nil {
		err = reached(r)
	}
	if err != nil {
		return PoolResult{}, err
	}
	names := slices.Clone(r.Lines("names"))
	if a.Command == "list_pools" {
		if active := r.Lines("active"); a.State != "" {
			names = slices.DeleteFunc(names, func(n string) bool {
				return slices.Contains(active, n) != (a.State == "active") || a.State != "active" && a.State != "inactive"
			})
		}
		return PoolResult{Dict: value.NewDict("list_pools", textList(names))}, nil
	}
	all := value.NewDict()
	for i, name := range names {
		facts, err := poolFacts(r, fmt.Sprint(i+1), name)
		if err != nil {
			return PoolResult{}, err
		}
		all.Set(name, facts)
	}
	if a.Command == "info" {
		return PoolResult{Dict: value.NewDict("pools", all)}, nil
	}
	return PoolResult{Dict: value.NewDict("ansible_facts", value.NewDict("ansible_libvirt_pools", all))}, nil
}

// poolFacts are a pool's, as community.libvirt names them.
func poolFacts(r *modules.Report, k, name string) (*value.Dict, error) {
	doc, err := parseDump(r, "xml"+k, "pool", name)
	if err != nil {
		return nil, err
	}
	info := fields(answer(r, "info"+k))
	if info["UUID"] == "" {
		return nil, errors.New("pool " + name + " went away meanwhile")
	}
	state := "active"
	if info["State"] == "inactive" {
		state = "inactive"
	}
	d := value.NewDict("status", info["State"], "size_total", orZero(info["Capacity"]), "size_used", orZero(info["Allocation"]),
		"size_available", orZero(info["Available"]), "autostart", info["Autostart"], "persistent", info["Persistent"], "state", state,
		"type", doc.Attr("type"), "uuid", info["UUID"])
	switch {
	case !r.Has("volumes" + k): // nobody asked
	case state == "active":
		volumes := volumeNames(answer(r, "volumes"+k))
		d.Set("volume_count", len(volumes))
		d.Set("volumes", textList(volumes))
	default:
		d.Set("volume_count", -1)
	}
	for _, f := range []struct{ key, val string }{
		{"path", doc.Val("target", "path")},
		{"host", doc.At("source", "host").Attr("name")},
		{"source_path", doc.At("source", "dir").Attr("path")},
		{"format", doc.At("source", "format").Attr("type")},
	} {
		if f.val != "" {
			d.Set(f.key, f.val)
		}
	}
	var devices []string
	for _, n := range doc.At("source").All("device") {
		devices = append(devices, n.Attr("path"))
	}
	if devices != nil {
		d.Set("devices", textList(devices))
	}
	return d, nil
}

// volumeLine is one of vol-list: the name, and after at least three spaces the path. There is no other form of the list.
var volumeLine = regexp.MustCompile(`^ (.*?) {3,}(\S.*)$`)

func volumeNames(text string) []string {
	var names []string
	for line := range strings.Lines(text) {
		if m := volumeLine.FindStringSubmatch(strings.TrimRight(line, "\n")); m != nil {
			names = append(names, m[1])
		}
	}
	return names
}
