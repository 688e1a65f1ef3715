package jinja_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

// templateCase is a template with those that it needs. The part want is a JSON string of what Jinja2 3.1.2 gives; error, for what
// it refuses too, is part of our message.
type templateCase struct {
	name, want, fail string
	Files            map[string]string `json:"files"`
	Vars             json.RawMessage   `json:"vars"`
	Options          json.RawMessage   `json:"options"`
}

// templateCases reads testdata/templates: archives whose files are called case/part.
func templateCases(t testing.TB) []*templateCase {
	t.Helper()
	paths, err := filepath.Glob("testdata/templates/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	var list []*templateCase
	for _, path := range paths {
		a, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var c *templateCase
		for _, f := range a.Files {
			name, part, _ := strings.Cut(f.Name, "/")
			name = strings.TrimSuffix(filepath.Base(path), ".txtar") + "/" + name
			if c == nil || c.name != name {
				c = &templateCase{name: name, Files: map[string]string{}, Vars: []byte("{}"), Options: []byte("{}")}
				list = append(list, c)
			}
			text := string(f.Data)
			switch part {
			case "vars":
				c.Vars = f.Data
			case "options":
				c.Options = f.Data
			case "want":
				if err := json.Unmarshal(f.Data, &c.want); err != nil && !updating() {
					t.Fatalf("%s: want: %v", name, err)
				}
			case "error":
				c.fail = strings.TrimSuffix(text, "\n")
			default:
				c.Files[part] = text
			}
		}
	}
	return list
}

// updating reports that the answers are being made anew.
func updating() bool { return os.Getenv("JINJA_UPDATE") != "" }

// files is a Loader of texts by name.
type files map[string]string

func (f files) Load(_ context.Context, name, _ string) (path, text string, err error) {
	text, ok := f[name]
	if !ok {
		return "", "", &fs.PathError{Op: "load", Path: name, Err: fs.ErrNotExist}
	}
	return name, text, nil
}

// env makes the Env and variables of the case.
func (c *templateCase) env(t *testing.T) (e *jinja.Env, s jinja.Scope, native bool) {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal(c.Options, &o); err != nil {
		t.Fatal(err)
	}
	text := func(key string) string { s, _ := o[key].(string); return s }
	is := func(key string) bool { return o[key] == true }
	opts := jinja.Options{
		TrimBlocks: is("trim_blocks"), LstripBlocks: is("lstrip_blocks"), KeepTrailingNewline: is("keep_trailing_newline"),
		BlockStart: text("block_start_string"), BlockEnd: text("block_end_string"), VariableStart: text("variable_start_string"),
		VariableEnd: text("variable_end_string"), CommentStart: text("comment_start_string"), CommentEnd: text("comment_end_string"),
		LineStatementPrefix: text("line_statement_prefix"), LineCommentPrefix: text("line_comment_prefix"),
		NewlineSequence: text("newline_sequence"), Literals: is("native"), Loader: files(c.Files),
	}
	v, err := value.DecodeJSON(string(c.Vars))
	if err != nil {
		t.Fatal(err)
	}
	return jinja.New(opts), vars{v.(*value.Dict)}, is("native")
}

func (c *templateCase) render(t *testing.T) (string, error) {
	t.Helper()
	e, s, native := c.env(t)
	tpl, err := e.Template("main", c.Files["main"])
	if err != nil {
		return "", err
	}
	if !native {
		return tpl.Render(t.Context(), s)
	}
	v, err := tpl.Native(t.Context(), s)
	if err != nil {
		return "", err
	}
	return value.Repr(v)
}

// TestTemplates holds statements, inheritance and white space to what Jinja2 3.1.2 answered.
func TestTemplates(t *testing.T) {
	for _, c := range templateCases(t) {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.render(t)
			if c.fail == "" {
				if err != nil || got != c.want {
					t.Errorf("got  %q, %v\nwant %q", got, err, c.want)
				}
				return
			}
			if err == nil {
				t.Fatalf("got %q, want an error: %s", got, c.fail)
			}
			if !strings.Contains(err.Error(), c.fail) {
				t.Errorf("error %v\nwant  %s", err, c.fail)
			}
			if je, ok := errors.AsType[*jinja.Error](err); ok && (je.Pos.IsZero() || !strings.HasSuffix(je.Snippet, "^")) {
				t.Errorf("no place or snippet: %v %q", je.Pos, je.Snippet)
			}
		})
	}
}

// TestSnippet looks at what an error shows of the template.
func TestSnippet(t *testing.T) {
	_, err := jinja.New(jinja.Options{}).Template("x.j2", "a\n\tb {{ c d }}\n")
	je, ok := errors.AsType[*jinja.Error](err)
	if !ok {
		t.Fatalf("got %v", err)
	}
	if want := " b {{ c d }}\n        ^"; je.Snippet != want || je.Pos.String() != "x.j2:2:9" {
		t.Errorf("at %s:\n%q, want\n%q", je.Pos, je.Snippet, want)
	}
}

// TestHeader reads the options that a template's first line sets.
func TestHeader(t *testing.T) {
	text := "#jinja2: trim_blocks: True, variable_start_string: '<<', variable_end_string: '>>'\n{% if true %}\n<< 1 + 1 >>{{ x }}\n{% endif %}\n"
	opts, body, err := jinja.ParseHeader(text, jinja.Options{LstripBlocks: true})
	if err != nil {
		t.Fatal(err)
	}
	if !opts.TrimBlocks || !opts.LstripBlocks {
		t.Errorf("options %+v", opts)
	}
	tpl, err := jinja.New(jinja.Options{}).TemplateWith("t", body, opts)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := tpl.Render(t.Context(), vars{}); got != "2{{ x }}\n" {
		t.Errorf("got %q, %v", got, err)
	}
	for header, want := range map[string]string{
		"#jinja2: nope: 1\n":                    "the jinja2 header has no option 'nope'",
		"#jinja2: trim_blocks\n":                "failed to parse the jinja2 header entry 'trim_blocks'",
		"#jinja2: trim_blocks: maybe\n":         "a value that is no literal: maybe",
		"#jinja2: line_statement_prefix: 1\n":   "must be text, not int",
		"#jinja2: block_start_string: '<%',,\n": "failed to parse the jinja2 header entry ''",
	} {
		if _, _, err := jinja.ParseHeader(header, jinja.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", header, err, want)
		}
	}
	if opts, body, err := jinja.ParseHeader("no header", jinja.Options{}); err != nil || body != "no header" || opts != (jinja.Options{}) {
		t.Errorf("without header: %+v %q %v", opts, body, err)
	}
}
