package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/testkit"
)

// wantedRPM is a plan and what was fetched for it: a package of a yum repository.
func wantedRPM(t *testing.T) (*fakeHost, Plan, Fetched) {
	h, data := newFakeHost(), mesosRPM(t, "1.11.1", "2.el8", nil)
	h.packages["mesos=1.11.1-2.el8"] = vendorFiles
	h.packages["mesos=1.11.1-1.el8"] = vendorFiles
	file := filepath.Join(t.TempDir(), "mesos.rpm")
	require.NoError(t, os.WriteFile(file, data, 0o600))
	p := Plan{Component: Mesos, Kind: KindYum, Title: "yum mesos", Package: "mesos", Facts: alma, Yum: newYumRepository("http://repo.example/el8/", nil, KeyRef{}, alma)}
	return h, p, Fetched{File: file, Key: []byte("KEY"), Inside: Contents{Package: "mesos", Version: "1.11.1-2.el8"},
		Locked: Locked{Version: "1.11.1-2.el8", SHA256: digest(data), URL: "http://repo.example/el8/mesos.rpm", Signed: "index"}}
}

func TestInstallFromAYumRepository(t *testing.T) {
	h, p, f := wantedRPM(t)
	i, ctx := installer(&[]string{}), context.Background()
	programs, changed, err := i.Install(ctx, h, p, f)
	require.NoError(t, err)
	require.True(t, changed)
	require.Equal(t, []string{"mesos", "1.11.1-2.el8", "/usr/sbin/mesos-agent"}, []string{programs.Package, programs.Version, programs.Agent})
	require.Len(t, h.masked, 2)
	require.Equal(t, "KEY", h.files["/etc/pki/rpm-gpg/"+p.Yum.id()+".asc"])
	require.Regexp(t, `^# Written by jomctl.\n\[jomctl-repo\.example-[0-9a-f]{8}\]\nname=.*\nbaseurl=http://repo\.example/el8/\nenabled=0\nskip_if_unavailable=1\ngpgcheck=0\nrepo_gpgcheck=1\ngpgkey=file:///etc/pki/`,
		h.files["/etc/yum.repos.d/"+p.Yum.id()+".repo"])
	require.Equal(t, 1, h.count("dnf -y --setopt=install_weak_deps=0 install --enablerepo="+p.Yum.id()+" /opt/jomctl/incoming/"))
	_, changed, err = i.Install(ctx, h, p, f)
	require.NoError(t, err)
	require.False(t, changed)

	h.installed["mesos"] = "1.11.1-3.el8"
	_, why, err := i.Probe(ctx, h, p, f)
	require.NoError(t, err)
	require.Equal(t, `package mesos is "1.11.1-3.el8", not "1.11.1-2.el8"`, why)
	h.keepsNewer = true
	programs, _, err = i.Install(ctx, h, p, f)
	require.NoError(t, err)
	require.Equal(t, "1.11.1-2.el8", programs.Version, "a newer one is taken back")
	for file := range h.files {
		require.NotContains(t, file, "incoming", "the upload is removed")
	}
}

func TestInstallRPMsWithoutInternetAndFromTheSystem(t *testing.T) {
	h, p, f := wantedRPM(t)
	i, ctx := installer(&[]string{}), context.Background()
	i.Upload = true
	_, _, err := i.Install(ctx, h, p, f)
	require.NoError(t, err)
	require.NotContains(t, h.files, "/etc/yum.repos.d/"+p.Yum.id()+".repo", "nothing there reaches it")

	h, p, f = wantedRPM(t)
	p.Kind, p.Yum, i.Upload = KindRPM, nil, false
	h.fail = "dnf --version"
	_, _, err = i.Install(ctx, h, p, f)
	require.NoError(t, err)
	require.Equal(t, 1, h.count("yum -y"), "an old system has yum alone")

	h = newFakeHost()
	h.packages["mesos=1-1"] = vendorFiles
	p = Plan{Component: Mesos, Kind: KindYum, Package: "mesos"}
	programs, _, err := i.Install(ctx, h, p, Fetched{})
	require.NoError(t, err)
	require.Equal(t, "1-1", programs.Version)
	h.installed["mesos"] = "1-2"
	_, changed, err := i.Install(ctx, h, p, Fetched{})
	require.NoError(t, err)
	require.False(t, changed, "the system's own upgrades are welcome")
}

func TestFailedRPMInstallations(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(*fakeHost, *Plan, *Fetched)
		want  string
	}{
		"not verified":     {func(_ *fakeHost, _ *Plan, f *Fetched) { f.Locked.Signed = "" }, "was not verified before"},
		"no package":       {func(_ *fakeHost, _ *Plan, f *Fetched) { f.Inside.Package = "" }, "is no RPM package"},
		"dnf fails":        {func(h *fakeHost, _ *Plan, _ *Fetched) { h.fail = "dnf -y" }, "it fell over"},
		"disk full":        {func(h *fakeHost, p *Plan, _ *Fetched) { h.fail = "write " + p.Yum.key() }, "write the repository's key: no space left"},
		"file of the repo": {func(h *fakeHost, p *Plan, _ *Fetched) { h.fail = "write /etc/yum.repos.d/" + p.Yum.id() + ".repo" }, "write the repository's file: no space left"},
		"rpm is broken":    {func(h *fakeHost, _ *Plan, _ *Fetched) { h.fail = "rpm -ql" }, "list the files of mesos"},
		"another version":  {func(_ *fakeHost, _ *Plan, f *Fetched) { f.Locked.Version = "9-9" }, `package mesos is 1.11.1-2.el8 after the installation, not 9-9`},
	} {
		t.Run(name, func(t *testing.T) {
			h, p, f := wantedRPM(t)
			test.spoil(h, &p, &f)
			_, _, err := installer(&[]string{}).Install(context.Background(), h, p, f)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, h.files, "/var/lib/jomctl/sources/mesos.json", "not recorded as done")
		})
	}
	h, p, f := wantedRPM(t)
	h.lockedFor = 2
	var says []string
	_, _, err := installer(&says).Install(context.Background(), h, p, f)
	require.NoError(t, err)
	require.Contains(t, strings.Join(says, "\n"), "waiting for another package manager")
}

// rootFolder is a machine whose file system is a folder of this one, for the real dnf and rpm.
type rootFolder struct {
	*fakeHost
	dir string
}

func (r *rootFolder) at(p string) string { return filepath.Join(r.dir, p) }

func (r *rootFolder) WriteFile(_ context.Context, p string, data []byte, mode fs.FileMode) (bool, error) {
	if strings.HasSuffix(p, ".repo") { // dnf looks for keys in the root of its own, not in that of the installation
		data = bytes.ReplaceAll(data, []byte("file://"), []byte("file://"+r.dir))
	}
	return true, errors.Join(os.MkdirAll(filepath.Dir(r.at(p)), 0o755), os.WriteFile(r.at(p), data, mode))
}

func (r *rootFolder) ReadFile(_ context.Context, p string) ([]byte, error) {
	return os.ReadFile(r.at(p))
}
func (r *rootFolder) Remove(_ context.Context, p string) error { return os.RemoveAll(r.at(p)) }

func (r *rootFolder) Stat(_ context.Context, p string) (host.Info, error) {
	info, err := os.Lstat(r.at(p))
	if err != nil {
		return host.Info{}, err
	}
	return host.Info{Mode: info.Mode(), Size: info.Size()}, nil
}

func (r *rootFolder) Run(ctx context.Context, argv ...string) (host.Output, error) {
	for argv[0] == "env" || strings.Contains(argv[0], "=") {
		argv = argv[1:]
	}
	switch argv[0] {
	case "dnf":
		var args []string
		for _, arg := range argv[1:] {
			if strings.HasPrefix(arg, installRoot) {
				arg = r.at(arg)
			}
			args = append(args, arg)
		}
		argv = append([]string{"dnf", "--installroot=" + r.dir, "--releasever=9", "--setopt=reposdir=" + r.at(yumFolder), "--setopt=varsdir=" + r.dir,
			"--setopt=cachedir=" + r.at("cache"), "--setopt=logdir=" + r.at("log"), "--setopt=pluginpath=" + r.at("plugins"), "--nodocs"}, args...)
	case "rpm":
		argv = append([]string{"rpm", "--root", r.dir}, argv[1:]...)
	default:
		return r.fakeHost.Run(ctx, argv...)
	}
	if err := os.MkdirAll(r.at("log"), 0o755); err != nil {
		return host.Output{}, err
	}
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	err := cmd.Run()
	got := host.Output{Stdout: out.String(), Stderr: errs.String(), Code: cmd.ProcessState.ExitCode()}
	if err != nil {
		err = fmt.Errorf("%s: %w: %s%s", argv[0], err, got.Stderr, got.Stdout)
	}
	return got, err
}

// realYum is a repository of createrepo_c with two Mesos and what the newer one needs, all signed, over HTTP.
func realYum(t *testing.T) (string, KeyRef) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("rpm installs as root alone")
	}
	for _, program := range []string{"dnf", "rpm", "createrepo_c"} {
		if _, err := exec.LookPath(program); err != nil {
			testkit.Missing(t, program+" (apt-get install --no-install-recommends dnf rpm createrepo-c)")
		}
	}
	dir, now := t.TempDir(), time.Now().Add(-time.Hour)
	key := newRSAKey(t, 0, now)
	for name, data := range map[string][]byte{
		"mesos-1.11.1-9.el9.x86_64.rpm":  rpmOf(t, "mesos", "1.11.1", "9.el9", map[string]string{"/usr/bin/mesos-master": "old", "/usr/bin/mesos-agent": "old"}, key, now),
		"mesos-1.11.1-10.el9.x86_64.rpm": rpmOf(t, "mesos", "1.11.1", "10.el9", map[string]string{"/usr/bin/mesos-master": "m", "/usr/bin/mesos-agent": "a"}, key, now, "mesos-libs"),
		"mesos-libs-1-1.x86_64.rpm":      rpmOf(t, "mesos-libs", "1", "1", map[string]string{"/usr/lib64/libmesos.so": "ELF"}, key, now),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
	out, err := exec.Command("createrepo_c", "--no-database", dir).CombinedOutput()
	require.NoError(t, err, string(out))
	index, err := os.ReadFile(filepath.Join(dir, "repodata/repomd.xml"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "repodata/repomd.xml.asc"), armoured(t, signatureOf(t, key, index, now)), 0o644))
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "key.asc")
	require.NoError(t, os.WriteFile(file, publicKey(t, key), 0o644))
	return server.URL, KeyRef{File: file}
}

func TestTheRealDNFInstallsFromARepositoryOfCreaterepo(t *testing.T) {
	address, key := realYum(t)
	dir := t.TempDir()
	h, c, ctx := &rootFolder{fakeHost: newFakeHost(), dir: dir}, checker(t), context.Background()
	c.Now = time.Now
	rocky := Facts{System: "rocky", Like: []string{"rhel"}, Suite: "9", Arch: "amd64"}
	p := Plan{Component: Mesos, Kind: KindYum, Title: "yum mesos", Package: "mesos", Facts: rocky, Yum: newYumRepository(address, nil, key, rocky)}
	got, r, err := c.Fetch(ctx, p, false)
	require.NoError(t, err)
	require.Equal(t, "1.11.1-10.el9", got.Locked.Version)
	require.Equal(t, "index, package", got.Locked.Signed)

	i := installer(&[]string{})
	programs, changed, err := i.Install(ctx, h, r.Plan, got)
	require.NoError(t, err)
	require.True(t, changed)
	require.Equal(t, []string{"/usr/bin/mesos-master", "/usr/bin/mesos-agent"}, []string{programs.Master, programs.Agent})
	require.FileExists(t, filepath.Join(dir, "usr/lib64/libmesos.so"), "what it needs came from the repository, whose index and packages dnf verified")
	_, changed, err = i.Install(ctx, h, r.Plan, got)
	require.NoError(t, err)
	require.False(t, changed)

	// What jomctl writes has dnf verify for itself: with another's key the repository is none.
	stranger := got
	stranger.Key = publicKey(t, newKey(t, 0))
	_, _, err = i.Install(ctx, &rootFolder{fakeHost: newFakeHost(), dir: t.TempDir()}, r.Plan, stranger)
	require.ErrorContains(t, err, "nothing provides mesos-libs")

	file := filepath.Join(dir, yumFolder, r.Plan.Yum.id()+".repo")
	off, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, bytes.Replace(off, []byte("enabled=0"), []byte("enabled=1"), 1), 0o600))
	var hinted interface{ Hint() string }
	require.ErrorAs(t, i.System(ctx, h, true, []string{"no-such-package"}), &hinted)
	require.NoError(t, os.WriteFile(file, off, 0o600))
	require.Contains(t, hinted.Hint(), "no repository of the host has no-such-package")

	p.Version = "1.11.1-9.el9"
	c.Update = true
	older, r, err := c.Fetch(ctx, p, false)
	require.NoError(t, err)
	programs, _, err = i.Install(ctx, h, r.Plan, older)
	require.NoError(t, err)
	require.Equal(t, "1.11.1-9.el9", programs.Version)
	text, err := os.ReadFile(filepath.Join(dir, programs.Master))
	require.NoError(t, err)
	require.Equal(t, "old", string(text))
	out, err := h.Run(ctx, "rpm", "-q", "mesos-libs")
	require.NoError(t, err)
	require.Equal(t, "mesos-libs-1-1.x86_64\n", path.Base(out.Stdout))
}

func TestPackagesOfTheSystemItself(t *testing.T) {
	h, ctx := newFakeHost(), context.Background()
	h.packages["git=2"], h.packages["haproxy=3"] = nil, nil
	require.NoError(t, installer(&[]string{}).System(ctx, h, false, []string{"git", "haproxy"}))
	require.Equal(t, map[string]string{"git": "2", "haproxy": "3"}, h.installed)
	require.Equal(t, []string{policyText}, h.policies, "nothing is started")
	require.NotContains(t, h.files, policyPath)
	require.Equal(t, 0, h.count("apt-get -q install -y --no-install-recommends --allow"), "packages that somebody holds are left")

	h = newFakeHost()
	h.packages["git=2-1"] = nil
	require.NoError(t, installer(&[]string{}).System(ctx, h, true, []string{"git"}))
	require.Equal(t, 1, h.count("dnf -y --setopt=install_weak_deps=0 install git"))
	err := installer(&[]string{}).System(ctx, h, true, []string{"docker-distribution"})
	var hinted interface{ Hint() string }
	require.ErrorAs(t, err, &hinted)
	require.Contains(t, hinted.Hint(), "no repository of the host has docker-distribution: switch one on")
	require.Contains(t, hinted.Hint(), "registry.address")
}

// What /etc/os-release says on RHEL-like systems, as their packages have it.
func TestSystemsLikeRHELAreKnown(t *testing.T) {
	for text, want := range map[string]Facts{
		"NAME=\"Rocky Linux\"\nVERSION=\"9.4 (Blue Onyx)\"\nID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\nPLATFORM_ID=\"platform:el9\"\n": {System: "rocky", Suite: "9"},
		"NAME=\"AlmaLinux\"\nVERSION=\"10.0 (Purple Lion)\"\nID=\"almalinux\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"10.0\"\n":                         {System: "almalinux", Suite: "10"},
		"NAME=\"CentOS Linux\"\nVERSION=\"7 (Core)\"\nID=\"centos\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"7\"\n":                                             {System: "centos", Suite: "7"},
		"NAME=\"Oracle Linux Server\"\nVERSION=\"8.10\"\nID=\"ol\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"8.10\"\nPLATFORM_ID=\"platform:el8\"\n":                  {System: "ol", Suite: "8"},
		"NAME=\"Red Hat Enterprise Linux\"\nVERSION=\"9.4 (Plow)\"\nID=\"rhel\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"9.4\"\n":                                    {System: "rhel", Suite: "9"},
		"NAME=\"Fedora Linux\"\nVERSION=\"42 (Server Edition)\"\nID=fedora\nVERSION_ID=42\nVERSION_CODENAME=\"\"\n":                                           {System: "fedora", Suite: "42"},
		"NAME=\"openEuler\"\nVERSION=\"24.03 (LTS-SP1)\"\nID=\"openEuler\"\nVERSION_ID=\"24.03\"\n":                                                           {System: "openeuler", Suite: "24"},
	} {
		f := osRelease(text)
		require.True(t, f.RedHat(), text)
		require.False(t, f.Debian(), text)
		require.Equal(t, want.System+"/"+want.Suite, f.System+"/"+f.Suite)
	}
}
