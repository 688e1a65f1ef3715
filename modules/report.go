package modules

import (
	"bytes"
	"strconv"
	"strings"
)

// prelude is what every probe and change script starts with. LC_ALL=C makes ${#2} count bytes.
//
//	say KEY TEXT          tells a text
//	tell KEY CMD ARGS…    runs a program and tells its output and its status; its errors are told as KEY.err
//	show KEY FILE [SIZE]  tells a file's content, bytes as they are; status 1 when it cannot be read. With SIZE, which the caller
//	                      knows already, that many bytes of it
//	text FILE SIZE        sets $__v to the content of a file of so many bytes, without a process. It is false where that does not pay,
//	                      and for what the shell cannot hold: a file that has a zero byte, or another size
//	line KEY CMD ARGS…    runs a builtin and tells the one line that it prints, without a fork
const prelude = `LC_ALL=C LANG=C PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL LANG PATH
say() { printf '@@%s %s %s\n%s\n' "$1" "${#2}" "${3:-0}" "$2"; }
tell() {
	__key=$1; shift
	exec 3>&1
	__err=$({ __out=$("$@" 3>&- </dev/null); __rc=$?; say "$__key" "$__out" "$__rc" >&3; } 2>&1)
	exec 3>&-
	[ -z "$__err" ] || say "$__key.err" "$__err"
}
__nl='
'
text() {
	[ "$2" -le 1024 ] || return 1
	__v=
	while IFS= read -r __w; do __v=$__v$__w$__nl; done <"$1"
	__v=$__v$__w; [ "${#__v}" -eq "$2" ]
}
show() {
	if [ -f "$2" ] && [ -r "$2" ]; then
		__n=${3-$(wc -c <"$2")}
		if text "$2" "$__n"; then say "$1" "$__v"; return; fi
		printf '@@%s %d 0\n' "$1" "$__n"; [ "$__n" -eq 0 ] || head -c "$__n" "$2"; echo
	else
		say "$1" '' 1
	fi
}
line() { printf '@@%s line 0\n' "$1"; shift; "$@"; }
`

// Report is what a probe found: the sections that it told by say, tell and show, and all it printed.
type Report struct {
	Stdout, Stderr []byte
	Exit           int
	sections       map[string]section
	keys           []string
}

type section struct {
	text   []byte
	status int
}

// ParseReport finds the sections in what a probe printed. A section starts with "@@KEY BYTES STATUS\n",
// so that its content may be anything; where "line" stands for the bytes, it is the next line, and where "=WORD" does, everything up to
// WORD, which the content cannot know.
func ParseReport(stdout []byte) *Report {
	r := &Report{Stdout: stdout, sections: map[string]section{}}
	for rest := stdout; len(rest) > 0; {
		line, after, ok := bytes.Cut(rest, []byte("\n"))
		head, isHead := strings.CutPrefix(string(line), "@@")
		words := strings.Fields(head)
		if !ok || !isHead || len(words) != 3 {
			rest = after
			continue
		}
		n, err1 := strconv.Atoi(words[1])
		if words[1] == "line" {
			n, err1 = max(bytes.IndexByte(after, '\n'), 0), nil
		} else if end, isWord := strings.CutPrefix(words[1], "="); isWord && end != "" {
			n, err1 = bytes.Index(after, []byte(end)), nil
		}
		status, err2 := strconv.Atoi(words[2])
		if err1 != nil || err2 != nil || n < 0 || n > len(after) {
			rest = after
			continue
		}
		if _, twice := r.sections[words[0]]; !twice {
			r.keys = append(r.keys, words[0])
		}
		r.sections[words[0]] = section{after[:n:n], status}
		rest = after[n:]
	}
	return r
}

// Has reports whether the probe told the key.
func (r *Report) Has(key string) bool { _, ok := r.sections[key]; return ok }

// Keys gives the keys in the order in which they were first told.
func (r *Report) Keys() []string { return r.keys }

// Bytes gives a section as it is; nil when it was not told.
func (r *Report) Bytes(key string) []byte { return r.sections[key].text }

// Text gives a section without the newlines at its end.
func (r *Report) Text(key string) string {
	return strings.TrimRight(string(r.sections[key].text), "\n")
}

// Lines gives a section's lines that are not empty.
func (r *Report) Lines(key string) []string {
	return strings.FieldsFunc(string(r.sections[key].text), func(c rune) bool { return c == '\n' })
}

// Status gives the status of a program told, 127 when the key was not told.
func (r *Report) Status(key string) int {
	s, ok := r.sections[key]
	if !ok {
		return 127
	}
	return s.status
}

// Int gives a section as a number, 0 when it is none.
func (r *Report) Int(key string) int {
	n, err := strconv.Atoi(strings.TrimSpace(r.Text(key)))
	if err != nil {
		return 0
	}
	return n
}
