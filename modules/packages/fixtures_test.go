package packages_test

import (
	"testing"

	"github.com/hostlerhq/hostler/modules/moduletest"
	"github.com/hostlerhq/hostler/modules/packages"
)

func TestFixtures(t *testing.T) {
	for _, m := range packages.All() {
		t.Run(m.Name, func(t *testing.T) { moduletest.Run(t, m, "testdata/"+m.Name+"/*.txtar") })
	}
}
