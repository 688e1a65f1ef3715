package system

import (
	"testing"

	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestAlternatives(t *testing.T) {
	moduletest.Run(t, Alternatives, "testdata/alternatives/*.txtar")
}

func TestLocaleGen(t *testing.T) { moduletest.Run(t, LocaleGen, "testdata/locale_gen/*.txtar") }

func TestNormalLocale(t *testing.T) {
	for name, want := range map[string]string{
		"de_CH.UTF-8": "de_CH.utf8", "de_DE@euro": "de_DE@euro", "ja_JP.EUC-JP": "ja_JP.eucjp", "sr_RS.UTF-8@latin": "sr_RS.utf8@latin", "C": "C",
	} {
		if got := normalLocale(name); got != want {
			t.Errorf("%s becomes %s, not %s", name, got, want)
		}
	}
}
