package files

import (
	"testing"

	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/modules"
)

func TestYumRepositoryEdit(t *testing.T) {
	text := func(s string) *string { return &s }
	here := YumRepositoryArgs{Name: "b", State: modules.Present, Description: text("B"), Baseurl: []string{"http://b", "http://c"}, Password: secret.New("word")}
	gone := YumRepositoryArgs{Name: "b", State: modules.Absent}
	const section = "[b]\nbaseurl = http://b\n\thttp://c\nname = B\npassword = word\n\n"
	// AlmaLinux 9's almalinux-crb.repo has options without blanks, and comments.
	const alma = "# AlmaLinux\n\n[crb]\nname=AlmaLinux $releasever - CRB\nmirrorlist=https://mirrors.almalinux.org/mirrorlist/$releasever/crb\n# baseurl=https://x\nenabled=0\n"
	for name, one := range map[string]struct {
		args         YumRepositoryArgs
		before, want string
		left         int
		err          string
	}{
		"new":          {args: here, want: section, left: 1},
		"others":       {args: here, before: alma, want: alma + section, left: 2},
		"no end":       {args: here, before: "[a]\nname=a", want: "[a]\nname=a\n" + section, left: 2},
		"the same":     {args: here, before: "[b]\nNAME: B\nbaseurl=http://b\n  http://c\npassword=word\n", want: "[b]\nNAME: B\nbaseurl=http://b\n  http://c\npassword=word\n", left: 1},
		"other order":  {args: here, before: "[b]\nname=B\nbaseurl=http://c\n http://b\npassword=word\n[c]\n", want: section + "[c]\n", left: 2},
		"absent":       {args: gone, before: alma + section, want: alma, left: 1},
		"last":         {args: gone, before: section},
		"not there":    {args: gone, before: alma, want: alma, left: 1},
		"no section":   {args: here, before: "\nfoo=1\n", want: "\nfoo=1\n", err: "the file is no list of repositories: line 2 stands in no section: foo=1"},
		"no option":    {args: here, before: "[a]\nfoo\n", want: "[a]\nfoo\n", err: "the file is no list of repositories: line 2 is no option: foo"},
		"only remarks": {args: gone, before: "# none\n", want: "# none\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, left, err := one.args.edit(one.before)
			msg := ""
			if err != nil {
				msg = err.Error()
			}
			if got != one.want || left != one.left || msg != one.err {
				t.Errorf("%q, %d, %q", got, left, msg)
			}
		})
	}
}

// TestYumRepositoryRefuses what dnf could not read, or would read as something else.
func TestYumRepositoryRefuses(t *testing.T) {
	text := func(s string) *string { return &s }
	for msg, args := range map[string]YumRepositoryArgs{
		`"my repo" is no id of a repository: it has no blanks and no brackets`: {Name: "my repo"},
		`"a]" is no id of a repository: it has no blanks and no brackets`:      {Name: "a]"},
		`"../../x" is no name of a file`:                                       {Name: "x", File: "../../x", State: modules.Absent},
		"Parameter 'description' is required.":                                 {Name: "x", Metalink: text("http://x")},
		"Parameter 'baseurl', 'metalink' or 'mirrorlist' is required.":         {Name: "x", Description: text("x")},
		`argument "description" must be one line`:                              {Name: "x", Description: text("x\n[y]"), Metalink: text("http://x")},
		`argument "password" must be one line`:                                 {Name: "x", Description: text("x"), Metalink: text("http://x"), Password: secret.New("a\nb")},
		`argument "gpgkey" must have no line's end within an item`:             {Name: "x", Description: text("x"), Metalink: text("http://x"), GPGKey: []string{"a\n[b]"}},
	} {
		if err := args.Check(); err == nil || err.Error() != msg {
			t.Errorf("%v, want %s", err, msg)
		}
	}
}
