package lifecycle

import (
	"io"
	"log"
	"net"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/op"
)

// withRegistry is a cluster of hosts whose control host, of this name and address, has a registry with images of these names.
func withRegistry(t *testing.T, images ...string) (*Env, string) {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	address := server.Listener.Addr().String()
	for _, image := range images {
		ref, err := name.ParseReference(address+"/"+image, name.Insecure)
		require.NoError(t, err)
		require.NoError(t, remote.Write(ref, empty.Image))
	}
	host, _, err := net.SplitHostPort(address)
	require.NoError(t, err)
	c := &config.Cluster{Name: "ci", Target: config.TargetHosts, Registry: &config.Registry{Address: address}, SSH: &config.SSH{User: "admin"},
		Hosts: []config.Host{{Name: "m1", Address: host, Roles: []config.Role{config.RoleControl}}, {Name: "a1", Address: "10.0.0.2", Roles: []config.Role{config.RoleMesosAgent}}}}
	return &Env{Cluster: c, own: &ownHosts{config: c}}, address
}

func TestAnInstallStopsAtAnImageThatNobodyHasPushed(t *testing.T) {
	env, address := withRegistry(t, "controller:1")
	require.Empty(t, env.imageStages(), "no containers, no images")
	env.Cluster.Jenkins.Image = address + "/controller:1"
	env.Cluster.Jenkins.Cloud.Templates = []config.Template{{Image: "docker.io/library/debian:12"}, {}}
	require.Len(t, env.ownImages(), 1, "what others have is theirs")
	step := env.imageStages()[0].Steps[0]
	state, err := step.Probe(t.Context())
	require.NoError(t, err)
	require.Equal(t, op.Done, state)

	env.Cluster.Jenkins.Cloud.Templates[1].Image = address + "/agent:1"
	step = env.imageStages()[0].Steps[0]
	state, err = step.Probe(t.Context())
	require.NoError(t, err)
	require.Equal(t, op.Needed, state)
	require.Equal(t, []string{"ends here until somebody has pushed " + address + "/agent:1"}, step.Changes(t.Context()))
	err = step.Do(t.Context(), func(string, ...any) {})
	var refusal *Refusal
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, "the cluster's registry has no "+address+"/agent:1", refusal.Problem)
	require.Contains(t, refusal.Fix, "docker save "+address+"/agent:1 | ssh admin@10.0.0.2 'sudo docker load")

	env.Cluster.Registry.User = "me"
	require.Empty(t, env.imageStages(), "a registry of the user's own is not asked")
}

func TestARegistryThatIsNotThereYetIsWaitedFor(t *testing.T) {
	env, address := withRegistry(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nobody := listener.Addr().String()
	require.NoError(t, listener.Close())
	env.Cluster.Registry.Address, env.Cluster.Jenkins.Image = nobody, nobody+"/controller:1"
	step := env.imageStages()[0].Steps[0]
	state, err := step.Probe(t.Context())
	require.NoError(t, err)
	require.Equal(t, op.Later, state)
	require.NotZero(t, step.Budget)
	require.Less(t, step.Budget, time.Hour)
	require.NotEqual(t, address, nobody)
}

func TestAnImageIsNamedByTheAddressThatTheHostsTrust(t *testing.T) {
	env, address := withRegistry(t)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	env.Cluster.Jenkins.Image = address + "/controller:1"
	require.Empty(t, env.imageFindings())
	env.Cluster.Jenkins.Cloud.Templates = []config.Template{{Image: "m1:" + port + "/agent:1"}}
	findings := env.imageFindings()
	require.Len(t, findings, 1)
	require.Equal(t, "jenkins.cloud.templates[0].image", findings[0].Subject)
	require.Equal(t, "write "+address+"/agent:1", findings[0].Fix)
}
