package files

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed fetch.go
var fetchSource string

// Fetch brings a file of the host to the controller.
var Fetch = modules.Define("fetch", fetchSource, runFetch, modules.Aliases("ansible.builtin.fetch", "ansible.legacy.fetch"))

// FetchArgs bring a file of the host to the controller: to DEST/HOST/PATH, or with flat to DEST itself.
type FetchArgs struct {
	// Src is the file on the host; it must be a file.
	Src modules.Path `arg:"src" required:"true"`
	// Dest is the folder on the controller; with flat the file, or a folder when it ends in a slash.
	Dest string `arg:"dest" required:"true"`
	// FailOnMissing fails when the file cannot be read.
	FailOnMissing bool `arg:"fail_on_missing" default:"yes"`
	// Flat leaves host and path out of the destination.
	Flat bool `arg:"flat"`
	// ValidateChecksum compares the checksums of both files at the end.
	ValidateChecksum bool `arg:"validate_checksum,alias=validate_md5" default:"yes"`
}

// FetchResult is what was fetched.
type FetchResult struct {
	// Dest is the file on the controller.
	Dest string `json:"dest,omitempty"`
	// File is the file on the host.
	File string `json:"file,omitempty"`
	// Checksum is the SHA-1 of the file.
	Checksum string `json:"checksum,omitempty"`
	// MD5Sum of the file.
	MD5Sum string `json:"md5sum,omitempty"`
	// RemoteChecksum is what the host said.
	RemoteChecksum string `json:"remote_checksum,omitempty"`
	// Msg says why nothing was fetched.
	Msg string `json:"msg,omitempty"`
	// Changed says that the file on the controller is new or another.
	Changed bool `json:"changed"`
}

// fetchScript tells of the file and, up to 32 KiB, its content.
const fetchScript = lookLib + `
expand "$1"; p=$expanded
say path "$p"
if [ -d "$p" ]; then say kind dir
elif [ ! -e "$p" ]; then say kind missing
elif [ ! -r "$p" ]; then say kind unreadable
else
	say kind file
	say sum "$(sum sha1 "$p")"
	if [ -f "$p" ] && n=$(wc -c <"$p") && [ "$n" -gt 0 ] && [ "$n" -le 32768 ]; then show content "$p"; fi
fi
`

func runFetch(ctx context.Context, h *modules.Host, a FetchArgs) (FetchResult, error) {
	if h.Local() == nil {
		return FetchResult{}, errNoController
	}
	r, err := h.Probe(ctx, fetchScript, string(a.Src))
	if err != nil {
		return FetchResult{}, fmt.Errorf("look at %s: %w", a.Src, err)
	}
	src := r.Text("path")
	reasons := map[string]string{
		"dir":        "remote file is a directory, fetch cannot work on directories",
		"missing":    "the remote file does not exist",
		"unreadable": "no read permission on remote file",
	}
	if reason := reasons[r.Text("kind")]; reason != "" {
		// In check mode an earlier task may be what would make the file.
		if a.FailOnMissing && (!h.Planning() || r.Text("kind") != "missing") {
			return FetchResult{File: src}, fmt.Errorf("%s: %s", reason, src)
		}
		return FetchResult{File: src, Msg: reason + ", not transferring, ignored"}, nil
	}
	a.Dest = h.Local().Dest(a.Dest)
	dest, err := fetchDest(h, a, src)
	if err != nil {
		return FetchResult{}, err
	}
	sum := firstWord(r.Text("sum"))
	result := FetchResult{Dest: dest, File: src, Checksum: sum}
	have, md, err := sumsOf(h.Local(), dest)
	if err != nil || have != "" && have == sum {
		result.MD5Sum = md
		return result, err
	}
	result.Changed, result.RemoteChecksum = true, sum
	if h.Planning() {
		return result, nil
	}
	return result, a.transfer(ctx, h, r, &result)
}

// fetchDest is where on the controller the file goes.
func fetchDest(h *modules.Host, a FetchArgs, src string) (string, error) {
	if !a.Flat {
		// The host says what its path is: it must not lead out of the folder.
		return path.Join(a.Dest, path.Join("/", h.Name()), path.Join("/", src)), nil
	}
	if strings.HasSuffix(a.Dest, "/") {
		return path.Join(a.Dest, path.Base(src)), nil
	}
	if stat, err := h.Local().Stat(a.Dest); err == nil && stat.IsDir() {
		return "", errors.New("dest is an existing directory, use a trailing slash if you want to fetch src into that directory")
	}
	return a.Dest, nil
}

// sumsOf gives SHA-1 and MD5 of a file that was fetched before; "" when there is none.
func sumsOf(l modules.Local, file string) (sha, md string, err error) {
	r, err := l.OpenAsIs(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", nil
	}
	if err != nil {
		return "", "", fmt.Errorf("look at %s: %w", file, err)
	}
	defer r.Close()
	s, m := sha1.New(), md5.New()
	if _, err := io.Copy(io.MultiWriter(s, m), r); err != nil {
		return "", "", fmt.Errorf("read %s: %w", file, err)
	}
	return hex.EncodeToString(s.Sum(nil)), hex.EncodeToString(m.Sum(nil)), nil
}

func (a FetchArgs) transfer(ctx context.Context, h *modules.Host, r *modules.Report, result *FetchResult) error {
	var in io.Reader = bytes.NewReader(r.Bytes("content"))
	if !r.Has("content") {
		stream, err := h.Download(ctx, result.File)
		if err != nil {
			return fmt.Errorf("fetch %s: %w", result.File, err)
		}
		defer stream.Close()
		in = stream
	}
	sum, md := sha1.New(), md5.New()
	if err := h.Local().Create(result.Dest, 0o644, io.TeeReader(in, io.MultiWriter(sum, md))); err != nil {
		return fmt.Errorf("write %s: %w", result.Dest, err)
	}
	result.Checksum, result.MD5Sum = hex.EncodeToString(sum.Sum(nil)), hex.EncodeToString(md.Sum(nil))
	if a.ValidateChecksum && result.RemoteChecksum != "" && result.Checksum != result.RemoteChecksum {
		return fmt.Errorf("checksum mismatch: %s is %s on the host and %s here", result.File, result.RemoteChecksum, result.Checksum)
	}
	return nil
}
