package playbook

// The rules that the loader's findings carry in diag.Error.Rule.
const (
	RulePlaybook   = "playbook"   // what a playbook, play, task or role may be made of
	RuleYAML       = "yaml"       // what YAML forbids, or takes for something else than was meant
	RuleKeyword    = "keyword"    // keywords that there are not, or not there
	RuleModule     = "module"     // modules that there are not
	RuleArgs       = "args"       // arguments of modules
	RuleTemplate   = "template"   // the syntax of templates and expressions, their filters and tests
	RuleBraces     = "braces"     // conditions in braces
	RuleHandler    = "handler"    // notified handlers that there are not
	RuleRole       = "role"       // roles that there are not
	RuleFile       = "file"       // files that there are not
	RulePython     = "python"     // plugins in Python
	RuleDeprecated = "deprecated" // spellings of old versions of Ansible
)
