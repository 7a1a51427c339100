package backup

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRoomOnOneDiskIsAskedForTogether(t *testing.T) {
	disks := map[string]uint64{"/home": 1, "/scratch": 1, "/repo": 2}
	on := func(place string) (uint64, bool) { id, known := disks[place]; return id, known }
	needs := []diskNeed{{"/home", 20}, {"/scratch", 10}, {"/repo", 5}, {"/unknown", 3}, {"/other", 4}}
	require.Equal(t, []diskNeed{{"/home", 30}, {"/repo", 5}, {"/unknown", 3}, {"/other", 4}}, together(needs, on))

	dir := t.TempDir()
	here, ok := device(dir)
	require.True(t, ok)
	there, ok := device(dir + "/not/there/yet")
	require.True(t, ok)
	require.Equal(t, here, there)

	l, set := Left{Home: dir}, Set{Scratch: dir + "/scratch", Repository: Repository{Location: dir + "/repo"}}
	require.NoError(t, l.roomFor(set, 1))
	var full *Error
	require.ErrorAs(t, l.roomFor(set, 1<<60), &full)
	require.ErrorIs(t, full, ErrNoRoom)
	require.NotEmpty(t, full.Fix)
}
