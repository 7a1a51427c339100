package source

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAheadBringsAPackageWithoutInstallingIt(t *testing.T) {
	h, p, f := wantedMesos(t)
	i, ctx := installer(&[]string{}), context.Background()
	require.NoError(t, i.Ahead(ctx, h, p, f))
	require.Contains(t, h.ran[len(h.ran)-1], "--download-only")
	require.Contains(t, h.ran[len(h.ran)-1], "mesos=1.11.0-2 libsvn1")
	require.Contains(t, h.files, p.Repository.keyring())
	_, there, _, err := i.Had(ctx, h, p, f)
	require.NoError(t, err)
	require.False(t, there, "nothing was installed")

	h.sums["mesos=1.11.0-2"] = "another"
	var mismatch *MismatchError
	require.ErrorAs(t, i.Ahead(ctx, h, p, f), &mismatch)
	before := len(h.ran)
	i.Upload = true
	require.NoError(t, i.Ahead(ctx, h, p, f), "it comes from this machine")
	require.Len(t, h.ran, before)
}

func TestAnImageComesAheadOnce(t *testing.T) {
	h, i, ctx := newFakeHost(), installer(&[]string{}), context.Background()
	i.Reuse = true
	const ref = "example/marathon@sha256:11"
	p, f := Plan{Component: Marathon, Kind: KindImage, Image: "example/marathon:v1"}, Fetched{Locked: Locked{Image: ref}}
	require.NoError(t, i.Ahead(ctx, h, p, f))
	require.NoError(t, i.Ahead(ctx, h, p, f))
	pulls := 0
	for _, line := range h.ran {
		if line == "docker pull --quiet "+ref {
			pulls++
		}
	}
	require.Equal(t, 1, pulls)
}

func TestHadComparesTheRecordWithAPlan(t *testing.T) {
	h, p, f := wantedMesos(t)
	i, ctx := installer(&[]string{}), context.Background()
	_, _, err := i.Install(ctx, h, p, f)
	require.NoError(t, err)
	programs, there, same, err := i.Had(ctx, h, p, f)
	require.NoError(t, err)
	require.True(t, there && same)
	require.Equal(t, "1.11.0-2", programs.Version)
	f.Locked.Version = "1.12.0-1"
	programs, there, same, err = i.Had(ctx, h, p, f)
	require.NoError(t, err)
	require.True(t, there)
	require.False(t, same)
	require.Equal(t, "1.11.0-2", programs.Version, "what is there")
	require.True(t, p.InPlace())
	require.True(t, p.Fixed())
	require.False(t, Plan{Kind: KindArchive}.InPlace())
	require.False(t, Plan{Kind: KindApt, Package: "zookeeper"}.Fixed(), "the system's own")
	require.True(t, Plan{Kind: KindApt, Package: "zookeeper"}.Free())
	require.False(t, Plan{Kind: KindApt, Package: "zookeeper", Version: "3.8.0-11"}.Free())
	require.False(t, p.Free())
}

func TestAnArchiveThatIsThereIsReused(t *testing.T) {
	h, i, ctx := newFakeHost(), installer(&[]string{}), context.Background()
	p, f := Plan{Component: Marathon, Kind: KindArchive, Version: "1.11.26"}, Fetched{Locked: Locked{SHA256: "0123456789abcdef"}}
	dir := installRoot + "/marathon-0123456789ab"
	h.files[dir], h.files[dir+"/bin/marathon"] = "", "program"
	_, ok := i.kept(ctx, h, p, dir)
	require.False(t, ok, "nobody asked for it")
	i.Reuse = true
	programs, err := i.archive(ctx, h, p, f)
	require.NoError(t, err)
	require.Equal(t, Programs{Version: "1.11.26", Marathon: dir + "/bin/marathon"}, programs)
	delete(h.files, dir+"/bin/marathon")
	_, ok = i.kept(ctx, h, p, dir)
	require.False(t, ok, "it is not whole")
}
