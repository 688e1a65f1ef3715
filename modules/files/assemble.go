package files

import (
	"context"
	"crypto/md5"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/pyre"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed assemble.go
var assembleSource string

// Assemble makes one file of the fragments in a folder.
var Assemble = modules.Define("assemble", assembleSource+attributesSource, runAssemble,
	modules.Aliases("ansible.builtin.assemble", "ansible.legacy.assemble"))

// AssembleArgs make one file of the files in a folder, in the order of their names.
//
//	# One file of many.
//	- assemble:
//	    src: /etc/app/conf.d
//	    dest: /etc/app.conf
//	    delimiter: '### next ###'
type AssembleArgs struct {
	// Src is the folder of fragments; on the controller, beside the playbook or role, without remote_src.
	Src string `arg:"src" required:"true"`
	// Dest is the file to make.
	Dest modules.Path `arg:"dest" required:"true"`
	// RemoteSrc says that src is on the host.
	RemoteSrc bool `arg:"remote_src" default:"yes"`
	// Delimiter stands between fragments, on a line of its own; \n and the like are escapes.
	Delimiter *string `arg:"delimiter"`
	// Regexp picks the fragments whose names it finds something in.
	Regexp *string `arg:"regexp"`
	// IgnoreHidden leaves out fragments whose names begin with a dot.
	IgnoreHidden bool `arg:"ignore_hidden"`
	// Backup keeps the old file, with the time in its name.
	Backup bool `arg:"backup"`
	// Validate is a command that checks the new file before it takes its place; %s is its name.
	Validate string `arg:"validate"`
	// Follow a symbolic link at dest and replace what it points to.
	Follow bool `arg:"follow"`
	// Decrypt opens vaulted fragments of the controller.
	Decrypt bool `arg:"decrypt" default:"yes"`
	Attributes
}

// Check holds the rules over several arguments.
func (a AssembleArgs) Check() error {
	if _, err := a.picker(); err != nil {
		return err
	}
	return checkValidate(a.Validate)
}

// AssembleResult is what became of the file.
type AssembleResult struct {
	// Src is the folder of fragments.
	Src string `json:"src"`
	// Dest is the file that was made.
	Dest string `json:"dest"`
	// Checksum is the SHA-1 of the file.
	Checksum string `json:"checksum,omitempty"`
	// MD5Sum of the file.
	MD5Sum string `json:"md5sum,omitempty"`
	// BackupFile is the copy of the old file.
	BackupFile string `json:"backup_file,omitempty"`
	// Msg is OK.
	Msg string `json:"msg,omitempty"`
	PathInfo
}

// fragmentsScript tells the files in the folder that is the tenth argument; the ninth is how many bytes may be told.
const fragmentsScript = `
expand "${10}"; s=$expanded
say src "$s"
if [ -d "$s" ]; then
	say folder 1
	i=0 all=0
	for f in "$s"/* "$s"/.*; do
		[ -f "$f" ] || continue
		[ -r "$f" ] || { echo "$f cannot be read" >&2; exit 1; }
		all=$((all + $(wc -c <"$f")))
		[ "$all" -le "$9" ] || { echo "the files in $s have more than $9 bytes" >&2; exit 1; }
		say name.$i "${f##*/}"
		show text.$i "$f"
		i=$((i + 1))
	done
elif [ -e "$s" ]; then
	say nofolder 1
fi
`

func runAssemble(ctx context.Context, h *modules.Host, a AssembleArgs) (AssembleResult, error) {
	var fragments map[string]string
	e := newEdit(a.Dest, a.Attributes, a.Backup, a.Validate)
	e.follow, e.parents = a.Follow, false
	result := AssembleResult{Src: a.Src, Dest: string(a.Dest)}
	if a.RemoteSrc {
		e.look, e.lookMore = fragmentsScript, []string{a.Src}
		e.told = func(r *modules.Report) error {
			var err error
			fragments, err = readFragments(r)
			return err
		}
	} else {
		if !a.Decrypt {
			h.KeepSealed()
		}
		var err error
		if fragments, err = a.localFragments(h.Local()); err != nil {
			return result, err
		}
	}
	e.change = func(string, bool) (edited, error) {
		content, err := a.join(fragments)
		return edited{content: content, msg: "OK"}, err
	}
	o, err := e.run(ctx, h)
	if modules.IgnorePlanned(err) != nil {
		return result, err
	}
	sum := md5.Sum(e.content)
	return AssembleResult{
		Src: a.Src, Dest: o.after.at.path, Checksum: e.sha1, MD5Sum: hex.EncodeToString(sum[:]), BackupFile: o.backup, Msg: o.msg,
		PathInfo: pathInfo(o.after.content()),
	}, err
}

// readFragments gives the files of the host's folder by their names.
func readFragments(r *modules.Report) (map[string]string, error) {
	switch {
	case r.Has("nofolder"):
		return nil, fmt.Errorf("source (%s) is not a directory", r.Text("src"))
	case !r.Has("folder"):
		return nil, fmt.Errorf("source (%s) does not exist", r.Text("src"))
	}
	fragments := map[string]string{}
	for i := 0; r.Has("name." + strconv.Itoa(i)); i++ {
		fragments[string(r.Bytes("name."+strconv.Itoa(i)))] = string(r.Bytes("text." + strconv.Itoa(i)))
	}
	return fragments, nil
}

// localFragments gives the files of the controller's folder by their names.
func (a AssembleArgs) localFragments(l modules.Local) (map[string]string, error) {
	if l == nil {
		return nil, errNoController
	}
	found, err := l.Find("files", a.Src)
	if err != nil {
		return nil, err
	}
	stat, err := l.Stat(found)
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", found, err)
	}
	if !stat.IsDir() {
		return nil, fmt.Errorf("source (%s) is not a directory", found)
	}
	list, err := l.ReadDir(found)
	if err != nil {
		return nil, fmt.Errorf("read folder %s: %w", found, err)
	}
	fragments := map[string]string{}
	for _, item := range list {
		file := path.Join(found, item.Name())
		if stat, err := l.Stat(file); err != nil || !stat.Mode().IsRegular() {
			continue
		}
		r, err := l.Open(file)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", file, err)
		}
		data, err := io.ReadAll(r)
		if err = errors.Join(err, r.Close()); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		fragments[item.Name()] = string(data)
	}
	return fragments, nil
}

// picker compiles what picks fragments, nil for all.
func (a AssembleArgs) picker() (*pyre.Regexp, error) {
	if a.Regexp == nil {
		return nil, nil
	}
	return compile("regexp", *a.Regexp, pyre.Options{})
}

// join puts the fragments together, each beginning on a line of its own.
func (a AssembleArgs) join(fragments map[string]string) (string, error) {
	picked, err := a.picker()
	if err != nil {
		return "", err
	}
	delimiter := unescape(present(a.Delimiter))
	if delimiter != "" && !strings.HasSuffix(delimiter, "\n") {
		delimiter += "\n"
	}
	var out strings.Builder
	first, newline := true, true
	for _, name := range slices.Sorted(maps.Keys(fragments)) {
		if a.IgnoreHidden && strings.HasPrefix(name, ".") {
			continue
		}
		if picked != nil {
			if found, err := picked.Contains(name); err != nil {
				return "", fmt.Errorf("regexp: %w", err)
			} else if !found {
				continue
			}
		}
		if !newline {
			out.WriteByte('\n')
		}
		if !first {
			out.WriteString(delimiter)
		}
		out.WriteString(fragments[name])
		first, newline = false, strings.HasSuffix(fragments[name], "\n")
	}
	return out.String(), nil
}

// unescape gives what Python's escapes in a text mean: \n, \x41, \101; others stay.
func unescape(text string) string {
	var out strings.Builder
	for text != "" {
		if text[0] == '\\' && len(text) > 1 {
			if c, multibyte, rest, err := strconv.UnquoteChar(text, text[1]); err == nil && !strings.ContainsRune("uU", rune(text[1])) {
				if multibyte {
					out.WriteRune(c)
				} else {
					out.WriteByte(byte(c))
				}
				text = rest
				continue
			}
		}
		out.WriteByte(text[0])
		text = text[1:]
	}
	return out.String()
}
