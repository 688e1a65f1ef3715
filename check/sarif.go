package check

import (
	"io"
	"net/url"
	"path/filepath"

	"github.com/hostlerhq/hostler/internal/diag"
)

// The part of SARIF 2.1.0 (OASIS) that findings need.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		URI     string      `json:"informationUri"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID    string    `json:"id"`
		Short sarifText `json:"shortDescription"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		Line   int `json:"startLine"`
		Column int `json:"startColumn,omitempty"`
	}
)

// WriteSARIF writes the findings as SARIF 2.1.0, which code hosts read. Version is the program's.
func WriteSARIF(w io.Writer, findings diag.List, version string) error {
	run := sarifRun{ColumnKind: "unicodeCodePoints", Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "hostler", Version: version, URI: "https://github.com/hostlerhq/hostler"}
	index := map[string]int{}
	for i, r := range Rules() {
		index[r.Name] = i
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{r.Name, sarifText{r.Text}})
	}
	for _, e := range findings {
		text := e.Err.Error()
		if e.Hint != "" {
			text += " (" + e.Hint + ")"
		}
		at, known := index[e.Rule]
		if !known {
			at = -1 // SARIF's word for none
		}
		r := sarifResult{RuleID: e.Rule, RuleIndex: at, Level: level(e), Message: sarifText{text}}
		if e.Pos.File != "" {
			r.Locations = []sarifLocation{{sarifPhysical{Artifact: sarifArtifact{uri(e.Pos.File)}, Region: region(e.Pos)}}}
		}
		run.Results = append(run.Results, r)
	}
	return writeIndented(w, sarifLog{
		Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run},
	})
}

// region is nil for a file as a whole.
func region(p diag.Pos) *sarifRegion {
	if p.Line < 1 {
		return nil
	}
	return &sarifRegion{Line: p.Line, Column: p.Col}
}

// uri writes a path as a URI reference; an absolute one becomes a file URI.
func uri(path string) string {
	u := url.URL{Path: filepath.ToSlash(filepath.Clean(path))}
	if filepath.IsAbs(path) {
		u.Scheme = "file"
	}
	return u.String()
}
