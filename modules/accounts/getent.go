package accounts

import (
	"context"
	_ "embed"
	"errors"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed getent.go
var getentSource string

// Getent reads a database of the host's name service.
var Getent = modules.Define("getent", getentSource, runGetent, modules.Aliases("ansible.builtin.getent", "ansible.legacy.getent"))

// GetentArgs read a database of the host's name service (passwd, group, hosts, services …) into the fact getent_DATABASE: a dict from
// the first field of each line to a list of the others.
//
//	# The account of root.
//	- getent:
//	    database: passwd
//	    key: root
type GetentArgs struct {
	// Database to read.
	Database string `arg:"database" required:"true"`
	// Key to look up; without one the whole database is read.
	Key *string `arg:"key"`
	// Service of the name service switch to ask in place of those configured.
	Service *string `arg:"service"`
	// Split is what parts the fields: the colon for passwd, shadow, group and gshadow, else blanks.
	Split *string `arg:"split"`
	// FailKey fails the task when the key is not there; otherwise its value is null.
	FailKey bool `arg:"fail_key" default:"true"`
}

// GetentResult holds what was read.
type GetentResult struct {
	// Msg says why nothing was found.
	Msg string `json:"msg,omitempty"`
	// AnsibleFacts has getent_DATABASE.
	AnsibleFacts *value.Dict `json:"ansible_facts,omitempty"`
}

// getentScript: the arguments of getent.
const getentScript = `command -v getent >/dev/null 2>&1 || { say missing yes; exit 0; }
tell out getent "$@"
`

func runGetent(ctx context.Context, h *modules.Host, a GetentArgs) (GetentResult, error) {
	var argv []string
	if a.Service != nil {
		argv = append(argv, "-s", *a.Service)
	}
	argv = append(argv, a.Database)
	if a.Key != nil {
		argv = append(argv, *a.Key)
	}
	r, err := h.Probe(ctx, getentScript, argv...)
	if err != nil {
		return GetentResult{}, err
	}
	if r.Has("missing") {
		return GetentResult{}, errors.New("the host has no program getent")
	}
	facts := value.NewDict()
	all := value.NewDict("getent_"+a.Database, facts)
	switch r.Status("out") {
	case 0:
		a.fill(facts, r.Text("out"))
		return GetentResult{AnsibleFacts: all}, nil
	case 1:
		return GetentResult{}, errors.New("Missing arguments, or database unknown.")
	case 2:
		const msg = "One or more supplied key could not be found in the database."
		if a.FailKey || a.Key == nil {
			return GetentResult{}, errors.New(msg)
		}
		facts.Set(*a.Key, nil)
		return GetentResult{Msg: msg, AnsibleFacts: all}, nil
	case 3:
		return GetentResult{}, errors.New("Enumeration not supported on this database.")
	}
	return GetentResult{}, errors.New("Unexpected failure!")
}

// fill puts each line into the dict; of a key with several lines the value is a list of them.
func (a GetentArgs) fill(facts *value.Dict, text string) {
	seen := map[string]int{}
	for _, line := range modules.SplitLines(text) {
		var fields []string
		switch {
		case a.Split != nil && *a.Split != "":
			fields = strings.Split(line, *a.Split)
		case slices.Contains([]string{"passwd", "shadow", "group", "gshadow"}, a.Database):
			fields = strings.Split(line, ":")
		default:
			fields = strings.Fields(line)
		}
		if len(fields) == 0 {
			continue
		}
		record := value.NewList()
		for _, f := range fields[1:] {
			record.Append(f)
		}
		key := fields[0]
		switch seen[key]++; seen[key] {
		case 1:
			facts.Set(key, record)
		case 2:
			first, _ := facts.Get(key)
			facts.Set(key, value.NewList(first, record))
		default:
			list, _ := facts.Get(key)
			list.(*value.List).Append(record)
		}
	}
}
