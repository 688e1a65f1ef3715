package files

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/hostlerhq/hostler/modules"
)

var tempName = regexp.MustCompile(`\.hostler\.\w+`)

// TestRefuses has what modules say of bad input where they have no table of their own; D is the folder. Nothing is written.
func TestRefuses(t *testing.T) {
	onShells(t, func(t *testing.T, c *shConn) {
		dir := t.TempDir()
		write(t, dir+"/host/f", "old\n", 0o644)
		write(t, dir+"/host/full/x", "", 0o644)
		write(t, dir+"/templates/x.j2", "x", 0o644)
		write(t, dir+"/templates/folder/x", "x", 0o644)
		mustLink(t, "none", dir+"/host/broken")
		opts := modules.HostOptions{Local: folderLocal{dir}}
		before := snapshot(t, dir)
		for _, one := range []struct {
			m    *modules.Module
			args []any
			msg  string
		}{
			{File, nil, `missing required argument "path"`},
			{File, []any{"path", "D/x", "state", "folder"}, `argument "state" must be one of absent, directory, file, hard, link, touch, not "folder"`},
			{File, []any{"path", "D/x", "mode", "rwx"}, `argument "mode" must be permissions ('0644' or u=rw,g=r), not "rwx"`},
			{File, []any{"path", "D/f", "recurse", true, "state", "file"}, `recurse option requires state to be 'directory'`},
			{File, []any{"path", "D/x", "src", "f", "state", "touch"}, `src option requires state to be 'link' or 'hard'`},
			{File, []any{"path", "D/f", "modification_time", "yesterday"}, `modification_time: time "yesterday" does not match the format "%Y%m%d%H%M.%S"`},
			{File, []any{"path", "D/f", "access_time", "2020", "access_time_format", "%Q"}, `access_time: directive %Q of the format "%Q" is not known`},
			{File, []any{"path", "D/none"}, `file (D/none) is absent, cannot continue`},
			{File, []any{"path", "D/f", "state", "directory"}, `D/f already exists as a file`},
			{File, []any{"path", "D/f/x", "state", "directory"}, `there was an issue creating D/f/x as requested: D/f is not a directory`},
			{File, []any{"path", "D/f/x", "state", "touch"}, `could not touch target: D/f is not a directory`},
			{File, []any{"path", "D/no/x", "state", "touch"}, `could not touch target: the directory D/no does not exist`},
			{File, []any{"path", "D/broken", "state", "touch"}, `could not touch target: D/broken is a symbolic link to D/none, which does not exist`},
			{File, []any{"path", "D/l", "state", "link"}, `src is required for creating new links`},
			{File, []any{"path", "D/l", "state", "link", "src", "none"}, `src file does not exist, use "force=yes" if you really want to create the link: D/none`},
			{File, []any{"path", "D/full", "state", "link", "src", "D/f"}, `refusing to convert from directory to symlink for D/full`},
			{File, []any{"path", "D/full", "state", "link", "src", "D/f", "force", true}, `the directory D/full is not empty, refusing to convert it`},
			{File, []any{"path", "D/f", "state", "link", "src", "D/full"}, `refusing to convert from file to symlink for D/f`},
			{File, []any{"path", "D/h", "state", "hard"}, `src is required for creating new hardlinks`},
			{File, []any{"path", "D/h", "state", "hard", "src", "D/none"}, `src does not exist: D/none`},
			{File, []any{"path", "D/full/x", "state", "hard", "src", "D/f"}, `cannot link, file exists at destination`},
			{File, []any{"path", "D/f", "owner", "nobody-there"}, `chown failed: failed to look up user nobody-there`},
			{File, []any{"path", "D/f", "group", "nobody-there"}, `chgrp failed: failed to look up group nobody-there`},
			{Template, []any{"src", "x.j2"}, `missing required argument "dest"`},
			{Template, []any{"src", "none.j2", "dest", "D/x"}, `could not find or access "none.j2"`},
			{Template, []any{"src", "folder", "dest", "D/x"}, `the template is a folder: LOCAL/templates/folder`},
			{Template, []any{"src", "x.j2", "dest", "D/no/x"}, `destination directory D/no does not exist`},
			{Template, []any{"src", "x.j2", "dest", "D/x", "newline_sequence", "\v"}, "argument \"newline_sequence\" must be one of \\n, \\r, \\r\\n, \n, \r, \r\n, not \"\\v\" (did you mean \"\\n\"?)"},
			{Template, []any{"src", "x.j2", "dest", "D/x", "validate", "true"}, `validate must contain %s: true`},
			{Template, []any{"src", "x.j2", "dest", "D/f", "validate", "false %s"}, `write D/f: exit status 1: failed to validate: false D/.hostler.TEMP: exit status 1:`},
			{Template, []any{"src", "x.j2", "dest", "D/f", "validate", "grep 'x %s"}, `validate: No closing quotation`},
			{Fetch, []any{"src", "D/f"}, `missing required argument "dest"`},
			{Fetch, []any{"src", "D/none", "dest", "D/got"}, `the remote file does not exist: D/none`},
			{Fetch, []any{"src", "D/full", "dest", "D/got"}, `remote file is a directory, fetch cannot work on directories: D/full`},
			{Fetch, []any{"src", "D/f", "dest", "D/full", "flat", true}, `dest is an existing directory, use a trailing slash if you want to fetch src into that directory`},
			{Slurp, []any{"src", "D/none"}, `file not found: D/none`},
			{Slurp, []any{"src", "D/full"}, `source is a directory and must be a file: D/full`},
			{Stat, []any{"path", "D/f", "checksum_algorithm", "crc"}, `argument "checksum_algorithm" must be one of sha1, md5, sha224, sha256, sha384, sha512, sha, sha-1, not "crc"`},
			{Stat, []any{"path", "D/f", "follow", "perhaps"}, `argument "follow" must be a truth value (yes or no), not "perhaps"`},
			{Tempfile, []any{"state", "pipe"}, `argument "state" must be one of file, directory, not "pipe"`},
			{Tempfile, []any{"path", "D/none"}, `make a temporary file: exit status 1: the folder D/none does not exist`},
			{Tempfile, []any{"path", "D", "suffix", "/x"}, `argument "suffix" cannot hold a slash: "/x"`},
		} {
			args := append([]any{}, one.args...)
			for i, arg := range args {
				if text, ok := arg.(string); ok && i%2 == 1 && (text == "D" || strings.HasPrefix(text, "D/")) {
					args[i] = dir + "/host" + text[1:]
				}
			}
			r := run(t, c, opts, one.m, args...)
			got := strings.ReplaceAll(strings.ReplaceAll(r.Msg, dir+"/host", "D"), dir, "LOCAL")
			got = tempName.ReplaceAllString(got, ".hostler.TEMP")
			if !r.Failed || r.Changed || got != one.msg {
				t.Errorf("%s %v: failed %v, changed %v, %q; want %q", one.m.Name, one.args, r.Failed, r.Changed, got, one.msg)
			}
		}
		if after := snapshot(t, dir); after != before {
			t.Errorf("refusals changed the host:\n%s", after)
		}
		if _, err := os.Lstat(dir + "/got"); err == nil {
			t.Error("something was fetched")
		}
	})
}
