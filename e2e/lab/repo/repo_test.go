package repo

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
	"github.com/jomctl/jomctl/provision/source"
)

const suite = "bookworm"

// lab is a repository with all packages, its server, and a private root for apt.
type lab struct {
	t      *testing.T
	repo   *Repo
	server *Server
	root   string
	debs   map[Layout]string
}

func newLab(t *testing.T) *lab {
	t.Helper()
	dir := t.TempDir()
	standin := filepath.Join(dir, "standin")
	require.NoError(t, os.WriteFile(standin, []byte("#!/bin/sh\necho stand-in as \"$0\"\n"), 0o755))
	r, err := New(filepath.Join(dir, "repo"), suite, time.Now())
	require.NoError(t, err)
	l := &lab{t: t, repo: r, root: filepath.Join(dir, "root"), debs: map[Layout]string{}}
	for layout, version := range map[Layout]string{VendorMesos: "1.11.0-2.0.1", ForkMesos: "1.11.0-0.7.1.debian12", VendorMarathon: "1.11.24-1"} {
		l.debs[layout], err = BuildPackage(dir, layout, version, runtime.GOARCH, standin)
		require.NoError(t, err)
		require.NoError(t, r.Add(l.debs[layout]))
	}
	l.server, err = Serve(r.dir, "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.server.Down() })
	l.publish("")
	return l
}

func (l *lab) publish(fault Fault) {
	l.t.Helper()
	require.NoError(l.t, l.repo.Publish(fault, runtime.GOARCH))
}

// apt runs the real apt-get (or another program of apt) on a root of its own, which needs no privileges.
func (l *lab) apt(program string, args ...string) (string, error) {
	l.t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		testkit.Missing(l.t, program)
	}
	for _, dir := range []string{"state/lists/partial", "cache/archives/partial", "etc", "empty"} {
		require.NoError(l.t, os.MkdirAll(filepath.Join(l.root, dir), 0o755))
	}
	key := filepath.Join(l.repo.dir, KeyFile)
	for file, text := range map[string]string{"state/status": "", "etc/sources.list": l.server.Line(key, suite) + "\n"} {
		require.NoError(l.t, os.WriteFile(filepath.Join(l.root, file), []byte(text), 0o644))
	}
	at := func(option, path string) []string { return []string{"-o", option + "=" + filepath.Join(l.root, path)} }
	var argv []string
	for _, option := range [][]string{at("Dir::State", "state"), at("Dir::State::status", "state/status"), at("Dir::Cache", "cache"),
		at("Dir::Etc::sourcelist", "etc/sources.list"), at("Dir::Etc::sourceparts", "empty"), at("Dir::Etc::parts", "empty"), at("Dir::Etc::preferencesparts", "empty"),
		{"-o", "Acquire::Check-Valid-Until=true", "-o", "Acquire::Check-Date=true", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Languages=none", "-o", "Acquire::Retries=0", "-o", "APT::Update::Error-Mode=any", "-o", "Acquire::http::Proxy=false"}} {
		argv = append(argv, option...)
	}
	cmd := exec.Command(program, append(argv, args...)...)
	cmd.Dir, cmd.Env = l.root, append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (l *lab) check(c *source.Checker) source.Result {
	keys := source.KeyRef{File: filepath.Join(l.repo.dir, KeyFile)}
	return c.Check(context.Background(), source.Plan{Component: source.Mesos, Kind: source.KindApt, Title: "apt aventer-mesos", Package: "aventer-mesos",
		Facts:      source.Facts{System: "debian", Suite: suite, Arch: runtime.GOARCH},
		Repository: &source.Repository{URI: l.server.URL(), Suite: suite, Components: []string{"main"}, Key: keys}})
}

func newChecker() *source.Checker {
	return &source.Checker{Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
}

func TestTheRealAptTakesThePackages(t *testing.T) {
	l := newLab(t)
	out, err := l.apt("apt-get", "update")
	require.NoError(t, err, out)
	for layout := range l.debs {
		out, err = l.apt("apt-get", "download", layout.PackageName())
		require.NoError(t, err, out)
		out, err = l.apt("apt-get", "install", "--simulate", "-y", layout.PackageName())
		require.NoError(t, err, out)
		require.Contains(t, out, "Inst "+layout.PackageName())
	}
	r := l.check(newChecker())
	require.Empty(t, r.Findings)
	require.Equal(t, l.repo.Fingerprint(""), r.Locked.KeyFingerprint)
	require.Equal(t, "1.11.0-0.7.1.debian12", r.Locked.Version)
	out, err = l.apt("apt-cache", "show", "aventer-mesos")
	require.NoError(t, err)
	require.Contains(t, out, "SHA256: "+r.Locked.SHA256, "apt and jomctl see the same file")
	require.Contains(t, l.server.Asked(), "/dists/bookworm/InRelease")
}

func TestFaultsAreRefusedByAptAndExplainedByJomctl(t *testing.T) {
	l := newLab(t)
	for fault, want := range map[Fault]struct{ apt, jomctl string }{
		ExpiredKey: {"EXPKEYSIG", "has expired on "},
		WrongKey:   {"NO_PUBKEY", "is signed by key "},
		Stale:      {"expired", "its Release file was valid until "},
	} {
		l.publish(fault)
		require.NoError(t, os.RemoveAll(filepath.Join(l.root, "state", "lists")))
		out, err := l.apt("apt-get", "update")
		require.Error(t, err, "%s: %s", fault, out)
		require.Contains(t, out, want.apt, "%s", fault)
		found := l.check(newChecker()).Findings
		require.Len(t, found, 1, "%s", fault)
		require.Contains(t, found.Error(), want.jomctl, "%s", fault)
	}

	l.publish(WrongHash)
	out, err := l.apt("apt-get", "update")
	require.NoError(t, err, out)
	out, err = l.apt("apt-get", "download", "mesos")
	require.Error(t, err, out)
	require.Contains(t, out, "Hash")
	c := newChecker()
	c.Cache = &source.Cache{Dir: t.TempDir()}
	_, _, err = c.Fetch(context.Background(), l.check(c).Plan, false)
	require.ErrorContains(t, err, "the sha256 is ")

	require.NoError(t, l.server.Down())
	require.Contains(t, l.check(newChecker()).Findings.Error(), "connection refused")
	require.NoError(t, l.server.Up())
	l.publish("")
	require.Empty(t, l.check(newChecker()).Findings, "up again at the same address")
}

// contents are the files of a package as dpkg-deb lists them.
func contents(t *testing.T, deb string) string {
	t.Helper()
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		testkit.Missing(t, "dpkg-deb")
	}
	out, err := exec.Command("dpkg-deb", "--contents", deb).CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

func TestLayouts(t *testing.T) {
	l := newLab(t)
	vendor, fork, marathon := contents(t, l.debs[VendorMesos]), contents(t, l.debs[ForkMesos]), contents(t, l.debs[VendorMarathon])
	for _, file := range []string{"./usr/sbin/mesos-master", "./usr/sbin/mesos-slave", "./etc/mesos/zk", "./etc/mesos-master/quorum", "./lib/systemd/system/mesos-slave.service", "./usr/local/lib/libmesos.so"} {
		require.Contains(t, vendor, file)
	}
	for _, file := range []string{"./usr/bin/mesos-master", "./usr/bin/mesos-agent", "./usr/lib/systemd/system/mesos-agent.service", "./usr/lib/libmesos.so", "./usr/libexec/mesos/mesos-executor"} {
		require.Contains(t, fork, file)
	}
	require.NotContains(t, fork, "./etc", "the fork brings no configuration")
	require.NotContains(t, fork, "sbin")
	require.NotContains(t, fork, "slave")
	require.Contains(t, marathon, "./usr/share/marathon/bin/marathon")
	require.Contains(t, marathon, "./etc/default/marathon")

	dir := t.TempDir()
	out, err := exec.Command("dpkg-deb", "--raw-extract", l.debs[ForkMesos], dir).CombinedOutput()
	require.NoError(t, err, string(out))
	require.NoFileExists(t, filepath.Join(dir, "DEBIAN", "postinst"))
	run, err := exec.Command(filepath.Join(dir, "usr/bin/mesos-master")).Output()
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(strings.TrimSpace(string(run)), "/mesos-master"), "the stand-in under its name: %s", run)
	dir = t.TempDir()
	out, err = exec.Command("dpkg-deb", "--raw-extract", l.debs[VendorMesos], dir).CombinedOutput()
	require.NoError(t, err, string(out))
	postinst, err := os.ReadFile(filepath.Join(dir, "DEBIAN", "postinst"))
	require.NoError(t, err)
	require.Contains(t, string(postinst), "deb-systemd-helper enable mesos-slave.service")

	inside, err := source.Inspect(l.debs[VendorMesos])
	require.NoError(t, err)
	require.Equal(t, []string{"mesos", "1.11.0-2.0.1", runtime.GOARCH}, []string{inside.Package, inside.Version, inside.Arch})
	require.EqualValues(t, "no", inside.JavaBinding)
}

func TestBuildRefuses(t *testing.T) {
	_, err := BuildPackage(t.TempDir(), ForkMesos, "1", "amd64", "/nowhere/standin")
	require.ErrorContains(t, err, "/nowhere/standin")
	_, err = BuildPackage(t.TempDir(), "floppy", "1", "amd64", "/bin/sh")
	require.ErrorContains(t, err, "no such layout")
	r, err := New(t.TempDir(), suite, time.Now())
	require.NoError(t, err)
	require.ErrorContains(t, r.Add("/bin/sh"), "add /bin/sh to the repository")
}
