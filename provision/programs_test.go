package provision

import (
	"archive/zip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
)

func fakeMesos(t *testing.T, dir, folder, suffix, version string) {
	t.Helper()
	for _, name := range []string{"mesos-master", "mesos-agent"} {
		script(t, filepath.Join(dir, folder, name+suffix), `test "$1" = --version && echo "mesos `+version+`"`)
	}
}

func fakeWar(t *testing.T, path, manifest string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	file, err := os.Create(path)
	require.NoError(t, err)
	defer file.Close()
	z := zip.NewWriter(file)
	w, err := z.Create("META-INF/MANIFEST.MF")
	require.NoError(t, err)
	_, err = w.Write([]byte(strings.ReplaceAll(manifest, "\n", "\r\n")))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return path
}

func about(findings []Finding, subject string) string {
	for _, f := range findings {
		if f.Subject == subject {
			return f.String()
		}
	}
	return ""
}

// bin is a folder with the helper binaries.
func bin(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"jomctl", "standin", "jomhome"} {
		script(t, filepath.Join(dir, name), "exit 0")
	}
	return dir
}

func TestStandInsNeedOnlyTheHelpers(t *testing.T) {
	c := newConfig(t)
	dir := bin(t)
	p, findings := FindPrograms(t.Context(), c, dir)
	assert.True(t, p.Mesos.Standin && p.Marathon.Standin && p.Jenkins.Standin)
	assert.Equal(t, dir+"/jomctl", p.Jomctl)
	assert.Equal(t, dir+"/standin", p.Standin)
	assert.Empty(t, about(findings, "standin"))

	require.NoError(t, os.Remove(dir+"/standin"))
	require.NoError(t, os.Chmod(dir+"/jomhome", 0o644))
	p, findings = FindPrograms(t.Context(), c, dir)
	assert.Empty(t, p.Standin)
	assert.Contains(t, about(findings, "standin"), "there is no program "+dir+"/standin")
	assert.Contains(t, about(findings, "jomhome"), dir+"/jomhome")
}

func TestMesosIsFoundInEveryLayout(t *testing.T) {
	for name, tc := range map[string]struct{ folder, suffix, launcher, library string }{
		"prefix":         {"sbin", "", "libexec/mesos", "lib/libmesos.so"},
		"AVENTER's deb":  {"usr/bin", "", "usr/libexec/mesos", "usr/lib/libmesos.so"},
		"old deb":        {"usr/sbin", "", "usr/libexec/mesos", "usr/lib/libmesos-1.11.0.so"},
		"built tree":     {"bin", ".sh", "src", "src/.libs/libmesos.so"},
		"build folder":   {"build/bin", ".sh", "build/src", "build/src/.libs/libmesos.so"},
		"plain folder":   {"", "", ".", "libmesos.so"},
		"all in bin":     {"bin", "", "bin", "lib/libmesos-1.11.1.so"},
		"CMake's build":  {"build/src", "", "build/src", "build/src/libmesos.so"},
		"multiarch":      {"usr/sbin", "", "usr/libexec/mesos", "usr/lib/x86_64-linux-gnu/libmesos.so"},
		"archive":        {"mesos-1.11.1/sbin", "", "mesos-1.11.1/libexec/mesos", "mesos-1.11.1/lib/libmesos.so"},
		"libtool's only": {"src", "", "src", "src/.libs/libmesos-1.11.0.so"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			fakeMesos(t, dir, tc.folder, tc.suffix, "1.11.0")
			if tc.launcher != "" {
				script(t, filepath.Join(dir, tc.launcher, "mesos-containerizer"), "")
			}
			writeFile(t, filepath.Join(dir, tc.library), "not a library", 0o644)
			c := newConfig(t, func(c *config.Cluster) { c.Components.Mesos.Source.Path = dir })
			p, findings := FindPrograms(t.Context(), c, bin(t))
			assert.Empty(t, about(findings, "mesos"))
			want := MesosPrograms{Version: "1.11.0", Master: filepath.Join(dir, tc.folder, "mesos-master"+tc.suffix),
				Agent: filepath.Join(dir, tc.folder, "mesos-agent"+tc.suffix), Library: filepath.Join(dir, tc.library),
				LibraryPath: filepath.Dir(filepath.Join(dir, tc.library))}
			if tc.launcher != "" {
				want.LauncherDir = filepath.Join(dir, tc.launcher)
			}
			assert.Equal(t, want, p.Mesos)
		})
	}
}

func TestTheFolderOfTheProgramsLeadsToTheRestOfTheirInstallation(t *testing.T) {
	prefix, links := t.TempDir(), t.TempDir()
	fakeMesos(t, prefix, "sbin", "", "1.11.1")
	script(t, prefix+"/libexec/mesos/mesos-containerizer", "")
	writeFile(t, prefix+"/lib/libmesos.so", "", 0o644)
	for _, name := range []string{"mesos-master", "mesos-agent"} {
		require.NoError(t, os.Symlink(prefix+"/sbin/"+name, links+"/"+name))
	}
	for _, dir := range []string{prefix + "/sbin", links} {
		c := newConfig(t, func(c *config.Cluster) { c.Components.Mesos.Source.Path = dir })
		p, findings := FindPrograms(t.Context(), c, bin(t))
		assert.Empty(t, about(findings, "mesos"))
		assert.Equal(t, prefix+"/libexec/mesos", p.Mesos.LauncherDir)
		assert.Equal(t, prefix+"/lib/libmesos.so", p.Mesos.Library)
	}
}

func TestAnAgentWithoutItsLauncherIsFoundBeforeTasksFail(t *testing.T) {
	elsewhere := t.TempDir()
	find := func() (Programs, string) {
		dir := t.TempDir()
		fakeMesos(t, dir, "sbin", "", "1.11.1")
		script(t, dir+"/sbin/mesos-agent", `case $1 in --version) echo "mesos 1.11.1" ;; --help) echo "Usage: mesos-agent
  --launcher=VALUE      The launcher (default: linux)
  --launcher_dir=VALUE                                             Directory path of Mesos binaries. Mesos looks for the fetcher,
                                                                   binary files under this directory. (default: `+elsewhere+`/libexec/mesos)
  --log_dir=VALUE       Location (default: /nowhere)" ;; esac`)
		c := newConfig(t, func(c *config.Cluster) { c.Components.Mesos.Source.Path = dir })
		p, findings := FindPrograms(t.Context(), c, bin(t))
		return p, about(findings, "mesos")
	}
	_, problem := find()
	assert.Contains(t, problem, "mesos-containerizer, without which no task can start, was not found")
	script(t, elsewhere+"/libexec/mesos/mesos-containerizer", "")
	p, problem := find()
	assert.Empty(t, problem)
	assert.Empty(t, p.Mesos.LauncherDir, "it knows by itself")
}

func TestWhatIsWrongWithARealMesosIsSaid(t *testing.T) {
	for want, prepare := range map[string]func(t *testing.T, dir string){
		"were not found in":                  func(*testing.T, string) {},
		"is 1.8.1, but":                      func(t *testing.T, dir string) { fakeMesos(t, dir, "sbin", "", "1.8.1") },
		"does not tell a version":            func(t *testing.T, dir string) { fakeMesos(t, dir, "sbin", "", "") },
		"libglog.so.0: cannot open shared o": func(t *testing.T, dir string) { brokenMesos(t, dir) },
	} {
		dir := t.TempDir()
		prepare(t, dir)
		c := newConfig(t, func(c *config.Cluster) { c.Components.Mesos.Source.Path = dir })
		_, findings := FindPrograms(t.Context(), c, bin(t))
		assert.Contains(t, about(findings, "mesos"), want)
	}
	c := newConfig(t, func(c *config.Cluster) { c.Components.Mesos.Source.Apt = "mesos" })
	_, findings := FindPrograms(t.Context(), c, bin(t))
	assert.Contains(t, about(findings, "mesos"), "source apt mesos cannot be installed on target local")
}

func brokenMesos(t *testing.T, dir string) {
	for _, name := range []string{"mesos-master", "mesos-agent"} {
		script(t, filepath.Join(dir, "sbin", name), "echo 'error while loading shared libraries: libglog.so.0: cannot open shared object file' >&2; exit 127")
	}
}

func TestARealMarathonNeedsARealMesosWithJava(t *testing.T) {
	mesos, marathon := t.TempDir(), t.TempDir()
	fakeMesos(t, mesos, "sbin", "", "1.11.0")
	script(t, marathon+"/bin/marathon", "")
	writeFile(t, marathon+"/lib/mesosphere.marathon.marathon-1.11.26.jar", "", 0o644)
	find := func(change func(*config.Cluster)) (Programs, string) {
		p, findings := FindPrograms(t.Context(), newConfig(t, func(c *config.Cluster) {
			c.Components.Marathon.Source.Path = marathon
			change(c)
		}), bin(t))
		return p, about(findings, "marathon")
	}
	p, problem := find(func(*config.Cluster) {})
	assert.Equal(t, "1.11.26", p.Marathon.Version)
	assert.Equal(t, marathon+"/bin/marathon", p.Marathon.Start)
	assert.Contains(t, problem, "speaks to real masters only")

	real := func(c *config.Cluster) { c.Components.Mesos.Source.Path = mesos }
	if len(newMesosTree("/").libraries()) == 0 {
		_, problem = find(real)
		assert.Contains(t, problem, "there is no libmesos.so")
	}

	// Any library of the system that has nothing to do with Java.
	libraries, err := filepath.Glob("/lib/*/libc.so.6")
	require.NoError(t, err)
	if len(libraries) > 0 {
		require.NoError(t, os.MkdirAll(mesos+"/lib", 0o755))
		require.NoError(t, os.Symlink(libraries[0], mesos+"/lib/libmesos.so"))
		_, problem = find(real)
		assert.Contains(t, problem, "built without Java")
		another := writeFile(t, t.TempDir()+"/libmesos.so", "what cannot be parsed gets the benefit of the doubt", 0o644)
		t.Setenv("MESOS_NATIVE_JAVA_LIBRARY", another)
		p, problem = find(real)
		assert.Empty(t, problem)
		assert.Equal(t, another, p.Marathon.Library)
		assert.Equal(t, mesos+"/lib/libmesos.so", p.Mesos.Library, "the masters keep theirs")
	}

	_, problem = find(func(c *config.Cluster) { real(c); c.Components.Marathon.Source.Path = mesos })
	assert.Contains(t, problem, "there is no program bin/marathon")

	require.NoError(t, os.Chmod(marathon+"/bin/marathon", 0o644))
	_, problem = find(real)
	assert.Contains(t, problem, "chmod +x "+marathon+"/bin/marathon", "some archivers lose it")

	archive := t.TempDir()
	script(t, archive+"/marathon-1.7.236/bin/marathon", "")
	writeFile(t, archive+"/marathon-1.7.236/lib/mesosphere.marathon.marathon-1.7.236.jar", "", 0o644)
	_, problem = find(func(c *config.Cluster) { real(c); c.Components.Marathon.Source.Path = archive })
	assert.Contains(t, problem, archive+"/marathon-1.7.236/bin/marathon is 1.7.236")
}

func TestARealWarGetsAJavaItRunsOn(t *testing.T) {
	dir := t.TempDir()
	fakeJava(t, dir+"/.jdks/jdk-21", `openjdk version "21.0.5" 2024-10-15`)
	fakeJava(t, dir+"/.jdks/jdk-99", `openjdk version "99.0.0" 2099-10-15`)
	t.Setenv("HOME", dir)
	war := fakeWar(t, dir+"/jenkins.war", "Manifest-Version: 1.0\nJenkins-Version: 2.463.1\n")
	find := func(change func(*config.Jenkins)) (JenkinsProgram, []Finding) {
		p, findings := FindPrograms(t.Context(), newConfig(t, func(c *config.Cluster) {
			c.Jenkins.War = war
			change(&c.Jenkins)
		}), bin(t))
		return p.Jenkins, findings
	}
	j, findings := find(func(*config.Jenkins) {})
	assert.Equal(t, "2.463.1", j.Version)
	assert.Contains(t, []int{17, 21}, j.Java.Major, "not the newest of the machine")
	assert.Empty(t, about(findings, "java")+about(findings, "jenkins.war"))

	_, findings = find(func(j *config.Jenkins) { j.Java = dir + "/.jdks/jdk-99" })
	assert.Contains(t, about(findings, "jenkins.java"), "is Java 99.0.0, but Jenkins 2.463.1 runs on Java 17 or 21")
	_, findings = find(func(j *config.Jenkins) { j.Java = dir })
	assert.Contains(t, about(findings, "jenkins.java"), "no such file")
	_, findings = find(func(j *config.Jenkins) { j.Plugins = dir + "/none" })
	assert.Contains(t, about(findings, "jenkins.plugins"), "no such file")
	_, findings = find(func(j *config.Jenkins) { j.War = dir + "/none.war" })
	assert.Contains(t, about(findings, "jenkins.war"), "open "+dir+"/none.war: no such file")
	private := fakeWar(t, dir+"/private.war", "Manifest-Version: 1.0\nJenkins-Version: 2.568.2-SNAPSHOT (private-11/21/2026 07:16 GMT-buil\n der)\nMain-Class: x\n")
	version, err := WarVersion(private)
	require.NoError(t, err)
	assert.Equal(t, "2.568.2-SNAPSHOT (private-11/21/2026 07:16 GMT-builder)", version, "a long line goes on in the next")
	assert.Equal(t, []int{21, 25}, JavaFor(version))
	other := fakeWar(t, dir+"/other.war", "Manifest-Version: 1.0\n")
	_, findings = find(func(j *config.Jenkins) { j.War = other })
	assert.Contains(t, about(findings, "jenkins.war"), "not a jenkins.war")
	j, findings = find(func(j *config.Jenkins) { j.War = "https://get.jenkins.io/war-stable/2.568.2/jenkins.war" })
	assert.Equal(t, "", j.File+j.Version)
	assert.Empty(t, about(findings, "jenkins.war"), "what has to be fetched cannot be judged yet")
}

func TestMissingPackagesAreOneCommand(t *testing.T) {
	f := finder{}
	f.needPackage("libzookeeper-java", "there is no ZooKeeper")
	f.needPackage("haproxy", "there is no HAProxy")
	f.packages()
	assert.Equal(t, []Finding{{"packages", "there is no ZooKeeper, there is no HAProxy", "sudo apt-get install -y libzookeeper-java haproxy"}}, f.findings)
}

func TestAZooKeeperOfTheUsersOwn(t *testing.T) {
	dir := t.TempDir()
	c := newConfig(t, func(c *config.Cluster) { c.Components.ZooKeeper.Source = config.Source{Path: dir} })
	_, findings := FindPrograms(t.Context(), c, bin(t))
	assert.Contains(t, about(findings, "zookeeper"), "there is no zookeeper*.jar")
	writeFile(t, dir+"/lib/zookeeper-3.8.4.jar", "", 0o644)
	p, findings := FindPrograms(t.Context(), c, bin(t))
	assert.Empty(t, about(findings, "zookeeper"))
	assert.Equal(t, dir+"/*:"+dir+"/lib/*", p.ZooKeeper.Classpath)
	assert.Equal(t, "3.8.4", p.ZooKeeper.Version)
	assert.Empty(t, jarVersion([]string{"/usr/share/java/zookeeper-jute-3.8.0.jar", "/usr/share/java/zookeeper.jar"}))
}

func TestDiscoverRealOffersWhatIsThere(t *testing.T) {
	root, home := t.TempDir(), t.TempDir()
	nothing := func(string) (string, error) { return "", os.ErrNotExist }
	assert.Equal(t, Real{}, discoverReal(root, home, nothing))

	fakeMesos(t, root, "opt/mesos-1.11.0/sbin", "", "1.11.0")
	script(t, root+"/usr/share/marathon/bin/marathon", "")
	writeFile(t, root+"/usr/share/java/jenkins.war", "not a war", 0o644)
	war := fakeWar(t, home+"/Downloads/jenkins-2.568.2.war", "Jenkins-Version: 2.568.2\n")
	assert.Equal(t, Real{Mesos: root + "/opt/mesos-1.11.0", Marathon: root + "/usr/share/marathon", War: war}, discoverReal(root, home, nothing))

	onPath := func(name string) (string, error) { return "/prefix/sbin/" + name, nil }
	assert.Equal(t, "/prefix", discoverReal(root, home, onPath).Mesos)
}

func TestOlder(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want bool
	}{{"1.8.1", "1.9", true}, {"1.9.0", "1.9", false}, {"1.11.0-rc1", "1.9", false}, {"2.0", "1.9", false}, {"2.1", "2.2", true}} {
		assert.Equal(t, tc.want, older(tc.a, tc.b), "%s %s", tc.a, tc.b)
	}
}
