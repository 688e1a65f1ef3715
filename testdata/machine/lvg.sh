# Loop devices that the kernel frees when the last program that has them open ends.
for i in 1 2 3 4; do
	truncate -s 64M /home/pv$i.img
	l=$(losetup -f --show /home/pv$i.img)
	eval "exec $((i + 2))<$l"
	losetup -d "$l"
	ln -s "$l" /home/pv$i
done
mkdir -p /run/lock/lvm
export LVM_SUPPRESS_FD_WARNINGS=1
pvcreate -q -f $(readlink /home/pv4) && vgcreate -q hostlerother $(readlink /home/pv4)
state() {
	echo == LVM
	vgs --noheadings --units b -o vg_name,vg_extent_size,vg_extent_count,pv_count hostlertest hostlerother
	pvs --noheadings -o vg_name,pv_size -S 'vg_name=hostlertest||vg_name=hostlerother'
	for i in 1 2 3 4; do blkid -p -o value -s TYPE /home/pv$i || echo empty; done
}
stopped() { vgremove -q -f hostlertest hostlerother; pvremove -q -f $(readlink /home/pv1 /home/pv2 /home/pv3 /home/pv4); }
