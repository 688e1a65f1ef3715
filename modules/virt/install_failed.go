package virt

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/libvirt"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

// While virt-install runs, a file of the host holds the UUID that the domain gets, and the disks that were not there before. It is gone when
// virt-install ended well, or left no domain: a domain with the UUID in it is one that an installation of ours left half-made.

// journalLib sets $journals to the folder of these files.
const journalLib = `if [ "$(id -u)" = 0 ]; then journals=/var/lib/libvirt/hostler/virt-install; else journals=${XDG_STATE_HOME:-$HOME/.local/state}/hostler/virt-install; fi
`

// journal is the name of that file.
func (a InstallArgs) journal() string {
	sum := sha256.Sum256([]byte(string(a.URI) + "\x00" + a.Name))
	return hex.EncodeToString(sum[:16])
}

// begin gives the installation script's arguments before those of files.
func (c *installCommand) begin(a InstallArgs, seed string) []string {
	journal := a.journal()
	names := func(o string) bool { return strings.Contains(o, "uuid") || strings.HasPrefix(o, "--metadata") }
	text, _ := a.Metadata.(string)
	d, _ := a.Metadata.(*value.Dict)
	if a.Transient || names(text) || d != nil && d.Str("uuid") != "" || slices.ContainsFunc(a.ExtraOptions, names) {
		journal = "" // the UUID is the user's, or nothing can be left
	}
	args := []string{string(a.URI), a.Name, seed, journal}
	var disks []string
	for _, check := range c.checks {
		if check.kind == "new" {
			disks = append(disks, check.name)
		}
	}
	return append(append(args, strconv.Itoa(len(disks))), disks...)
}

// halfMade reports a domain that an installation of ours left and that did not end well.
func (s installState) halfMade() bool {
	return s.exists && len(s.journal) > 0 && strings.EqualFold(s.journal[0], s.uuid)
}

// again makes a half-made domain anew, where that is asked for; one that runs may be still at it.
func (j *installJob) again(s installState) ([]modules.Action, error) {
	switch {
	case j.CleanupFailed:
	case s.domain.active:
		j.host.Warn("the installation of domain %s did not end well, and it runs; cleanup_failed: true removes it and installs anew", j.Name)
		return j.planDrift(s)
	default:
		return nil, &libvirt.Error{
			Class: libvirt.WrongState, Text: fmt.Sprintf("domain %s is what an installation that failed left behind", j.Name),
			Advice: "cleanup_failed: true removes it with the disks that were made for it, and installs anew",
		}
	}
	if err := j.ready(s); err != nil {
		return nil, err
	}
	d := s.domain
	d.disks = slices.DeleteFunc(slices.Clone(d.disks), func(disk storedDisk) bool { return !slices.Contains(s.journal[1:], disk.path) })
	actions, err := j.removeWith(d, "all")
	if err != nil {
		return nil, err
	}
	return j.create(s, actions), nil
}
