package bundles

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/bundles/resolve"
	"github.com/jomctl/jomctl/bundles/updatecenter"
)

// lockedFrom says from which update centers of the Jenkins project each release was locked.
var lockedFrom = map[string][]string{"default": {"2026-06"}, "previous": {"2026-03", "2025-05"}, "legacy": {"2022-08"}}

func shippedReleases(t *testing.T) map[string]*Release {
	t.Helper()
	all := map[string]*Release{}
	for _, name := range Names() {
		release, err := Load(name)
		require.NoError(t, err)
		require.Equal(t, name, release.Name)
		require.NotEmpty(t, release.Title)
		require.NotNil(t, release.Lock)
		all[name] = release
	}
	require.Equal(t, slices.Sorted(maps.Keys(lockedFrom)), slices.Sorted(maps.Keys(all)))
	return all
}

func TestTheShippedReleasesAreWhatTheySay(t *testing.T) {
	all := shippedReleases(t)
	known, err := Known(nil)
	require.NoError(t, err)
	require.Equal(t, "2026-06-14", known.AsOf.Format(time.DateOnly))
	for _, name := range []string{"default", "previous"} {
		r := all[name]
		require.Empty(t, r.Audit(), name)
		mesos, has := r.Lock.Plugin("mesos")
		require.True(t, has)
		require.Equal(t, "2.0", mesos.Version)
		require.Equal(t, "3ba8f9c46667369e57fb60648a7040548e205e56bf52e69e739fa81eac8ed184", mesos.SHA256)
		require.NotEmpty(t, mesos.Deprecated)
		for _, needed := range []string{"instance-identity", "trilead-api", "sshd", "javax-activation-api", "javax-mail-api", "bouncycastle-api", "configuration-as-code", "git", "matrix-auth"} {
			_, has := r.Lock.Plugin(needed)
			require.True(t, has, "%s of %s: wars from 2.580 on bring none of the plugins that left the core", needed, name)
		}
		require.Len(t, r.Files(), len(r.Lock.Plugins)+1)
		require.Len(t, r.Lock.UpdateCenters, len(lockedFrom[name]))
		core, is, err := KnownCore(r.Core.Version)
		require.NoError(t, err)
		require.True(t, is)
		require.Equal(t, core, r.Core)
	}
	require.Empty(t, known.Against(all["default"].Core.Version, all["default"].Lock))
	require.Equal(t, all["default"].Core.Version, all["default"].Lock.Core)

	legacy := all["legacy"]
	problems := legacy.Audit()
	require.Contains(t, problems[0], "core.sha256: no signed or independent source")
	require.Contains(t, problems, "mesos 1.0.0 is wanted and not locked: mesos 2.0 is not taken: line 2 of plugins.txt wants exactly mesos 1.0.0")
	require.NotEmpty(t, legacy.Dangers)
	require.Greater(t, len(known.Against(legacy.Core.Version, legacy.Lock)), 5, "what was found since 2022 is known too")
}

// TestALockHoldsEverythingThatItsPluginsNeed resolves each release once more, from its own plugins alone.
func TestALockHoldsEverythingThatItsPluginsNeed(t *testing.T) {
	for name, r := range shippedReleases(t) {
		center := &updatecenter.Center{Generated: r.Advisories.Generated, Plugins: map[string]updatecenter.Plugin{}, Deprecated: r.Advisories.Deprecated}
		for _, p := range r.Lock.Plugins {
			plugin := updatecenter.Plugin{Name: p.Name, Version: p.Version, SHA256: p.SHA256, URL: p.URL, Size: p.Size, RequiredCore: p.RequiredCore}
			for _, need := range p.Needs {
				if !need.Implied {
					plugin.Dependencies = append(plugin.Dependencies, updatecenter.Dependency{Name: need.Name, Version: need.Version, Optional: need.Optional})
				}
			}
			center.Plugins[p.Name] = plugin
			require.Equal(t, updatecenter.PluginURL(p.Name, p.Version), p.URL)
		}
		lock, err := resolve.Resolve(resolve.Request{Core: r.Core.Version, Java: r.Java, Wishes: r.Wishes, Centers: []*updatecenter.Center{center}, Partial: name == "legacy"})
		require.NoError(t, err)
		require.Equal(t, r.Lock.Plugins, lock.Plugins, name)
	}
}

// TestTheLocksComeFromTheSignedFiles needs a folder with the update centers update-center-YYYY-MM.json.gz of the Jenkins project, which are too
// large to be kept here.
func TestTheLocksComeFromTheSignedFiles(t *testing.T) {
	dir := os.Getenv("JOMCTL_TEST_UPDATE_CENTERS")
	if dir == "" {
		t.Skip("JOMCTL_TEST_UPDATE_CENTERS names no folder")
	}
	for name, r := range shippedReleases(t) {
		var centers []*updatecenter.Center
		for _, month := range lockedFrom[name] {
			data, err := os.ReadFile(filepath.Join(dir, "update-center-"+month+".json.gz"))
			require.NoError(t, err)
			center, err := updatecenter.Read(data, updatecenter.Trust{Now: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)})
			require.NoError(t, err)
			centers = append(centers, center)
		}
		lock, err := resolve.Resolve(resolve.Request{Core: r.Core.Version, Java: r.Java, Wishes: r.Wishes, Centers: centers, Partial: name == "legacy"})
		require.NoError(t, err)
		committed, err := os.ReadFile(filepath.Join(name, LockFile))
		require.NoError(t, err)
		require.Equal(t, string(committed), lock.String(), "make it anew with jomctl release lock ./bundles/"+name)
		advisories, err := resolve.AdvisoriesFor(centers[0], lock).JSON()
		require.NoError(t, err)
		committed, err = os.ReadFile(filepath.Join(name, AdvisoriesFile))
		require.NoError(t, err)
		require.Equal(t, string(committed), string(advisories))
	}
}

func TestFromPreviousToDefault(t *testing.T) {
	all := shippedReleases(t)
	known, err := Known(nil)
	require.NoError(t, err)
	d := resolve.Compare(all["previous"].Lock, all["default"].Lock, all["previous"].Core.Version, all["default"].Core.Version, known)
	require.NotEmpty(t, d.Plugins)
	for _, change := range d.Plugins {
		require.False(t, change.Older, change.Name)
	}
	require.Empty(t, d.Introduced)
	require.Empty(t, d.Split)
	down := resolve.Compare(all["default"].Lock, all["previous"].Lock, all["default"].Core.Version, all["previous"].Core.Version, known)
	require.True(t, slices.ContainsFunc(down.Plugins, func(c resolve.Change) bool { return c.Older }))
}

func TestAReleaseOfOnesOwnMayBeIncompleteAndSaysSo(t *testing.T) {
	own := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(own, name), []byte(text), 0o600))
	}
	write("bundle.yaml", "name: mine\ncore: {version: '2.1', url: u, sha256: ''}\njava: [21]\nline: http\ntemplate: t\n")
	_, err := Load(own)
	require.ErrorContains(t, err, `core.sha256: "": want 64 hex digits`, "silence about the checksum is a mistake")
	write("bundle.yaml", "name: mine\ncore: {version: '2.1', url: u, sha256: ''}\njava: [21]\nline: http\ntemplate: t\nincomplete: [nobody knows the war]\n")
	r, err := Load(own)
	require.NoError(t, err)
	require.Equal(t, []string{"nobody knows the war", "plugins are not locked: there is no plugins.lock"}, r.Audit())
	require.Empty(t, r.Files())
	for name, text := range map[string]string{WishesFile: "a b", LockFile: "core: [", AdvisoriesFile: "{"} {
		write(name, text)
		_, err := Load(own)
		require.ErrorContains(t, err, own)
		require.NoError(t, os.Remove(filepath.Join(own, name)))
	}
	seen := map[string]bool{}
	require.NoError(t, r.Walk(func(name string, _ []byte) error { seen[name] = true; return nil }))
	require.Equal(t, map[string]bool{"bundle.yaml": true}, seen)
	_, is, err := KnownCore("1.0")
	require.NoError(t, err)
	require.False(t, is)
}
