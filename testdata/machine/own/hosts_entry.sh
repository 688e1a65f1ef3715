# A file that is a mount point, as it is in containers.
printf '127.0.0.1 localhost\n' >/run/hosts
[ -e /etc/hosts ] || : >/etc/hosts
mount --bind /run/hosts /etc/hosts
stopped() { :; }
