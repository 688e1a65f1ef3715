#!/bin/sh
. "$1"
case $how in
text) echo no json; echo complaint >&2; exit 3 ;;
failed) echo '{"failed": true, "msg": "told so"}' ;;
rc) echo '{"rc": 4, "msg": "by its rc"}' ;;
skipped) echo '{"skipped": true, "msg": "not needed"}' ;;
junk) printf '{"changed": "yes",\n"n": 1}\nafter\n' ;;
list) echo '[1, 2]' ;;
nothing) ;;
esac
