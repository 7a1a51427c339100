package lifecycle

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/source"
)

// described is a side of an upgrade on hosts of their own, of which only the sources are known.
func described(c *config.Cluster, plans map[string][]source.Plan) *Env {
	return &Env{Cluster: c, own: &ownHosts{config: c, checker: &source.Checker{Lock: &source.Lock{}}, plans: plans, got: map[string]source.Fetched{}}}
}

func twoHosts() *config.Cluster {
	return &config.Cluster{Target: config.TargetHosts, Hosts: []config.Host{
		{Name: "m1", Address: "10.0.0.1", Roles: []config.Role{config.RoleControl, config.RoleMesosAgent}},
		{Name: "a1", Address: "10.0.0.2", Roles: []config.Role{config.RoleMesosAgent}},
	}}
}

func TestAVersionIsToldByTheLockTheFileOrTheNameOfAnArchive(t *testing.T) {
	archive := func(url string) source.Plan {
		return source.Plan{Component: source.Marathon, Kind: source.KindArchive, Artefact: &source.Artefact{URL: url}}
	}
	for _, c := range []struct {
		plan   source.Plan
		locked string
		want   string
	}{
		{source.Plan{Kind: source.KindApt, Version: "1.11.0-1"}, "1.11.0-2", "1.11.0-2"},
		{source.Plan{Kind: source.KindApt, Version: "1.11.0-1"}, "", "1.11.0-1"},
		{archive("https://mirror.example/v9.9.9/marathon-1.11.26-8d8b5e8.tgz"), "", "1.11.26"},
		{archive("https://archive.example/apache-zookeeper-3.8.4-bin.tar.gz"), "", "3.8.4"},
		{archive("https://mirror.example/1.11.26/marathon.tgz"), "", ""},
		{source.Plan{Kind: source.KindPath, Path: "/opt/mesos-1.11.0"}, "", ""},
	} {
		require.Equal(t, c.want, versionIn(c.plan, source.Fetched{Locked: source.Locked{Version: c.locked}}), "%+v", c.plan)
	}
}

func TestAMesosAgentThatSharesItsPackageWithAMasterCannotGoBackAlone(t *testing.T) {
	mesos := func(kind source.Kind) map[string][]source.Plan {
		plan := []source.Plan{{Component: source.Mesos, Kind: kind}}
		return map[string][]source.Plan{"m1": plan, "a1": plan}
	}
	for kind, want := range map[source.Kind][]string{source.KindApt: {"m1"}, source.KindDeb: {"m1"}, source.KindArchive: nil, source.KindImage: nil} {
		e := described(twoHosts(), mesos(kind))
		p := &Platform{Old: e, New: e}
		require.Equal(t, want, p.sharing(provision.RoleMesosAgent), "%s: an archive or image of each version has a place of its own", kind)
		require.Nil(t, p.sharing(provision.RoleMesosMaster), kind)
	}
}

func TestMarathonGoesWithTheMesosWhoseLibraryItLoads(t *testing.T) {
	for kind, want := range map[source.Kind]bool{source.KindApt: true, source.KindArchive: true, source.KindImage: false, source.KindStandin: false} {
		e := described(twoHosts(), map[string][]source.Plan{"m1": {{Component: source.Marathon, Kind: kind}}})
		require.Equal(t, want, (&Platform{Old: e, New: e}).loadsMesos(), kind)
	}
	none := described(twoHosts(), nil)
	require.False(t, (&Platform{Old: none, New: none}).loadsMesos())
}

func TestThePackageThatAPlanBrings(t *testing.T) {
	apt := source.Plan{Component: source.Mesos, Kind: source.KindApt, Package: "mesos", Version: "1.11.0", Repository: &source.Repository{}}
	deb := source.Plan{Component: source.Mesos, Kind: source.KindDeb, Artefact: &source.Artefact{URL: "https://x/m.deb"}}
	e := described(twoHosts(), nil)
	p := &Platform{Old: e, New: e}
	require.Equal(t, "mesos", p.packageName(e, apt))
	require.Empty(t, p.packageName(e, deb), "what a file carries is known when it is there")
	e.own.got[planKey(deb)] = source.Fetched{Inside: source.Contents{Package: "mesos-nightly"}}
	require.Equal(t, "mesos-nightly", p.packageName(e, deb))
	require.Empty(t, p.packageName(e, source.Plan{Kind: source.KindArchive, Package: "mesos"}), "an archive takes nobody's place")
}

func TestReasonsAreToldOnce(t *testing.T) {
	finding := provision.Finding{Subject: "a1", Problem: "cannot be reached", Fix: "start it"}
	require.Equal(t, []upgrade.Reason{{Subject: "a1", Problem: "cannot be reached", Fix: "start it"}, {Subject: "m1", Problem: "x"}},
		reasonsOf([]provision.Finding{finding, {Subject: "m1", Problem: "x"}, finding}), "both sides of an upgrade look at the same hosts")
}

func TestWhatWouldBeInstalledIsWhatIsLockedOrKnownFromACheck(t *testing.T) {
	plan := source.Plan{Component: source.Mesos, Kind: source.KindDeb, Artefact: &source.Artefact{URL: "https://x/m.deb"}}
	e := described(twoHosts(), nil)
	e.own.wants = map[string]source.Locked{planKey(plan): {Component: source.Mesos, Version: "1.11.1"}}
	got, err := e.own.wanted(t.Context(), plan)
	require.NoError(t, err)
	require.Equal(t, "1.11.1", got.Locked.Version, "the source is asked once")
	e.own.got[planKey(plan)] = source.Fetched{Locked: source.Locked{Component: source.Mesos, Version: "1.11.0"}}
	got, err = e.own.wanted(t.Context(), plan)
	require.NoError(t, err)
	require.Equal(t, "1.11.0", got.Locked.Version, "what was fetched stays what is wanted")
}
