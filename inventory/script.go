package inventory

import (
	"bytes"
	"errors"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja/value"
)

// readScript is the script plugin: --list, and --host for each host when its output has no _meta.
func (l *loader) readScript(path string) error {
	if l.opts.RunScript == nil {
		return diag.Errorf(diag.Pos{File: path}, "inventory scripts cannot be run here")
	}
	out, err := l.scriptJSON(path, "--list")
	if err != nil {
		return err
	}
	top, ok := out.(*value.Dict)
	if !ok {
		return diag.Errorf(diag.Pos{File: path}, "an inventory script must print a JSON object for --list")
	}
	var meta any
	hasMeta := false
	named := map[string]bool{}
	var hosts []string
	for key, data := range top.All() {
		name, _ := key.(string)
		if name == "_meta" {
			if dict, ok := data.(*value.Dict); ok {
				meta, hasMeta = dict.Get("hostvars")
			}
			continue
		}
		found, err := l.scriptGroup(path, name, data)
		if err != nil {
			return err
		}
		for _, h := range found {
			if !named[h] {
				named[h] = true
				hosts = append(hosts, h)
			}
		}
	}
	for _, name := range hosts {
		vars, err := l.scriptHost(path, name, meta, hasMeta)
		if err != nil {
			return err
		}
		for k, v := range vars.All() {
			if key, ok := k.(string); ok {
				l.setHostVar(l.inv.hostByName[name], key, v)
			}
		}
	}
	return nil
}

// scriptHost gives the variables of a host, from _meta or by running the script once more.
func (l *loader) scriptHost(path, name string, meta any, hasMeta bool) (*value.Dict, error) {
	v := any(nil)
	if hasMeta {
		dict, ok := meta.(*value.Dict)
		if !ok {
			return nil, diag.Errorf(diag.Pos{File: path}, "_meta.hostvars must be an object")
		}
		v, _ = dict.Get(name)
	} else {
		var err error
		if v, err = l.scriptJSON(path, "--host", name); err != nil {
			return nil, err
		}
	}
	vars, ok := v.(*value.Dict)
	if !ok && v != nil {
		return nil, diag.Errorf(diag.Pos{File: path}, "the variables of host %q must be an object", name)
	}
	return vars, nil
}

// scriptJSON runs the script; empty output is nil.
func (l *loader) scriptJSON(path string, args ...string) (any, error) {
	out, err := l.opts.RunScript(l.ctx, path, args...)
	if err != nil {
		return nil, diag.Errorf(diag.Pos{File: path}, "running inventory script: %w", err)
	}
	if len(bytes.TrimSpace(out)) == 0 && args[0] == "--host" {
		return nil, nil
	}
	v, err := document.JSON("output of "+path+" "+args[0], out, true)
	if err != nil {
		return nil, diag.Errorf(diag.Pos{File: path}, "inventory script: %w", err).
			WithHint("run it by hand with %s: it must print JSON and nothing else to stdout", args[0])
	}
	return v, nil
}

// scriptGroup reads one group of a script's output and gives the hosts it names.
func (l *loader) scriptGroup(path, name string, data any) ([]string, error) {
	pos := diag.Pos{File: path}
	if name == "" {
		return nil, diag.Errorf(pos, "the script names a group with an empty name")
	}
	g := l.group(name, pos)
	dict, ok := data.(*value.Dict)
	switch {
	case !ok:
		dict = value.NewDict("hosts", data)
	case !hasAny(dict, "hosts", "vars", "children"):
		dict = value.NewDict("hosts", value.NewList(name), "vars", dict)
	}
	var hosts []string
	if v, ok := dict.Get("hosts"); ok {
		names, err := stringList(v)
		if err != nil {
			return nil, diag.Errorf(pos, "hosts of group %q: %w", name, err)
		}
		for _, host := range names {
			l.inv.addMember(g, l.host(host, 0, pos))
		}
		hosts = names
	}
	if v, ok := dict.Get("vars"); ok {
		vars, ok := v.(*value.Dict)
		if !ok {
			return nil, diag.Errorf(pos, "vars of group %q must be an object", name)
		}
		for k, v := range vars.All() {
			if err := setGroupVar(g, l.file, k.(string), v, pos); err != nil {
				return nil, err
			}
		}
	}
	if v, ok := dict.Get("children"); ok {
		names, err := stringList(v)
		if err != nil {
			return nil, diag.Errorf(pos, "children of group %q: %w", name, err)
		}
		for _, child := range names {
			if _, err := l.inv.addChild(g, l.group(child, pos), pos); err != nil {
				return nil, err
			}
		}
	}
	return hosts, nil
}

func hasAny(d *value.Dict, keys ...string) bool {
	for _, k := range keys {
		if _, ok := d.Get(k); ok {
			return true
		}
	}
	return false
}

// stringList turns a list of non-empty strings into a slice.
func stringList(v any) ([]string, error) {
	list, ok := v.(*value.List)
	if !ok {
		return nil, errors.New("must be a list of names")
	}
	var out []string
	for _, item := range list.Items {
		s, ok := item.(string)
		if !ok || s == "" {
			return nil, errors.New("must be a list of names")
		}
		out = append(out, s)
	}
	return out, nil
}
