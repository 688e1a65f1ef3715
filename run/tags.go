package run

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/vars"
)

// wanted reports whether --tags and --skip-tags choose a task with these tags.
func (r *runner) wanted(ctx context.Context, s *vars.Scope, tags []string) (bool, error) {
	tags, err := renderedTags(ctx, s, tags)
	if err != nil {
		return false, err
	}
	return chosen(tags, r.o.Tags, r.o.SkipTags), nil
}

// renderedTags renders tags with templates in them; text may name several with commas.
func renderedTags(ctx context.Context, s *vars.Scope, tags []string) ([]string, error) {
	if !slices.ContainsFunc(tags, func(t string) bool { return strings.Contains(t, "{{") }) {
		return tags, nil
	}
	var out []string
	for _, t := range tags {
		v, err := s.Render(ctx, &value.Template{Text: t, Pos: diag.Pos{}})
		if err != nil {
			return nil, fmt.Errorf("render the tag %q: %w", t, err)
		}
		if l, ok := v.(*value.List); ok {
			for _, item := range l.Items {
				out = append(out, fmt.Sprint(item))
			}
			continue
		}
		for part := range strings.SplitSeq(fmt.Sprint(v), ",") {
			out = append(out, strings.TrimSpace(part))
		}
	}
	return out, nil
}

// chosen is Ansible's rule: always and never, all, tagged and untagged have their meanings.
func chosen(tags, only, skip []string) bool {
	own := tags
	if len(own) == 0 {
		own = []string{"untagged"}
	}
	return runs(own, only) && !skipped(own, skip)
}

func runs(tags, only []string) bool {
	if len(only) == 0 {
		only = []string{"all"}
	}
	never := slices.Contains(tags, "never")
	switch {
	case slices.Contains(tags, "always"), intersects(tags, only):
		return true
	case slices.Contains(only, "all"):
		return !never
	case slices.Contains(only, "tagged"):
		return !slices.Equal(tags, []string{"untagged"}) && !never
	}
	return false
}

func skipped(tags, skip []string) bool {
	switch {
	case slices.Contains(skip, "all"):
		return !slices.Contains(tags, "always") || slices.Contains(skip, "always")
	case intersects(tags, skip):
		return true
	case slices.Contains(skip, "tagged"):
		return !slices.Equal(tags, []string{"untagged"})
	}
	return false
}

func intersects(a, b []string) bool {
	return slices.ContainsFunc(a, func(x string) bool { return slices.Contains(b, x) })
}
