package bundles

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDefaultReleaseIsThePublishedLTS(t *testing.T) {
	release, err := Load("default")
	require.NoError(t, err)
	require.Equal(t, "2.568.3", release.Core.Version)
	require.Contains(t, release.Core.URL, release.Core.Version)
	require.Equal(t, []int{21, 25}, release.Java)
	require.Equal(t, "http", release.Line)
}

func TestDocumentEscapesAndKeepsTheSafetyRules(t *testing.T) {
	release, err := Load("default")
	require.NoError(t, err)
	data, err := release.Document(App{ID: "/ci/jenkins", Command: `exec "/a b/jomhome" run`, HealthCommand: "x", CPUs: 1.5, MemMiB: 1024,
		HTTPPort: 8080, AgentPort: 50000, GraceSeconds: 300, Constraints: [][]string{{"hostname", "CLUSTER", "127.0.10.21"}},
		Labels: map[string]string{"MARATHON_SINGLE_INSTANCE_APP": "true"}})
	require.NoError(t, err)
	var document map[string]any
	require.NoError(t, json.Unmarshal(data, &document))
	require.Equal(t, `exec "/a b/jomhome" run`, document["cmd"])
	require.Equal(t, map[string]any{"minimumHealthCapacity": 0.0, "maximumOverCapacity": 0.0}, document["upgradeStrategy"],
		"a single-instance app without an explicit 0/0 is refused by Marathon")
	check := document["healthChecks"].([]any)[0].(map[string]any)
	require.Equal(t, "COMMAND", check["protocol"], "a check that Marathon itself makes blocks every later upgrade of a 0/0 app")
	require.Equal(t, []any{[]any{"hostname", "CLUSTER", "127.0.10.21"}}, document["constraints"])
	require.Equal(t, map[string]any{}, document["env"])
}

func TestLoadNamesWhatIsWrong(t *testing.T) {
	own := filepath.Join(t.TempDir(), "mine")
	require.NoError(t, os.Mkdir(own, 0o755))
	cases := map[string]struct{ release, bundle, want string }{
		"unknown name":   {"defualt", "", `release "defualt" is not shipped (shipped: default, legacy, previous)`},
		"missing folder": {"./nowhere", "", "no such file"},
		"no bundle":      {own, "", "bundle.yaml"},
		"unknown key":    {own, "name: x\ncores: {}\n", "cores"},
		"all at once":    {own, "name: x\nline: ftp\n", `line: "ftp": want http or libmesos`},
		"bad digest":     {own, "name: x\ncore: {version: '1', sha256: abc}\njava: [21]\nline: http\ntemplate: t\n", `core.sha256: "abc": want 64 hex digits`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(own, "bundle.yaml")
			require.NoError(t, os.RemoveAll(file))
			if c.bundle != "" {
				require.NoError(t, os.WriteFile(file, []byte(c.bundle), 0o600))
			}
			_, err := Load(c.release)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestATemplateThatGivesNoJSONIsNamed(t *testing.T) {
	own := t.TempDir()
	bundle := "name: mine\ncore: {version: '1', url: u, sha256: '0000000000000000000000000000000000000000000000000000000000000000'}\njava: [21]\nline: http\ntemplate: app.tmpl\n"
	require.NoError(t, os.WriteFile(filepath.Join(own, "bundle.yaml"), []byte(bundle), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(own, "app.tmpl"), []byte(`{"id": {{.ID}}}`), 0o600))
	release, err := Load(own)
	require.NoError(t, err)
	_, err = release.Document(App{ID: "/x"})
	require.ErrorContains(t, err, `the app template of release "mine" does not give JSON`)
}
