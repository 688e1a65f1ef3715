package modules_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/transport"
)

type disk struct {
	Size modules.Size `arg:"size" required:"true"`
	Bus  string       `arg:"bus" default:"virtio"`
}

type switched string

func (switched) Choices() []string { return []string{"on", "off", "auto"} }

type everything struct {
	Text    string            `arg:"text,alias=txt"`
	Flag    bool              `arg:"flag"`
	Number  int               `arg:"number"`
	Big     int64             `arg:"big" default:"7"`
	Ratio   float64           `arg:"ratio"`
	Maybe   *bool             `arg:"maybe"`
	Names   []string          `arg:"names"`
	Ports   []int             `arg:"ports"`
	Labels  map[string]string `arg:"labels"`
	Free    map[string]any    `arg:"free"`
	Raw     any               `arg:"raw"`
	Dict    *value.Dict       `arg:"dict"`
	Disks   []disk            `arg:"disks"`
	Root    *disk             `arg:"root"`
	Timeout time.Duration     `arg:"timeout"`
	Size    modules.Size      `arg:"size"`
	Mode    modules.FileMode  `arg:"mode"`
	Secret  secret.Text       `arg:"password" exclusive:"auth"`
	Key     string            `arg:"key" exclusive:"auth" secret:"true"`
	Switch  switched          `arg:"switch"`
	Late    any               `arg:"late" template:"late"`
	A       string            `arg:"a" together:"ab"`
	B       string            `arg:"b" together:"ab"`
	C       string            `arg:"c" needs:"text"`
}

func (e everything) Check() error {
	if e.Number == 13 {
		return &modules.ArgError{Path: []any{"number"}, Msg: "number 13 is unlucky"}
	}
	return nil
}

func decodeAll(t *testing.T) (*modules.Module, *everything) {
	t.Helper()
	var got everything
	m := modules.Define("everything", "", func(_ context.Context, _ *modules.Host, a everything) (struct{}, error) {
		got = a
		return struct{}{}, nil
	})
	return m, &got
}

func TestCoercion(t *testing.T) {
	yes := true
	for _, c := range []struct {
		arg  string
		give any
		pick func(everything) any
		want any
	}{
		{"text", "x", func(e everything) any { return e.Text }, "x"},
		{"txt", 5, func(e everything) any { return e.Text }, "5"},
		{"text", true, func(e everything) any { return e.Text }, "True"},
		{"flag", "Yes", func(e everything) any { return e.Flag }, true},
		{"flag", 1, func(e everything) any { return e.Flag }, true},
		{"flag", "OFF", func(e everything) any { return e.Flag }, false},
		{"number", "42", func(e everything) any { return e.Number }, 42},
		{"number", 42.0, func(e everything) any { return e.Number }, 42},
		{"other", nil, func(e everything) any { return e.Big }, int64(7)},
		{"ratio", "1.5", func(e everything) any { return e.Ratio }, 1.5},
		{"maybe", "y", func(e everything) any { return e.Maybe }, &yes},
		{"maybe", nil, func(e everything) any { return e.Maybe }, (*bool)(nil)},
		{"names", "a,b", func(e everything) any { return e.Names }, []string{"a", "b"}},
		{"names", 8080, func(e everything) any { return e.Names }, []string{"8080"}},
		{"names", value.NewList("a", 1), func(e everything) any { return e.Names }, []string{"a", "1"}},
		{"ports", "80,443", func(e everything) any { return e.Ports }, []int{80, 443}},
		{"labels", value.NewDict("a", 1), func(e everything) any { return e.Labels }, map[string]string{"a": "1"}},
		{"labels", "a=1, b='x y'", func(e everything) any { return e.Labels }, map[string]string{"a": "1", "b": "x y"}},
		{"free", value.NewDict("a", 1), func(e everything) any { return e.Free }, map[string]any{"a": 1}},
		{"raw", 1.5, func(e everything) any { return e.Raw }, 1.5},
		{"disks", value.NewList(value.NewDict("size", "1G")), func(e everything) any { return e.Disks }, []disk{{1 << 30, "virtio"}}},
		{"disks", value.NewDict("size", "1GB", "bus", "scsi"), func(e everything) any { return e.Disks }, []disk{{1e9, "scsi"}}},
		{"root", value.NewDict("size", 4096), func(e everything) any { return e.Root }, &disk{4096, "virtio"}},
		{"timeout", 90, func(e everything) any { return e.Timeout }, 90 * time.Second},
		{"timeout", "1h30m", func(e everything) any { return e.Timeout }, 90 * time.Minute},
		{"timeout", "2d", func(e everything) any { return e.Timeout }, 48 * time.Hour},
		{"size", "1.5GiB", func(e everything) any { return e.Size }, modules.Size(3 << 29)},
		{"mode", "0644", func(e everything) any { return e.Mode.Text }, "0644"},
		{"mode", 0o644, func(e everything) any { return e.Mode.Text }, "0644"},
		{"mode", "u=rwX,g+r,o-rwx", func(e everything) any { return e.Mode.Text }, "u=rwX,g+r,o-rwx"},
		{"password", "pw", func(e everything) any { return e.Secret.Reveal() }, "pw"},
		{"switch", true, func(e everything) any { return string(e.Switch) }, "on"},
		{"switch", false, func(e everything) any { return string(e.Switch) }, "off"},
		{"late", &value.Template{Text: "{{ x }}"}, func(e everything) any { return e.Late.(*value.Template).Text }, "{{ x }}"},
	} {
		m, got := decodeAll(t)
		args := value.NewDict(c.arg, c.give)
		if c.arg == "other" {
			args = nil
		}
		if errs := m.Check(args); len(errs) > 0 {
			t.Errorf("%s: %#v: check says %v", c.arg, c.give, modules.ArgErrors(errs))
		}
		r, err := m.Run(t.Context(), modules.NewHost(modules.HostOptions{}), args)
		if err != nil || r.Failed {
			t.Errorf("%s: %#v: %v %s", c.arg, c.give, err, r.Msg)
			continue
		}
		if diff := cmp.Diff(c.want, c.pick(*got)); diff != "" {
			t.Errorf("%s: %#v: %s", c.arg, c.give, diff)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		args *value.Dict
		want string
	}{
		{value.NewDict("number", "many"), `number: argument "number" must be a whole number, not "many"`},
		{value.NewDict("number", 13), `number: number 13 is unlucky`},
		{value.NewDict("flag", value.NewList()), `flag: argument "flag" must be a truth value (yes or no), not a list`},
		{value.NewDict("switch", "onn"), `switch: argument "switch" must be one of on, off, auto, not "onn" (did you mean "on"?)`},
		{value.NewDict("disks", value.NewList(value.NewDict("sise", 1))), "disks[0].sise: unknown argument \"sise\" (did you mean \"size\"?)\ndisks[0]: missing required argument \"disks[0].size\""},
		{value.NewDict("ports", value.NewList(1, "x")), `ports[1]: argument "ports[1]" must be a whole number, not "x"`},
		{value.NewDict("mode", "rw-r--r--"), `mode: argument "mode" must be permissions ('0644' or u=rw,g=r), not "rw-r--r--"`},
		{value.NewDict("size", "ten"), `size: argument "size" must be a size (10G, 512MiB, 10GB), not "ten"`},
		{value.NewDict("password", "a", "key", "b"), `key: arguments are mutually exclusive: password, key`},
		{value.NewDict("a", "x"), `: arguments are required together: a, b`},
		{value.NewDict("c", "x"), `: argument "text" is required by "c"`},
		{value.NewDict("labels", 5), `labels: argument "labels" must be a dict, not 5`},
		// What is still to be rendered passes.
		{value.NewDict("number", &value.Template{Text: "{{ n }}"}, "disks", value.NewList(value.NewDict("size", &value.Template{})), "password", "a", "key", &value.Template{}), ``},
	} {
		m, _ := decodeAll(t)
		var got []string
		for _, e := range m.Check(c.args) {
			line := pathText(e.Path) + ": " + e.Msg
			if e.Hint != "" {
				line += " (" + e.Hint + ")"
			}
			got = append(got, line)
		}
		if diff := cmp.Diff(c.want, strings.Join(got, "\n")); diff != "" {
			t.Errorf("%v: %s", c.args.Keys(), diff)
		}
	}
}

func pathText(path []any) string {
	var b strings.Builder
	for i, p := range path {
		switch p := p.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", p)
		default:
			if i > 0 {
				b.WriteByte('.')
			}
			fmt.Fprint(&b, p)
		}
	}
	return b.String()
}

func TestDecimalModeIsWarnedOf(t *testing.T) {
	m, _ := decodeAll(t)
	r, err := m.Run(t.Context(), modules.NewHost(modules.HostOptions{}), value.NewDict("mode", 644))
	want := []string{`argument "mode": 644 is a decimal number and means 1204; write '0644' in quotes for the octal mode`}
	if err != nil || !cmp.Equal(r.Warnings, want) {
		t.Errorf("%q, %v", r.Warnings, err)
	}
}

func TestSecretsAreMasked(t *testing.T) {
	m, _ := decodeAll(t)
	for _, arg := range []string{"password", "key"} {
		r, err := m.Run(t.Context(), modules.NewHost(modules.HostOptions{}), value.NewDict(arg, "hunter2"))
		if err != nil {
			t.Fatal(err)
		}
		v, _ := r.Data.Get("invocation")
		shown, _ := v.(*value.Dict).Get("module_args")
		if got := shown.(*value.Dict).Str(arg); got != "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" {
			t.Errorf("%s is shown as %q", arg, got)
		}
	}
}

// TestFileModes has chmod as judge.
func TestFileModes(t *testing.T) {
	dir := t.TempDir()
	file, folder := filepath.Join(dir, "file"), filepath.Join(dir, "folder")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{
		"0644", "4755", "u=rwX,g=rX,o=", "a+x", "u+s,g+s", "+t", "a=rX", "u-w,o+w", "g=u", "o=g-w", "ug=rw,o=r", "+x", "=r", "u+x-w", "go-rwx", "a=,u=rw",
	} {
		for _, start := range []uint32{0o644, 0o600, 0o755, 0o000, 0o7777} {
			for _, path := range []string{file, folder} {
				if start == 0o7777 && path == folder {
					continue // GNU chmod keeps setuid and setgid of folders, chmod(2) and Ansible do not
				}
				if err := os.Chmod(path, modules.GoMode(start)); err != nil {
					t.Fatal(err)
				}
				cmd := exec.Command("sh", "-c", `umask 022; chmod -- "$1" "$2"; stat -c %a "$2"`, "sh", mode, path)
				out, err := cmd.Output()
				if err != nil {
					t.Fatalf("chmod %s: %v", mode, err)
				}
				var want uint32
				if _, err := fmt.Sscanf(string(out), "%o", &want); err != nil {
					t.Fatal(err)
				}
				got := modules.FileMode{Text: mode}.Apply(start, path == folder, 0o022)
				if got != want {
					t.Errorf("%s on %04o (folder %v) = %04o, chmod makes %04o", mode, start, path == folder, got, want)
				}
			}
		}
	}
}

func TestErrorsOfTheWayAreNoResults(t *testing.T) {
	unreachable := &transport.UnreachableError{Host: "h", Op: "connect", Err: errors.New("refused")}
	for _, c := range []struct {
		give  error
		fatal bool
		msg   string
	}{
		{fmt.Errorf("probe: %w", unreachable), true, ""},
		{fmt.Errorf("probe: %w", transport.ErrLost), true, ""},
		{&transport.BecomeError{Method: "sudo", Reason: "Missing sudo password"}, true, ""},
		{&transport.ExitError{Command: "virsh", Status: 1, Stderr: []byte("no\n")}, false, "virsh: exit status 1: no"},
		{errors.New("plain"), false, "plain"},
	} {
		m := modules.Define("failing", "", func(context.Context, *modules.Host, struct{}) (struct{}, error) { return struct{}{}, c.give })
		r, err := m.Run(t.Context(), modules.NewHost(modules.HostOptions{}), nil)
		if (err != nil) != c.fatal || !c.fatal && (!r.Failed || r.Msg != c.msg) {
			t.Errorf("%v: err %v, failed %v, msg %q", c.give, err, r.Failed, r.Msg)
		}
	}
}

func TestACrashIsAFailure(t *testing.T) {
	m := modules.Define("crashing", "", func(context.Context, *modules.Host, struct{}) (struct{}, error) { panic("ouch") })
	r, err := m.Run(t.Context(), modules.NewHost(modules.HostOptions{}), nil)
	if err != nil || !r.Failed || !strings.Contains(r.Msg, "ouch") {
		t.Errorf("%v %q", err, r.Msg)
	}
}

func TestSecretsAreHiddenInResults(t *testing.T) {
	type args struct {
		Password secret.Text `arg:"password"`
	}
	type result struct {
		Echo  []string    `json:"echo"`
		Facts *value.Dict `json:"ansible_facts"`
	}
	const pass = "hunter's 2"
	m := modules.Define("leaky", "", func(ctx context.Context, h *modules.Host, a args) (result, error) {
		word := a.Password.Reveal()
		h.Warn("used %s", word)
		h.AddDiff(modules.Diff{After: word, BeforeHeader: word})
		_, err := h.Change(ctx, modules.Action{Why: "tell " + word, Script: `cat >&2; exit 1`, Args: []string{word}, Stdin: []byte(word)})
		coded := base64.StdEncoding.EncodeToString([]byte(word))
		return result{[]string{word, coded}, value.NewDict("word", word)}, err
	})
	conn := &shConn{t: t}
	r, err := m.Run(t.Context(), modules.NewHost(modules.HostOptions{Conn: conn, Diff: true}), value.NewDict("password", pass))
	if err != nil {
		t.Fatal(err)
	}
	all := allTexts(r.Data) + allTexts(r.Facts) + fmt.Sprint(r.Msg, r.Warnings, r.Diff)
	for _, part := range []string{"hunter", "aHVudGVy"} {
		if strings.Contains(all, part) || !strings.Contains(all, "********") {
			t.Errorf("the result tells the secret: %s", all)
		}
	}
}

// allTexts joins every text in a value.
func allTexts(v any) string {
	var b strings.Builder
	switch x := v.(type) {
	case *value.Dict:
		for k, item := range x.All() {
			fmt.Fprintf(&b, "%v=%s\n", k, allTexts(item))
		}
	case *value.List:
		for _, item := range x.Items {
			b.WriteString(allTexts(item) + "\n")
		}
	default:
		fmt.Fprint(&b, x)
	}
	return b.String()
}
