package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/vault"
	"github.com/spf13/cobra"
)

// stringOptions are those of `hostler vault encrypt_string`.
type stringOptions struct {
	names     []string
	prompt    bool
	stdinName string
	show      bool
}

func vaultEncryptString(s Streams) *cobra.Command {
	o := &vaultOptions{s: s}
	c := o.withEncryptID(o.withOutput(o.command("encrypt_string [TEXT...]", "Encrypt texts for use as values in YAML",
		func(ctx context.Context, args []string) error { return o.encryptStrings(ctx, args) })))
	c.Long = "Encrypt texts and print them as !vault values to paste into YAML. Without TEXT, or with -, one is\n" +
		"read from standard input. A text on the command line can be seen by others in ps: prefer --prompt or\n" +
		"standard input for passwords."
	fs := c.Flags()
	fs.StringArrayVarP(&o.stringOpts.names, "name", "n", nil, "the variable's name; may be repeated, once for each TEXT")
	fs.BoolVarP(&o.stringOpts.prompt, "prompt", "p", false, "ask for the text")
	fs.StringVar(&o.stringOpts.stdinName, "stdin-name", "", "the variable's name for the text of standard input")
	fs.BoolVar(&o.stringOpts.show, "show-input", false, "show the text while it is typed in")
	return c
}

// plainText is a text to encrypt, with where it came from and its variable's name.
type plainText struct{ text, from, name string }

func (o *vaultOptions) encryptStrings(ctx context.Context, args []string) error {
	so := &o.stringOpts
	fromStdin := len(args) == 0 && !so.prompt || slices.Contains(args, "-") || so.stdinName != ""
	if so.prompt && fromStdin {
		return optionsError{errors.New("the --prompt option is not supported if also reading input from stdin")}
	}
	args = slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == "-" })
	key, err := o.writing(ctx)
	if err != nil {
		return err
	}
	var texts []plainText
	if so.prompt {
		t, err := o.promptText(ctx)
		if err != nil {
			return err
		}
		texts = append(texts, t)
	}
	if fromStdin {
		t, err := o.stdinText()
		if err != nil {
			return err
		}
		texts = append(texts, t)
	}
	return o.printStrings(append(texts, o.argTexts(args)...), key)
}

func (o *vaultOptions) promptText(ctx context.Context) (plainText, error) {
	ask := prompter(o.s)
	name, err := ask(ctx, "Variable name (enter for no name): ", true)
	if err != nil {
		return plainText{}, err
	}
	question := "String to encrypt (hidden): "
	if o.stringOpts.show {
		question = "String to encrypt:"
	}
	text, err := ask(ctx, question, o.stringOpts.show)
	return plainText{text.Reveal(), "the interactive prompt", name.Reveal()}, err
}

func (o *vaultOptions) stdinText() (plainText, error) {
	if o.s.Terminal {
		fmt.Fprintln(o.s.Err, "Reading plaintext input from stdin. (ctrl-d to end input, twice if your content does not already have a newline)")
	}
	text, err := io.ReadAll(o.s.In)
	return plainText{string(text), "stdin", o.stringOpts.stdinName}, err
}

// argTexts pairs the texts of the command line with the names, as far as there are any.
func (o *vaultOptions) argTexts(args []string) []plainText {
	names := o.stringOpts.names
	out := make([]plainText, len(args))
	for i, a := range args {
		out[i] = plainText{text: a, from: "the command line args"}
		if i < len(names) {
			out[i].name = names[i]
		}
	}
	if len(names) > 0 && len(args) > len(names) {
		fmt.Fprintf(o.s.Err, "The number of --name options do not match the number of args.\n"+
			"The last named variable will be \"%s\". The rest will not have names.\n", names[len(names)-1])
	}
	return out
}

func (o *vaultOptions) printStrings(texts []plainText, key vault.Secret) error {
	var blocks []string
	for i, t := range texts {
		if t.text == "" {
			return optionsError{fmt.Errorf("the text from %s is empty; nothing was encrypted", t.from)}
		}
		sealed, err := vault.Seal([]byte(t.text), key)
		if err != nil {
			return err
		}
		blocks = append(blocks, yamlBlock(t.name, string(sealed)))
		switch {
		case len(texts) == 1:
		case t.name != "":
			fmt.Fprintf(o.s.Err, "# The encrypted version of variable (\"%s\", the string #%d from %s).\n", t.name, i+1, t.from)
		default:
			fmt.Fprintf(o.s.Err, "# The encrypted version of the string #%d from %s.)\n", i+1, t.from)
		}
	}
	if err := o.write(orDefault(o.output, "-"), []byte(strings.Join(blocks, "\n"))); err != nil {
		return err
	}
	if o.s.Terminal {
		fmt.Fprint(o.s.Err, "\nEncryption successful\n")
	}
	return nil
}

// yamlBlock writes vaulted text as a value to paste into YAML.
func yamlBlock(name, sealed string) string {
	var b strings.Builder
	if name != "" {
		b.WriteString(name + ": ")
	}
	b.WriteString("!vault |")
	for line := range strings.Lines(sealed) {
		b.WriteString("\n          " + strings.TrimSuffix(line, "\n"))
	}
	return b.String()
}
