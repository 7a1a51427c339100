package resolve

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/bundles/updatecenter"
)

func advisories(day int, warnings ...updatecenter.Warning) Advisories {
	return Advisories{Generated: time.Date(2026, 6, day, 0, 0, 0, 0, time.UTC), Digest: "d", Warnings: warnings, Deprecated: map[string]string{}}
}

func warning(id, name, pattern string) updatecenter.Warning {
	return updatecenter.Warning{ID: id, Name: name, Message: "trouble", URL: "https://x.example/" + id, Patterns: []string{pattern}}
}

func TestADiffTellsWhatAnUpgradeBrings(t *testing.T) {
	from := &Lock{Core: "2.346.3", Plugins: []Plugin{{Name: "gone", Version: "1"}, {Name: "same", Version: "1", SHA256: "a"}, {Name: "swapped", Version: "1", SHA256: "a"}, {Name: "up", Version: "1.9"}}}
	to := &Lock{Core: "2.568.3", Plugins: []Plugin{{Name: "down", Version: "1"}, {Name: "new", Version: "3"}, {Name: "same", Version: "1", SHA256: "a"},
		{Name: "swapped", Version: "1", SHA256: "b"}, {Name: "up", Version: "1.10"}}}
	from.Plugins = append(from.Plugins, Plugin{Name: "down", Version: "2"})
	known := Know(advisories(1, warning("S-1", "up", "1[.]9"), warning("S-2", "new", "3"), warning("S-3", "same", ".*"), warning("core-1", "core", "2[.]346.*"), warning("S-4", "elsewhere", ".*")))
	d := Compare(from, to, from.Core, to.Core, known)
	require.Equal(t, []Change{{Name: "down", From: "2", To: "1", Older: true}, {Name: "gone", From: "1"}, {Name: "new", To: "3"},
		{Name: "swapped", From: "1", To: "1", Changed: true}, {Name: "up", From: "1.9", To: "1.10"}}, d.Plugins)
	require.Equal(t, []Warning{{"core-1", "core", "2.346.3", "trouble", "https://x.example/core-1"}, {"S-1", "up", "1.9", "trouble", "https://x.example/S-1"}}, d.Fixed)
	require.Len(t, d.Introduced, 1)
	require.Equal(t, "S-2", d.Introduced[0].ID)
	require.Equal(t, "S-3", d.Remaining[0].ID)
	require.Equal(t, []string{"instance-identity"}, d.LackedSplit)
	require.Equal(t, []Split{{"instance-identity", "2.356", "3.1"}}, d.Split)
	require.False(t, d.Empty())
	require.True(t, Compare(from, from, "2", "2", known).Empty())
	require.Len(t, Compare(nil, to, "2.568.3", "2.568.3", Knowledge{}).Plugins, 5)
}

func TestTheNewestWordOnAWarningCounts(t *testing.T) {
	lock := &Lock{Plugins: []Plugin{{Name: "a", Version: "2"}}}
	known := Know(advisories(1, warning("S-1", "a", ".*")), advisories(9, warning("S-1", "a", "1")), advisories(3))
	require.Empty(t, known.Against("2.1", lock), "its pattern was corrected")
	require.Equal(t, 9, known.AsOf.Day())
	require.Len(t, Know(advisories(1, warning("S-1", "a", ".*")), advisories(9)).Against("", lock), 1, "an extract that does not speak of it takes nothing back")
}

func TestAdvisoriesOfALockAreKeptInAFile(t *testing.T) {
	c := center(2, "a 1 2.100")
	c.Warnings = []updatecenter.Warning{warning("S-9", "z", ".*"), warning("S-2", "a", "<&>"), warning("core-1", "core", "1"), warning("S-1", "a", "1")}
	c.Deprecated = map[string]string{"a": "https://why", "z": "https://other"}
	lock := &Lock{Plugins: []Plugin{{Name: "a", Version: "1"}}}
	data, err := AdvisoriesFor(c, lock).JSON()
	require.NoError(t, err)
	again, err := ParseAdvisories(data)
	require.NoError(t, err)
	require.Equal(t, "d", again.Digest)
	require.Equal(t, c.Generated, again.Generated)
	require.Equal(t, map[string]string{"a": "https://why"}, again.Deprecated)
	require.Equal(t, []updatecenter.Warning{warning("S-1", "a", "1"), warning("S-2", "a", "<&>"), warning("core-1", "core", "1")}, again.Warnings)
	require.Equal(t, "https://other", Know(AllAdvisories(c)).Deprecated("z"))
	_, err = ParseAdvisories([]byte(`{"warning": []}`))
	require.Error(t, err)
	_, err = ParseAdvisories(nil)
	require.Error(t, err)
}

func TestAnAuditFindsWhatJenkinsWouldNotLoad(t *testing.T) {
	lock := &Lock{Core: "2.555.3", Plugins: []Plugin{
		{Name: "a", Version: "2", RequiredCore: "2.560", MinimumJava: "21", Needs: []Need{{Name: "b", Version: "3"}, {Name: "c", Version: "1"}, {Name: "d", Version: "1", Optional: true}}},
		{Name: "b", Version: "2", RequiredCore: "2.500"}}, Unlocked: []Unlocked{{"u", "1", "nobody has it"}}}
	wishes, err := ParseWishes("a:=1\nu\nmissing:4\nb:2")
	require.NoError(t, err)
	require.Equal(t, []string{
		"plugins.lock was made for Jenkins 2.555.3, and the release has 2.556",
		"u 1 is wanted and not locked: nobody has it",
		"line 1 of plugins.txt wants exactly a 1, and plugins.lock has 2",
		"line 3 of plugins.txt wants missing 4 or newer, and plugins.lock does not have it",
		"a 2 needs Jenkins 2.560",
		"a 2 needs Java 21, and the release allows 17",
		"a 2 needs b 3 or newer, and 2 is locked",
		"a 2 needs c 1 or newer, which is not locked",
	}, lock.Audit("2.556", []int{17, 21}, wishes))
	require.Empty(t, (&Lock{Core: "2"}).Audit("2", nil, nil))
}
