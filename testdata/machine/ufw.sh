# ufw in a network of its own; its files are those of the copy of /etc.
ln -sf /usr/sbin/iptables-nft /etc/alternatives/iptables
ln -sf /usr/sbin/ip6tables-nft /etc/alternatives/ip6tables
sed -i 's/^ENABLED=.*/ENABLED=no/' /etc/ufw/ufw.conf
state() {
	ufw status verbose
	ufw status numbered
	cat /etc/ufw/ufw.conf /etc/ufw/user.rules /etc/ufw/user6.rules /etc/default/ufw
	for f in '' 6; do "ip${f}tables-save" | sed '/^#/d; s/\[[0-9]*:[0-9]*\]//' || :; done
}
printf '[Here]\ntitle=Here\ndescription=A program\nports=8000,8001/tcp\n' >/etc/ufw/applications.d/here
