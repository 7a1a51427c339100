package source

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// wantedMarathon is a second package of the repository of wantedMesos.
func wantedMarathon(h *fakeHost, repository *Repository) Need {
	h.packages["marathon=1.11.24-1"] = []string{"/usr/share/marathon/bin/marathon", "/lib/systemd/system/marathon.service"}
	h.sums["marathon=1.11.24-1"] = sum
	return Need{Plan: Plan{Component: Marathon, Kind: KindApt, Title: "apt marathon", Package: "marathon", Facts: bookworm, Repository: repository},
		Fetched: Fetched{Key: []byte("KEY"), Locked: Locked{Version: "1.11.24-1", SHA256: sum}}}
}

func TestComponentsComeInTheTransactionOfTheSystemsPackages(t *testing.T) {
	h, p, f := wantedMesos(t)
	h.packages["haproxy=2.6"], h.packages["zookeeper=3.8"] = nil, []string{"/usr/share/java/zookeeper.jar"}
	zookeeper := Need{Plan: Plan{Component: ZooKeeper, Kind: KindApt, Package: "zookeeper"}}
	archive := Need{Plan: Plan{Component: Mesos, Kind: KindArchive, Artefact: &Artefact{}}}
	marathon := wantedMarathon(h, p.Repository)
	var says []string
	i, ctx := installer(&says), context.Background()
	with := []Need{zookeeper, {Plan: p, Fetched: f}, marathon, archive}
	require.NoError(t, i.System(ctx, h, false, []string{"haproxy", "zookeeper"}, with...))
	require.Equal(t, map[string]string{"haproxy": "2.6", "zookeeper": "3.8", "mesos": "1.11.0-2", "marathon": "1.11.24-1", "libsvn1": "1.14"}, h.installed)
	require.Equal(t, []string{policyText}, h.policies, "one transaction, in which no service is started")
	require.Equal(t, 1, h.count("apt-get -q update"), "the index of one repository is read once")
	require.Equal(t, 1, h.count("apt-get -q install -y --no-install-recommends -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold haproxy zookeeper mesos=1.11.0-2 libsvn1 marathon=1.11.24-1"))
	require.Equal(t, map[string]bool{"mesos-master.service": true, "mesos-slave.service": true, "marathon.service": true}, h.masked)
	require.Equal(t, map[string]bool{"mesos": true, "marathon": true}, h.held)
	require.Equal(t, []string{"m1: installing zookeeper, mesos 1.11.0-2, marathon 1.11.24-1, haproxy"}, says)
	require.NotContains(t, h.files, policyPath)

	before := h.count("apt-get")
	for _, one := range with[:3] {
		_, changed, err := i.Install(ctx, h, one.Plan, one.Fetched)
		require.NoError(t, err)
		require.False(t, changed, "Install finds %s done", one.Plan.Component)
	}
	require.Equal(t, before, h.count("apt-get"))
}

func TestWhatIsThereOrHeldIsLeftToInstall(t *testing.T) {
	for _, status := range []string{"ii ", "hi ", "hn ", "rc ", "iF "} {
		h, p, f := wantedMesos(t)
		h.packages["git=2"] = nil
		h.installed["mesos"], h.status["mesos"] = "1.9", status
		require.NoError(t, installer(&[]string{}).System(context.Background(), h, false, []string{"git"}, Need{Plan: p, Fetched: f}))
		require.Equal(t, "2", h.installed["git"])
		require.Equal(t, "1.9", h.installed["mesos"], status)
		require.Equal(t, 0, h.count("apt-get -q install -y --no-install-recommends --allow"), "packages that somebody holds are left")
	}
}

func TestATransactionThatFailsSaysForWhich(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(*fakeHost, *Need)
		want  string
	}{
		"the host sees another package": {func(h *fakeHost, _ *Need) { h.sums["marathon=1.11.24-1"] = "other" }, "marathon (apt marathon): marathon 1.11.24-1 as the host sees it: the sha256 is other"},
		"not verified":                  {func(_ *fakeHost, n *Need) { n.Fetched.Key = nil }, "marathon (apt marathon): its repository was not verified before"},
		"nothing useful in it":          {func(h *fakeHost, _ *Need) { h.packages["marathon=1.11.24-1"] = nil }, "marathon (apt marathon): there is no marathon in it"},
		"repository down":               {func(h *fakeHost, _ *Need) { h.fail = "apt-get -q update" }, "mesos (catalog clusterd): read the repository http://repo.example"},
	} {
		t.Run(name, func(t *testing.T) {
			h, p, f := wantedMesos(t)
			h.packages["git=2"] = nil
			marathon := wantedMarathon(h, p.Repository)
			test.spoil(h, &marathon)
			err := installer(&[]string{}).System(context.Background(), h, false, []string{"git"}, Need{Plan: p, Fetched: f}, marathon)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, h.files, policyPath)
			require.NotContains(t, h.files, "/var/lib/jomctl/sources/marathon.json", "not recorded as done")
			if name != "nothing useful in it" {
				require.NotContains(t, h.files, p.Repository.list("amd64"), "apt of the host works as before")
				require.Empty(t, h.installed)
			}
		})
	}
}

func TestUploadedPackagesComeInTheTransaction(t *testing.T) {
	h, p, f := wantedMesos(t)
	h.packages["git=2"] = nil
	p.Kind, p.Repository, p.Package = KindDeb, nil, ""
	require.NoError(t, installer(&[]string{}).System(context.Background(), h, false, []string{"git"}, Need{Plan: p, Fetched: f}))
	require.Equal(t, "1.11.0-2", h.installed["mesos"])
	require.Len(t, h.policies, 1)
	for file := range h.files {
		require.NotContains(t, file, "incoming", "the upload is removed")
	}
	h, p, f = wantedMesos(t)
	require.NoError(t, os.WriteFile(f.File, []byte("changed"), 0o600))
	p.Kind, p.Repository = KindDeb, nil
	err := installer(&[]string{}).System(context.Background(), h, false, nil, Need{Plan: p, Fetched: f})
	require.ErrorContains(t, err, "mesos (catalog clusterd): "+f.File+": the sha256 is")
}

func TestComponentsComeInTheTransactionOfDNF(t *testing.T) {
	h, p, f := wantedRPM(t)
	h.packages["git=2-1"] = nil
	i, ctx := installer(&[]string{}), context.Background()
	debian := Need{Plan: Plan{Component: Marathon, Kind: KindDeb, Package: "marathon"}}
	require.NoError(t, i.System(ctx, h, true, []string{"git"}, Need{Plan: p, Fetched: f}, debian))
	require.Equal(t, map[string]string{"git": "2-1", "mesos": "1.11.1-2.el8"}, h.installed)
	require.Equal(t, 1, h.count("dnf -y"), "one transaction")
	require.Len(t, h.masked, 2)
	_, changed, err := i.Install(ctx, h, p, f)
	require.NoError(t, err)
	require.False(t, changed)

	h, p, f = wantedRPM(t)
	h.packages["git=2-1"], h.installed["mesos"] = nil, "1.11.1-1.el8"
	require.NoError(t, i.System(ctx, h, true, []string{"git"}, Need{Plan: p, Fetched: f}))
	require.Equal(t, "1.11.1-1.el8", h.installed["mesos"], "left to Install")
}
