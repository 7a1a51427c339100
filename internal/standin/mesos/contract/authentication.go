package contract

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// Authentication asserts whom a master with credentials lets in: agents, and frameworks over HTTP. How an agent shows its
// credential is between it and the master.
func Authentication(t *testing.T, launcher Launcher) {
	credentials := secretFile(t, `{"credentials": [{"principal": "agents", "secret": "the-right-one"}, {"principal": "framework", "secret": "another-one"}]}`)
	t.Run("Flags", func(t *testing.T) { authenticationFlags(t, launcher, credentials) })
	master := launcher.StartMaster(t, "--authenticate_agents", "--authenticate_frameworks", "--authenticate_http_frameworks",
		"--http_framework_authenticators=basic", "--credentials="+credentials)
	Ready(t, master.URL)
	t.Run("Frameworks", func(t *testing.T) { strangeFrameworks(t, master.URL) })
	t.Run("Agents", func(t *testing.T) { strangeAgents(t, launcher, master) })
	require.NotContains(t, master.Output(), "the-right-one")
}

func secretFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret.json")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func authenticationFlags(t *testing.T, launcher Launcher, credentials string) {
	for text, flags := range map[string][]string{
		"Failed to read credentials file '/nonexistent'": {"--credentials=/nonexistent"},
		"Missing `--http_framework_authenticators` flag": {"--authenticate_http_frameworks", "--credentials=" + credentials},
		"No credentials provided for the default 'basic' HTTP authenticator for realm 'mesos-master-scheduler'": {
			"--authenticate_http_frameworks", "--http_framework_authenticators=basic"},
	} {
		output, code := launcher.Run(t, "mesos-master", patience, append(flags, "--work_dir="+t.TempDir(), "--ip=127.0.0.1", "--port=0")...)
		require.Equal(t, 1, code, output)
		require.Contains(t, output, text)
	}
}

func strangeFrameworks(t *testing.T, base string) {
	as := func(user, secret string) map[string]string {
		request, err := http.NewRequest(http.MethodPost, base, nil)
		require.NoError(t, err)
		request.SetBasicAuth(user, secret)
		headers := jsonHeaders()
		headers["Authorization"] = request.Header.Get("Authorization")
		return headers
	}
	subscribe := subscribeBody(t, frameworkInfo("stranger", info{"principal": "framework"}))
	for _, headers := range []map[string]string{jsonHeaders(), as("framework", "the-right-one"), as("nobody", "another-one")} {
		r := ask(t, http.MethodPost, base+"/api/v1/scheduler", headers, subscribe)
		require.Equal(t, http.StatusUnauthorized, r.status, r.body)
		require.Equal(t, `Basic realm="mesos-master-scheduler"`, r.header.Get("WWW-Authenticate"))
	}
	r := ask(t, http.MethodPost, base+"/api/v1/scheduler", as("agents", "the-right-one"), subscribe)
	require.Equal(t, http.StatusBadRequest, r.status)
	require.Contains(t, r.body, "does not match principal 'framework' set in `FrameworkInfo`")
	// Past the door the call itself is looked at.
	r = ask(t, http.MethodPost, base+"/api/v1/scheduler", as("framework", "another-one"), `{"type":"REVIVE"}`)
	require.Equal(t, http.StatusBadRequest, r.status)
	require.Contains(t, r.body, "Expecting 'framework_id' to be present")
	for _, path := range []string{"/health", "/version", "/state", "/slaves"} {
		require.Equal(t, http.StatusOK, get(t, base+path).status, "operators are asked by other flags: %s", path)
	}
}

func strangeAgents(t *testing.T, launcher Launcher, master *Process) {
	agent := func(flags ...string) *Process {
		return launcher.StartAgent(t, append(flags, "--master="+address(master), "--resources=cpus:1;mem:128;disk:128;ports:[31000-31099]",
			"--registration_backoff_factor=100ms")...)
	}
	none := agent()
	wrong := agent("--credential=" + secretFile(t, `{"principal": "agents", "secret": "another-one"}`))
	require.Equal(t, 1, wrong.WaitExit(patience))
	require.Contains(t, wrong.Output(), "refused authentication")
	right := agent("--credential=" + secretFile(t, `{"principal": "agents", "secret": "the-right-one"}`))
	AgentsActive(t, master.URL, 1)
	require.True(t, strings.HasSuffix(fetch(t, master.URL+"/slaves").list("slaves")[0].text("pid"), "@"+address(right)))
	testkit.Eventually(t, patience, "the one without is refused, and lives", func(context.Context) bool {
		return strings.Contains(master.Output(), "because it is not authenticated")
	})
	select {
	case <-none.ended:
		require.Fail(t, "an agent without a credential has ended")
	case <-time.After(time.Millisecond):
	}
}
