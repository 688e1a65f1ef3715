package files

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hostlerhq/hostler/internal/repofile"
	"github.com/hostlerhq/hostler/internal/secret"
	"github.com/hostlerhq/hostler/modules"
)

//go:embed yum_repository.go
var yumRepositorySource string

// YumRepository sees to one of dnf's repositories.
var YumRepository = modules.Define("yum_repository", yumRepositorySource+attributesSource, runYumRepository,
	modules.Aliases("ansible.builtin.yum_repository", "ansible.legacy.yum_repository"))

// YumFailover is in what order addresses are tried.
type YumFailover string

// Choices lists the orders.
func (YumFailover) Choices() []string { return []string{"roundrobin", "priority"} }

// YumCaching is what a proxy may keep.
type YumCaching string

// Choices lists it.
func (YumCaching) Choices() []string { return []string{"all", "packages", "none"} }

// YumResolve is the family of addresses.
type YumResolve string

// Choices lists the families.
func (YumResolve) Choices() []string { return []string{"4", "6", "IPv4", "IPv6", "whatever"} }

// YumKeep is whether packages are kept.
type YumKeep string

// Choices lists the answers.
func (YumKeep) Choices() []string { return []string{"0", "1"} }

// YumFilter is for what commands metadata may be old.
type YumFilter string

// Choices lists them.
func (YumFilter) Choices() []string {
	return []string{"never", "read-only:past", "read-only:present", "read-only:future"}
}

// YumRepositoryArgs see to one section of a file of yum.repos.d, which is a repository of dnf's or yum's. It has the options that are given and
// no others. The rest of the file stays as it is; a file without any section is removed.
//
//	# A repository whose packages are signed.
//	- yum_repository:
//	    name: epel
//	    description: Extra packages
//	    baseurl: https://download.fedoraproject.org/pub/epel/$releasever/Everything/$basearch/
//	    gpgcheck: true
//	    gpgkey: https://dl.fedoraproject.org/pub/epel/RPM-GPG-KEY-EPEL-9
type YumRepositoryArgs struct {
	// Name is the repository's id, the section's name.
	Name string `arg:"name" required:"true"`
	// Description is what dnf calls the repository; it is required for state present.
	Description *string `arg:"description"`
	// State is whether the repository shall be there.
	State modules.Presence `arg:"state" default:"present"`
	// File is the file's name without .repo; without, the repository's.
	File string `arg:"file"`
	// Reposdir is the folder of such files.
	Reposdir modules.Path `arg:"reposdir" default:"/etc/yum.repos.d"`
	// Async lets yum fetch in the background.
	Async *bool `arg:"async"`
	// Bandwidth is the most bytes in a second, for throttle in percent.
	Bandwidth *string `arg:"bandwidth"`
	// Baseurl are the addresses of the repository; one of baseurl, metalink and mirrorlist is required for state present.
	Baseurl []string `arg:"baseurl"`
	// Cost of the repository compared with others.
	Cost *string `arg:"cost"`
	// DeltarpmMetadataPercentage is how large metadata of deltas may be, in percent.
	DeltarpmMetadataPercentage *string `arg:"deltarpm_metadata_percentage"`
	// DeltarpmPercentage is how large deltas may be, in percent.
	DeltarpmPercentage *string `arg:"deltarpm_percentage"`
	// Enabled is whether the repository is used.
	Enabled *bool `arg:"enabled"`
	// Enablegroups is whether its groups are used.
	Enablegroups *bool `arg:"enablegroups"`
	// Exclude are packages not to take from it.
	Exclude []string `arg:"exclude"`
	// Failovermethod is in what order addresses are tried.
	Failovermethod YumFailover `arg:"failovermethod"`
	// GPGCAKey is the key that signs the others.
	GPGCAKey *string `arg:"gpgcakey"`
	// GPGCheck is whether packages must be signed.
	GPGCheck *bool `arg:"gpgcheck"`
	// GPGKey are the addresses of the keys.
	GPGKey []string `arg:"gpgkey"`
	// HTTPCaching is what a proxy may keep.
	HTTPCaching YumCaching `arg:"http_caching"`
	// Include is a further file of configuration.
	Include *string `arg:"include"`
	// Includepkgs are the only packages to take from it.
	Includepkgs []string `arg:"includepkgs"`
	// IPResolve is the family of addresses.
	IPResolve YumResolve `arg:"ip_resolve"`
	// Keepalive is whether connections are kept.
	Keepalive *bool `arg:"keepalive"`
	// Keepcache is whether packages are kept.
	Keepcache YumKeep `arg:"keepcache"`
	// MetadataExpire is how long metadata stays good: seconds, or with d, h or m; never.
	MetadataExpire *string `arg:"metadata_expire"`
	// MetadataExpireFilter is for what commands metadata may be older.
	MetadataExpireFilter YumFilter `arg:"metadata_expire_filter"`
	// Metalink is the address of a list of mirrors with digests.
	Metalink *string `arg:"metalink"`
	// Mirrorlist is the address of a list of mirrors.
	Mirrorlist *string `arg:"mirrorlist"`
	// MirrorlistExpire is how long that list stays good.
	MirrorlistExpire *string `arg:"mirrorlist_expire"`
	// ModuleHotfixes is whether its packages are seen whatever modules are on.
	ModuleHotfixes *bool `arg:"module_hotfixes"`
	// Password for the repository; it goes to the file.
	Password secret.Text `arg:"password"`
	// Priority of the repository, from 1, the highest, to 99.
	Priority *string `arg:"priority"`
	// Protect keeps its packages from being updated by others'.
	Protect *bool `arg:"protect"`
	// Proxy to go by; _none_ is none.
	Proxy *string `arg:"proxy"`
	// ProxyPassword for the proxy; it goes to the file.
	ProxyPassword secret.Text `arg:"proxy_password"`
	// ProxyUsername for the proxy.
	ProxyUsername *string `arg:"proxy_username"`
	// RepoGPGCheck is whether metadata must be signed.
	RepoGPGCheck *bool `arg:"repo_gpgcheck"`
	// Retries is how often a file is tried.
	Retries *string `arg:"retries"`
	// S3Enabled is whether the repository lies in S3.
	S3Enabled *bool `arg:"s3_enabled"`
	// SkipIfUnavailable goes on without the repository when it cannot be had.
	SkipIfUnavailable *bool `arg:"skip_if_unavailable"`
	// SSLCheckCertPermissions is whether others may not read the certificate.
	SSLCheckCertPermissions *bool `arg:"ssl_check_cert_permissions"`
	// SSLCACert is the path of the authorities' certificates.
	SSLCACert *string `arg:"sslcacert,alias=ca_cert"`
	// SSLClientCert is the path of our certificate.
	SSLClientCert *string `arg:"sslclientcert,alias=client_cert"`
	// SSLClientKey is the path of its key.
	SSLClientKey *string `arg:"sslclientkey,alias=client_key"`
	// SSLVerify is whether the repository's certificate must be good.
	SSLVerify *bool `arg:"sslverify,alias=validate_certs"`
	// Throttle is the most bytes in a second, or percent of bandwidth.
	Throttle *string `arg:"throttle"`
	// Timeout of a connection, in seconds.
	Timeout *string `arg:"timeout"`
	// UIRepoidVars are the variables that are shown with the id.
	UIRepoidVars *string `arg:"ui_repoid_vars"`
	// Username for the repository.
	Username *string `arg:"username"`
	Attributes
}

// YumRepositoryResult is what became of the repository.
type YumRepositoryResult struct {
	// Repo is the repository's id.
	Repo string `json:"repo"`
	// State is as it was given.
	State string `json:"state"`
}

// options are what the section shall have.
func (a YumRepositoryArgs) options() map[string]string {
	o := map[string]string{}
	for key, value := range map[string]*string{
		"name": a.Description, "bandwidth": a.Bandwidth, "cost": a.Cost, "deltarpm_metadata_percentage": a.DeltarpmMetadataPercentage,
		"deltarpm_percentage": a.DeltarpmPercentage, "gpgcakey": a.GPGCAKey, "include": a.Include, "metadata_expire": a.MetadataExpire,
		"metalink": a.Metalink, "mirrorlist": a.Mirrorlist, "mirrorlist_expire": a.MirrorlistExpire, "priority": a.Priority,
		"proxy": a.Proxy, "proxy_username": a.ProxyUsername, "retries": a.Retries, "sslcacert": a.SSLCACert, "sslclientcert": a.SSLClientCert,
		"sslclientkey": a.SSLClientKey, "throttle": a.Throttle, "timeout": a.Timeout, "ui_repoid_vars": a.UIRepoidVars, "username": a.Username,
	} {
		if value != nil {
			o[key] = strings.TrimSpace(*value)
		}
	}
	for key, value := range map[string]*bool{
		"async": a.Async, "enabled": a.Enabled, "enablegroups": a.Enablegroups, "gpgcheck": a.GPGCheck, "keepalive": a.Keepalive,
		"module_hotfixes": a.ModuleHotfixes, "protect": a.Protect, "repo_gpgcheck": a.RepoGPGCheck, "s3_enabled": a.S3Enabled,
		"skip_if_unavailable": a.SkipIfUnavailable, "ssl_check_cert_permissions": a.SSLCheckCertPermissions, "sslverify": a.SSLVerify,
	} {
		if value != nil {
			o[key] = given(*value, "1")
			if !*value {
				o[key] = "0"
			}
		}
	}
	for key, value := range map[string]string{
		"failovermethod": string(a.Failovermethod), "http_caching": string(a.HTTPCaching), "ip_resolve": string(a.IPResolve),
		"keepcache": string(a.Keepcache), "metadata_expire_filter": string(a.MetadataExpireFilter),
		"password": a.Password.Reveal(), "proxy_password": a.ProxyPassword.Reveal(),
		"baseurl": strings.Join(a.Baseurl, "\n"), "gpgkey": strings.Join(a.GPGKey, "\n"),
		"exclude": strings.Join(a.Exclude, " "), "includepkgs": strings.Join(a.Includepkgs, " "),
	} {
		if value != "" {
			o[key] = value
		}
	}
	return o
}

// file is the name of the repository's file.
func (a YumRepositoryArgs) file() string {
	if a.File != "" {
		return a.File
	}
	return a.Name
}

// Check refuses what dnf could not read, or would read as something else.
func (a YumRepositoryArgs) Check() error {
	bad := func(arg, format string, args ...any) error {
		return &modules.ArgError{Path: []any{arg}, Msg: fmt.Sprintf(format, args...)}
	}
	switch {
	case a.Name == "" || strings.ContainsAny(a.Name, "[]\n\r \t"):
		return bad("name", "%q is no id of a repository: it has no blanks and no brackets", a.Name)
	case strings.ContainsAny(a.file(), "/\n\x00"):
		return bad("file", "%q is no name of a file", a.file())
	case a.State == modules.Absent:
		return nil
	case len(a.Baseurl) == 0 && a.Metalink == nil && a.Mirrorlist == nil:
		return errors.New("Parameter 'baseurl', 'metalink' or 'mirrorlist' is required.")
	case a.Description == nil:
		return errors.New("Parameter 'description' is required.")
	}
	for _, list := range []struct {
		arg   string
		items []string
	}{{"baseurl", a.Baseurl}, {"gpgkey", a.GPGKey}, {"exclude", a.Exclude}, {"includepkgs", a.Includepkgs}} {
		for _, item := range list.items {
			if strings.ContainsAny(item, "\n\r") {
				return bad(list.arg, "argument %q must have no line's end within an item", list.arg)
			}
		}
	}
	for key, value := range a.options() {
		if key == "name" {
			key = "description"
		}
		if key != "baseurl" && key != "gpgkey" && strings.ContainsAny(value, "\n\r") {
			return bad(key, "argument %q must be one line", key)
		}
	}
	return nil
}

// yumRepositoryLook: the folder of the files, after the arguments of editScript.
const yumRepositoryLook = `
if [ -d "${10}" ]; then say folder 1; fi
`

func runYumRepository(ctx context.Context, h *modules.Host, a YumRepositoryArgs) (YumRepositoryResult, error) {
	r := YumRepositoryResult{a.Name, string(a.State)}
	path := strings.TrimSuffix(string(a.Reposdir), "/") + "/" + a.file() + ".repo"
	e := newEdit(modules.Path(path), a.Attributes, false, "")
	e.look, e.lookMore = yumRepositoryLook, []string{string(a.Reposdir)}
	e.told = func(r *modules.Report) error {
		if !r.Has("folder") {
			return fmt.Errorf("Repo directory '%s' does not exist.", a.Reposdir)
		}
		return nil
	}
	emptied := ""
	e.change = func(before string, exists bool) (edited, error) {
		text, left, err := a.edit(before)
		if left == 0 && err == nil && a.State == modules.Absent {
			if exists && text != before {
				emptied = before
			}
			return edited{content: before, leave: !exists || text != before}, nil
		}
		return edited{content: text, leave: !exists && text == ""}, err
	}
	_, err := e.run(ctx, h)
	if err != nil || emptied == "" {
		return r, err
	}
	h.AddDiff(modules.Diff{Before: emptied, BeforeHeader: path, AfterHeader: path})
	_, err = h.Change(ctx, modules.TextFile{Path: path, Empty: true}.Write("remove "+path+", which has no other repository"))
	return r, err
}

// edit gives the file's new text, and how many sections are then in it.
func (a YumRepositoryArgs) edit(text string) (string, int, error) {
	parts, err := repofile.Parse(text)
	if err != nil {
		return text, 0, err
	}
	at := slices.IndexFunc(parts, func(p repofile.Section) bool { return p.Name == a.Name })
	want := a.options()
	switch {
	case a.State == modules.Absent && at >= 0:
		parts = slices.Delete(parts, at, at+1)
	case a.State == modules.Absent, at >= 0 && maps.Equal(parts[at].Options, want):
	default:
		lines := []string{"[" + a.Name + "]\n"}
		for _, key := range slices.Sorted(maps.Keys(want)) {
			lines = append(lines, strings.TrimRight(key+" = "+strings.ReplaceAll(want[key], "\n", "\n\t"), " ")+"\n")
		}
		lines = append(lines, "\n")
		if at < 0 {
			parts, at = append(parts, repofile.Section{Name: a.Name}), len(parts)
			if at > 0 && !strings.HasSuffix(text, "\n") {
				lines = append([]string{"\n"}, lines...)
			}
		}
		parts[at].Lines = lines
	}
	var out strings.Builder
	sections := 0
	for _, p := range parts {
		out.WriteString(strings.Join(p.Lines, ""))
		if p.Name != "" {
			sections++
		}
	}
	return out.String(), sections, nil
}
