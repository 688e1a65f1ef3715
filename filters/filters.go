// Package filters is what Ansible adds to Jinja: filters, tests and lookups, with Ansible's names,
// arguments and results. Jinja's own are in package jinja. Nothing here reads variables but through
// the template's scope.
package filters

import (
	"github.com/hostlerhq/hostler/jinja"
)

// entry is one filter or test: its names, its signature after the value (as jinja.Env.AddFilter takes it)
// and what it does.
type entry struct {
	names  []string
	params string
	fn     jinja.Func
	opts   []jinja.FuncOption
}

func one(name, params string, fn jinja.Func, opts ...jinja.FuncOption) entry {
	return entry{names: []string{name}, params: params, fn: fn, opts: opts}
}

// named gives further names.
func (e entry) named(more ...string) entry {
	e.names = append(e.names, more...)
	return e
}

// each gives the entry's names, short ones and those with a collection's name before them.
func (e entry) each(collections []string, use func(name string)) {
	for _, name := range e.names {
		use(name)
		for _, c := range collections {
			use(c + name)
		}
	}
}

// Options are what filters, tests and lookups may have of the controller; the zero value serves a template that
// has no inventory around it.
type Options struct {
	// ReadFile reads a file of the controller, opening a vaulted one; nil is os.ReadFile.
	ReadFile func(path string) ([]byte, error)
	// Hosts gives the names of the hosts that patterns stand for; nil makes inventory_hostnames an error.
	Hosts func(patterns []string) ([]string, error)
	// Setting gives a setting of the configuration by its name (DEFAULT_FORKS), for the config lookup.
	Setting func(name string) (v any, ok bool)
	// Warn tells the user something, such as an error that errors='warn' passes over; nil is silence.
	Warn func(text string)
	// BaseDir is where relative paths count from when there is no playbook_dir; empty is the working directory.
	BaseDir string
}

// Register adds Ansible's filters, tests and lookups to an Env, under their short and their fully qualified
// names (ansible.builtin.x, ansible.utils.ipaddr, community.general.json_query). The Lookups are for with_X.
func Register(env *jinja.Env, o Options) *Lookups {
	for _, set := range []struct {
		collections []string
		tables      [][]entry
	}{
		{[]string{"ansible.builtin.", "ansible.legacy."}, [][]entry{
			plainFilters(), textFilters(), regexFilters(), setFilters(), dictFilters(), encodeFilters(), pathFilters(), yamlFilters(),
			randomFilters(), timeFilters(), urlFilters(), fileFilters(), vaultFilters(),
		}},
		{[]string{"ansible.utils.", "ansible.netcommon."}, [][]entry{ipFilters()}},
		{[]string{"community.general."}, [][]entry{communityFilters()}},
	} {
		for _, table := range set.tables {
			for _, e := range table {
				e.each(set.collections, func(name string) { env.AddFilter(name, e.params, e.fn, e.opts...) })
			}
		}
	}
	for _, table := range [][]entry{resultTests(), valueTests(), fileTests(), urlTests(), vaultTests()} {
		for _, e := range table {
			e.each([]string{"ansible.builtin.", "ansible.legacy."}, func(name string) { env.AddTest(name, e.params, e.fn, e.opts...) })
		}
	}
	l := &Lookups{o: o, env: env, table: lookupTable()}
	l.register()
	return l
}

// volatile tells the scope that what is being rendered differs from time to time.
func volatile(c *jinja.Call) {
	if s, ok := c.Caller().(interface{ Volatile() }); ok {
		s.Volatile()
	}
}
