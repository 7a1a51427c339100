package cluster_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/testkit"
)

func TestATreeIsReadAndPutBack(t *testing.T) {
	server := testkit.StartZooKeeper(t)
	z := cluster.ZooKeeper{Servers: []string{server.Addr}}
	ctx := context.Background()
	none, err := z.Tree(ctx, "/marathon/state")
	require.NoError(t, err)
	require.Empty(t, none)

	old := []cluster.Node{{Path: "", Data: nil}, {Path: "/apps", Data: []byte("x")}, {Path: "/apps/1", Data: []byte{0, 1, 2}}, {Path: "/version", Data: []byte("1.10")}}
	require.NoError(t, z.ReplaceTree(ctx, "/marathon/state", old))
	got, err := z.Tree(ctx, "/marathon/state")
	require.NoError(t, err)
	require.Len(t, got, len(old))
	for i := range old {
		require.Equal(t, old[i].Path, got[i].Path)
		require.Equal(t, string(old[i].Data), string(got[i].Data))
	}

	migrated := []cluster.Node{{Path: ""}, {Path: "/apps", Data: []byte("y")}, {Path: "/instances"}, {Path: "/instances/1"}, {Path: "/version", Data: []byte("1.11")}}
	require.NoError(t, z.ReplaceTree(ctx, "/marathon/state", migrated))
	require.NoError(t, z.ReplaceTree(ctx, "/marathon/state", old))
	again, err := z.Tree(ctx, "/marathon/state")
	require.NoError(t, err)
	require.Equal(t, got, again)
}
