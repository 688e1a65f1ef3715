package filters

import (
	"context"
	"fmt"
	"strings"

	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

// headerMark begins the first line of a template that sets its own options.
const headerMark = "#jinja2:"

// RenderFile renders a template file as Ansible does: a first line "#jinja2: trim_blocks: False, …" sets options, and the file's
// last newlines are kept, but those of templates that it includes are not. Path is for errors.
func RenderFile(ctx context.Context, env *jinja.Env, path, text string, opts jinja.Options, scope jinja.Scope) (string, error) {
	text, err := fileHeader(text, &opts)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	opts.KeepTrailingNewline = false
	t, err := env.TemplateWith(path, text, opts)
	if err != nil {
		return "", err
	}
	out, err := t.Render(ctx, scope)
	if err != nil {
		return "", err
	}
	newline := opts.NewlineSequence
	if newline == "" {
		newline = "\n"
	}
	missing := trailing(text, "\n") - trailing(out, newline)
	return out + strings.Repeat(newline, max(missing, 0)), nil
}

// trailing counts the line ends that end a text.
func trailing(text, newline string) int {
	n := 0
	for rest, ok := strings.CutSuffix(text, newline); ok; rest, ok = strings.CutSuffix(rest, newline) {
		n++
	}
	return n
}

// fileHeader takes the header off a template and sets what it says.
func fileHeader(text string, o *jinja.Options) (string, error) {
	rest, ok := strings.CutPrefix(text, headerMark)
	if !ok {
		return text, nil
	}
	header, rest, _ := strings.Cut(rest, "\n")
	for pair := range strings.SplitSeq(header, ",") {
		name, raw, ok := strings.Cut(pair, ":")
		if !ok {
			return "", fmt.Errorf("failed to parse jinja2 override '%s'. Did you use something different from colon as key-value separator?", strings.TrimSpace(pair))
		}
		name = strings.TrimSpace(name)
		v, ok := value.ParseLiteral(strings.TrimSpace(raw))
		if !ok {
			return "", fmt.Errorf("the value of %s in the #jinja2: header must be a literal: %s", name, strings.TrimSpace(raw))
		}
		if err := setOption(o, name, v); err != nil {
			return "", err
		}
	}
	return rest, nil
}

func setOption(o *jinja.Options, name string, v any) error {
	flags := map[string]*bool{
		"trim_blocks": &o.TrimBlocks, "lstrip_blocks": &o.LstripBlocks, "keep_trailing_newline": &o.KeepTrailingNewline,
	}
	texts := map[string]*string{
		"block_start_string": &o.BlockStart, "block_end_string": &o.BlockEnd,
		"variable_start_string": &o.VariableStart, "variable_end_string": &o.VariableEnd,
		"comment_start_string": &o.CommentStart, "comment_end_string": &o.CommentEnd,
		"line_statement_prefix": &o.LineStatementPrefix, "line_comment_prefix": &o.LineCommentPrefix,
		"newline_sequence": &o.NewlineSequence,
	}
	if to, ok := flags[name]; ok {
		truth, err := value.Truth(v)
		*to = truth
		return err
	}
	to, ok := texts[name]
	if !ok {
		return fmt.Errorf("could not find Jinja2 environment setting to override: '%s'", name)
	}
	text, isText := v.(string)
	if !isText && v != nil {
		return fmt.Errorf("%s in the #jinja2: header must be text", name)
	}
	*to = text
	return nil
}
