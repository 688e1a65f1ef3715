package actions

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/vars"
)

//go:embed include_vars.go
var includeVarsSource string

// IncludeVarsArgs reads variables from files for the rest of the run.
type IncludeVarsArgs struct {
	// The file; a relative one is looked for in vars folders.
	File string `arg:"file" exclusive:"source"`
	// A folder of files, read in the order of their names.
	Dir string `arg:"dir" exclusive:"source"`
	// A variable to put them all in, as a dict.
	Name string `arg:"name"`
	// How many levels of folders below dir to read; 0 is all.
	Depth int `arg:"depth" default:"0"`
	// Regular expression that the names of files in dir must match.
	FilesMatching string `arg:"files_matching"`
	// Regular expressions of names to leave out.
	IgnoreFiles []string `arg:"ignore_files"`
	// Whether files of other extensions are left out rather than an error.
	IgnoreUnknownExtensions bool `arg:"ignore_unknown_extensions" default:"false"`
	// The extensions, without their dot, that files of dir may have.
	Extensions []string `arg:"extensions"`
	// Whether a dict of an earlier file is replaced or merged.
	HashBehaviour HashBehaviour `arg:"hash_behaviour"`
	// The file, as free-form text.
	Raw string `arg:"_raw_params" exclusive:"source"`
}

// HashBehaviour says what becomes of a dict that is defined twice.
type HashBehaviour string

// Choices are the values.
func (HashBehaviour) Choices() []string { return []string{"replace", "merge"} }

var includeVars = define("include_vars", includeVarsSource, runIncludeVars, builtin("include_vars"), modules.FreeForm("_raw_params"))

func runIncludeVars(_ context.Context, t *Task, a IncludeVarsArgs) (Result, error) {
	var files []string
	var err error
	if a.Dir != "" {
		files, err = varsFolder(t, a)
	} else {
		var path string
		path, err = t.Run.Find("vars", first(a.File, a.Raw))
		files = []string{path}
	}
	if err != nil {
		r := failed(err.Error())
		r.Data = value.NewDict("failed", true, "message", err.Error(), "ansible_facts", value.NewDict(), "ansible_included_var_files", value.NewList())
		return r, nil
	}
	all, list := value.NewDict(), value.NewList()
	for _, path := range files {
		d, err := t.Run.LoadVars(path)
		if err != nil {
			return Result{}, err
		}
		list.Append(path)
		if a.HashBehaviour == "merge" {
			all = vars.Merge(all, d)
			continue
		}
		for k, v := range d.All() {
			all.Set(k, v)
		}
	}
	if a.Name != "" {
		all = value.NewDict(a.Name, all)
	}
	return Result{
		Included: all,
		Data:     value.NewDict("ansible_facts", written(all), "ansible_included_var_files", list, "changed", false),
	}, nil
}

// written shows variables as they stand in their files: templates by their text.
func written(v any) any {
	switch v := v.(type) {
	case *value.Template:
		return v.Text
	case *value.Sealed:
		return v.Text
	case *value.Dict:
		d := value.NewDict()
		for k, item := range v.All() {
			d.Set(k, written(item))
		}
		return d
	case *value.List:
		l := value.NewList()
		for _, item := range v.Items {
			l.Append(written(item))
		}
		return l
	}
	return v
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// varsFolder lists the files below a folder that are to be read.
func varsFolder(t *Task, a IncludeVarsArgs) ([]string, error) {
	dir, err := t.Run.Find("vars", a.Dir)
	if err != nil {
		return nil, err
	}
	match, err := regexp.Compile(first(a.FilesMatching, "."))
	if err != nil {
		return nil, fmt.Errorf("files_matching: %w", err)
	}
	var ignored []*regexp.Regexp
	for _, text := range a.IgnoreFiles {
		re, err := regexp.Compile(text + `$`)
		if err != nil {
			return nil, fmt.Errorf("ignore_files: %w", err)
		}
		ignored = append(ignored, re)
	}
	w := folderWalk{a: a, match: match, ignored: ignored, extensions: a.Extensions}
	if len(w.extensions) == 0 {
		w.extensions = []string{"yaml", "yml", "json"}
	}
	err = w.walk(dir, 1)
	return w.files, err
}

type folderWalk struct {
	a          IncludeVarsArgs
	match      *regexp.Regexp
	ignored    []*regexp.Regexp
	extensions []string
	files      []string
}

func (w *folderWalk) walk(dir string, depth int) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read variables: %w", err)
	}
	var below []string
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if e.IsDir() {
			below = append(below, path)
			continue
		}
		if err := w.file(path, e.Name()); err != nil {
			return err
		}
	}
	if w.a.Depth > 0 && depth >= w.a.Depth {
		return nil
	}
	for _, d := range below {
		if err := w.walk(d, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (w *folderWalk) file(path, name string) error {
	if w.a.FilesMatching != "" && !w.match.MatchString(name) {
		return nil
	}
	for _, re := range w.ignored {
		if re.MatchString(name) {
			return nil
		}
	}
	if !slices.Contains(w.extensions, strings.TrimPrefix(filepath.Ext(name), ".")) {
		if w.a.IgnoreUnknownExtensions {
			return nil
		}
		return fmt.Errorf("%s does not have a valid extension: %s", path, strings.Join(w.extensions, ", "))
	}
	w.files = append(w.files, path)
	return nil
}
