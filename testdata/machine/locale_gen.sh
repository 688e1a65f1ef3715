# Locales of its own; /etc/locale.gen is in the copy of /etc.
mkdir "$d/locales"
cp -a /usr/lib/locale/. "$d/locales/"
mount --bind "$d/locales" /usr/lib/locale
rm -f /usr/lib/locale/locale-archive
sed -i 's/^\([^#]\)/# \1/' /etc/locale.gen
stopped() { grep -v '^#' /etc/locale.gen || :; locale -a | sort; }
