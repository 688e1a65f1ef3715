package images

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/web"
)

//go:embed fetch.go
var fetchSource string

// Transfer is how images are fetched from a server.
type Transfer struct {
	// Timeout is after how many seconds without a byte to give up.
	Timeout int `arg:"timeout" default:"60"`
	// URLUsername is the user's name for the server.
	URLUsername string `arg:"url_username"`
	// URLPassword is the password for the server.
	URLPassword secret.Text `arg:"url_password"`
	// CAPath is a file, where the download runs, with the certificates of who may sign the server's.
	CAPath modules.Path `arg:"ca_path"`
}

// Signature says who must have signed a list of checksums.
type Signature struct {
	// URL of the signature; without, the list itself is signed (clear text between its marks).
	URL string `arg:"url"`
	// Keyring is a file of the controller with the public keys, armored or not, that may have signed.
	Keyring modules.LocalFile `arg:"keyring" required:"true"`
}

// newHash gives the hash of an algorithm that nobody can forge; nil of others.
func newHash(algorithm string) hash.Hash {
	switch algorithm {
	case "sha256":
		return sha256.New()
	case "sha384":
		return sha512.New384()
	case "sha512":
		return sha512.New()
	}
	return nil
}

var webURL = regexp.MustCompile(`(?i)^(https?|file)://`)

// secure reports that what is at a URL reaches us as its owner wrote it.
func secure(target string) bool { return !strings.HasPrefix(strings.ToLower(target), "http://") }

// origin is what an image is and where it comes from.
type origin struct {
	what      string // names it in messages: the URL without its password, or the file
	url       string
	algorithm string // of the digest; "" means that none is known
	digest    string
	list      string // URL of a list of checksums
	signature Signature
	member    string
	packed    string // a file that it is to become as it came; nobody looks into it
	Transfer
}

// newOrigin reads the arguments url and checksum.
func newOrigin(target, checksum string, signature Signature, t Transfer) (origin, error) {
	o := origin{what: redacted(target), url: target, signature: signature, Transfer: t}
	if target != "" && !webURL.MatchString(target) {
		return o, &modules.ArgError{Path: []any{"url"}, Msg: fmt.Sprintf("unknown url type: %q", o.what), Hint: "it begins with https://, http:// or file://"}
	}
	if o.Timeout < 1 {
		return o, wrong("timeout", "timeout must be 1 second or more")
	}
	signed := signature.Keyring != ""
	algorithm, rest, ok := strings.Cut(checksum, ":")
	known := newHash(algorithm)
	switch {
	case checksum == "" && signed:
		return o, wrong("signature", "signature is that of a list of checksums: checksum must name one (sha256:https://…/SHA256SUMS)")
	case checksum == "":
		return o, nil
	case !ok || known == nil:
		return o, wrong("checksum", "checksum must be sha256:DIGEST or sha256:URL (or sha384, sha512), not %q", checksum)
	case webURL.MatchString(rest):
		o.algorithm, o.list = algorithm, rest
		if !secure(rest) && !signed {
			return o, wrong("checksum", "a list of checksums must come by https or be signed: anybody on the way could alter %s", redacted(rest))
		}
		return o, nil
	case signed:
		return o, wrong("signature", "signature is that of a list of checksums: checksum must name one (sha256:https://…/SHA256SUMS)")
	}
	digest, hexadecimal := web.CleanDigest(rest)
	if !hexadecimal || len(digest) != 2*known.Size() {
		return o, wrong("checksum", "checksum: %s has %d hexadecimal digits; %q is none", algorithm, 2*known.Size(), rest)
	}
	o.algorithm, o.digest = algorithm, digest
	return o, nil
}

// redacted is a URL without its password.
func redacted(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return "the URL"
	}
	return u.Redacted()
}

// fileName is the last part of a URL's path.
func fileName(target string) string {
	if u, err := url.Parse(target); err == nil {
		if name := path.Base(u.Path); name != "/" && name != "." {
			return name
		}
	}
	return ""
}

// request is one for a URL.
func (o origin) request(method, target string) (web.Request, error) {
	u, err := url.Parse(target)
	if err != nil {
		return web.Request{}, errors.New("the URL cannot be read")
	}
	req := web.Request{
		Method: method, Agent: "hostler", Username: o.URLUsername, Password: o.URLPassword.Reveal(), CA: string(o.CAPath), Netrc: true,
		Proxy: true, Verify: true, Timeout: o.Timeout, Redirects: web.FollowSafe, Why: "download " + redacted(target),
	}
	if u.User != nil {
		if req.Username == "" {
			req.Username = u.User.Username()
			req.Password, _ = u.User.Password()
		}
		u.User = nil
	}
	req.URL = u.String()
	return req, nil
}

// text fetches something short.
func (o origin) text(ctx context.Context, h *modules.Host, target string) (web.Response, error) {
	req, err := o.request("GET", target)
	if err != nil {
		return web.Response{}, err
	}
	req.ReadOnly = true
	resp, err := web.Do(ctx, h, req)
	if err == nil && (!resp.OK() || resp.Large) {
		err = fmt.Errorf("download %s: %s", redacted(target), resp.Msg)
	}
	return resp, err
}

// resolve finds the digest in the list of checksums, by the host that downloads.
func (o *origin) resolve(ctx context.Context, h *modules.Host, local modules.Local) error {
	if o.list == "" || o.digest != "" {
		return nil
	}
	resp, err := o.text(ctx, h, o.list)
	if err != nil {
		return fmt.Errorf("the checksums: %w", err)
	}
	signed := o.signature.Keyring != ""
	if !signed && !secure(resp.URL) {
		return fmt.Errorf("the checksums: %s leads to %s, which anybody on the way could alter", redacted(o.list), redacted(resp.URL))
	}
	list := resp.Body
	if signed {
		if list, err = o.verify(ctx, h, local, list); err != nil {
			return err
		}
	}
	name := fileName(o.url)
	found := web.ListedDigest(string(list), name)
	if found == "" {
		found = taggedDigest(string(list), o.algorithm, name)
	}
	if found == "" {
		return fmt.Errorf("the checksums: %s does not name %s", redacted(o.list), name)
	}
	digest, ok := web.CleanDigest(found)
	if n := 2 * newHash(o.algorithm).Size(); !ok || len(digest) != n {
		return fmt.Errorf("the checksums: %s has %q for %s, which is no %s of %d digits", redacted(o.list), found, name, o.algorithm, n)
	}
	o.digest = digest
	return nil
}

// taggedDigest finds a digest in a list as the BSDs print it: SHA256 (name) = digits.
func taggedDigest(list, algorithm, name string) string {
	for line := range strings.Lines(list) {
		head, digest, ok := strings.Cut(strings.TrimSpace(line), "=")
		tag, file, _ := strings.Cut(strings.TrimSpace(head), "(")
		file, closed := strings.CutSuffix(file, ")")
		if ok && closed && strings.EqualFold(strings.TrimSpace(tag), algorithm) && strings.TrimLeft(file, "./") == name {
			return strings.TrimSpace(digest)
		}
	}
	return ""
}

// verifyScript: lengths of the list, the signature (0 where the list itself is signed) and the keyring, which come by standard input.
const verifyScript = `umask 077
if ! command -v gpgv >/dev/null 2>&1; then say fail 'the host has no program gpgv, which the signature needs; it comes with the package gpgv or gnupg2'; exit 0; fi
t=$(mktemp -d "${TMPDIR:-/tmp}/hostler.XXXXXX") || exit 1
trap 'rm -rf -- "$t"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$t/all" && head -c "$1" "$t/all" >"$t/list" && tail -c +"$(($1 + 1))" "$t/all" | head -c "$2" >"$t/sig" &&
	tail -c +"$(($1 + $2 + 1))" "$t/all" >"$t/ring" || exit 1
if grep -q '^-----BEGIN PGP' "$t/ring"; then
	sed -e '/^-----BEGIN/,/^[[:space:]]*$/d' -e '/^-----END/d' -e '/^=/d' "$t/ring" | base64 -d >"$t/keys" || { say fail 'the keyring cannot be read'; exit 0; }
else mv "$t/ring" "$t/keys"; fi
if [ "$2" = 0 ]; then
	tell gpgv gpgv --homedir "$t" --keyring "$t/keys" --output "$t/plain" -- "$t/list"
	show list "$t/plain"
else
	tell gpgv gpgv --homedir "$t" --keyring "$t/keys" -- "$t/sig" "$t/list"
	show list "$t/list"
fi
`

// verify gives what of a list is signed, by gpgv on the host that downloads.
func (o origin) verify(ctx context.Context, h *modules.Host, local modules.Local, list []byte) ([]byte, error) {
	found, err := local.Find("files", string(o.signature.Keyring))
	if err != nil {
		return nil, err
	}
	ring, err := readLocal(local, found)
	if err != nil {
		return nil, err
	}
	var signature []byte
	if o.signature.URL != "" {
		resp, err := o.text(ctx, h, o.signature.URL)
		if err != nil {
			return nil, fmt.Errorf("the signature: %w", err)
		}
		signature = resp.Body
	}
	input := append(append(append([]byte(nil), list...), signature...), ring...)
	r, err := h.ProbeInput(ctx, input, verifyScript, fmt.Sprint(len(list)), fmt.Sprint(len(signature)))
	switch {
	case err != nil:
		return nil, fmt.Errorf("verify the signature: %w", err)
	case r.Has("fail"):
		return nil, errors.New(r.Text("fail"))
	case r.Status("gpgv") != 0 || r.Status("list") != 0:
		return nil, fmt.Errorf("the signature of %s is not good: %s", redacted(o.list), strings.Join(r.Lines("gpgv.err"), "; "))
	}
	return r.Bytes("list"), nil
}

// readLocal reads a short file of the controller.
func readLocal(local modules.Local, name string) ([]byte, error) {
	r, err := local.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}

// ofLocal gives the origin of a file of the controller with its digest, which must be the one that is asked for.
func (o origin) ofLocal(local modules.Local, src string) (origin, error) {
	if local == nil {
		return o, errors.New("src is a file of the controller, and there is none here")
	}
	found, err := local.Find("files", src)
	if err != nil {
		return o, err
	}
	if o.algorithm == "" {
		o.algorithm = "sha256"
	}
	digest, err := sumLocal(local, found, o.algorithm)
	if err != nil {
		return o, err
	}
	if o.digest != "" && o.digest != digest {
		return o, fmt.Errorf("%s is not what was asked for: its checksum is %s, not %s", found, digest, o.digest)
	}
	o.digest = digest
	return o, nil
}

// sumLocal gives the digest of a file of the controller.
func sumLocal(local modules.Local, name, algorithm string) (string, error) {
	r, err := local.Open(name)
	if err != nil {
		return "", fmt.Errorf("open %s: %w", name, err)
	}
	defer r.Close()
	sum := newHash(algorithm)
	if _, err := io.Copy(sum, r); err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// fetchLook: folder, name of the part to keep over a cut ("" where no digest is known), algorithm, digest, member, beginning of the names of what
// is published of this digest, file that what came is to become as it is. Who comes second waits for the first and finds the image there.
const fetchLook = examineLib + `
dir=$1 alg=$3 want=$4 member=$5 part= packed=$7
umask 077
if [ -n "$2" ]; then
	part=$dir/$2
	if ! err=$( (: >>"$part") 2>&1); then say unwritable "${err##*: }"; exit 0; fi
	if command -v flock >/dev/null 2>&1; then exec 8<"$part"; flock 8; fi
	if [ -n "$6" ]; then
		for f in "$dir/$6".*; do
			if [ -f "$f" ]; then [ -s "$part" ] || rm -f -- "$part"; say there "$f"; exit 0; fi
		done
	fi
	out=$part.new
	have=$(($(wc -c <"$part" 2>/dev/null || echo 0)))
	# Busybox's wget takes a part of a file for an error, unless it asked for it by itself.
	if ! command -v curl >/dev/null 2>&1; then
		case $(wget --help 2>&1 </dev/null) in *BusyBox*) have=0 ;; esac
	fi
	if [ "$have" -gt 0 ]; then more="Range: bytes=$have-" w_resume=; fi
else
	out=$(mktemp "$dir/.hostler-image.XXXXXX") || exit 1
fi
`

// fetchThen keeps what came of a part, and examines what came whole.
const fetchThen = `
whole=
case $rc$w_tool$status in
curl23* | wget3* | 23curl* | 3wget*) rm -f -- ${part:+"$part"} ;;
0file* | 0*200) whole=$out ;;
0*206) cat "$out" >>"$part" && whole=$part ;;
*416) rm -f -- "$part"; say again 0 ;;
*206) cat "$out" >>"$part" && say again "$(($(wc -c <"$part")))" ;;
*200)
	if [ -n "$part" ] && [ "$(($(wc -c <"$out")))" -gt "$have" ]; then mv -f -- "$out" "$part"; say again "$(($(wc -c <"$part")))"; fi ;;
esac
if [ -n "$whole" ]; then
	keep=1 f=$(mktemp "$dir/.hostler-image.XXXXXX") && mv -f -- "$whole" "$f" || exit 1
	rm -f -- "$out" ${part:+"$part"}
	examine "$f"
elif [ -n "$part" ] && [ ! -s "$part" ]; then rm -f -- "$part"; fi
`

// maxTries is how often a download that is cut goes on in one task.
const maxTries = 5

// fetched is a response with what came.
type fetched struct {
	web.Response
	staged
	there bool // somebody else published it meanwhile
}

// fetch downloads to a file beside the folder's images. Prefix is what names of images of this digest begin with. In check mode it asks whether
// there is anything to download and returns modules.ErrPlanned.
func (o origin) fetch(ctx context.Context, h *modules.Host, dir, prefix string) (fetched, error) {
	method := "GET"
	if h.Planning() {
		method = "HEAD"
	}
	req, err := o.request(method, o.url)
	if err != nil {
		return fetched{}, err
	}
	if h.Planning() {
		return o.foretell(ctx, h, req)
	}
	part := ""
	if o.digest != "" {
		part = ".hostler-image." + o.digest[:32]
	}
	req.Look, req.Then, req.Resume = fetchLook, fetchThen, true
	req.LookArgs = []string{dir, part, o.algorithm, o.digest, o.member, prefix, o.packed}
	had := 0
	for try := 1; ; try++ {
		resp, err := web.Do(ctx, h, req)
		switch {
		case err != nil:
			return fetched{Response: resp}, err
		case resp.Report.Has("unwritable"):
			return fetched{Response: resp}, fmt.Errorf("download to %s: %s", dir, resp.Report.Text("unwritable"))
		case resp.Report.Has("there"):
			return fetched{Response: resp, there: true}, nil
		case resp.Report.Has("digest"):
			return o.came(ctx, h, resp)
		case resp.Report.Has("again") && try < maxTries && (resp.Report.Int("again") > had || resp.Status == 416):
			had = resp.Report.Int("again")
		default:
			return fetched{Response: resp}, fmt.Errorf("download %s: %s", o.what, resp.Msg)
		}
	}
}

// came reads what was downloaded; without a digest it must have come by a way on which nobody can alter it.
func (o origin) came(ctx context.Context, h *modules.Host, resp web.Response) (fetched, error) {
	s, err := parseStaged(resp.Report, o.what, o.digest)
	if err == nil && o.digest == "" && !secure(resp.URL) {
		err = fmt.Errorf("download %s: it leads to %s, where anybody on the way could alter it: give a checksum", o.what, redacted(resp.URL))
	}
	if err != nil && s.path != "" {
		err = errors.Join(err, discard(ctx, h, s.path))
	}
	return fetched{Response: resp, staged: s}, err
}

// ask asks for headers. Some servers refuse that and give the thing itself all the same, but not when they do not have it.
func ask(ctx context.Context, h *modules.Host, req web.Request) (web.Response, error) {
	req.ReadOnly, req.Then = true, "\n"
	resp, err := web.Do(ctx, h, req)
	if err == nil && (resp.Status == 404 || resp.Status == 410 || resp.Status == -1) {
		err = fmt.Errorf("%s: %s", req.Why, resp.Msg)
	}
	return resp, err
}

// foretell is fetch in check mode.
func (o origin) foretell(ctx context.Context, h *modules.Host, req web.Request) (fetched, error) {
	if strings.HasPrefix(strings.ToLower(o.url), "file:") {
		_, err := h.Change(ctx, modules.Action{Why: req.Why, Argv: []string{"true"}})
		return fetched{}, err
	}
	resp, err := ask(ctx, h, req)
	if err != nil {
		return fetched{Response: resp}, err
	}
	_, err = h.Change(ctx, modules.Action{Why: req.Why, Argv: []string{"true"}})
	return fetched{Response: resp}, err
}

// discard removes a file that came and is of no use.
func discard(ctx context.Context, h *modules.Host, file string) error {
	if file == "" {
		return nil
	}
	_, err := h.Change(ctx, modules.Action{Why: "remove " + file, Argv: []string{"rm", "-f", "--", file}})
	return modules.IgnorePlanned(err)
}

// cachePlace tells of the controller's folder for images and of what it has of a digest, $1. It makes the folder.
const cachePlace = `dir=${XDG_CACHE_HOME:-$HOME/.cache}/hostler/images
say dir "$dir"
if [ -f "$dir/$1.image" ]; then say there "$dir/$1.image"; fi
`

// cache downloads to the controller, once for all hosts and runs, and gives the file there.
func (o origin) cache(ctx context.Context, h *modules.Host) (string, error) {
	r, err := h.Probe(ctx, cachePlace, o.digest)
	if err != nil {
		return "", fmt.Errorf("look for the controller's images: %w", err)
	}
	dir := r.Text("dir")
	if r.Has("there") {
		return r.Text("there"), nil
	}
	file := dir + "/" + o.digest + ".image"
	if _, err := h.Change(ctx, modules.Action{Why: "make the folder " + dir, Argv: []string{"mkdir", "-p", "--", dir}}); modules.IgnorePlanned(err) != nil {
		return "", err
	}
	o.packed = file
	_, err = o.fetch(ctx, h, dir, o.digest)
	return file, modules.IgnorePlanned(err)
}
