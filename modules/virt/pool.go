package virt

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed pool.go
var poolSource string

//go:embed pool_fields.go
var poolFieldsSource string

// Pool sees to a storage pool of libvirt's.
var Pool = modules.Define("virt_pool", poolSource+poolFieldsSource+virshSource, runPool,
	modules.Aliases("community.libvirt.virt_pool"), modules.Converges())

// PoolArgs define storage pools, from XML or from fields, start and stop them, or run one command about them. A definition is compared by
// what it says. A pool that is defined here gets its folder made when it is not there; nothing is ever formatted without being told so.
//
//	# A folder for ISO images.
//	- virt_pool:
//	    name: iso
//	    state: active
//	    autostart: true
//	    type: dir
//	    path: /srv/iso
type PoolArgs struct {
	// Name of the pool.
	Name string `arg:"name,alias=pool"`
	// State the pool shall be in: present is defined, active also started, deleted is absent with what lies in it. With list_pools: the state
	// of the pools to list.
	State PoolState `arg:"state"`
	// Command to run in place of state. define takes xml, build and delete a mode; create is start, destroy is stop; status and get_xml tell of
	// a pool, list_pools, facts and info of all.
	Command PoolCommand `arg:"command"`
	// Autostart is whether the pool starts with the host.
	Autostart *bool `arg:"autostart"`
	// XML of the definition.
	XML string `arg:"xml" exclusive:"source"`
	// Mode of build (new, overwrite, no_overwrite) or delete (normal). repair, resize and zeroed are refused: virsh has no such thing.
	Mode PoolMode `arg:"mode"`
	// Type of a definition by fields.
	Type PoolType `arg:"type" exclusive:"source"`
	PoolFields
	// Build is whether a pool that is defined here is built before it is started: auto makes a folder that is missing. What would format
	// something only command build does.
	Build PoolBuild `arg:"build" default:"auto"`
	// RequireMount refuses to start a pool of type dir whose path is not a mount point (Gluster, NFS, Ceph mounted elsewhere).
	RequireMount bool `arg:"require_mount"`
	// Force stops a pool although running domains use its volumes.
	Force bool `arg:"force"`
	// AllowOddName takes names with spaces, quotes and the like.
	AllowOddName bool `arg:"allow_odd_name"`
	Place
}

// PoolState is the state of a pool.
type PoolState string

// Choices lists the states.
func (PoolState) Choices() []string {
	return []string{"active", "inactive", "present", "absent", "undefined", "deleted"}
}

// PoolCommand is what to do once.
type PoolCommand string

// Choices lists the commands.
func (PoolCommand) Choices() []string {
	return []string{
		"define", "build", "create", "start", "stop", "destroy", "delete", "undefine", "get_xml", "list_pools", "facts", "info", "status", "refresh",
	}
}

// PoolMode is a way to build or delete.
type PoolMode string

// Choices lists the ways.
func (PoolMode) Choices() []string {
	return []string{"new", "repair", "resize", "no_overwrite", "overwrite", "normal", "zeroed"}
}

// PoolBuild is whether to build.
type PoolBuild string

// Choices lists what can be.
func (PoolBuild) Choices() []string { return []string{"auto", "never"} }

// PoolResult tells of the pool.
type PoolResult struct {
	// Msg is 0 after a change of state.
	Msg any `json:"msg,omitempty"`
	// Created is the name of a pool that was not there before.
	Created string `json:"created,omitempty"`
	// Pool as it is now.
	Pool *StorageResult `json:"pool,omitempty"`
	// what a command came to, under its own name (list_pools, status, get_xml, pools, ansible_facts)
	*value.Dict
}

// StorageResult is a pool as the module left it.
type StorageResult struct {
	// Name of the pool.
	Name string `json:"name"`
	// UUID of the pool.
	UUID string `json:"uuid"`
	// Type of the pool.
	Type string `json:"type"`
	// Path where its volumes are.
	Path string `json:"path"`
	// Active is whether it runs.
	Active bool `json:"active"`
	// Autostart is whether it starts with the host.
	Autostart bool `json:"autostart"`
}

// Check refuses combinations that make no sense, in Ansible's words where it has some.
func (a PoolArgs) Check() error {
	switch {
	case a.Command == "list_pools", a.Command == "info", a.Command == "facts":
		return nil
	case a.Command != "" && a.State != "":
		return &modules.ArgError{Path: []any{"state"}, Msg: "state and command cannot be given together, but for list_pools"}
	case a.Command != "" && a.Name == "":
		return fmt.Errorf("%s requires 1 argument: name", a.Command)
	case a.Command == "" && a.State == "" && a.Autostart == nil:
		return errors.New("expected state or command parameter to be specified")
	case a.Name == "":
		return errors.New("state change requires a specified name")
	case a.Command == "define" && a.XML == "" && a.Type == "":
		return errors.New("define requires xml argument")
	case slices.Contains([]PoolMode{"repair", "resize", "zeroed"}, a.Mode):
		return &modules.ArgError{Path: []any{"mode"}, Msg: fmt.Sprintf("mode %s cannot be honoured: virsh has no such option", a.Mode)}
	}
	if err := checkName("name", a.Name, a.AllowOddName); err != nil {
		return err
	}
	_, err := a.definition()
	return err
}

// gone reports whether the pool is not to be there.
func (a PoolArgs) gone() bool {
	return a.State == "absent" || a.State == "undefined" || a.State == "deleted"
}

// definition gives what is to be defined, nil when nothing is.
func (a PoolArgs) definition() (*libvirt.Node, error) {
	if a.gone() || a.Command != "" && a.Command != "define" {
		return nil, nil
	}
	if a.XML == "" {
		if a.Type == "" {
			return nil, a.none()
		}
		return a.build(a.Name, a.Type)
	}
	doc, err := parseXML(a.XML, "pool")
	if err != nil {
		return nil, err
	}
	if doc.Attr("type") == "sheepdog" {
		return nil, &modules.ArgError{Path: []any{"xml"}, Msg: "xml: pools of type sheepdog are gone from libvirt"}
	}
	return doc, named(doc, a.Name)
}

func runPool(ctx context.Context, h *modules.Host, a PoolArgs) (PoolResult, error) {
	if a.Command == "list_pools" || a.Command == "info" || a.Command == "facts" {
		return a.runAll(ctx, h)
	}
	var err error
	if a.Permissions, err = a.Permissions.numbers(ctx, h); err != nil {
		return PoolResult{}, err
	}
	job := poolJob{PoolArgs: a, host: h}
	if job.want, err = a.definition(); err != nil {
		return PoolResult{}, err
	}
	lock := lockName("pool", a.Name)
	if a.Command != "" && a.Command != "define" {
		lock = "" // what is done once must not be planned twice
	}
	before, after, err := modules.Reconcile(ctx, h, modules.Reconciler[pool]{
		Probe: poolProbe, Args: []string{string(a.URI), a.Name, job.want.Val("target", "path")}, Lock: lock,
		Parse: func(r *modules.Report) (pool, error) { return parsePool(r, a.Name) },
		Plan:  job.plan,
		Diff:  job.diff,
	})
	return job.result(before, after, modules.IgnorePlanned(err) != nil), explain(err)
}

// poolProbe tells of one pool: $1 the URI, $2 the name, $3 the path that it is to have, or "".
const poolProbe = virshLib + `ask list pool-list --all --name; ask version version; ask info pool-info "$1" --bytes; ask xml pool-dumpxml "$1" --inactive
look=$(answers | one "$1") path=$2
printf '%s\n' "$look"
[ -n "$path" ] || path=$(printf '%s\n' "$look" | sed -n 's/^ *<path>\(.*\)<\/path>$/\1/p' | head -n 1)
case $path in /*)
	[ ! -d "$path" ] || say folder yes
	d=$(stat -c %d "$path" 2>/dev/null) && up=$(stat -c %d "$path/.." 2>/dev/null) && [ "$d" != "$up" ] && say mount yes ;;
esac
exit 0
`

// pool is what a look told of one.
type pool struct {
	name                          string
	version                       libvirt.Version
	exists                        bool
	uuid                          string
	active, persistent, autostart bool
	config                        *libvirt.Node
	folder, mount                 bool // its path is a folder, a mount point
}

func parsePool(r *modules.Report, name string) (pool, error) {
	p := pool{name: name, folder: r.Has("folder"), mount: r.Has("mount")}
	if err := reached(r); err != nil {
		return p, err
	}
	var err error
	if p.version, err = libvirt.ParseVersion(r.Text("version")); err != nil || failed(r, "info") {
		return p, err
	}
	if p.config, err = parseDump(r, "xml", "pool", name); err != nil {
		return p, err
	}
	info := fields(r.Text("info"))
	p.exists, p.uuid = true, info["UUID"]
	p.active, p.persistent, p.autostart = info["State"] != "inactive", info["Persistent"] == "yes", info["Autostart"] == "yes"
	return p, nil
}
