package files

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/web"
)

//go:embed get_url.go
var getURLSource string

// GetURL fetches a file.
var GetURL = modules.Define("get_url", getURLSource+urlOptionsSource+attributesSource, runGetURL,
	modules.Aliases("ansible.builtin.get_url", "ansible.legacy.get_url"))

// GetURLArgs let the host fetch a file from a server. What came is compared with the checksum before it takes the place of what was
// there; a download that is cut goes on where it was if the server can do that.
//
//	# An image, verified by the list that its server has beside it.
//	- get_url:
//	    url: https://cloud.example.com/images/base.qcow2
//	    dest: /var/lib/libvirt/images/base.qcow2
//	    checksum: sha256:https://cloud.example.com/images/SHA256SUMS
//	    mode: '0644'
type GetURLArgs struct {
	// URL begins with http://, https:// or file://.
	URL string `arg:"url" required:"true"`
	// Dest is the file, or a folder, in which the file gets the name that the server gives or that the URL ends in.
	Dest modules.Path `arg:"dest" required:"true"`
	// Backup keeps the old file, with the time in its name.
	Backup bool `arg:"backup"`
	// Checksum is algorithm:digest or algorithm:URL, the latter of a list of digests and names.
	Checksum string `arg:"checksum"`
	// TmpDest is a folder to download to first; without, it is the one of dest.
	TmpDest modules.Path `arg:"tmp_dest"`
	// Timeout is after how many seconds without a byte to give up.
	Timeout int `arg:"timeout" default:"10"`
	// URLUsername is the user's name for the server.
	URLUsername string `arg:"url_username,alias=username"`
	// URLPassword is the password for the server.
	URLPassword secret.Text `arg:"url_password,alias=password"`
	URLOptions
	Attributes
}

var sumAlgorithms = []string{"md5", "sha1", "sha224", "sha256", "sha384", "sha512"}

// Check holds the rules over several arguments.
func (a GetURLArgs) Check() error {
	if err := a.check(a.URL); err != nil {
		return err
	}
	algorithm, digest, ok := strings.Cut(a.Checksum, ":")
	wrong := func(format string, args ...any) error {
		return &modules.ArgError{Path: []any{"checksum"}, Msg: fmt.Sprintf(format, args...)}
	}
	switch {
	case a.Timeout < 1:
		return &modules.ArgError{Path: []any{"timeout"}, Msg: "timeout must be 1 second or more"}
	case a.Checksum == "":
		return nil
	case !ok:
		return wrong("The checksum parameter has to be in format <algorithm>:<checksum>")
	case !slices.Contains(sumAlgorithms, algorithm):
		return wrong("checksum: the algorithm %q is none of %s", algorithm, strings.Join(sumAlgorithms, ", "))
	case urlScheme.MatchString(digest):
		return nil
	}
	if _, ok := web.CleanDigest(digest); !ok {
		return wrong("The checksum format is invalid")
	}
	return nil
}

// GetURLResult is what became of the file.
type GetURLResult struct {
	// Changed says whether the file or its attributes changed.
	Changed bool `json:"changed"`
	// Dest is the file.
	Dest string `json:"dest"`
	// URL is the argument.
	URL string `json:"url"`
	// Src is where it was downloaded to first.
	Src string `json:"src,omitempty"`
	// StatusCode is the server's status.
	StatusCode *int `json:"status_code,omitempty"`
	// Msg is what the server said, or why nothing was done.
	Msg string `json:"msg,omitempty"`
	// Response is what the server said when it refused.
	Response string `json:"response,omitempty"`
	// ChecksumSrc is the SHA-1 of what came.
	ChecksumSrc *string `json:"checksum_src"`
	// ChecksumDest is the SHA-1 of the file before.
	ChecksumDest *string `json:"checksum_dest"`
	// MD5Sum is the MD5 of the file.
	MD5Sum string `json:"md5sum,omitempty"`
	// BackupFile is the copy of the old file.
	BackupFile string `json:"backup_file,omitempty"`
	// Elapsed is how many seconds it took.
	Elapsed int `json:"elapsed"`
	PathInfo
}

// getLook: as deployScript; then folder to download to, force, algorithm and digest, end of the temporary file's name, 1 to write nothing.
const getLook = deployScript + intoLib + `
alg=${12} want=${13}
if [ -d "$p" ]; then dir=$p
else
	[ -z "$missing$slash" ] && [ -d "$up" ] || exit 0
	dir=$up
	if [ -e "$p" ]; then
		if [ ! -r "$p" ]; then say unreadable "$p"; exit 0; fi
		have=
		if [ -z "${11}" ] && [ -n "$want" ]; then
			have=$(sum "$alg" "$p")
			if [ "${have%% *}" = "$want" ]; then say kept 1; exit 0; fi
			have=other
		fi
		if [ -z "${11}$have" ]; then
			since "$p"
		else more='cache-control: no-cache'; fi
	fi
fi
[ -z "${11}" ] || more='cache-control: no-cache'
if [ -n "${10}" ]; then
	expand "${10}"; dir=$expanded
	if [ ! -d "$dir" ]; then
		if [ -e "$dir" ]; then say tmp "$dir is a file but should be a directory."; else say tmp "$dir directory does not exist."; fi
		exit 0
	fi
fi
if [ -z "${15}" ]; then
	into "$dir" "${14}"
fi
`

// getThen sums up what came, and keeps it where it is another file than that at the destination.
const getThen = `
case $rc$w_tool$status in
0file* | 0*200)
	say new "$(sum sha1 "$out")"
	say md5 "$(sum md5 "$out")"
	new=$(sum sha1 "$out")
	if [ -f "$p" ] && [ "$(sum sha1 "$p")" = "$new" ]; then say same 1; else keep=1; fi
	if [ -n "$want" ]; then
		digest=$(sum "$alg" "$out" 2>&1)
		say digest "${digest%% *}"
		[ "${digest%% *}" = "$want" ] || keep=
	fi ;;
esac
`

// fetched is a file that a host got, and what was at its destination.
type fetched struct {
	web.Response
	digest string // that it shall have, "" for any
	at     target
	d      *deployment
}

func runGetURL(ctx context.Context, h *modules.Host, a GetURLArgs) (GetURLResult, error) {
	result := GetURLResult{Dest: string(a.Dest), URL: a.URL}
	f := fetched{d: &deployment{dest: string(a.Dest), attributes: a.Attributes, force: true, planning: h.Planning()}}
	algorithm, err := a.sums(ctx, h, &f)
	if err != nil {
		return result, err
	}
	req, err := a.request("GET", a.URL, a.URLUsername, a.URLPassword)
	if err != nil {
		return result, err
	}
	req.Timeout, req.Resume, req.Why = a.Timeout, true, "download "+redacted(a.URL)
	req.Look, req.Then = getLook, getThen
	req.LookArgs = append(f.d.lookAt(), "", string(a.TmpDest), given(a.Force, "1"), algorithm, f.digest, tempEnd(), given(h.Planning(), "1"))
	if h.Planning() {
		req.Method, req.ReadOnly, req.Then, req.Resume = "HEAD", true, "\n", false
	}
	if f.Response, err = web.Do(ctx, h, req); err != nil {
		return result, err
	}
	if err := f.refuse(); err != nil {
		if f.Report.Has("new") && !f.Report.Has("same") {
			err = errors.Join(err, discard(ctx, h, f.Report.Text("out")))
		}
		return result, err
	}
	result.Dest, result.Elapsed = f.at.at.path, int(f.Elapsed.Seconds())
	if f.Asked {
		result.StatusCode, result.Msg = status(f.Response), f.Msg
	}
	switch {
	case !f.Asked && !f.Report.Has("kept"):
		return result, f.nowhere()
	case !f.Asked, f.Status == 304:
		return a.settle(ctx, h, f, result)
	case f.Status == -1:
		result.StatusCode = nil
		return result, errors.New(f.Msg)
	case f.Status != 0 && f.Status != 200:
		result.Response = f.Msg
		return result, fmt.Errorf("Request failed: %s", f.Msg)
	case h.Planning():
		result.Changed, result.PathInfo = true, pathInfo(f.at.at)
		return result, nil
	}
	return a.publish(ctx, h, f, result)
}

// lookAt are deployScript's arguments.
func (d *deployment) lookAt() []string {
	return append(append([]string{d.dest, d.name, given(d.follow, "1")}, d.attributes.lookArgs()...), "0")
}

// sums finds the digest that the file shall have, from the list that checksum names if that is a URL. It gives the algorithm.
func (a GetURLArgs) sums(ctx context.Context, h *modules.Host, f *fetched) (string, error) {
	algorithm, digest, _ := strings.Cut(a.Checksum, ":")
	if !urlScheme.MatchString(digest) {
		f.digest, _ = web.CleanDigest(digest) // Check saw that it is one
		return algorithm, nil
	}
	req, err := a.request("GET", digest, a.URLUsername, a.URLPassword)
	if err != nil {
		return "", err
	}
	req.Timeout, req.ReadOnly = a.Timeout, true
	resp, err := web.Do(ctx, h, req)
	switch {
	case err != nil:
		return "", err
	case resp.Status != 200 && resp.Status != 0 || resp.Large:
		return "", fmt.Errorf("Request failed: the checksums of %s: %s", redacted(digest), resp.Msg)
	}
	name := fileName(a.URL)
	if name == "" {
		name = "index.html"
	}
	found := web.ListedDigest(string(resp.Body), name)
	if found == "" {
		return "", fmt.Errorf("Unable to find a checksum for file '%s' in '%s'", name, redacted(digest))
	}
	var ok bool
	if f.digest, ok = web.CleanDigest(found); !ok {
		return "", fmt.Errorf("The checksum format is invalid: %q in %s", found, redacted(digest))
	}
	return algorithm, nil
}

// refuse reads what the look told and gives the reasons not to go on.
func (f *fetched) refuse() error {
	r := f.Report
	var err error
	if f.at, err = f.d.parse(r); err != nil {
		return err
	}
	switch {
	case r.Has("tmp"):
		return errors.New(r.Text("tmp"))
	case r.Has("unreadable"):
		return fmt.Errorf("Destination %s is not readable", r.Text("unreadable"))
	case r.Has("unwritable"):
		return fmt.Errorf("Destination %s is not writable: %s", f.at.at.path, r.Text("unwritable"))
	case f.at.at.exists && f.at.at.kind() != typeFile && f.at.at.kind() != typeLink && f.at.at.kind() != typeDir:
		return fmt.Errorf("%s is no regular file: it is not replaced", f.at.at.path)
	}
	return f.at.ids.err
}

// nowhere is the error of a destination whose folder is not there; in check mode an earlier task may be to make it.
func (f *fetched) nowhere() error {
	if f.at.blocked != "" {
		return fmt.Errorf("destination %s: %s is not a directory", f.at.at.path, f.at.blocked)
	}
	dir := path.Dir(f.at.at.path)
	if f.at.slash {
		dir = f.at.at.path
	}
	return fmt.Errorf("Destination %s does not exist", dir)
}

// settle sees to the attributes of a file that stays.
func (a GetURLArgs) settle(ctx context.Context, h *modules.Host, f fetched, result GetURLResult) (GetURLResult, error) {
	result.PathInfo = pathInfo(f.at.at)
	actions, then := a.plan(f.at.at, f.at.ids, f.at.umask, true)
	switch {
	case f.Asked: // the server's own words
	case len(actions) > 0:
		result.Msg = "file already exists but file attributes changed"
	default:
		result.Msg = "file already exists"
	}
	if len(actions) == 0 {
		return result, nil
	}
	result.Changed, result.PathInfo = true, pathInfo(then)
	_, err := h.Change(ctx, actions...)
	return result, err
}

var attachment = regexp.MustCompile(`^attachment; ?filename="?([^"]+)`)

// name is the file's name in a folder.
func (f *fetched) name() string {
	if m := attachment.FindStringSubmatch(f.Header("Content-Disposition")); m != nil && base(m[1]) != "" {
		return base(m[1])
	}
	if name := fileName(f.URL); name != "" {
		return name
	}
	return "index.html"
}

// publish brings what was downloaded to its place.
func (a GetURLArgs) publish(ctx context.Context, h *modules.Host, f fetched, result GetURLResult) (GetURLResult, error) {
	r, temp := f.Report, f.Report.Text("out")
	result.Src, result.MD5Sum = temp, firstWord(r.Text("md5"))
	f.d.sha1, f.d.size = firstWord(r.Text("new")), int64(r.Int("web.size"))
	result.ChecksumSrc = &f.d.sha1
	if got := r.Text("digest"); f.digest != "" && got != f.digest {
		return result, fmt.Errorf("The checksum for %s did not match %s; it was %s.", f.at.at.path, f.digest, got)
	}
	kept := !r.Has("same") // whether there is a temporary file
	tidy := func(err error) error {
		if !kept {
			return err
		}
		return errors.Join(err, discard(ctx, h, temp))
	}
	if f.at.at.exists && f.at.at.kind() == typeDir {
		f.d.name = f.name()
		again, err := h.Probe(ctx, deployScript, f.d.lookAt()...)
		if err == nil {
			f.at, err = f.d.parse(again)
		}
		if err != nil {
			return result, tidy(err)
		}
		result.Dest = f.at.at.path
	}
	if f.at.at.sha1 != "" {
		result.ChecksumDest = &f.at.at.sha1
	}
	same := r.Has("same") || f.d.same(f.at)
	var actions []modules.Action
	var err error
	if same {
		actions, _ = a.plan(f.at.at, f.at.ids, f.at.umask, true)
	} else {
		actions, err = a.place(f, temp, &result)
	}
	if err != nil || len(actions) == 0 {
		result.PathInfo = pathInfo(f.at.at)
		return result, tidy(err)
	}
	result.Changed = true
	told, err := h.ChangeAndProbe(ctx, actions, deployScript, f.d.lookAt()...)
	if err != nil {
		result.Changed = false
		return result, tidy(err)
	}
	after, err := f.d.parse(told)
	result.PathInfo = pathInfo(after.at)
	if err == nil && !same && after.at.sha1 != f.d.sha1 {
		err = fmt.Errorf("did not converge: %s was written and yet has another checksum: %s, not %s", after.at.path, after.at.sha1, f.d.sha1)
	}
	kept = kept && (same || a.TmpDest != "")
	return result, tidy(err)
}

// place are the actions that bring the temporary file to its place.
func (a GetURLArgs) place(f fetched, temp string, result *GetURLResult) ([]modules.Action, error) {
	if a.Backup && f.at.at.exists && f.at.at.kind() == typeFile {
		result.BackupFile = modules.BackupName(f.at.at.path)
	}
	if a.TmpDest != "" { // it may be another file system, from which no rename is atomic
		f.d.remote = temp
	}
	actions, _, err := f.d.plan(f.at, temp, result.BackupFile)
	return actions, err
}
