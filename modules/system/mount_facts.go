package system

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/facts"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed mount_facts.go
var mountFactsSource string

// MountFacts tells what is mounted and what is to be.
var MountFacts = modules.Define("mount_facts", mountFactsSource, runMountFacts,
	modules.Aliases("ansible.builtin.mount_facts", "ansible.legacy.mount_facts"))

// MountFactsArgs gather the facts mount_points, a dict by mount point, and aggregate_mounts, a list of all entries: device, file system,
// options, sizes, UUID and where each comes from.
//
//	# What is mounted of other hosts; one that does not answer is passed over.
//	- mount_facts:
//	    fstypes: [nfs, nfs4]
//	    timeout: 10
//	    on_timeout: warn
type MountFactsArgs struct {
	// Sources to read, in this order: files, dynamic (/etc/mtab, /proc/mounts, /etc/mnttab, and mount_binary where none of them tells
	// anything), static (/etc/fstab), or all. Of a mount point the first entry counts.
	Sources []string `arg:"sources"`
	// MountBinary is the program that lists mounts; null is none.
	MountBinary any `arg:"mount_binary" default:"mount"`
	// Devices are patterns (*, ?, [...]) of devices or remote file systems; one must match.
	Devices []string `arg:"devices"`
	// FSTypes are patterns of file systems; one must match.
	FSTypes []string `arg:"fstypes"`
	// Timeout is how many seconds a mount may take to tell its sizes; without one there is no end.
	Timeout *float64 `arg:"timeout"`
	// OnTimeout is what becomes of a mount that takes longer: the task fails, or the mount has no sizes, with a warning or without.
	OnTimeout onTimeout `arg:"on_timeout" default:"error"`
	// IncludeAggregateMounts gives aggregate_mounts; left out, several entries of a source for one mount point are warned of.
	IncludeAggregateMounts *bool `arg:"include_aggregate_mounts"`
}

type onTimeout string

// Choices lists what may become of a slow mount.
func (onTimeout) Choices() []string { return []string{"error", "warn", "ignore"} }

// MountFactsResult holds the facts.
type MountFactsResult struct {
	// AnsibleFacts has mount_points and aggregate_mounts.
	AnsibleFacts *value.Dict `json:"ansible_facts,omitempty"`
}

// Check refuses arguments that make no sense.
func (a MountFactsArgs) Check() error {
	if a.Timeout != nil && *a.Timeout <= 0 {
		return &modules.ArgError{Path: []any{"timeout"}, Msg: fmt.Sprintf("argument 'timeout' must be a positive number or null, not %v", *a.Timeout)}
	}
	if _, ok := a.MountBinary.(string); a.MountBinary != nil && !ok {
		return &modules.ArgError{Path: []any{"mount_binary"}, Msg: fmt.Sprintf("argument 'mount_binary' must be a string or null, not %v", a.MountBinary)}
	}
	if slices.Contains(a.Sources, "") {
		return &modules.ArgError{Path: []any{"sources"}, Msg: "sources contains an empty string"}
	}
	return nil
}

// mountSourcesScript: files to tell.
const mountSourcesScript = `n=0
for f; do
	n=$((n + 1))
	if [ -f "$f" ] && [ -r "$f" ]; then show "file.$n" "$f"; fi
done
exit 0
`

// mountBinaryScript: the program.
const mountBinaryScript = `command -v "$1" >/dev/null 2>&1 || { say missing yes; exit 0; }
tell mounts "$1"
`

// mountSizesScript: seconds ("" is without end), then mount points. Links of UUIDs and what lsblk says are told as well.
const mountSizesScript = `seconds=$1; shift
n=0
for m; do
	n=$((n + 1))
	if [ -z "$seconds" ]; then out=$(stat -f -c '%S %s %b %a %c %d' -- "$m" 2>/dev/null); rc=$?
	else out=$(timeout "$seconds" stat -f -c '%S %s %b %a %c %d' -- "$m" 2>/dev/null); rc=$?; fi
	say "size.$n" "$out" $rc
done
uuids=$(for l in /dev/disk/by-uuid/*; do if [ -L "$l" ]; then printf '%s %s\n' "$(readlink -f "$l")" "${l##*/}"; fi; done
	lsblk --list --noheadings --paths --output NAME,UUID --exclude 2 2>/dev/null)
say uuids "$uuids"
`

// mountEntry is one entry of a source.
type mountEntry struct {
	source, line, mount, device, uuid string
	fields                            *value.Dict
}

var mountLine = regexp.MustCompile(`^(\S+) on (\S+) type (\S+) \((.+)\)$`)

// staticSources and dynamicSources are what the words stand for.
func staticSources() []string { return []string{"/etc/fstab", "/etc/vfstab", "/etc/filesystems"} }

func dynamicSources() []string { return []string{"/etc/mtab", "/proc/mounts", "/etc/mnttab"} }

// files gives the sources in order, each once; dynamic says that mount_binary stands in for files that tell nothing.
func (a MountFactsArgs) files() (files []string, dynamic bool) {
	sources := a.Sources
	if len(sources) == 0 {
		sources = []string{"all"}
	}
	for _, s := range sources {
		switch s {
		case "all":
			files, dynamic = slices.Concat(files, dynamicSources(), staticSources()), true
		case "dynamic":
			files, dynamic = slices.Concat(files, dynamicSources()), true
		case "static":
			files = slices.Concat(files, staticSources())
		default:
			files = append(files, s)
		}
	}
	var once []string
	for _, f := range files {
		if !slices.Contains(once, f) {
			once = append(once, f)
		}
	}
	return once, dynamic
}

func runMountFacts(ctx context.Context, h *modules.Host, a MountFactsArgs) (MountFactsResult, error) {
	entries, err := a.entries(ctx, h)
	if err != nil {
		return MountFactsResult{}, err
	}
	entries = slices.DeleteFunc(entries, func(e mountEntry) bool {
		return !matchesAny(a.Devices, e.device) || !matchesAny(a.FSTypes, e.fields.Str("fstype"))
	})
	seconds := ""
	if a.Timeout != nil {
		seconds = strconv.FormatFloat(*a.Timeout, 'f', -1, 64)
	}
	var points []string
	for _, e := range entries {
		points = append(points, e.mount)
	}
	r, err := h.Probe(ctx, mountSizesScript, append([]string{seconds}, points...)...)
	if err != nil {
		return MountFactsResult{}, err
	}
	uuids := map[string]string{}
	for _, line := range r.Lines("uuids") {
		if words := strings.Fields(line); len(words) == 2 && uuids[words[0]] == "" {
			uuids[words[0]] = words[1]
		}
	}
	mounts, all := value.NewDict(), value.NewList()
	for i, e := range entries {
		if err := a.sizes(h, r, fmt.Sprintf("size.%d", i+1), e); err != nil {
			return MountFactsResult{}, err
		}
		e.fields.Set("ansible_context", value.NewDict("source", e.source, "source_data", e.line))
		e.fields.Set("uuid", nil)
		if uuid := cmp.Or(e.uuid, uuids[e.device]); uuid != "" {
			e.fields.Set("uuid", uuid)
		}
		if _, ok := mounts.Get(e.mount); !ok {
			mounts.Set(e.mount, e.fields)
		}
		if a.IncludeAggregateMounts != nil && *a.IncludeAggregateMounts {
			all.Append(e.fields)
		}
	}
	return MountFactsResult{AnsibleFacts: value.NewDict("mount_points", mounts, "aggregate_mounts", all)}, nil
}

func matchesAny(patterns []string, text string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { return facts.Matches(p, text) })
}

// entries reads all sources.
func (a MountFactsArgs) entries(ctx context.Context, h *modules.Host) ([]mountEntry, error) {
	files, dynamic := a.files()
	binary, _ := a.MountBinary.(string)
	r, err := h.Probe(ctx, mountSourcesScript, files...)
	if err != nil {
		return nil, err
	}
	var entries []mountEntry
	told := false // a dynamic file told something
	for i, file := range files {
		if file == binary && !strings.HasPrefix(file, "/etc/") {
			listed, err := runMountBinary(ctx, h, binary)
			if err != nil {
				return nil, err
			}
			entries = append(entries, listed...)
			continue
		}
		seen := map[string]bool{}
		for _, line := range modules.SplitLines(string(r.Bytes(fmt.Sprintf("file.%d", i+1)))) {
			e, ok := readFstab(strings.TrimSpace(line))
			if !ok {
				continue
			}
			if seen[e.mount] && a.IncludeAggregateMounts == nil {
				h.Warn("mount_facts: ignoring repeat mounts for %s. You can disable this warning by configuring the "+
					"'include_aggregate_mounts' option as True or False.", e.mount)
			}
			e.source, seen[e.mount] = file, true
			entries = append(entries, e)
			told = told || slices.Contains(dynamicSources(), file)
		}
	}
	if dynamic && !told && binary != "" && !slices.Contains(files, binary) {
		listed, err := runMountBinary(ctx, h, binary)
		return append(listed, entries...), err
	}
	return entries, nil
}

// readFstab reads a line of fstab(5), as /proc/mounts has them too.
func readFstab(line string) (mountEntry, bool) {
	words := strings.Fields(line)
	if len(words) < 4 || strings.HasPrefix(line, "#") {
		return mountEntry{}, false
	}
	for i, w := range words {
		words[i] = facts.Unescape(w)
	}
	e := mountEntry{line: line, mount: words[1], device: words[0]}
	e.fields = value.NewDict("device", words[0], "mount", words[1], "fstype", words[2], "options", words[3])
	if uuid, ok := strings.CutPrefix(words[0], "UUID="); ok {
		e.uuid = strings.Trim(uuid, `"`)
	}
	for i, key := range []string{"dump", "passno"} {
		if len(words) <= 4+i {
			break
		}
		n, err := strconv.Atoi(words[4+i])
		if err != nil {
			break
		}
		e.fields.Set(key, n)
	}
	return e, true
}

// runMountBinary lists what a program such as mount prints.
func runMountBinary(ctx context.Context, h *modules.Host, program string) ([]mountEntry, error) {
	r, err := h.Probe(ctx, mountBinaryScript, program)
	if err != nil {
		return nil, err
	}
	if r.Has("missing") {
		return nil, fmt.Errorf("Failed to find required executable %q", program)
	}
	if rc := r.Status("mounts"); rc != 0 {
		return nil, fmt.Errorf("Failed to execute %s: exit status %d: %s", program, rc, r.Text("mounts.err"))
	}
	var entries []mountEntry
	for _, line := range r.Lines("mounts") {
		m := mountLine.FindStringSubmatch(line)
		if m == nil {
			return nil, nil // another system's, or no list of mounts at all
		}
		entries = append(entries, mountEntry{
			source: program, line: line, mount: m[2], device: m[1],
			fields: value.NewDict("device", m[1], "mount", m[2], "fstype", m[3], "options", m[4]),
		})
	}
	return entries, nil
}

// sizes adds what stat told of a mount.
func (a MountFactsArgs) sizes(h *modules.Host, r *modules.Report, key string, e mountEntry) error {
	if rc := r.Status(key); rc == 124 || rc == 143 { // of timeout, in coreutils and in busybox
		slow := fmt.Sprintf("Timed out getting mount size for mount %s (type %s)", e.mount, e.fields.Str("fstype"))
		switch a.OnTimeout {
		case "error":
			return errors.New(slow)
		case "warn":
			h.Warn("%s", slow)
		}
		return nil
	}
	var fragment, block, blocks, free, inodes, unused int
	if _, err := fmt.Sscan(r.Text(key), &fragment, &block, &blocks, &free, &inodes, &unused); err != nil {
		return nil // not mounted, or not for us to see
	}
	for _, f := range []struct {
		name string
		n    int
	}{
		{"size_total", fragment * blocks},
		{"size_available", fragment * free},
		{"block_size", block},
		{"block_total", blocks},
		{"block_available", free},
		{"block_used", blocks - free},
		{"inode_total", inodes},
		{"inode_available", unused},
		{"inode_used", inodes - unused},
	} {
		e.fields.Set(f.name, f.n)
	}
	return nil
}
