package modules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/hostlerhq/hostler/jinja/value"
)

// comments are the comments of a source's types ("PingArgs") and of their fields ("PingArgs.Data").
type comments map[string]string

var packageClause = regexp.MustCompile(`(?m)^package `)

// readComments parses embedded source: one file, or several one after the other.
func readComments(source string) comments {
	found := comments{}
	starts := packageClause.FindAllStringIndex(source, -1)
	for i, at := range starts {
		end := len(source)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		file, err := parser.ParseFile(token.NewFileSet(), "", source[at[0]:end], parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			continue // the catalog's test then finds everything undocumented
		}
		for _, decl := range file.Decls {
			if gen, ok := decl.(*ast.GenDecl); ok {
				found.types(gen)
			}
		}
	}
	return found
}

// types takes in the struct types of one declaration.
func (c comments) types(gen *ast.GenDecl) {
	for _, spec := range gen.Specs {
		t, ok := spec.(*ast.TypeSpec)
		if !ok {
			continue
		}
		doc := t.Doc
		if doc == nil {
			doc = gen.Doc
		}
		c[t.Name.Name] = doc.Text()
		st, ok := t.Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, f := range st.Fields.List {
			text := f.Doc.Text()
			if text == "" {
				text = f.Comment.Text()
			}
			for _, name := range f.Names {
				c[t.Name.Name+"."+name.Name] = strings.TrimSpace(text)
			}
		}
	}
}

// field gives an argument's comment without the "Name is" that a Go comment begins with; another Go name at its beginning
// becomes the argument's.
func (c comments) field(f *field) string {
	text := c[f.owner+"."+f.goName]
	for _, verb := range []string{" is ", " are "} {
		if rest, ok := strings.CutPrefix(text, f.goName+verb); ok {
			return upperFirst(rest)
		}
	}
	if rest, ok := strings.CutPrefix(text, f.goName+" "); ok && !strings.EqualFold(f.goName, f.name) {
		return f.name + " " + rest
	}
	return text
}

// readDocs makes the manual's part on the module and its arguments.
func readDocs(c comments, s *schema) Docs {
	text, examples := splitExamples(c[s.typ.Name()])
	text = strings.TrimPrefix(text, s.typ.Name()+" ")
	text = upperFirst(text)
	first, _, _ := strings.Cut(text, "\n\n")
	summary, _, more := strings.Cut(strings.ReplaceAll(first, "\n", " "), ". ")
	if more {
		summary += "."
	}
	return Docs{Summary: summary, Description: text, Args: argDocs(c, s), Examples: examples}
}

// splitExamples takes the indented block at the end off a comment.
func splitExamples(doc string) (text, examples string) {
	lines := strings.Split(strings.TrimRight(doc, "\n"), "\n")
	at := len(lines)
	for i, line := range slices.Backward(lines) {
		if line != "" && !strings.HasPrefix(line, "\t") {
			break
		}
		if line != "" {
			at = i
		}
	}
	var out strings.Builder
	for _, l := range lines[at:] {
		out.WriteString(strings.TrimPrefix(l, "\t") + "\n")
	}
	return strings.TrimSpace(strings.Join(lines[:at], "\n")), out.String()
}

func argDocs(c comments, s *schema) []ArgDoc {
	docs := make([]ArgDoc, 0, len(s.fields))
	for _, f := range s.fields {
		d := ArgDoc{
			Name: f.name, Type: typeName(f.typ), Default: f.def, Text: c.field(f),
			Aliases: f.aliases, Choices: choicesOf(f.typ), Required: f.required,
		}
		if f.sub != nil {
			d.Args = argDocs(c, f.sub)
		}
		docs = append(docs, d)
	}
	return docs
}

// appendReturns makes the manual's part on what is returned; keys of a nested dict are written stat.exists.
func appendReturns(docs []ReturnDoc, c comments, t reflect.Type, prefix string) []ReturnDoc {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == dictType.Elem() {
		return docs
	}
	for sf := range t.Fields() {
		name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
		switch {
		case sf.Anonymous && name == "":
			docs = appendReturns(docs, c, sf.Type, prefix)
		case sf.IsExported() && name != "-" && name != "":
			text := c[t.Name()+"."+sf.Name]
			if rest, ok := strings.CutPrefix(text, sf.Name+" is "); ok {
				text = upperFirst(rest)
			}
			docs = append(docs, ReturnDoc{prefix + name, typeName(sf.Type), text})
			if typeName(sf.Type) == "dict" {
				docs = appendReturns(docs, c, sf.Type, prefix+name+".")
			}
		}
	}
	return docs
}

// typeName is what the manual calls a Go type.
func typeName(t reflect.Type) string {
	switch t {
	case secretType:
		return "secret"
	case durationType:
		return "duration"
	case dictType:
		return "dict"
	case anyType:
		return "any"
	case reflect.TypeFor[Path](), reflect.TypeFor[LocalFile]():
		return "path"
	case reflect.TypeFor[FileMode]():
		return "mode"
	case reflect.TypeFor[Size]():
		return "size"
	case reflect.TypeFor[JSON]():
		return "json"
	case reflect.TypeFor[*value.List]():
		return "list"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.Slice:
		return "list of " + typeName(t.Elem())
	case reflect.Map, reflect.Struct:
		return "dict"
	case reflect.Bool:
		return "bool"
	case reflect.Float64:
		return "float"
	case reflect.String:
		return "str"
	}
	return "int"
}

func upperFirst(s string) string {
	for i, r := range s {
		if i == 0 {
			return string(unicode.ToUpper(r)) + s[len(string(r)):]
		}
	}
	return s
}
