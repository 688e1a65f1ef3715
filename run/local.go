package run

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/filters"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/playbook"
	"github.com/hostlerhq/hostler/vars"
)

// local is what a task's module may have of the controller.
type local struct {
	r    *runner
	p    *play
	task *playbook.Task
	s    *vars.Scope
}

func (j *job) local(s *vars.Scope) *local { return &local{r: j.b.r, p: j.b.play, task: j.w.task, s: s} }

// Find implements modules.Local.
func (l *local) Find(kind, name string) (string, error) {
	path, tried := playbook.FindFile(l.task.SearchPath(l.p.dir), kind, name)
	if path != "" {
		return path, nil
	}
	if name = homeOf(name); filepath.IsAbs(name) {
		return "", fmt.Errorf("could not find or access '%s' on the Ansible Controller: %w", name, fs.ErrNotExist)
	}
	return "", fmt.Errorf("could not find or access '%s'\nSearched in:\n\t%s on the Ansible Controller: %w",
		name, strings.Join(tried, "\n\t"), fs.ErrNotExist)
}

// homeOf replaces a ~ at the beginning of a name by the user's home.
func homeOf(name string) string {
	rest, ok := strings.CutPrefix(name, "~/")
	if home, err := os.UserHomeDir(); ok && err == nil {
		return home + "/" + rest
	}
	return name
}

// Dest implements modules.Local. A slash at the end stays.
func (l *local) Dest(name string) string {
	if name = homeOf(name); filepath.IsAbs(name) {
		return name
	}
	return l.p.dir + "/" + name
}

// OpenAsIs implements modules.Local.
func (l *local) OpenAsIs(path string) (io.ReadCloser, error) { return os.Open(path) }

// Open implements modules.Local. Only a file that could be vaulted is read whole.
func (l *local) Open(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil || l.r.o.ReadFile == nil {
		return f, err
	}
	head := make([]byte, len(vaultMark))
	n, err := io.ReadFull(f, head)
	if err == nil && string(head) == vaultMark {
		if err := f.Close(); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		text, err := l.r.o.ReadFile(path)
		return io.NopCloser(bytes.NewReader(text)), err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(head[:n]), f), f}, nil
	}
	return f, nil
}

// vaultMark is how a vaulted file begins.
const vaultMark = "$ANSIBLE_VAULT;"

// Stat implements modules.Local.
func (l *local) Stat(path string) (fs.FileInfo, error) { return os.Stat(path) }

// ReadDir implements modules.Local.
func (l *local) ReadDir(path string) ([]fs.DirEntry, error) { return os.ReadDir(path) }

// Create implements modules.Local.
func (l *local) Create(path string, mode fs.FileMode, r io.Reader) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the folder of %s: %w", path, err)
	}
	// Not os.CreateTemp: the file is to get the mode that the user's umask leaves.
	f, err := os.OpenFile(filepath.Join(dir, ".hostler-"+rand.Text()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("create %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = io.Copy(f, r)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// Render implements modules.Local.
func (l *local) Render(ctx context.Context, path string, o modules.RenderOptions) ([]byte, error) {
	text, err := l.r.readFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the template: %w", err)
	}
	extra, err := TemplateVars(path, l.r.o.Managed)
	if err != nil {
		return nil, err
	}
	for k, v := range o.Extra {
		extra.Set(k, v)
	}
	env := l.r.o.Engine.Env
	opts := env.Options()
	opts.TrimBlocks, opts.LstripBlocks = o.TrimBlocks, o.LstripBlocks
	for _, d := range []struct {
		to   *string
		from string
	}{
		{&opts.BlockStart, o.BlockStart},
		{&opts.BlockEnd, o.BlockEnd},
		{&opts.VariableStart, o.VariableStart},
		{&opts.VariableEnd, o.VariableEnd},
		{&opts.CommentStart, o.CommentStart},
		{&opts.CommentEnd, o.CommentEnd},
		{&opts.NewlineSequence, o.NewlineSequence},
	} {
		if d.from != "" {
			*d.to = d.from
		}
	}
	if opts.Loader == nil {
		opts.Loader = &templateFiles{l}
	}
	out, err := filters.RenderFile(ctx, env, path, string(text), opts, l.s.With(vars.Layer{Level: vars.Magic, Source: "template", Vars: extra}))
	return []byte(out), err
}

// TemplateVars are the variables that a template file has besides the task's. Managed is the text of ansible_managed,
// "Ansible managed" when empty; {host}, {uid}, {file} and strftime's letters in it are replaced.
func TemplateVars(path, managed string) (*value.Dict, error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("template %s: %w", path, err)
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("name of this machine: %w", err)
	}
	d := value.NewDict("template_host", host, "template_path", path, "template_fullpath", full,
		"template_run_date", time.Now().Format("2006-01-02 15:04:05.000000"))
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("template %s: %w", path, err)
	}
	d.Set("template_mtime", st.ModTime().Format("2006-01-02 15:04:05.000000"))
	d.Set("template_uid", ownerOf(st))
	managed = cmpOr(managed, "Ansible managed")
	managed = strings.NewReplacer("{host}", host, "{uid}", ownerOf(st), "{file}", path).Replace(managed)
	d.Set("ansible_managed", strftime(managed, st.ModTime()))
	return d, nil
}

// strftime replaces the letters that ansible_managed is written with.
func strftime(s string, t time.Time) string {
	for letter, layout := range map[string]string{
		"%Y": "2006", "%m": "01", "%d": "02", "%H": "15", "%M": "04", "%S": "05", "%y": "06", "%b": "Jan", "%B": "January",
		"%a": "Mon", "%A": "Monday", "%Z": "MST", "%z": "-0700",
	} {
		s = strings.ReplaceAll(s, letter, t.Format(layout))
	}
	return strings.ReplaceAll(s, "%%", "%")
}

func ownerOf(st fs.FileInfo) string {
	id, ok := ownerID(st)
	if !ok {
		return ""
	}
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

// templateFiles finds what templates include and import.
type templateFiles struct{ l *local }

// Load implements jinja.Loader: beside the template first, then where templates are looked for.
func (f *templateFiles) Load(_ context.Context, name, from string) (string, string, error) {
	path := filepath.Join(filepath.Dir(from), name)
	if _, err := os.Stat(path); err != nil {
		if path, err = f.l.Find("templates", name); err != nil {
			return "", "", err
		}
	}
	text, err := f.l.r.readFile(path)
	return path, string(text), err
}

var _ jinja.Loader = (*templateFiles)(nil)

// readFile reads a file of the controller, vaulted ones opened.
func (r *runner) readFile(path string) ([]byte, error) {
	if r.o.ReadFile != nil {
		return r.o.ReadFile(path)
	}
	return os.ReadFile(path)
}
