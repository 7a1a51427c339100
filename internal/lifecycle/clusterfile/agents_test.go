package clusterfile

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/config/edit"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/op"
)

func TestAnAgentIsWrittenIntoTheFileOfItsAuthor(t *testing.T) {
	c := lifecycletest.Written(t, lifecycletest.OwnHosts)
	change, err := AddAgents(c, []NewHost{{Name: "a3", Address: "10.0.0.4", Attributes: map[string]string{"rack": "r3"}}})
	require.NoError(t, err)
	require.Equal(t, []string{"+ - {name: a3, address: 10.0.0.4, roles: [mesos-agent], attributes: {rack: r3}}"}, change.Changed)
	require.Contains(t, string(change.text), "     roles: [mesos-agent]}\n  - {name: a3, address: 10.0.0.4, roles: [mesos-agent], attributes: {rack: r3}}\n\n# And this.\n")
	require.Contains(t, string(change.text), "# Mine: keep this.")

	require.NoError(t, os.WriteFile(c.File, change.text, 0o600))
	again, err := AddAgents(change.Cluster, []NewHost{{Name: "a3", Address: "10.0.0.4"}})
	require.NoError(t, err, "what is there already is no second change")
	require.Empty(t, again.Changed)
	_, err = AddAgents(change.Cluster, []NewHost{{Name: "a3", Address: "10.0.0.5"}})
	require.ErrorContains(t, err, "10.0.0.4")

	for _, name := range []string{"a1", "a2", "a3"} {
		gone, err := RemoveAgents(change.Cluster, []string{name})
		require.NoError(t, err)
		_, there := gone.Cluster.Host(name)
		require.False(t, there)
		require.Len(t, gone.Cluster.Hosts, 3)
		require.Contains(t, string(gone.text), "# the old box")
		require.Contains(t, string(gone.text), "# And this.")
	}
	_, err = RemoveAgents(c, []string{"a1", "a2"})
	require.ErrorContains(t, err, "no Mesos agent would be left")
	_, err = RemoveAgents(c, []string{"m1"})
	require.ErrorContains(t, err, "m1")
	_, err = RemoveAgents(c, []string{"nobody"})
	require.ErrorContains(t, err, "nobody")
}

func TestAFileThatIsWrittenOtherwiseIsNotTouched(t *testing.T) {
	c := lifecycletest.Written(t, "apiVersion: jomctl/v1\nname: ci\ntarget: hosts\nhosts: [{name: m1, address: 10.0.0.1, roles: [control]}, {name: a1, address: 10.0.0.2, roles: [mesos-agent]}]\n")
	_, err := AddAgents(c, []NewHost{{Name: "a2", Address: "10.0.0.3"}})
	var refusal *op.Refusal
	require.ErrorAs(t, err, &refusal)
	require.Contains(t, refusal.Fix, "  - {name: a2, address: 10.0.0.3, roles: [mesos-agent]}")
}

func TestTheNumberOfLocalAgentsIsChangedWhereItStands(t *testing.T) {
	const head = "apiVersion: jomctl/v1\nname: ci\ntarget: local\n"
	for name, test := range map[string]struct{ text, added, removed string }{
		"nothing":       {"# mine\n", "# mine\nlocal: {agents: 3}\n", "# mine\nlocal: {agents: 1}\n"},
		"flow":          {"local: {agents: 2, control: 1} # mine\n", "local: {agents: 3, control: 1} # mine\n", "local: {agents: 1, control: 1} # mine\n"},
		"flow, other":   {"local: {control: 1}\n", "local: {agents: 3, control: 1}\n", "local: {agents: 1, control: 1}\n"},
		"block":         {"local:\n  # mine\n  agents: 2 # two\n", "local:\n  # mine\n  agents: 3 # two\n", "local:\n  # mine\n  agents: 1 # two\n"},
		"block, others": {"local:\n  control: 1\n  address: 127.0.66.0\n", "local:\n  agents: 3\n  control: 1\n  address: 127.0.66.0\n", "local:\n  agents: 1\n  control: 1\n  address: 127.0.66.0\n"},
	} {
		t.Run(name, func(t *testing.T) {
			c := lifecycletest.Written(t, head+test.text)
			added, err := AddAgents(c, []NewHost{{Name: "a3"}})
			require.NoError(t, err)
			require.Equal(t, head+test.added, string(added.text))
			require.Len(t, added.Cluster.HostsWith(config.RoleMesosAgent), 3)
			removed, err := RemoveAgents(c, []string{"a2"})
			require.NoError(t, err)
			require.Equal(t, head+test.removed, string(removed.text))
		})
	}
}

func TestLocalAgentsComeAndGoInTheirOrder(t *testing.T) {
	c := lifecycletest.Local(t, "local: {agents: 3}\n")
	_, err := AddAgents(c, []NewHost{{Name: "a9"}})
	require.ErrorContains(t, err, "a4")
	_, err = RemoveAgents(c, []string{"a2"})
	require.ErrorContains(t, err, "a3")
	both, err := AddAgents(c, []NewHost{{Name: "a4"}, {Name: "a5"}})
	require.NoError(t, err)
	require.Len(t, both.Cluster.HostsWith(config.RoleMesosAgent), 5)
	_, err = AddAgents(c, []NewHost{{Name: "a4", Attributes: map[string]string{"rack": "r"}}})
	require.ErrorContains(t, err, "cannot have attributes")
}

func TestAControlHostIsWrittenInPlaceOfADeadOne(t *testing.T) {
	c := lifecycletest.Written(t, `apiVersion: jomctl/v1
name: ci
target: hosts
hosts:
  - {name: m1, address: 10.0.0.1, roles: [control]}
  - {name: m2, address: 10.0.0.2, roles: [control]}
  - {name: m3, address: 10.0.0.3, roles: [control]}
  - {name: a1, address: 10.0.0.5, roles: [mesos-agent]}
`)
	change, err := changeHosts(c, nil, func(e *edit.File) error {
		return e.ReplaceHost("m2", config.Host{Name: "m4", Address: "10.0.0.4", Roles: []config.Role{config.RoleControl}})
	},
		[]config.Host{c.Hosts[0], {Name: "m4", Address: "10.0.0.4", Roles: []config.Role{config.RoleControl}}, c.Hosts[2], c.Hosts[3]})
	require.NoError(t, err)
	require.Equal(t, "m1, m3, m4", record.ControlNames(change.Cluster))
	require.Equal(t, "m4", change.Cluster.Hosts[1].Name, "it takes the number of the one that it stands for")
}

func TestHostsThatLeftTheFileAreStillTakenDown(t *testing.T) {
	c := lifecycletest.Installed(t, lifecycletest.OwnHosts)
	a2, _ := c.Host("a2")
	change, err := RemoveAgents(c, []string{"a2"})
	require.NoError(t, err)
	require.NoError(t, change.Step().Do(t.Context(), lifecycletest.Quiet)) // and then it was cut off
	before, err := WithRemoved(change.Cluster, []string{"a1", "a2"})
	require.NoError(t, err)
	was, there := before.Host("a2")
	require.True(t, there, "of two, one may be out of the file already")
	require.Equal(t, a2, was)
	require.Len(t, before.Hosts, len(c.Hosts))
	_, still := change.Cluster.Host("a2")
	require.False(t, still, "the cluster to come stays without it")
	_, err = WithRemoved(c, []string{"a9"})
	require.ErrorContains(t, err, "there is no Mesos agent a9")
}
