package lifecycle

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/bundles"
	"github.com/jomctl/jomctl/bundles/resolve"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
)

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
