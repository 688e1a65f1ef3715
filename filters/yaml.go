package filters

import (
	"errors"

	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/internal/pyyaml"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

func yamlFilters() []entry {
	return []entry{
		one("to_yaml", "**options", func(c *jinja.Call) (any, error) {
			return dumpYAML(c, pyyaml.Options{SortKeys: true, Flow: pyyaml.FlowLeaves})
		}),
		one("to_nice_yaml", "indent=4, **options", func(c *jinja.Call) (any, error) {
			indent, ok := c.Args[0].(int)
			if !ok && c.Args[0] != nil {
				return nil, value.Errorf(value.TypeError, "to_nice_yaml: indent must be a number")
			}
			return dumpYAML(c, pyyaml.Options{SortKeys: true, Indent: indent})
		}),
		one("from_yaml", "", fromYAML),
		one("from_yaml_all", "", fromYAMLAll),
	}
}

func dumpYAML(c *jinja.Call, o pyyaml.Options) (any, error) {
	for k, v := range c.Kwargs.All() {
		if err := yamlOption(c, &o, k, v); err != nil {
			return nil, err
		}
	}
	o.Limit = c.MaxOutput()
	return pyyaml.Dump(c.Value, o)
}

func yamlOption(c *jinja.Call, o *pyyaml.Options, name, v any) error {
	flags := map[any]*bool{"sort_keys": &o.SortKeys, "explicit_start": &o.ExplicitStart, "explicit_end": &o.ExplicitEnd}
	if to, ok := flags[name]; ok {
		truth, err := c.Truth(v)
		*to = truth
		return err
	}
	switch name {
	case "indent":
		o.Indent, _ = v.(int)
	case "width":
		o.Width, _ = v.(int)
	case "default_flow_style":
		if v == nil {
			o.Flow = pyyaml.FlowLeaves
			return nil
		}
		truth, err := c.Truth(v)
		if o.Flow = pyyaml.FlowNever; truth {
			o.Flow = pyyaml.FlowAlways
		}
		return err
	case "allow_unicode":
		truth, err := c.Truth(v)
		o.ASCII = !truth
		return err
	case "default_style":
		style, _ := v.(string)
		switch {
		case style == "":
			o.Style = 0
		case len(style) == 1 && (style == `"` || style == "'" || style == "|" || style == ">"):
			o.Style = style[0]
		default:
			return value.Errorf(value.ValueError, "default_style must be one of \", ', | and >, not %q", style)
		}
	case "canonical", "line_break", "encoding", "version", "tags":
		return value.Errorf(value.ValueError, "%s: the option %v is not supported", c.Name, name)
	default:
		return value.Errorf(value.TypeError, "unexpected keyword argument '%v'", name)
	}
	return nil
}

// yamlCost is how many times the memory of JSON's values those of YAML take while it is read.
const yamlCost = 4

// yamlDocuments reads the documents of a text.
func yamlDocuments(c *jinja.Call, text string) ([]any, error) {
	if len(text) > readable {
		if err := c.Room(yamlCost * marks(text, ",\n[{")); err != nil {
			return nil, err
		}
	}
	docs, _, err := document.Parse("the text", []byte(text))
	if err != nil {
		return nil, err
	}
	var out []any
	for _, d := range docs {
		if d.Root == nil {
			out = append(out, nil)
			continue
		}
		v, err := d.Value(d.Root)
		if err != nil {
			return nil, err
		}
		out = append(out, plainText(v))
	}
	return out, nil
}

// plainText makes strings of the templates in a value: what a filter read is no template of the playbook's.
func plainText(v any) any {
	switch v := v.(type) {
	case *value.Template:
		return v.Text
	case *value.List:
		for i, item := range v.Items {
			v.Items[i] = plainText(item)
		}
	case *value.Dict:
		out := value.NewDictSize(v.Len())
		for k, item := range v.All() {
			out.Set(plainText(k), plainText(item))
		}
		return out
	}
	return v
}

func fromYAML(c *jinja.Call) (any, error) {
	text, ok := value.AsString(c.Value)
	if !ok {
		return c.Value, nil
	}
	docs, err := yamlDocuments(c, text)
	switch {
	case err != nil:
		return nil, err
	case len(docs) == 0:
		return nil, nil
	case len(docs) > 1:
		return nil, errors.New("from_yaml: expected a single document in the text, but found another document; there is from_yaml_all")
	}
	return docs[0], nil
}

func fromYAMLAll(c *jinja.Call) (any, error) {
	text, ok := value.AsString(c.Value)
	if !ok {
		return c.Value, nil
	}
	docs, err := yamlDocuments(c, text)
	return value.NewList(docs...), err
}
