package files

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

// lookLib are shell functions for probes and change scripts. They use what coreutils and busybox share.
//
//	expand PATH         sets $expanded: ~, ~user and $NAME as the host has them, no slash at the end, no - at the beginning
//	look KEY PATH [-L]  tells stat's fields, status 1 and its error when it cannot; with -L those of a link's target, and with
//	                    __noatime=0 no time of access. No program is started for what surely is not there: its folder can be searched, and
//	                    opening it finds nothing. A dead mount point and a broken disk look the same to the shell's tests
//	sized FILE          sets $size of the file that was looked at last. What stat tells does not hold where files take no blocks, as in
//	                    /sys and /proc
//	checksum ALG FILE   tells a checksum of the file that was looked at last, or all of a small one, for readSum
const lookLib = modules.ExpandLib + `
expand() {
	__expand "$1"; expanded=$__v
	while :; do case $expanded in ?*/) expanded=${expanded%/} ;; *) break ;; esac; done
	case $expanded in -*) expanded=./$expanded ;; esac
}
__look="%f %d %i %h %u %g %s %b %o %t %T ${__noatime-%X} %Y %Z|%U|%G|${__noatime-%x}|%y|%z"
absent() {
	case $({ : <"$1"; } 2>&1) in *'o such file' | *'o such file or directory') ;; *) return 1 ;; esac
}
look() {
	case $2 in */*) __up=${2%/*}/ ;; *) __up=./ ;; esac
	if [ ! -e "$2" ] && [ ! -L "$2" ] && [ -x "$__up" ] && absent "$2"; then __s=; say "$1" ': No such file or directory' 1
	elif __s=$(stat ${3-} -c "$__look" -- "$2" 2>&1); then say "$1" "$__s"
	else say "$1" "$__s" 1; fi
}
sized() { set -- "$1" $__s; if [ "$9" -gt 0 ]; then size=$8; else size=$(wc -c <"$1"); fi; }
checksum() {
	sized "$2"
	if [ "$1" = sha1 ] && text "$2" "$size"; then say small "$__v"; else say sum "$(sum "$1" "$2")"; fi
}
sum() { case $1 in md5 | sha1 | sha224 | sha256 | sha384 | sha512) exec "${1}sum" <"$2" ;; *) return 1 ;; esac; }
`

// File types in the mode that stat gives.
const (
	typeMask   = 0o170000
	typeSocket = 0o140000
	typeLink   = 0o120000
	typeFile   = 0o100000
	typeBlock  = 0o060000
	typeDir    = 0o040000
	typeChar   = 0o020000
	typeFIFO   = 0o010000
)

// info is what stat tells of a path.
type info struct {
	path   string
	exists bool
	fresh  bool   // still to be made: whose it will be is not known
	mode   uint32 // type and permissions
	dev    int
	inode  int
	nlink  int
	uid    int
	gid    int
	size   int
	blocks int
	block  int // size of an I/O block
	rdev   int
	owner  string // "" when the number has no name
	group  string
	// Times are seconds since 1970.
	atime, mtime, ctime float64
	target              string // of a symbolic link
	context             string // SELinux
	attributes          string // of lsattr
	sha1                string
}

func (i info) kind() uint32 { return i.mode & typeMask }

func (i info) perm() uint32 { return i.mode &^ typeMask }

// modeText writes permissions as Ansible's modules do that make files: "0644", "04755". Only stat has four digits.
func (i info) modeText() string { return fmt.Sprintf("0%03o", i.perm()) }

// state is the file's kind in the words of module file.
func (i info) state() string {
	switch {
	case !i.exists:
		return "absent"
	case i.kind() == typeLink:
		return "link"
	case i.kind() == typeDir:
		return "directory"
	case i.nlink > 1:
		return "hard"
	}
	return "file"
}

var (
	missing  = regexp.MustCompile(`: (No such file or directory|Not a directory)$`)
	fraction = regexp.MustCompile(`\.(\d+)`)
)

// readInfo reads what look told under a key. What cannot be looked at but exists is an error.
func readInfo(r *modules.Report, key, path string) (info, error) {
	i := info{path: path}
	text := r.Text(key)
	if r.Status(key) != 0 {
		if missing.MatchString(text) {
			return i, nil
		}
		if _, reason, ok := strings.Cut(text, path+"'"); ok {
			text = strings.TrimLeft(reason, ": ")
		} else if at := strings.LastIndex(text, ": "); at >= 0 {
			text = text[at+2:]
		}
		return i, fmt.Errorf("look at %s: %s", path, text)
	}
	return parseInfo(text, path)
}

// parseInfo reads stat's fields as look asks for them.
func parseInfo(text, path string) (info, error) {
	i := info{path: path}
	parts := strings.SplitN(text, "|", 7) // a group's name may have blanks in it; what comes last is fileScript's
	words := strings.Fields(parts[0])
	if len(words) != 14 || len(parts) < 6 {
		return i, fmt.Errorf("look at %s: stat printed %q", path, text)
	}
	var bad error
	base := func(at, base int) int {
		n, err := strconv.ParseInt(words[at], base, 64)
		bad = errors.Join(bad, err)
		return int(n)
	}
	num := func(at int) int { return base(at, 10) }
	hex := func(at int) int { return base(at, 16) }
	i.mode, i.dev, i.inode, i.nlink = uint32(hex(0)), num(1), num(2), num(3)
	i.uid, i.gid, i.size, i.blocks, i.block = num(4), num(5), num(6), num(7), num(8)
	i.rdev = deviceNumber(hex(9), hex(10))
	i.owner, i.group = named(parts[1]), named(parts[2])
	i.atime, i.mtime, i.ctime = seconds(num(11), parts[3]), seconds(num(12), parts[4]), seconds(num(13), parts[5])
	if bad != nil {
		return info{path: path}, fmt.Errorf("look at %s: stat printed %q", path, text)
	}
	i.exists = true
	return i, nil
}

// deviceNumber is Linux's makedev.
func deviceNumber(major, minor int) int {
	return (major&0xfff)<<8 | minor&0xff | (minor&^0xff)<<12 | (major&^0xfff)<<32
}

func named(s string) string {
	if s == "UNKNOWN" {
		return ""
	}
	return s
}

// seconds puts the fraction that stat prints only in its human form behind whole seconds.
func seconds(whole int, human string) float64 {
	if m := fraction.FindString(human); m != "" {
		if part, err := strconv.ParseFloat("0"+m, 64); err == nil {
			return float64(whole) + part
		}
	}
	return float64(whole)
}

// readSum reads what checksum told, "" when it told nothing.
func readSum(r *modules.Report) string {
	if r.Has("small") {
		return sumOf(r.Bytes("small"))
	}
	return firstWord(r.Text("sum"))
}

// firstWord is the hash in what sha1sum prints.
func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return strings.TrimPrefix(word, `\`)
}

// base is a path's last part as Python's os.path.basename gives it: empty after a slash.
func base(p string) string {
	if strings.HasSuffix(p, "/") {
		return ""
	}
	return path.Base(p)
}
