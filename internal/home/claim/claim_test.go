package claim_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/home/claim"
	"github.com/jomctl/jomctl/internal/home/git"
	"github.com/jomctl/jomctl/internal/testkit"
	"github.com/jomctl/jomctl/internal/wholefile"
)

// The remote knows of a claim as soon as it is pushed. A home whose marker does not, after a loss of power, would not be the owner's any more.
func TestAMarkerIsOnTheDiskWhenItIsWritten(t *testing.T) {
	disk := testkit.NewCrashDisk(t)
	home := filepath.Join(disk.Dir, "home")
	require.NoError(t, os.Mkdir(home, 0o755))
	require.NoError(t, wholefile.SyncFolder(disk.Dir))
	for _, m := range []claim.Marker{{Home: "h", Claiming: "x"}, {Home: "h", Epoch: 1, Owner: "x"}} {
		require.NoError(t, claim.WriteMarker(home, m))
		after, ok, err := claim.ReadMarker(filepath.Join(disk.Crash(), "home"))
		require.NoError(t, err)
		require.True(t, ok, "%+v", m)
		require.Equal(t, m, after)
	}
}

func TestAMarkerThatCannotBeReadIsNamed(t *testing.T) {
	home := t.TempDir()
	require.NoError(t, claim.WriteMarker(home, claim.Marker{Home: "h"}))
	file := filepath.Join(home, claim.MarkerFile)
	for _, text := range []string{"", "{", `{"epoch": "one"}`, "null and void"} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		_, _, err := claim.ReadMarker(home)
		require.ErrorContains(t, err, file)
		require.ErrorContains(t, err, "move the home away")
	}
}

func TestClaimsWhoseEndIsNotKnownAreRemembered(t *testing.T) {
	var m claim.Marker
	require.False(t, m.Is(git.Hash{}))
	for i := range 40 {
		m.Claims(git.Hash{byte(i + 1)})
	}
	m.Claims(git.Hash{39})
	require.True(t, m.Is(git.Hash{39}))
	require.True(t, m.Is(git.Hash{20}))
	require.False(t, m.Is(git.Hash{1}), "of a home that never gets through only the last count")
	require.Len(t, strings.Fields(m.Claiming), 32)
}
