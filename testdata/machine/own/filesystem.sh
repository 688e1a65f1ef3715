truncate -s 320M /home/old.img /home/table.img /home/busy.img
mkfs.ext4 -q -F -U 11111111-2222-3333-4444-555555555555 /home/old.img
mkfs.ext4 -q -F -U 21111111-2222-3333-4444-555555555555 /home/busy.img
echo 'label-id: 0x12345678
2048,' | sfdisk -q --label dos /home/table.img
mkdir /home/busy
mount -o loop /home/busy.img /home/busy
stopped() { umount /home/busy; }
