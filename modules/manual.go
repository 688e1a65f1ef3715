package modules

import (
	"fmt"
	"strings"
)

// Manual gives the module's manual, as Markdown for docs/modules or as plain text for a terminal.
func (m *Module) Manual(markdown bool) string {
	p, docs := page{markdown: markdown}, m.Docs()
	p.title(1, m.Name)
	p.text(docs.Description)
	if len(m.Names) > 0 {
		p.text("Also answers to: " + strings.Join(m.Names, ", ") + ".")
	}
	if len(docs.Args) > 0 {
		p.title(2, "Arguments")
		p.args(docs.Args, 0)
	}
	if docs.Examples != "" {
		p.title(2, "Examples")
		p.code("yaml", docs.Examples)
	}
	if len(docs.Returns) > 0 {
		p.title(2, "Returns")
		for _, r := range docs.Returns {
			p.item(0, r.Name, r.Type, r.Text)
		}
		p.b.WriteByte('\n')
	}
	return strings.TrimRight(p.b.String(), "\n") + "\n"
}

// page writes one manual in one of the two forms.
type page struct {
	b        strings.Builder
	markdown bool
}

func (p *page) title(level int, text string) {
	if p.markdown {
		fmt.Fprintf(&p.b, "%s %s\n\n", strings.Repeat("#", level), text)
		return
	}
	fmt.Fprintf(&p.b, "%s\n\n", strings.ToUpper(text))
}

func (p *page) text(text string) {
	if p.markdown {
		fmt.Fprintf(&p.b, "%s\n\n", text)
		return
	}
	fmt.Fprintf(&p.b, "%s\n\n", indent(text, "    "))
}

func (p *page) code(language, text string) {
	if p.markdown {
		fmt.Fprintf(&p.b, "```%s\n%s```\n\n", language, text)
		return
	}
	fmt.Fprintf(&p.b, "%s\n\n", indent(strings.TrimRight(text, "\n"), "    "))
}

func (p *page) args(args []ArgDoc, depth int) {
	for _, a := range args {
		kind := a.Type
		if a.Required {
			kind += ", required"
		}
		text := a.Text
		if len(a.Choices) > 0 {
			text += " Choices: " + strings.Join(a.Choices, ", ") + "."
		}
		if a.Default != "" {
			text += " Default: " + a.Default + "."
		}
		if len(a.Aliases) > 0 {
			text += " Aliases: " + strings.Join(a.Aliases, ", ") + "."
		}
		p.item(depth, a.Name, kind, text)
		p.args(a.Args, depth+1)
	}
	if depth == 0 {
		p.b.WriteByte('\n')
	}
}

func (p *page) item(depth int, name, kind, text string) {
	pad := strings.Repeat("  ", depth)
	text = strings.Join(strings.Fields(text), " ")
	if p.markdown {
		if text != "" {
			text = ": " + text
		}
		fmt.Fprintf(&p.b, "%s- `%s` (%s)%s\n", pad, name, kind, text)
		return
	}
	fmt.Fprintf(&p.b, "    %s%s (%s)\n", pad, name, kind)
	if text != "" {
		fmt.Fprintf(&p.b, "        %s%s\n", pad, text)
	}
}

func indent(text, by string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if l != "" {
			lines[i] = by + l
		}
	}
	return strings.Join(lines, "\n")
}
