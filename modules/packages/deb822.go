package packages

import (
	"bytes"
	_ "embed"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed deb822.go
var deb822Source string

// debFiles are the files of one source: the source itself, and the key by which it is signed, armored or not.
type debFiles struct{ source, asc, gpg string }

func newDebFiles(name string) debFiles {
	s := slug(name)
	return debFiles{"/etc/apt/sources.list.d/" + s + ".sources", "/etc/apt/keyrings/" + s + ".asc", "/etc/apt/keyrings/" + s + ".gpg"}
}

// key gives the file that a key goes to.
func (f debFiles) key(data []byte) string {
	if bytes.Contains(data, []byte("-----BEGIN PGP PUBLIC KEY BLOCK-----")) {
		return f.asc
	}
	return f.gpg
}

// debFile is a file's content and its permissions, as chmod has them.
type debFile struct {
	text string
	mode uint32
}

// debState is what a look told of a source.
type debState struct {
	files      map[string]debFile
	fetched    []byte // the key, where it was to be fetched
	fetchError string
	there      bool // the key's file is there, where one is named
	keyrings   bool // the folder of keys is there
}

func (s debState) modeOf(name string) uint32 {
	if f, ok := s.files[name]; ok {
		return f.mode
	}
	return 0o644
}

// debScript: the files of the source and of its key, armored or not; where the key comes from (url, file or nothing), what.
const debScript = fetchLib + `
[ -d /etc/apt ] || { echo 'there is no apt on this host' >&2; exit 1; }
i=0
for f in "$1" "$2" "$3"; do
	i=$((i + 1))
	[ -e "$f" ] || continue
	say "name.$i" "$f"
	say "mode.$i" "$(stat -c %a "$f")"
	show "text.$i" "$f"
done
[ ! -d /etc/apt/keyrings ] || say keyrings 1
case $4 in
url) why=$(fetch "$5" "$h/key" 2>&1) && show key "$h/key" || say refused "$why" ;;
file) if [ -f "$5" ]; then say there 1; fi ;;
esac
exit 0
`

// readDeb reads what debScript told.
func readDeb(r *modules.Report) (debState, error) {
	s := debState{files: map[string]debFile{}, there: r.Has("there"), keyrings: r.Has("keyrings"), fetchError: r.Text("refused")}
	if r.Has("key") {
		s.fetched = r.Bytes("key")
		if len(s.fetched) == 0 {
			s.fetchError = "the address gives an empty file"
		}
	}
	for _, key := range r.Keys() {
		n, ok := strings.CutPrefix(key, "name.")
		if !ok {
			continue
		}
		name := r.Text(key)
		text, _, err := r.ReadText("text."+n, name)
		if err != nil {
			return s, err
		}
		mode, err := strconv.ParseUint(r.Text("mode."+n), 8, 32)
		if err != nil {
			return s, fmt.Errorf("look at %s: %w", name, err)
		}
		s.files[name] = debFile{text, uint32(mode)}
	}
	return s, nil
}

// debText writes fields as a paragraph; what has several lines begins below the field's name, with a dot for an empty line.
func debText(list []debField) string {
	var b strings.Builder
	for _, f := range list {
		if !strings.Contains(f.value, "\n") {
			b.WriteString(strings.TrimSuffix(f.name+": "+f.value, " ") + "\n")
			continue
		}
		b.WriteString(f.name + ":\n")
		for line := range strings.Lines(strings.TrimSpace(f.value)) {
			if line = strings.TrimSpace(line); line == "" {
				line = "."
			}
			b.WriteString("    " + line + "\n")
		}
	}
	return b.String()
}

// plan gives the actions that make the files as they shall be: the key first, for apt would not trust the source without.
func (f debFiles) plan(want, is debState) []modules.Action {
	var actions []modules.Action
	for _, name := range []string{f.asc, f.gpg, f.source} {
		w, shall := want.files[name]
		old, there := is.files[name]
		what := map[bool]string{true: "source ", false: "key "}[name == f.source] + name
		switch {
		case !shall && there:
			actions = append(actions, modules.TextFile{Path: name, Empty: true}.Write("remove the "+what))
		case !shall || there && w == old:
		case there && w.text == old.text:
			actions = append(actions, modules.Action{Why: fmt.Sprintf("set the mode of %s to %04o", name, w.mode), Argv: []string{"chmod", fmt.Sprintf("%04o", w.mode), name}})
		default:
			if dir := path.Dir(name); name != f.source && !is.keyrings {
				actions = append(actions, modules.Action{Why: "make the folder " + dir, Argv: []string{"mkdir", "-p", "-m", "755", dir}})
			}
			actions = append(actions, modules.TextFile{Path: name, Text: w.text, Mode: fmt.Sprintf("%04o", w.mode)}.Write("write the "+what))
		}
	}
	return actions
}

// diff shows the source; of the keys it shows only that they change.
func (f debFiles) diff(before, after debState) []modules.Diff {
	var diffs []modules.Diff
	for _, name := range []string{f.asc, f.gpg, f.source} {
		old, was := before.files[name]
		then, is := after.files[name]
		if old == then {
			continue
		}
		d := modules.Diff{Before: old.text, After: then.text, BeforeHeader: name, AfterHeader: name}
		if !was {
			d.BeforeHeader = "/dev/null"
		}
		if !is {
			d.AfterHeader = "/dev/null"
		}
		if name == f.gpg {
			d.Before, d.After = fmt.Sprintf("a key of %d bytes\n", len(old.text)), fmt.Sprintf("a key of %d bytes\n", len(then.text))
		}
		diffs = append(diffs, d)
	}
	return diffs
}
