package report

import (
	"strings"
	"unicode"

	"github.com/hostlerhq/hostler/internal/pyyaml"
	"github.com/hostlerhq/hostler/jinja/value"
)

// yamlDump gives a result as the callback community.general.yaml does: changed in the first line, the rest as indented YAML.
func yamlDump(d *value.Dict) string {
	var out strings.Builder
	if v, ok := d.Get("changed"); ok {
		out.WriteString("changed=" + strings.ToLower(text(v)) + " ")
		d.Delete("changed")
	}
	omitLines(d)
	if d.Len() > 0 {
		out.WriteString("\n" + yamlText(d, 2, 1000))
	}
	return strings.TrimRightFunc(strings.ReplaceAll(out.String(), "\n", "\n  "), unicode.IsSpace)
}

// plainYAML gives a result as the callback default does with callback_result_format=yaml: all of it, indented by four.
func plainYAML(d *value.Dict) string {
	omitLines(d)
	lines := strings.Split(strings.TrimRight(yamlText(d, 4, 0), "\n"), "\n")
	for i, l := range lines {
		if strings.TrimSpace(l) != "" {
			lines[i] = "    " + l
		}
	}
	return "\n" + strings.Join(lines, "\n")
}

// omitLines leaves out the lines of a text that is there as well.
func omitLines(d *value.Dict) {
	for _, name := range []string{"stdout", "stderr"} {
		if _, ok := d.Get(name + "_lines"); ok && hasKey(d, name) {
			d.Set(name+"_lines", "<omitted>")
		}
	}
}

func hasKey(d *value.Dict, key string) bool {
	_, ok := d.Get(key)
	return ok
}

// yamlText writes readable YAML: text of several lines stands in a block, without what would keep it from that.
func yamlText(v any, indent, width int) string {
	s, err := pyyaml.Dump(readable(v), pyyaml.Options{SortKeys: true, Indent: indent, Width: width, Blocks: true, Anchors: true})
	if err != nil {
		return JSON(v, 4) // a value that contains itself
	}
	return s
}

// readable takes out of long text what a block cannot show.
func readable(v any) any {
	switch v := v.(type) {
	case *value.Dict:
		out := value.NewDict()
		for k, item := range v.All() {
			out.Set(k, readable(item))
		}
		return out
	case *value.List:
		out := value.NewList()
		for _, item := range v.Items {
			out.Items = append(out.Items, readable(item))
		}
		return out
	case string:
		if pyyaml.Long(v) {
			return blockText(v)
		}
	}
	return v
}

func blockText(s string) string {
	s = strings.TrimRightFunc(s, unicode.IsSpace)
	var out strings.Builder
	col := 0
	for _, r := range s {
		switch {
		case r == '\n':
			out.WriteRune(r)
			col = 0
		case r == '\t':
			n := 8 - col%8
			out.WriteString(strings.Repeat(" ", n))
			col += n
		case r >= 0x20 && r < 0x7f || r >= 0xa0:
			out.WriteRune(r)
			col++
		}
	}
	lines := strings.Split(out.String(), "\n")
	for i := range lines[:len(lines)-1] {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}
