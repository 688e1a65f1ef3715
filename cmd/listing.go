package cmd

import (
	"fmt"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/playbook"
)

// listings prints what --syntax-check, --list-hosts, --list-tasks and --list-tags ask for, as Ansible does,
// and reports whether that was all that was asked.
func (o *playOptions) listings(ss *session) (done bool, err error) {
	if !o.syntaxOnly && !o.listHosts && !o.listTasks && !o.listTags {
		return false, nil
	}
	for _, pb := range ss.opts.Playbooks {
		fmt.Fprintf(ss.s.Out, "\nplaybook: %s\n", pb.Path)
		if o.syntaxOnly {
			continue
		}
		for i, play := range pb.Plays {
			if err := o.listPlay(ss, i+1, play); err != nil {
				return true, err
			}
		}
	}
	return true, nil
}

func (o *playOptions) listPlay(ss *session, number int, play *playbook.Play) error {
	patterns := hostPatterns(play)
	name, _ := play.Name.Value.(string)
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
