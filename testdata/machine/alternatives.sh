# Groups of its own; /etc/alternatives is a copy already.
mkdir "$d/altadmin"
mount --bind "$d/altadmin" /var/lib/dpkg/alternatives
mkdir -p /home/bin /home/man
for f in one two 'three 3'; do printf '#!/bin/sh\n' >"/home/bin/$f"; printf '' >"/home/man/$f"; done
chmod 755 /home/bin/*
update-alternatives --quiet --install /home/known known /home/bin/one 10 --slave /home/known.man known.man /home/man/one
update-alternatives --quiet --install /home/known known /home/bin/two 20
stopped() { for f in /var/lib/dpkg/alternatives/*; do echo "== $f"; cat "$f"; done; }
