package files

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hostlerhq/hostler/modules"
)

// contentBytes is how much of files' contents is asked for at once; a larger file is read by itself.
const contentBytes = 4 << 20

// nameBytes is how much of names goes with it, so that one call of a program takes them all.
const nameBytes = 8 << 10

// contentScript tells the content of the files that its standard input names, each name ended by a NUL.
const contentScript = `xargs -0 sh -c 'i=$1; shift
for f; do
	if [ -r "$f" ]; then n=$(wc -c <"$f"); printf "@@%d %d 0\n" "$i" "$n"; head -c "$n" "$f"; echo; fi
	i=$((i + 1))
done' sh 0
`

// withContent keeps the files whose content matches.
func (f *findFilter) withContent(ctx context.Context, h *modules.Host, found []info) ([]info, error) {
	var kept []info
	for len(found) > 0 {
		size, names, n := 0, 0, 0
		for n < len(found) && names < nameBytes && (n == 0 || size+found[n].size <= contentBytes) {
			size, names = size+found[n].size, names+len(found[n].path)
			n++
		}
		texts, err := contents(ctx, h, found[:n])
		if err != nil {
			return nil, err
		}
		for i, text := range texts {
			matches, err := f.matches(text)
			if err != nil {
				return nil, fmt.Errorf("contains, in %s: %w", found[i].path, err)
			}
			if matches {
				kept = append(kept, found[i])
			}
		}
		found = found[n:]
	}
	return kept, nil
}

// contents reads files; one that cannot be read is empty.
func contents(ctx context.Context, h *modules.Host, list []info) ([]string, error) {
	texts := make([]string, len(list))
	if len(list) == 1 && list[0].size > contentBytes {
		r, err := h.Download(ctx, list[0].path)
		if err != nil {
			return texts, nil // Ansible passes over what cannot be read
		}
		defer r.Close()
		data, err := io.ReadAll(io.LimitReader(r, 256<<20))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", list[0].path, err)
		}
		texts[0] = string(data)
		return texts, nil
	}
	r, err := h.ProbeInput(ctx, paths(list), contentScript)
	if err != nil {
		return nil, fmt.Errorf("read files: %w", err)
	}
	for i := range list {
		texts[i] = string(r.Bytes(strconv.Itoa(i)))
	}
	return texts, nil
}

// paths are the files' names, each ended by a NUL.
func paths(list []info) []byte {
	var b strings.Builder
	for _, i := range list {
		b.WriteString(i.path + "\x00")
	}
	return []byte(b.String())
}

// matches reports whether contains matches a text: a line from its beginning, or anything with read_whole_file. What is no
// UTF-8 ends the search, as in Ansible.
func (f *findFilter) matches(text string) (bool, error) {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	if f.ReadWholeFile {
		if !utf8.ValidString(text) {
			return false, nil
		}
		return f.contains.Contains(text)
	}
	for line := range strings.Lines(text) {
		if !utf8.ValidString(line) {
			return false, nil
		}
		found, err := f.contains.MatchStart(line)
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// sumsScript tells the SHA-1 of the files that its standard input names, - for one that cannot be read.
const sumsScript = `say sums "$(xargs -0 sh -c 'for f; do
	if s=$(sha1sum <"$f" 2>/dev/null); then echo "${s%% *}"; else echo -; fi
done' sh)"
`

// checksums adds the SHA-1 of regular files.
func checksums(ctx context.Context, h *modules.Host, found []info) error {
	var list []info
	var at []int
	for i, one := range found {
		if one.kind() == typeFile {
			list, at = append(list, one), append(at, i)
		}
	}
	if len(list) == 0 {
		return nil
	}
	r, err := h.ProbeInput(ctx, paths(list), sumsScript)
	if err != nil {
		return fmt.Errorf("sum up files: %w", err)
	}
	lines := r.Lines("sums")
	if len(lines) != len(list) {
		return fmt.Errorf("sum up files: %d sums of %d files", len(lines), len(list))
	}
	for n, i := range at {
		if lines[n] != "-" {
			found[i].sha1 = lines[n]
		}
	}
	return nil
}
