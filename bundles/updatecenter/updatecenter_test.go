package updatecenter

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/bundles/updatecenter/uctest"
)

var june = time.Date(2026, 6, 14, 1, 50, 16, 0, time.UTC)

var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func small() uctest.Object {
	center := uctest.Center(june, uctest.Plugin("git", "5.10.1", "2.504.3", "the git plugin", "mailer 1", "credentials 1480.v2246fd131e83", "token-macro 477.v1?"),
		uctest.Plugin("credentials", "1500.va", "2.528", "credentials"))
	uctest.Warn(center, "SECURITY-1", "git", `[0-4](|[.-].*)`)
	uctest.Warn(center, "core-1", "core", `2[.]567(|[.-].+)`)
	center["deprecations"] = uctest.Object{"git": uctest.Object{"url": "https://deprecated.example"}}
	return center
}

func TestASignedFileIsRead(t *testing.T) {
	signer := uctest.NewSigner(t, june)
	data := signer.Sign(t, small())
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, err := zip.Write(data)
	require.NoError(t, err)
	require.NoError(t, zip.Close())
	plain := bytes.TrimSuffix(bytes.TrimPrefix(data, []byte("updateCenter.post(\n")), []byte("\n);\n"))
	for _, form := range [][]byte{data, plain, packed.Bytes()} {
		c, err := Read(form, Trust{Roots: [][]byte{signer.Root}, Now: noon})
		require.NoError(t, err)
		require.Equal(t, "default", c.ID)
		require.Equal(t, "2.568", c.Core.Version)
		git := c.Plugins["git"]
		require.Equal(t, []Dependency{{"credentials", "1480.v2246fd131e83", false}, {"mailer", "1", false}, {"token-macro", "477.v1", true}}, git.Dependencies)
		require.Equal(t, "2.504.3", git.RequiredCore)
		require.Len(t, git.SHA256, 64)
		require.Equal(t, PluginURL("git", "5.10.1"), git.URL)
		require.Equal(t, "https://deprecated.example", c.Deprecated["git"])
		require.Equal(t, "CN=a signer for tests", c.Provenance.Signer)
		require.Equal(t, "CN=a root for tests", c.Provenance.Root)
		require.True(t, c.Provenance.OwnTime)
		require.Equal(t, c.Generated, c.Provenance.Judged)
		require.Len(t, c.Warnings, 2)
		require.Equal(t, CoreName, c.Warnings[1].Name)
		require.True(t, c.Warnings[0].Concerns("4.1"))
		require.False(t, c.Warnings[0].Concerns("5.10.1"))
	}
}

func TestWhatIsNotSignedByTheJenkinsProjectIsRefused(t *testing.T) {
	signer, other := uctest.NewSigner(t, june), uctest.NewSigner(t, june)
	trust := Trust{Roots: [][]byte{signer.Root}, Now: noon}
	good := string(signer.Sign(t, small()))
	unsigned, err := json.Marshal(small())
	require.NoError(t, err)
	old := trust
	old.Live, old.Now = true, time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)
	early := trust
	early.Now = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	// The signature of one file under the content of another.
	mixed := strings.Replace(good, `"plugins":`, `"plugins":{},"spare":`, 1)
	for name, c := range map[string]struct {
		data  string
		trust Trust
		want  string
	}{
		"another root":       {good, Trust{Now: noon}, "whom the Jenkins project does not vouch for"},
		"its own root":       {string(other.Sign(t, small())), trust, "whom the Jenkins project does not vouch for"},
		"a changed checksum": {strings.Replace(good, uctest.Sum([]byte("credentials")), uctest.Sum([]byte("malware")), 1), trust, "was changed after it was signed"},
		"a warning left out": {strings.Replace(good, "SECURITY-1", "SECURITY-2", 1), trust, "was changed after it was signed"},
		"another digest":     {strings.Replace(good, `"correct_signature512":"`, `"correct_signature512":"00`, 1), trust, "is not that of the certificate in it"},
		"mixed":              {mixed, trust, "was changed after it was signed"},
		"not signed":         {string(unsigned), trust, "is not signed"},
		"expired":            {good, old, "valid from 2026-01-01 to 2027-01-01, and not on 2027-02-01"},
		"from the future":    {good, early, "in the future"},
		"an error page":      {"<html>", trust, "an error page perhaps"},
		"cut off":            {good[:len(good)-4], trust, "is not closed"},
		"two objects":        {`{"a":1} {"b":2}`, trust, "something follows"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read([]byte(c.data), c.trust)
			require.ErrorContains(t, err, c.want)
			if refused := new(UntrustedError); name != "an error page" && name != "cut off" && name != "two objects" {
				require.ErrorAs(t, err, &refused)
				require.NotEmpty(t, refused.Hint())
				require.Equal(t, 3, refused.ExitCode())
			}
		})
	}
	live := trust
	live.Live = true
	c, err := Read([]byte(good), live)
	require.NoError(t, err)
	require.False(t, c.Provenance.OwnTime)
	old.Live = false
	_, err = Read([]byte(good), old)
	require.NoError(t, err, "a kept file is judged by its own time")
}

func TestAMirrorThatRewritesAddressesIsNamedAndTrustedOnlyByName(t *testing.T) {
	signer := uctest.NewSigner(t, june)
	good := string(signer.Sign(t, small()))
	mirrored := strings.ReplaceAll(good, "https://updates.jenkins.io/download", "https://mirror.example/jenkins")
	mirrored = strings.Replace(mirrored, "https://www.google.com/", "https://search.example/", 1)
	trust := Trust{Roots: [][]byte{signer.Root}, Now: noon}
	_, err := Read([]byte(mirrored), trust)
	require.ErrorContains(t, err, "a mirror has put its own addresses into it: https://mirror.example; everything else is as it was signed")
	refused := new(UntrustedError)
	require.ErrorAs(t, err, &refused)
	require.Contains(t, refused.Hint(), "--trust-mirror https://mirror.example")

	for _, wrong := range []string{"https://mirror.example/jenkin", "http://mirror.example", "https://mirror.example.evil", "https://mirror", "mirror.example", ""} {
		trust.Mirrors = []string{wrong}
		_, err = Read([]byte(mirrored), trust)
		require.ErrorAs(t, err, &refused, wrong)
	}
	trust.Mirrors = []string{"https://mirror.example/jenkins/"}
	c, err := Read([]byte(mirrored), trust)
	require.NoError(t, err)
	require.Equal(t, "https://mirror.example/jenkins/plugins/git/5.10.1/git.hpi", c.Plugins["git"].URL)
	require.Equal(t, "https://mirror.example/jenkins/war/2.568/jenkins.war", c.Core.URL)
	require.Equal(t, "https://mirror.example/jenkins/", c.Provenance.Mirror)

	changed := strings.Replace(mirrored, uctest.Sum([]byte("credentials")), uctest.Sum([]byte("malware")), 1)
	_, err = Read([]byte(changed), trust)
	require.ErrorContains(t, err, "was changed after it was signed", "trust in a mirror is no trust in other checksums")
	climbing := strings.Replace(mirrored, "jenkins/plugins/git/", "jenkins/../../git/", 1)
	_, err = Read([]byte(climbing), trust)
	require.ErrorAs(t, err, &refused)
}

func TestWhatCannotBeUsedSafelyIsLeftOut(t *testing.T) {
	signer := uctest.NewSigner(t, june)
	for want, plugin := range map[string]uctest.Object{
		`plugin "../x"`:                {"name": "../x", "version": "1", "sha256": uctest.Sum(nil)},
		`the name is "b"`:              {"name": "b", "version": "1", "sha256": uctest.Sum(nil)},
		`the version is "1/../../etc"`: {"name": "a", "version": "1/../../etc", "sha256": uctest.Sum(nil)},
		`the sha256 is "AAAA"`:         {"name": "a", "version": "1", "sha256": "AAAA"},
	} {
		center := small()
		key := "a"
		if name := plugin["name"].(string); name != "b" {
			key = name
		}
		center["plugins"].(uctest.Object)[key] = plugin
		c, err := Read(signer.Sign(t, center), Trust{Roots: [][]byte{signer.Root}, Now: noon})
		require.NoError(t, err)
		require.Len(t, c.Unusable, 1)
		require.Contains(t, c.Unusable[0], want)
		require.Len(t, c.Plugins, 2, "the others are not lost for it")
	}
	center := small()
	center["core"].(uctest.Object)["sha256"] = ""
	_, err := Read(signer.Sign(t, center), Trust{Roots: [][]byte{signer.Root}, Now: noon})
	require.ErrorContains(t, err, "core: the sha256")
}

func TestCanonical(t *testing.T) {
	object, err := parse([]byte(`{"b": [1, 2.50, 1e3, true, null, {}], "a": {"z": "\u00e9\u2028<&>/\u007f", "é": "\"\\\b\f\n\r\t\u0001"}, "A": ""}`))
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, canonical(&out, object))
	require.Equal(t, "{\"A\":\"\",\"a\":{\"z\":\"é\u2028<&>/\u007f\",\"é\":\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\"},\"b\":[1,2.50,1e3,true,null,{}]}", out.String())
	require.Error(t, canonical(&out, 1))
}

func TestPatternsAreThoseOfJava(t *testing.T) {
	for _, c := range []struct {
		pattern, version string
		want             bool
	}{
		{`(?!2.0.1.2)(1|2[.]0)(|[.-].*)`, "2.0.1.2", false}, {`(?!2.0.1.2)(1|2[.]0)(|[.-].*)`, "2.0.1.1", true},
		{`(?!1[.]3[.]4[.].*)(0|1[.]([0-2]|3$|3[.][1-4]))(|[.-].*)`, "1.3", true}, {`(?!1[.]3[.]4[.].*)(0|1[.]([0-2]|3$|3[.][1-4]))(|[.-].*)`, "1.3.4.1", false},
		{`^0\.0\.1\.(?:[12]?[0-9]{2}|30[0-1])(?:[.-].+)?$`, "0.0.1.301", true},
		{`1[.]1`, "1.10", false}, {`1[.]1|2`, "2x", false}, {`.*`, "1", true},
		{`(((`, "1", true}, // cannot be judged
	} {
		require.Equal(t, c.want, Warning{Patterns: []string{"never", c.pattern}}.Concerns(c.version), "%s on %s", c.pattern, c.version)
	}
	require.False(t, Warning{}.Concerns("1"))
}

// TestRealFiles needs a folder with the five files update-center-YYYY-MM.json.gz of the Jenkins project, which are too large to be kept here.
func TestRealFiles(t *testing.T) {
	dir := os.Getenv("JOMCTL_TEST_UPDATE_CENTERS")
	if dir == "" {
		t.Skip("JOMCTL_TEST_UPDATE_CENTERS names no folder")
	}
	for name, plugins := range map[string]int{"2022-08": 1874, "2024-02": 1938, "2025-05": 2009, "2026-03": 2062, "2026-06": 2082} {
		data, err := os.ReadFile(filepath.Join(dir, "update-center-"+name+".json.gz"))
		require.NoError(t, err)
		c, err := Read(data, Trust{Now: noon})
		require.NoError(t, err, name)
		require.Len(t, c.Plugins, plugins)
		require.Empty(t, c.Unusable)
		require.Equal(t, name, c.Generated.Format("2006-01"))
		require.Contains(t, c.Provenance.Root, "CN=Kohsuke Kawaguchi")
		mesos := c.Plugins["mesos"]
		require.Equal(t, "3ba8f9c46667369e57fb60648a7040548e205e56bf52e69e739fa81eac8ed184", mesos.SHA256)
		require.Equal(t, []Dependency{{"metrics", "4.0.2.5", false}}, mesos.Dependencies)
		_, err = Read(data, Trust{Now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), Live: true})
		require.ErrorContains(t, err, "and not on 2030-01-01")
		for _, w := range c.Warnings {
			for _, version := range []string{"0", "2.164", "99999.v_"} {
				w.Concerns(version)
			}
		}
	}
}
