# Files that are mount points of their own, as some are in containers, and one in a folder that takes no new files.
mkdir /home/under /home/closed
chmod 755 /home/under /home/closed
for f in copied lined; do
	echo 'old = 1' >"/home/under/$f"
	echo 'old = 1' >"/home/$f"
	mount --bind "/home/under/$f" "/home/$f"
done
for f in copied lined; do echo 'old = 1' >"/home/closed/$f"; done
mount --bind /home/closed /home/closed
for f in copied lined; do mount --bind "/home/closed/$f" "/home/closed/$f"; done
mount -o remount,bind,ro /home/closed
state() { cat /home/copied /home/lined /home/under/* /home/closed/*; ls -A /tmp | grep '^\.hostler' || :; }
