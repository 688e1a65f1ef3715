// Package check finds what is wrong with playbooks before any host is contacted: it loads them with all that they
// include by literal names, reads their templates and files of variables, and compares names that are used with those that
// anything defines. The findings are diag.Errors with the name of their rule; nothing is printed and nothing runs.
package check

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/inventory"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/playbook"
)

// Options are what a check knows besides the playbooks. Loader and Env are required.
type Options struct {
	Loader *playbook.Loader // its Skip is set when it is nil
	Env    *jinja.Env
	// HasLookup reports whether there is a lookup of that name; nil leaves them unchecked.
	HasLookup func(name string) bool
	// Inventory is nil when none was given: then undefined variables are reported as such that it may still define.
	Inventory *inventory.Inventory
	ExtraVars *value.Dict
	// Kept reports whether a former run kept a fact that is a variable of that name; nil is for none. Only names that nothing
	// else defines are asked for.
	Kept func(name string) bool
	// Tags and SkipTags are those of the command line.
	Tags, SkipTags []string
	// SkipRules are the names of rules to leave out.
	SkipRules []string
	// ReadFile reads a file of the controller, opening vaulted ones; nil is os.ReadFile.
	ReadFile func(path string) ([]byte, error)
}

// Playbooks loads playbooks and checks them and the inventory. It gives those that could be loaded; findings are the errors and
// warnings of all of them, sorted by file and place.
func Playbooks(o Options, paths []string) (loaded []*playbook.Playbook, findings diag.List) {
	c := newChecker(o)
	for _, path := range paths {
		pb, warnings, err := o.Loader.LoadAll(path)
		c.found = append(c.found, warnings...)
		if err != nil {
			c.lost(asList(err))
			c.found.Add(err)
		} else {
			loaded = append(loaded, pb)
		}
		c.playbook(pb)
	}
	c.inventory()
	c.tags()
	c.undefined()
	return loaded, diag.Sorted(c.kept())
}

// lost takes up the names that mistakes keep from being read. A role or file that there is not may define any; of a file that is
// there, the words that look like definitions count.
func (c *checker) lost(list diag.List) {
	for _, e := range list {
		if e.Severity != diag.Fatal {
			continue
		}
		switch e.Rule {
		case playbook.RuleRole, playbook.RuleFile:
			c.names.open = true
		case playbook.RulePlaybook, playbook.RuleYAML, playbook.RuleKeyword:
			text, err := c.ReadFile(e.Pos.File)
			if err != nil {
				c.names.open = true
			}
			c.names.loosely(string(text))
		}
	}
}

// checker is the state of one check.
type checker struct {
	Options
	skip  *skipper
	found diag.List
	names names
	// excused says that the names which are read now may be undefined.
	excused bool
	// seenTags are the tags of all tasks; openTags says that there are more at run time.
	seenTags map[string]bool
	openTags bool
	// writes says that some task may write files on the controller, so that a missing one may come to be.
	writes bool
	// absent are the missing files, whose weight depends on writes.
	absent    []*diag.Error
	templates map[string]bool // files that were read
	varsFiles map[string]bool
	texts     map[string]string // of files
	docs      map[*modules.Module][]modules.ArgDoc
}

func newChecker(o Options) *checker {
	if o.ReadFile == nil {
		o.ReadFile = os.ReadFile
	}
	c := &checker{
		Options: o, skip: newSkipper(o.SkipRules, o.ReadFile), seenTags: map[string]bool{}, templates: map[string]bool{},
		varsFiles: map[string]bool{}, texts: map[string]string{}, docs: map[*modules.Module][]modules.ArgDoc{}, names: newNames(),
	}
	if o.Loader.Skip == nil {
		o.Loader.Skip = c.skip.skips
	}
	return c
}

// kept gives the findings that are not to be skipped. What the loader found firmly stays.
func (c *checker) kept() diag.List {
	var out diag.List
	for _, e := range c.found {
		if c.writes && slices.Contains(c.absent, e) {
			if e.Hint == "" {
				continue // a task before it may well make the file
			}
			e.Severity = diag.Warning
		}
		if e.Severity == diag.Warning && c.skip.skips(e) || e.Severity == diag.Fatal && c.own(e) && c.skip.skips(e) {
			continue
		}
		out = append(out, e)
	}
	return weighty(out)
}

// weighty drops warnings that are errors as well: one file may be taken in twice, once under a condition.
func weighty(list diag.List) diag.List {
	errs := map[string]bool{}
	for _, e := range list {
		if e.Severity == diag.Fatal {
			errs[e.Error()] = true
		}
	}
	return slices.DeleteFunc(list, func(e *diag.Error) bool { return e.Severity == diag.Warning && errs[e.Error()] })
}

// own reports whether a finding's rule is one that may be skipped even as an error.
func (c *checker) own(e *diag.Error) bool {
	switch e.Rule {
	case ruleLookup, ruleInclude, RuleInventory, ruleTemplateFile:
		return true
	}
	return slices.Contains(c.absent, e)
}

// ruleTemplateFile is the template rule, whose findings in files that playbooks name are not the loader's.
const ruleTemplateFile = playbook.RuleTemplate

// fail notes what goes wrong when it is reached: an error, or a warning for what a condition may keep from running.
func (c *checker) fail(guard bool, rule string, pos diag.Pos, format string, args ...any) noted {
	e := diag.Errorf(pos, format, args...).WithRule(rule)
	if guard || c.Loader.Lenient {
		e.Severity = diag.Warning
	}
	c.found = append(c.found, e)
	return noted{e}
}

// noted is a finding that may still get its hint.
type noted struct{ err *diag.Error }

// hint says what to do about it.
func (n noted) hint(format string, args ...any) { n.err.Hint = fmt.Sprintf(format, args...) }

// warn notes what is only worth a warning.
func (c *checker) warn(rule string, pos diag.Pos, format string, args ...any) noted {
	return c.fail(true, rule, pos, format, args...)
}

// take notes what a loader gave; what is guarded is only warned of.
func (c *checker) take(guard bool, warnings diag.List, err error) {
	var errs diag.List
	errs.Add(err)
	c.lost(errs)
	for _, e := range errs {
		if guard {
			e.Severity = diag.Warning
		}
	}
	c.found = append(append(c.found, warnings...), errs...)
}

// syntax checks the templates in a value that no playbook holds, such as one of a file of variables.
func (c *checker) syntax(v any) {
	if c.Loader.CheckTemplate == nil {
		return
	}
	switch v := v.(type) {
	case *value.Template:
		if e := c.Loader.CheckTemplate(v.Text, v.Pos, false); e != nil {
			e.Severity = diag.Warning // it may never be read
			c.found = append(c.found, e.WithRule(playbook.RuleTemplate))
		}
	case *value.List:
		for _, item := range v.Items {
			c.syntax(item)
		}
	case *value.Dict:
		for _, item := range v.All() {
			c.syntax(item)
		}
	}
}

// asList gives the mistakes of an error.
func asList(err error) diag.List {
	if list, ok := errors.AsType[diag.List](err); ok {
		return list
	}
	var list diag.List
	list.Add(err)
	return list
}
