package images

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hostlerhq/hostler/modules"
)

//go:embed cloud_image.go
var cloudImageSource string

// CloudImage keeps base images.
var CloudImage = modules.Define("cloud_image", cloudImageSource+placeSource+courierSource+fetchSource, runCloudImage, modules.Converges())

// ImageRefresh is when a newer version is looked for.
type ImageRefresh string

// Choices lists when.
func (ImageRefresh) Choices() []string { return []string{"never", "if_newer", "always"} }

// ImageFormat is the format that an image must have.
type ImageFormat string

// Choices lists the formats.
func (ImageFormat) Choices() []string { return append([]string{"auto"}, formats()...) }

// CloudImageArgs fetch an image that disks of guests stand on, verify it and keep it beside its older versions: NAME-DIGITS.qcow2, where DIGITS are
// the first twelve of its checksum. An image that changed upstream becomes another file, so that the guests of the old one go on; nothing starts
// from the file itself, which has the mode 0444. What is packed (gz, xz, zst, bz2, zip, tar, a Vagrant box) is unpacked. Web pages, images
// with a backing file and those of a wrong format are refused, and so is what nothing vouches for.
//
//	# Debian's image, verified by the list beside it, and a disk that stands on it.
//	- cloud_image:
//	    url: https://cloud.debian.org/images/cloud/bookworm/latest/debian-12-genericcloud-amd64.qcow2
//	    checksum: sha512:https://cloud.debian.org/images/cloud/bookworm/latest/SHA512SUMS
//	    name: debian-12
//	    pool: default
//	    refresh: if_newer
//	  register: image
//	- virt_volume: {pool: default, name: web1.qcow2, state: present, capacity: 20G, backing: {volume: "{{ image.volume }}"}}
type CloudImageArgs struct {
	// Name that the files begin with; without, what the URL or src ends in, without its suffixes.
	Name string `arg:"name"`
	// URL of the image: https, http with a checksum, or file.
	URL string `arg:"url" exclusive:"source"`
	// Src is an image on the controller, in place of url.
	Src modules.LocalFile `arg:"src" exclusive:"source"`
	// Checksum of what the URL gives: sha256:DIGEST, or sha256:URL of a list that names it (SHA256SUMS, also as the BSDs write it); sha384
	// and sha512 likewise.
	Checksum string `arg:"checksum"`
	// Signature that the list of checksums must have, by OpenPGP.
	Signature Signature `arg:"signature"`
	// AcceptUnverified is whether what https gives is taken without a checksum.
	AcceptUnverified bool `arg:"accept_unverified"`
	// Format that the image must have.
	Format ImageFormat `arg:"format" default:"auto"`
	// Member is what to take out of an archive with several images.
	Member string `arg:"member"`
	// Refresh is when a newer version is looked for, where the checksum does not say which one it is: never, so that the newest version that is
	// there will do; if_newer, by the list of checksums, or the server's ETag or Last-Modified; always downloads what has no checksum anew.
	Refresh ImageRefresh `arg:"refresh" default:"never"`
	// Keep is how many older versions stay that nothing stands on. Those that a domain or volume uses stay always, and all while libvirt does not answer.
	Keep int `arg:"keep" default:"2"`
	// Convert is whether it becomes a qcow2 whose data are not compressed, which guests read faster.
	Convert bool `arg:"convert"`
	Place
	Delivery
	Transfer
}

// CloudImageResult tells of the image.
type CloudImageResult struct {
	// Volume is the file's name, which is the volume's in the pool.
	Volume string `json:"volume,omitempty"`
	// Path of the file.
	Path string `json:"path,omitempty"`
	// Pool that it lies in.
	Pool string `json:"pool,omitempty"`
	// Format of the image.
	Format string `json:"format,omitempty"`
	// Checksum of what came, before it was unpacked: algorithm:digits.
	Checksum string `json:"checksum,omitempty"`
	// From is where it came from in this run: url, controller, or the name of the host that passed it on.
	From string `json:"from,omitempty"`
	// Relayed says that what another host passed on went by way of the controller.
	Relayed bool `json:"relayed,omitempty"`
	// VirtualSize is how large the guest sees it, in bytes.
	VirtualSize int64 `json:"virtual_size,omitempty"`
	// Versions are all that are there now, the newest first.
	Versions []string `json:"versions,omitempty"`
	// Removed are the versions that were removed.
	Removed []string `json:"removed,omitempty"`
}

var packedSuffix = regexp.MustCompile(`(?i)\.(qcow2|img|raw|vmdk|vdi|vhdx?|iso|box|gz|xz|zst|bz2|zip|tar|tgz)$`)

// Check refuses arguments that make no sense.
func (a CloudImageArgs) Check() error {
	if err := a.Place.check(); err != nil {
		return err
	}
	o, err := a.origin()
	switch {
	case err != nil:
		return err
	case a.URL == "" && a.Src == "":
		return errors.New("one of url and src is needed")
	case a.URL == "" && o.list != "":
		return wrong("checksum", "a list of checksums goes with url; of src, checksum is the digest")
	case a.URL != "" && a.Checksum == "" && !a.AcceptUnverified:
		return wrong("checksum", "checksum is needed, or accept_unverified: true, with which nothing vouches for the image but the server's certificate")
	case a.URL != "" && a.Checksum == "" && !secure(a.URL):
		return wrong("url", "what comes by http needs a checksum: anybody on the way could alter it")
	case a.URL != "" && a.Checksum == "" && a.Via != "target":
		return wrong("via", "via: %s needs a checksum", a.Via)
	case a.Via == "peer" && a.Convert:
		return wrong("convert", "convert does not go with via: peer, for what is passed on must be what the checksum is of")
	case a.Keep < 0:
		return wrong("keep", "keep must be 0 or more")
	}
	return errors.Join(a.Delivery.check(), checkName("name", a.name()))
}

func (a CloudImageArgs) origin() (origin, error) {
	o, err := newOrigin(a.URL, a.Checksum, a.Signature, a.Transfer)
	if a.Src != "" {
		o.what = string(a.Src)
	}
	o.member = a.Member
	return o, err
}

// name is what the files begin with.
func (a CloudImageArgs) name() string {
	if a.Name != "" {
		return a.Name
	}
	name := fileName(a.URL)
	if a.URL == "" {
		name = path.Base(string(a.Src))
	}
	for packedSuffix.MatchString(name) {
		name = packedSuffix.ReplaceAllString(name, "")
	}
	return name
}

// imagesProbe: dest, URI, pool, name.
const imagesProbe = placeProbe + listLib + `
list <<E
$(for f in "$dir/$4"-????????????.* "$dir/$4"-????????????-plain.*; do [ ! -f "$f" ] || printf '%s\n' "${f##*/}"; done)
E
`

// library is what a host has of an image.
type library struct {
	dir      string
	orphan   bool
	versions []file // the newest first
}

// parse reads what imagesProbe told.
func (a CloudImageArgs) parse(r *modules.Report) (library, error) {
	dir, err := a.Place.parse(r)
	if err != nil {
		return library{}, err
	}
	l := library{dir: dir, orphan: r.Has("orphan")}
	if r.Has("toolless") {
		return l, errNoQemuImg
	}
	files, err := parseFiles(r)
	if err != nil {
		return l, err
	}
	ours := regexp.MustCompile(`^` + regexp.QuoteMeta(a.name()) + `-[0-9a-f]{12}(-plain)?\.[a-z0-9]+$`)
	for _, f := range files {
		if ours.MatchString(f.name) {
			l.versions = append(l.versions, f)
		}
	}
	slices.SortStableFunc(l.versions, func(x, y file) int {
		n, _ := strconv.ParseInt(x.mtime, 10, 64)
		m, _ := strconv.ParseInt(y.mtime, 10, 64)
		return int(m - n)
	})
	return l, nil
}

// stem is what the file of a digest is called, without the suffix for its format.
func (a CloudImageArgs) stem(digest string) string {
	stem := a.name() + "-" + digest[:12]
	if a.Convert {
		stem += "-plain"
	}
	return stem
}

// find gives the version of a digest, or with none the newest one that came from the same place.
func (a CloudImageArgs) find(l library, digest string) *file {
	for i, f := range l.versions {
		switch {
		case digest == "" && f.record["source"] == a.source() && strings.Contains(f.name, "-plain.") == a.Convert,
			digest != "" && strings.HasPrefix(f.name, a.stem(digest)+"."):
			return &l.versions[i]
		}
	}
	return nil
}

// source stands for where an image comes from, in its record: a URL may have a secret in it.
func (a CloudImageArgs) source() string {
	sum := sha256.Sum256([]byte(a.URL + "\n" + string(a.Src) + "\n" + a.Checksum + "\n" + a.Member))
	return hex.EncodeToString(sum[:])
}

// imageJob is one run of the module.
type imageJob struct {
	CloudImageArgs
	h      *modules.Host
	by     *modules.Host // who downloads
	origin origin
	lib    library
	result CloudImageResult
}

func runCloudImage(ctx context.Context, h *modules.Host, a CloudImageArgs) (CloudImageResult, error) {
	job := imageJob{CloudImageArgs: a, h: h, by: h, result: CloudImageResult{Pool: a.Pool}}
	var err error
	if job.origin, err = a.origin(); err != nil {
		return job.result, err
	}
	if a.URL != "" {
		by, done, err := a.Delivery.downloader(ctx, h)
		if err != nil {
			return job.result, err
		}
		defer done()
		job.by = by
	}
	err = job.run(ctx)
	return job.result, err
}

func (j *imageJob) run(ctx context.Context) error {
	if err := j.look(ctx); err != nil {
		return err
	}
	if j.lib.orphan && !j.h.Planning() {
		return fmt.Errorf("the folder %s is not there", j.lib.dir)
	}
	current, err := j.current(ctx)
	if err != nil {
		return err
	}
	if current == nil {
		if current, err = j.bring(ctx); err != nil {
			return err
		}
	} else if err := j.keepWhole(ctx, current); err != nil {
		return err
	}
	if current != nil {
		j.tell(*current)
	}
	return j.prune(ctx, current)
}

func (j *imageJob) look(ctx context.Context) error {
	r, err := j.h.Probe(ctx, imagesProbe, j.probeArgs()...)
	if err == nil {
		j.lib, err = j.parse(r)
	}
	return err
}

func (j *imageJob) probeArgs() []string {
	return []string{string(j.Dest), j.URI, j.Pool, j.name()}
}

// current gives the version that is asked for, nil when it is not there. On the way the digest becomes known, where something tells it.
func (j *imageJob) current(ctx context.Context) (*file, error) {
	switch {
	case j.Src != "":
		return j.ofSrc()
	case j.origin.digest != "":
		return j.find(j.lib, j.origin.digest), nil
	}
	known := j.find(j.lib, "")
	switch {
	case known != nil && j.Refresh == "never":
		return known, nil
	case j.origin.list != "":
		if err := j.origin.resolve(ctx, j.by, j.h.Local()); err != nil {
			return nil, err
		}
		return j.find(j.lib, j.origin.digest), nil
	case known == nil || j.Refresh == "always":
		return nil, nil
	}
	newer, err := j.newer(ctx, known.record)
	if newer || err != nil {
		return nil, err
	}
	return known, nil
}

// ofSrc finds the version of a file of the controller.
func (j *imageJob) ofSrc() (*file, error) {
	o, err := j.origin.ofLocal(j.h.Local(), string(j.Src))
	if err != nil {
		return nil, err
	}
	j.origin = o
	return j.find(j.lib, o.digest), nil
}

// newer asks the server whether it has something else than what was recorded.
func (j *imageJob) newer(ctx context.Context, rec record) (bool, error) {
	if strings.HasPrefix(strings.ToLower(j.URL), "file:") {
		return true, nil
	}
	req, err := j.origin.request("HEAD", j.URL)
	if err != nil {
		return false, err
	}
	req.ReadOnly, req.Then = true, "\n"
	resp, err := ask(ctx, j.by, req)
	if err != nil {
		return false, err
	}
	if tag := resp.Header("ETag"); tag != "" && rec["etag"] != "" {
		return tag != rec["etag"], nil
	}
	date := resp.Header("Last-Modified")
	return date == "" || date != rec["modified"], nil
}

// keepWhole refuses a version that was altered since, and puts its permissions right.
func (j *imageJob) keepWhole(ctx context.Context, f *file) error {
	file := j.lib.dir + "/" + f.name
	if f.altered() {
		r, err := j.h.Probe(ctx, `sum=$(sha256sum <"$1") || exit 1; say sum "${sum%% *}"`, file)
		if err != nil {
			return fmt.Errorf("look at %s: %w", file, err)
		}
		if got := r.Text("sum"); got != f.record["sha256"] {
			return fmt.Errorf("%s was altered since it was fetched: its SHA-256 is %s, not %s. Remove it, and what stands on it, to have it fetched again",
				file, got, f.record["sha256"])
		}
	}
	if f.mode == "444" {
		return nil
	}
	_, err := j.h.Change(ctx, modules.Action{Why: "let nobody write to " + file, Argv: []string{"chmod", "0444", "--", file}})
	return modules.IgnorePlanned(err)
}

// tell fills in the result.
func (j *imageJob) tell(f file) {
	r := &j.result
	r.Volume, r.Path, r.Format = f.name, j.lib.dir+"/"+f.name, strings.TrimPrefix(path.Ext(f.name), ".")
	r.Checksum = f.record["checksum"]
	r.VirtualSize, _ = strconv.ParseInt(f.record["virtual"], 10, 64)
}
