package clusterfile

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/op"
)

func TestControlHostsComeAndGoByTwo(t *testing.T) {
	for steps, want := range map[[2]int]string{
		{1, 3}: "", {3, 5}: "", {5, 3}: "", {3, 1}: "",
		{1, 2}: "bear no more failures than 1", {3, 4}: "bear no more failures than 3", {5, 4}: "bear no more failures than 3", {3, 2}: "bear no more failures than 1",
		{1, 5}: "are two steps", {5, 1}: "are two steps", {5, 7}: "5 are the most", {1, 0}: "no control host would be left", {1, -1}: "no control host would be left",
	} {
		err := stepOfTwo(steps[0], steps[1])
		if want == "" {
			require.NoError(t, err, steps)
			continue
		}
		var refusal *op.Refusal
		require.ErrorAs(t, err, &refusal, steps)
		require.Contains(t, refusal.Problem, want, steps)
		require.NotEmpty(t, refusal.Fix, steps)
	}
}

func TestAddedControlHostsAreWrittenOnce(t *testing.T) {
	for _, count := range []int{1, 3} {
		c := lifecycletest.Installed(t, lifecycletest.ControlHosts(count))
		change, err := AddControl(c, []NewHost{newHost("m8"), newHost("m9")})
		require.NoError(t, err)
		require.Len(t, change.Cluster.HostsWith(config.RoleControl), count+2)
		require.Contains(t, string(change.text), "# the home")

		require.NoError(t, os.WriteFile(c.File, change.text, 0o600))
		again, err := AddControl(change.Cluster, []NewHost{newHost("m8"), newHost("m9")})
		require.NoError(t, err, "a run that was cut off goes on")
		require.Empty(t, again.Changed)
		_, err = AddControl(change.Cluster, []NewHost{{Name: "m8", Address: "10.9.9.9"}, newHost("m9")})
		require.ErrorContains(t, err, "m8 is in")
	}
	c := lifecycletest.Installed(t, lifecycletest.ControlHosts(1))
	_, err := AddControl(c, []NewHost{newHost("m2")})
	require.ErrorContains(t, err, "bear no more failures")
	for _, name := range []string{"a1", "m1"} {
		_, err = AddControl(c, []NewHost{newHost("m2"), newHost(name)})
		require.ErrorContains(t, err, name+" is in the cluster already")
	}
	_, err = AddControl(lifecycletest.Written(t, "apiVersion: jomctl/v1\nname: ci\ntarget: docker\n"), []NewHost{newHost("m2"), newHost("m3")})
	require.ErrorContains(t, err, "Terraform's")
}

func TestTheNumberOfLocalControlHostsChanges(t *testing.T) {
	c := lifecycletest.Local(t, "")
	for _, news := range [][]NewHost{{{Name: "c2"}, {Name: "c3"}}, {{Name: "c4"}, {Name: "c5"}}} {
		change, err := AddControl(c, news)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(c.File, change.text, 0o600))
		c = change.Cluster
	}
	require.Equal(t, 5, c.Local.Control)
	_, err := RemoveControl(c, []string{"c1", "c2"})
	require.ErrorContains(t, err, "the last ones go first")
	change, err := RemoveControl(c, []string{"c4", "c5"})
	require.NoError(t, err)
	require.Equal(t, "c1, c2, c3", record.ControlNames(change.Cluster))
	_, err = AddControl(change.Cluster, []NewHost{{Name: "x"}, {Name: "c4"}})
	require.ErrorContains(t, err, "x cannot be a control host")
	_, err = ReplaceControl(c, "c1", NewHost{Name: "x"})
	require.ErrorContains(t, err, "one machine")
}

func TestRemovedControlHostsLeaveTheFile(t *testing.T) {
	c := lifecycletest.Installed(t, lifecycletest.ControlHosts(5))
	change, err := RemoveControl(c, []string{"m1", "m3"})
	require.NoError(t, err)
	require.Equal(t, "m2, m4, m5", record.ControlNames(change.Cluster))
	require.Contains(t, string(change.text), "# the home")

	require.NoError(t, os.WriteFile(c.File, change.text, 0o600))
	again, err := RemoveControl(change.Cluster, []string{"m1", "m3"})
	require.NoError(t, err, "a run that was cut off goes on")
	require.Empty(t, again.Changed)

	for want, names := range map[string][]string{
		"no control host a1": {"a1", "m1"}, "no control host m9": {"m9"}, "bear no more failures than 3": {"m2"}, "are two steps": {"m1", "m2", "m3", "m4"},
	} {
		_, err := RemoveControl(c, names)
		require.ErrorContains(t, err, want)
	}
	both := lifecycletest.Installed(t, strings.Replace(lifecycletest.ControlHosts(3), "3, roles: [control]", "3, roles: [control, mesos-agent]", 1))
	_, err = RemoveControl(both, []string{"m2", "m3"})
	require.ErrorContains(t, err, "m3 is a Mesos agent, too")
}

func TestAReplacementStandsInThePlaceOfTheOldHost(t *testing.T) {
	for at, name := range []string{"m1", "m2"} {
		c := lifecycletest.Installed(t, lifecycletest.ControlHosts(3))
		change, err := ReplaceControl(c, name, newHost("m9"))
		require.NoError(t, err)
		require.Equal(t, "m9", change.Cluster.Hosts[at].Name, "its number in the ensemble goes by its place")
		require.NoError(t, os.WriteFile(c.File, change.text, 0o600))
		again, err := ReplaceControl(change.Cluster, name, newHost("m9"))
		require.NoError(t, err, "a run that was cut off goes on")
		require.Empty(t, again.Changed)
	}
	c := lifecycletest.Installed(t, lifecycletest.ControlHosts(3))
	for name, want := range map[string]string{"a1": "no control host a1", "m7": "no control host m7"} {
		_, err := ReplaceControl(c, name, newHost("m9"))
		require.ErrorContains(t, err, want)
	}
	_, err := ReplaceControl(c, "m2", NewHost{Name: "a1", Address: "10.0.0.50"})
	require.ErrorContains(t, err, "a1 is in")
	_, err = ReplaceControl(lifecycletest.Installed(t, lifecycletest.ControlHosts(1)), "m1", newHost("m9"))
	require.ErrorContains(t, err, "where there are three or five")
}

func newHost(name string) NewHost { return NewHost{Name: name, Address: "10.0.1." + name[1:]} }
