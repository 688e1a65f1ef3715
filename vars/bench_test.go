package vars_test

import (
	"fmt"
	"testing"

	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/vars"
)

func BenchmarkFleet(b *testing.B) {
	e := &vars.Engine{Env: jinja.New(jinja.Options{TrimBlocks: true, KeepTrailingNewline: true, NoneEmpty: true})}
	d := value.NewDict("v0", &value.Template{Text: "{{ inventory_hostname }}"})
	for i := 1; i < 100; i++ {
		d.Set(fmt.Sprintf("v%d", i), &value.Template{Text: fmt.Sprintf("%d-{{ v%d }}-{{ v%d | upper }}", i, i/2, i/3)})
	}
	args := value.NewDict("name", &value.Template{Text: "vm-{{ v99 }}"}, "path", &value.Template{Text: "/srv/{{ v98 }}/{{ v57 | lower }}"},
		"state", &value.Template{Text: "{{ 'present' if v41 else 'absent' }}"}, "mode", &value.Template{Text: "{{ v7 | length }}"})
	b.ReportAllocs()
	for b.Loop() {
		s := e.Scope(vars.Layer{Level: vars.InventoryGroupAll, Vars: d}, vars.Layer{Level: vars.Magic, Vars: value.NewDict("inventory_hostname", "hv0001")})
		if _, err := s.Render(b.Context(), args); err != nil {
			b.Fatal(err)
		}
	}
}
