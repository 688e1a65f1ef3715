. "${prepare%/*}/../systemd.sh"
