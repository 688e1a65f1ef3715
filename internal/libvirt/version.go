package libvirt

import (
	"fmt"
	"strconv"
	"strings"
)

// Version is a release of libvirt as libvirt itself counts: 9.10.2 is 9010002. 0 is unknown.
type Version int

// Since when libvirt has what the modules use, from its release notes. What is older lacks it, and a module leaves it out or refuses.
const (
	SinceISCSIDirect        Version = 4_007_000  // pool type iscsi-direct
	SinceCheckpoints        Version = 5_006_000  // undefine --checkpoints-metadata
	SinceSnapshotValidate   Version = 6_007_000  // snapshot-create --validate
	SinceValidate           Version = 7_007_000  // --validate for networks, pools, secrets and network filters
	SinceMigrateSynchronous Version = 8_000_000  // migrate --copy-storage-synchronous-writes
	SinceUndefineTPM        Version = 8_009_000  // undefine --tpm and --keep-tpm
	SinceDeleteExternal     Version = 9_000_000  // external snapshots can be deleted
	SinceNetMetadata        Version = 9_007_000  // net-metadata and net-desc
	SinceRevertExternal     Version = 9_009_000  // external snapshots can be reverted to
	SinceResizeCapacity     Version = 10_000_000 // blockresize --capacity
	SinceNftables           Version = 10_004_000 // networks use nftables by default
	SinceInternalUEFI       Version = 10_009_000 // internal snapshots with UEFI when the NVRAM is qcow2
	SinceBridgeVLAN         Version = 11_000_000 // VLAN tags on interfaces of a plain Linux bridge
	SinceAutoShutdown       Version = 11_002_000 // the QEMU driver shuts guests down with the host itself
	SinceAwait              Version = 11_005_000 // virsh await
	SinceResizeExtend       Version = 12_003_000 // blockresize --extend
)

// tableVersion is the release that elements.txt was taken from.
const tableVersion Version = 9_000_000

// ParseVersion reads what virsh --version prints.
func ParseVersion(text string) (Version, error) {
	parts := strings.SplitN(strings.TrimSpace(text), ".", 3)
	if len(parts) != 3 {
		return 0, fmt.Errorf("%q is no version of libvirt", text)
	}
	v := 0
	for _, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 || n > 999 {
			return 0, fmt.Errorf("%q is no version of libvirt", text)
		}
		v = v*1000 + n
	}
	return Version(v), nil
}

func (v Version) String() string {
	return fmt.Sprintf("%d.%d.%d", v/1_000_000, v/1000%1000, v%1000)
}

// RevertBroken reports the releases in which reverting to an internal snapshot destroys it.
func (v Version) RevertBroken() bool { return v >= 11_002_000 && v < 11_004_000 }
