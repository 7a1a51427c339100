package source

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/provision/catalogue"
)

var (
	bookworm = Facts{System: "debian", Suite: "bookworm", Arch: "amd64", Cgroup: 2, Java: 17}
	noble    = Facts{System: "ubuntu", Like: []string{"debian"}, Suite: "noble", Arch: "amd64", Cgroup: 2, Java: 21}
	alma     = Facts{System: "almalinux", Like: []string{"rhel", "centos", "fedora"}, Suite: "8", Arch: "amd64", Cgroup: 1, Java: 8}
)

const sum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func resolver(t *testing.T) *Resolver {
	known, err := catalogue.Load()
	require.NoError(t, err)
	return &Resolver{Catalogue: known, Abs: func(p string) string { return filepath.Join("/cluster", p) }}
}

func TestResolveKinds(t *testing.T) {
	r := resolver(t)
	plan := func(component string, s config.Source, f Facts) Plan {
		t.Helper()
		p, found := r.Resolve(component, s, f)
		require.Empty(t, found)
		return p
	}
	p := plan(Mesos, config.Source{Catalog: "clusterd"}, bookworm)
	require.Equal(t, KindApt, p.Kind)
	require.Equal(t, "aventer-mesos", p.Package)
	require.Equal(t, "http://rpm.aventer.biz/Debian", p.Repository.URI)
	require.Equal(t, "BA227EBC312D2E43498A533963F8CEE149ACA59E", p.Repository.Key.Fingerprint)
	require.Equal(t, catalogue.BindingNo, p.JavaBinding)
	require.Equal(t, "1.11.0", p.MesosVersion)
	require.Equal(t, "/usr/bin/mesos-agent", p.Layout.Agent)
	require.Equal(t, "deb [arch=amd64 signed-by=/k.asc] http://rpm.aventer.biz/Debian bookworm main", p.Repository.Line("/k.asc", "amd64"))

	require.Contains(t, strings.Join(p.Limits, "\n"), "its key BA22 7EBC 312D 2E43 498A 5339 63F8 CEE1 49AC A59E ends on 2026-09-28")
	require.Equal(t, "noble", plan(Mesos, config.Source{Catalog: "clusterd"}, Facts{System: "ubuntu", Suite: "resolute", Arch: "arm64"}).Repository.Suite)

	p = plan(Marathon, config.Source{Catalog: "marathon-image"}, bookworm)
	require.Equal(t, KindImage, p.Kind)
	require.Equal(t, "mesosphere/marathon:v1.11.24", p.Image)
	require.False(t, p.NeedsJavaBinding)

	p = plan(Marathon, config.Source{Catalog: "marathon-archive"}, bookworm)
	require.Equal(t, "974b48fb9ecc5457fc9e6c03009a0d81685b75cd", p.Artefact.SHA1)
	require.True(t, p.NeedsJavaBinding)

	p = plan(ZooKeeper, config.Source{Apt: "zookeeper=3.8.0-11"}, bookworm)
	require.Equal(t, []string{"zookeeper", "3.8.0-11"}, []string{p.Package, p.Version})
	require.Nil(t, p.Repository)

	p = plan(Mesos, config.Source{Apt: "mesos", Repository: "deb [arch=amd64 signed-by=keys/m.asc] https://x.example/debian bookworm main"}, bookworm)
	require.Equal(t, "/cluster/keys/m.asc", p.Repository.Key.File)
	require.Equal(t, []string{"main/binary-amd64/Packages"}, p.Repository.indexes("amd64"))

	p = plan(Mesos, config.Source{Deb: "mesos.deb"}, bookworm)
	require.Equal(t, "/cluster/mesos.deb", p.Artefact.Place())
	p = plan(Mesos, config.Source{RPM: "https://x.example/m.rpm", SHA256: strings.ToUpper(sum)}, alma)
	require.Equal(t, Artefact{URL: "https://x.example/m.rpm", SHA256: sum}, *p.Artefact)
	require.Equal(t, KindStandin, plan(Mesos, config.Source{Standin: true}, bookworm).Kind)
	require.Equal(t, "/cluster/opt/mesos", plan(Mesos, config.Source{Path: "opt/mesos"}, bookworm).Path)
	require.Equal(t, KindImage, plan(Marathon, config.Source{Image: "a/b@sha256:" + sum}, bookworm).Kind)
}

func TestResolveRefuses(t *testing.T) {
	r := resolver(t)
	v1 := bookworm
	v1.Cgroup = 1
	v2 := alma
	v2.Cgroup = 2
	noJava := bookworm
	noJava.Java = -1
	for name, test := range map[string]struct {
		component string
		source    config.Source
		facts     Facts
		want      string
	}{
		"no entry":          {Mesos, config.Source{Catalog: "mesosphere"}, bookworm, `no entry "mesosphere" in the catalogue (one of clusterd,`},
		"other component":   {Mesos, config.Source{Catalog: "marathon-image"}, bookworm, "is a source of marathon"},
		"suite":             {Mesos, config.Source{Catalog: "clusterd"}, Facts{System: "debian", Suite: "trixie", Arch: "amd64"}, "no packages for debian trixie"},
		"arch":              {Marathon, config.Source{Catalog: "marathon-image"}, Facts{System: "debian", Suite: "bookworm", Arch: "arm64"}, "is for amd64, and the host is arm64"},
		"arch of packages":  {Mesos, config.Source{Catalog: "clusterd"}, Facts{System: "debian", Suite: "bookworm", Arch: "riscv64"}, "for amd64 and arm64, and the host is riscv64"},
		"arch of the line":  {Mesos, config.Source{Apt: "m", Repository: "deb [arch=arm64 signed-by=k] https://x a main"}, bookworm, "is for arm64, and the host is amd64"},
		"cgroup v2 build":   {Mesos, config.Source{Catalog: "clusterd"}, v1, "works with cgroup v2, and the host has cgroup v1"},
		"cgroup v1 build":   {Mesos, config.Source{Catalog: "clusterd-rpm"}, v2, "works with cgroup v1, and the host has cgroup v2"},
		"Mesos image":       {Mesos, config.Source{Image: "a/b@sha256:" + sum}, bookworm, "would end all builds and the controller (name a package"},
		"ZooKeeper on RHEL": {ZooKeeper, config.Source{Apt: "zookeeper"}, alma, "no package of it: name the project's archive"},
		"deb on RHEL":       {Mesos, config.Source{Deb: "m.deb"}, alma, "is a Debian package, and the host runs almalinux"},
		"rpm on Debian":     {Mesos, config.Source{RPM: "m.rpm"}, noble, "is an RPM package, and the host runs ubuntu"},
		"dead archive":      {Marathon, config.Source{Archive: "http://downloads.mesosphere.com/marathon/v1.5.0/marathon-1.5.0.tgz", SHA256: sum}, bookworm, "gone since 2023-02"},
		"dead repository":   {Mesos, config.Source{Apt: "mesos", Repository: "deb [signed-by=k] http://repos.mesosphere.io/debian jessie main"}, bookworm, "instead: {catalog: clusterd}"},
		"no key":            {Mesos, config.Source{Apt: "mesos", Repository: "deb https://x a main"}, bookworm, "no signed-by=KEYFILE"},
		"trusted":           {Mesos, config.Source{Apt: "mesos", Repository: "deb [trusted=yes] https://x a main"}, bookworm, "would switch verification off"},
		"no Java":           {Marathon, config.Source{Archive: "m.tgz"}, noJava, "wants Java 8, and there is none"},
		"source code":       {Mesos, config.Source{Catalog: "mesos-apache-source"}, v1, "is source code"},
		"yum on Debian":     {Mesos, config.Source{Yum: "mesos", Repository: "https://x/el9", GPGKey: "k"}, noble, "is an RPM package, and the host runs ubuntu"},
		"yum elsewhere":     {Mesos, config.Source{Catalog: "clusterd-rpm"}, Facts{System: "rocky", Suite: "9", Arch: "amd64"}, "has no packages for rocky 9"},
		"nothing":           {Mesos, config.Source{}, bookworm, "has no source"},
		"unclosed":          {Mesos, config.Source{Apt: "m", Repository: "deb [signed-by=k https://x a main"}, bookworm, "is not closed"},
		"unknown option":    {Mesos, config.Source{Apt: "m", Repository: "deb [lang=de signed-by=k] https://x a main"}, bookworm, `"lang=de" is not known`},
		"flat with section": {Mesos, config.Source{Apt: "m", Repository: "deb [signed-by=k] https://x ./ main"}, bookworm, "needs components"},
		"no suite":          {Mesos, config.Source{Apt: "m", Repository: "deb [signed-by=k] https://x"}, bookworm, "must be deb"},
		"file repository":   {Mesos, config.Source{Apt: "m", Repository: "deb [signed-by=k] file:/x a main"}, bookworm, "must be an http"},
	} {
		t.Run(name, func(t *testing.T) {
			_, found := r.Resolve(test.component, test.source, test.facts)
			require.Len(t, found, 1, "%v", found)
			require.Contains(t, found.Error(), test.want)
			require.Contains(t, found[0].Subject, test.component)
			require.Equal(t, 3, found.ExitCode())
		})
	}
}

func TestUnknownFactsRefuseNothing(t *testing.T) {
	r := resolver(t)
	_, found := r.Resolve(Mesos, config.Source{RPM: "m.rpm"}, Facts{})
	require.Empty(t, found)
	_, found = r.Resolve(Marathon, config.Source{Catalog: "marathon-archive"}, Facts{})
	require.Empty(t, found)
}

func TestTogether(t *testing.T) {
	r := resolver(t)
	plan := func(component string, s config.Source) Plan {
		p, _ := r.Resolve(component, s, Facts{Arch: "amd64", System: "debian", Suite: "bookworm"})
		return p
	}
	clusterd, image := plan(Mesos, config.Source{Catalog: "clusterd"}), plan(Marathon, config.Source{Catalog: "marathon-image"})
	archive, own := plan(Marathon, config.Source{Archive: "m.tgz"}), plan(Mesos, config.Source{Deb: "m.deb"})
	require.Empty(t, Together([]Plan{clusterd, image}, config.LineHTTP))
	require.Empty(t, Together([]Plan{own, archive}, config.LineHTTP), "what is not known is not refused")
	require.Empty(t, Together([]Plan{archive}, config.LineHTTP))
	standins := []Plan{plan(Mesos, config.Source{Standin: true}), plan(Marathon, config.Source{Standin: true})}
	require.Empty(t, Together(standins, config.LineLibmesos))

	old := own
	old.MesosVersion = "1.4.1"
	for name, test := range map[string]struct {
		plans []Plan
		line  config.CloudLine
		want  string
	}{
		"Marathon without binding":  {[]Plan{clusterd, archive}, config.LineHTTP, "has no Java binding (use {catalog: marathon-image}"},
		"Marathon on the stand-in":  {[]Plan{standins[0], archive}, config.LineHTTP, "the stand-in of Mesos has none"},
		"Marathon beside an image":  {[]Plan{plan(Mesos, config.Source{Catalog: "mesos-openeuler"}), archive}, config.LineHTTP, "leaves it in the image"},
		"plugin without binding":    {[]Plan{clusterd, image}, config.LineLibmesos, "jenkins.cloud.line to http"},
		"plugin wants a newer one":  {[]Plan{old}, config.LineHTTP, "http line needs Mesos 1.9.0 or newer"},
		"Marathon wants a newer":    {[]Plan{old, image}, config.LineLibmesos, "needs Mesos 1.5.0 or newer"},
		"an older line is content":  {[]Plan{old}, config.LineLibmesos, ""},
		"Marathon of the apt kinds": {[]Plan{clusterd, plan(Marathon, config.Source{Deb: "marathon.deb"})}, config.LineHTTP, "has no Java binding"},
	} {
		t.Run(name, func(t *testing.T) {
			found := Together(test.plans, test.line)
			if test.want == "" {
				require.Empty(t, found)
				return
			}
			require.Len(t, found, 1)
			require.Contains(t, found.Error(), test.want)
		})
	}
}

func TestFacts(t *testing.T) {
	f, err := ParseFacts("ubuntu/noble/x86_64")
	require.NoError(t, err)
	require.Equal(t, "ubuntu/noble/amd64", f.String())
	require.Equal(t, []string{"any", "debian/?/?"}, []string{Facts{}.String(), Facts{System: "debian"}.String()})
	for _, bad := range []string{"debian", "debian//amd64", "beos/5/amd64"} {
		_, err := ParseFacts(bad)
		require.ErrorContains(t, err, bad)
	}
	f = osRelease("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\nVERSION_CODENAME=\"Blue Onyx\"\n")
	require.True(t, f.RedHat())
	require.False(t, f.Debian())
	require.Equal(t, "9", f.Suite)
	f = osRelease("ID=linuxmint\nID_LIKE='ubuntu debian'\nVERSION_CODENAME=wilma\n")
	require.True(t, f.Debian())
	require.Equal(t, "wilma", f.Suite)
}

func TestWanted(t *testing.T) {
	c, err := config.Parse([]byte("apiVersion: jomctl/v1\nname: ci\ntarget: local\n"), "cluster.yaml")
	require.NoError(t, err)
	for _, component := range Components() {
		s, err := Wanted(c, component)
		require.NoError(t, err)
		require.NotEqual(t, config.Source{}, s)
	}
	_, err = Wanted(c, "jenkins")
	require.ErrorContains(t, err, `"jenkins": must be one of zookeeper, mesos, marathon`)
	r, err := NewResolver(c)
	require.NoError(t, err)
	require.True(t, r.Local)
}
