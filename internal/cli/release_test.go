package cli

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/bundles"
	"github.com/jomctl/jomctl/bundles/updatecenter/uctest"
	"github.com/jomctl/jomctl/internal/linkcheck"
)

// archiveWith is a war or plugin with the lines of its manifest.
func archiveWith(t *testing.T, manifest ...string) string {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	file, err := w.Create("META-INF/MANIFEST.MF")
	require.NoError(t, err)
	_, err = file.Write([]byte("Manifest-Version: 1.0\n" + strings.Join(manifest, "\n") + "\n"))
	require.NoError(t, err)
	if strings.HasPrefix(manifest[0], "Jenkins-Version") {
		jar, err := w.Create("WEB-INF/lib/core.jar")
		require.NoError(t, err)
		require.NoError(t, zip.NewWriter(jar).Close())
	}
	require.NoError(t, w.Close())
	return out.String()
}

// releaseSite serves a war, plugins and update centers that are signed by a root of its own.
type releaseSite struct {
	*bench
	signer uctest.Signer
	server *httptest.Server
	files  map[string]string
	root   string
}

func newReleaseSite(t *testing.T) *releaseSite {
	s := &releaseSite{bench: newBench(t), signer: uctest.NewSigner(t, time.Now()), files: map[string]string{}}
	t.Setenv("XDG_CACHE_HOME", s.path("cache"))
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		text, ok := s.files[q.URL.Path]
		if !ok {
			http.NotFound(w, q)
			return
		}
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(s.server.Close)
	s.root = s.path("root.pem")
	require.NoError(t, os.WriteFile(s.root, s.signer.Root, 0o600))
	s.files["/jenkins.war"] = archiveWith(t, "Jenkins-Version: 2.568.9")
	return s
}

// plugin is a plugin that the site serves; the mirror's addresses are those of the site.
func (s *releaseSite) plugin(name, version string, needs ...string) uctest.Object {
	text := archiveWith(s.t, "Short-Name: "+name, "Plugin-Version: "+version, "Jenkins-Version: 2.500")
	s.files["/download/plugins/"+name+"/"+version+"/"+name+".hpi"] = text
	return uctest.Plugin(name, version, "2.500", text, needs...)
}

// center writes a signed update center whose addresses a mirror has rewritten to the site's.
func (s *releaseSite) center(file string, center uctest.Object) string {
	text := strings.ReplaceAll(string(s.signer.Sign(s.t, center)), "https://updates.jenkins.io/", s.server.URL+"/")
	s.write(file, text)
	s.files["/"+file] = text
	return s.path(file)
}

// trusting are the flags that make an update center of the site acceptable.
func (s *releaseSite) trusting(center string) []string {
	return []string{"--update-center", center, "--trust-root", s.root, "--trust-mirror", s.server.URL}
}

// own makes a release folder with a war of the site.
func (s *releaseSite) own(wishes string) string {
	dir := s.path("mine")
	sum := sha256.Sum256([]byte(s.files["/jenkins.war"]))
	s.ok("release", "new", dir, "--core", "2.568.9", "--sha256", hex.EncodeToString(sum[:]))
	s.write("mine/plugins.txt", wishes)
	bundle, err := os.ReadFile(filepath.Join(dir, "bundle.yaml"))
	require.NoError(s.t, err)
	s.write("mine/bundle.yaml", strings.Replace(string(bundle), "https://get.jenkins.io/war-stable/2.568.9", s.server.URL, 1))
	return dir
}

func TestReleaseList(t *testing.T) {
	b := newBench(t)
	out, _ := b.ok("release", "list")
	for _, want := range []string{"default   2.568.3", "previous  2.555.3", "legacy    2.289.3", "incomplete", "legacy: the Mesos plugin 1.0.0 needs libmesos", "Security warnings as of 2026-06-14"} {
		require.Contains(t, out, want)
	}
	out, _ = b.ok("release", "list", "-o", "json")
	first := decode(t, out)["releases"].([]any)[0].(map[string]any)
	require.Equal(t, "default", first["name"])
	require.Empty(t, first["problems"])
	require.NoDirExists(t, b.path(".jomctl"))
}

func TestAReleaseOfOnesOwnFromMakingToItsFiles(t *testing.T) {
	s := newReleaseSite(t)
	dir := s.own("git\nmesos:=2.0\n")
	code, out, _ := s.run("release", "check", dir)
	require.Equal(t, 3, code)
	require.Contains(t, out, "PROBLEM: plugins.lock was made for Jenkins 2.568.3, and the release has 2.568.9")

	center := uctest.Center(time.Now(), s.plugin("git", "5.10", "credentials 1400"), s.plugin("credentials", "1500"), s.plugin("mesos", "2.0"), s.plugin("spare", "1"))
	uctest.Warn(center, "SECURITY-7", "credentials", "1500")
	file := s.center("uc.json", center)
	out, errOut := s.ok(append([]string{"release", "lock", dir, "--plan"}, s.trusting(file)...)...)
	require.Contains(t, out, "3 plugins for Jenkins 2.568.9 would be locked in")
	require.Contains(t, errOut, "signed by CN=a signer for tests under CN=a root for tests; its certificate was valid then; with the addresses of the mirror "+s.server.URL)
	require.Contains(t, s.read("mine/plugins.lock"), `core: "2.568.3"`, "--plan writes nothing")

	out, errOut = s.ok(append([]string{"release", "lock", dir}, s.trusting(s.server.URL+"/uc.json")...)...)
	require.Contains(t, out, "WARNING INTRODUCED: credentials 1500: trouble in credentials (SECURITY-7")
	require.Contains(t, errOut, "its certificate is valid now")
	first := s.read("mine/plugins.lock")
	require.Contains(t, first, `name: "mesos"`)
	require.NotContains(t, first, "spare")
	require.Contains(t, s.read("mine/advisories.json"), "SECURITY-7")
	out, _ = s.ok(append([]string{"release", "lock", dir}, s.trusting(file)...)...)
	require.Contains(t, out, "nothing changes")
	require.Equal(t, first, s.read("mine/plugins.lock"))

	code, out, _ = s.run("release", "check", dir)
	require.Equal(t, 4, code)
	require.Contains(t, out, "files: 0 of 4 are here")
	require.Contains(t, out, "links: not checked, as 4 files are not here")
	code, out, errOut = s.run("release", "check", dir, "--download")
	require.Equal(t, 4, code, out+errOut)
	require.Contains(t, errOut, "Downloading credentials.hpi 1500")
	require.Contains(t, out, "files: 4 of 4 are here")
	require.Contains(t, out, "links: 0 broken")

	s.server.Close()
	out, _ = s.ok("release", "fetch", dir, "--to", s.path("usb"))
	require.Contains(t, out, "4 files of release mine")
	t.Setenv("XDG_CACHE_HOME", s.path("empty"))
	code, out, _ = s.run("release", "check", dir, "--from", s.path("usb"), "-o", "json")
	require.Equal(t, 4, code)
	report := decode(t, out)
	require.Empty(t, report["problems"])
	require.Equal(t, true, report["links"].(map[string]any)["done"])

	require.NoError(t, os.WriteFile(s.path("usb", "plugins", "git.hpi"), []byte("another"), 0o600))
	code, out, _ = s.run("release", "check", dir, "--from", s.path("usb"))
	require.Equal(t, 3, code)
	require.Contains(t, out, "PROBLEM: "+s.path("usb", "plugins", "git.hpi")+" has the sha256 "+hexSum("another"))
	code, _, errOut = s.run("release", "fetch", dir, "--to", s.path("other"))
	require.Equal(t, 1, code)
	require.Contains(t, errOut, "connection refused")
}

func (b *bench) read(name string) string {
	b.t.Helper()
	data, err := os.ReadFile(b.path(name))
	require.NoError(b.t, err)
	return string(data)
}

func TestReleaseLockTrustsNobodyUnasked(t *testing.T) {
	s := newReleaseSite(t)
	dir := s.own("git\n")
	file := s.center("uc.json", uctest.Center(time.Now(), s.plugin("git", "5.10", "gone 1")))
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--update-center", file}, 3, "a mirror has put its own addresses into it: " + s.server.URL},
		{[]string{"--update-center", file, "--trust-mirror", s.server.URL}, 3, "whom the Jenkins project does not vouch for"},
		{[]string{"--update-center", file, "--trust-root", s.path("cluster.yaml")}, 3, "a mirror has put"},
		{[]string{"--update-center", file, "--trust-root", s.path("nothing")}, 2, "--trust-root"},
		{s.trusting(file), 3, "no update center given here has it\n           wanted by git 5.10: 1 or newer"},
		{s.trusting(s.path("nothing")), 1, "no such file"},
		{s.trusting(s.server.URL + "/nothing"), 1, "404"},
		{append(s.trusting(file), "--files", s.path("nothing")), 2, "--files"},
	} {
		code, _, errOut := s.run(append([]string{"release", "lock", dir}, c.args...)...)
		require.Equal(t, c.code, code, "%v: %s", c.args, errOut)
		require.Contains(t, errOut, c.want)
	}
	require.Contains(t, s.read("mine/plugins.lock"), `core: "2.568.3"`)
	code, _, errOut := s.run("release", "lock", "default")
	require.Equal(t, 2, code)
	require.Contains(t, errOut, "jomctl release new ./mine --from default")

	out, _ := s.ok(append([]string{"release", "lock", dir, "--partial"}, s.trusting(file)...)...)
	require.Contains(t, out, "not locked: git")
	code, out, _ = s.run("release", "check", dir)
	require.Equal(t, 3, code)
	require.Contains(t, out, "git is wanted and not locked")
}

func TestReleaseLockTakesFilesOfOnesOwn(t *testing.T) {
	s := newReleaseSite(t)
	dir := s.own("old:=1.0.0\n")
	file := s.center("uc.json", uctest.Center(time.Now(), s.plugin("old", "2.0")))
	s.write("old.hpi", archiveWith(t, "Short-Name: old", "Plugin-Version: 1.0.0", "Jenkins-Version: 2.400"))
	s.ok(append([]string{"release", "lock", dir, "--files", s.dir}, s.trusting(file)...)...)
	require.Contains(t, s.read("mine/plugins.lock"), hexSum(s.read("old.hpi")))
	code, out, _ := s.run("release", "check", dir, "--from", s.dir, "--download")
	require.Equal(t, 0, code, out)
	s.write("broken.hpi", "no archive")
	code, _, errOut := s.run(append([]string{"release", "lock", dir, "--files", s.dir}, s.trusting(file)...)...)
	require.Equal(t, 1, code)
	require.Contains(t, errOut, "broken.hpi")
}

func TestReleaseNew(t *testing.T) {
	b := newBench(t)
	out, errOut := b.ok("release", "new", b.path("mine"), "--from", "previous", "--core", "2.568.2")
	require.Contains(t, out, "jomctl release lock "+b.path("mine"))
	require.Contains(t, errOut, "they are those of Jenkins 2.555.3")
	made, err := bundles.Load(b.path("mine"))
	require.NoError(t, err)
	known, _, err := bundles.KnownCore("2.568.2")
	require.NoError(t, err)
	require.Equal(t, known, made.Core)
	require.Equal(t, "mine", made.Name)

	b.ok("release", "new", b.path("old"), "--from", "legacy", "--core", "2.289.3", "--sha256", strings.Repeat("a", 64))
	complete, err := bundles.Load(b.path("old"))
	require.NoError(t, err)
	require.Empty(t, complete.Incomplete, "now the checksum is known")
	require.NotEmpty(t, complete.Dangers)
	require.Equal(t, "https://get.jenkins.io/war-stable/2.289.3/jenkins.war", complete.Core.URL)
	b.ok("release", "new", b.path("copy"), "-o", "json")

	for _, args := range [][]string{{b.path("mine")}, {b.path("x"), "--from", "nosuch"}, {b.path("x"), "--core", "2.1"}, {b.path("x"), "--core", "2.568.2", "--sha256", "0"},
		{b.path("x"), "--sha256", "0"}, {"."}, {}} {
		code, _, errOut := b.run(append([]string{"release", "new"}, args...)...)
		require.Equal(t, 2, code, "%v: %s", args, errOut)
	}
	require.NoDirExists(t, b.path("x"))
	for args, want := range map[string]int{"fetch default": 2, "fetch legacy --to x": 3, "fetch default --to x --from /nonexistent": 2, "check default --from /nonexistent": 2, "list ./nonexistent": 1} {
		code, _, _ := b.run(append([]string{"release"}, strings.Fields(args)...)...)
		require.Equal(t, want, code, args)
	}
	out, _ = b.ok("release", "list", b.path("mine"))
	require.Contains(t, out, "mine      2.568.2")
}

func TestReleaseDiff(t *testing.T) {
	b := newBench(t)
	out, _ := b.ok("release", "diff", "previous", "default")
	for _, want := range []string{"core: 2.555.3 -> 2.568.3", "newer  credentials", "warning fixed: matrix-auth 3.2.9:", "6 fixed, 0 introduced, 0 stay, as of 2026-06-14"} {
		require.Contains(t, out, want)
	}
	out, _ = b.ok("release", "diff", "default", "previous")
	require.Contains(t, out, "OLDER  credentials")
	require.Contains(t, out, "WARNING INTRODUCED: matrix-auth")
	out, errOut := b.ok("release", "diff", "legacy", "default")
	require.Contains(t, errOut, "Note: the release legacy is not complete")
	require.Contains(t, out, "left the core after 2.356: plugin instance-identity; it is locked")
	out, _ = b.ok("release", "diff", "default", "default", "-o", "json")
	require.Empty(t, decode(t, out)["diff"].(map[string]any)["plugins"])
	out, _ = b.ok("release", "diff", "default", "default")
	require.Contains(t, out, "nothing changes")
	code, _, _ := b.run("release", "diff", "default", "nosuch")
	require.Equal(t, 1, code)
}

func TestLinksThatAreBrokenAreProblemsUnlessTheReleaseBearsThem(t *testing.T) {
	release, err := bundles.Load("default")
	require.NoError(t, err)
	files := []releaseFile{{Name: "jenkins.war", Path: "/w"}, {Name: "b.hpi", Path: "/b"}, {Name: "a.hpi", Path: "/a"}}
	var asked []linkcheck.Input
	check := func(_ context.Context, in linkcheck.Input) (linkcheck.Report, error) {
		asked = append(asked, in)
		links := []linkcheck.Link{
			{Plugin: "mesos", Rank: linkcheck.Breaks, Problem: linkcheck.Missing, Kind: "field", Class: "hudson/logging/LogRecorder", Member: "targets", Descriptor: "I", Why: "gone"},
			{Plugin: "mesos", Rank: linkcheck.Breaks, Problem: linkcheck.Missing, Kind: "class", Class: "org/apache/commons/lang/StringUtils", Why: "nobody has it"},
			{Plugin: "git", Rank: linkcheck.Note, Class: "x/Y", Kind: "class"},
		}
		if in.Java == 21 {
			links = append(links[:1], links[2])
		}
		return linkcheck.Report{Links: links, Plugins: []linkcheck.Plugin{{Name: "git", Absent: []string{"mailer"}}}}, nil
	}
	answer, err := checkLinks(t.Context(), release, files, check)
	require.NoError(t, err)
	require.Equal(t, []linkcheck.Input{{War: "/w", Plugins: []string{"/a", "/b"}, Java: 21}, {War: "/w", Plugins: []string{"/a", "/b"}, Java: 25}}, asked)
	require.True(t, answer.Done)
	require.Len(t, answer.Broken, 2)
	require.Equal(t, "git: does not load without the plugin mailer, on Java 21 and 25", answer.Broken[0])
	require.Contains(t, answer.Broken[1], "org.apache.commons.lang.StringUtils (nobody has it), on Java 25")
	require.Len(t, answer.Notes, 1)
	require.Contains(t, answer.Notes[0], "log recorder is not made")
	require.Equal(t, "2 broken, 1 borne by the release, 1 more that need not hurt", answer.Summary)

	files[1].Path = ""
	answer, err = checkLinks(t.Context(), release, files, nil)
	require.NoError(t, err)
	require.False(t, answer.Done)
}
