package web

import "github.com/hostlerhq/hostler/modules"

// maxBody is the longest body that is taken to the controller.
const maxBody = "12582912"

// script is what runs on the host. Its arguments are those of compose, its input curl's file, wget's, the URL and the body.
func (req Request) script() string {
	then := req.Then
	if then == "" {
		then = BodyScript
	}
	return argsScript + req.Look + startScript + then
}

// argsScript names the arguments; those of Look stay.
const argsScript = modules.ExpandLib + `
for w_n in curl wget url body method timeout gunzip resume verify not_wget not_box ca cert key sock skip; do eval "w_$w_n=\$1"; shift; done
for w_n in body ca cert key sock; do eval "__expand \"\$w_$w_n\""; eval "w_$w_n=\$__v"; done
out= more= keep=
`

// startScript asks. Each tool leaves the headers in head and what it says in err.
//
//	web_once [1]  asks once, with 1 goes on where out ends; rc is the tool's status
//	web_fetch     asks, and goes on as long as it gets on
const startScript = `
shift "$w_skip"
umask 077
w=$(mktemp -d "${TMPDIR:-/tmp}/hostler.XXXXXXXX") || exit 1
[ -n "$out" ] || out=$w/out
trap 'rm -rf -- "$w"; [ -n "$keep" ] || rm -f -- "$out"' EXIT
trap 'exit 143' HUP INT TERM
cat >"$w/in" || exit 1
head -c "$w_curl" "$w/in" >"$w/curl"
tail -c +"$((w_curl + 1))" "$w/in" | head -c "$w_wget" >"$w/wget"
tail -c +"$((w_curl + w_wget + 1))" "$w/in" | head -c "$w_url" >"$w/url"
if [ "$w_body" = - ]; then tail -c +"$((w_curl + w_wget + w_url + 1))" "$w/in" >"$w/body" || exit 1; w_body=$w/body; fi
rm -f "$w/in"
w_tool= w_why= w_tls=
[ -n "$w_ca" ] || w_ca=${SSL_CERT_FILE-}
# Busybox verifies nothing itself, and has openssl verify that there is a certificate, not that it is the server's. Alpine's own
# ssl_client does both.
w_unsure="busybox's wget does not verify that a certificate is the server's own"
if [ "$w_method" = FILE ]; then w_tool=file
elif command -v curl >/dev/null 2>&1; then w_tool=curl
elif command -v wget >/dev/null 2>&1; then
	w_help=$(wget --help 2>&1 </dev/null)
	case $w_help in
	*'GNU Wget 1'*) w_tool=wget w_why=$w_not_wget ;;
	*BusyBox*)
		w_tool=busybox w_why=$w_not_box
		case $(readlink -f "$(command -v ssl_client)") in */busybox* | '') w_tls=$w_verify ;; esac
		case $w_why$w_tls$(cat "$w/url") in 1[Hh][Tt][Tt][Pp][Ss]:*) w_why=$w_unsure ;; esac ;;
	*) w_why="its wget is neither GNU's nor busybox's" ;;
	esac
else w_why='it has no wget either'
fi
if [ -n "$w_why" ]; then say web.why "the host has no curl, and $w_why: install curl"; exit 0; fi
if [ -n "$w_body" ] && { [ ! -f "$w_body" ] || [ ! -r "$w_body" ]; }; then say web.why "Unable to open source file $w_body"; exit 0; fi
web_watch() {
	"$@" </dev/null 2>"$w/log" & w_pid=$!
	(
		w_old=-1 w_idle=0
		while kill -0 "$w_pid" 2>/dev/null; do
			sleep 1
			w_now=$(wc -c <"$out" 2>/dev/null)
			if [ "$w_now" = "$w_old" ]; then w_idle=$((w_idle + 1)); else w_idle=0; fi
			w_old=$w_now
			if [ "$w_idle" -ge "$w_timeout" ]; then echo 'wget: timed out' >>"$w/late"; kill "$w_pid"; exit; fi
		done
	) >/dev/null 2>&1 </dev/null & w_dog=$!
	wait "$w_pid" 2>/dev/null; rc=$?
	kill "$w_dog" 2>/dev/null
	[ ! -f "$w/late" ] || { cat "$w/late" >>"$w/log"; rm -f "$w/late"; }
}
web_once() {
	: >"$w/head"; : >"$w/err"
	case $w_tool in
	file) cat -- "$(cat "$w/url")" >"$out" 2>"$w/err"; rc=$? ;;
	curl)
		{
			cat "$w/curl"
			for w_h in "$more" "$w_if"; do
				[ -z "$w_h" ] || printf 'header = "%s"\n' "$(printf %s "$w_h" | sed 's/[\"]/\\&/g')"
			done
		} | curl -q -K - -D "$w/head" -o "$out" ${1:+-C -} ${w_body:+--data-binary "@$w_body"} ${w_ca:+--cacert "$w_ca"} \
			${w_cert:+--cert "$w_cert"} ${w_key:+--key "$w_key"} ${w_sock:+--unix-socket "$w_sock"} 2>"$w/err"
		rc=$? ;;
	wget)
		{
			cat "$w/wget"
			# An answer of 304 has no body, which wget would wait for.
			case $more in If-Modified-Since:*) ;; *) echo 'content_on_error = on' ;; esac
			for w_h in "$more" "$w_if"; do [ -z "$w_h" ] || printf 'header = %s\n' "$w_h"; done
		} >"$w/rc"
		case $w_help in *--no-hsts*) w_hsts=--no-hsts ;; *) w_hsts= ;; esac
		wget --config="$w/rc" $w_hsts --no-verbose --server-response -o "$w/log" -O "$out" ${1:+-c} ${w_body:+--body-file="$w_body"} \
			${w_ca:+--ca-certificate="$w_ca"} ${w_cert:+--certificate="$w_cert"} ${w_key:+--private-key="$w_key"} -i "$w/url" </dev/null
		rc=$?
		sed -n 's/^  //p' "$w/log" >"$w/head"
		grep -v -e '^  ' -e '^Converted links' "$w/log" >"$w/err" ;;
	busybox)
		w_on=$1; shift
		set -- -q -S -O "$out" ${w_on:+-c} ${more:+--header "$more"} ${w_if:+--header "$w_if"} ${w_body:+--post-file "$w_body"} "$@"
		case $w_help in
		*'-T SEC'*) wget -T "$w_timeout" "$@" </dev/null 2>"$w/log"; rc=$? ;;
		*) web_watch wget "$@" ;;
		esac
		sed -n 's/^  //p' "$w/log" >"$w/head"
		grep -v '^  ' "$w/log" >"$w/err"
		if [ -n "$w_tls" ] && grep -qi '^location: *https:' "$w/head"; then
			echo "it was redirected to https, and $w_unsure: install curl" >"$w/err"; rc=60; : >"$w/head"
		fi ;;
	esac
	status=$(sed -n 's/^HTTP\/[0-9.]* \([0-9][0-9][0-9]\).*/\1/p' "$w/head" | tail -n 1)
}
web_header() { sed -n "s/^$1: *//Ip" "$w/head" | tail -n 1 | tr -d '\r'; }
web_fetch() {
	w_if= w_had=0 w_try=0
	web_once "" "$@"
	while [ "$rc" != 0 ] && [ -n "$w_resume" ] && [ "$w_try" -lt 5 ] && [ -f "$out" ]; do
		case $w_tool$rc in curl23 | wget3 | file*) break ;; esac
		case $status in 200 | 206) ;; *) break ;; esac
		w_size=$(($(wc -c <"$out")))
		[ "$w_size" -gt "$w_had" ] || break
		if [ "$w_try" = 0 ]; then
			w_tag=$(web_header etag)
			case $w_tag in '"'*) ;; *) w_tag=$(web_header last-modified) ;; esac
			cp "$w/head" "$w/first"
		fi
		[ -n "$w_tag" ] || break
		w_try=$((w_try + 1)) w_had=$w_size w_if="If-Range: $w_tag"
		web_once 1 "$@"
		if [ "$rc" != 0 ] && [ "$status" = 200 ] && [ "$w_tool" != busybox ]; then
			rm -f "$out"; w_if= w_had=0 # it is another file now
			web_once "" "$@"
		fi
	done
	if [ "$rc" = 0 ] && [ "$status" = 206 ] && [ -f "$w/first" ]; then mv "$w/first" "$w/head"; status=200; fi
}
web_fetch "$@"
case $w_tool$rc in
curl23 | wget3) # they do not say why
	w_says=$(printf x | cat 2>&1 >>"$out")
	[ -z "$w_says" ] || printf 'cannot write %s: %s\n' "$out" "${w_says##*: }" >"$w/err" ;;
esac
[ "$w_method" != HEAD ] || : >"$out" # where curl has put the headers
if [ "$rc" = 0 ] && [ -n "$w_gunzip" ] && [ -s "$out" ] && [ "$(web_header content-encoding | tr A-Z a-z)" = gzip ]; then
	gzip -dc <"$out" >"$out.un" 2>"$w/err" && mv -f -- "$out.un" "$out" || { rc=1; rm -f -- "$out.un"; }
fi
say web.tool "$w_tool"
say web.rc "$rc"
say web.head "$(cat "$w/head")"
say web.err "$(cat "$w/err")"
say web.size "$(($(cat -- "$out" 2>/dev/null | wc -c)))"
`

// BodyScript is the end of a script (Then) that tells what came, for Response.Body.
const BodyScript = `
if [ -f "$out" ]; then
	if [ "$(wc -c <"$out")" -le ` + maxBody + ` ]; then show web.body "$out"; else say web.large 1; fi
fi
`
