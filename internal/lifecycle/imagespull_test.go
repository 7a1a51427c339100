package lifecycle

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
)

// dockerHost is a host with a docker that has the images in its folder, and what it was asked for in the file log.
func dockerHost(t *testing.T, pull string) (m host.Machine, have, log string) {
	t.Helper()
	dir := t.TempDir()
	bin := filepath.Join(dir, "bin")
	have, log = filepath.Join(dir, "have"), filepath.Join(dir, "log")
	require.NoError(t, os.MkdirAll(bin, 0o700))
	require.NoError(t, os.MkdirAll(have, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(bin, "docker"), []byte("#!/bin/sh\necho \"$@\" >>"+log+`
file=`+have+`/$(echo "$2 $3" | tr / _)
case "$1" in
image) test -e "`+have+`/$(echo "$3" | tr / _)" ;;
pull)
`+pull+`
	touch "`+have+`/$(echo "$2" | tr / _)" ;;
esac
`), 0o700))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	m, err := host.NewLocal("a1", "127.0.0.1", filepath.Join(dir, "root"), "/bin/true")
	require.NoError(t, err)
	require.NoError(t, m.MkdirAll(t.Context(), m.Dir(), 0o755))
	return m, have, log
}

func TestPullTellsHowFarItIs(t *testing.T) {
	env, address := withRegistry(t)
	image, err := random.Image(3<<20, 2)
	require.NoError(t, err)
	ref, err := name.ParseReference(address+"/agent:1", name.Insecure)
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, image))
	digest, err := image.Digest()
	require.NoError(t, err)
	layers, err := image.Layers()
	require.NoError(t, err)
	first, err := layers[0].Digest()
	require.NoError(t, err)
	second, err := layers[1].Digest()
	require.NoError(t, err)
	// It goes on when the test has seen that much.
	dir := t.TempDir()
	go1 := filepath.Join(dir, "go")
	m, have, log := dockerHost(t, "echo "+first.Hex[:12]+": Pull complete; echo "+second.Hex[:12]+": Pulling fs layer; while [ ! -e "+go1+" ]; do sleep 0.05; done")
	wanted := ref.Context().Name() + "@" + digest.String()

	missing, err := notPulled(t.Context(), m, []string{wanted})
	require.NoError(t, err)
	require.Equal(t, []string{wanted}, missing)
	var said []string
	require.NoError(t, env.Pull(t.Context(), m, wanted, func(format string, args ...any) {
		said = append(said, fmt.Sprintf(format, args...))
		_ = os.WriteFile(go1, nil, 0o600)
	}))
	require.Equal(t, "agent@sha256:"+digest.Hex[:12]+": 1 of 2 layers, 3 of 6 MiB", said[0])
	missing, err = notPulled(t.Context(), m, []string{wanted})
	require.NoError(t, err)
	require.Empty(t, missing)
	entries, err := os.ReadDir(m.Dir())
	require.NoError(t, err)
	require.Empty(t, entries, "nothing is left on the host")
	require.DirExists(t, have)
	text, err := os.ReadFile(log)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(text), "pull "+wanted))
}

func TestAPullThatFailsSaysWhy(t *testing.T) {
	env, address := withRegistry(t)
	m, _, _ := dockerHost(t, "echo 'no space left on device' >&2; exit 1")
	err := env.Pull(context.Background(), m, address+"/agent@sha256:"+strings.Repeat("0", 64), lifecycletest.Quiet)
	require.ErrorContains(t, err, "pull "+address+"/agent@sha256:0000")
	require.ErrorContains(t, err, "no space left on device")
}

func TestWhoseAHomeIs(t *testing.T) {
	env, _, _ := making(t)
	m, err := host.NewLocal("a1", "127.0.0.1", t.TempDir(), "/bin/true")
	require.NoError(t, err)
	c := env.controller()
	c.home = filepath.Join(m.Dir(), "home")
	look := func(user int) (string, string) {
		t.Helper()
		env.Cluster.Images.UserID = user
		state, _, path, err := c.homeState(t.Context(), m)
		require.NoError(t, err)
		return state, path
	}
	me, other := os.Getuid(), os.Getuid()+1
	is := func(user int, want string) string {
		t.Helper()
		state, path := look(user)
		require.Equal(t, want, state)
		return path
	}
	is(other, homeMissing)
	require.NoError(t, os.MkdirAll(c.home, 0o755))
	is(other, homeEmpty)
	is(me, homeReady)
	file := filepath.Join(c.home, "jobs", "config.xml")
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	is(me, homeReady)
	path := is(other, homeForeign)
	require.NotEmpty(t, path)
	var refusal *Refusal
	require.ErrorAs(t, env.giveHome(t.Context(), c, m, lifecycletest.Quiet), &refusal)
	require.Contains(t, refusal.Problem, "is not this cluster's")
	require.Contains(t, refusal.Fix, "`chown -R "+c.owner()+" "+c.home+"` on a1")
	require.NoError(t, os.MkdirAll(filepath.Join(c.home, ".jomctl"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(c.home, ".jomctl", "owner"), nil, 0o600))
	is(other, homeOurs)
}

func TestHostsThatComeIntoACluster(t *testing.T) {
	env, _, _ := making(t)
	env.Marathon.URLs = []string{"http://10.0.0.1:8080"}
	names := func() (all []string) {
		for _, stage := range env.serviceStages() {
			all = append(all, stage.Name)
		}
		return all
	}
	require.Equal(t, []string{"Mesos agents, Marathon, edge", "Images", "Images on the Mesos agents"}, names(), "nothing is scheduled yet")
	env.own.served = true
	require.Equal(t, []string{"Registry", "Images", "Images on the Mesos agents", "Mesos agents, Marathon, edge"}, names(), "a new Mesos agent has its images first")
	env.Cluster.Registry.Address = "registry.example:5000"
	require.Equal(t, []string{"Images", "Images on the Mesos agents", "Mesos agents, Marathon, edge"}, names(), "the registry is somebody else's")
	env.Cluster.Images = nil
	require.Equal(t, []string{"Mesos agents, Marathon, edge"}, names())
}
