package files

import (
	"context"
	"crypto/md5"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed copy.go
var copySource string

// Copy brings files to the host.
var Copy = modules.Define("copy", copySource+attributesSource, runCopy, modules.Aliases("ansible.builtin.copy", "ansible.legacy.copy"))

// Content is text for a file; a dict or list becomes JSON.
type Content struct {
	Given bool
	Text  string
}

// DecodeArg implements the reading of an argument.
func (c *Content) DecodeArg(v any) error {
	c.Given = true
	switch v.(type) {
	case *value.Dict, *value.List:
		text, err := value.EncodeJSON(v, value.JSONOptions{})
		if err != nil {
			return fmt.Errorf("must be text or data for JSON: %w", err)
		}
		c.Text = text
		return nil
	}
	text, err := modules.Str(v)
	c.Text = text
	return err
}

// CopyArgs bring a file, a folder or a text to the host, or copy within the host.
type CopyArgs struct {
	// Src is the file or folder: on the controller beside the playbook or role, or on the host with remote_src. Of a folder
	// whose name ends in a slash only the content is copied.
	Src string `arg:"src"`
	// Content is what the file shall hold, in place of src; a dict or list becomes JSON.
	Content Content `arg:"content"`
	// Dest is where to: a file, or a folder if it is one or ends in a slash.
	Dest modules.Path `arg:"dest" required:"true"`
	// RemoteSrc says that src is on the host.
	RemoteSrc bool `arg:"remote_src"`
	// Backup keeps the old file, with the time in its name.
	Backup bool `arg:"backup"`
	// Force replaces a file whose content differs; otherwise it is only made where there is none.
	Force bool `arg:"force" default:"yes"`
	// DirectoryMode is the permissions of folders that are made.
	DirectoryMode modules.FileMode `arg:"directory_mode"`
	// Follow a symbolic link at dest and replace what it points to.
	Follow bool `arg:"follow"`
	// LocalFollow copies what symbolic links in src point to.
	LocalFollow *bool `arg:"local_follow"`
	// Validate is a command that checks the new file before it takes its place; %s is its name.
	Validate string `arg:"validate"`
	// Checksum is the SHA-1 that src must have.
	Checksum string `arg:"checksum"`
	// Decrypt opens a vaulted src.
	Decrypt bool `arg:"decrypt" default:"yes"`
	Attributes
}

// Check holds the rules over several arguments.
func (a CopyArgs) Check() error {
	switch {
	case a.Src == "" && !a.Content.Given:
		return errors.New("src (or content) is required")
	case a.Src != "" && a.Content.Given:
		return errors.New("src and content are mutually exclusive")
	case a.Content.Given && strings.HasSuffix(string(a.Dest), "/"):
		return errors.New("can not use content with a dir as dest")
	case a.LocalFollow != nil && !*a.LocalFollow && !a.RemoteSrc:
		return errors.New("local_follow: no is not supported: symbolic links of the controller are always followed")
	case a.Validate != "" && !strings.Contains(a.Validate, "%s"):
		return fmt.Errorf("validate must contain %%s: %s", a.Validate)
	}
	return nil
}

// CopyResult is what became of the destination.
type CopyResult struct {
	// Dest is the file or folder that was seen to.
	Dest string `json:"dest,omitempty"`
	// Path is the file again when nothing was written.
	Path string `json:"path,omitempty"`
	// Src is where the content came from.
	Src string `json:"src,omitempty"`
	// Checksum is the SHA-1 of the file.
	Checksum string `json:"checksum,omitempty"`
	// MD5Sum of the file, when it was written.
	MD5Sum string `json:"md5sum,omitempty"`
	// BackupFile is the copy of the old file.
	BackupFile string `json:"backup_file,omitempty"`
	// Msg says why nothing was done.
	Msg string `json:"msg,omitempty"`
	PathInfo
}

func runCopy(ctx context.Context, h *modules.Host, a CopyArgs) (CopyResult, error) {
	d := &deployment{
		dest: string(a.Dest), attributes: a.Attributes, force: a.Force, backup: a.Backup, follow: a.Follow, validate: a.Validate,
		folderMode: a.DirectoryMode,
	}
	if a.Content.Given {
		d.from = "content"
		d.setContent([]byte(a.Content.Text))
		return d.copyResult(ctx, h)
	}
	if a.RemoteSrc {
		return copyRemote(ctx, h, a, d)
	}
	if !a.Decrypt {
		h.KeepSealed()
	}
	local := h.Local()
	if local == nil {
		return CopyResult{}, errNoController
	}
	found, err := local.Find("files", a.Src)
	if err != nil {
		return CopyResult{}, err
	}
	stat, err := local.Stat(found)
	if err != nil {
		return CopyResult{}, fmt.Errorf("could not find or access %s: %w", found, err)
	}
	if stat.IsDir() {
		return copyFolder(ctx, h, a, found)
	}
	d.from, d.name = found, base(a.Src)
	if err := d.setLocal(local, found); err != nil {
		return CopyResult{}, err
	}
	if a.Mode.Preserve() {
		d.attributes.Mode = octal(uint32(stat.Mode().Perm()))
	}
	if a.Checksum != "" && a.Checksum != d.sha1 {
		return CopyResult{}, fmt.Errorf("copied file does not match the expected checksum: %s is %s, not %s", found, d.sha1, a.Checksum)
	}
	return d.copyResult(ctx, h)
}

// octal is the argument mode for permissions.
func octal(perm uint32) modules.FileMode { return modules.FileMode{Text: fmt.Sprintf("%04o", perm)} }

// copyResult runs a deployment and tells of it as copy and template do.
func (d *deployment) copyResult(ctx context.Context, h *modules.Host) (CopyResult, error) {
	o, err := d.run(ctx, h)
	if err != nil && o.after.at.path == "" { // it failed before anything was known of the destination
		return CopyResult{Dest: d.dest, Checksum: d.sha1}, err
	}
	r := CopyResult{Dest: o.after.at.path, Checksum: d.sha1, PathInfo: pathInfo(o.after.at)}
	if o.before.at.exists && d.kept(o.before) {
		r.Msg, r.Src, r.Checksum = "file already exists", d.from, o.after.at.sha1
		return r, err
	}
	if o.written {
		r.Src, r.BackupFile = d.from, o.backup
		if d.content != nil {
			sum := md5.Sum(d.content)
			r.MD5Sum = hex.EncodeToString(sum[:])
		}
	} else {
		r.Path = r.Dest
	}
	if o.after.at.uid < 0 || o.after.at.gid < 0 {
		// Check mode: whose a new file would be is not known.
		r.UID, r.GID, r.Owner, r.Group = nil, nil, "", ""
	}
	return r, err
}
