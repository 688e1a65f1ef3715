package images

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/hostlerhq/hostler/modules"
)

// bring fetches the image and publishes it; nil in check mode where nobody can tell what it will be called.
func (j *imageJob) bring(ctx context.Context) (*file, error) {
	prefix := ""
	if j.origin.digest != "" {
		prefix = j.stem(j.origin.digest)
	}
	c := &courier{h: j.h, by: j.by, origin: j.origin, dir: j.lib.dir, Delivery: j.Delivery, src: string(j.Src)}
	defer c.close()
	got, err := c.bring(ctx, prefix)
	j.result.From, j.result.Relayed = c.from, c.relayed
	switch {
	case errors.Is(err, modules.ErrPlanned):
		return j.foresee(ctx)
	case err != nil:
		return nil, err
	case got.there:
		if err := j.look(ctx); err != nil {
			return nil, err
		}
		if f := j.find(j.lib, j.origin.digest); f != nil {
			return f, nil
		}
		return nil, fmt.Errorf("somebody else published %s and removed it", j.stem(j.origin.digest))
	}
	format := string(j.Format)
	if format == "auto" {
		format = ""
	}
	if err := got.check(j.origin.what, format); err != nil {
		return nil, errors.Join(err, discard(ctx, j.h, got.path))
	}
	if f := j.find(j.lib, got.digest); f != nil { // nothing told before that it is the same
		return f, discard(ctx, j.h, got.path)
	}
	return j.publish(ctx, got)
}

// foresee announces in check mode what follows.
func (j *imageJob) foresee(ctx context.Context) (*file, error) {
	_, err := j.h.Change(ctx, j.actions(staged{}, "", nil)...)
	if j.origin.digest == "" || j.Format == "auto" && !j.Convert {
		return nil, modules.IgnorePlanned(err)
	}
	format := string(j.Format)
	if j.Convert {
		format = "qcow2"
	}
	return &file{name: j.stem(j.origin.digest) + "." + format, record: record{"checksum": j.origin.algorithm + ":" + j.origin.digest}}, modules.IgnorePlanned(err)
}

// actions bring a staged image to its place.
func (j *imageJob) actions(s staged, name string, rec record) []modules.Action {
	from := ""
	if j.Convert {
		from = s.info.Format
	}
	publish := modules.Action{
		Why: "publish " + j.name() + " in " + j.lib.dir, Script: publishScript, Args: []string{s.path, j.lib.dir, name, from}, Stdin: []byte(rec.text()),
	}
	return append([]modules.Action{publish}, j.refresh()...)
}

// publish brings a staged image to its place and looks whether it is there.
func (j *imageJob) publish(ctx context.Context, got fetched) (*file, error) {
	algorithm := j.origin.algorithm
	if algorithm == "" {
		algorithm = "sha256"
	}
	format, whole := got.info.Format, ""
	if j.Convert {
		format = "qcow2"
	} else if !got.packed {
		whole = "yes"
	}
	name := j.stem(got.digest) + "." + format
	rec := record{
		"source": j.source(), "checksum": algorithm + ":" + got.digest, "virtual": strconv.FormatInt(got.info.VirtualSize, 10),
		"path": j.lib.dir + "/" + name, "whole": whole, "etag": got.Header("ETag"), "modified": got.Header("Last-Modified"),
	}
	r, err := j.h.ChangeAndProbe(ctx, j.actions(got.staged, name, rec), imagesProbe, j.probeArgs()...)
	if err != nil {
		return nil, errors.Join(err, discard(ctx, j.h, got.path))
	}
	if j.lib, err = j.parse(r); err != nil {
		return nil, fmt.Errorf("look at the host again: %w", err)
	}
	if f := j.find(j.lib, got.digest); f != nil && f.mode == "444" {
		return f, nil
	}
	return nil, fmt.Errorf("did not converge: %s was published and is not there", name)
}

// prune removes the older versions beyond those to keep that nothing stands on.
func (j *imageJob) prune(ctx context.Context, current *file) error {
	var older []file
	for _, f := range j.lib.versions {
		j.result.Versions = append(j.result.Versions, f.name)
		if current == nil || f.name != current.name {
			older = append(older, f)
		}
	}
	if len(older) <= j.Keep {
		return nil
	}
	r, err := j.h.Probe(ctx, usersProbe, j.probeArgs()...)
	if err != nil {
		return fmt.Errorf("look who uses the older versions: %w", err)
	}
	used, err := parseUsers(r, j.lib.dir)
	if err != nil {
		j.h.Warn("the older versions of %s stay: %v", j.name(), err)
		return nil
	}
	kept := 0
	var actions []modules.Action
	for _, f := range older {
		switch {
		case used[j.lib.dir+"/"+f.name]:
		case kept < j.Keep:
			kept++
		default:
			actions = append(actions, modules.Action{
				Why: "remove the version " + f.name, Script: removeScript, Args: []string{j.lib.dir, f.name},
			})
			j.result.Removed = append(j.result.Removed, f.name)
		}
	}
	if len(actions) == 0 {
		return nil
	}
	j.result.Versions = slices.DeleteFunc(j.result.Versions, func(n string) bool { return slices.Contains(j.result.Removed, n) })
	_, err = j.h.Change(ctx, append(actions, j.refresh()...)...)
	return err
}
