package source

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/provision/catalogue"
)

// vendorFiles are those of a package as the vendor made it.
var vendorFiles = []string{"/etc/default/mesos-master", "/etc/default/mesos-slave", "/etc/mesos-master", "/usr/sbin/mesos-master", "/usr/sbin/mesos-slave", "/usr/sbin/mesos-agent", "/usr/lib/libmesos-1.11.0.so", "/usr/lib/libmesos.so",
	"/usr/libexec/mesos/mesos-containerizer", "/usr/share/mesos/webui/index.html", "/usr/share/mesos/webui/app/index.html",
	"/lib/systemd/system/mesos-master.service", "/lib/systemd/system/mesos-slave.service", "/etc/mesos/zk"}

// wantedMesos is a plan and what was fetched for it: a package of a repository.
func wantedMesos(t *testing.T) (*fakeHost, Plan, Fetched) {
	h := newFakeHost()
	deb := mesosDeb(t, "1.11.0-2", false)
	h.packages["mesos=1.11.0-2"], h.packages["libsvn1=1.14"] = vendorFiles, nil
	h.sums["mesos=1.11.0-2"] = digest(deb)
	file := filepath.Join(t.TempDir(), "mesos.deb")
	require.NoError(t, os.WriteFile(file, deb, 0o600))
	p := Plan{Component: Mesos, Kind: KindApt, Title: "catalog clusterd", Package: "mesos", Facts: bookworm, ExtraPackages: []string{"libsvn1"},
		Repository: &Repository{URI: "http://repo.example", Suite: "bookworm", Components: []string{"main"}}}
	return h, p, Fetched{File: file, Key: []byte("KEY"), Inside: Contents{Package: "mesos", Version: "1.11.0-2"},
		Locked: Locked{Version: "1.11.0-2", SHA256: digest(deb), URL: "http://repo.example/mesos.deb"}}
}

func installer(says *[]string) *Installer {
	return &Installer{Say: func(text string) { *says = append(*says, text) }, Pause: func(context.Context) error { return nil }}
}

func TestInstallFromARepository(t *testing.T) {
	h, p, f := wantedMesos(t)
	var says []string
	i, ctx := installer(&says), context.Background()
	_, why, err := i.Probe(ctx, h, p, f)
	require.NoError(t, err)
	require.Equal(t, "is not installed", why)

	programs, changed, err := i.Install(ctx, h, p, f)
	require.NoError(t, err)
	require.True(t, changed)
	want := Programs{Package: "mesos", Version: "1.11.0-2", Master: "/usr/sbin/mesos-master", Agent: "/usr/sbin/mesos-agent", Library: "/usr/lib/libmesos.so",
		LauncherDir: "/usr/libexec/mesos", WebUI: "/usr/share/mesos/webui", Units: []string{"mesos-master.service", "mesos-slave.service"}}
	require.Equal(t, want, programs)
	keyring := p.Repository.keyring()
	require.Regexp(t, `^/etc/apt/keyrings/jomctl-repo\.example-[0-9a-f]{8}\.asc$`, keyring)
	require.Equal(t, "KEY", h.files[keyring])
	require.Contains(t, h.files[p.Repository.list("amd64")], "deb [arch=amd64 signed-by="+keyring+"] http://repo.example bookworm main\n")
	require.Equal(t, map[string]bool{"mesos-master.service": true, "mesos-slave.service": true}, h.masked)
	require.True(t, h.held["mesos"])
	require.Equal(t, "1.14", h.installed["libsvn1"], "what the package forgot to name")
	require.Equal(t, []string{policyText}, h.policies, "no service is started")
	require.NotContains(t, h.files, policyPath)
	require.Empty(t, says)

	before := len(h.ran)
	again, changed, err := i.Install(ctx, h, p, f)
	require.NoError(t, err)
	require.False(t, changed)
	require.Equal(t, want, again)
	for _, line := range h.ran[before:] {
		require.Regexp(t, `^(dpkg-query|systemctl is-enabled) `, line, "a second time only looks")
	}
}

func TestDriftIsSeenAndRepaired(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(*fakeHost, *Fetched)
		want  string
	}{
		"another version": {func(h *fakeHost, _ *Fetched) { h.installed["mesos"] = "1.9" }, `package mesos is "1.9", not "1.11.0-2"`},
		"removed":         {func(h *fakeHost, _ *Fetched) { delete(h.installed, "mesos") }, `package mesos is "", not`},
		"half configured": {func(h *fakeHost, _ *Fetched) { h.status["mesos"] = "iF " }, `package mesos is "", not`},
		"program gone":    {func(h *fakeHost, _ *Fetched) { delete(h.files, "/usr/sbin/mesos-agent") }, "/usr/sbin/mesos-agent is gone"},
		"unit unmasked":   {func(h *fakeHost, _ *Fetched) { delete(h.masked, "mesos-slave.service") }, "mesos-slave.service is not masked"},
		"record damaged":  {func(h *fakeHost, _ *Fetched) { h.files["/var/lib/jomctl/sources/mesos.json"] = "{" }, "its record on the host is damaged"},
		"other wish":      {func(_ *fakeHost, f *Fetched) { f.Locked.KeyExpires, f.Locked.Image = "x", "other" }, "something else is installed"},
	} {
		t.Run(name, func(t *testing.T) {
			h, p, f := wantedMesos(t)
			i, ctx := installer(&[]string{}), context.Background()
			_, _, err := i.Install(ctx, h, p, f)
			require.NoError(t, err)
			test.spoil(h, &f)
			_, why, err := i.Probe(ctx, h, p, f)
			require.NoError(t, err)
			require.Contains(t, why, test.want)
			_, changed, err := i.Install(ctx, h, p, f)
			require.NoError(t, err)
			require.True(t, changed)
			_, why, err = i.Probe(ctx, h, p, f)
			require.NoError(t, err)
			require.Empty(t, why)
		})
	}
}

func TestInstallWaitsForAnotherAptAndEndsAnInterruptedOne(t *testing.T) {
	h, p, f := wantedMesos(t)
	h.lockedFor, h.interrupted = 3, true
	var says []string
	_, _, err := installer(&says).Install(context.Background(), h, p, f)
	require.NoError(t, err)
	require.Len(t, says, 2)
	require.Contains(t, says[0], "m1: an earlier installation was interrupted")
	require.Contains(t, says[1], "held by process 812 (unattended-upgr)")

	h, p, f = wantedMesos(t)
	h.lockedFor = 1 << 30
	i, stop := installer(&says), errors.New("stopped")
	i.Pause = func(context.Context) error { return stop }
	_, _, err = i.Install(context.Background(), h, p, f)
	require.ErrorIs(t, err, stop)
	require.NotContains(t, h.files, policyPath, "taken away whatever happened")

	h, p, f = wantedMesos(t)
	h.interrupted, h.fail = true, "dpkg --force-confdef"
	_, _, err = i.Install(context.Background(), h, p, f)
	require.ErrorContains(t, err, "m1: install mesos (catalog clusterd): an earlier installation was interrupted and cannot be ended; see `dpkg --audit`")
}

func TestTheHostsOwnPolicyComesBack(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"present":         {policyPath: "own"},
		"interrupted run": {policyPath: policyText, savedPath: "own"},
	} {
		t.Run(name, func(t *testing.T) {
			h, p, f := wantedMesos(t)
			for file, text := range files {
				h.files[file] = text
			}
			_, _, err := installer(&[]string{}).Install(context.Background(), h, p, f)
			require.NoError(t, err)
			require.Equal(t, "own", h.files[policyPath])
			require.NotContains(t, h.files, savedPath)
		})
	}
}

func TestComponentsOfOneRepositoryShareItsKey(t *testing.T) {
	one := Repository{URI: "http://repo.example:8080/debian", Suite: "bookworm", Components: []string{"main"}}
	other := one
	require.Equal(t, one.keyring(), other.keyring())
	require.Equal(t, one.list("amd64"), other.list("amd64"), "apt warns of a line that comes twice")
	other.Components = []string{"contrib"}
	require.Equal(t, one.keyring(), other.keyring(), "apt fails on two keys for one suite")
	require.NotEqual(t, one.list("amd64"), other.list("amd64"))
	other.Suite = "trixie"
	require.NotEqual(t, one.keyring(), other.keyring())
}

func TestInstallRefuses(t *testing.T) {
	_, plan, _ := wantedMesos(t)
	wanted := plan.Repository
	for name, test := range map[string]struct {
		spoil func(*fakeHost, *Plan, *Fetched)
		want  string
	}{
		"the host sees another package": {func(h *fakeHost, _ *Plan, _ *Fetched) { h.sums["mesos=1.11.0-2"] = sum }, "as the host sees it: the sha256 is " + sum},
		"not verified":                  {func(_ *fakeHost, _ *Plan, f *Fetched) { f.Key = nil }, "was not verified before"},
		"repository down":               {func(h *fakeHost, _ *Plan, _ *Fetched) { h.fail = "apt-get -q update" }, "read the repository http://repo.example"},
		"apt fails":                     {func(h *fakeHost, _ *Plan, _ *Fetched) { h.fail = "apt-get -q install" }, "it fell over"},
		"nothing useful in it":          {func(h *fakeHost, _ *Plan, _ *Fetched) { h.packages["mesos=1.11.0-2"] = []string{"/usr/bin/other"} }, "there is no mesos-master in it"},
		"disk full":                     {func(h *fakeHost, _ *Plan, _ *Fetched) { h.fail = "write " + wanted.keyring() }, "write the repository's key: no space left"},
		"unit cannot be masked":         {func(h *fakeHost, _ *Plan, _ *Fetched) { h.fail = "systemctl mask" }, "mask the package's own mesos-master.service"},
		"hold":                          {func(h *fakeHost, _ *Plan, _ *Fetched) { h.fail = "apt-mark" }, "hold package mesos"},
		"kind":                          {func(_ *fakeHost, p *Plan, _ *Fetched) { p.Kind = "floppy" }, `kind "floppy" is not known`},
	} {
		t.Run(name, func(t *testing.T) {
			h, p, f := wantedMesos(t)
			test.spoil(h, &p, &f)
			_, _, err := installer(&[]string{}).Install(context.Background(), h, p, f)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, h.files, policyPath)
			require.NotContains(t, h.files, "/var/lib/jomctl/sources/mesos.json", "not recorded as done")
			if strings.Contains(test.want, "read the repository") {
				require.NotContains(t, h.files, wanted.list("amd64"), "apt of the host works as before")
			}
		})
	}
}

func TestInstallUploadsPackages(t *testing.T) {
	for _, kind := range []Kind{KindApt, KindDeb} {
		h, p, f := wantedMesos(t)
		p.Kind = kind
		i := installer(&[]string{})
		i.Upload = true
		programs, _, err := i.Install(context.Background(), h, p, f)
		require.NoError(t, err)
		require.Equal(t, "1.11.0-2", programs.Version)
		require.Equal(t, 0, h.count("apt-get -q update"))
		for file := range h.files {
			require.NotContains(t, file, "incoming", "the upload is removed")
		}
		require.NoError(t, os.WriteFile(f.File, []byte("changed"), 0o600))
		delete(h.installed, "mesos")
		_, _, err = i.Install(context.Background(), h, p, f)
		require.ErrorContains(t, err, "the sha256 is")
	}
}

func TestInstallFromTheSystemsOwnSources(t *testing.T) {
	h := newFakeHost()
	h.listsRead = false
	h.packages["zookeeper=3.8.0"] = []string{"/usr/share/zookeeper/bin/zkServer.sh"}
	_, err := h.WriteFile(context.Background(), "/usr/share/java/zookeeper.jar", []byte("of libzookeeper-java"), 0o644)
	require.NoError(t, err)
	var says []string
	p := Plan{Component: ZooKeeper, Kind: KindApt, Package: "zookeeper"}
	programs, _, err := installer(&says).Install(context.Background(), h, p, Fetched{})
	require.NoError(t, err)
	require.Equal(t, "/usr/share/java/zookeeper.jar", programs.Jar)
	require.Contains(t, says[0], "reading the package lists")
	require.Empty(t, h.held, "security updates of the system go on")
	h.installed["zookeeper"] = "3.8.0-security"
	_, changed, err := installer(&says).Install(context.Background(), h, p, Fetched{})
	require.NoError(t, err)
	require.False(t, changed, "and are no drift")
	p.Version = "3.8.0"
	_, why, err := installer(&says).Probe(context.Background(), h, p, Fetched{})
	require.NoError(t, err)
	require.NotEmpty(t, why, "a wanted version is")

	h.packages["libzookeeper-java=3.8.0"] = []string{"/usr/share/java/zookeeper-3.8.0.jar", "/usr/share/java/zookeeper.jar"}
	programs, _, err = installer(&says).Install(context.Background(), h, Plan{Component: ZooKeeper, Kind: KindApt, Package: "libzookeeper-java"}, Fetched{})
	require.NoError(t, err)
	require.Equal(t, "/usr/share/java/zookeeper.jar", programs.Jar, "the library alone will do")
}

func TestInstallArchives(t *testing.T) {
	var zipped bytes.Buffer
	w := zip.NewWriter(&zipped)
	part, err := w.Create("marathon-1.11.24/bin/marathon")
	require.NoError(t, err)
	_, _ = part.Write([]byte("#!/bin/sh"))
	require.NoError(t, w.Close())
	for name, data := range map[string][]byte{"tar.gz": tarOf(t, map[string]string{"marathon-1.11.24/bin/marathon": "#!/bin/sh"}), "zip": zipped.Bytes()} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "marathon")
			require.NoError(t, os.WriteFile(file, data, 0o600))
			h, i, ctx := newFakeHost(), installer(&[]string{}), context.Background()
			p := Plan{Component: Marathon, Kind: KindArchive, Version: "1.11.24"}
			f := Fetched{File: file, Locked: Locked{SHA256: digest(data)}}
			programs, changed, err := i.Install(ctx, h, p, f)
			require.NoError(t, err)
			require.True(t, changed)
			require.Equal(t, "/opt/jomctl/marathon-"+digest(data)[:12]+"/marathon-1.11.24/bin/marathon", programs.Marathon)
			require.Equal(t, "#!/bin/sh", h.files[programs.Marathon])
			_, changed, err = i.Install(ctx, h, p, f)
			require.NoError(t, err)
			require.False(t, changed)
		})
	}
}

func TestInstallImages(t *testing.T) {
	h, i, ctx := newFakeHost(), installer(&[]string{}), context.Background()
	p := Plan{Component: Marathon, Kind: KindImage, Layout: catalogue.Layout{Marathon: "/marathon/bin/marathon"}}
	f := Fetched{Locked: Locked{Image: "mesosphere/marathon@sha256:" + sum, ImageID: "sha256:abc"}}
	programs, _, err := i.Install(ctx, h, p, f)
	require.NoError(t, err)
	require.Equal(t, Programs{Marathon: "/marathon/bin/marathon", Image: f.Locked.Image}, programs)
	delete(h.images, f.Locked.Image)
	_, why, err := i.Probe(ctx, h, p, f)
	require.NoError(t, err)
	require.Contains(t, why, "is not there")

	_, _, err = i.Install(ctx, newFakeHost(), p, Fetched{Locked: Locked{Image: "mesosphere/marathon:v1"}})
	require.ErrorContains(t, err, "`jomctl sources lock` finds it")

	f.File = filepath.Join(t.TempDir(), "image.tar")
	require.NoError(t, os.WriteFile(f.File, []byte("layers"), 0o600))
	f.Locked.SHA256 = digest([]byte("layers"))
	h, i.Upload = newFakeHost(), true
	_, _, err = i.Install(ctx, h, p, f)
	require.ErrorContains(t, err, "the loaded archive is not sha256:abc")
	h.loads = "sha256:abc"
	programs, _, err = i.Install(ctx, h, p, f)
	require.NoError(t, err)
	require.Equal(t, "sha256:abc", programs.Image)
}

func TestInstallPathsAndStandins(t *testing.T) {
	h, i, ctx := newFakeHost(), installer(&[]string{}), context.Background()
	h.files["/opt/mesos/sbin/mesos-master"], h.files["/opt/mesos/sbin/mesos-agent"] = "m", "a"
	programs, _, err := i.Install(ctx, h, Plan{Component: Mesos, Kind: KindPath, Path: "/opt/mesos"}, Fetched{})
	require.NoError(t, err)
	require.Equal(t, "/opt/mesos/sbin/mesos-agent", programs.Agent)

	i.Standin = filepath.Join(t.TempDir(), "standin")
	require.NoError(t, os.WriteFile(i.Standin, []byte("one"), 0o755))
	p := Plan{Component: Mesos, Kind: KindStandin}
	programs, _, err = i.Install(ctx, h, p, Fetched{})
	require.NoError(t, err)
	require.Equal(t, []string{"/opt/jomctl/standin/bin/mesos-master", "/opt/jomctl/standin/bin/mesos-agent"}, []string{programs.Master, programs.Agent})
	require.NoError(t, os.WriteFile(i.Standin, []byte("two"), 0o755))
	_, changed, err := i.Install(ctx, h, p, Fetched{})
	require.NoError(t, err)
	require.True(t, changed, "a newer stand-in is brought")
	require.Equal(t, "two", h.files["/opt/jomctl/standin/bin/standin"])
	_, _, err = i.Install(ctx, h, Plan{Component: ZooKeeper, Kind: KindStandin}, Fetched{})
	require.ErrorContains(t, err, "no stand-in of zookeeper")
}

func TestReadFacts(t *testing.T) {
	h := newFakeHost()
	_, err := ReadFacts(context.Background(), h)
	require.ErrorContains(t, err, "m1: read /etc/os-release")
	h.files["/etc/os-release"] = "ID=debian\nVERSION_CODENAME=bookworm\nVERSION_ID=\"12\"\n"
	f, err := ReadFacts(context.Background(), h)
	require.NoError(t, err)
	require.Equal(t, Facts{System: "debian", Like: []string{}, Suite: "bookworm", Arch: "amd64", Cgroup: 1, Java: 17}, f)
	h.files["/sys/fs/cgroup/cgroup.controllers"] = ""
	h.fail = "java"
	f, err = ReadFacts(context.Background(), h)
	require.NoError(t, err)
	require.Equal(t, []int{2, -1}, []int{f.Cgroup, f.Java})
	require.True(t, strings.HasPrefix(f.String(), "debian/"))
}
