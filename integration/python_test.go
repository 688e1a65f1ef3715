//go:build integration

package integration

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
)

// pythonType writes a scalar as Python's type name and text.
func pythonType(v any) string {
	switch x := v.(type) {
	case nil:
		return "NoneType None"
	case bool:
		return "bool " + map[bool]string{true: "True", false: "False"}[x]
	case int:
		return fmt.Sprintf("int %d", x)
	case *big.Int:
		return "int " + x.String()
	case float64:
		switch {
		case math.IsNaN(x):
			return "float nan"
		case math.IsInf(x, 0):
			return "float " + map[bool]string{true: "-inf", false: "inf"}[x < 0]
		}
		if x != 0 && (math.Abs(x) < 1e-4 || math.Abs(x) >= 1e16) {
			return "float " + strconv.FormatFloat(x, 'e', -1, 64)
		}
		s := strconv.FormatFloat(x, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return "float " + s
	case *value.Template:
		return "str " + x.Text
	}
	return fmt.Sprintf("str %v", v)
}

// pythonJSON writes a value as Python's json.dumps does.
func pythonJSON(v any) string {
	switch x := v.(type) {
	case nil:
		return "null"
	case float64:
		return strings.TrimPrefix(pythonType(x), "float ")
	case string:
		b, err := json.Marshal(x)
		if err != nil {
			return err.Error()
		}
		return strings.ReplaceAll(string(b), "é", `\u00e9`)
	case *value.List:
		parts := make([]string, x.Len())
		for i, item := range x.Items {
			parts[i] = pythonJSON(item)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case *value.Dict:
		var parts []string
		for k, item := range x.All() {
			if _, text := k.(string); !text {
				k = fmt.Sprint(k)
			}
			parts = append(parts, pythonJSON(k)+": "+pythonJSON(item))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprint(v)
}
