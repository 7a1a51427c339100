package status

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/host"
)

func TestHostsOnOneDiskAskForItOnce(t *testing.T) {
	dir := t.TempDir()
	disks := disks{asked: map[any]func() *Disk{}}
	var seen []*Disk
	for _, name := range []string{"a1", "a2", "a3"} {
		folder := filepath.Join(dir, name)
		require.NoError(t, os.Mkdir(folder, 0o700))
		m, err := host.NewLocal(name, "", folder, "/bin/true")
		require.NoError(t, err)
		seen = append(seen, disks.of(context.Background(), m))
	}
	require.NotNil(t, seen[0])
	require.Positive(t, seen[0].Total)
	require.Same(t, seen[0], seen[1], "three hosts, one disk, one question")
	require.Same(t, seen[0], seen[2])

	gone, err := host.NewLocal("a4", "", filepath.Join(dir, "a4"), "/bin/true")
	require.NoError(t, err)
	require.Nil(t, disks.of(context.Background(), gone), "a host without a folder has no disk")
}
