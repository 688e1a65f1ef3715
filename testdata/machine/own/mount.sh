mkdir -p /home/a /home/b /home/full /home/hand
echo A >/home/a/file; echo B >/home/b/file; echo stays >/home/full/file
printf '/dev/twice /home/twice ext4 defaults 0 0\n/dev/twice2 /home/twice xfs defaults 0 0\n' >/etc/fstab
truncate -s 1M /home/img
