package images

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// elsewhere is a registry without TLS on an address of this machine that is no loopback one.
func elsewhere(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range addresses {
		ip, _, err := net.ParseCIDR(a.String())
		if err != nil || ip.IsLoopback() || ip.To4() == nil {
			continue
		}
		listener, err := net.Listen("tcp", net.JoinHostPort(ip.String(), "0"))
		require.NoError(t, err)
		server := httptest.NewUnstartedServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
		require.NoError(t, server.Listener.Close())
		server.Listener = listener
		server.Start()
		t.Cleanup(server.Close)
		return listener.Addr().String()
	}
	t.Skip("this machine has no address but loopback ones")
	return ""
}

// fakeDocker is a docker that pushes to loopback addresses alone, as a Docker Engine does that was told of no registry.
func fakeDocker(t *testing.T, digest string) (program, log string) {
	t.Helper()
	dir := t.TempDir()
	program, log = filepath.Join(dir, "docker"), filepath.Join(dir, "log")
	require.NoError(t, os.WriteFile(program, []byte(`#!/bin/sh
echo "$@" >>`+log+`
case "$1 $2" in
"push 127."*) curl -sf "http://${2%%/*}/v2/" >/dev/null || { echo "connection refused" >&2; exit 1; } ;;
"push "*) echo "server gave HTTP response to HTTPS client" >&2; exit 1 ;;
"image inspect") for last; do :; done; echo "other/x@sha256:0"; echo "${last%:*}@`+digest+`" ;;
esac
`), 0o700))
	return program, log
}

func TestPushWithoutTellingTheEngine(t *testing.T) {
	if _, err := os.Stat("/usr/bin/curl"); err != nil {
		t.Skip("needs curl")
	}
	address := elsewhere(t)
	require.True(t, plainHTTP(t.Context(), address))
	program, said := fakeDocker(t, "sha256:12")
	for _, test := range []struct{ registry, want string }{
		{address, address + "/jomctl/agent@sha256:12"},
		{address + "/team/", address + "/team/jomctl/agent@sha256:12"},
	} {
		got, err := Docker{Program: program}.Push(t.Context(), "jomctl/agent:1", test.registry, Login{})
		require.NoError(t, err)
		assert.Equal(t, test.want, got)
	}
	lines, err := os.ReadFile(said)
	require.NoError(t, err)
	assert.NotContains(t, string(lines), address, "the engine never hears of it")

	// A TLS server is none without TLS; the engine is asked itself, and says what it thinks.
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	require.False(t, plainHTTP(t.Context(), strings.TrimPrefix(secure.URL, "https://")))
	var refused *PushError
	_, err = Docker{Program: program}.Push(t.Context(), "jomctl/agent:1", "registry.invalid:5000", Login{})
	require.ErrorAs(t, err, &refused)
	assert.Contains(t, refused.Hint(), "insecure-registries")
}

// The relay carries whole images both ways.
func TestRelay(t *testing.T) {
	address := elsewhere(t)
	r, err := newRelay(address)
	require.NoError(t, err)
	defer r.close()
	second, err := newRelay(address)
	require.NoError(t, err, "another push at the same time")
	second.close()
	image, err := random.Image(100_000, 3)
	require.NoError(t, err)
	ref, err := name.ParseReference(r.address + "/jomctl/x:1")
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, image, remote.WithContext(context.Background())))
	there, err := name.ParseReference(address+"/jomctl/x:1", name.Insecure)
	require.NoError(t, err)
	got, err := remote.Image(there)
	require.NoError(t, err)
	want, err := image.Digest()
	require.NoError(t, err)
	digest, err := got.Digest()
	require.NoError(t, err)
	assert.Equal(t, want, digest)
	assert.Positive(t, r.requests.Load())
}
