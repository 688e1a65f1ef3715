package run

import (
	"io/fs"
	"strconv"
	"syscall"
)

// ownerID gives the user id of a file's owner.
func ownerID(st fs.FileInfo) (string, bool) {
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return "", false
	}
	return strconv.FormatUint(uint64(sys.Uid), 10), true
}
