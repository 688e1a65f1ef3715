package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/hostlerhq/hostler/internal/cloudinit"
	"github.com/hostlerhq/hostler/internal/diag"
	"github.com/hostlerhq/hostler/vault"
	"github.com/spf13/cobra"
)

// seedOptions are those of `hostler seed`.
type seedOptions struct {
	user                            []string
	meta, network, vendor           string
	output, label, instance, checks string
}

func newSeed(s Streams) *cobra.Command {
	o := &seedOptions{}
	c := &cobra.Command{
		Use:   "seed --user-data FILE --meta-data FILE --output FILE",
		Short: "Make a seed image for cloud-init (NoCloud)",
		Long: "Check user-data, meta-data and network-config and write them as an ISO image that cloud-init finds\n" +
			"(NoCloud). No host is needed. The same files give the same image; one that is there already stays as it\n" +
			"is. The image has mode 0600, for seeds hold secrets. Without instance-id in the meta-data one is made\n" +
			"of the content, so that cloud-init takes up a changed seed.",
		Example: "  hostler seed --user-data user.yml --meta-data meta.yml --output vm1-seed.iso\n" +
			"  hostler seed --user-data base.yml --user-data setup.sh --meta-data meta.yml --network-config net.yml --output seed.iso",
		Args: cobra.NoArgs,
		RunE: func(_ *cobra.Command, _ []string) error { return o.run(s) },
	}
	fs := c.Flags()
	fs.StringArrayVar(&o.user, "user-data", nil, "cloud-config, script or other user-data; several become one multipart")
	fs.StringVar(&o.meta, "meta-data", "", "meta-data: instance-id, local-hostname")
	fs.StringVar(&o.network, "network-config", "", "network-config, version 1 or 2")
	fs.StringVar(&o.vendor, "vendor-data", "", "vendor-data, as user-data")
	fs.StringVar(&o.output, "output", "", "the image")
	fs.StringVar(&o.label, "label", "cidata", "the image's label: cidata or CIDATA")
	fs.StringVar(&o.instance, "instance-id", "", "instance-id where the meta-data have none")
	fs.StringVar(&o.checks, "validate", "schema", "what is checked of cloud-config: schema (keys too) or yaml")
	return c
}

func (o *seedOptions) run(s Streams) error {
	switch {
	case len(o.user) == 0 || o.meta == "" || o.output == "":
		return hintError{usageError{errors.New("--user-data, --meta-data and --output are needed")}, "hostler seed --help shows examples"}
	case o.label != "cidata" && o.label != "CIDATA":
		return usageError{fmt.Errorf("--label must be cidata or CIDATA, not %q: cloud-init looks for no other", o.label)}
	case o.checks != "schema" && o.checks != "yaml":
		return usageError{fmt.Errorf("--validate must be schema or yaml, not %q", o.checks)}
	case o.instance != "":
		if err := cloudinit.CheckInstanceID(o.instance); err != nil {
			return usageError{err}
		}
	}
	seed, err := o.seed(s)
	if err != nil {
		return err
	}
	image, err := seed.Image(o.label)
	if err != nil {
		return err
	}
	if info, err := os.Stat(o.output); err == nil && info.Mode() == 0o600 {
		if old, err := os.ReadFile(o.output); err == nil && bytes.Equal(old, image) {
			fmt.Fprintf(s.Out, "%s is as it should be\n", o.output)
			return nil
		}
	}
	if err := vault.ReplacePrivate(o.output, image); err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "%s is written (%d bytes)\n", o.output, len(image))
	return nil
}

// seed reads the files, checks them and tells what it finds.
func (o *seedOptions) seed(s Streams) (cloudinit.Seed, error) {
	seed := cloudinit.Seed{Schema: o.checks == "schema"}
	var parts []string
	var found diag.List
	for _, name := range o.user {
		text, err := seedFile("user-data", name)
		if err != nil {
			return seed, err
		}
		parts = append(parts, text.Text)
		seed.User = text
		if len(o.user) > 1 {
			found = append(found, seed.CheckUser()...)
		}
	}
	for _, f := range []struct {
		what, name string
		to         *cloudinit.File
	}{{"meta-data", o.meta, &seed.Meta}, {"network-config", o.network, &seed.Network}, {"vendor-data", o.vendor, &seed.Vendor}} {
		if f.name == "" {
			continue
		}
		var err error
		if *f.to, err = seedFile(f.what, f.name); err != nil {
			return seed, err
		}
	}
	if found.Err() == nil {
		var err error
		if seed.User.Text, err = cloudinit.Multipart(parts); err != nil {
			return seed, err
		}
		found = append(found, seed.Check()...)
	}
	if found.Err() != nil {
		return seed, found
	}
	if len(found) > 0 {
		printMistakes(s, found)
	}
	return seed.Identify(o.instance)
}

func seedFile(what, name string) (cloudinit.File, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return cloudinit.File{}, fileError("the "+what, name, err)
	}
	return cloudinit.File{Name: name, Text: string(text)}, nil
}
