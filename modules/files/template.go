package files

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed template.go
var templateSource string

// Template renders a file of the controller and brings it to the host.
var Template = modules.Define("template", templateSource+copySource+attributesSource, runTemplate,
	modules.Aliases("ansible.builtin.template", "ansible.legacy.template"))

// Newline is how lines end.
type Newline string

// Choices lists the line ends, as YAML's escapes and as text.
func (Newline) Choices() []string { return []string{`\n`, `\r`, `\r\n`, "\n", "\r", "\r\n"} }

// TemplateArgs render a Jinja2 template of the controller with the host's variables and bring the result to the host.
type TemplateArgs struct {
	// Src is the template, beside the playbook or in the role's folder templates.
	Src modules.LocalFile `arg:"src" required:"true"`
	// Dest is where to: a file, or a folder if it is one or ends in a slash.
	Dest modules.Path `arg:"dest" required:"true"`
	// Backup keeps the old file, with the time in its name.
	Backup bool `arg:"backup"`
	// Force replaces a file whose content differs; otherwise it is only made where there is none.
	Force bool `arg:"force" default:"yes"`
	// Follow a symbolic link at dest and replace what it points to.
	Follow bool `arg:"follow"`
	// Validate is a command that checks the new file before it takes its place; %s is its name.
	Validate string `arg:"validate"`
	// NewlineSequence is how the lines of the result end.
	NewlineSequence Newline `arg:"newline_sequence" default:"\\n"`
	// BlockStartString opens a statement.
	BlockStartString string `arg:"block_start_string" default:"{%"`
	// BlockEndString closes a statement.
	BlockEndString string `arg:"block_end_string" default:"%}"`
	// VariableStartString opens an expression.
	VariableStartString string `arg:"variable_start_string" default:"{{"`
	// VariableEndString closes an expression.
	VariableEndString string `arg:"variable_end_string" default:"}}"`
	// CommentStartString opens a comment.
	CommentStartString string `arg:"comment_start_string"`
	// CommentEndString closes a comment.
	CommentEndString string `arg:"comment_end_string"`
	// TrimBlocks takes the line end after a statement away.
	TrimBlocks bool `arg:"trim_blocks" default:"yes"`
	// LstripBlocks takes the blanks before a statement away.
	LstripBlocks bool `arg:"lstrip_blocks"`
	// OutputEncoding is the encoding of the result.
	OutputEncoding string `arg:"output_encoding" default:"utf-8"`
	Attributes
}

func runTemplate(ctx context.Context, h *modules.Host, a TemplateArgs) (CopyResult, error) {
	if h.Local() == nil {
		return CopyResult{}, errNoController
	}
	found, err := h.Local().Find("templates", string(a.Src))
	if err != nil {
		return CopyResult{}, err
	}
	stat, err := h.Local().Stat(found)
	if err != nil {
		return CopyResult{}, fmt.Errorf("could not find or access %s: %w", found, err)
	}
	if stat.IsDir() {
		return CopyResult{}, errors.New("the template is a folder: " + found)
	}
	text, err := h.Local().Render(ctx, found, modules.RenderOptions{
		TrimBlocks: a.TrimBlocks, LstripBlocks: a.LstripBlocks,
		BlockStart: a.BlockStartString, BlockEnd: a.BlockEndString,
		VariableStart: a.VariableStartString, VariableEnd: a.VariableEndString,
		CommentStart: a.CommentStartString, CommentEnd: a.CommentEndString,
		NewlineSequence: strings.NewReplacer(`\r`, "\r", `\n`, "\n").Replace(string(a.NewlineSequence)),
		OutEncoding:     a.OutputEncoding,
		Extra:           map[string]any{"template_destpath": string(a.Dest)},
	})
	if err != nil {
		return CopyResult{}, err
	}
	d := &deployment{
		dest: string(a.Dest), name: base(string(a.Src)), from: found, attributes: a.Attributes, force: a.Force, backup: a.Backup,
		follow: a.Follow, validate: a.Validate,
	}
	if a.Mode.Preserve() {
		d.attributes.Mode = octal(uint32(stat.Mode().Perm()))
	}
	d.setContent(text)
	return d.copyResult(ctx, h)
}
