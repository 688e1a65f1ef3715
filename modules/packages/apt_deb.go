package packages

import (
	"strconv"
	"strings"
)

// aptDeb installs files: timeout, status of policy-rc.d, number of files, files or URLs, the program that they are given to. apt's own helper
// fetches URLs, for it is there wherever apt is. What is installed in the same version is left out.
const aptDeb = aptWait + `
timeout=$1 status= wish=$2 n=$3 i=0
shift 3
same=1
while [ "$n" -gt 0 ]; do
	file=$1 n=$((n - 1)) i=$((i + 1))
	shift
	case $file in
	*://*)
		run /usr/lib/apt/apt-helper -o APT::Sandbox::User=root download-file "$file" "$d/$i.deb" && rc=0 || { rc=$?; told; exit $rc; }
		file=$d/$i.deb
		;;
	/*) ;;
	*) file=./$file ;;
	esac
	name=$(dpkg-deb -f "$file" Package) && version=$(dpkg-deb -f "$file" Version) && arch=$(dpkg-deb -f "$file" Architecture) || exit 1
	if [ "$arch" != all ]; then name=$name:$arch; fi
	is=$(dpkg-query -W -f '${db:Status-Status} ${Version}' "$name" 2>/dev/null)
	[ "$is" != "installed $version" ] || continue
	same=
	printf '%s\n' "$file" >>"$d/files"
done
if [ -n "$same" ]; then say same 1; exit 0; fi
while read -r file; do set -- "$@" "$file"; done <"$d/files"
status=$wish
` + aptPolicy + `
run "$@" && rc=0 || rc=$?
told
exit $rc
`

// deb gives the step that installs files.
func (r *aptRun) deb() aptStep {
	files := strings.Split(r.args.Deb, ",")
	for i, f := range files {
		files[i] = strings.TrimSpace(f)
	}
	return aptStep{
		why: "install " + strings.Join(files, ", "), argv: r.command(r.installOptions(), "install"),
		script: aptDeb, args: append([]string{strconv.Itoa(len(files))}, files...),
	}
}
