package files

import (
	"context"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed slurp.go
var slurpSource string

// Slurp reads a file of the host.
var Slurp = modules.Define("slurp", slurpSource, runSlurp, modules.Aliases("ansible.builtin.slurp", "ansible.legacy.slurp"))

// SlurpArgs read a file of the host and give its content in Base64.
type SlurpArgs struct {
	// Src is the file to read; it must be a file.
	Src modules.Path `arg:"src,alias=path" required:"true"`
}

// SlurpResult is the file.
type SlurpResult struct {
	// Content is the file's content in Base64.
	Content string `json:"content"`
	// Encoding is always base64.
	Encoding string `json:"encoding"`
	// Source is the file that was read.
	Source string `json:"source"`
}

const slurpScript = lookLib + `
expand "$1"; p=$expanded
say path "$p"
if [ -d "$p" ]; then say kind dir
elif [ ! -e "$p" ]; then say kind missing
elif [ ! -r "$p" ]; then say kind unreadable
else say kind file; [ ! -f "$p" ] || [ "$(wc -c <"$p")" -gt 1048576 ] || show content "$p"; fi
`

func runSlurp(ctx context.Context, h *modules.Host, a SlurpArgs) (SlurpResult, error) {
	r, err := h.Probe(ctx, slurpScript, string(a.Src))
	if err != nil {
		return SlurpResult{}, fmt.Errorf("read %s: %w", a.Src, err)
	}
	path := r.Text("path")
	switch r.Text("kind") {
	case "dir":
		return SlurpResult{}, fmt.Errorf("source is a directory and must be a file: %s", path)
	case "missing":
		return SlurpResult{}, fmt.Errorf("file not found: %s", path)
	case "unreadable":
		return SlurpResult{}, fmt.Errorf("file is not readable: %s", path)
	}
	data := r.Bytes("content")
	if !r.Has("content") {
		data, err = h.ReadFile(ctx, path, maxSlurp)
		if errors.Is(err, fs.ErrNotExist) {
			return SlurpResult{}, fmt.Errorf("file not found: %s", path)
		}
		if err != nil {
			return SlurpResult{}, err
		}
	}
	return SlurpResult{Content: base64.StdEncoding.EncodeToString(data), Encoding: "base64", Source: path}, nil
}

// maxSlurp is the largest file that is taken into memory.
const maxSlurp = 256 << 20
