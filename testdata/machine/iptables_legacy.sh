# iptables of old, in a network of its own.
ln -sf /usr/sbin/iptables-legacy /etc/alternatives/iptables
ln -sf /usr/sbin/ip6tables-legacy /etc/alternatives/ip6tables
state() { for f in '' 6; do "ip${f}tables-legacy-save" | sed '/^#/d; s/\[[0-9]*:[0-9]*\]//' || :; done; }
