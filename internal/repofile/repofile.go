// Package repofile reads the files in which dnf, yum and zypper keep their repositories (dnf.conf(5), zypper(8)): sections with options.
package repofile

import (
	"errors"
	"strconv"
	"strings"
)

// Section is a part of a file: a section from its header on, or, without a name, what stands before the first one.
type Section struct {
	Name    string
	Lines   []string          // with their ends
	Options map[string]string // by their names in small letters; a value of several lines has them without blanks at their beginning
}

// Parse cuts a file into its sections: all their lines together are the file. A line that begins with a blank goes on with the value above it.
func Parse(text string) ([]Section, error) {
	var parts []Section
	key, number := "", 0
	for line := range strings.Lines(text) {
		number++
		word := strings.TrimSpace(line)
		comment := word == "" || word[0] == '#' || word[0] == ';'
		if len(parts) == 0 && (comment || word[0] == '[') {
			parts = append(parts, Section{})
		}
		switch {
		case comment:
		case word[0] == '[' && line[0] == '[' && strings.HasSuffix(word, "]"):
			parts, key = append(parts, Section{Name: word[1 : len(word)-1], Options: map[string]string{}}), ""
		case len(parts) == 0 || parts[len(parts)-1].Name == "":
			return nil, errors.New("the file is no list of repositories: line " + strconv.Itoa(number) + " stands in no section: " + word)
		case (line[0] == ' ' || line[0] == '\t') && key != "":
			parts[len(parts)-1].Options[key] += "\n" + word
		default:
			before, after, ok := strings.Cut(word, "=")
			if before2, after2, colon := strings.Cut(word, ":"); !ok || colon && len(before2) < len(before) {
				before, after, ok = before2, after2, colon
			}
			if key = strings.ToLower(strings.TrimSpace(before)); !ok || key == "" {
				return nil, errors.New("the file is no list of repositories: line " + strconv.Itoa(number) + " is no option: " + word)
			}
			parts[len(parts)-1].Options[key] = strings.TrimSpace(after)
		}
		last := &parts[len(parts)-1]
		last.Lines = append(last.Lines, line)
	}
	return parts, nil
}
