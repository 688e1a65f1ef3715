package check

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/hostlerhq/hostler/internal/diag"
)

// Count gives how many errors and warnings there are.
func Count(findings diag.List) (errors, warnings int) {
	for _, e := range findings {
		if e.Severity == diag.Fatal {
			errors++
		} else {
			warnings++
		}
	}
	return errors, warnings
}

// level is how the formats for programs call a severity.
func level(e *diag.Error) string {
	if e.Severity == diag.Fatal {
		return "error"
	}
	return "warning"
}

// finding is one in JSON. Line and Column are left out where they are not known.
type finding struct {
	Rule    string `json:"rule"`
	Level   string `json:"level"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// WriteJSON writes one JSON object: findings, and how many errors and warnings they are.
func WriteJSON(w io.Writer, findings diag.List) error {
	out := struct {
		Findings []finding `json:"findings"`
		Errors   int       `json:"errors"`
		Warnings int       `json:"warnings"`
	}{Findings: []finding{}}
	out.Errors, out.Warnings = Count(findings)
	for _, e := range findings {
		out.Findings = append(out.Findings, finding{e.Rule, level(e), e.Pos.File, e.Pos.Line, e.Pos.Col, e.Err.Error(), e.Hint})
	}
	return writeIndented(w, out)
}

func writeIndented(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write the findings: %w", err)
	}
	return nil
}

// WriteGitHub writes workflow commands, which GitHub Actions shows as annotations
// (https://docs.github.com/actions/reference/workflow-commands-for-github-actions).
func WriteGitHub(w io.Writer, findings diag.List) error {
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	for _, e := range findings {
		var at []string
		if e.Pos.File != "" {
			at = append(at, "file="+property.Replace(filepath.ToSlash(e.Pos.File)))
		}
		if e.Pos.Line > 0 {
			at = append(at, fmt.Sprint("line=", e.Pos.Line))
		}
		if e.Pos.Col > 0 {
			at = append(at, fmt.Sprint("col=", e.Pos.Col))
		}
		at = append(at, "title="+property.Replace("hostler check: "+e.Rule))
		text := e.Err.Error()
		if e.Hint != "" {
			text += "\nhint: " + e.Hint
		}
		if _, err := fmt.Fprintf(w, "::%s %s::%s\n", level(e), strings.Join(at, ","), data.Replace(text)); err != nil {
			return fmt.Errorf("write the findings: %w", err)
		}
	}
	return nil
}
