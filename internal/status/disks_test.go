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
	asked := filepath.Join(dir, "asked")
	df := "#!/bin/sh\necho df >>" + asked + "\nexec /bin/df \"$@\"\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "df"), []byte(df), 0o700))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
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
	require.Equal(t, []*Disk{seen[0], seen[0], seen[0]}, seen)
	text, err := os.ReadFile(asked)
	require.NoError(t, err)
	require.Equal(t, "df\n", string(text), "three hosts, one disk, one question")

	gone, err := host.NewLocal("a4", "", filepath.Join(dir, "a4"), "/bin/true")
	require.NoError(t, err)
	require.Nil(t, disks.of(context.Background(), gone), "a host without a folder has no disk")
}
