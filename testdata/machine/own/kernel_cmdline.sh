# A grub whose menu is a line, and which makes none of what is broken.
mkdir -p /run/bin /etc/default
cat >/run/bin/update-grub <<'END'
#!/bin/sh
. /etc/default/grub
case $GRUB_CMDLINE_LINUX in *broken*) echo "no menu of this" >&2; exit 3 ;; esac
echo "$GRUB_CMDLINE_LINUX $GRUB_CMDLINE_LINUX_DEFAULT" >/run/menu
END
chmod 755 /run/bin/update-grub
printf '# grub\nGRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX_DEFAULT="quiet splash"\nGRUB_CMDLINE_LINUX=""\n' >/etc/default/grub
chmod 640 /etc/default/grub
PATH=/run/bin:$PATH
stopped() { :; }
