package jinja

import "github.com/hostlerhq/hostler/jinja/value"

func notYet(what string) error { return value.Errorf(value.RuntimeError, "%s is not supported", what) }

func filterWordwrap(*Call) (any, error) { return nil, notYet("wordwrap") }
func filterPprint(c *Call) (any, error) { return orNil(value.Repr(c.Value)) }
func filterUrlize(*Call) (any, error)   { return nil, notYet("urlize") }
func (rt *runtime) format(s string, args []any, kw *value.Dict) (string, error) {
	return "", notYet("str.format")
}
