package libvirt

import (
	"fmt"
	"regexp"
	"strings"
)

// Class is what kind of error virsh told of.
type Class string

// The classes. Other is an error that is none of them.
const (
	NotFound       Class = "not_found"
	ConflictUUID   Class = "conflict_uuid"
	Already        Class = "already"
	HasSnapshots   Class = "has_snapshots"
	HasNVRAM       Class = "has_nvram"
	HasManagedSave Class = "has_managed_save"
	HasCheckpoints Class = "has_checkpoints"
	BadXML         Class = "bad_xml"
	BadSize        Class = "bad_size"
	NetDown        Class = "net_down"
	WrongState     Class = "state"
	Exists         Class = "exists"
	DaemonDown     Class = "daemon_down"
	Permission     Class = "permission"
	MACDenied      Class = "mac_denied"
	ImageLocked    Class = "image_locked"
	MigrateSSH     Class = "migrate_ssh"
	Unsafe         Class = "unsafe"
	TooOld         Class = "version"
	Agent          Class = "agent"
	Capability     Class = "capability"
	NoSpace        Class = "no_space"
	Other          Class = "other"
)

// Error is an error of virsh with its class and what to do about it.
type Error struct {
	Class  Class
	Text   string // what virsh said, without its "error: "
	Advice string // "" where there is none
}

func (e *Error) Error() string {
	if e.Advice == "" {
		return e.Text
	}
	return e.Text + " (" + e.Advice + ")"
}

// rule recognises one class. The first that matches wins; $1 … in the advice are the pattern's.
type rule struct {
	class           Class
	pattern, advice string
}

// rules are in the order of their precision. The texts are those of the C locale, seen with libvirt 9.0 unless the comment says otherwise.
func rules() []rule {
	return []rule{
		{BadXML, `XML document failed to validate against schema`, "the XML has something that libvirt does not know or wants elsewhere: see the line Element"},
		{BadXML, `UEFI requires ACPI on this architecture`, "add <acpi/> to <features>"},
		{ConflictUUID, `already exists with uuid ([0-9a-f-]+)`, "somebody made it meanwhile"},
		{ConflictUUID, `is already defined with uuid ([0-9a-f-]+)`, "another domain has this UUID"},
		{Exists, `there is an existing dhcp host entry in network`, "somebody added it meanwhile"},
		{Exists, `storage vol(?:ume)? .*already exists|storage volume '[^']*' exists already`, ""},
		{Exists, `already exists`, ""},
		{Exists, `Storage source conflict with pool: '([^']*)'`, "pool $1 has the same source or path"},
		{HasSnapshots, `cannot (?:undefine|delete inactive) domain with (\d+) snapshots?`, "snapshots: remove takes their records away with it (flags: snapshots_metadata); the data in the images stays"},
		{HasCheckpoints, `cannot (?:undefine|delete inactive) domain with (\d+) checkpoints?`, "checkpoints: remove takes their records away with it (flags: checkpoints_metadata)"},
		{HasNVRAM, `cannot undefine domain with nvram`, "nvram: remove or keep says what becomes of the variables of the firmware (flags: nvram or keep_nvram)"},
		{HasManagedSave, `Refusing to undefine while domain managed save image exists`, "managed_save: remove takes it away (flags: managed_save)"},
		{HasManagedSave, `cannot restore domain '([^']*)' uuid \S+ from a file which belongs to`, "another domain of this name saved its memory before it was gone: virsh start --force-boot $1 throws that away"},
		{NetDown, `network '([^']*)' is not active`, "start it: virt_net: {name: $1, state: active}"},
		{Exists, `Network is already in use by interface (\S+)`, "$1 has addresses of this network: take others"},
		{Already, `domain is already running|Domain is already active|domain is not running|Domain not running|already active|is not active$`, ""},
		{WrongState, `[Nn]etwork '([^']*)' is (?:already running|still running)`, ""},
		{WrongState, `storage pool '([^']*)' is (?:still )?active`, "stop it first: virt_pool: {name: $1, state: inactive}"},
		{NotFound, `failed to get (domain|network|pool|vol|secret) '([^']*)'`, ""},
		{NotFound, `(?:Domain|Network|Storage pool|Storage volume|Secret) not found|no (?:domain|network|storage pool|storage vol) with matching`, ""},
		{BadSize, `unknown suffix '[^']*'|Malformed size`, ""},
		{DaemonDown, `Failed to connect socket to '[^']*/libvirt-sock[^']*'`, "is libvirtd running? systemctl start libvirtd, or virtqemud.socket where each driver has its daemon"},
		{DaemonDown, `Failed to connect socket to '[^']*/(virt[a-z]*)-sock[^']*'`, "is $1 running? systemctl start $1.socket"},
		{DaemonDown, `[Ff]ailed to connect to the hypervisor`, "is libvirtd (or virtqemud) running, and the URI right?"},
		{Permission, `Cannot access storage file '([^']*)'.*Permission denied`, "the user of QEMU needs x on every folder above $1"},
		{MACDenied, `Could not open '([^']*)': Permission denied`, "the user of QEMU needs x on every folder above and may be missing rights on it (namei -l $1 shows them); if these are right, AppArmor or SELinux forbids it: see the kernel's log"},
		{ImageLocked, `Failed to get (?:"write"|shared "write"|"consistent read") lock`, "another QEMU uses the image, on this host or another"},
		{MigrateSSH, `Cannot recv data: .*(?:ssh|Host key|Permission denied)`, "the source must reach the destination by ssh without a question"},
		{Unsafe, `Unsafe migration`, "accept_unsafe: true accepts it; cache='none' or shared storage avoids it"},
		{TooOld, `revert to external snapshot not supported yet`, "needs libvirt 9.9"},
		{Agent, `Guest agent is not responding|QEMU guest agent is not connected|QEMU guest agent is not configured`, "the guest needs qemu-guest-agent and the channel org.qemu.guest_agent.0"},
		{NoSpace, `No space left on device|Not enough space|not enough free space|insufficient space`, "free space where the pool lies"},
		{DaemonDown, `could not connect to iscsid`, "is iscsid running? systemctl start iscsid"},
		{Capability, `iscsiadm.* status '127'`, "the host has no iscsiadm; it comes with the package open-iscsi (Debian, Ubuntu) or iscsi-initiator-utils"},
		{Capability, `missing backend for pool type \d+ \(([a-z-]+)\)`, "where libvirt can do it, its driver is a package of its own: libvirt-daemon-driver-storage-$1"},
		{Capability, `unknown filesystem type '([^']*)'|might need a /sbin/mount\.`, "the host cannot mount such: NFS is of the package nfs-common or nfs-utils, CIFS of cifs-utils, Gluster of glusterfs-client or glusterfs-fuse"},
		{Capability, `host doesn't support|not supported by (?:the )?hypervisor|this function is not supported by the connection driver|(?:is|are) not supported (?:by|with) (?:this )?QEMU`, ""},
	}
}

// Explain gives virsh's complaint a class and advice. Text is what it wrote on standard error.
func Explain(stderr string) *Error {
	text := clean(stderr)
	for _, r := range rules() {
		re := regexp.MustCompile(r.pattern)
		if m := re.FindStringSubmatchIndex(text); m != nil {
			return &Error{r.class, text, string(re.ExpandString(nil, r.advice, text, m))}
		}
	}
	return &Error{Class: Other, Text: text}
}

// ownFile is the name of a file of ours, which is gone when its name is read.
var ownFile = regexp.MustCompile(` from \S*/hostler\.[A-Za-z0-9]{6}/f$`)

// clean takes the "error: " off each line and joins them: virsh says first what it could not do and then why.
func clean(stderr string) string {
	var lines []string
	for line := range strings.Lines(stderr) {
		line = ownFile.ReplaceAllString(strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "error: ")), "")
		if line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, ": ")
}

// NotThere is the error for an object that is asked for by name and that libvirt does not have.
func NotThere(kind, name string) *Error {
	return &Error{Class: NotFound, Text: fmt.Sprintf("%s %s not found", kind, name)}
}
