package files

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// unpacked reports that everything in the archive is there already.
func (a UnarchiveArgs) unpacked(u unpacked) bool {
	if u.handler == "ZipArchive" {
		return !slices.ContainsFunc(u.list, func(line string) bool { return a.zipDiffers(u, line) })
	}
	return !slices.ContainsFunc(u.diff, func(line string) bool { return a.tarDiffers(u, line) })
}

// tarDiffers reports that a line of tar --diff tells of something to unpack. What the task's own attributes see to is none.
func (a UnarchiveArgs) tarDiffers(u unpacked, line string) bool {
	switch {
	case strings.HasSuffix(line, ": : Warning: Cannot stat: No such file or directory"): // an empty name, of --strip-components
		return false
	case strings.HasSuffix(line, ": Uid differs"):
		return u.uid == 0 && a.Owner == ""
	case strings.HasSuffix(line, ": Gid differs"):
		return u.uid == 0 && a.Group == ""
	case strings.HasSuffix(line, ": Mode differs"):
		return a.Mode.IsZero()
	case strings.HasSuffix(line, ": Size differs"): // tar gives its time also to a file that it could not write whole
		return true
	}
	return strings.HasSuffix(line, ": Mod time differs") || strings.HasSuffix(line, ": Warning: Cannot stat: No such file or directory") ||
		strings.Contains(line, ": Invalid owner") || strings.Contains(line, ": Invalid group")
}

// zipDiffers reports that a line of zipinfo tells of something to unpack: permissions, version, system, size, flags, method,
// time, name.
func (a UnarchiveArgs) zipDiffers(u unpacked, line string) bool {
	words := strings.Fields(line)
	if len(words) < 8 || len(words[0]) != 7 && len(words[0]) != 10 || len(words[6]) != len("20060102.150405") {
		return false // above and below the list
	}
	name := line[strings.Index(line, words[6])+len(words[6])+1:]
	file := path.Join(u.dest.path, name)
	is, ok := u.at[file]
	if !ok {
		return true
	}
	kind := uint32(typeFile)
	switch {
	case strings.HasSuffix(name, "/"):
		kind = typeDir
	case words[0][0] == 'l':
		kind = typeLink
	}
	switch {
	case is.kind() != kind:
		return true
	case kind == typeFile && a.KeepNewer && u.times[file] > words[6]:
		return false
	case kind == typeFile && (u.times[file] != words[6] || strconv.Itoa(is.size) != words[3]):
		return true
	case a.Owner == "" && is.uid != u.uid, a.Group == "" && is.gid != u.gid:
		return true
	}
	return kind != typeLink && a.Mode.IsZero() && is.perm() != zipMode(words[0][1:], kind == typeDir, u.umask)
}

// zipMode gives the permissions that unzip sets for what zipinfo prints: rwxr-xr-x, or six letters of DOS.
func zipMode(text string, dir bool, umask uint32) uint32 {
	if len(text) == 9 {
		mode := uint32(0)
		for i, c := range text {
			if strings.ContainsRune("rwxst", c) {
				mode |= 1 << (8 - i)
			}
		}
		return mode
	}
	if dir || text == "rwx---" {
		return 0o777 &^ umask
	}
	return 0o666 &^ umask
}
