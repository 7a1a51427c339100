package catalogue

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func TestTheCatalogueOfThisProgram(t *testing.T) {
	c, err := Load()
	require.NoError(t, err)
	require.Equal(t, []string{"clusterd", "clusterd-rpm", "mesos-apache-source", "mesos-openeuler"}, c.Names("mesos"))
	require.Subset(t, c.Names(""), []string{"marathon-image", "zookeeper-debian", "jenkins-war"})
	for _, name := range []string{"clusterd", "marathon-image"} {
		_, found := c.Entry(name)
		require.True(t, found, "%s is a default of cluster.yaml", name)
	}
	_, found := c.Entry("nothing")
	require.False(t, found)
	// What is named as a replacement must be there, and no living source may be on a dead host.
	for _, dead := range c.Dead {
		for _, part := range strings.Split(dead.Instead, "{catalog: ")[1:] {
			name, _, _ := strings.Cut(part, "}")
			_, found := c.Entry(name)
			require.True(t, found, "%s: %s", dead.Host, name)
		}
	}
	for _, e := range c.Entries {
		urls := []string{e.Home}
		for _, d := range e.Downloads {
			urls = append(append(urls, d.URL), d.Mirrors...)
		}
		for _, r := range e.Repositories {
			urls = append(append(urls, r.URI), r.Mirrors...)
		}
		for _, u := range urls {
			_, gone := c.Gone(u)
			require.False(t, gone, "%s: %s", e.Name, u)
		}
	}
}

func TestGone(t *testing.T) {
	c, err := Load()
	require.NoError(t, err)
	dead, gone := c.Gone("http://Downloads.Mesosphere.com:80/marathon/v1.5.0/marathon.tgz")
	require.True(t, gone)
	require.Equal(t, "2023-02", dead.Since)
	_, gone = c.Gone("https://s3.amazonaws.com/downloads.mesosphere.io/x")
	require.False(t, gone, "the bucket by its other name")
	_, gone = c.Gone("::")
	require.False(t, gone)
}

func TestWhatAVersionSupports(t *testing.T) {
	c, err := Load()
	require.NoError(t, err)
	e, _ := c.Entry("clusterd")
	for version, want := range map[string]struct {
		cgroups []int
		binding JavaBinding
		broken  bool
	}{
		"":                            {[]int{2}, BindingNo, false},
		"1.11.0-0.7.1.ubuntu2404":     {[]int{2}, BindingNo, false},
		"1.11.0-0.7.0.debian12":       {[]int{2}, BindingNo, true},
		"1.11.0-0.5.1":                {[]int{1, 2}, BindingNo, false},
		"1.11.0-0.4.0.ubuntu2204":     {[]int{1}, BindingNo, false},
		"1.11.0-0.2.0.debian11":       {[]int{1}, BindingUnknown, false},
		"1.11.0-0.10.0.ubuntu2604+b1": {[]int{2}, BindingNo, false},
	} {
		s, _, broken := e.At(version)
		require.Equal(t, want.cgroups, s.Cgroups, version)
		require.Equal(t, want.binding, s.JavaBinding, version)
		require.Equal(t, want.broken, broken != "", version)
	}
	repo, ok := e.For("ubuntu", "resolute")
	require.True(t, ok)
	require.Equal(t, "noble", repo.Suite, "the packages of noble run there")
	_, ok = e.For("debian", "noble")
	require.False(t, ok)
}

func TestCompare(t *testing.T) {
	require.Equal(t, -1, Compare("1.9.0", "1.11.0"))
	require.Equal(t, 1, Compare("1:1.0", "2.0"))
	require.Equal(t, 0, Compare("1.0-1", "1.0-1"))
	require.Equal(t, -1, Compare("?", "1"))
	require.Equal(t, 1, Compare("1", "?"))
	require.Equal(t, 0, Compare("?", "!"))
}

const whole = `name: x
title: X
component: mesos
kind: archive
lastSeen: 2026-01-02
home: https://x.example
trust: us
mesos: 1.11.0
versions: ["1"]
arch: [amd64]
downloads: [{version: "1", url: "https://x.example/x.tgz", sha256: ce08cb648a21502a4a0c45d240a596d9ac860fcaf717f9a3dc986da9d406fe34}]
supports: {cgroups: [1], javaBinding: "yes"}
layout: {master: sbin/mesos-master, units: [], enabled: []}
`

func readOne(text string) error {
	_, err := Read(fstest.MapFS{"x.yaml": {Data: []byte(text)}})
	return err
}

func TestStrictReading(t *testing.T) {
	require.NoError(t, readOne(whole))
	for name, test := range map[string]struct{ old, new, want string }{
		"unknown key":      {"trust: us", "trust: us\nsha: 1", "sha"},
		"other name":       {"name: x", "name: y", `must be "x"`},
		"component":        {"component: mesos", "component: memos", `"memos": is not known`},
		"no version":       {"mesos: 1.11.0", "", "mesos: the version is missing"},
		"kind":             {"kind: archive", "kind: floppy", `"floppy": is not known`},
		"day":              {"2026-01-02", "lately", "must be a day"},
		"no day":           {"lastSeen: 2026-01-02", "", "lastSeen: is missing"},
		"no url":           {"https://x.example/x.tgz", "x.tgz", "must be a URL"},
		"no checksum":      {", sha256: ce08cb648a21502a4a0c45d240a596d9ac860fcaf717f9a3dc986da9d406fe34", "", "needs a sha256 or a sha1"},
		"other version":    {`[{version: "1"`, `[{version: "2"`, "is not among versions"},
		"cgroup":           {"cgroups: [1]", "cgroups: [3]", "3: must be 1 or 2"},
		"binding":          {`javaBinding: "yes"`, "javaBinding: maybe", `"maybe": is not known`},
		"absolute":         {"sbin/mesos-master", "/sbin/mesos-master", "relative in an archive"},
		"enabled":          {"enabled: []", "enabled: [a.service]", `"a.service": is not among units`},
		"arch":             {"arch: [amd64]", "arch: [vax]", `"vax": must be`},
		"no arch":          {"arch: [amd64]", "", "arch: is missing"},
		"image elsewhere":  {"trust: us", "trust: us\nimage: a/b", "belongs to kind image"},
		"limit of nothing": {"layout:", "byVersion: [{note: n}]\nlayout:", "needs from or before"},
		"key":              {"layout:", "key: {url: \"https://k\", fingerprint: abc}\nlayout:", "40 hexadecimal digits"},
		"repository":       {"layout:", "repositories: [{system: debian, uri: \"https://k\", suite: x, arch: [amd64]}]\nlayout:", "components: are missing"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(whole, test.old, test.new, 1)
			require.NotEqual(t, whole, text)
			require.ErrorContains(t, readOne(text), test.want)
			require.ErrorContains(t, readOne(text), "x.yaml")
		})
	}
	_, err := Read(fstest.MapFS{"dead-hosts.yaml": {Data: []byte("hosts: [{host: a, since: long ago, seen: b, instead: c}]")}})
	require.ErrorContains(t, err, "must be YYYY-MM")
	_, err = Read(fstest.MapFS{"dead-hosts.yaml": {Data: []byte("hosts: [{name: a}]")}})
	require.Error(t, err)
}
