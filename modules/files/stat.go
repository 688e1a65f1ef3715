package files

import (
	"context"
	_ "embed"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed stat.go
var statSource string

// Stat tells about a file or folder.
var Stat = modules.Define("stat", statSource, runStat, modules.Aliases("ansible.builtin.stat", "ansible.legacy.stat"))

// Checksum is a way to sum up content.
type Checksum string

// Choices lists the algorithms.
func (Checksum) Choices() []string {
	return []string{"sha1", "md5", "sha224", "sha256", "sha384", "sha512", "sha", "sha-1"}
}

// StatArgs tell about a file or folder of the host: what it is, whose, how large, its checksum. A path that does not exist
// is no error.
type StatArgs struct {
	// Path to look at.
	Path modules.Path `arg:"path,alias=dest,alias=name" required:"true"`
	// Follow symbolic links.
	Follow bool `arg:"follow"`
	// GetChecksum asks for the checksum of a regular file.
	GetChecksum bool `arg:"get_checksum" default:"yes"`
	// ChecksumAlgorithm is how the checksum is made.
	ChecksumAlgorithm Checksum `arg:"checksum_algorithm,alias=checksum,alias=checksum_algo" default:"sha1"`
	// GetMIME asks what is in the file, which needs the program file on the host.
	GetMIME bool `arg:"get_mime,alias=mime,alias=mime_type,alias=mime-type" default:"yes"`
	// GetAttributes asks for the file system's attributes, which needs the program lsattr on the host.
	GetAttributes bool `arg:"get_attributes,alias=attr,alias=attributes" default:"yes"`
	// GetMD5 is of older versions of Ansible and does nothing.
	GetMD5 *bool `arg:"get_md5"`
}

// StatResult is what was found.
type StatResult struct {
	// Stat is what the host tells.
	Stat FileStat `json:"stat"`
}

// FileStat is what stat tells of one path; only Exists when there is nothing.
type FileStat struct {
	Exists bool `json:"exists"` // there is something
	*StatFacts
}

// FileFacts are what stat and find tell of a path that exists.
type FileFacts struct {
	Path   string  `json:"path"`   // the path looked at
	Mode   string  `json:"mode"`   // permissions in octal
	IsDir  bool    `json:"isdir"`  // it is a folder
	IsChr  bool    `json:"ischr"`  // it is a character device
	IsBlk  bool    `json:"isblk"`  // it is a block device
	IsReg  bool    `json:"isreg"`  // it is a regular file
	IsFifo bool    `json:"isfifo"` // it is a named pipe
	IsLnk  bool    `json:"islnk"`  // it is a symbolic link
	IsSock bool    `json:"issock"` // it is a socket
	UID    int     `json:"uid"`    // owner's number
	GID    int     `json:"gid"`    // group's number
	Size   int     `json:"size"`   // bytes
	Inode  int     `json:"inode"`  // inode number
	Dev    int     `json:"dev"`    // device it is on
	NLink  int     `json:"nlink"`  // number of hard links
	ATime  float64 `json:"atime"`  // time of last access, seconds since 1970
	MTime  float64 `json:"mtime"`  // time of last modification
	CTime  float64 `json:"ctime"`  // time of last change of the inode
	WUsr   bool    `json:"wusr"`   // the owner may write
	RUsr   bool    `json:"rusr"`   // the owner may read
	XUsr   bool    `json:"xusr"`   // the owner may execute
	WGrp   bool    `json:"wgrp"`   // the group may write
	RGrp   bool    `json:"rgrp"`   // the group may read
	XGrp   bool    `json:"xgrp"`   // the group may execute
	WOth   bool    `json:"woth"`   // others may write
	ROth   bool    `json:"roth"`   // others may read
	XOth   bool    `json:"xoth"`   // others may execute
	IsUID  bool    `json:"isuid"`  // setuid is set
	IsGID  bool    `json:"isgid"`  // setgid is set
}

// StatFacts are what there is to tell of a path that exists.
type StatFacts struct {
	FileFacts
	Blocks     int      `json:"blocks"`               // blocks of 512 bytes in use
	BlockSize  int      `json:"block_size"`           // size of an I/O block
	DeviceType int      `json:"device_type"`          // number of the device, when it is one
	Readable   bool     `json:"readable"`             // we may read it
	Writeable  bool     `json:"writeable"`            // we may write it
	Executable bool     `json:"executable"`           // we may execute it
	PwName     string   `json:"pw_name,omitempty"`    // name of the owner
	GrName     string   `json:"gr_name,omitempty"`    // name of the group
	LnkSource  string   `json:"lnk_source,omitempty"` // absolute path that a link leads to
	LnkTarget  string   `json:"lnk_target,omitempty"` // what a link holds
	Checksum   string   `json:"checksum,omitempty"`   // checksum of a regular file
	MIMEType   string   `json:"mimetype,omitempty"`   // kind of content
	Charset    string   `json:"charset,omitempty"`    // character set of the content
	Version    *string  `json:"version,omitempty"`    // version of the inode, of lsattr
	Attributes []string `json:"attributes,omitempty"` // names of the file system's attributes
	AttrFlags  *string  `json:"attr_flags,omitempty"` // their letters
}

// statScript: path, -L to follow, checksum algorithm or nothing, 1 for the MIME type, 1 for attributes.
const statScript = lookLib + `
expand "$1"; p=$expanded
say path "$p"
look stat "$p" $2
[ -e "$p" ] || [ -L "$p" ] || exit 0
if [ -z "$2" ] && [ -L "$p" ]; then
	say target "$(readlink "$p")"; say source "$(cd "${p%/*}/" && readlink -f "./${p##*/}")"
elif [ -n "$3" ] && [ -f "$p" ] && [ -r "$p" ]; then
	checksum "$3" "$p"
fi
a=
[ -r "$p" ] && a=r
[ -w "$p" ] && a=${a}w
[ -x "$p" ] && a=${a}x
say access "$a"
if [ -n "$4" ]; then
	if command -v file >/dev/null 2>&1; then m=$(file --mime-type --mime-encoding ${2:+-L} "$p" 2>/dev/null); say mime "$m" "$?"; fi
fi
if [ -n "$5" ] && command -v lsattr >/dev/null 2>&1; then m=$(lsattr -vd "$p" 2>/dev/null); say attr "$m" "$?"; fi
`

var mimePattern = regexp.MustCompile(`: *([^:;]+/[^:;]+); *charset=(\S+)\s*$`)

func runStat(ctx context.Context, h *modules.Host, a StatArgs) (StatResult, error) {
	algorithm := strings.ReplaceAll(string(a.ChecksumAlgorithm), "-", "")
	if algorithm == "sha" {
		algorithm = "sha1"
	}
	r, err := h.Probe(ctx, statScript, string(a.Path), given(a.Follow, "-L"), given(a.GetChecksum, algorithm),
		given(a.GetMIME, "1"), given(a.GetAttributes, "1"))
	if err != nil {
		return StatResult{}, fmt.Errorf("look at %s: %w", a.Path, err)
	}
	i, err := readInfo(r, "stat", r.Text("path"))
	if err != nil || !i.exists {
		return StatResult{}, err
	}
	return StatResult{FileStat{Exists: true, StatFacts: statOf(i, r, a)}}, nil
}

// asGiven gives a path the slash at its end that it was written with: so Ansible tells it.
func asGiven(found string, written modules.Path) string {
	if strings.HasSuffix(string(written), "/") && !strings.HasSuffix(found, "/") {
		return found + "/"
	}
	return found
}

func given(is bool, text string) string {
	if is {
		return text
	}
	return ""
}

func statOf(i info, r *modules.Report, a StatArgs) *StatFacts {
	access := r.Text("access")
	s := &StatFacts{
		FileFacts: fileFacts(i, asGiven(i.path, a.Path)),
		Blocks:    i.blocks, BlockSize: i.block, DeviceType: i.rdev,
		Readable: strings.Contains(access, "r"), Writeable: strings.Contains(access, "w"), Executable: strings.Contains(access, "x"),
		PwName: i.owner, GrName: i.group, LnkSource: r.Text("source"), LnkTarget: r.Text("target"),
		Checksum: readSum(r),
	}
	if s.LnkSource == "" && s.IsLnk {
		s.LnkSource = path.Join(path.Dir(i.path), s.LnkTarget)
	}
	if a.GetMIME {
		s.MIMEType, s.Charset = "unknown", "unknown"
		if m := mimePattern.FindStringSubmatch(r.Text("mime")); m != nil && r.Status("mime") == 0 {
			s.MIMEType, s.Charset = m[1], m[2]
		}
	}
	if a.GetAttributes {
		s.addAttributes(r)
	}
	return s
}

// fileFacts tells of what is at a path, under the name it goes by.
func fileFacts(i info, name string) FileFacts {
	has := func(bit uint32) bool { return i.mode&bit != 0 }
	is := func(kind uint32) bool { return i.kind() == kind }
	return FileFacts{
		Path: name, Mode: fmt.Sprintf("%04o", i.perm()), IsDir: is(typeDir), IsChr: is(typeChar), IsBlk: is(typeBlock), IsReg: is(typeFile),
		IsFifo: is(typeFIFO), IsLnk: is(typeLink), IsSock: is(typeSocket), UID: i.uid, GID: i.gid, Size: i.size,
		Inode: i.inode, Dev: i.dev, NLink: i.nlink, ATime: i.atime, MTime: i.mtime, CTime: i.ctime,
		WUsr: has(0o200), RUsr: has(0o400), XUsr: has(0o100), WGrp: has(0o020), RGrp: has(0o040), XGrp: has(0o010),
		WOth: has(0o002), ROth: has(0o004), XOth: has(0o001), IsUID: has(0o4000), IsGID: has(0o2000),
	}
}

// attributeNames are the words for lsattr's letters, as Ansible has them.
var attributeNames = map[rune]string{
	'A': "noatime", 'a': "append", 'c': "compressed", 'C': "nocow", 'd': "nodump", 'D': "dirsync", 'e': "extents",
	'E': "encrypted", 'h': "blocksize", 'i': "immutable", 'I': "indexed", 'j': "journalled", 'N': "inline", 's': "zero",
	'S': "synchronous", 't': "notail", 'T': "blockroot", 'u': "undelete", 'X': "compressedraw", 'Z': "compresseddirty",
}

// addAttributes reads lsattr -vd: version, letters, path.
func (s *StatFacts) addAttributes(r *modules.Report) {
	words := strings.Fields(r.Text("attr"))
	if r.Status("attr") != 0 || len(words) < 2 {
		// Without lsattr, or on a file system that has none, Ansible tells empty ones.
		s.Version, s.AttrFlags, s.Attributes = nil, new(""), []string{}
		return
	}
	letters := strings.ReplaceAll(words[1], "-", "")
	s.Version, s.AttrFlags, s.Attributes = &words[0], &letters, []string{}
	for _, letter := range letters {
		if name := attributeNames[letter]; name != "" {
			s.Attributes = append(s.Attributes, name)
		}
	}
}
