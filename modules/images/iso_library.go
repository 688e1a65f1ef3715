package images

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed iso_library.go
var isoLibrarySource string

// ISOLibrary keeps a folder of ISO images.
var ISOLibrary = modules.Define("iso_library", isoLibrarySource+placeSource+courierSource+fetchSource, runISOLibrary, modules.Converges())

// ISOLibraryArgs keep a folder of ISO images, mostly a pool, in step with a list. Each image is downloaded once and verified; one whose checksum in
// the list changed is replaced at once and whole. Those that are not in the list are told of, and with prune removed, unless a domain has them
// in its drive.
//
//	# What guests are installed from, on every hypervisor; the hosts pass the images on to each other.
//	- iso_library:
//	    pool: isos
//	    via: peer
//	    prune: true
//	    images:
//	      - name: debian-12.iso
//	        url: https://cdimage.debian.org/cdimage/archive/12.5.0/amd64/iso-cd/debian-12.5.0-amd64-netinst.iso
//	        checksum: sha256:https://cdimage.debian.org/cdimage/archive/12.5.0/amd64/iso-cd/SHA256SUMS
//	      - {name: drivers.iso, src: virtio-win.iso}
type ISOLibraryArgs struct {
	// Images that there shall be.
	Images []ISOImage `arg:"images" required:"true"`
	// Prune removes files that end in .iso and are not in the list.
	Prune bool `arg:"prune"`
	Place
	Delivery
	Transfer
}

// ISOImage is one image of the library.
type ISOImage struct {
	// Name of the file, which ends in .iso; without, what the URL or src ends in.
	Name string `arg:"name"`
	// URL of the image: https, http with a checksum, or file. It may be packed.
	URL string `arg:"url"`
	// Src is an image on the controller, in place of url.
	Src modules.LocalFile `arg:"src"`
	// Checksum of what the URL gives: sha256:DIGEST, or sha256:URL of a list that names it; sha384 and sha512 likewise. A list is asked only when
	// the image is not there.
	Checksum string `arg:"checksum"`
	// Signature that the list of checksums must have, by OpenPGP.
	Signature Signature `arg:"signature"`
}

// ISOLibraryResult tells of the library.
type ISOLibraryResult struct {
	// Path of the folder.
	Path string `json:"path,omitempty"`
	// Images that are there as the list wants them.
	Images []string `json:"images"`
	// Fetched are those that came in this run.
	Fetched []string `json:"fetched,omitempty"`
	// Extra are those that are there and not in the list.
	Extra []string `json:"extra,omitempty"`
	// Removed are those that were removed.
	Removed []string `json:"removed,omitempty"`
}

func (i ISOImage) name() string {
	if i.Name != "" {
		return i.Name
	}
	name := path.Base(string(i.Src))
	if i.URL != "" {
		name = fileName(i.URL)
	}
	for packedSuffix.MatchString(name) && !strings.HasSuffix(strings.ToLower(name), ".iso") {
		name = packedSuffix.ReplaceAllString(name, "")
	}
	return name
}

func (i ISOImage) origin(t Transfer) (origin, error) {
	o, err := newOrigin(i.URL, i.Checksum, i.Signature, t)
	if i.Src != "" {
		o.what = string(i.Src)
	}
	return o, err
}

// source stands for where an image comes from, in its record.
func (i ISOImage) source() string {
	return CloudImageArgs{URL: i.URL, Src: i.Src, Checksum: i.Checksum}.source()
}

// Check refuses arguments that make no sense.
func (a ISOLibraryArgs) Check() error {
	if err := errors.Join(a.Place.check(), a.Delivery.check()); err != nil {
		return err
	}
	names := map[string]bool{}
	for n, i := range a.Images {
		at := func(err error) error {
			return &modules.ArgError{Path: []any{"images", n}, Msg: fmt.Sprintf("images: %s: %v", i.name(), err)}
		}
		o, err := i.origin(a.Transfer)
		switch {
		case err != nil:
			return at(err)
		case (i.URL == "") == (i.Src == ""):
			return at(errors.New("one of url and src is needed, and not both"))
		case i.URL != "" && i.Checksum == "":
			return at(errors.New("checksum is needed"))
		case i.URL == "" && o.list != "":
			return at(errors.New("a list of checksums goes with url; of src, checksum is the digest"))
		case !strings.HasSuffix(strings.ToLower(i.name()), ".iso"):
			return at(errors.New("name must end in .iso"))
		case names[i.name()]:
			return at(errors.New("there are two of that name"))
		}
		if err := checkName("name", i.name()); err != nil {
			return at(err)
		}
		names[i.name()] = true
	}
	return nil
}

// isosProbe: dest, URI, pool.
const isosProbe = placeProbe + listLib + `
[ -n "$(find "$dir/." -prune -perm -001)" ] || say closed "$(stat -c %a "$dir")"
list <<E
$(for f in "$dir"/*.[iI][sS][oO]; do [ ! -f "$f" ] || printf '%s\n' "${f##*/}"; done)
E
`

// isoJob is one run of the module.
type isoJob struct {
	ISOLibraryArgs
	h, by  *modules.Host
	dir    string
	orphan bool
	files  []file
	result ISOLibraryResult
}

func runISOLibrary(ctx context.Context, h *modules.Host, a ISOLibraryArgs) (ISOLibraryResult, error) {
	by, done, err := a.Delivery.downloader(ctx, h)
	if err != nil {
		return ISOLibraryResult{}, err
	}
	defer done()
	job := isoJob{ISOLibraryArgs: a, h: h, by: by, result: ISOLibraryResult{Images: []string{}}}
	err = job.run(ctx)
	return job.result, err
}

func (j *isoJob) run(ctx context.Context) error {
	r, err := j.h.Probe(ctx, isosProbe, string(j.Dest), j.URI, j.Pool)
	if err == nil {
		err = j.parse(r)
	}
	if err != nil {
		return err
	}
	if j.result.Path = j.dir; j.orphan && !j.h.Planning() {
		return fmt.Errorf("the folder %s is not there", j.dir)
	}
	if r.Has("closed") {
		j.h.Warn("%s has the mode %s: the user of QEMU needs x on it", j.dir, r.Text("closed"))
	}
	fetched := 0
	for _, i := range j.Images {
		came, err := j.settle(ctx, i)
		if err != nil {
			return fmt.Errorf("%s: %w", i.name(), err)
		}
		j.result.Images = append(j.result.Images, i.name())
		if came {
			fetched++
			j.result.Fetched = append(j.result.Fetched, i.name())
		}
	}
	removed, err := j.extra(ctx)
	if err != nil || fetched+removed == 0 {
		return err
	}
	_, err = j.h.Change(ctx, j.refresh()...)
	return modules.IgnorePlanned(err)
}

func (j *isoJob) parse(r *modules.Report) error {
	var err error
	if j.dir, err = j.Place.parse(r); err != nil {
		return err
	}
	if r.Has("toolless") {
		return errNoQemuImg
	}
	j.orphan = r.Has("orphan")
	j.files, err = parseFiles(r)
	return err
}

// settle brings one image, unless it is there; came says that it was not.
func (j *isoJob) settle(ctx context.Context, i ISOImage) (came bool, err error) {
	o, err := i.origin(j.Transfer)
	if err != nil {
		return false, err
	}
	at := slices.IndexFunc(j.files, func(f file) bool { return f.name == i.name() })
	known := at >= 0 && !j.files[at].altered() && j.files[at].record["stat"] != ""
	if i.Src != "" {
		if o, err = o.ofLocal(j.h.Local(), string(i.Src)); err != nil {
			return false, err
		}
	}
	if o.digest == "" {
		if known && j.files[at].record["source"] == i.source() {
			return false, nil
		}
		if err := o.resolve(ctx, j.by, j.h.Local()); err != nil {
			return false, err
		}
	}
	sum := o.algorithm + ":" + o.digest
	if known && j.files[at].record["checksum"] == sum && j.files[at].record["source"] == i.source() {
		return false, nil
	}
	rec := record{"source": i.source(), "checksum": sum, "path": j.dir + "/" + i.name()}
	if at >= 0 {
		right, err := j.adopt(ctx, i, o, rec)
		if right || err != nil {
			return false, err
		}
	}
	c := &courier{h: j.h, by: j.by, origin: o, dir: j.dir, Delivery: j.Delivery, src: string(i.Src)}
	defer c.close()
	got, err := c.bring(ctx, "")
	switch {
	case errors.Is(err, modules.ErrPlanned):
	case err != nil:
		return false, err
	default:
		if err := got.check(o.what, "iso"); err != nil {
			return false, errors.Join(err, discard(ctx, j.h, got.path))
		}
	}
	if !got.packed {
		rec["whole"] = "yes"
	}
	_, err = j.h.Change(ctx, modules.Action{
		Why: "publish " + i.name() + " in " + j.dir, Script: publishScript, Args: []string{got.path, j.dir, i.name(), ""}, Stdin: []byte(rec.text()),
	})
	if modules.IgnorePlanned(err) != nil {
		return false, errors.Join(err, discard(ctx, j.h, got.path))
	}
	return true, nil
}

// noteScript: folder, name. It notes what is known of an image that is there; the record comes by standard input.
const noteScript = stateLib + `umask 077
records "$1"
mkdir -p "$records" && t=$(mktemp "$records/.new.XXXXXX") || exit 1
trap 'rm -f -- "$t"' EXIT
trap 'exit 1' HUP INT TERM
sum=$(sha256sum <"$1/$2") && s=$(stat -c '%s %Y' "$1/$2") && cat >"$t" && printf 'sha256 %s\nstat %s\n' "${sum%% *}" "$s" >>"$t" && mv -f -- "$t" "$records/$2"`

// adopt takes a file of the right digest that is there already for the image, and notes that it is verified.
func (j *isoJob) adopt(ctx context.Context, i ISOImage, o origin, rec record) (right bool, err error) {
	r, err := j.h.Probe(ctx, `sum=$("$2sum" <"$1") || exit 1; say sum "${sum%% *}"`, j.dir+"/"+i.name(), o.algorithm)
	if err != nil {
		return false, fmt.Errorf("look at %s: %w", i.name(), err)
	}
	if r.Text("sum") != o.digest {
		return false, nil
	}
	rec["whole"] = "yes"
	_, err = j.h.Change(ctx, modules.Action{
		Why: "note that " + i.name() + " is verified", Script: noteScript, Args: []string{j.dir, i.name()}, Stdin: []byte(rec.text()),
	})
	return true, modules.IgnorePlanned(err)
}

// extra tells of what is not in the list, and with prune removes it where no domain has it.
func (j *isoJob) extra(ctx context.Context) (removed int, err error) {
	for _, f := range j.files {
		if !slices.ContainsFunc(j.Images, func(i ISOImage) bool { return i.name() == f.name }) {
			j.result.Extra = append(j.result.Extra, f.name)
		}
	}
	if !j.Prune || len(j.result.Extra) == 0 {
		return 0, nil
	}
	r, err := j.h.Probe(ctx, usersProbe, string(j.Dest), j.URI, j.Pool)
	if err != nil {
		return 0, fmt.Errorf("look who uses the images: %w", err)
	}
	used, err := parseUsers(r, j.dir)
	if err != nil {
		j.h.Warn("what is not in the list stays: %v", err)
		return 0, nil
	}
	var actions []modules.Action
	for _, name := range j.result.Extra {
		if used[j.dir+"/"+name] {
			j.h.Warn("%s is not in the list and stays, for a domain has it in its drive", name)
			continue
		}
		actions = append(actions, modules.Action{Why: "remove " + name, Script: removeScript, Args: []string{j.dir, name}})
		j.result.Removed = append(j.result.Removed, name)
	}
	j.result.Extra = slices.DeleteFunc(j.result.Extra, func(n string) bool { return slices.Contains(j.result.Removed, n) })
	_, err = j.h.Change(ctx, actions...)
	return len(actions), modules.IgnorePlanned(err)
}
