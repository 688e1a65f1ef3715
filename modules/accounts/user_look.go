package accounts

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

// userScript: name, local, home asked for, 1 when an SSH key is asked for, its file, primary group, the other groups. The hash of the
// password is read to be compared; it is not shown.
const userScript = lookLib + modules.ExpandLib + "\n" + `name=$1 local=$2 home=$3 key=$4 file=$5 group=$6
shift 6
say passwd "$(entry passwd "$name")"
say shadow "$(entry shadow "$name")"
say own "$(entry group "$name")"
[ -z "$group" ] || say primary "$(entry group "$group")"
i=0
for g in "$@"; do i=$((i + 1)); say "group$i" "$(entry group "$g")"; done
say member "$( (if [ -z "$local" ] && has getent; then getent group; else cat /etc/group; fi) 2>/dev/null |
	awk -F: 'BEGIN { n = ARGV[1]; ARGV[1] = "" } { c = split($4, m, ","); for (i = 1; i <= c; i++) if (m[i] == n) { print $1; break } }' "$name" -)"
for t in useradd usermod adduser luseradd chage; do if has "$t"; then say "$t" yes; fi; done
[ ! -e /etc/passwd ] || say file yes
now=$(entry passwd "$name"); now=${now%:*}; now=${now##*:}
if [ -n "$home" ]; then __expand "$home"; home=$__v; say home "$home"; else home=$now; fi
if [ -n "$home" ]; then
	if [ -e "$home" ]; then say homethere yes; fi
	if [ -d "$(dirname -- "$home")" ]; then say parentthere yes; fi
fi
if [ -n "$key" ]; then
	case $file in /*) ;; "~"*) __expand "$file"; file=$__v ;; *) [ -z "${now:-$home}" ] || file=${now:-$home}/$file ;; esac
	say host "$(uname -n)"
	say keyfile "$file"
	case $file in /*) ;; *) exit 0 ;; esac
	if [ -e "$file" ]; then
		say private yes
		say print "$(ssh-keygen -l -f "$file" 2>&1 </dev/null)"
	fi
	if [ -e "$file.pub" ]; then say public "$(cat "$file.pub")"; fi
fi
exit 0
`

// account is what a look told of a user.
type account struct {
	exists   bool
	uid, gid int
	comment  string
	home     string
	shell    string
	// Of the shadow file; known says that it was read. Days are -1 when there are none.
	known            bool
	hash             string
	expires          int
	least, most, ask int

	member  []string // groups that name the user
	own     bool     // there is a group of the user's name
	primary *groupEntry
	groups  []string // those asked for, by their names

	wantHome    string // asked for, in full
	homeThere   bool
	parentThere bool

	keyFile, host, fingerprint, public string
	private                            bool

	tools *modules.Report
}

// userWish is what a task asks of one user, and what was found out on the way.
type userWish struct {
	UserArgs
	warnings []string
	replaced *string // the fingerprint of the key that is to be replaced
}

func (w *userWish) probeArgs() []string {
	flag := func(on bool) string {
		if on {
			return "1"
		}
		return ""
	}
	home, file := "", ".ssh/id_"+w.SSHKeyType
	if w.Home != nil {
		home = string(*w.Home)
	}
	if w.SSHKeyFile != nil {
		file = string(*w.SSHKeyFile)
	}
	args := []string{w.Name, flag(w.Local), home, flag(w.GenerateSSHKey), file, text(w.Group)}
	return append(args, w.wantedGroups()...)
}

// wantedGroups are the other groups asked for, without empty ones.
func (w *userWish) wantedGroups() []string {
	if w.Groups == nil {
		return nil
	}
	var names []string
	for _, g := range *w.Groups {
		if g = strings.TrimSpace(g); g != "" && !slices.Contains(names, g) {
			names = append(names, g)
		}
	}
	return names
}

// text is an optional text's value, "" when it was not given.
func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

func (w *userWish) parse(r *modules.Report) (account, error) {
	s := account{
		tools: r, expires: -1, least: -1, most: -1, ask: -1, own: readGroup(r.Text("own"), w.Name) != nil, member: r.Lines("member"),
		homeThere: r.Has("homethere"), parentThere: r.Has("parentthere"), private: r.Has("private"), keyFile: r.Text("keyfile"),
		host: r.Text("host"), fingerprint: r.Text("print"), public: strings.TrimSpace(r.Text("public")), wantHome: r.Text("home"),
	}
	if w.Local && !r.Has("file") {
		return s, errors.New("'local: true' specified but unable to find local account file /etc/passwd to parse")
	}
	if f := strings.Split(r.Text("passwd"), ":"); len(f) >= 7 && f[0] == w.Name {
		uid, err1 := strconv.Atoi(f[2])
		gid, err2 := strconv.Atoi(f[3])
		if err := errors.Join(err1, err2); err != nil {
			return s, fmt.Errorf("read user %s: %w", w.Name, err)
		}
		s.exists, s.uid, s.gid, s.comment, s.home, s.shell = true, uid, gid, f[4], f[5], f[6]
		if len(f[1]) != 1 {
			s.hash = f[1] // older systems, and none at all
		}
	}
	if f := strings.Split(r.Text("shadow"), ":"); len(f) >= 8 && f[0] == w.Name {
		s.known, s.hash = true, f[1]
		s.least, s.most, s.ask, s.expires = days(f[3]), days(f[4]), days(f[5]), days(f[7])
	}
	if w.State == modules.Absent {
		return s, nil
	}
	if w.Group != nil {
		if s.primary = readGroup(r.Text("primary"), ""); s.primary == nil {
			return s, fmt.Errorf("Group %s does not exist", *w.Group)
		}
	}
	for i, g := range w.wantedGroups() {
		entry := readGroup(r.Text("group"+strconv.Itoa(i+1)), "")
		if entry == nil {
			return s, fmt.Errorf("Group %s does not exist", g)
		}
		s.groups = append(s.groups, entry.name)
	}
	return s, nil
}

// days is a number of the shadow file, -1 when there is none.
func days(field string) int {
	n, err := strconv.Atoi(field)
	if err != nil {
		return -1
	}
	return n
}
