#!/nonexistent/speak -u
printf '{"changed": false, "interpreted": "%s", "flags": "%s"}' "$INTERPRETED" "$(case $- in *u*) echo u ;; esac)"
