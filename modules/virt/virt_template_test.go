package virt

import (
	"testing"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestTemplate(t *testing.T) { moduletest.Run(t, Template, "testdata/template/*.txtar") }

func TestTemplateMistakes(t *testing.T) {
	refuses(t, Template, []mistake{
		{`missing required argument "domain"`, nil},
		{`name "a;b" is an odd one`, []any{"domain", "a;b"}},
		{`name "-rf" begins with -`, []any{"domain", "-rf"}},
		{`name "a/b" has a slash in it`, []any{"domain", "a", "rename_to", "a/b"}},
		{`operations: "--enable" names no operation of virt-sysprep`, []any{"domain", "a", "operations", value.NewList("machine-id", "--enable")}},
		{`operations: "all; rm" names no operation of virt-sysprep`, []any{"domain", "a", "operations", value.NewList("all; rm")}},
		{`export_xml must be an absolute path, not "a.xml"`, []any{"domain", "a", "export_xml", "a.xml"}},
		{"operations, sparsify and export_xml go with state: present only", []any{"domain", "a", "state", "absent", "export_xml", "/a.xml"}},
		{"operations, sparsify and export_xml go with state: present only", []any{"domain", "a", "state", "absent", "operations", value.NewList("machine-id")}},
	})
}
