# iptables over nf_tables, in a network of its own.
ln -sf /usr/sbin/iptables-nft /etc/alternatives/iptables
ln -sf /usr/sbin/ip6tables-nft /etc/alternatives/ip6tables
state() { for f in '' 6; do "ip${f}tables-save" | sed '/^#/d; s/\[[0-9]*:[0-9]*\]//' || :; done; }
