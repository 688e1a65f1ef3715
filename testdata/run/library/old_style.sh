#!/bin/sh
. "$1"
name=$(printf %s "$name" | tr '"' "'")
printf '{"changed": true, "name": "%s", "count": "%s", "flag": "%s", "check": "%s", "user": "%s"}' \
	"$name" "$count" "$flag" "$_ansible_check_mode" "$(id -un)"
