package lifecycle

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/bundles"
	"github.com/jomctl/jomctl/images"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/host/hostfake"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/hosts"
)

// pushingEngine builds nothing, and sends empty images to a real registry.
type pushingEngine struct {
	built  map[string]map[string]string // arguments by name
	pushed int
	broken error
}

func (e *pushingEngine) ID(_ context.Context, ref string) (string, error) { return "id of " + ref, nil }

func (e *pushingEngine) Has(_ context.Context, ref string) (bool, error) {
	_, has := e.built[ref]
	return has, nil
}

func (e *pushingEngine) Build(_ context.Context, ref string, args map[string]string, in io.Reader) error {
	if _, err := io.Copy(io.Discard, in); err != nil {
		return err
	}
	if e.broken != nil {
		return e.broken
	}
	e.built[ref] = args
	return nil
}

func (e *pushingEngine) List(context.Context) ([]images.Image, error) { return nil, e.broken }

func (e *pushingEngine) Remove(context.Context, string) error { return nil }

func (e *pushingEngine) Push(_ context.Context, ref, registry string, _ images.Login) (string, error) {
	there, err := name.ParseReference(registry+"/"+ref, name.Insecure)
	if err != nil {
		return "", err
	}
	image, err := mutate.Config(empty.Image, v1.Config{Labels: map[string]string{"of": ref}})
	if err != nil {
		return "", err
	}
	e.pushed++
	if err := remote.Write(there, image); err != nil {
		return "", err
	}
	digest, err := image.Digest()
	return there.Context().Name() + "@" + digest.String(), err
}

// making is a cluster of hosts that makes its images, on an engine of the test's.
func making(t *testing.T) (*Env, *pushingEngine, string) {
	t.Helper()
	env, address := withRegistry(t)
	dir := t.TempDir()
	for _, program := range []string{"jomhome", "standin"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, program), []byte("the program "+program), 0o700))
	}
	env.own.helpers = hosts.Helpers{Jomhome: hosts.NewProgram(filepath.Join(dir, "jomhome")), Standin: hosts.NewProgram(filepath.Join(dir, "standin"))}
	env.Cluster.Images = &config.Images{}
	env.Cluster.Jenkins.War = "standin"
	env.Cluster.Jenkins.Cloud.Templates = []config.Template{{}, {Label: "d", Docker: config.DockerDind}}
	config.Default(env.Cluster)
	release, err := bundles.Load("default")
	require.NoError(t, err)
	machines := map[string]host.Machine{}
	for _, h := range env.Cluster.Hosts {
		machines[h.Name] = hostfake.New(h.Name, h.Address)
	}
	env.Fleet, err = provision.NewHostFleet(env.Cluster, machines, func(string) provision.Programs { return provision.Programs{} }, nil)
	require.NoError(t, err)
	engine := &pushingEngine{built: map[string]map[string]string{}}
	env.Release, env.Engine = release, engine
	return env, engine, address
}

func TestAnInstallMakesItsImages(t *testing.T) {
	env, engine, address := making(t)
	require.Equal(t, []wantedKey{"agent", "agent dind", "controller"}, env.wanted())
	c := env.controller()
	require.Equal(t, 1000, c.user(), "known before there is an image")
	require.Equal(t, "/opt/jomctl/standin", c.run().Argv[0])
	step := imageStepOf(t, env, "controller")
	require.Equal(t, op.Needed, probed(t, step))
	require.Equal(t, []string{"make the image of the controller on debian:trixie-slim, and send it to " + address}, step.Changes(t.Context()))

	require.NoError(t, env.SettleImages(t.Context(), lifecycletest.Quiet))
	all, err := env.RunImages()
	require.NoError(t, err)
	require.Len(t, all, 3)
	for i, want := range []string{"agent-dind", "agent", "controller"} {
		require.Regexp(t, "^"+address+"/jomctl/rehearsal-"+want+"@sha256:[0-9a-f]{64}$", all[i])
	}
	require.Equal(t, 3, engine.pushed)
	require.Equal(t, op.Done, probed(t, step))
	require.NoError(t, env.SettleImages(t.Context(), lifecycletest.Quiet))
	require.Equal(t, 3, engine.pushed, "what is there is not sent again")
	templates, err := env.templates()
	require.NoError(t, err)
	require.Equal(t, []string{all[1], all[0]}, []string{templates[0].Image, templates[1].Image})
	kept, err := RecordedImages(env.Cluster)
	require.NoError(t, err)
	require.Len(t, kept, 6, "names here and in the registry")
	require.Empty(t, env.engineFindings(t.Context()))
}

func TestAnotherReleaseHasImagesOfItsOwn(t *testing.T) {
	env, engine, _ := making(t)
	require.NoError(t, env.SettleImages(t.Context(), lifecycletest.Quiet))
	before, err := env.runs(madeController)
	require.NoError(t, err)

	other := *env
	other.Release, err = bundles.Load("previous")
	require.NoError(t, err)
	_, err = other.runs(madeController)
	require.ErrorIs(t, err, errNoImages, "never that of another release")
	require.NoError(t, other.SettleImages(t.Context(), lifecycletest.Quiet))
	after, err := other.runs(madeController)
	require.NoError(t, err)
	require.NotEqual(t, before.Ref, after.Ref)
	again, err := env.runs(madeController)
	require.NoError(t, err)
	require.Equal(t, before, again, "the way back stays")

	env.Cluster.Images.Packages = []string{"make"}
	stale, err := env.runs(madeController)
	require.NoError(t, err)
	require.Equal(t, before, stale, "what runs until the next install")
	step := imageStepOf(t, env, "controller")
	require.Equal(t, op.Needed, probed(t, step))
	engine.broken = errors.New("E: Package 'make' has no installation candidate")
	err = step.Do(t.Context(), lifecycletest.Quiet)
	var coder interface{ ExitCode() int }
	require.ErrorAs(t, err, &coder)
	require.Equal(t, 3, coder.ExitCode())
	findings := env.engineFindings(t.Context())
	require.Len(t, findings, 1)
	require.Contains(t, findings[0].Fix, "jomctl images build")
	again, err = env.runs(madeController)
	require.NoError(t, err)
	require.Equal(t, before, again)
	require.Empty(t, (&Env{Cluster: env.Cluster}).wanted(), "target local runs plain processes")
}

func TestARealWarIsInTheImageWithTheLockOfItsPlugins(t *testing.T) {
	env, engine, _ := making(t)
	dir := env.Cluster.Dir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "jenkins.war"), lifecycletest.War(t, "2.568.2"), 0o600))
	env.Cluster.Jenkins.War = "jenkins.war"
	require.NoError(t, os.Mkdir(filepath.Join(dir, "plugins"), 0o700))
	lifecycletest.Plugin(t, filepath.Join(dir, "plugins"), "mesos", "2.0")
	_, err := env.recipe(madeController)
	require.Error(t, err, "the war is not fetched")
	require.Equal(t, op.Later, probed(t, imageStepOf(t, env, "controller")))
	c := env.controller()
	require.NoError(t, c.war.Fetch(t.Context(), lifecycletest.Quiet))
	require.NoError(t, env.SettleImages(t.Context(), lifecycletest.Quiet))
	var built []string
	for ref, args := range engine.built {
		if strings.HasPrefix(ref, "jomctl/controller:") {
			built = append(built, args["CONTENT"])
		}
	}
	require.Equal(t, []string{"Jenkins 2.568.2 (release default), 1 plugins"}, built)
	run := env.controller().run()
	require.Equal(t, "/opt/jomctl/plugins.json", run.PluginLockFile)
	require.Equal(t, "/opt/jomctl/plugins", run.Plugins)
	require.Empty(t, run.PluginLock)
	require.Subset(t, run.Argv, []string{"java", "-jar", "/opt/jomctl/jenkins.war", "--webroot=/tmp/jenkins-war"})
	files, err := c.imagePlugins()
	require.NoError(t, err)
	require.Equal(t, "mesos.jpi", files[0].Path)
	require.Equal(t, "2.0", files[0].Version)

	before, err := env.recipe(madeController)
	require.NoError(t, err)
	long := time.Now().Add(time.Hour)
	lifecycletest.Plugin(t, filepath.Join(dir, "plugins"), "git", "5.7.0")
	require.NoError(t, os.Chtimes(filepath.Join(dir, "plugins", "git.hpi"), long, long))
	after, err := env.recipe(madeController)
	require.NoError(t, err)
	require.NotEqual(t, before, after)
	agent, err := env.recipe(madeAgent)
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(dir, "plugins", "git.hpi")))
	same, err := env.recipe(madeAgent)
	require.NoError(t, err)
	require.Equal(t, agent, same, "build agents have no plugins")
}
