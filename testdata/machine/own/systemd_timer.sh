# systemd as a user's manager, which needs no PID 1 of its own: real systemctl, real units.
mkdir -p /run/systemd/system /run/user/0 /root/.config/systemd/user
chmod 700 /run/user/0
units=/root/.config/systemd/user
printf '[Service]\nExecStart=/bin/sleep 1000\nExecReload=/bin/true\n[Install]\nWantedBy=default.target\n' >$units/web.service
printf '[Service]\nExecStart=/bin/sleep %%I\n[Install]\nWantedBy=default.target\n' >$units/sleep@.service
printf '[Service]\nType=oneshot\nExecStart=/bin/true\n' >$units/once.service
printf '[Service\nExecStart=/bin/true\n' >$units/broken.service
XDG_RUNTIME_DIR=/run/user/0 /lib/systemd/systemd --user >/run/log 2>&1 &
manager=$!
until XDG_RUNTIME_DIR=/run/user/0 systemctl --user list-units >/dev/null 2>&1; do kill -0 $manager; done
stopped() { kill $manager; wait $manager || :; }
