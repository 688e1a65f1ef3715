package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/hostlerhq/hostler/filters"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/vars"
)

//go:embed template.py
var templateProgram []byte

//go:embed templar.py
var templarProgram []byte

// The template of 35 lines and its variables are those of package jinja's tests.
const (
	templateFile  = "jinja/testdata/domain.xml.j2"
	templateCases = "jinja/testdata/cases.json"
	fleetHosts    = 1000
	fleetVars     = 100
	// templarHosts are those that Ansible's templar is asked for: it needs some 0.2 s for each.
	templarHosts = 20
)

// fleet is many hosts with variables that refer to each other, and the arguments of one task.
type fleet struct {
	Hosts []string          `json:"hosts"`
	Vars  map[string]string `json:"vars"`
	Args  map[string]string `json:"args"`
}

func newFleet() fleet {
	f := fleet{Vars: map[string]string{"v0": "{{ inventory_hostname }}"}}
	for i := range fleetHosts {
		f.Hosts = append(f.Hosts, fmt.Sprintf("hv%04d", i))
	}
	for i := 1; i < fleetVars; i++ {
		f.Vars[fmt.Sprintf("v%d", i)] = fmt.Sprintf("%d-{{ v%d }}-{{ v%d | upper }}", i, i/2, i/3)
	}
	f.Args = map[string]string{
		"name": "vm-{{ v99 }}", "path": "/srv/{{ v98 }}/{{ v57 | lower }}", "state": "{{ 'present' if v41 else 'absent' }}", "mode": "{{ v7 | length }}",
	}
	return f
}

// benchTemplate compares package jinja with Debian's python3-jinja2, and the rendering of a task's arguments with ansible-core's
// own templar, which is what a run of Ansible does, and with a Python that compiles each text once and remembers each variable.
// All work in one process and on one core.
func benchTemplate(ctx context.Context, b *bench) error {
	f := newFleet()
	theirs, err := b.pythonTimes(ctx, f)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(templateFile)
	if err != nil {
		return err
	}
	scope, err := templateScope()
	if err != nil {
		return err
	}
	env := jinja.New(jinja.Options{})
	compiled, err := env.Template(templateFile, string(text))
	if err != nil {
		return err
	}
	report("a compiled template of 35 lines", 0.4, 250, theirs["render"], testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := compiled.Render(ctx, scope); err != nil {
				b.Fatal(err)
			}
		}
	}))
	n := 0
	report("compiling it", 0.05, 0, theirs["compile"], testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() { // another text each time, so that nothing is remembered
			n++
			if _, err := env.Template(templateFile, fmt.Sprint(string(text), n)); err != nil {
				b.Fatal(err)
			}
		}
	}))
	fmt.Printf("  one task's arguments, %d hosts × %d variables that refer to each other:\n", fleetHosts, fleetVars)
	r := benchFleet(ctx, f)
	ansible, err := b.templarTime(ctx, f)
	if err != nil {
		return err
	}
	report("  beside ansible-core's templar", 0.05, 0, ansible*fleetHosts, r)
	report("  beside jinja2 with compiled texts remembered", 0.5, 0, theirs["fleet"], r)
	return nil
}

// templarTime gives the seconds that ansible-core's templar takes for one host, and wants its answers to be ours.
func (b *bench) templarTime(ctx context.Context, f fleet) (float64, error) {
	out, err := b.python(ctx, "templar.py", templarProgram, f, func(data string) []string { return []string{data, strconv.Itoa(templarHosts)} })
	if err != nil {
		return 0, fmt.Errorf("python3 with Debian's ansible-core: %w", err)
	}
	var theirs struct {
		Seconds float64                      `json:"seconds"`
		Answers map[string]map[string]string `json:"answers"`
	}
	if err := json.Unmarshal(out, &theirs); err != nil {
		return 0, err
	}
	engine, shared, args := fleetEngine(), templates(f.Vars), templates(f.Args)
	engine.Legacy = true
	for host, want := range theirs.Answers {
		v, err := fleetScope(engine, shared, host).Render(ctx, args)
		if err != nil {
			return 0, err
		}
		for name, text := range want {
			if got := v.(*value.Dict).Str(name); got != text {
				return 0, fmt.Errorf("argument %s of %s: %q, and %q with ansible-core", name, host, got, text)
			}
		}
	}
	return theirs.Seconds, nil
}

func fleetEngine() *vars.Engine {
	env := jinja.New(jinja.Options{TrimBlocks: true, KeepTrailingNewline: true, NoneEmpty: true})
	filters.Register(env, filters.Options{})
	return &vars.Engine{Env: env}
}

func fleetScope(engine *vars.Engine, shared *value.Dict, host string) *vars.Scope {
	return engine.Scope(
		vars.Layer{Level: vars.InventoryGroupAll, Vars: shared},
		vars.Layer{Level: vars.Magic, Vars: value.NewDict("inventory_hostname", host)},
	)
}

// benchFleet renders the arguments for all hosts as a run does.
func benchFleet(ctx context.Context, f fleet) testing.BenchmarkResult {
	engine, shared, args := fleetEngine(), templates(f.Vars), templates(f.Args)
	return testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for _, host := range f.Hosts {
				if _, err := fleetScope(engine, shared, host).Render(ctx, args); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

func templates(texts map[string]string) *value.Dict {
	d := value.NewDict()
	for k, text := range texts {
		if document.HasTemplate(text) {
			d.Set(k, &value.Template{Text: text})
		} else {
			d.Set(k, text)
		}
	}
	return d
}

// pythonTimes runs the same with Python and gives seconds by name.
func (b *bench) pythonTimes(ctx context.Context, f fleet) (map[string]float64, error) {
	out, err := b.python(ctx, "template.py", templateProgram, f, func(data string) []string { return []string{templateFile, templateCases, data} })
	if err != nil {
		return nil, fmt.Errorf("python3 with Debian's python3-jinja2: %w", err)
	}
	times := map[string]float64{}
	return times, json.Unmarshal(out, &times)
}

// python runs a program of ours, args being its arguments once the file with the fleet is known, and gives what it prints.
func (b *bench) python(ctx context.Context, name string, text []byte, f fleet, args func(data string) []string) ([]byte, error) {
	program, data := filepath.Join(b.dir, name), filepath.Join(b.dir, "fleet.json")
	fleetText, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(program, text, 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(data, fleetText, 0o600); err != nil {
		return nil, err
	}
	c := command(ctx, "/usr/bin/python3", append([]string{program}, args(data)...)...)
	c.Stderr = os.Stderr
	return c.Output()
}

// templateScope gives the variables of package jinja's cases.
func templateScope() (jinja.Scope, error) {
	text, err := os.ReadFile(templateCases)
	if err != nil {
		return nil, err
	}
	doc, err := value.DecodeJSON(string(text))
	if err != nil {
		return nil, err
	}
	d, ok := doc.(*value.Dict)
	if !ok {
		return nil, fmt.Errorf("%s is no mapping", templateCases)
	}
	variables, _ := d.Get("vars")
	scope, ok := variables.(*value.Dict)
	if !ok {
		return nil, fmt.Errorf("%s has no vars", templateCases)
	}
	return plainScope{scope}, nil
}

type plainScope struct{ d *value.Dict }

// Lookup implements jinja.Scope.
func (s plainScope) Lookup(_ context.Context, name string) (any, bool, error) {
	v, ok := s.d.Get(name)
	return v, ok, nil
}

// report prints one ratio; allocations is a limit, 0 for none.
func report(what string, limit float64, allocations int64, theirs float64, r testing.BenchmarkResult) {
	ours := float64(r.NsPerOp()) / 1e9
	verdict := "within"
	if ours/theirs > limit || allocations > 0 && r.AllocsPerOp() > allocations {
		verdict = "OVER"
	}
	fmt.Printf("  %-48s %6.4f × python (%s the goal of %.2f; hostler %.1f µs, python %.1f µs; %d allocations",
		what, ours/theirs, verdict, limit, ours*1e6, theirs*1e6, r.AllocsPerOp())
	if allocations > 0 {
		fmt.Printf(", goal %d", allocations)
	}
	fmt.Println(")")
}
