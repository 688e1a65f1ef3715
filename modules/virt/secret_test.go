package virt

import (
	"testing"

	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestSecret(t *testing.T) { moduletest.Run(t, Secret, "testdata/secret/*.txtar") }

func TestSecretMistakes(t *testing.T) {
	refuses(t, Secret, []mistake{
		{`missing required argument "usage_id"`, nil},
		{`usage_id " " cannot be`, []any{"usage_id", " "}},
		{"usage_id of a volume's secret is the volume's path", []any{"usage_type", "volume", "usage_id", "a"}},
		{"uuid must be a UUID", []any{"usage_id", "a", "uuid", "1"}},
		{"value is no base64; encoding: raw takes it as it is", []any{"usage_id", "a", "value", "not base64!"}},
		{"value is no key of Ceph: it has 3 bytes", []any{"usage_id", "a", "value", "YWJj"}},
		{`argument "usage_type" must be one of`, []any{"usage_type", "nfs", "usage_id", "a"}},
	})
}
