package value_test

import (
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
)

func TestReprAndJSON(t *testing.T) {
	d := value.NewDict("z", 1, true, 1e16, value.Tuple{1, "a"}, nil)
	got, err := value.Repr(d)
	if want := "{'z': 1, True: 1e+16, (1, 'a'): None}"; err != nil || got != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
	if v, ok := d.Get(value.Tuple{1.0, "a"}); !ok || v != nil {
		t.Errorf("tuple key: %v, %t", v, ok)
	}
	v, err := value.DecodeJSON(`{"b": [1, 2.0, "é"], "a": 12345678901234567890}`)
	if err != nil {
		t.Fatal(err)
	}
	text, err := value.EncodeJSON(v, value.JSONOptions{SortKeys: true})
	if want := `{"a": 12345678901234567890, "b": [1, 2.0, "\u00e9"]}`; err != nil || text != want {
		t.Errorf("got %s, %v; want %s", text, err, want)
	}
}

func TestDictKeepsOrder(t *testing.T) {
	d := &value.Dict{}
	for i := range 30 {
		d.Set(i, i)
	}
	d.Delete(3)
	d.Set(3.0, "again")
	if k, v := d.At(29 - 0); k != 3.0 || v != "again" || d.Len() != 30 {
		t.Errorf("last entry %v: %v of %d", k, v, d.Len())
	}
	if v, ok := d.Get(true); !ok || v != 1 {
		t.Errorf("True as a key: %v", v)
	}
}
