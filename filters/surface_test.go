package filters_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What ansible-core adds to Jinja; each must be there and be asked of the real one.
const (
	coreFilters = `bool ternary unique regex_replace basename difference combine comment flatten regex_search b64decode from_json to_json
		intersect dict2items union dirname random from_yaml quote to_nice_yaml to_uuid extract product type_debug regex_escape split
		mandatory zip to_nice_json realpath hash password_hash to_yaml urlsplit b64encode items2dict path_join subelements relpath strftime
		shuffle checksum regex_findall symmetric_difference human_to_bytes sha1 splitext zip_longest combinations commonpath expanduser
		expandvars fileglob from_yaml_all human_readable log md5 normpath permutations pow rekey_on_member root to_datetime unvault
		urldecode vault win_basename win_dirname win_splitdrive groupby min max`
	coreTests = `version changed success search failed succeeded skipped match version_compare truthy regex subset falsy file contains exists
		directory superset finished link unreachable successful any abs issuperset all change failure is_abs is_dir is_file is_link is_mount
		is_same_file isnan issubset link_exists mount nan reachable same_file skip started timedout uri url urn vault_encrypted vaulted_file`
	coreLookups = `items first_found dict template password vars subelements env file nested fileglob together pipe sequence
		inventory_hostnames url varnames ini lines unvault config indexed_items csvfile list random_choice`
)

// TestSurfaceIsAsked wants at least two questions of each name among those that the integration ring asks ansible-core.
func TestSurfaceIsAsked(t *testing.T) {
	files, err := filepath.Glob("../integration/testdata/filters/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if !strings.HasPrefix(line, "#") {
				lines = append(lines, line)
			}
		}
	}
	env := newEnv()
	for _, kind := range []struct {
		names, pattern string
		has            func(name string) bool
	}{
		{coreFilters, `(\||map\(["'])\s*(ansible\.builtin\.)?%s\b`, env.HasFilter},
		{coreTests, `(\bis (not )?|(select|reject)(attr)?\([^)]*["'])(ansible\.builtin\.)?%s\b`, env.HasTest},
		{coreLookups, `\b(lookup|query|q)\(["'](ansible\.builtin\.)?%s\b`, func(string) bool { return true }},
	} {
		for name := range strings.FieldsSeq(kind.names) {
			if !kind.has(name) {
				t.Errorf("there is no %s", name)
			}
			asked, re := 0, regexp.MustCompile(fmt.Sprintf(kind.pattern, name))
			for _, line := range lines {
				if re.MatchString(line) {
					asked++
				}
			}
			if asked < 2 {
				t.Errorf("%s is asked of ansible-core %d times, want 2", name, asked)
			}
		}
	}
}
