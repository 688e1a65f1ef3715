//go:build integration

package integration

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja/value"
)

// scalars are plain scalars that YAML 1.1, YAML 1.2 and users see differently.
func scalars() []string {
	return []string{
		"yes", "Yes", "YES", "yEs", "no", "on", "On", "OFF", "y", "n", "true", "True", "TRUE", "tRue", "false",
		"~", "null", "Null", "NULL", "nULL", "none", "0644", "0o644", "0888", "08", "00", "0", "-0", "0x1F", "0xg", "0X1F", "0b101", "0b2",
		"1_000", "_1", "1__0", "+5", "-5", "--5", "1.5", "1.", ".5", "-.5", "1e3", "1.0e3", "1.0e+3", "1.e+3", "1E+3", ".inf", "-.inf", "+.INF",
		".nan", ".NaN", "nan", "inf", "1:30", "1:60", "22:22", "1:30:59", "190:20:30", "1:30.5", "0:30", "01:30",
		"52:54:00:aa:bb:cc", "1.2.3", "192.168.0.1", "1,000", "99999999999999999999", "-99999999999999999999", "0xffffffffffffffffffff",
		"0777777777777777777777777", "hello", "a b", "=", "1_0.5_0", "._5", "5.", "1.5.", "+.5", "0.1", "1.0e-5", "123456789.123456789", "0_644", "1e+3",
	}
}

func TestScalarsAsPyYAML(t *testing.T) {
	const program = `
import json, sys, math
from ansible.parsing.yaml.loader import AnsibleLoader
out = []
for s in json.load(sys.stdin):
    try:
        v = AnsibleLoader("k: " + s).get_single_data()["k"]
    except Exception as e:
        v = "error"
    out.append(type(v).__name__.replace("AnsibleUnicode", "str") + " " + (repr(v) if isinstance(v, float) else str(v)))
json.dump(out, sys.stdout)
`
	in, err := json.Marshal(scalars())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", program)
	cmd.Stdin = strings.NewReader(string(in))
	raw, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	for i, s := range scalars() {
		docs, _, err := document.Parse("f", []byte("k: "+s))
		got := "str error"
		if err == nil {
			v, err := docs[0].Value(docs[0].Root)
			if err != nil {
				t.Fatal(err)
			}
			k, _ := v.(*value.Dict).Get("k")
			got = pythonType(k)
		}
		// PyYAML has no constructor for "=" and says so; ours takes it as text.
		if s != "=" && got != want[i] {
			t.Errorf("%s: got %s, Ansible has %s", s, got, want[i])
		}
	}
}

func TestYAMLStructuresAsAnsible(t *testing.T) {
	texts := []string{
		"a: &x {p: 1, q: 2}\nb:\n  <<: *x\n  q: 3\nc:\n  q: 0\n  <<: [{q: 9, r: 1}, *x]\n",
		"# only\n--- \n- a\n- [b, {c: d}]\n",
		"\ufeffa: 1\r\nb: |\r\n  x\r\n  y\r\nc: >\r\n  x\r\n  y\r\n",
		"'1': a\n1: b\ntrue: c\nyes: d\n",
		"a: |2-\n   x\n  y\nb: >+\n  x\n\n  y\n\n\nc: \"a\\\n  b\\x41\"\n",
		"{\"a\": [1, 2.50, null, true], \"b\": \"\\u00e9\"}",
		"a: ! 5\nb: !!str 5\nc: !!int \"7\"\nd: !!float 3\ne: !!bool \"yes\"\n",
	}
	const program = `
import json, sys
from ansible.parsing.yaml.loader import AnsibleLoader
out = [AnsibleLoader(t).get_single_data() for t in json.load(sys.stdin)]
json.dump([json.dumps(o, sort_keys=False) for o in out], sys.stdout)
`
	in, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", program)
	cmd.Stdin = strings.NewReader(string(in))
	raw, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		docs, _, err := document.Parse("f", []byte(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		v, err := docs[0].Value(docs[0].Root)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want[i], pythonJSON(v)); diff != "" {
			t.Errorf("%q (-ansible +hostler):\n%s", text, diff)
		}
	}
}
