// Package files holds the modules about files and folders. Their common case costs one look at the host and at most
// one change; what they write they look at again in the same round trip.
package files

import "github.com/hostlerhq/hostler/modules"

// All are the family's modules.
func All() []*modules.Module {
	return []*modules.Module{Archive, Assemble, AuthorizedKey, Blockinfile, Copy, Fetch, File, Find, GetURL, IniFile, KnownHosts, Lineinfile, Replace, Slurp, Stat, Tempfile, Template, Unarchive, URI, YumRepository}
}
