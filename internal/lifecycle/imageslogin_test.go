package lifecycle

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
)

func TestARegistryWithAnAccount(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	t.Setenv("REGISTRY_PASSWORD", "s3cret")
	behind := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "ci" || password != "s3cret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="images"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		behind.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	address := server.Listener.Addr().String()
	image, err := random.Image(1<<10, 1)
	require.NoError(t, err)
	ref, err := name.ParseReference(address + "/agent:1")
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, image, remote.WithAuth(&authn.Basic{Username: "ci", Password: "s3cret"})))
	digest, err := image.Digest()
	require.NoError(t, err)

	env, _ := withRegistry(t)
	env.Cluster.Registry = &config.Registry{Address: address}
	_, err = env.find(t.Context(), address+"/agent:1")
	require.ErrorContains(t, err, "401")
	env.Cluster.Registry.User, env.Cluster.Registry.Password = "ci", "env:REGISTRY_PASSWORD"
	found, err := env.find(t.Context(), address+"/agent:1")
	require.NoError(t, err)
	require.Equal(t, address+"/agent@"+digest.String(), found.Ref)

	m, _, said := dockerHost(t, "")
	docker := filepath.Join(filepath.Dir(said), "bin", "docker")
	require.NoError(t, os.WriteFile(docker, []byte("#!/bin/sh\necho \"$@\" >>"+said+"\n"), 0o700))
	for image, want := range map[string]string{found.Ref: "--config " + m.Dir() + "/docker pull " + found.Ref, "other.example/x@" + digest.String(): "pull other.example/x@" + digest.String()} {
		require.NoError(t, os.WriteFile(said, nil, 0o600))
		require.NoError(t, env.Pull(t.Context(), m, image, lifecycletest.Quiet))
		text, err := os.ReadFile(said)
		require.NoError(t, err)
		require.Equal(t, want, strings.TrimSpace(string(text)))
	}
}
