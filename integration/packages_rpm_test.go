//go:build integration

package integration

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/transport/transporttest"
)

// rpms are the packages of the tests' own repository: the suite, the name and the version, and what else the head of the spec file has.
var rpms = []struct{ suite, name, version, more string }{
	{"stable", "hp-one", "1.0", ""},
	{"stable", "hp-one", "1.1", ""},
	{"testing", "hp-one", "2.0", ""},
	{"stable", "hp-two", "1.0", "Epoch: 1\nRequires: hp-lib >= 1.0\n"},
	{"stable", "hp-lib", "1.0", ""},
	{"stable", "hp-conf", "1.0", "Recommends: hp-extra\n"},
	{"stable", "hp-conf", "1.1", "Recommends: hp-extra\n"},
	{"stable", "hp-extra", "1.0", ""},
	{"stable", "hp-provider", "1.0", "Provides: hp-virtual\n"},
	{"stable", "hp-broken", "1.0", "Requires: hp-nowhere\n"},
	{"files", "hp-file", "1.0", "Requires: hp-lib\n"},
	{"files", "hp-one", "1.0", ""},
	{"files", "hp-fails", "1.0", "Provides: /bin/sh\n%post\nexit 3\n"},
}

// comps is the repository's one group.
const comps = `<?xml version="1.0"?>
<!DOCTYPE comps PUBLIC "-//Red Hat, Inc.//DTD Comps info//EN" "comps.dtd">
<comps><group><id>hp-group</id><name>HP Group</name><description/><default>false</default><uservisible>true</uservisible>
<packagelist><packagereq type="mandatory">hp-extra</packagereq></packagelist></group></comps>
`

// rpmRepository makes the repository: a folder of files, and one with metadata for each suite.
func rpmRepository(t *testing.T) string {
	t.Helper()
	transporttest.Installed(t, "rpmbuild")
	transporttest.Installed(t, "createrepo_c")
	repo := t.TempDir()
	args := []string{
		"-bb", "--quiet", "--define", "_topdir " + repo + "/build", "--define", "_dbpath " + repo + "/db",
		"--define", "_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
	}
	specs := map[string][]string{}
	for i, p := range rpms {
		spec := fmt.Sprintf("%s/%d.spec", repo, i)
		conf := ""
		if p.name == "hp-conf" {
			conf = "%config(noreplace) /etc/hp.conf\n"
		}
		mustWrite(t, spec, "Name: "+p.name+"\nVersion: "+p.version+"\nRelease: 1\nSummary: a test\nLicense: none\nBuildArch: noarch\n"+p.more+
			"%description\na test\n%install\nmkdir -p %{buildroot}/etc\necho "+p.version+" >%{buildroot}/etc/hp.conf\n"+
			"%define _unpackaged_files_terminate_build 0\n%files\n"+conf, 0o644)
		specs[p.suite] = append(specs[p.suite], spec)
	}
	for suite, list := range specs {
		dir := filepath.Join(repo, "www", suite)
		local(t, "", slices.Concat([]string{"rpmbuild", "--define", "_rpmdir " + dir}, args, list)...)
	}
	mustWrite(t, repo+"/comps.xml", comps, 0o644)
	local(t, "", "createrepo_c", "-q", "-g", repo+"/comps.xml", repo+"/www/stable")
	local(t, "", "createrepo_c", "-q", repo+"/www/testing")
	return filepath.Join(repo, "www")
}

// rpmHost starts a host whose rpm knows of nothing that is installed, and whose dnf and zypper know no repositories but the tests' own.
func rpmHost(t *testing.T, repo, setup string) transport.Conn {
	t.Helper()
	return layeredHost(t, `
mkdir -p /etc/rpm /etc/yum.repos.d /etc/zypp/repos.d /var/lib/rpm
echo '%_dbpath /var/lib/rpm' >/etc/rpm/macros
rm -rf /var/lib/rpm/* /var/cache/dnf /var/lib/dnf /var/cache/zypp /etc/yum.repos.d/* /etc/zypp/repos.d/*
rpm --initdb
[ -z "`+repo+`" ] || cp -r "`+repo+`" /var/repo
`+setup)
}

// hpRepos are the tests' repositories for dnf.
const hpRepos = `
printf '[hp]\nname=hp\nbaseurl=file:///var/repo/stable\ngpgcheck=0\n' >/etc/yum.repos.d/hp.repo
printf '[hptesting]\nname=hptesting\nbaseurl=file:///var/repo/testing\ngpgcheck=0\nenabled=0\n' >>/etc/yum.repos.d/hp.repo
`

// rpmsScript tells how the tests' packages are on a host.
const rpmsScript = `rpm -qa 'hp-*' | sort; ls /etc/hp.conf /var/downloads 2>&1; rpm -qa --root=/var/other 2>&1 | sort; :`
