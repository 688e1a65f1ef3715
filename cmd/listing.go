package cmd

import (
	"context"
	"fmt"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/playbook"
)

// listings prints what --syntax-check, --list-hosts, --list-tasks and --list-tags ask for, as Ansible does,
// and reports whether that was all that was asked.
func (o *playOptions) listings(ctx context.Context, ss *session) (done bool, err error) {
	if !o.syntaxOnly && !o.listHosts && !o.listTasks && !o.listTags {
		return false, nil
	}
	for _, pb := range ss.opts.Playbooks {
		fmt.Fprintf(ss.s.Out, "\nplaybook: %s\n", pb.Path)
		if o.syntaxOnly {
			continue
		}
		for i, play := range pb.Plays {
			if err := o.listPlay(ctx, ss, i+1, play); err != nil {
				return true, err
			}
		}
	}
	return true, nil
}

func (o *playOptions) listPlay(ctx context.Context, ss *session, number int, play *playbook.Play) error {
	patterns := hostPatterns(play)
	name := playName(ctx, ss, play)
	if name == "" {
		name = strings.Join(patterns, ",")
	}
	fmt.Fprintf(ss.s.Out, "\n  play #%d (%s): %s\tTAGS: [%s]\n", number, strings.Join(patterns, ","), name, strings.Join(play.Tags, ","))
	only, skip := words(o.tags), words(o.skip)
	if o.listHosts {
		hosts, warnings, err := ss.opts.Inventory.MatchList(patterns, o.limit)
		if err != nil {
			return err
		}
		printMistakes(ss.s, warnings)
		fmt.Fprintf(ss.s.Out, "    pattern: [%s]\n    hosts (%d):\n", quoted(patterns), len(hosts))
		for _, h := range hosts {
			fmt.Fprintf(ss.s.Out, "      %s\n", h.Name)
		}
	}
	if o.listTasks {
		fmt.Fprintf(ss.s.Out, "    tasks:\n")
		for _, t := range play.ListTasks(only, skip) {
			fmt.Fprintf(ss.s.Out, "      %s\tTAGS: [%s]\n", t.Name, strings.Join(t.Tags, ", "))
		}
	}
	if o.listTags {
		fmt.Fprintf(ss.s.Out, "      TASK TAGS: [%s]\n", strings.Join(play.ListTags(only, skip), ", "))
	}
	return nil
}

// playName is a play's name, rendered with what is known without a host, else as it is written.
func playName(ctx context.Context, ss *session, play *playbook.Play) string {
	t, ok := play.Name.Value.(*value.Template)
	if !ok {
		return patternText(play.Name.Value)
	}
	name, err := earlyNames(ctx, ss.engine, ss.extra)(t, play.Vars)
	if err != nil {
		return t.Text
	}
	return name
}

// hostPatterns are a play's patterns as written.
func hostPatterns(play *playbook.Play) []string {
	switch v := play.Hosts.Value.(type) {
	case *value.List:
		var out []string
		for _, item := range v.Items {
			out = append(out, patternText(item))
		}
		return out
	default:
		return []string{patternText(v)}
	}
}

func patternText(v any) string {
	if t, ok := v.(*value.Template); ok {
		return t.Text
	}
	text, _ := v.(string)
	return text
}

// quoted shows a list of text as Python does.
func quoted(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = "'" + s + "'"
	}
	return strings.Join(out, ", ")
}
