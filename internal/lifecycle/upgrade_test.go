package lifecycle

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/bundles"
	"github.com/jomctl/jomctl/bundles/resolve"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
)

func TestUpgradeWritesTheReleaseAndNothingElse(t *testing.T) {
	const head = "apiVersion: jomctl/v1\n# ours\nname: ci # the name\n"
	for name, c := range map[string]struct{ text, want string }{
		"added":   {head + "target: local\n", head + "release: ./mine\ntarget: local\n"},
		"changed": {head + "target: local\nrelease: previous   # since spring\n", head + "target: local\nrelease: ./mine   # since spring\n"},
		"quoted":  {head + "release: \"previous\"\ntarget: local\n", head + "release: ./mine\ntarget: local\n"},
		"same":    {head + "release: ./mine\ntarget: local\n", head + "release: ./mine\ntarget: local\n"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "cluster.yaml")
			require.NoError(t, os.WriteFile(path, []byte(c.text), 0o640))
			require.NoError(t, setRelease(path, "./mine"))
			got, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, c.want, string(got))
			info, err := os.Stat(path)
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o640), info.Mode().Perm())
		})
	}
	path := filepath.Join(t.TempDir(), "cluster.yaml")
	require.NoError(t, os.WriteFile(path, []byte("{apiVersion: jomctl/v1, name: ci, target: local}\n"), 0o600))
	var refusal *Refusal
	require.ErrorAs(t, setRelease(path, "default2"), &refusal)
	require.Contains(t, refusal.Fix, "jomctl resume")
}

func TestUpgradeLastWordsAreTheProgramsOwn(t *testing.T) {
	require.Equal(t, "java: not found", lastWords("starting\njava: not found\nI1121 10:00:00.000000 12 executor.cpp:1009] Command exited with status 127 (pid: 8)\n"))
	require.Equal(t, "broken", lastWords("broken\nI20261121 21:48:07.883128 29012 executor] Command exited with status 9 (pid: 29026)"))
}

func TestUpgradePreviewSaysWhatAPersonMustKnow(t *testing.T) {
	before, err := bundles.Load("previous")
	require.NoError(t, err)
	after, err := bundles.Load("default")
	require.NoError(t, err)
	known, err := bundles.Known(nil, before, after)
	require.NoError(t, err)
	p := UpgradePreview{From: upgrade.Version{Release: "previous", Core: before.Core.Version}, To: upgrade.Version{Release: "default", Core: after.Core.Version},
		Diff: resolve.Compare(before.Lock, after.Lock, before.Core.Version, after.Core.Version, known), Dangers: after.Dangers, App: []string{"cpus: 1 -> 2"},
		Links: []string{"mesos: missing class gone.Gone"}, LinksChecked: true, Down: 90 * time.Second, Expected: 2 * time.Minute}
	p.Hazards, err = bundles.HazardsBetween(before.Core.Version, after.Core.Version)
	require.NoError(t, err)
	lines := p.Lines()
	deploy := strings.Join(lines["deploy"], "\n")
	require.Contains(t, deploy, "core 2.555.3 (previous) -> 2.568.3 (default)")
	require.Contains(t, deploy, "plugins newer: ")
	require.Contains(t, deploy, " more")
	require.Contains(t, deploy, "https://www.jenkins.io/doc/upgrade-guide/2.568/")
	require.Contains(t, deploy, "danger: ")
	require.Contains(t, deploy, "security warnings: ")
	require.Contains(t, deploy, "app: cpus: 1 -> 2")
	require.Contains(t, strings.Join(lines["rehearse"], "\n"), "breaks: mesos: missing class gone.Gone")
	require.Contains(t, strings.Join(lines["stop"], "\n"), "1m30s as in earlier upgrades")
	require.Contains(t, strings.Join(lines["window"], "\n"), "about 2m0s")
	p.HomeOf = &upgrade.Earlier{Backup: "0123456789", Time: time.Now()}
	require.Contains(t, strings.Join(p.Lines()["deploy"], "\n"), "the home becomes that of")
}
