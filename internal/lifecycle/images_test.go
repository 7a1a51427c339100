package lifecycle

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/internal/op"
)

// pushTo puts an image into a registry, with the label of the user that a controller runs as.
func pushTo(t *testing.T, image, user string) {
	t.Helper()
	ref, err := name.ParseReference(image, name.Insecure)
	require.NoError(t, err)
	labelled, err := mutate.Config(empty.Image, v1.Config{Labels: map[string]string{"org.jomctl.user": user}})
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, labelled))
}

// withRegistry is a cluster of hosts whose control host, of this name and address, has a registry with images of these names.
func withRegistry(t *testing.T, images ...string) (*Env, string) {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	address := server.Listener.Addr().String()
	for _, image := range images {
		pushTo(t, address+"/"+image, "")
	}
	host, _, err := net.SplitHostPort(address)
	require.NoError(t, err)
	c := &config.Cluster{Name: "ci", File: filepath.Join(t.TempDir(), "cluster.yaml"), Target: config.TargetHosts, Registry: &config.Registry{Address: address}, SSH: &config.SSH{User: "admin"},
		Hosts: []config.Host{{Name: "m1", Address: host, Roles: []config.Role{config.RoleControl}}, {Name: "a1", Address: "10.0.0.2", Roles: []config.Role{config.RoleMesosAgent}}}}
	return &Env{Cluster: c, own: &ownHosts{config: c}}, address
}

// imageStepOf is the step of one image.
func imageStepOf(t *testing.T, env *Env, image string) op.Step {
	t.Helper()
	stages := env.imageStages()
	require.Len(t, stages, 2)
	for _, step := range stages[0].Steps {
		if step.ID == "image-"+image {
			return step
		}
	}
	t.Fatalf("no step for %s", image)
	return op.Step{}
}

func probed(t *testing.T, step op.Step) op.State {
	t.Helper()
	state, err := step.Probe(t.Context())
	require.NoError(t, err)
	return state
}

func TestAnInstallStopsAtAnImageThatNobodyHasPushed(t *testing.T) {
	env, address := withRegistry(t, "controller:1")
	require.Empty(t, env.imageStages(), "no containers, no images")
	controller, agent := address+"/controller:1", address+"/agent:1"
	env.Cluster.Jenkins.Image = controller
	env.Cluster.Jenkins.Cloud.Templates = []config.Template{{Image: agent}, {}}
	_, err := env.RunImages()
	require.ErrorIs(t, err, errNoImages)
	step := imageStepOf(t, env, controller)
	require.Equal(t, op.Needed, probed(t, step))
	require.Contains(t, step.Changes(t.Context())[0], "take "+controller+" as sha256:")
	require.NoError(t, step.Do(t.Context(), lifecycletest.Quiet))
	require.Equal(t, op.Done, probed(t, step))
	run, err := env.runs(env.wantsController())
	require.NoError(t, err)
	require.Regexp(t, "^"+address+"/controller@sha256:[0-9a-f]{64}$", run.Ref)
	require.Zero(t, run.User, "what has no label gets war and plugins from the host")

	step = imageStepOf(t, env, agent)
	require.Equal(t, op.Needed, probed(t, step))
	require.Equal(t, []string{"ends here until somebody has pushed " + agent}, step.Changes(t.Context()))
	err = step.Do(t.Context(), lifecycletest.Quiet)
	var refusal *Refusal
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, "the cluster's registry has no "+agent, refusal.Problem)
	require.Contains(t, refusal.Fix, "docker save "+agent+" | ssh admin@10.0.0.2 'sudo docker load")

	pushTo(t, agent, "")
	require.NoError(t, step.Do(t.Context(), lifecycletest.Quiet))
	all, err := env.RunImages()
	require.NoError(t, err)
	require.Len(t, all, 2)
	templates, err := env.templates()
	require.NoError(t, err)
	require.Contains(t, templates[0].Image, "/agent@sha256:")
	require.Empty(t, templates[1].Image)
	require.Equal(t, agent, env.Cluster.Jenkins.Cloud.Templates[0].Image, "the file's own words stay")

	pushTo(t, controller, "1500") // somebody pushes another one under the same name
	step = imageStepOf(t, env, controller)
	require.Equal(t, op.Needed, probed(t, step))
	require.Contains(t, step.Changes(t.Context())[0], "is another image now")
	require.NoError(t, step.Do(t.Context(), lifecycletest.Quiet))
	run, err = env.runs(env.wantsController())
	require.NoError(t, err)
	require.Equal(t, 1500, run.User, "it brings war and plugins itself")
}

func TestImagesOfOthersAreAskedForOnce(t *testing.T) {
	env, address := withRegistry(t)
	other := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	image := other.Listener.Addr().String() + "/agent:1"
	pushTo(t, image, "")
	env.Cluster.Jenkins.Cloud.Templates = []config.Template{{Image: image}}
	step := imageStepOf(t, env, image)
	require.Equal(t, op.Needed, probed(t, step))
	require.NoError(t, step.Do(t.Context(), lifecycletest.Quiet))
	other.Close()
	require.Equal(t, op.Done, probed(t, step), "a cluster can be looked at without them")

	gone := other.Listener.Addr().String() + "/gone:1"
	env.Cluster.Jenkins.Cloud.Templates[0].Image = gone
	var refusal *Refusal
	require.ErrorAs(t, imageStepOf(t, env, gone).Do(t.Context(), lifecycletest.Quiet), &refusal)
	require.Contains(t, refusal.Problem, "the digest of the image "+gone)
	require.Contains(t, refusal.Fix, "REPOSITORY@sha256:DIGEST")
	byDigest := other.Listener.Addr().String() + "/gone@sha256:" + strings.Repeat("0", 64)
	env.Cluster.Jenkins.Cloud.Templates[0].Image = byDigest
	require.NoError(t, imageStepOf(t, env, byDigest).Do(t.Context(), lifecycletest.Quiet), "its hosts may reach what this machine does not")
	require.NotEqual(t, address, byDigest)
}

func TestARegistryThatIsNotThereYetIsWaitedFor(t *testing.T) {
	env, _ := withRegistry(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nobody := listener.Addr().String()
	require.NoError(t, listener.Close())
	env.Cluster.Registry.Address, env.Cluster.Jenkins.Image = nobody, nobody+"/controller:1"
	step := imageStepOf(t, env, nobody+"/controller:1")
	require.Equal(t, op.Later, probed(t, step))
	require.NotZero(t, step.Budget)
	require.Less(t, step.Budget, time.Hour)
	require.Equal(t, op.Later, probed(t, env.imageStages()[1].Steps[0]), "nobody knows what the hosts are to pull")
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

// Two releases can come out as the same image; while a cluster goes from one to the other it needs both names.
func TestAnImageStaysKnownByItsRelease(t *testing.T) {
	r := imageRecord{}
	old := runImage{Ref: "r/agent@sha256:1", Recipe: "a", Release: "previous"}
	now := runImage{Ref: "r/agent@sha256:1", Recipe: "b", Release: "default"}
	r.add(madeAgent, old)
	r.add(madeAgent, now)
	require.Equal(t, []runImage{now, old}, r[madeAgent])
	again := runImage{Ref: "r/agent@sha256:2", Recipe: "a", Release: "previous"}
	r.add(madeAgent, again)
	require.Equal(t, []runImage{again, now}, r[madeAgent])
	for i := range 2 * recordedImages {
		r.add(madeAgent, runImage{Ref: fmt.Sprint(i), Recipe: fmt.Sprint(i)})
	}
	require.Len(t, r[madeAgent], recordedImages)

	r.add("theirs", runImage{Ref: "theirs@sha256:1"})
	r.add("theirs", runImage{Ref: "theirs@sha256:2"})
	require.Equal(t, []runImage{{Ref: "theirs@sha256:2"}}, r["theirs"], "an image of others is the newest one")
}
