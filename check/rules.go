package check

import (
	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/playbook"
)

// The rules of this package; package playbook has the others.
const (
	ruleInclude   = "include"
	ruleLookup    = "lookup"
	ruleUndefined = "undefined"
	ruleTag       = "tag"
	ruleMode      = "mode"
	ruleScalar    = "scalar"
	ruleColon     = "colon"
	ruleLostText  = "lost-text"
	ruleConflict  = "conflict"
)

// RuleInventory is the rule of findings about the inventory.
const RuleInventory = "inventory"

// Rule is one kind of finding.
type Rule struct {
	Name, Text string
	// Firm rules find what cannot be loaded at all, by Ansible neither: they cannot be skipped.
	Firm bool
}

// Rules are all rules in the order in which they are shown.
func Rules() []Rule {
	return []Rule{
		{playbook.RulePlaybook, "what a playbook, play, block, task or role may be made of", true},
		{playbook.RuleYAML, "YAML that cannot be read, duplicate keys, numbers in base 60, hosts that YAML takes for a truth value or a number", true},
		{playbook.RuleKeyword, "keywords that do not exist, or not at this place", true},
		{playbook.RuleModule, "modules that do not exist", false},
		{playbook.RuleArgs, "arguments of modules: names, types, choices, required, exclusive and joint ones", false},
		{playbook.RuleTemplate, "syntax of templates and expressions, in playbooks and in template files; unknown filters and tests", true},
		{ruleLookup, "lookups that do not exist", false},
		{playbook.RuleBraces, "conditions written in braces", false},
		{ruleUndefined, "variables that nothing defines", false},
		{playbook.RuleHandler, "notified handlers that do not exist", false},
		{playbook.RuleRole, "roles that do not exist", true},
		{ruleInclude, "includes that never end", false},
		{playbook.RuleFile, "files that do not exist: imports, includes, variables, sources of copy, template, script and unarchive", false},
		{ruleTag, "--tags and --skip-tags that no task has", false},
		{ruleMode, "permissions written as decimal numbers: mode: 644", false},
		{ruleScalar, "words and numbers that YAML alters where text is wanted: yes, 010, 1.10", false},
		{ruleColon, "list items that end with a colon, and so are dicts", false},
		{ruleLostText, "free text behind key=value arguments that is lost", false},
		{playbook.RuleDeprecated, "spellings of old versions of Ansible", false},
		{playbook.RulePython, "modules and plugins in Python, which cannot run here", false},
		{ruleConflict, "tasks of one play that want different states of one resource", false},
		{RuleInventory, "the inventory: what is wrong in its files, slips in names of connection variables, their values", false},
	}
}

// FindRule finds a rule by its name; the error has a near one as hint.
func FindRule(name string) (Rule, error) {
	var names []string
	for _, r := range Rules() {
		if r.Name == name {
			return r, nil
		}
		names = append(names, r.Name)
	}
	e := diag.Errorf(diag.Pos{}, "there is no rule %q", name)
	if near := diag.Near(name, names); near != "" {
		return Rule{}, e.WithHint("did you mean %q?", near)
	}
	return Rule{}, e.WithHint("hostler check --list shows the rules")
}
