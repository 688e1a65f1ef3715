package jinja

import (
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
)

// ParseHeader reads a first line like "#jinja2: trim_blocks: False, lstrip_blocks: True", which Ansible
// lets set a template's options. It gives the changed options and the text behind the line; without such
// a line both are returned as they are.
func ParseHeader(text string, opts Options) (Options, string, error) {
	const mark = "#jinja2:"
	if !strings.HasPrefix(text, mark) {
		return opts, text, nil
	}
	line, rest, found := strings.Cut(text, "\n")
	if !found {
		return opts, text, nil
	}
	for pair := range strings.SplitSeq(strings.TrimPrefix(line, mark), ",") {
		key, val, ok := strings.Cut(pair, ":")
		if !ok {
			return opts, rest, value.Errorf(value.ValueError, "failed to parse the jinja2 header entry %s: it should be \"key: value\"", quote(strings.TrimSpace(pair)))
		}
		key, val = strings.TrimSpace(key), strings.TrimSpace(val)
		v, ok := value.ParseLiteral(val)
		if !ok {
			return opts, rest, value.Errorf(value.ValueError, "the jinja2 header gives %s a value that is no literal: %s", key, val)
		}
		if err := opts.set(key, v); err != nil {
			return opts, rest, err
		}
	}
	return opts, rest, nil
}

// set sets an option by Jinja's name for it.
func (o *Options) set(key string, v any) error {
	flags := map[string]*bool{
		"trim_blocks": &o.TrimBlocks, "lstrip_blocks": &o.LstripBlocks, "keep_trailing_newline": &o.KeepTrailingNewline,
	}
	if flag := flags[key]; flag != nil {
		truth, err := value.Truth(v)
		*flag = truth
		return err
	}
	texts := map[string]*string{
		"block_start_string": &o.BlockStart, "block_end_string": &o.BlockEnd,
		"variable_start_string": &o.VariableStart, "variable_end_string": &o.VariableEnd,
		"comment_start_string": &o.CommentStart, "comment_end_string": &o.CommentEnd,
		"line_statement_prefix": &o.LineStatementPrefix, "line_comment_prefix": &o.LineCommentPrefix,
		"newline_sequence": &o.NewlineSequence,
	}
	text := texts[key]
	if text == nil {
		return value.Errorf(value.ValueError, "the jinja2 header has no option %s", quote(key))
	}
	s, ok := v.(string)
	if !ok {
		return value.Errorf(value.TypeError, "the jinja2 header's %s must be text, not %s", key, value.TypeName(v))
	}
	*text = s
	return nil
}
