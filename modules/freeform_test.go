package modules_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

// TestSplitters compares with what Ansible's splitter and Python's shlex answered (testdata/splitter.py).
func TestSplitters(t *testing.T) {
	data, err := os.ReadFile("testdata/splitter.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Text         string
		Words, Shell []string
		KV, Raw      map[string]string
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		words, err := modules.SplitArgs(c.Text)
		if (err == nil) != (c.Words != nil) || len(c.Words) > 0 && !cmp.Equal(c.Words, words) {
			t.Errorf("SplitArgs(%q) = %q, %v; want %q", c.Text, words, err, c.Words)
		}
		for raw, want := range map[bool]map[string]string{false: c.KV, true: c.Raw} {
			kv, rest, err := modules.SplitKV(c.Text, raw)
			if got := flat(kv, rest, err); !cmp.Equal(want, got) {
				t.Errorf("SplitKV(%q, %v) = %q, %v; want %q", c.Text, raw, got, err, want)
			}
		}
		shell, err := modules.SplitWords(c.Text)
		if (err == nil) != (c.Shell != nil) || len(c.Shell) > 0 && !cmp.Equal(c.Shell, shell) {
			t.Errorf("SplitWords(%q) = %q, %v; want %q", c.Text, shell, err, c.Shell)
		}
	}
}

// flat gives SplitKV's answer as parse_kv does.
func flat(kv *value.Dict, rest string, err error) map[string]string {
	if err != nil {
		return nil
	}
	out := map[string]string{}
	for k, v := range kv.All() {
		out[k.(string)] = v.(string)
	}
	if rest != "" {
		out["_raw_params"] = rest
	}
	return out
}

// FuzzSplit holds the splitters to giving back what they were given: nothing lost, nothing made up.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{`a=b 'c d'`, "{{ x y }} z", "\\xe9 \\u00e9=\\n", "a \\\n b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		words, err := modules.SplitArgs(text)
		if err != nil {
			return
		}
		kept := strings.Join(words, "")
		for _, cut := range []string{" ", "\n", "\\"} {
			kept, text = strings.ReplaceAll(kept, cut, ""), strings.ReplaceAll(text, cut, "")
		}
		if kept != text {
			t.Errorf("words %q lost something", words)
		}
		for _, raw := range []bool{false, true} {
			if _, _, err := modules.SplitKV(text, raw); err != nil {
				return
			}
		}
	})
}
