package files

import (
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
)

const managed = "# BEGIN ANSIBLE MANAGED BLOCK\nx\n# END ANSIBLE MANAGED BLOCK\n"

func TestBlockinfile(t *testing.T) {
	testEdits(t, Blockinfile, []editCase{
		{"at the end", "a\nb", "a\nb\n" + managed, []any{"block", "x"}, "Block inserted", false},
		{"there", "a\n" + managed + "b\n", "a\n" + managed + "b\n", []any{"block", "x\n"}, "", false},
		{"another", "a\n" + managed + "b\n", "a\n# BEGIN ANSIBLE MANAGED BLOCK\ny\n\nz\n# END ANSIBLE MANAGED BLOCK\nb\n", []any{"content", "y\n\nz"}, "Block inserted", false},
		{"removed", "a\n" + managed + "b\n", "a\nb\n", []any{"state", "absent"}, "Block removed", false},
		{"emptied", "a\n" + managed + "b\n", "a\nb\n", []any{"block", ""}, "Block removed", false},
		{"none to remove", "a\n", "a\n", []any{"state", "absent", "block", "x"}, "", false},
		{"after", "a\nb\na1\nc\n", "a\nb\na1\n" + managed + "c\n", []any{"block", "x", "insertafter", "^a"}, "Block inserted", false},
		{"after nothing", "a\n", "a\n" + managed, []any{"block", "x", "insertafter", "^z"}, "Block inserted", false},
		{"before", "a\nb\na1\nc\n", "a\nb\n" + managed + "a1\nc\n", []any{"block", "x", "insertbefore", "^a"}, "Block inserted", false},
		{"at the beginning", "a\n", managed + "a\n", []any{"block", "x", "insertbefore", "BOF"}, "Block inserted", false},
		{"over lines", "a\nb\nc\n", "a\nb\n" + managed + "c\n", []any{"block", "x", "insertafter", `(?m)^a\nb$`}, "Block inserted", false},
		{"over lines, before", "a\nb\nc\n", "a\n" + managed + "b\nc\n", []any{"block", "x", "insertbefore", `(?m)^b\nc$`}, "Block inserted", false},
		{
			"markers", "a\n", "a\n<!-- from -->\nx\n<!-- to -->\n",
			[]any{"block", "x", "marker", "<!-- {mark} -->", "marker_begin", "from", "marker_end", "to"},
			"Block inserted", false,
		},
		{"swapped markers", "# END ANSIBLE MANAGED BLOCK\nq\n# BEGIN ANSIBLE MANAGED BLOCK\nb\n", managed + "b\n", []any{"block", "x"}, "Block inserted", false},
		{"carriage returns", "a\rb\r\n", "a\r\n" + managed + "b\r\n", []any{"block", "x", "insertafter", "^a"}, "Block inserted", false},
		{"empty lines around", "a\nb\n", "a\n\n" + managed + "\nb\n", []any{"block", "x", "insertafter", "^a", "prepend_newline", true, "append_newline", true}, "Block inserted", false},
	})
}

func TestBlockinfileRefuses(t *testing.T) {
	testRefusals(t, Blockinfile, []refusal{
		{"both", []any{"path", "$D/f", "block", "x", "insertafter", "a", "insertbefore", "a"}, "mutually exclusive"},
		{"invalid regexp", []any{"path", "$D/f", "block", "x", "insertbefore", "[a"}, `argument "insertbefore" is no regular expression: unterminated [] set: [a`},
		{"missing", []any{"path", "$D/no", "block", "x"}, "Path $D/no does not exist !"},
		{"parent is a file", []any{"path", "$D/f/no", "block", "x", "create", true}, "$D/f is not a directory"},
		{"folder", []any{"path", "$D/d", "block", "x"}, "Path $D/d is a directory !"},
		{"read-only", []any{"path", "/proc/version", "block", "x"}, "write /proc/version"},
		{"refused by validate", []any{"path", "$D/f", "block", "x", "validate", "false %s"}, "failed to validate"},
		{"wrong type", []any{"path", "$D/f", "block", "x", "state", "here"}, `argument "state" must be one of present, absent`},
		{"unknown argument", []any{"path", "$D/f", "blok", "x"}, `unknown argument "blok"`},
	})
}

func TestReplace(t *testing.T) {
	testEdits(t, Replace, []editCase{
		{"each line", "a=1\nb=1\n", "a=2\nb=2\n", []any{"regexp", `^(\w)=1$`, "replace", `\1=2`}, "2 replacements made", false},
		{"removed", "a\nx\nb\n", "a\nb\n", []any{"regexp", `^x\n`}, "1 replacements made", false},
		{"none", "a\n", "a\n", []any{"regexp", "z", "replace", "y"}, "", false},
		{"the same", "a\n", "a\n", []any{"regexp", "a", "replace", "a"}, "", false},
		{"after", "x\n[s]\nx\nx\n", "x\n[s]\ny\ny\n", []any{"regexp", "x", "replace", "y", "after", `\[s\]`}, "2 replacements made", false},
		{"before", "x\n[s]\nx\n", "y\n[s]\nx\n", []any{"regexp", "x", "replace", "y", "before", `\[s\]`}, "1 replacements made", false},
		{"between", "x\n[s]\nx\n[t]\nx\n", "x\n[s]\ny\n[t]\nx\n", []any{"regexp", "x", "replace", "y", "after", `\[s\]`, "before", `\[t\]`}, "1 replacements made", false},
		{"no section", "x\n", "x\n", []any{"regexp", "x", "replace", "y", "after", "z"}, "Pattern for before/after params did not match the given file: z(?P<subsection>.*)", false},
		{"no UTF-8", "\xff é\n", "\xff e\n", []any{"regexp", "é", "replace", "e"}, "1 replacements made", false},
		{"latin-1", "\xe9\n", "\xe8\n", []any{"regexp", "é", "replace", "è", "encoding", "latin-1"}, "1 replacements made", false},
		{"again and again", "a", "aa", []any{"regexp", "^a", "replace", "aa"}, "1 replacements made", true},
	})
}

func TestReplaceRefuses(t *testing.T) {
	testRefusals(t, Replace, []refusal{
		{"invalid regexp", []any{"path", "$D/f", "regexp", "a)"}, `argument "regexp" is no regular expression: unexpected )`},
		{"invalid after", []any{"path", "$D/f", "regexp", "a", "after", "("}, `argument "after" is no regular expression`},
		{"no such group", []any{"path", "$D/f", "regexp", "a", "replace", `\1`}, "invalid group reference 1"},
		{"no regexp", []any{"path", "$D/f"}, `missing required argument "regexp"`},
		{"missing", []any{"path", "$D/no", "regexp", "x"}, "Path $D/no does not exist !"},
		{"folder", []any{"path", "$D/d", "regexp", "x"}, "Path $D/d is a directory !"},
		{"read-only", []any{"path", "/proc/version", "regexp", "Linux"}, "write /proc/version"},
		{"refused by validate", []any{"path", "$D/f", "regexp", "a", "validate", "false %s"}, "failed to validate"},
		{"encoding", []any{"path", "$D/f", "regexp", "a", "encoding", "klingon"}, "unknown encoding: klingon"},
		{"not of the encoding", []any{"path", "$D/f", "regexp", "a", "replace", "€", "encoding", "latin-1"}, "write $D/f as latin-1"},
		{"wrong type", []any{"path", "$D/f", "regexp", "a", "backup", value.NewList()}, `argument "backup" must be a truth value`},
	})
}
