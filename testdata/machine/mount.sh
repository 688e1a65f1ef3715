truncate -s 16M /home/disk.img
mkfs.ext4 -q -F /home/disk.img
mkdir -p /home/from/inner "/home/with space"
echo there >/home/from/file
printf '# a comment\nproc /proc proc defaults 0 0\n\nLABEL=old /home/old ext4\tnoatime,nodev 0 2\n/dev/gone /home/gone xfs defaults\n/dev/gone2 /home/gone2 xfs defaults 0 0\n' >/etc/fstab
state() {
	echo == fstab; cat /etc/fstab /home/fstab2
	echo == mounts; findmnt -rn -o TARGET,FSTYPE,OPTIONS | grep ' /home/\|^/home/' | sed 's/,relatime//; s/,inode64//' | sort
	ls -d /home/* /home/*/*
}
stopped() {
	umount -R /home/deep/er/t /home/bound /home/loop '/home/with space' 2>/dev/null || :
}
