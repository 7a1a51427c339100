package marathon

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/marathon/fakemesos"
	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
	"github.com/jomctl/jomctl/internal/testkit"
)

func TestAuthenticationFlags(t *testing.T) {
	good := []string{"--master", "zk://h:1/mesos"}
	for want, args := range map[string][]string{
		"mesos_authentication depends on mesos_authentication_principal": {"--mesos_authentication"},
		"only one or zero of the following options":                      {"--mesos_authentication_secret", "a", "--mesos_authentication_secret_file", "/b"},
	} {
		var log bytes.Buffer
		assert.Equal(t, exitUsage, run(append(good, args...), nil, &log, nil))
		assert.Contains(t, log.String(), want)
	}
	f, err := parseFlags(append(good, "--mesos_authentication_principal", "marathon"), []string{"MARATHON_HTTP_CREDENTIALS=admin:one"})
	require.NoError(t, err)
	assert.Equal(t, "admin:one", f.credentials())
	login, err := f.login()
	require.NoError(t, err)
	assert.Nil(t, login, "a principal alone is no authentication")
	info := (&process{flags: f}).framework("")
	assert.Equal(t, "marathon", info.GetPrincipal())
	t.Setenv("MESOSPHERE_HTTP_CREDENTIALS", "admin:two")
	f, err = parseFlags(good, nil)
	require.NoError(t, err)
	assert.Equal(t, "admin:two", f.credentials())
}

func TestMesosIsShownTheCredential(t *testing.T) {
	t.Parallel()
	z := testkit.StartZooKeeper(t)
	cluster := fakemesos.New(fakemesos.Agent{Host: "127.0.0.1", CPUs: 1, Mem: 100, PortLow: 31000, PortHigh: 31001})
	inner := cluster.Handler()
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, secret, ok := r.BasicAuth(); !ok || user != "marathon" || secret != "the-right-one" || r.Header.Get(wire.DriverHeader) == "" {
			http.Error(w, "Master master@127.0.0.1:1 refused authentication", http.StatusForbidden)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { cluster.Close(); door.CloseClientConnections(); door.Close() })
	secret := func(text string) string {
		path := filepath.Join(t.TempDir(), "secret")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	as := []string{"--mesos_authentication", "--mesos_authentication_principal", "marathon", "--mesos_authentication_secret_file"}

	wrong := launch(t, z.Addr, door.URL, append(as, secret("the-right-one\n"))...)
	assert.Equal(t, exitMesosError, wrong.exit(), "a line end is a part of the secret, as for the real program")
	assert.Contains(t, wrong.output(), "refused authentication")
	missing := launch(t, z.Addr, door.URL, append(as, "/nonexistent")...)
	assert.Equal(t, exitUncaught, missing.exit())
	right := launch(t, z.Addr, door.URL, append(as, secret("the-right-one"))...)
	testkit.Eventually(t, patience, "registered", func(context.Context) bool {
		_, doc := right.get("/v2/info")
		return doc["frameworkId"] != nil
	})
	for _, one := range []*program{wrong, right} {
		assert.NotContains(t, one.output(), "the-right-one")
	}
}
