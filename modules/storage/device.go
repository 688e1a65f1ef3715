package storage

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

// deviceLib defines device KEY PATH, which tells all about a block device or an image file that one should know before its content is
// touched: what it is, what lies on it and who uses it. It says p, the path without links.
const deviceLib = `
device() {
	p=$(readlink -f -- "$2" 2>/dev/null) || p=$2
	say "$1.path" "$p"
	n=${p##*/}
	if [ -b "$p" ]; then
		say "$1.kind" block
		say "$1.size" "$(blockdev --getsize64 "$p" 2>/dev/null)"
		say "$1.holders" "$(ls "/sys/class/block/$n/holders" 2>/dev/null)"
		say "$1.parts" "$(for c in "/sys/class/block/$n"/*/partition; do [ ! -e "$c" ] || { c=${c%/partition}; echo "${c##*/}"; }; done)"
		say "$1.disk" "$(lsblk -dnP -o MODEL,SERIAL,WWN -- "$p" 2>/dev/null)"
		dev=$(cat "/sys/class/block/$n/dev" 2>/dev/null)
	elif [ -f "$p" ]; then
		say "$1.kind" file
		say "$1.size" "$(stat -c %s -- "$p")"
		for l in /sys/block/loop*/loop/backing_file; do
			[ -e "$l" ] && [ "$(cat "$l" 2>/dev/null)" = "$p" ] || continue
			l=${l%/loop/backing_file}; say "$1.loop" "/dev/${l##*/}"; dev=$(cat "$l/dev" 2>/dev/null)
			break
		done
	elif [ -e "$p" ]; then say "$1.kind" other; fi
	say "$1.mounts" "$(P=$p DEV=${dev-} awk 'BEGIN { p = ENVIRON["P"]; d = ENVIRON["DEV"] }
		{ for (i = 6; $i != "-"; i++); if (d != "" && $3 == d || $(i + 2) == p) print $5 }' /proc/self/mountinfo)"
	say "$1.swap" "$(P=$p awk '$1 == ENVIRON["P"]' /proc/swaps 2>/dev/null)"
	if [ -b "$p" ] || [ -f "$p" ]; then tell "$1.blkid" blkid -p -o export -- "$p"; fi
}
`

// device is what deviceLib told of one.
type device struct {
	path, kind, loop     string // kind is block, file, other or nothing
	size                 int64  // bytes
	model, serial, wwn   string
	mounts               []string
	holders, parts       []string // names below /sys/class/block: what is made of it (LVM, RAID, multipath), and its partitions
	swap                 bool
	fstype, pttype, uuid string // what blkid found: type of the content, of the partition table, and the UUID of either
	unclear              bool   // blkid found more than one kind of content
}

// readDevice reads what was told under a key.
func readDevice(r *modules.Report, key string) (device, error) {
	d := device{
		path: r.Text(key + ".path"), kind: r.Text(key + ".kind"), loop: r.Text(key + ".loop"), mounts: r.Lines(key + ".mounts"),
		holders: r.Lines(key + ".holders"), parts: r.Lines(key + ".parts"), swap: r.Text(key+".swap") != "",
	}
	for i := range d.mounts {
		d.mounts[i] = unescapeField(d.mounts[i])
	}
	d.size, _ = strconv.ParseInt(r.Text(key+".size"), 10, 64)
	disk := r.Text(key + ".disk")
	for name, to := range map[string]*string{"MODEL": &d.model, "SERIAL": &d.serial, "WWN": &d.wwn} {
		if _, rest, ok := strings.Cut(" "+disk, " "+name+`="`); ok {
			*to, _, _ = strings.Cut(rest, `"`)
			*to = strings.TrimSpace(*to)
		}
	}
	switch status := r.Status(key + ".blkid"); {
	case d.kind != "block" && d.kind != "file":
	case status == 127:
		return d, errors.New("the host has no program blkid; it comes with util-linux")
	case status == 8:
		d.unclear = true
	case status != 0 && status != 2: // 2: nothing was found
		return d, fmt.Errorf("look at what %s holds: blkid: %s", d.path, strings.TrimSpace(r.Text(key+".blkid.err")))
	}
	for _, line := range r.Lines(key + ".blkid") {
		name, v, _ := strings.Cut(line, "=")
		switch name {
		case "TYPE":
			d.fstype = v
		case "PTTYPE":
			d.pttype = v
		case "UUID":
			d.uuid = v
		case "PTUUID":
			if d.uuid == "" {
				d.uuid = v
			}
		}
	}
	return d, nil
}

// holds says what lies on the device; "" is nothing that is known.
func (d device) holds() string {
	switch {
	case d.fstype != "":
		return d.fstype
	case d.pttype != "":
		return "partition table " + d.pttype
	case len(d.parts) > 0:
		return "partitions " + strings.Join(d.parts, ", ")
	case d.unclear:
		return "content of more than one kind"
	}
	return ""
}

// inUse says who uses the device now.
func (d device) inUse() error {
	switch {
	case len(d.mounts) > 0:
		return fmt.Errorf("%s is mounted at %s", d.path, strings.Join(d.mounts, ", "))
	case d.swap:
		return fmt.Errorf("%s is in use as swap", d.path)
	case len(d.holders) > 0:
		return fmt.Errorf("%s is in use by %s", d.path, strings.Join(d.holders, ", "))
	case d.loop != "":
		return fmt.Errorf("%s is in use by %s", d.path, d.loop)
	}
	return nil
}

// identity says which device it is, for somebody who is about to lose what it holds.
func (d device) identity() string {
	var words []string
	for _, w := range []struct{ name, value string }{{"model ", d.model}, {"serial ", d.serial}, {"", d.holds()}, {"UUID ", d.uuid}} {
		if w.value != "" {
			words = append(words, w.name+w.value)
		}
	}
	words = append(words, fmt.Sprintf("%d bytes", d.size))
	return d.path + " (" + strings.Join(words, ", ") + ")"
}

// confirms are the words that name the device and no other.
func (d device) confirms() []string {
	return slices.DeleteFunc([]string{d.serial, d.wwn, d.uuid}, func(s string) bool { return s == "" })
}

// destroy refuses to have what the device holds overwritten, unless nobody uses it and the user named it.
func (d device) destroy(confirm string) error {
	if err := d.inUse(); err != nil {
		return err
	}
	if d.holds() == "" || slices.Contains(d.confirms(), confirm) {
		return nil
	}
	names := d.confirms()
	if len(names) == 0 {
		return fmt.Errorf("%s would be lost, and it has no serial number or UUID to confirm that by: wipe it by hand (wipefs)", d.identity())
	}
	if confirm != "" {
		return fmt.Errorf("%s would be lost, but confirm_destroy names %s", d.identity(), confirm)
	}
	return fmt.Errorf("%s would be lost: confirm_destroy: %s says that you mean it", d.identity(), names[0])
}
