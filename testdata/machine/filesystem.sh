for f in ext4 ext2 xfs swap grow wipe parted; do truncate -s 320M /home/$f.img; done
truncate -s 16M /home/part.img
mkfs.ext4 -q -F -U 11111111-2222-3333-4444-555555555555 /home/wipe.img
mkfs.ext4 -q -F /home/grow.img 64M
state() {
	for f in /home/*.img; do echo "$f $(blkid -p -o value -s TYPE -s LABEL -s VERSION "$f" | tr '\n' ' ')"; done
	dumpe2fs -h /home/grow.img 2>/dev/null | grep 'Block count\|Block size'
}
