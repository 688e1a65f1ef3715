package packages

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed package.go
var packageSource string

// Package is the module of whatever package manager the host has.
var Package = modules.Define("package", packageSource+aptSource+dnfSource+apkSource+zypperSource, runPackage, modules.Aliases("ansible.builtin.package", "ansible.legacy.package"))

// PackageArgs install and remove packages by the package manager that the host has, as its module does: apt, dnf, apk or zypper. Further arguments are those of
// that module; one that it does not know is an error.
//
//	# What a disk image and a folder need.
//	- package:
//	    name: [qemu-utils, rsync]
type PackageArgs struct {
	// Use is the module to take; auto is the one of the fact pkg_mgr, or when that was not gathered, of what the host has.
	Use string `arg:"use" default:"auto"`
	// Others are the arguments of that module.
	Others *value.Dict `arg:"*"`
}

// managed are the modules among which package chooses, with the program by which a host is known to have each.
func managed() []struct {
	module  *modules.Module
	program string
} {
	return []struct {
		module  *modules.Module
		program string
	}{{Apt, "apt-get"}, {Dnf, "dnf"}, {Dnf, "dnf5"}, {Dnf, "yum"}, {Apk, "apk"}, {Zypper, "zypper"}}
}

// Knows gives the names of all arguments that one of the modules has.
func (PackageArgs) Knows() []string {
	var names []string
	for _, m := range managed() {
		names = append(names, m.module.ArgNames()...)
	}
	return names
}

// PackageResult is that of the module taken.
type PackageResult struct {
	*AptResult
	*DnfResult
	*ApkResult
	*ZypperResult
}

// packageScript tells the first program there is.
const packageScript = `for p; do if command -v "$p" >/dev/null; then say manager "$p"; exit 0; fi; done`

func runPackage(ctx context.Context, h *modules.Host, a PackageArgs) (PackageResult, error) {
	name, err := a.manager(ctx, h)
	if err != nil {
		return PackageResult{}, err
	}
	switch name {
	case Apt.Name:
		r, err := handOn(ctx, h, Apt, a.Others, runApt)
		return PackageResult{AptResult: r}, err
	case "dnf", "dnf5", "yum":
		r, err := handOn(ctx, h, Dnf, a.Others, runDnf)
		return PackageResult{DnfResult: r}, err
	case Apk.Name:
		r, err := handOn(ctx, h, Apk, a.Others, runApk)
		return PackageResult{ApkResult: r}, err
	case Zypper.Name:
		r, err := handOn(ctx, h, Zypper, a.Others, runZypper)
		return PackageResult{ZypperResult: r}, err
	}
	return PackageResult{}, fmt.Errorf("Could not find a module for %s.", name)
}

// handOn runs a manager's module with the arguments that are its own.
func handOn[A, R any](ctx context.Context, h *modules.Host, m *modules.Module, others *value.Dict, run func(context.Context, *modules.Host, A) (R, error)) (*R, error) {
	args, warnings, err := modules.Decode[A](m, others)
	for _, w := range warnings {
		h.Warn("%s", w)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Name, err)
	}
	r, err := run(ctx, h, args)
	return &r, err
}

// manager gives the name of the module to take.
func (a PackageArgs) manager(ctx context.Context, h *modules.Host) (string, error) {
	if a.Use != "auto" {
		return a.Use[strings.LastIndexByte(a.Use, '.')+1:], nil
	}
	if facts := h.Facts(); facts != nil {
		if name := facts.Str("pkg_mgr"); name != "" && name != "unknown" {
			return name, nil
		}
	}
	var programs []string
	for _, m := range managed() {
		programs = append(programs, m.program)
	}
	told, err := h.Probe(ctx, packageScript, programs...)
	if err != nil {
		return "", fmt.Errorf("look for a package manager: %w", err)
	}
	at := slices.Index(programs, told.Text("manager"))
	if at < 0 {
		return "", fmt.Errorf("Could not detect which package manager to use: the host has none of %s. Try setting the \"use\" option.", strings.Join(programs, ", "))
	}
	return managed()[at].module.Name, nil
}
