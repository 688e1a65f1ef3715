package files

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/pyre"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed find.go
var findSource string

// Find lists files by what they are.
var Find = modules.Define("find", findSource, runFind, modules.Aliases("ansible.builtin.find", "ansible.legacy.find"))

// FileKind is what sort of entry of a folder is asked for.
type FileKind string

// Choices lists the kinds.
func (FileKind) Choices() []string { return []string{"any", "directory", "file", "link"} }

// Stamp is one of a file's times.
type Stamp string

// Choices lists the times.
func (Stamp) Choices() []string { return []string{"atime", "ctime", "mtime"} }

// FindArgs list files and folders of the host by name, kind, age, size or content.
//
//	# Logs that are older than four weeks.
//	- find:
//	    paths: /var/log
//	    patterns: '*.gz'
//	    age: 4w
//	  register: old
type FindArgs struct {
	// Paths are the folders to look in.
	Paths []string `arg:"paths,alias=name,alias=path" required:"true"`
	// Patterns of names, one of which must match: as a shell has them, or with use_regex regular expressions that match from the
	// beginning of the name. Without, every name.
	Patterns []string `arg:"patterns,alias=pattern"`
	// Excludes are patterns of names that are left out.
	Excludes []string `arg:"excludes,alias=exclude"`
	// Contains is a regular expression that a line of the file must match from its beginning.
	Contains *string `arg:"contains"`
	// ReadWholeFile lets contains match anywhere, over lines.
	ReadWholeFile bool `arg:"read_whole_file"`
	// FileType is what to list.
	FileType FileKind `arg:"file_type" default:"file"`
	// Age is how old files must be at least, with a unit of s, m, h, d or w; negative, at most.
	Age *string `arg:"age"`
	// AgeStamp is the time that age is about.
	AgeStamp Stamp `arg:"age_stamp" default:"mtime"`
	// Size is how many bytes a file must have at least, with a unit of b, k, m, g or t; negative, at most.
	Size *string `arg:"size"`
	// Recurse looks in folders below as well.
	Recurse bool `arg:"recurse"`
	// Hidden lists names that begin with a dot as well.
	Hidden bool `arg:"hidden"`
	// Follow goes into folders that symbolic links lead to.
	Follow bool `arg:"follow"`
	// GetChecksum tells each file's SHA-1.
	GetChecksum bool `arg:"get_checksum"`
	// UseRegex makes patterns and excludes regular expressions.
	UseRegex bool `arg:"use_regex"`
	// Depth is how many levels to go down with recurse; 0 is all.
	Depth int `arg:"depth"`
}

// Check holds the rules over several arguments.
func (a FindArgs) Check() error {
	_, err := a.filter()
	return err
}

// FindResult is what was found.
type FindResult struct {
	// Files are what was found, each with path and what stat tells of it.
	Files []FoundFile `json:"files"`
	// Matched is how many were found.
	Matched int `json:"matched"`
	// Examined is how many were looked at.
	Examined int `json:"examined"`
	// Msg says whether all folders could be looked at.
	Msg string `json:"msg"`
	// SkippedPaths are folders that could not be looked at, with the reasons.
	SkippedPaths map[string]string `json:"skipped_paths"`
}

// FoundFile is one entry found.
type FoundFile struct {
	FileFacts
	GrName   string `json:"gr_name"`            // name of the group
	PwName   string `json:"pw_name"`            // name of the owner
	Checksum string `json:"checksum,omitempty"` // SHA-1, with get_checksum
}

// foundFile tells of an entry.
func foundFile(i info) FoundFile {
	return FoundFile{FileFacts: fileFacts(i, i.path), GrName: i.group, PwName: i.owner, Checksum: i.sha1}
}

// findScript: mark, -L to follow, levels to list (0 is all), levels to count, find's letter of what to list or nothing, folders.
// Numbers are told of what is there at all, one for each call.
const findScript = lookLib + `
mark=$1 follow=$2 list=$3 count=$4 kind=$5
shift 5
i=0
say now "$(date +%s)"
exec 3>&1
for d; do
	expand "$d"
	say path.$i "$expanded"
	if [ ! -d "$expanded" ]; then say missing.$i 1
	else (
		errs=$({
			cd "$expanded" && tree=$(find $follow . -mindepth 1 ${list:+-maxdepth "$list"} ${kind:+-type "$kind"} -exec stat -c "$mark $__look|%n" {} +)
			say tree.$i "$tree
$mark " >&3
		} 2>&1)
		[ -z "$errs" ] || say errs.$i "$errs"
		cd "$expanded" 2>/dev/null || exit 0
		say count.$i "$(find $follow . -mindepth 1 ${count:+-maxdepth "$count"} -exec sh -c 'echo $#' sh {} + 2>/dev/null)"
	) fi
	i=$((i + 1))
done
`

func runFind(ctx context.Context, h *modules.Host, a FindArgs) (FindResult, error) {
	f, err := a.filter()
	if err != nil {
		return FindResult{}, err
	}
	levels, count := "1", "1"
	if a.Recurse {
		levels, count = "", ""
		if a.Depth > 0 {
			levels, count = strconv.Itoa(a.Depth), strconv.Itoa(a.Depth+1)
		}
	}
	// With links followed, find's kind is that of what they lead to.
	kind := map[FileKind]string{"directory": "d", "file": "f", "link": "l"}[a.FileType]
	if a.Follow {
		kind = ""
	}
	mark := newMark()
	r, err := h.Probe(ctx, findScript, append([]string{mark, given(a.Follow, "-L"), levels, count, kind}, a.Paths...)...)
	if err != nil {
		return FindResult{}, fmt.Errorf("look into %s: %w", strings.Join(a.Paths, ", "), err)
	}
	result := FindResult{Msg: "All paths examined", SkippedPaths: map[string]string{}}
	var found []info
	for n := range a.Paths {
		key := "." + strconv.Itoa(n)
		top := r.Text("path" + key)
		reason := strings.TrimSpace(r.Text("errs" + key))
		switch {
		case r.Has("missing" + key):
			reason = fmt.Sprintf("'%s' is not a directory", top)
		case !r.Has("tree" + key):
			return FindResult{}, fmt.Errorf("look into %s: there is more in it than can be told of at once", top)
		}
		if reason != "" {
			result.SkippedPaths[top] = reason
			result.Msg = "Not all paths examined, check warnings for details"
			h.Warn("Skipped '%s' path due to this access issue: %s", top, reason)
		}
		result.Examined += sum(r.Lines("count" + key))
		entries, err := readFound(r.Bytes("tree"+key), mark, top)
		if err != nil {
			return FindResult{}, err
		}
		for _, i := range entries {
			if f.wants(i, r.Int("now")) {
				found = append(found, i)
			}
		}
	}
	if f.contains != nil && a.FileType == "file" {
		if found, err = f.withContent(ctx, h, found); err != nil {
			return FindResult{}, err
		}
	}
	if a.GetChecksum {
		if err := checksums(ctx, h, found); err != nil {
			return FindResult{}, err
		}
	}
	result.Matched, result.Files = len(found), make([]FoundFile, 0, len(found))
	for _, i := range found {
		result.Files = append(result.Files, foundFile(i))
	}
	return result, f.err
}

func sum(numbers []string) int {
	all := 0
	for _, text := range numbers {
		n, err := strconv.Atoi(text)
		if err == nil {
			all += n
		}
	}
	return all
}

// readFound reads entries of a folder, each after the mark at the beginning of a line.
func readFound(text []byte, mark, top string) ([]info, error) {
	var found []info
	for _, part := range strings.Split("\n"+string(text), "\n"+mark+" ")[1:] {
		fields := strings.SplitN(part, "|", 7)
		if len(fields) < 7 {
			continue // the mark after the last
		}
		i, err := parseInfo(strings.Join(fields[:6], "|"), path.Join(top, fields[6]))
		if err != nil {
			return nil, err
		}
		found = append(found, i)
	}
	return found, nil
}

// findFilter is what FindArgs ask for, compiled.
type findFilter struct {
	FindArgs
	patterns, excludes []*pyre.Regexp
	contains           *pyre.Regexp
	age, size          int // seconds and bytes
	err                error
}

var (
	agePattern  = regexp.MustCompile(`^(-?\d+)([smhdw])?$`)
	bytePattern = regexp.MustCompile(`^(-?\d+)([bkmgt])?$`)
)

func (a FindArgs) filter() (*findFilter, error) {
	f := &findFilter{FindArgs: a}
	for _, group := range []struct {
		arg  string
		from []string
		to   *[]*pyre.Regexp
	}{{"patterns", a.Patterns, &f.patterns}, {"excludes", a.Excludes, &f.excludes}} {
		for _, text := range group.from {
			if !a.UseRegex {
				text = globPattern(text)
			}
			re, err := compile(group.arg, text, pyre.Options{})
			if err != nil {
				return nil, err
			}
			*group.to = append(*group.to, re)
		}
	}
	var err error
	if a.Contains != nil {
		if f.contains, err = compile("contains", *a.Contains, pyre.Options{}); err != nil {
			return nil, err
		}
	}
	if f.age, err = measure("age", a.Age, agePattern, map[string]int{"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}); err != nil {
		return nil, err
	}
	f.size, err = measure("size", a.Size, bytePattern, map[string]int{"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40})
	return f, err
}

// measure reads a number with a unit.
func measure(arg string, text *string, pattern *regexp.Regexp, units map[string]int) (int, error) {
	if text == nil {
		return 0, nil
	}
	m := pattern.FindStringSubmatch(strings.ToLower(*text))
	if m == nil {
		return 0, &modules.ArgError{Path: []any{arg}, Msg: fmt.Sprintf("failed to process %s: %s", arg, *text)}
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0, fmt.Errorf("failed to process %s: %w", arg, err)
	}
	return n * max(1, units[m[2]]), nil
}

// globPattern writes a shell's pattern, in Python's flavour, as a regular expression for all of a name.
func globPattern(glob string) string {
	var b strings.Builder
	b.WriteString("(?s)")
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; c {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteByte('.')
		case '[':
			n := classStart(glob[i:])
			end := strings.IndexByte(glob[i+n:], ']')
			if end < 0 {
				b.WriteString(`\[`)
				continue
			}
			class := strings.ReplaceAll(glob[i+1:i+n+end], `\`, `\\`)
			if rest, not := strings.CutPrefix(class, "!"); not {
				class = "^" + rest
			} else if strings.HasPrefix(class, "^") {
				class = `\` + class
			}
			b.WriteString("[" + class + "]")
			i += n + end
		default:
			b.WriteString(regexp.QuoteMeta(glob[i : i+1]))
		}
	}
	return b.String() + `\Z`
}

// classStart is how long the beginning of a class is in which a ] stands for itself.
func classStart(glob string) int {
	n := 1
	if n < len(glob) && glob[n] == '!' {
		n++
	}
	if n < len(glob) && glob[n] == ']' {
		n++
	}
	return n
}

// wants reports whether an entry is asked for, its content apart.
func (f *findFilter) wants(i info, now int) bool {
	name := path.Base(i.path)
	kinds := map[FileKind]uint32{"directory": typeDir, "file": typeFile, "link": typeLink}
	switch {
	case strings.HasPrefix(name, ".") && !f.Hidden:
		return false
	case f.FileType != "any" && i.kind() != kinds[f.FileType]:
		return false
	case len(f.patterns) > 0 && !f.any(f.patterns, name), f.any(f.excludes, name):
		return false
	case f.Size != nil && i.kind() == typeFile && (f.size >= 0 && i.size < f.size || f.size < 0 && i.size > -f.size):
		return false
	case f.Age != nil:
		age := float64(now) - map[Stamp]float64{"atime": i.atime, "ctime": i.ctime, "mtime": i.mtime}[f.AgeStamp]
		return f.age >= 0 && age >= float64(f.age) || f.age < 0 && age <= float64(-f.age)
	}
	return true
}

// any reports whether a name begins with a match of one of the patterns.
func (f *findFilter) any(patterns []*pyre.Regexp, name string) bool {
	for _, re := range patterns {
		found, err := re.MatchStart(name)
		if err != nil {
			f.err = errors.Join(f.err, fmt.Errorf("patterns, excludes: %w", err))
		}
		if found {
			return true
		}
	}
	return false
}
