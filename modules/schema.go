package modules

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/jinja/value"
)

// schema is what the tags of an arguments struct say.
type schema struct {
	typ    reflect.Type
	fields []*field
	byName map[string]*field
	groups []group
	open   bool  // further keys are allowed
	others []int // the field that takes them; nil when none does
}

// field is one argument.
type field struct {
	name     string
	goName   string
	owner    string // the struct that it stands in
	aliases  []string
	index    []int
	typ      reflect.Type
	required bool
	def      string
	hasDef   bool
	secret   bool
	late     bool
	needs    []string
	sub      *schema // of a struct, or of the structs in a list
}

// group is a rule over several arguments.
type group struct {
	kind  string // "exclusive", "oneof" or "together"
	names []string
}

// checker is a struct with rules of its own over several arguments.
type checker interface{ Check() error }

// knower is a struct that takes further arguments, but only of these names.
type knower interface{ Knows() []string }

// chooser is a type that takes some words only.
type chooser interface{ Choices() []string }

// texter is a type that reads itself from an argument.
type argument interface{ DecodeArg(v any) error }

var (
	secretType   = reflect.TypeFor[secret.Text]()
	durationType = reflect.TypeFor[time.Duration]()
	anyType      = reflect.TypeFor[any]()
	dictType     = reflect.TypeFor[*value.Dict]()
	argumentType = reflect.TypeFor[argument]()
	chooserType  = reflect.TypeFor[chooser]()
)

// newSchema reads a struct's tags.
func newSchema(t reflect.Type) (*schema, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("arguments are a %s, not a struct", t)
	}
	s := &schema{typ: t, byName: map[string]*field{}}
	if err := s.add(t, nil); err != nil {
		return nil, err
	}
	for _, f := range s.fields {
		for _, need := range f.needs {
			if s.byName[need] == nil {
				return nil, fmt.Errorf("argument %s needs %q, which is no argument", f.name, need)
			}
		}
	}
	return s, nil
}

// add takes in the fields of a struct; those of embedded ones count as its own.
func (s *schema) add(t reflect.Type, at []int) error {
	for i := range t.NumField() {
		sf := t.Field(i)
		index := append(append([]int(nil), at...), i)
		tag, tagged := sf.Tag.Lookup("arg")
		if sf.Anonymous && !tagged && sf.Type.Kind() == reflect.Struct {
			if err := s.add(sf.Type, index); err != nil {
				return err
			}
			continue
		}
		if !tagged {
			if sf.IsExported() {
				return fmt.Errorf("field %s has no arg tag", sf.Name)
			}
			continue
		}
		if tag == "*" && sf.Type == dictType {
			s.open, s.others = true, index
			continue
		}
		if err := s.addField(t, sf, tag, index); err != nil {
			return err
		}
	}
	return nil
}

func (s *schema) addField(owner reflect.Type, sf reflect.StructField, tag string, index []int) error {
	parts := strings.Split(tag, ",")
	f := &field{name: parts[0], goName: sf.Name, owner: owner.Name(), index: index, typ: sf.Type}
	for _, p := range parts[1:] {
		alias, ok := strings.CutPrefix(p, "alias=")
		if !ok {
			return fmt.Errorf("field %s: tag %q is not understood", sf.Name, p)
		}
		f.aliases = append(f.aliases, alias)
	}
	f.required = sf.Tag.Get("required") == "true"
	f.def, f.hasDef = sf.Tag.Lookup("default")
	f.secret = sf.Tag.Get("secret") == "true" || sf.Type == secretType
	f.late = sf.Tag.Get("template") == "late"
	f.needs = words(sf.Tag.Get("needs"))
	for _, name := range append([]string{f.name}, f.aliases...) {
		if s.byName[name] != nil {
			return fmt.Errorf("argument %q is there twice", name)
		}
		s.byName[name] = f
	}
	s.fields = append(s.fields, f)
	for _, kind := range []string{"exclusive", "oneof", "together"} {
		for _, name := range words(sf.Tag.Get(kind)) {
			s.join(kind, name, f.name)
		}
	}
	elem := f.typ
	for elem.Kind() == reflect.Pointer || elem.Kind() == reflect.Slice {
		elem = elem.Elem()
	}
	if elem.Kind() == reflect.Struct && !isLeaf(elem) && f.typ != dictType {
		sub, err := newSchema(elem)
		if err != nil {
			return fmt.Errorf("argument %s: %w", f.name, err)
		}
		f.sub = sub
	}
	if !f.hasDef {
		return nil
	}
	d := decoder{}
	if d.value(f, f.typ, f.def, []any{f.name}); len(d.errs) > 0 {
		return fmt.Errorf("default of %s: %s", f.name, d.errs[0].Msg)
	}
	return nil
}

// join puts an argument into the group of a kind that its tag names.
func (s *schema) join(kind, name, arg string) {
	key := kind + ":" + name
	for i := range s.groups {
		if s.groups[i].kind == key {
			s.groups[i].names = append(s.groups[i].names, arg)
			return
		}
	}
	s.groups = append(s.groups, group{kind: key, names: []string{arg}})
}

// field finds an argument by its name or an alias.
func (s *schema) field(name string) *field { return s.byName[name] }

// names gives every name an argument may be written by.
func (s *schema) names() []string {
	var all []string
	for _, f := range s.fields {
		all = append(all, f.name)
		all = append(all, f.aliases...)
	}
	return all
}

// isLeaf reports whether a struct type is read as one value and not by its fields.
func isLeaf(t reflect.Type) bool {
	return t == secretType || reflect.PointerTo(t).Implements(argumentType)
}

// choicesOf gives the words a type takes, nil for any.
func choicesOf(t reflect.Type) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if !t.Implements(chooserType) {
		return nil
	}
	return reflect.Zero(t).Interface().(chooser).Choices()
}

func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}
