package document

import (
	"bytes"
	"errors"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
)

var (
	yamlErrorForm = regexp.MustCompile(`(?s)^yaml: (?:line (\d+): )?(.*)$`)
	// parserProblem are the complaints for which yaml.v3 reports the start of the enclosing
	// collection, often far above, in place of the line at fault.
	parserProblem = regexp.MustCompile(`did not find expected (key|'-' indicator|',' or|node content|<document start>)`)

	templateStart = regexp.MustCompile(`(?:[:-]\s+|^\s*)\{\{`)
	keyInValue    = regexp.MustCompile(`^\s*(?:- )?[^\s'"#][^:#]*:\s+[^'"\s#|>][^#]*?(:)(?:\s|$)`)
	quoteThenText = regexp.MustCompile(`[:-]\s+("[^"]*"|'[^']*')\s*[^\s#,\]}]`)
)

// syntaxError gives an error of yaml.v3 its place and, where the mistake is a
// common one, a hint.
func syntaxError(file string, text []byte, err error) error {
	m := yamlErrorForm.FindStringSubmatch(err.Error())
	if m == nil {
		return &diag.Error{Pos: diag.Pos{File: file}, Err: err}
	}
	line := contextLine(text, m)
	lines := bytes.SplitAfter(text, []byte("\n"))
	if parserProblem.MatchString(m[2]) {
		line = firstBadLine(lines, m[2])
	}
	line = min(line, len(lines))
	if strings.Contains(m[2], tabProblem) {
		line = tabLine(lines, line)
	}
	source := strings.TrimRight(string(lines[line-1]), "\r\n")
	out := diag.Errorf(diag.Pos{File: file, Line: line, Col: firstColumn(source)}, "YAML: %w", errors.New(m[2]))
	return explain(out, source, m[2])
}

// contextLine is the line that yaml.v3 means. It takes a construct that begins on the first line
// for one that it knows nothing of, so the text is read again one line further down.
func contextLine(text []byte, m []string) int {
	line, _ := strconv.Atoi(m[1])
	if _, err := nodes(append([]byte("\n"), text...)); err != nil {
		if again := yamlErrorForm.FindStringSubmatch(err.Error()); again != nil && again[2] == m[2] && again[1] != "" {
			line, _ = strconv.Atoi(again[1])
			line--
		}
	}
	return max(line, 1)
}

// firstBadLine finds the shortest beginning of the text that has the same mistake; its last
// line is where the parser met it.
func firstBadLine(lines [][]byte, problem string) int {
	n := sort.Search(len(lines), func(i int) bool {
		_, err := nodes(bytes.Join(lines[:i+1], nil))
		return err != nil && strings.HasSuffix(err.Error(), problem)
	})
	return n + 1
}

// tabProblem is part of the complaint about a tab in an indentation, for which yaml.v3 reports the line of the token before.
const tabProblem = "tab character"

// tabLine is the first line from the one given on that a tab indents.
func tabLine(lines [][]byte, from int) int {
	for i := from; i <= len(lines); i++ {
		text := lines[i-1]
		if bytes.IndexByte(text[:len(text)-len(bytes.TrimLeft(text, " \t"))], '\t') >= 0 {
			return i
		}
	}
	return from
}

// explain recognises the mistakes that users make most.
func explain(e *diag.Error, source, problem string) error {
	indent := source[:len(source)-len(strings.TrimLeft(source, " \t"))]
	col := func(byteAt int) int { return len([]rune(source[:byteAt])) + 1 }
	switch {
	case strings.Contains(indent, "\t") || strings.Contains(problem, tabProblem):
		e.Pos.Col = col(max(strings.Index(source, "\t"), 0))
		return e.WithHint("indent with spaces: YAML does not allow tabs there")
	case templateStart.MatchString(source):
		e.Pos.Col = col(strings.Index(source, "{{"))
		return e.WithHint(`a value that starts with {{ must be quoted as a whole: "{{ … }}"`)
	case strings.Contains(problem, "mapping values are not allowed"):
		if at := keyInValue.FindStringSubmatchIndex(source); at != nil {
			e.Pos.Col = col(at[2])
		}
		return e.WithHint("quote the value if its colon is part of the text, else check the indentation")
	case quoteThenText.MatchString(source):
		return e.WithHint("a value that begins with a quote must end with it: put the whole value in the other kind of quotes")
	case strings.Contains(problem, "cannot start any token"):
		return e.WithHint("quote text that begins with @, ` or %%")
	case strings.Contains(problem, "did not find expected key"), strings.Contains(problem, "could not find expected ':'"),
		strings.Contains(problem, "'-' indicator"):
		return e.WithHint("check the indentation of this line against the ones above")
	}
	return e
}

func firstColumn(source string) int {
	return len(source) - len(strings.TrimLeft(source, " \t")) + 1
}
