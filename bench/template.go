package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/vars"
)

//go:embed template.py
var templateProgram []byte

// The template of 35 lines and its variables are those of package jinja's tests.
const (
	templateFile  = "jinja/testdata/domain.xml.j2"
	templateCases = "jinja/testdata/cases.json"
	fleetHosts    = 1000
	fleetVars     = 100
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

// benchTemplate compares package jinja with Debian's python3-jinja2. Both work in one process and on one core.
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
	report(fmt.Sprintf("one task's arguments, %d hosts × %d variables", fleetHosts, fleetVars), 0.05, 0, theirs["fleet"], benchFleet(ctx, f))
	return nil
}

// benchFleet renders the arguments for all hosts as a run does.
func benchFleet(ctx context.Context, f fleet) testing.BenchmarkResult {
	engine := &vars.Engine{Env: jinja.New(jinja.Options{TrimBlocks: true, KeepTrailingNewline: true, NoneEmpty: true})}
	shared, args := templates(f.Vars), templates(f.Args)
	return testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for _, host := range f.Hosts {
				s := engine.Scope(
					vars.Layer{Level: vars.InventoryGroupAll, Vars: shared},
					vars.Layer{Level: vars.Magic, Vars: value.NewDict("inventory_hostname", host)},
				)
				if _, err := s.Render(ctx, args); err != nil {
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
	program, data := filepath.Join(b.dir, "template.py"), filepath.Join(b.dir, "fleet.json")
	text, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(program, templateProgram, 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(data, text, 0o600); err != nil {
		return nil, err
	}
	c := command(ctx, "/usr/bin/python3", program, templateFile, templateCases, data)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("python3 with Debian's python3-jinja2: %w", err)
	}
	times := map[string]float64{}
	return times, json.Unmarshal(out, &times)
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
	fmt.Printf("  %-48s %6.3f × python (%s the goal of %.2f; hostler %.1f µs, python %.1f µs; %d allocations",
		what, ours/theirs, verdict, limit, ours*1e6, theirs*1e6, r.AllocsPerOp())
	if allocations > 0 {
		fmt.Printf(", goal %d", allocations)
	}
	fmt.Println(")")
}
