package transport

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/shell"
)

// A worker and a one-shot shell run the same program text. Their own stdout and stderr are fd 3 and 4, so that
// what the shell itself says ("Terminated") never mixes with a command's output:
//
//	exec 3>&1 4>&2 >/dev/null 2>&1
//
// stdin, where not inherited, is /dev/null or a pipe from the builtin printf: here-documents would touch the disk.
const setUp = "exec 3>&1 4>&2 >/dev/null 2>&1\n"

// source says where a program's stdin comes from.
type source int

const (
	fromNull source = iota
	fromPipe
	fromSession
)

// program is the text that runs a command in a shell of ours, which stays for more or is once for this one.
func program(token string, cmd Command, from source, stays bool) (string, error) {
	body, err := body(cmd)
	if err != nil {
		return "", err
	}
	redirect := " >&3 2>&4 3>&- 4>&-"
	pipe := ""
	switch from {
	case fromNull:
		redirect += " </dev/null"
	case fromPipe:
		pipe = "printf " + printfFormat(cmd.Stdin) + " 2>/dev/null|"
	}
	run := "printf '" + token + "S;' >&3;" + pipe + "(" + body + ")" + redirect + ";printf '" + token + "E%s;' \"$?\" >&3;printf '" + token + "E;' >&4"
	if cmd.Duplex {
		run = "printf '" + token + "S;' >&3;(" + body + ")" + redirect + ";h_r=$?;exec 3>&-;printf '" + token + "E%s;' \"$h_r\" >&4"
	}
	if cmd.User && stays {
		return "h_last;h_a=$h_b;" + run + ";h_left " + token + "\n", nil
	}
	return run + "\n", nil
}

// body is folder, environment and the command itself.
func body(cmd Command) (string, error) {
	var b strings.Builder
	if cmd.Dir != "" {
		dir := cmd.Dir
		if !strings.HasPrefix(dir, "/") {
			dir = "./" + dir // "-" is no option and no "last folder", CDPATH does not matter
		}
		word, err := shell.Quote(dir)
		if err != nil {
			return "", err
		}
		b.WriteString("cd " + word + "||exit 1;")
	}
	for _, name := range slices.Sorted(maps.Keys(cmd.Env)) {
		if !validName(name) {
			return "", fmt.Errorf("environment: %q is no name for a variable", name)
		}
		word, err := shell.Quote(cmd.Env[name])
		if err != nil {
			return "", fmt.Errorf("environment %s: %w", name, err)
		}
		b.WriteString("export " + name + "=" + word + ";")
	}
	if len(cmd.Argv) > 0 {
		words, err := shell.Join(cmd.Argv...)
		if err != nil {
			return "", err
		}
		b.WriteString("exec " + words)
		return b.String(), nil
	}
	if cmd.Script == "" {
		return "", errors.New("a command without a program")
	}
	// eval keeps a syntax error inside the subshell.
	args, err := shell.Join(cmd.Args...)
	if err != nil {
		return "", err
	}
	text, err := shell.Quote(cmd.Script)
	if err != nil {
		return "", err
	}
	b.WriteString("set -- " + args + ";eval " + text)
	return b.String(), nil
}

func validName(name string) bool {
	for i, r := range name {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}

// printfFormat is one shell word that the builtin printf prints as exactly these bytes.
func printfFormat(data []byte) string {
	var b strings.Builder
	b.Grow(len(data) + len(data)/8 + 2)
	b.WriteByte('\'')
	for i, c := range data {
		switch {
		case c == '-' && i == 0:
			b.WriteString(`\055`) // no option
		case c == '%':
			b.WriteString("%%")
		case c == '\\':
			b.WriteString(`\\`)
		case c == '\n', c == '\t', c >= ' ' && c < 0x7f && c != '\'':
			b.WriteByte(c)
		default:
			b.Write([]byte{'\\', '0' + c>>6, '0' + c>>3&7, '0' + c&7})
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// describe shows a command in messages. Secrets are never in argv or a script.
func describe(cmd Command) string {
	switch {
	case len(cmd.Argv) > 0:
		if s, err := shell.Join(cmd.Argv...); err == nil {
			return s
		}
		return fmt.Sprintf("%q", cmd.Argv)
	case cmd.Script != "":
		first, _, _ := strings.Cut(strings.TrimSpace(cmd.Script), "\n")
		return "sh: " + first
	default:
		return cmd.Raw
	}
}
