package facts

import (
	"regexp"
	"strings"
)

// families maps a distribution's name to its family; a name that is missing is its own family.
var families = familyTable(map[string]string{
	"RedHat": "RedHat RHEL Fedora CentOS Scientific SLC Ascendos CloudLinux PSBM OracleLinux OVS OEL Amazon Virtuozzo XenServer " +
		"Alibaba EulerOS openEuler AlmaLinux Rocky TencentOS EuroLinux Kylin_Linux_Advanced_Server MIRACLE",
	"Debian": "Debian Ubuntu Raspbian Neon KDE_neon Linux_Mint SteamOS Devuan Kali Cumulus_Linux Pop!_OS Parrot " +
		"Pardus_GNU/Linux Uos Deepin OSMC Linuxfx",
	"Suse":       "SuSE SLES SLED openSUSE openSUSE_Tumbleweed SLES_SAP SUSE_LINUX openSUSE_Leap ALP-Dolomite SL-Micro openSUSE_MicroOS",
	"Archlinux":  "Archlinux Antergos Manjaro",
	"Mandrake":   "Mandrake Mandriva",
	"Gentoo":     "Gentoo Funtoo",
	"ClearLinux": "Clear_Linux_OS Clear_Linux_Mix",
})

// familyTable turns lists of names, blanks in them written as underscores, into a map.
func familyTable(lists map[string]string) map[string]string {
	table := map[string]string{}
	for family, list := range lists {
		for name := range strings.FieldsSeq(list) {
			table[name] = family
			table[strings.ReplaceAll(name, "_", " ")] = family
		}
	}
	return table
}

// byID are the distributions known by the ID of os-release where the name there is not the one Ansible uses.
var byID = map[string]string{
	"debian": "Debian", "raspbian": "Debian", "ubuntu": "Ubuntu", "linuxmint": "Linux Mint", "kali": "Kali", "parrot": "Parrot",
	"devuan": "Devuan", "steamos": "SteamOS", "deepin": "Deepin", "uos": "Uos", "neon": "KDE neon", "pop": "Pop!_OS",
	"rhel": "RedHat", "centos": "CentOS", "fedora": "Fedora", "rocky": "Rocky", "almalinux": "AlmaLinux", "ol": "OracleLinux",
	"amzn": "Amazon", "scientific": "Scientific", "eurolinux": "EuroLinux", "openEuler": "openEuler", "cloudlinux": "CloudLinux",
	"alpine": "Alpine", "arch": "Archlinux", "manjaro": "Manjaro", "gentoo": "Gentoo", "slackware": "Slackware",
	"altlinux": "Altlinux", "openwrt": "OpenWrt", "clear-linux-os": "Clear Linux OS", "flatcar": "Flatcar",
}

var (
	inParentheses = regexp.MustCompile(`\(([^)]+)\)`)
	debianPoint   = regexp.MustCompile(`(\d+)\.(\d+)`)
	numbers       = regexp.MustCompile(`\d+(\.\d+)*`)
)

// distribution names the Linux, from os-release and the older release files, with Ansible's names and versions.
func (o *output) distribution() *Distribution {
	file := "/etc/os-release"
	if len(o.files[file]) == 0 {
		file = "/usr/lib/os-release"
	}
	rel := assignments(o.files[file])
	d := &Distribution{
		Name: byID[rel["ID"]], Version: rel["VERSION_ID"], Release: releaseName(rel),
		FilePath: file, FileParsed: true,
	}
	if d.Name == "" {
		d.Name = rel["NAME"]
	}
	switch {
	case len(rel) == 0:
		o.oldRelease(d)
	case strings.Contains(strings.ToLower(rel["ID"]+rel["ID_LIKE"]), "suse"):
		o.suse(d, rel)
	case d.Name == "Alpine":
		d.Version, d.Release = o.first("/etc/alpine-release"), "NA"
		d.FilePath, d.FileVariety = "/etc/alpine-release", "Alpine"
	case o.exist["/etc/arch-release"]:
		d.Name, d.FileVariety, d.FilePath, d.FileParsed = "Archlinux", "Archlinux", "/etc/arch-release", false
	case d.Name == "Amazon":
		d.FileVariety = "Amazon"
		d.MinorVersion = "NA"
		if _, minor, ok := strings.Cut(d.Version, "."); ok {
			d.MinorVersion = minor
		}
	case families[d.Name] == "RedHat" || o.first("/etc/redhat-release") != "":
		o.redHat(d)
	case families[d.Name] == "Debian" || strings.Contains(rel["ID_LIKE"], "debian"):
		o.debian(d, rel)
	default:
		d.FileVariety = "NA"
	}
	finish(d)
	return d
}

// finish fills in what follows from the rest.
func finish(d *Distribution) {
	if d.Version == "" {
		d.Version = "NA"
	}
	if d.Name == "" {
		d.Name = "NA"
	}
	d.MajorVersion, _, _ = strings.Cut(d.Version, ".")
	d.OSFamily = d.Name
	if family, ok := families[d.Name]; ok {
		d.OSFamily = family
	}
}

// releaseName is the distribution's code name where os-release tells one.
func releaseName(rel map[string]string) string {
	for _, key := range []string{"VERSION_CODENAME", "UBUNTU_CODENAME"} {
		if name, ok := rel[key]; ok {
			return name
		}
	}
	if m := inParentheses.FindStringSubmatch(rel["VERSION"]); m != nil {
		return m[1]
	}
	return "NA"
}

func (o *output) debian(d *Distribution, rel map[string]string) {
	d.FileVariety = "Debian"
	point := debianPoint.FindStringSubmatch(o.first("/etc/debian_version"))
	if d.Name == "Debian" {
		if m := inParentheses.FindStringSubmatch(rel["PRETTY_NAME"]); m != nil {
			d.Release = m[1]
		}
		if point != nil {
			d.MinorVersion = point[2]
			if rel["ID"] == "debian" {
				d.Version = point[0]
			}
		} else if d.Version == "" && d.Release == "NA" {
			// Testing and unstable: "trixie/sid" is all there is.
			d.Release, _, _ = strings.Cut(o.first("/etc/debian_version"), "/")
		}
	}
}

// redHat reads the release file of Fedora, RHEL and their kin; it has the name and the code name.
func (o *output) redHat(d *Distribution) {
	d.FilePath, d.FileVariety = "/etc/redhat-release", "RedHat"
	switch {
	case o.first("/etc/oracle-release") != "":
		d.FilePath, d.FileVariety, d.SearchString = "/etc/oracle-release", "OracleLinux", "Oracle Linux"
	case o.first("/etc/centos-release") != "":
		d.FilePath, d.FileVariety = "/etc/centos-release", "CentOS"
	}
	text := o.first(d.FilePath)
	if d.FileVariety == "RedHat" && strings.Contains(text, "Red Hat") {
		d.SearchString = "Red Hat"
	}
	if m := inParentheses.FindStringSubmatch(text); m != nil && d.Release == "NA" {
		d.Release = m[1]
	}
	if d.Name == "CentOS" {
		// os-release has the major version only.
		if v := numbers.FindString(text); v != "" {
			parts := strings.Split(v, ".")
			d.Version = strings.Join(parts[:min(2, len(parts))], ".")
		}
		if strings.Contains(text, "Stream") {
			d.Release = "Stream"
		}
	}
}

func (o *output) suse(d *Distribution, rel map[string]string) {
	d.Name, d.FileVariety = rel["NAME"], "SUSE"
	_, minor, _ := strings.Cut(d.Version, ".")
	d.Release = minor
	if minor == "" && strings.Contains(strings.ToLower(rel["PRETTY_NAME"]), "enterprise") {
		d.Release = "0"
	}
}

// oldRelease is for systems from before os-release (EL 6).
func (o *output) oldRelease(d *Distribution) {
	d.FilePath, d.FileParsed = "", false
	text := o.first("/etc/redhat-release")
	if text == "" {
		return
	}
	d.Name, _, _ = strings.Cut(text, " ")
	if strings.Contains(text, "Red Hat") {
		d.Name = "RedHat"
	}
	d.Version = numbers.FindString(text)
	d.FileParsed = true
	o.redHat(d)
}
