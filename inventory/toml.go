package inventory

import (
	"errors"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
)

// readTOML is the toml plugin.
func (l *loader) readTOML(file string, text []byte) error {
	var raw map[string]any
	meta, err := toml.Decode(string(text), &raw)
	if err != nil {
		if parse, ok := errors.AsType[toml.ParseError](err); ok {
			return diag.Errorf(diag.Pos{File: file, Line: parse.Position.Line, Col: parse.Position.Col}, "TOML: %s", parse.Message)
		}
		return diag.Errorf(diag.Pos{File: file}, "TOML: %w", err)
	}
	order := map[string]int{}
	for i, key := range meta.Keys() {
		order[strings.Join(key, "\x00")] = i
	}
	top := tomlTable(raw, "", order, diag.Pos{File: file})
	if top.Len() == 0 {
		return diag.Errorf(diag.Pos{File: file, Line: 1}, "the inventory is empty")
	}
	var errs diag.List
	for name, data := range top.All() {
		errs.Add(l.tomlGroup(file, name.(string), data))
	}
	return errs.Err()
}

// tomlGroup reads one group.
func (l *loader) tomlGroup(file, name string, data any) error {
	pos := diag.Pos{File: file}
	table, ok := data.(*value.Dict)
	if !ok {
		l.warn(pos, "", "skipping %q: it is no group definition", name)
		return nil
	}
	g := l.group(name, pos)
	var errs diag.List
	for key, section := range table.All() {
		dict, isDict := section.(*value.Dict)
		list, isList := section.(*value.List)
		switch {
		case key == "vars" && isDict:
			for k, v := range dict.All() {
				errs.Add(setGroupVar(g, file, k.(string), v, pos))
			}
		case key == "children" && isList:
			for _, child := range list.Items {
				name, ok := child.(string)
				if !ok {
					errs.Add(diag.Errorf(pos, "children of group %q must be names", g.Name))
					continue
				}
				_, err := l.inv.addChild(g, l.group(name, pos), pos)
				errs.Add(err)
			}
		case key == "hosts" && isDict:
			for pattern, vars := range dict.All() {
				errs.Add(l.tomlHosts(g, pattern.(string), vars, pos))
			}
		case key == "vars" || key == "children" || key == "hosts":
			errs.Add(diag.Errorf(pos, "%s of group %q must be a %s", key, g.Name, map[bool]string{true: "list", false: "table"}[key == "children"]))
		default:
			l.warn(pos, "only vars, children and hosts are known", "skipping key %q of group %q", key, g.Name)
		}
	}
	return errs.Err()
}

func (l *loader) tomlHosts(g *Group, pattern string, data any, pos diag.Pos) error {
	vars, ok := data.(*value.Dict)
	if !ok {
		return diag.Errorf(pos, "the variables of host %q must be a table", pattern)
	}
	names, port, err := expandPattern(pattern)
	if err != nil {
		return diag.Errorf(pos, "%w", err)
	}
	for _, name := range names {
		h := l.host(name, port, pos)
		l.inv.addMember(g, h)
		for k, v := range vars.All() {
			l.setHostVar(h, k.(string), v)
		}
	}
	return nil
}

// tomlTable turns a table into a dict in the order of the file.
func tomlTable(table map[string]any, path string, order map[string]int, pos diag.Pos) *value.Dict {
	keys := make([]string, 0, len(table))
	for k := range table {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int { return order[path+a] - order[path+b] })
	out := value.NewDict()
	for _, k := range keys {
		out.Set(k, tomlValue(table[k], path+k+"\x00", order, pos))
	}
	return out
}

func tomlValue(v any, path string, order map[string]int, pos diag.Pos) any {
	switch x := v.(type) {
	case map[string]any:
		return tomlTable(x, path, order, pos)
	case []map[string]any:
		list := value.NewList()
		for _, item := range x {
			list.Append(tomlTable(item, path, order, pos))
		}
		return list
	case []any:
		list := value.NewList()
		for _, item := range x {
			list.Append(tomlValue(item, path, order, pos))
		}
		return list
	case int64:
		if int64(int(x)) == x {
			return int(x)
		}
		return big.NewInt(x)
	case string:
		return templates(x, pos)
	case time.Time:
		return x.Format(time.RFC3339Nano)
	}
	return v
}
