package files

import (
	"crypto/sha1"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

// foundNames are the names of what find gave, sorted, below the folder.
func foundNames(r modules.Result, dir string) string {
	list, _ := get(r, "files").(*value.List)
	if list == nil {
		return "failed: " + r.Msg
	}
	var names []string
	for _, one := range list.Items {
		names = append(names, strings.TrimPrefix(one.(*value.Dict).Str("path"), dir+"/"))
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestFind(t *testing.T) {
	onShells(t, func(t *testing.T, c *shConn) {
		dir := t.TempDir()
		write(t, dir+"/a.log", "one\ntwo\n", 0o644)
		write(t, dir+"/b.log", "three", 0o600)
		write(t, dir+"/.h.log", "", 0o644)
		write(t, dir+"/B^[x", strings.Repeat("x", 3000), 0o755|os.ModeSetuid)
		write(t, dir+"/sub/c.log", "\xff\ntwo", 0o644)
		write(t, dir+"/sub/deep/d\nlog", "two\n", 0o644)
		old := time.Now().Add(-48 * time.Hour)
		if err := os.Chtimes(dir+"/b.log", old, old); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("sub", dir+"/link"); err != nil {
			t.Fatal(err)
		}
		for _, one := range []struct {
			args []any
			want string
		}{
			{nil, "B^[x a.log b.log"},
			{[]any{"hidden", true}, ".h.log B^[x a.log b.log"},
			{[]any{"patterns", "*.log"}, "a.log b.log"},
			{[]any{"patterns", "[!a].log,[[]x"}, "b.log"},
			{[]any{"patterns", "[A-C][\\^[][[]?"}, "B^[x"},
			{[]any{"excludes", "*.log"}, "B^[x"},
			{[]any{"patterns", "^[ab].log$", "use_regex", true}, "a.log b.log"},
			{[]any{"patterns", ".*log", "excludes", "a", "use_regex", true}, "b.log"},
			{[]any{"recurse", true, "patterns", "*log"}, "a.log b.log sub/c.log sub/deep/d\nlog"},
			{[]any{"recurse", true, "depth", 2, "patterns", "*log"}, "a.log b.log sub/c.log"},
			{[]any{"recurse", true, "follow", true, "patterns", "c.log"}, "link/c.log sub/c.log"},
			{[]any{"file_type", "directory", "recurse", true}, "sub sub/deep"},
			{[]any{"file_type", "link"}, "link"},
			{[]any{"file_type", "any"}, "B^[x a.log b.log link sub"},
			{[]any{"age", "1d"}, "b.log"},
			{[]any{"age", "-1D"}, "B^[x a.log"},
			{[]any{"size", "2k"}, "B^[x"},
			{[]any{"size", "-10"}, "a.log b.log"},
			{[]any{"contains", "tw.$", "recurse", true}, "a.log sub/deep/d\nlog"},
			{[]any{"contains", "wo", "recurse", true}, ""},
			{[]any{"contains", "(?s)one.*wo", "read_whole_file", true}, "a.log"},
		} {
			r := run(t, c, modules.HostOptions{}, Find, append([]any{"paths", dir + "/"}, one.args...)...)
			if got := foundNames(r, dir); got != one.want || r.Changed {
				t.Errorf("%v: %q, want %q", one.args, got, one.want)
			}
			if trips := 1 + strings.Count(fmt.Sprint(one.args...), "contains"); c.trips != trips {
				t.Errorf("%v: %d round trips, want %d", one.args, c.trips, trips)
			}
		}
		r := run(t, c, modules.HostOptions{Check: true}, Find, "paths", dir, "patterns", "B*", "get_checksum", true)
		want(t, "result", r, "matched", 1, "examined", 6, "msg", "All paths examined")
		file := get(r, "files").(*value.List).Items[0].(*value.Dict)
		for key, v := range map[string]any{
			"mode": "4755", "size": 3000, "isreg": true, "isuid": true, "nlink": 1,
		} {
			if got, _ := file.Get(key); got != v {
				t.Errorf("%s is %v, want %v", key, got, v)
			}
		}
		if got, want := file.Str("checksum"), fmt.Sprintf("%x", sha1.Sum([]byte(strings.Repeat("x", 3000)))); got != want {
			t.Errorf("checksum %q, want %q", got, want)
		}
		list := value.NewList()
		list.Append(dir + "/sub")
		list.Append(dir + "/a.log")
		list.Append(dir + "/none")
		r = run(t, c, modules.HostOptions{}, Find, "paths", list)
		want(t, "some missing", r, "matched", 1, "msg", "Not all paths examined, check warnings for details")
		if diff := cmp.Diff([]string{
			"Skipped '" + dir + "/a.log' path due to this access issue: '" + dir + "/a.log' is not a directory",
			"Skipped '" + dir + "/none' path due to this access issue: '" + dir + "/none' is not a directory",
		}, r.Warnings); diff != "" {
			t.Errorf("warnings (-want +got):\n%s", diff)
		}
	})
}

// Many files go in several requests, each of which tells all of its files.
func TestFindManyContents(t *testing.T) {
	onShells(t, func(t *testing.T, c *shConn) {
		dir := t.TempDir()
		for i := range 300 {
			write(t, fmt.Sprintf("%s/%060d", dir, i), fmt.Sprintf("%d\n", i%10), 0o644)
		}
		r := run(t, c, modules.HostOptions{}, Find, "paths", dir, "contains", "7")
		want(t, "sevens", r, "matched", 30, "examined", 300)
	})
}

func TestFindRefuses(t *testing.T) {
	testRefusals(t, Find, []refusal{
		{"no paths", []any{"patterns", "*"}, `missing required argument "paths"`},
		{"invalid regexp", []any{"paths", "$D", "patterns", "*", "use_regex", true}, `argument "patterns" is no regular expression`},
		{"invalid contains", []any{"paths", "$D", "contains", "("}, `argument "contains" is no regular expression`},
		{"age", []any{"paths", "$D", "age", "1y"}, "failed to process age: 1y"},
		{"size", []any{"paths", "$D", "size", "big"}, "failed to process size: big"},
		{"kind", []any{"paths", "$D", "file_type", "socket"}, `argument "file_type" must be one of`},
		{"depth", []any{"paths", "$D", "depth", "deep"}, `argument "depth" must be a whole number`},
	})
}
