package files

import (
	"fmt"
	"strings"
	"time"

	"github.com/hostlerhq/hostler/modules"
)

// layouts are Go's forms of strptime's directives.
var layouts = map[byte]string{
	'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM", 'b': "Jan", 'B': "January",
	'a': "Mon", 'A': "Monday", 'j': "002", 'z': "-0700", 'Z': "MST", 'f': "000000", '%': "%",
}

// touchTime gives a time as touch -t takes it ([[CC]YY]MMDDhhmm.ss); "preserve", "now" and "" stay as they are.
func touchTime(text, format string) (string, error) {
	if text == "" || text == "preserve" || text == "now" {
		return text, nil
	}
	var layout strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			layout.WriteByte(format[i])
			continue
		}
		i++
		part, ok := layouts[format[i]]
		if !ok {
			return "", fmt.Errorf("directive %%%c of the format %q is not known", format[i], format)
		}
		layout.WriteString(part)
	}
	t, err := time.Parse(layout.String(), text)
	if err != nil {
		return "", fmt.Errorf("time %q does not match the format %q", text, format)
	}
	return t.Format("200601021504.05"), nil
}

// timeActions sets access and modification time as asked; otherwise is what a time that was not given means.
func (a FileArgs) timeActions(n fileNow, path, otherwise string) []modules.Action {
	var actions []modules.Action
	times := append(append([]string{}, n.times...), "", "")
	for i, asked := range []struct{ flag, name, text, format string }{
		{"-a", "access", a.AccessTime, a.AccessTimeFormat}, {"-m", "modification", a.ModificationTime, a.ModificationTimeFormat},
	} {
		text, err := touchTime(asked.text, asked.format)
		if err != nil {
			continue // Check refused it
		}
		if text == "" {
			text = otherwise
		}
		switch text {
		case "preserve", times[i]:
		case "now":
			actions = append(actions, modules.Action{
				Why: fmt.Sprintf("set the %s time of %s to now", asked.name, path), Argv: []string{"touch", "-c", asked.flag, "--", path},
			})
		default:
			actions = append(actions, modules.Action{
				Why:  fmt.Sprintf("set the %s time of %s to %s", asked.name, path, text),
				Argv: []string{"touch", "-c", asked.flag, "-t", text, "--", path},
			})
		}
	}
	return actions
}
