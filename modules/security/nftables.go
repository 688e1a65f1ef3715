package security

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed nftables.go
var nftablesSource string

// NFTables sees to one table of nftables.
var NFTables = modules.Define("nftables", nftablesSource, runNFTables, modules.Converges())

// NFTablesArgs see to one table of nftables: a file that holds it, and the kernel. All other tables stay as they are. The text is checked by
// nft before anything is written, and takes the place of the old one in one step. For the next boot /etc/nftables.conf has to include the
// file: include "/etc/nftables.d/*.nft".
//
//	# What may come in.
//	- nftables:
//	    table: inet hypervisor
//	    content: |
//	      chain input {
//	        type filter hook input priority filter; policy drop;
//	        ct state established,related accept
//	        iif lo accept
//	        tcp dport { ssh, 16509 } accept
//	      }
type NFTablesArgs struct {
	// Table is the family and the name: inet hypervisor.
	Table string `arg:"table" required:"true"`
	// Content is what stands between the braces of the table: sets, chains with their rules.
	Content *string `arg:"content"`
	// Path of the file; /etc/nftables.d/FAMILY-NAME.nft when none is given.
	Path modules.Path `arg:"path"`
	// State is whether the table shall be there.
	State modules.Presence `arg:"state" default:"present"`
	// Force takes over a table or a file that something else made.
	Force bool `arg:"force"`
	// AcceptLockout leaves a change in place that cuts the SSH session; otherwise it is taken back after 20 seconds.
	AcceptLockout bool `arg:"accept_lockout"`
}

// NFTablesResult tells where the table is kept.
type NFTablesResult struct {
	// Path of the file.
	Path string `json:"path"`
	// Table that was meant.
	Table string `json:"table"`
}

var nftTable = regexp.MustCompile(`^(ip|ip6|inet|arp|bridge|netdev) ([A-Za-z_][A-Za-z0-9_.-]{0,30})$`)

// Check refuses a name that cannot be, and text that goes on after the table's end.
func (a NFTablesArgs) Check() error {
	switch {
	case !nftTable.MatchString(a.Table):
		return &modules.ArgError{
			Path: []any{"table"}, Msg: "table must be a family (ip, ip6, inet, arp, bridge, netdev) and a name, not " + a.Table,
			Hint: "table: inet hypervisor",
		}
	case a.Path != "" && !strings.HasPrefix(string(a.Path), "/"):
		return &modules.ArgError{Path: []any{"path"}, Msg: "path must be absolute: " + string(a.Path)}
	case a.State == modules.Absent:
		return nil
	case a.Content == nil:
		return missing("state is present but all of the following are missing: content")
	}
	if line := strayBrace(*a.Content); line > 0 {
		return &modules.ArgError{
			Path: []any{"content"}, Msg: fmt.Sprintf("line %d of content: braces do not match", line),
			Hint: "content is what stands between the braces of the table",
		}
	}
	return nil
}

// strayBrace gives the line at which braces do not match, 0 when they do. Comments and strings do not count.
func strayBrace(text string) int {
	depth, number := 0, 0
	for line := range strings.Lines(text) {
		number++
		quoted := false
	chars:
		for _, c := range line {
			switch {
			case c == '"':
				quoted = !quoted
			case quoted:
			case c == '#':
				break chars
			case c == '{':
				depth++
			case c == '}':
				depth--
			}
			if depth < 0 {
				return number
			}
		}
	}
	if depth != 0 {
		return max(number, 1)
	}
	return 0
}

const nftHead = "# hostler keeps this file: what is written here by hand goes away.\n"

// text is the whole file. It can be loaded over an old version of the table: nft takes all of it in one step.
func (a NFTablesArgs) text() string {
	if a.Content == nil {
		return ""
	}
	return nftHead + fmt.Sprintf("table %[1]s\ndelete table %[1]s\ntable %[1]s {\n%[2]s\n}\n", a.Table, strings.TrimRight(*a.Content, "\n"))
}

// nftLib has __listed, which gives a sum of a table as it is loaded, without counters and elements of sets, for those change by themselves.
const nftLib = `__record() { printf '/run/hostler-nft/%s-%s' "$1" "$2"; }
__listed() {
	nft -s list table "$1" "$2" | awk '/elements = [{]/ { skip = 1 } !skip { print } /[}]/ { skip = 0 }' | sha1sum
}
`

// nftScript: family, name, file, text.
const nftScript = nftLib + `command -v nft >/dev/null 2>&1 || { echo "the host has no program nft; it comes with nftables" >&2; exit 1; }
tables=$(nft list tables) || exit 1
case "
$tables
" in *"
table $1 $2
"*) say loaded "$(__listed "$1" "$2")" ;; esac
if [ -e "$3" ]; then show file "$3"; fi
record=$(__record "$1" "$2")
if [ -e "$record" ]; then show record "$record"; fi
if [ -n "$4" ]; then
	check() { printf '%s' "$4" | nft -c -f /dev/stdin; }
	out=$(check "$@" 2>&1) || say wrong "$out"
fi
exit 0
`

// nftLoad: family, name, file; the text comes by standard input. The file appears only when the kernel has taken the table.
const nftLoad = nftLib + `umask 022
mkdir -p -- "${3%/*}" || exit 1
t=$(mktemp "${3%/*}/.hostler.XXXXXX") || exit 1
trap 'rm -f -- "$t" "$t.old"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$t" && chmod 644 "$t" || exit 1
[ ! -e "$3" ] || cp -p -- "$3" "$t.old" || exit 1
nft -f "$t" || exit 1
if [ -e "$t.old" ]; then cat "$t" >"$t.old"; mv -f -- "$t.old" "$3"; else mv -f -- "$t" "$3"; fi || exit 1
mkdir -p /run/hostler-nft && __listed "$1" "$2" >"$(__record "$1" "$2")"`

// nftRemove: family, name, file, and yes when the table is loaded.
const nftRemove = nftLib + `if [ "$4" = yes ]; then nft delete table "$1" "$2" || exit 1; fi
rm -f -- "$3" "$(__record "$1" "$2")"`

// The guard's: family, name, file.
const (
	nftSave = `nft list table "$1" "$2" >old 2>/dev/null || rm -f old
[ ! -e "$3" ] || cp -p -- "$3" file`
	nftUndo = nftLib + `{ printf 'table %s %s\ndelete table %s %s\n' "$1" "$2" "$1" "$2"; [ ! -e old ] || cat old; } | nft -f /dev/stdin || exit 1
if [ -e file ]; then cp -p file "$3"; else rm -f -- "$3"; fi
rm -f -- "$(__record "$1" "$2")"`
)

// nftSeen is what a look told.
type nftSeen struct {
	loaded, record, file string
	isLoaded, hasFile    bool
	recorded             bool
}

// ours reports whether nobody else made what is there.
func (s nftSeen) ours() bool {
	return (!s.isLoaded || s.recorded || strings.HasPrefix(s.file, nftHead)) && (!s.hasFile || strings.HasPrefix(s.file, nftHead))
}

func runNFTables(ctx context.Context, h *modules.Host, a NFTablesArgs) (NFTablesResult, error) {
	family, name, _ := strings.Cut(a.Table, " ")
	path := string(a.Path)
	if path == "" {
		path = "/etc/nftables.d/" + family + "-" + name + ".nft"
	}
	guard := modules.Guard{Why: "table " + a.Table, Save: nftSave, Undo: nftUndo, Args: []string{family, name, path}}
	_, _, err := modules.Reconcile(ctx, h, modules.Reconciler[nftSeen]{
		Probe: nftScript, Args: []string{family, name, path, a.text()}, Lock: "nftables",
		Parse: func(r *modules.Report) (nftSeen, error) {
			s := nftSeen{
				loaded: r.Text("loaded"), isLoaded: r.Has("loaded"), record: r.Text("record"), recorded: r.Has("record"),
				file: string(r.Bytes("file")), hasFile: r.Has("file"),
			}
			if r.Has("wrong") {
				return s, errors.New("nft refuses the text, so nothing was changed: " + inContent(r.Text("wrong")))
			}
			return s, nil
		},
		Plan: func(s nftSeen) ([]modules.Action, error) {
			actions, err := a.plan(s, family, name, path)
			if !a.AcceptLockout && a.Content != nil && strings.Contains(*a.Content, "hook") {
				actions = guard.Arm(h, actions)
			}
			return actions, err
		},
		Want: func(s nftSeen) nftSeen {
			s.file = a.text()
			return s
		},
		Diff: func(before, after nftSeen) []modules.Diff {
			if before.file == after.file {
				return nil
			}
			return []modules.Diff{{Before: before.file, After: after.file, BeforeHeader: path, AfterHeader: path}}
		},
	})
	return NFTablesResult{Path: path, Table: a.Table}, guard.Settle(ctx, h, err)
}

func (a NFTablesArgs) plan(s nftSeen, family, name, path string) ([]modules.Action, error) {
	args := []string{family, name, path}
	present := a.State == modules.Present
	switch same := s.file == a.text() && s.isLoaded && (!s.recorded || s.record == s.loaded); {
	case present && same, !present && !s.isLoaded && !s.hasFile:
		return nil, nil
	case !a.Force && !s.ours() && s.hasFile:
		return nil, fmt.Errorf("%s is not ours: something else made it; force: true takes it over", path)
	case !a.Force && !s.ours():
		return nil, fmt.Errorf("table %s is loaded and not ours: there is no %s; force: true takes it over", a.Table, path)
	case present:
		return []modules.Action{{Why: "load table " + a.Table + " and write " + path, Script: nftLoad, Args: args, Stdin: []byte(a.text())}}, nil
	}
	loaded := map[bool]string{true: "yes", false: "no"}[s.isLoaded]
	return []modules.Action{{Why: "remove table " + a.Table + " and " + path, Script: nftRemove, Args: append(slices.Clone(args), loaded)}}, nil
}

var nftPlace = regexp.MustCompile(`(?m)^/dev/stdin:(\d+):([\d-]+): `)

// inContent turns the places in nft's errors into those in content.
func inContent(text string) string {
	head := strings.Count(nftHead, "\n") + 3
	return nftPlace.ReplaceAllStringFunc(text, func(place string) string {
		m := nftPlace.FindStringSubmatch(place)
		line := 0
		if _, err := fmt.Sscan(m[1], &line); err != nil {
			return place
		}
		return fmt.Sprintf("line %d:%s of content: ", line-head, m[2])
	})
}
