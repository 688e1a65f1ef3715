package playbook

import (
	"maps"
	"slices"
	"strings"
)

// site is where a keyword may stand, as a set of bits.
type site int

const (
	onPlay site = 1 << iota
	onRole
	onBlock
	onTask
	onHandler
	onImport // import_playbook

	onAny     = onPlay | onRole | onBlock | onTask | onHandler
	onWork    = onRole | onBlock | onTask | onHandler
	onTasks   = onTask | onHandler
	onNotify  = onBlock | onTask | onHandler
	onWhen    = onWork | onImport
	onTagging = onAny | onImport
)

func (s site) String() string {
	switch s {
	case onPlay:
		return "a play"
	case onRole:
		return "a role entry"
	case onBlock:
		return "a block"
	case onTask:
		return "a task"
	case onHandler:
		return "a handler"
	case onImport:
		return "import_playbook"
	}
	var names []string
	for one := onPlay; one <= onImport; one <<= 1 {
		if s&one != 0 {
			names = append(names, one.String())
		}
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// kind is what a keyword's value may be.
type kind int

const (
	anything kind = iota
	text
	flag
	integer
	number
	percent
	list     // one scalar or a list of scalars
	dict     // a mapping
	dicts    // a mapping or a list of them
	bare     // a condition: text, a truth value, or a list of them
	sequence // a list of anything
)

// keyword says where a keyword may stand and what it holds. Exactly one of the field functions is set for
// those that are simply stored; the others are read by name.
type keyword struct {
	in    site
	kind  kind
	field func(*Keywords) *Field
	play  func(*Play) *Field
	task  func(*Task) *Field
}

// keywords are all of the language's (surface 1.1 to 1.4).
var keywords = map[string]keyword{
	"name":               {in: onAny | onImport, kind: text, field: func(k *Keywords) *Field { return &k.Name }},
	"any_errors_fatal":   {in: onAny, kind: flag, field: func(k *Keywords) *Field { return &k.AnyErrorsFatal }},
	"become":             {in: onAny, kind: flag, field: func(k *Keywords) *Field { return &k.Become }},
	"become_exe":         {in: onAny, kind: text, field: func(k *Keywords) *Field { return &k.BecomeExe }},
	"become_flags":       {in: onAny, kind: text, field: func(k *Keywords) *Field { return &k.BecomeFlags }},
	"become_method":      {in: onAny, kind: text, field: func(k *Keywords) *Field { return &k.BecomeMethod }},
	"become_user":        {in: onAny, kind: text, field: func(k *Keywords) *Field { return &k.BecomeUser }},
	"check_mode":         {in: onAny, kind: flag, field: func(k *Keywords) *Field { return &k.CheckMode }},
	"collections":        {in: onAny, kind: list, field: func(k *Keywords) *Field { return &k.Collections }},
	"connection":         {in: onAny, kind: text, field: func(k *Keywords) *Field { return &k.Connection }},
	"debugger":           {in: onAny, kind: text, field: func(k *Keywords) *Field { return &k.Debugger }},
	"diff":               {in: onAny, kind: flag, field: func(k *Keywords) *Field { return &k.Diff }},
	"environment":        {in: onAny, kind: dicts, field: func(k *Keywords) *Field { return &k.Environment }},
	"ignore_errors":      {in: onAny, kind: flag, field: func(k *Keywords) *Field { return &k.IgnoreErrors }},
	"ignore_unreachable": {in: onAny, kind: flag, field: func(k *Keywords) *Field { return &k.IgnoreUnreachable }},
	"keep_registered":    {in: onAny, kind: flag, field: func(k *Keywords) *Field { return &k.KeepRegistered }},
	"module_defaults":    {in: onAny, kind: dicts, field: func(k *Keywords) *Field { return &k.ModuleDefaults }},
	"no_log":             {in: onAny, kind: flag, field: func(k *Keywords) *Field { return &k.NoLog }},
	"port":               {in: onAny, kind: integer, field: func(k *Keywords) *Field { return &k.Port }},
	"remote_user":        {in: onAny, kind: text, field: func(k *Keywords) *Field { return &k.RemoteUser }},
	"rescue_unreachable": {in: onAny, kind: flag, field: func(k *Keywords) *Field { return &k.RescueUnreachable }},
	"run_once":           {in: onAny, kind: flag, field: func(k *Keywords) *Field { return &k.RunOnce }},
	"throttle":           {in: onAny, kind: integer, field: func(k *Keywords) *Field { return &k.Throttle }},
	"timeout":            {in: onAny, kind: integer, field: func(k *Keywords) *Field { return &k.Timeout }},
	"delegate_to":        {in: onWork, kind: text, field: func(k *Keywords) *Field { return &k.DelegateTo }},
	"delegate_facts":     {in: onWork, kind: flag, field: func(k *Keywords) *Field { return &k.DelegateFacts }},
	"vars":               {in: onTagging, kind: dict},
	"tags":               {in: onTagging, kind: list},
	"when":               {in: onWhen, kind: bare},

	"hosts":               {in: onPlay, kind: list, play: func(p *Play) *Field { return &p.Hosts }},
	"gather_facts":        {in: onPlay, kind: flag, play: func(p *Play) *Field { return &p.GatherFacts }},
	"gather_subset":       {in: onPlay, kind: list, play: func(p *Play) *Field { return &p.GatherSubset }},
	"gather_timeout":      {in: onPlay, kind: integer, play: func(p *Play) *Field { return &p.GatherTimeout }},
	"fact_path":           {in: onPlay, kind: text, play: func(p *Play) *Field { return &p.FactPath }},
	"serial":              {in: onPlay, kind: list, play: func(p *Play) *Field { return &p.Serial }},
	"strategy":            {in: onPlay, kind: text, play: func(p *Play) *Field { return &p.Strategy }},
	"order":               {in: onPlay, kind: text, play: func(p *Play) *Field { return &p.Order }},
	"max_fail_percentage": {in: onPlay, kind: percent, play: func(p *Play) *Field { return &p.MaxFailPercentage }},
	"force_handlers":      {in: onPlay, kind: flag, play: func(p *Play) *Field { return &p.ForceHandlers }},
	"vars_files":          {in: onPlay, kind: anything, play: func(p *Play) *Field { return &p.VarsFiles }},
	"vars_prompt":         {in: onPlay, kind: dicts},
	"pre_tasks":           {in: onPlay, kind: sequence},
	"roles":               {in: onPlay, kind: sequence},
	"tasks":               {in: onPlay, kind: sequence},
	"post_tasks":          {in: onPlay, kind: sequence},
	"handlers":            {in: onPlay, kind: sequence},
	"import_playbook":     {in: onImport, kind: text},

	"role":   {in: onRole, kind: text},
	"block":  {in: onBlock, kind: sequence},
	"rescue": {in: onBlock, kind: sequence},
	"always": {in: onBlock, kind: sequence},
	"notify": {in: onNotify, kind: list},

	"action":       {in: onTasks, kind: anything},
	"local_action": {in: onTasks, kind: anything},
	"args":         {in: onTasks, kind: anything},
	"async":        {in: onTasks, kind: integer, task: func(t *Task) *Field { return &t.Async }},
	"poll":         {in: onTasks, kind: number, task: func(t *Task) *Field { return &t.Poll }},
	"changed_when": {in: onTasks, kind: bare},
	"failed_when":  {in: onTasks, kind: bare},
	"until":        {in: onTasks, kind: bare},
	"retries":      {in: onTasks, kind: integer, task: func(t *Task) *Field { return &t.Retries }},
	"delay":        {in: onTasks, kind: number, task: func(t *Task) *Field { return &t.Delay }},
	"loop":         {in: onTasks, kind: anything},
	"loop_control": {in: onTasks, kind: dict},
	"register":     {in: onTasks, kind: text},
	"listen":       {in: onHandler, kind: list},
}

// removed are keywords of old versions of Ansible, with what to write now.
var removed = map[string]string{
	"sudo":                 "write become: true",
	"sudo_user":            "write become_user:",
	"sudo_exe":             "write become_exe:",
	"sudo_flags":           "write become_flags:",
	"sudo_pass":            "set the variable ansible_become_password",
	"su":                   "write become: true and become_method: su",
	"su_user":              "write become_method: su and become_user:",
	"su_exe":               "write become_exe:",
	"su_flags":             "write become_flags:",
	"su_pass":              "set the variable ansible_become_password",
	"static":               "write import_tasks or import_role for a static include, include_tasks or include_role for a dynamic one",
	"always_run":           "write check_mode: false",
	"accelerate":           "remove it: connections are kept open anyway",
	"first_available_file": "write with_first_found:",
	"only_if":              "write when:",
	"when_string":          "write when:",
	"when_changed":         "write when:",
	"when_failed":          "write when:",
}

// keywordNames are the keywords that may stand at a site, sorted.
func keywordNames(at site) []string {
	var out []string
	for name, k := range keywords {
		if k.in&at != 0 {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// withLoops are the lookups that with_X takes by their short names; a name with a dot is taken as it is.
var withLoops = []string{
	"cartesian", "config", "csvfile", "dict", "env", "file", "fileglob", "first_found", "flattened",
	"indexed_items", "ini", "inventory_hostnames", "items", "lines", "list", "nested", "password", "pipe",
	"random_choice", "sequence", "subelements", "template", "together", "unvault", "url", "varnames", "vars",
}

// sortedKeys gives a map's keys in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
