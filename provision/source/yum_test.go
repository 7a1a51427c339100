package source

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/provision/catalogue"
)

func TestYumRepositoriesAreVerifiedAndLocked(t *testing.T) {
	for name, test := range map[string]struct {
		shape func(*fakeYum)
		// pkg is whether the package itself is signed.
		pkg    bool
		signed string
	}{
		"index and package": {func(*fakeYum) {}, true, "index, package"},
		"index alone":       {func(*fakeYum) {}, false, "index"},
		"package alone":     {func(y *fakeYum) { y.index = nil }, true, "package"},
	} {
		t.Run(name, func(t *testing.T) {
			y, c, ctx := newFakeYum(t), checker(t), context.Background()
			test.shape(y)
			key := y.published
			if !test.pkg {
				key = nil
			}
			pkg := mesosRPM(t, "1.11.1", "0.10.el8", key)
			y.add("1.11.1", "0.9.el8", "x86_64", []byte("old"))
			y.add("1.11.1", "0.10.el8", "x86_64", pkg)
			y.add("2.0", "1", "aarch64", []byte("other"))
			y.publish()
			got, r, err := c.Fetch(ctx, y.plan(), false)
			require.NoError(t, err)
			require.Equal(t, "1.11.1-0.10.el8", got.Locked.Version, "the newest, as RPM counts")
			require.Equal(t, []string{digest(pkg), test.signed}, []string{got.Locked.SHA256, got.Locked.Signed})
			require.Equal(t, fingerprintOf(y.published), got.Locked.KeyFingerprint)
			require.Equal(t, []string{"mesos", "1.11.1-0.10.el8", "amd64"}, []string{got.Inside.Package, got.Inside.Version, got.Inside.Arch})
			require.Equal(t, []string{"usr/bin/mesos-agent", "usr/bin/mesos-master", "usr/lib/systemd/system/mesos-agent.service", "usr/lib64/libmesos.so"}, got.Inside.Programs)
			require.Equal(t, catalogue.BindingYes, r.Plan.JavaBinding)
			c.Lock.Set(got.Locked)

			y.add("1.12.0", "1.el8", "x86_64", mesosRPM(t, "1.12.0", "1.el8", key))
			y.publish()
			again, _, err := c.Fetch(ctx, y.plan(), false)
			require.NoError(t, err)
			require.Equal(t, got.Locked, again.Locked, "what is locked stays")
			c.Offline = true
			off, _, err := c.Fetch(ctx, y.plan(), false)
			require.NoError(t, err)
			require.Equal(t, got.File, off.File)
			c.Offline, c.Update = false, true
			newer, _, err := c.Fetch(ctx, y.plan(), false)
			require.NoError(t, err)
			require.Equal(t, "1.12.0-1.el8", newer.Locked.Version)
			p := y.plan()
			p.Version = "3"
			require.Contains(t, c.Check(ctx, p).Findings.Error(), "has no mesos 3 (it has 1.11.1-0.9.el8, 1.11.1-0.10.el8, 1.12.0-1.el8; name one of them as mesos=VERSION-RELEASE")
		})
	}
}

func TestYumRepositoriesAreRefusedWithTheReason(t *testing.T) {
	for name, test := range map[string]struct {
		shape func(*fakeYum)
		want  []string
	}{
		"another's key": {func(y *fakeYum) { y.published = newKey(y.t, 0); y.publish() },
			[]string{"repodata/repomd.xml: is signed by key ", "but the key here is", "{rpm: URL, sha256: ...}"}},
		"expired key": {func(y *fakeYum) {
			y.index = newKey(y.t, 100)
			y.published, y.signed = y.index, today.AddDate(-1, 0, 10)
			y.publish()
		}, []string{"has expired on 2025-12-09 (today is 2026-08-31), so that dnf refuses the repository", `components.mesos.source: {rpm: "http://`, "prolonged key"}},
		"changed index": {func(y *fakeYum) {
			y.publish()
			y.put("repodata/repomd.xml", append(bytes.Clone(y.files["repodata/repomd.xml"]), '\n'))
		}, []string{"the signature is wrong"}},
		"changed list": {func(y *fakeYum) {
			y.publish()
			for name := range y.files {
				if strings.HasSuffix(name, "primary.xml.gz") {
					y.put(name, bytes.Repeat([]byte("x"), len(y.files[name])))
				}
			}
		}, []string{"primary.xml.gz: the sha256 is "}},
		"changed package":  {func(y *fakeYum) { y.publish(); y.put("Packages/mesos-1-1.x86_64.rpm", []byte("short")) }, []string{"the size is 5, but must be"}},
		"weak checksum":    {func(y *fakeYum) { y.checksum, y.entries = "sha", ""; y.add("1", "1", "x86_64", nil); y.publish() }, []string{`a "sha" checksum`}},
		"no such package":  {func(y *fakeYum) { y.entries = ""; y.publish() }, []string{"has no package mesos for x86_64"}},
		"leads elsewhere":  {func(y *fakeYum) { y.entries = strings.ReplaceAll(y.entries, "Packages/", "../../"); y.publish() }, []string{"is not below the repository"}},
		"nothing there":    {func(*fakeYum) {}, []string{"repodata/repomd.xml: answers 404"}},
		"not an index":     {func(y *fakeYum) { y.put("repodata/repomd.xml", []byte("<html>")) }, []string{"read repodata/repomd.xml"}},
		"an index of none": {func(y *fakeYum) { y.index = nil; y.put("repodata/repomd.xml", []byte("<repomd/>")) }, []string{"names no index of packages"}},
		"nobody signed": {func(y *fakeYum) {
			y.index = nil
			y.entries = ""
			y.add("1", "1", "x86_64", mesosRPM(y.t, "1", "1", nil))
			y.publish()
		}, []string{"neither the package nor the index of its repository is signed"}},
		"package of others": {func(y *fakeYum) {
			y.index, y.entries = nil, ""
			y.add("1", "1", "x86_64", mesosRPM(y.t, "1", "1", newKey(y.t, 0)))
			y.publish()
		}, []string{"rpm: is signed by key ", "but the key here is"}},
		"package of a key that ended": {func(y *fakeYum) {
			y.published = newKey(y.t, 100)
			y.index, y.entries = nil, ""
			y.add("1", "1", "x86_64", rpmOf(y.t, "mesos", "1", "1", map[string]string{"/usr/bin/mesos-master": "m"}, y.published, today.AddDate(-1, 0, 10)))
			y.publish()
		}, []string{"which signed the package, has expired on 2025-12-09", "{rpm: "}},
	} {
		t.Run(name, func(t *testing.T) {
			y, c := newFakeYum(t), checker(t)
			y.add("1", "1", "x86_64", mesosRPM(t, "1", "1", nil))
			test.shape(y)
			_, r, err := c.Fetch(context.Background(), y.plan(), false)
			require.Error(t, err)
			for _, want := range test.want {
				require.Contains(t, r.Findings.Error(), want)
			}
		})
	}
}

func TestAYumIndexThatLosesItsSignatureIsRefused(t *testing.T) {
	y, c, ctx := newFakeYum(t), checker(t), context.Background()
	y.add("1", "1", "x86_64", mesosRPM(t, "1", "1", y.published))
	y.publish()
	got, _, err := c.Fetch(ctx, y.plan(), false)
	require.NoError(t, err)
	c.Lock.Set(got.Locked)
	delete(y.files, "repodata/repomd.xml.asc")
	require.Contains(t, c.Check(ctx, y.plan()).Findings.Error(), "repomd.xml.asc is not there, and it was when the source was locked on 2026-08-31")
	c.Update = true
	require.Empty(t, c.Check(ctx, y.plan()).Findings)
}

func TestIndexAndPackageMayHaveKeysOfTheirOwn(t *testing.T) {
	y, c, ctx := newFakeYum(t), checker(t), context.Background()
	packager := newKey(t, 500)
	y.also = append(y.also, packager)
	y.add("1", "1", "x86_64", mesosRPM(t, "1", "1", packager))
	y.publish()
	got, _, err := c.Fetch(ctx, y.plan(), false)
	require.NoError(t, err)
	require.Equal(t, fingerprintOf(y.index)+", "+fingerprintOf(packager), got.Locked.KeyFingerprint)
	require.Equal(t, day(today.AddDate(-1, 0, 500)), got.Locked.KeyExpires)
	c.Lock.Set(got.Locked)
	again, _, err := c.Fetch(ctx, y.plan(), false)
	require.NoError(t, err)
	require.Equal(t, got.Locked, again.Locked)

	// A key that came into the file since is none.
	y.index, y.also = newKey(t, 0), append(y.also, newKey(t, 0))
	y.also[1] = y.index
	y.publish()
	require.Contains(t, c.Check(ctx, y.plan()).Findings.Error(), "is signed by key ")
}

func TestYumMirrorsAndVariables(t *testing.T) {
	y, c := newFakeYum(t), checker(t)
	y.add("1", "1", "x86_64", mesosRPM(t, "1", "1", nil))
	p := y.publish().plan()
	p.Yum.Mirrors, p.Yum.URL = []string{p.Yum.URL}, gone()
	r := c.Check(context.Background(), p)
	require.Empty(t, r.Findings)
	require.Equal(t, y.server.URL, r.Plan.Yum.URL)
	p.Facts.Arch = ""
	require.Contains(t, c.Check(context.Background(), p).Findings.Error(), "architecture of the hosts is not known")

	arm := Facts{System: "rocky", Suite: "9", Arch: "arm64"}
	require.Equal(t, "https://x/el9/aarch64", newYumRepository("https://x/el$releasever/${basearch}/", nil, KeyRef{}, arm).URL)
	p, found := resolver(t).Resolve(Mesos, config.Source{Catalog: "clusterd-rpm"}, alma)
	require.Empty(t, found)
	require.Equal(t, []string{"yum", "http://rpm.aventer.biz/AlmaLinux/8/x86_64", "BA227EBC312D2E43498A533963F8CEE149ACA59E"}, []string{string(p.Kind), p.Yum.URL, p.Yum.Key.Fingerprint})
	p, found = resolver(t).Resolve(Mesos, config.Source{Yum: "mesos=1-1", Repository: "https://x/el$releasever/", GPGKey: "keys/m.asc"}, alma)
	require.Empty(t, found)
	require.Equal(t, []string{"mesos", "1-1", "https://x/el8", "/cluster/keys/m.asc"}, []string{p.Package, p.Version, p.Yum.URL, p.Yum.Key.File})
	_, found = resolver(t).Resolve(Mesos, config.Source{Yum: "mesos", Repository: "http://repos.mesosphere.io/el/7/x86_64/", GPGKey: "k"}, alma)
	require.Contains(t, found.Error(), "is gone since")
}

func TestInspectLooksIntoRPMs(t *testing.T) {
	file := t.TempDir() + "/m.rpm"
	require.NoError(t, os.WriteFile(file, mesosRPM(t, "1.11.1", "0.1.el8", nil), 0o600))
	c, err := Inspect(file)
	require.NoError(t, err)
	require.Equal(t, "1.11.1-0.1.el8", c.Version)
	require.Equal(t, catalogue.BindingYes, c.JavaBinding)
	require.Equal(t, "2:1-1", rpmVersion("2", "1", "1"))
	require.True(t, newerRPM("1:1-1", "2-1"))
	require.True(t, newerRPM("1.0-1", "1.0~rc1-1"))
}
