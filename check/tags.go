package check

import (
	"slices"

	"github.com/hostlerhq/hostler/internal/diag"
)

// tags warns of tags on the command line that no task has.
func (c *checker) tags() {
	if c.openTags {
		return
	}
	var known []string
	for tag := range c.seenTags {
		known = append(known, tag)
	}
	slices.Sort(known)
	for _, option := range []struct {
		name string
		tags []string
	}{{"--tags", c.Tags}, {"--skip-tags", c.SkipTags}} {
		for _, tag := range option.tags {
			if slices.Contains([]string{"all", "always", "never", "tagged", "untagged"}, tag) || c.seenTags[tag] {
				continue
			}
			e := c.warn(ruleTag, diag.Pos{}, "%s: no task has the tag %q", option.name, tag)
			if near := diag.Near(tag, known); near != "" {
				e.hint("did you mean %q?", near)
			}
		}
	}
}
