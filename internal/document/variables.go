package document

import (
	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
)

// Variables reads a file of variables: one mapping of names to values, or nothing at all. Warnings are those of Parse.
func Variables(file string, text []byte) (vars *value.Dict, warnings diag.List, err error) {
	docs, warnings, err := Parse(file, text)
	switch {
	case err != nil:
		return nil, warnings, err
	case len(docs) > 1:
		return nil, warnings, diag.Errorf(docs[1].Pos(docs[1].Root), "a file of variables is one YAML document, this is a second")
	case len(docs) == 0 || docs[0].Root == nil:
		return value.NewDict(), warnings, nil
	}
	v, err := docs[0].Value(docs[0].Root)
	if err != nil {
		return nil, warnings, err
	}
	switch d := v.(type) {
	case *value.Dict:
		return d, warnings, nil
	case nil:
		return value.NewDict(), warnings, nil
	}
	return nil, warnings, diag.Errorf(docs[0].Pos(docs[0].Root), "variables must be a mapping of names to values, not a %s", value.TypeName(v))
}
