package files

import (
	"os"
	"os/user"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestAuthorizedLines(t *testing.T) {
	const two = "ssh-rsa AAAAtwo two key\n"
	for _, c := range []struct {
		what, before, want string
		args               AuthorizedKeyArgs
	}{
		{"added", "# c\n" + two, "# c\n" + two + "ssh-dss AAAAone \n", AuthorizedKeyArgs{Key: "ssh-dss AAAAone", State: modules.Present}},
		{"there", two, two, AuthorizedKeyArgs{Key: two, State: modules.Present}},
		{"another comment", "a\n" + two + "b", "a\nb\nssh-rsa AAAAtwo x\n", AuthorizedKeyArgs{Key: "ssh-rsa AAAAtwo x", State: modules.Present}},
		{"options", two, "from=\"a b,c\",no-pty ssh-rsa AAAAtwo two key\n", AuthorizedKeyArgs{Key: two, KeyOptions: new(`from="a b,c",no-pty`), State: modules.Present}},
		{"options in another order", "no-pty,from=\"a\" " + two, "no-pty,from=\"a\" " + two, AuthorizedKeyArgs{Key: two, KeyOptions: new(`from="a",no-pty`), State: modules.Present}},
		{"removed", "ssh-dss AAAAone\n" + two, "ssh-dss AAAAone \n", AuthorizedKeyArgs{Key: "no-pty ssh-rsa AAAAtwo", State: modules.Absent}},
		{"exclusive", "# c\nssh-dss AAAAone\n" + two, two, AuthorizedKeyArgs{Key: two, State: modules.Present, Exclusive: true}},
		{"twice", two + two + "\n\n", two + "ssh-dss AAAAone \n\n", AuthorizedKeyArgs{Key: "ssh-dss AAAAone", State: modules.Present}},
		{"several", "", "ssh-dss AAAAone c\n" + two, AuthorizedKeyArgs{Key: "ssh-dss AAAAone c\n\n# x\n" + two, State: modules.Present}},
	} {
		got, changed, err := c.args.edit(c.before)
		if err != nil || changed != (c.before != c.want) {
			t.Errorf("%s: changed %v, %v", c.what, changed, err)
		}
		if diff := cmp.Diff(c.want, got); changed && diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.what, diff)
		}
	}
}

func TestAuthorizedKey(t *testing.T) {
	onShells(t, func(t *testing.T, c *shConn) {
		dir := t.TempDir()
		me, err := user.Current()
		if err != nil {
			t.Fatal(err)
		}
		args := []any{"user", me.Username, "key", "ssh-dss AAAAone x", "path", dir + "/ssh/keys"}
		r := checkThenRun(t, "made", c, modules.HostOptions{Diff: true}, dir, AuthorizedKey, args...)
		want(t, "made", r, "changed", true, "keyfile", dir+"/ssh/keys", "user", me.Username, "exclusive", false, "key_options", nil)
		if c.trips != 2 {
			t.Errorf("%d round trips, want 2", c.trips)
		}
		file, err := os.Stat(dir + "/ssh/keys")
		folder, err2 := os.Stat(dir + "/ssh")
		if err != nil || err2 != nil || file.Mode() != 0o600 || folder.Mode().Perm() != 0o700 {
			t.Errorf("%v %v %v %v", file, folder, err, err2)
		}
		if err := os.Chmod(dir+"/ssh", 0o755); err != nil {
			t.Fatal(err)
		}
		want(t, "there", run(t, c, modules.HostOptions{}, AuthorizedKey, args...), "changed", false)
		args[3] = "ssh-dss AAAAtwo"
		checkThenRun(t, "added", c, modules.HostOptions{Diff: true}, dir, AuthorizedKey, args...)
		if folder, err = os.Stat(dir + "/ssh"); err != nil || folder.Mode().Perm() != 0o700 {
			t.Errorf("the folder is not made the user's own: %v %v", folder, err)
		}
		args[1] = "nobodyknows"
		want(t, "user to be made", run(t, c, modules.HostOptions{Check: true}, AuthorizedKey, append(args, "state", "absent")...), "changed", true)
	})
}

func TestAuthorizedKeyRefuses(t *testing.T) {
	const key = "ssh-dss AAAAone"
	testRefusals(t, AuthorizedKey, []refusal{
		{"invalid key", []any{"user", "root", "key", "ssh-foo AAAA"}, "invalid key specified: ssh-foo AAAA"},
		{"half a key", []any{"user", "root", "key", "ssh-rsa"}, "invalid key specified: ssh-rsa"},
		{"no user", []any{"key", key}, `missing required argument "user"`},
		{"unknown user", []any{"user", "nobodyknows", "key", key}, "failed to lookup user nobodyknows"},
		{"missing folders", []any{"user", "root", "key", key, "path", "$D/no/no/f"}, "failed to create directory $D/no/no: $D/no does not exist"},
		{"parent is a file", []any{"user", "root", "key", key, "path", "$D/f/f"}, "$D/f is not a directory"},
		{"folder", []any{"user", "root", "key", key, "path", "$D/d"}, "Path $D/d is a directory !"},
		{"read-only", []any{"user", "root", "key", key, "path", "/proc/sys/kernel/nothing", "manage_dir", false}, "write /proc/sys/kernel/nothing"},
		{"wrong type", []any{"user", "root", "key", key, "exclusive", "perhaps"}, `argument "exclusive" must be a truth value`},
	})
}

func TestAuthorizedKeyOfURL(t *testing.T) {
	onTools(t, func(t *testing.T, c *shConn, tool string) {
		s := moduletest.NewSite(t, false)
		file := t.TempDir() + "/keys"
		me, err := user.Current()
		if err != nil {
			t.Fatal(err)
		}
		task := func(path string) modules.Result {
			return run(t, c, modules.HostOptions{}, AuthorizedKey, "user", me.Username, "key", s.URL+path, "path", file, "manage_dir", false, "exclusive", true)
		}
		want(t, "keys", task("/keys"), "failed", nil, "changed", true, "key", s.URL+"/keys")
		holds(t, file, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOne one@example\nssh-dss AAAABDss two\n")
		want(t, "again", task("/keys"), "failed", nil, "changed", false)
		want(t, "404", task("/none"), "failed", true, "msg", "Error getting key from: "+s.URL+"/none: HTTP Error 404: Not Found")
		want(t, "no keys", task("/text"), "failed", true, "msg", "the keys of "+s.URL+"/text: invalid key specified: hello from the server")
		want(t, "nothing", task("/nothing"), "failed", true, "msg", "the keys of "+s.URL+"/nothing: there are none")
		holds(t, file, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOne one@example\nssh-dss AAAABDss two\n")
	})
}
