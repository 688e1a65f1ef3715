# $1: the parts wanted, each between blanks; $2: seconds to wait for network file systems; $3: folder of local facts.
# Output: "path:line" for each line of a file read, and sections that begin with "#name".
want=" $1 " wait=${2:-10} facts_d=${3:-/etc/ansible/facts.d}
set -f
had_lc=${LC_ALL+x} old_lc=${LC_ALL-} old_path=$PATH
LC_ALL=C PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin
export LC_ALL
nl='
' tab='	'
wants() { case $want in *" $1 "*) return 0 ;; esac; return 1; }
has() { command -v "$1" >/dev/null 2>&1; }

files="/dev/null /proc/$$/status"
add() { for p; do case " $files " in *" $p "*) ;; *) files="$files $p" ;; esac; done; }
wants hardware && add /proc/cpuinfo /proc/meminfo /proc/uptime /sys/class/dmi/id/[bcps]*_[adfnstuv]* /sys/block/*/device/vendor \
	/sys/block/*/device/model /sys/block/*/device/sas_address /sys/block/*/device/sas_device_handle \
	/sys/block/*/device/serial /sys/block/*/removable /sys/block/*/size /sys/block/*/queue/discard_granularity \
	/sys/block/*/queue/rotational /sys/block/*/queue/scheduler /sys/block/*/queue/logical_block_size \
	/sys/block/*/*[0-9]/start /sys/block/*/*[0-9]/size /sys/block/*/dm/name
wants network && add /sys/class/net/*/address /sys/class/net/*/mtu /sys/class/net/*/operstate /sys/class/net/*/type \
	/sys/class/net/*/flags /sys/class/net/*/speed /sys/class/net/*/bridge/bridge_id /sys/class/net/*/bridge/stp_state \
	/sys/class/net/*/bonding/mode /sys/class/net/*/bonding/miimon /sys/class/net/*/bonding/lacp_rate \
	/sys/class/net/*/bonding/primary /sys/class/net/*/bonding/all_slaves_active /sys/class/net/*/bonding/slaves \
	/sys/class/net/*/bonding_slave/perm_hwaddr /proc/net/vlan/config
wants virtual && add /proc/1/cgroup /proc/1/environ /run/systemd/container /proc/xen/capabilities /sys/hypervisor/type \
	/proc/modules /sys/devices/virtual/dmi/id/*_name /sys/devices/virtual/dmi/id/*_vendor /sys/devices/virtual/dmi/id/product_family \
	/proc/cpuinfo
wants distribution && add /etc/os-release /usr/lib/os-release /etc/debian_version /etc/redhat-release \
	/etc/centos-release /etc/oracle-release /etc/alpine-release
wants lsb && add /etc/lsb-release /etc/os-release
wants platform && add /proc/sys/kernel/ostype /proc/sys/kernel/hostname /proc/sys/kernel/osrelease /proc/sys/kernel/version \
	/etc/hosts /etc/machine-id /var/lib/dbus/machine-id
wants cmdline && add /proc/cmdline
wants dns && add /etc/resolv.conf
wants fips && add /proc/sys/crypto/fips_enabled
wants loadavg && add /proc/loadavg
wants selinux && add /sys/fs/selinux/enforce /sys/fs/selinux/policyvers /etc/selinux/config
wants ssh_pub_keys && add /etc/ssh/ssh_host_*_key.pub /etc/openssh/ssh_host_*_key.pub /etc/ssh_host_*_key.pub
wants iscsi && add /etc/iscsi/initiatorname.iscsi
wants nvme && add /etc/nvme/hostnqn
wants fibre_channel_wwn && add /sys/class/fc_host/*/port_name
wants service_mgr && add /proc/1/comm
set +f
grep -as '' $files </dev/null

echo '#exist'
probe=
wants virtual && probe="/proc/1/cgroup /proc/vz /proc/lve /proc/bc /.dockerenv /.dockerinit /proc/xen /dev/kvm /rhev"
wants hardware && probe="$probe /sys/class/dmi/id/product_name /proc/xen"
wants pkg_mgr && probe="$probe /usr/bin/rpm-ostree /usr/bin/yum /usr/bin/dnf /usr/bin/dnf-3 /usr/bin/dnf5 /usr/bin/apt-get
	/usr/bin/zypper /usr/sbin/urpmi /usr/bin/pacman /bin/opkg /usr/pkg/bin/pkgin /sbin/apk /usr/bin/emerge /usr/bin/xbps-install
	/usr/bin/swupd /run/ostree-booted"
wants service_mgr && probe="$probe /bin/systemctl /usr/bin/systemctl /run/systemd/system /dev/.run/systemd /dev/.systemd
	/sbin/initctl /usr/sbin/initctl /etc/init /sbin/openrc /etc/init.d /usr/lib/systemd/systemd /lib/systemd/systemd"
wants distribution && probe="$probe /etc/arch-release /etc/vmware-release"
wants apparmor && probe="$probe /sys/kernel/security/apparmor"
wants lsb && probe="$probe /usr/bin/lsb_release"
for p in $probe; do [ -e "$p" ] && echo "$p"; done

if wants network; then
	echo '#nets'
	for p in /sys/class/net/*/brif/* /sys/class/net/*/bonding /proc/net/vlan/*; do [ -e "$p" ] && echo "$p"; done
	if has ip; then
		# All by one process, where it is not busybox's.
		echo '#addr'
		all=$(printf '%s\n' 'addr show' 'route get 8.8.8.8' 'route get 2404:6800:400a:800::1012' | ip -o -force -batch - 2>/dev/null)
		if [ -n "$all" ]; then printf '%s\n' "$all"
		else
			ip -o addr show 2>/dev/null
			echo '#route4'; ip -4 route get 8.8.8.8 2>/dev/null
			echo '#route6'; ip -6 route get 2404:6800:400a:800::1012 2>/dev/null
		fi
	fi
fi

# One listing of the symbolic links whose targets are facts.
links=
wants hardware && links="/sys/block /dev/disk/by-id /dev/disk/by-label /dev/disk/by-uuid"
wants network && links="$links /sys/class/net/*/device /sys/class/net/*/device/driver/module /sys/class/net/*/master"
if [ -n "$links" ]; then
	echo '#links'
	ls -ln $links 2>/dev/null
	for p in /sys/block/*/holders/* /sys/block/*/*[0-9]/holders/* /sys/block/*/slaves/*; do [ -e "$p" ] && echo "$p"; done
fi

if wants platform; then
	echo "#machine"
	uname -m
	read -r host </proc/sys/kernel/hostname
	found=
	while read -r line; do
		line="${line%%#*} "
		case $line in *[" $tab"]"$host"[" $tab"]*) found=1; break ;; esac
	done </etc/hosts 2>/dev/null
	if [ -z "$found" ] && has timeout && has getent; then
		# The resolver may be out of reach: two seconds, no more.
		echo '#resolved'; timeout 2 getent hosts "$host" </dev/null 2>/dev/null
	fi
fi
if wants user; then
	while read -r key _ uid _; do [ "$key" = Uid: ] && break; done </proc/$$/status
	echo '#passwd'
	name=
	while IFS=: read -r name pass id rest; do [ "$id" != "$uid" ] || break; done 2>/dev/null </etc/passwd
	if [ -n "$name" ] && [ "$id" = "$uid" ]; then printf '%s\n' "$name:$pass:$id:$rest"
	elif has getent; then getent passwd "$uid" </dev/null 2>/dev/null; fi
fi
if wants date_time; then
	# The name of the other half of the year's time zone comes from a date half a year on.
	echo '#date'
	now=$(printf '%s\n' now 'now +15778800 seconds' | date -f - '+%s %N %Z %z' 2>/dev/null)
	if [ -n "$now" ]; then printf '%s\n' "$now"
	else
		now=$(date '+%s %N %Z %z')
		printf '%s\n' "$now"
		later=$((${now%% *} + 15778800))
		date -d "@$later" '+%Z %z' 2>/dev/null
	fi
fi
if wants chroot; then
	echo '#chroot'
	if [ -n "${debian_chroot-}" ]; then echo yes
	elif [ -e /proc/1/root/. ]; then [ / -ef /proc/1/root/. ] && echo no || echo yes
	else
		set -- $(ls -di /)
		case $1 in 2 | 128 | 256) echo no ;; *) echo yes ;; esac
	fi
fi
if wants python; then
	echo '#python'
	for p in /usr/bin/python3 /usr/libexec/platform-python /usr/local/bin/python3; do [ -x "$p" ] && echo "$p"; done
	set -- /usr/lib/python3.[0-9]*
	[ -d "$1" ] && printf '%s\n' "$@"
fi

if wants local && [ -d "$facts_d" ]; then
	for p in "$facts_d"/*.fact; do
		[ -f "$p" ] || continue
		printf '#local %s\n' "${p##*/}"
		if [ -x "$p" ]; then { "$p" </dev/null 2>/dev/null; printf '\n%s\n' "$?"; } | sed 's/^/ /'
		else sed 's/^/ /' "$p"; printf ' \n 0\n'; fi
	done
fi

if wants hardware; then
	echo '#mounts'
	set -f
	IFS=$nl
	mounts= binds=
	for line in $(grep -E '^[^ ]*:/|^[/\\]| - [^ ]+ ([^ ]*:/|[/\\])' /proc/mounts /proc/self/mountinfo); do
		case $line in
		/proc/mounts:*) mounts=$mounts${line#*:}$nl ;;
		*) binds=$binds${line#*:}$nl ;;
		esac
	done
	printf '%s#mountinfo\n%s' "$mounts" "$binds"
	# A dead server must not hang us: whatever is not a local file system, or lies below one that is
	# not, is looked at in the background.
	near='' far='' below=''
	for line in $mounts; do
		rest=${line#* } dir=${rest%% *} rest=${rest#* } type=${rest%% *}
		case $type in none | autofs) continue ;;
		ext[234] | xfs | btrfs | vfat | zfs | f2fs | iso9660 | squashfs | ntfs* | jfs | reiserfs | overlay | tmpfs | erofs | exfat | bcachefs | udf)
			remote= ;;
		*) remote=1 ;;
		esac
		for b in $below; do case $dir/ in "$b"/*) remote=1 ;; esac; done
		[ -z "$remote" ] || below=$below$nl$dir
		case $dir in *\\*) dir=$(printf '%bx' "$dir") dir=${dir%x} ;; esac
		case $dir in *"$nl"*) continue ;; esac
		if [ -n "$remote" ]; then far=$far$nl$dir; else near=$near$nl$dir; fi
	done
	echo '#statfs'
	format='%s %S %b %f %a %c %d %n'
	if has stat; then
		[ -z "$near" ] || stat -f -c "$format" $near </dev/null 2>/dev/null
		if [ -n "$far" ] && tmp=$(umask 077; mktemp -d 2>/dev/null); then
			n=0 pids=
			for dir in $far; do
				n=$((n + 1))
				{ stat -f -c "$format" "$dir" >"$tmp/$n.out" & echo $! >"$tmp/$n.pid"; wait; : >"$tmp/$n.done"; } </dev/null >/dev/null 2>&1 &
				pids="$pids$nl$!"
			done
			t=0 limit=$((wait * 10))
			while [ $t -lt $limit ]; do
				i=0
				while [ $i -lt $n ] && [ -e "$tmp/$((i + 1)).done" ]; do i=$((i + 1)); done
				[ $i -lt $n ] || break
				sleep 0.1 2>/dev/null || { sleep 1; t=$((t + 9)); }
				t=$((t + 1))
			done
			i=0
			late=
			set -- $pids
			for dir in $far; do
				i=$((i + 1))
				if [ -e "$tmp/$i.done" ]; then cat "$tmp/$i.out"
				else
					late=$late$nl$dir
					kill -9 "$1" $(cat "$tmp/$i.pid") 2>/dev/null
				fi
				shift
			done
			[ -z "$late" ] || printf '#timeout%s\n' "$late"
			rm -rf "$tmp"
		fi
	fi
	unset IFS
	set +f
	if [ -w /dev/mapper/control ] && has vgs; then
		cap=
		has timeout && cap="timeout $wait"
		o='--noheadings --nosuffix --units g --separator ,'
		pvs=$($cap pvs $o -o pv_name,vg_name,pv_fmt,pv_attr,pv_size,pv_free,pv_count,lv_count,vg_size,vg_free </dev/null 2>/dev/null)
		printf '#pvs\n%s\n' "$pvs"
		# Without a physical volume there is nothing.
		if [ -n "$pvs" ]; then echo '#lvs'; $cap lvs $o -o lv_name,vg_name,lv_attr,lv_size </dev/null 2>/dev/null; fi
	fi
fi

if wants env; then
	echo '#env'
	PATH=$old_path
	if [ -n "$had_lc" ]; then LC_ALL=$old_lc; else unset LC_ALL; fi
	cat /proc/self/environ
fi
exit 0
