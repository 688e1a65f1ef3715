package run

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/internal/document"
	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/playbook"
	"github.com/hostlerhq/hostler/run/actions"
	"github.com/hostlerhq/hostler/vars"
)

// loadVars reads a file of variables: one mapping, or nothing.
func (r *runner) loadVars(path string) (*value.Dict, error) {
	text, err := r.readFile(path)
	if err != nil {
		return nil, fmt.Errorf("read variables: %w", err)
	}
	d, _, err := document.Variables(path, text)
	return d, err
}

// varsFiles gives the layers of vars_files that can be read without knowing the host. Entries whose names
// need a host's variables are left to filesOf.
func (p *play) varsFiles(ctx context.Context) error {
	list, ok := p.src.VarsFiles.Value.(*value.List)
	if !p.src.VarsFiles.Set {
		return nil
	}
	if !ok {
		list = value.NewList(p.src.VarsFiles.Value)
	}
	s := p.scope()
	for _, entry := range list.Items {
		layer, err := p.varsFile(ctx, s, entry)
		if isUndefined(err) {
			p.lateFiles = append(p.lateFiles, entry)
			continue
		}
		if err != nil {
			return atPos(p.src.VarsFiles.Pos, err)
		}
		p.layers = append(p.layers, layer)
	}
	return nil
}

// filesOf gives the layers of the vars_files whose names need the host's variables. A name that is still not known is left
// out, as Ansible does: it may come to be known later in the play.
func (b *batch) filesOf(ctx context.Context, h *hostVars) []vars.Layer {
	s := b.r.hostScope(b.play, b, h).With(b.layers...)
	var out []vars.Layer
	for _, entry := range b.lateFiles {
		layer, err := b.varsFile(ctx, s, entry)
		switch {
		case err == nil:
			out = append(out, layer)
		case !isUndefined(err):
			b.r.events.emit(Warning{Text: "vars_files for " + h.name + ": " + err.Error()})
		}
	}
	return out
}

// varsFile reads one entry: a file, or of a list the first that exists.
func (p *play) varsFile(ctx context.Context, s *vars.Scope, entry any) (vars.Layer, error) {
	names, isList := entry.(*value.List)
	if !isList {
		names = value.NewList(entry)
	}
	var tried string
	for _, n := range names.Items {
		name, err := s.Text(ctx, n)
		if err != nil {
			return vars.Layer{}, err
		}
		path := p.findVars(name)
		tried = name
		d, err := p.loadOnce(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return vars.Layer{}, err
		}
		return vars.Layer{Level: vars.PlayFiles, Source: path, Vars: d}, nil
	}
	return vars.Layer{}, fmt.Errorf("vars file %s was not found", tried)
}

// loadOnce reads a file once a play, for its layers are shared by the hosts.
func (p *play) loadOnce(path string) (*value.Dict, error) {
	p.filesMu.Lock()
	defer p.filesMu.Unlock()
	if d, ok := p.files[path]; ok {
		return d, nil
	}
	d, err := p.r.loadVars(path)
	if err == nil {
		if p.files == nil {
			p.files = make(map[string]*value.Dict)
		}
		p.files[path] = d
	}
	return d, err
}

func (p *play) findVars(name string) string {
	if below, ok := strings.CutPrefix(name, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, below)
		}
	}
	if filepath.IsAbs(name) {
		return name
	}
	for _, dir := range []string{filepath.Join(p.dir, "vars"), p.dir} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return filepath.Join(dir, name)
		}
	}
	return filepath.Join(p.dir, name)
}

func isUndefined(err error) bool {
	_, ok := errors.AsType[jinja.UndefinedError](err)
	return ok
}

// prompts asks for vars_prompt.
func (p *play) prompts(ctx context.Context) error {
	d := value.NewDict()
	for _, q := range p.src.VarsPrompt {
		if _, ok := p.r.o.ExtraVars.Get(q.Name); ok {
			continue
		}
		v, err := p.prompt(ctx, q)
		if err != nil {
			return atPos(q.Pos, err)
		}
		d.Set(q.Name, v)
	}
	if d.Len() > 0 {
		p.layers = append(p.layers, vars.Layer{Level: vars.PlayPrompt, Source: "vars_prompt", Vars: d})
	}
	return nil
}

// prompt gives the answer to one question. As in Ansible the default serves where nobody can be asked, is hashed like an answer,
// and an answer may be a template unless unsafe says that it is none.
func (p *play) prompt(ctx context.Context, q playbook.Prompt) (any, error) {
	e := evaluator{s: p.scope()}
	v := e.value(ctx, q.Default)
	if e.err != nil {
		return nil, e.err
	}
	answer, err := p.ask(ctx, q, v)
	switch {
	case err != nil && q.Default.Set && ctx.Err() == nil:
		p.r.events.emit(Warning{Text: fmt.Sprintf("vars_prompt %q: nobody could be asked; the default serves", q.Name)})
	case err != nil:
		return nil, fmt.Errorf("vars_prompt %q: %w", q.Name, err)
	case answer != "" || !q.Default.Set:
		v = answer
	}
	text, isText := v.(string)
	switch {
	case q.Encrypt != "" && v != nil:
		if text, err = value.Str(v); err != nil {
			return nil, fmt.Errorf("vars_prompt %q: %w", q.Name, err)
		}
		return p.encrypted(ctx, q, text)
	case isText && !q.Unsafe && document.HasTemplate(text):
		return &value.Template{Text: text, Pos: q.Pos}, nil
	}
	return v, nil
}

// ask asks until both answers are the same where the answer is to be confirmed.
func (p *play) ask(ctx context.Context, q playbook.Prompt, unset any) (string, error) {
	if p.r.o.Prompt == nil {
		return "", actions.ErrNobody
	}
	text := cmpOr(q.Text, q.Name)
	if q.Default.Set {
		text += fmt.Sprintf(" [%v]", unset)
	}
	for {
		first, err := p.r.o.Prompt(ctx, text+": ", !q.Private)
		if err != nil || !q.Confirm {
			return first.Reveal(), err
		}
		second, err := p.r.o.Prompt(ctx, "confirm "+text+": ", !q.Private)
		if err != nil || second == first {
			return second.Reveal(), err
		}
		p.r.events.emit(Warning{Text: "the values entered do not match"})
	}
}

// encrypted hashes an answer with the password_hash filter.
func (p *play) encrypted(ctx context.Context, q playbook.Prompt, answer string) (any, error) {
	d := value.NewDict("answer", answer, "scheme", q.Encrypt, "salt", nil, "size", nil)
	if q.Salt != "" {
		d.Set("salt", q.Salt)
	}
	if q.SaltSize > 0 {
		d.Set("size", q.SaltSize)
	}
	s := p.scope().With(vars.Layer{Level: vars.Magic, Source: "vars_prompt", Vars: d})
	return s.Expression(ctx, "answer | password_hash(scheme, salt, size)", diag.Pos{})
}
