package virt

import "testing"

func TestCloneMistakes(t *testing.T) {
	refuses(t, Clone, []mistake{
		{`missing required argument "name"`, []any{"source", "s"}},
		{"name is the source's own", []any{"source", "s", "name", "s"}},
		{`name "a;b" is an odd one`, []any{"source", "s", "name", "a;b"}},
		{`name "it's" is an odd one`, []any{"source", "it's", "name", "c"}},
		{`name "a\nb" has characters in it that cannot be printed`, []any{"source", "s", "name", "a\nb", "allow_odd_name", true}},
		{`name "-c" begins with -`, []any{"source", "s", "name", "-c"}},
		{`name "../c" has a slash in it`, []any{"source", "s", "name", "../c"}},
		{`dir must be an absolute path, not "srv"`, []any{"source", "s", "name", "c", "dir", "srv"}},
		{"MAC address 52:54:00:00:00:01 is given twice", []any{"source", "s", "name", "c", "mac", "52:54:00:00:00:01,52-54-00-00-00-01"}},
		{"must be a MAC address such as 52:54:00:12:34:56", []any{"source", "s", "name", "c", "mac", "auto"}},
		{"is one of a group", []any{"source", "s", "name", "c", "mac", "53:54:00:00:00:01"}},
	})
}
