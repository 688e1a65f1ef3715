package filters

import (
	"io/fs"
	"os/user"
	"strconv"
	"syscall"
)

// ownerID gives the number of the user who owns a file.
func ownerID(st fs.FileInfo) (int, bool) {
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(sys.Uid), true
}

// userName gives the name of a user, else the number.
func userName(id int) string {
	u, err := user.LookupId(strconv.Itoa(id))
	if err != nil {
		return strconv.Itoa(id)
	}
	return u.Username
}
