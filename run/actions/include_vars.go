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
	// Whether a dict that the host has already is replaced or merged.
	HashBehaviour HashBehaviour `arg:"hash_behaviour"`
	// The file, as free-form text.
	Raw string `arg:"_raw_params" exclusive:"source"`
}

// HashBehaviour says what becomes of a dict that is defined twice.
type HashBehaviour string

// Choices are the values.
func (HashBehaviour) Choices() []string { return []string{"replace", "merge"} }

var includeVars = define("include_vars", includeVarsSource, runIncludeVars, builtin("include_vars"), modules.FreeForm("_raw_params"))

func runIncludeVars(ctx context.Context, t *Task, a IncludeVarsArgs) (Result, error) {
	in := &included{t: t, vars: value.NewDict(), files: value.NewList()}
	err := in.read(a)
	if a.Name != "" {
		in.vars = value.NewDict(a.Name, in.vars)
	}
	if err == nil && a.HashBehaviour == "merge" {
		err = in.merge(ctx)
	}
	data := value.NewDict("ansible_facts", in.vars, "ansible_included_var_files", in.files, "changed", false)
	if err != nil {
		data.Set("failed", true)
		data.Set("message", err.Error())
		return Result{Failed: true, NoLog: in.vaulted, Data: data}, nil
	}
	return Result{Included: in.vars, NoLog: in.vaulted, Data: data}, nil
}

// included is what was read so far.
type included struct {
	t       *Task
	vars    *value.Dict
	files   *value.List
	vaulted bool // a file was: nothing of the result is shown
}

func (in *included) read(a IncludeVarsArgs) error {
	if a.Dir != "" {
		return in.folder(a)
	}
	path, err := in.t.Run.Find("vars", first(a.File, a.Raw))
	if err != nil {
		return err
	}
	return in.file(path, in.vars)
}

// file adds the variables of a file to some.
func (in *included) file(path string, to *value.Dict) error {
	d, vaulted, err := in.t.Run.LoadVars(path)
	in.vaulted = in.vaulted || vaulted
	if err != nil {
		return err
	}
	in.files.Append(path)
	to.Update(d)
	return nil
}

// merge puts dicts that the host has by the same names under those that were read.
func (in *included) merge(ctx context.Context) error {
	for k, v := range in.vars.Copy().All() {
		name, isText := k.(string)
		high, isDict := v.(*value.Dict)
		if !isText || !isDict {
			continue
		}
		_, present, err := in.t.Scope.Layers(ctx, name)
		if err != nil {
			return err
		}
		if len(present) == 0 {
			continue
		}
		if low, ok := present[0].(*value.Dict); ok {
			in.vars.Set(k, vars.Merge(low, high))
		}
	}
	return nil
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// folder reads the files below a folder. The variables of a folder that one file breaks are left out.
func (in *included) folder(a IncludeVarsArgs) error {
	dir, err := in.t.Run.Find("vars", a.Dir)
	if err != nil {
		return err
	}
	w := folderWalk{in: in, a: a, extensions: a.Extensions}
	if w.match, err = regexp.Compile(a.FilesMatching); err != nil {
		return fmt.Errorf("files_matching: %w", err)
	}
	for _, text := range a.IgnoreFiles {
		re, err := regexp.Compile(text + `$`)
		if err != nil {
			return fmt.Errorf("ignore_files: %w", err)
		}
		w.ignored = append(w.ignored, re)
	}
	if len(w.extensions) == 0 {
		w.extensions = []string{"yaml", "yml", "json"}
	}
	return w.walk(dir, 1)
}

type folderWalk struct {
	in         *included
	a          IncludeVarsArgs
	match      *regexp.Regexp
	ignored    []*regexp.Regexp
	extensions []string
}

func (w *folderWalk) walk(dir string, depth int) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read variables: %w", err)
	}
	var below []string
	here := value.NewDict()
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if st, err := os.Stat(path); err == nil && st.IsDir() {
			if e.IsDir() { // links to folders are not followed
				below = append(below, path)
			}
			continue
		}
		if err := w.file(path, e.Name(), here); err != nil {
			return err
		}
	}
	w.in.vars.Update(here)
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

func (w *folderWalk) file(path, name string, to *value.Dict) error {
	if !w.match.MatchString(name) {
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
	return w.in.file(path, to)
}
