package system

import (
	"testing"

	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestPamLimits(t *testing.T) { moduletest.Run(t, PamLimits, "testdata/pam_limits/*.txtar") }

func TestPamLimitsDecide(t *testing.T) {
	for _, c := range []struct {
		item     limitItem
		now, ask string
		max, min string
	}{
		{"nofile", "100", "200", "200", "100"},
		{"nofile", "unlimited", "200", "unlimited", "200"},
		{"nofile", "200", "-1", "-1", "200"},
		{"nofile", "infinity", "-1", "infinity", "infinity"},
		{"nofile", "18446744073709551615", "5", "18446744073709551615", "5"},
		{"nice", "-1", "5", "5", "-1"},
		{"nice", "-5", "-10", "-5", "-10"},
	} {
		larger := PamLimitsArgs{LimitItem: c.item, Value: c.ask, UseMax: true}
		smaller := PamLimitsArgs{LimitItem: c.item, Value: c.ask, UseMin: true}
		if got := larger.decide(c.now); got != c.max {
			t.Errorf("%s of %s and %s: the larger is %s, want %s", c.item, c.now, c.ask, got, c.max)
		}
		if got := smaller.decide(c.now); got != c.min {
			t.Errorf("%s of %s and %s: the smaller is %s, want %s", c.item, c.now, c.ask, got, c.min)
		}
	}
}

func TestPamLimitsMistakes(t *testing.T) {
	refused(t, PamLimits, []any{"domain", "joe", "limit_type", "soft", "limit_item", "nofile", "value", "10"}, []mistake{
		{"domain cannot be one of limits.conf: \"two words\" (it is a user, @group, %group, *, or a range of numbers such as 1000:)", []any{"domain", "two words"}},
		{"argument \"limit_type\" must be one of hard, soft, -, not \"medium\"", []any{"limit_type", "medium"}},
		{"argument \"limit_item\" must be one of core, data, fsize, memlock, nofile, rss, stack, cpu, nproc, as, maxlogins, maxsyslogins, priority, locks, sigpending, msgqueue, nice, rtprio, chroot, not \"nofiles\" (did you mean \"nofile\"?)", []any{"limit_item", "nofiles"}},
		{" Value of '10G' for item 'nofile' is invalid. Value must either be 'unlimited', 'infinity' or -1, all of which indicate no limit, or a limit of 0 or larger. Refer to the limits.conf(5) manual pages for more details.", []any{"value", "10G"}},
		{" Value of '20' for item 'nice' is invalid. Value must be a number in the range -20 to 19 inclusive. Refer to the limits.conf(5) manual pages for more details.", []any{"limit_item", "nice", "value", "20"}},
		{"Cannot use use_min and use_max at the same time.", []any{"use_min", true, "use_max", true}},
		{"comment must be one line", []any{"comment", "a\nb"}},
		{"/dev is a directory", []any{"dest", "/dev"}},
		{"directory /nosuch/folder is not writable (check presence, access rights, use sudo)", []any{"dest", "/nosuch/folder/limits.conf"}},
		{"read /dev/null: permission denied, or it is no file", []any{"dest", "/dev/null"}},
	})
}
