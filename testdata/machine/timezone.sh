# dpkg-reconfigure keeps its answers here; hwclock has no clock to write to.
cp -a /var/cache/debconf /run/debconf
mount --bind /run/debconf /var/cache/debconf
mkdir -p /run/bin
printf '#!/bin/sh\n[ "$1" = --systohc ] || exit 1\nw=UTC; [ "$2" = --utc ] || w=LOCAL\nprintf "0.0 0 0.0\\n0\\n%%s\\n" $w >/etc/adjtime\n' >/run/bin/hwclock
chmod 755 /run/bin/hwclock
PATH=/run/bin:$PATH
stopped() { :; }
