package e2e

import (
	"encoding/base64"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
)

const authenticated = "components:\n  mesos: {authentication: true}\n  marathon: {basicAuth: {}}\n"

// door is a POST or GET at one of the programs, with a login where user is set. The answer is its status and its beginning.
func door(t *testing.T, method, url, body, user, password string, headers ...string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	for _, name := range headers {
		request.Header.Set(name, "1")
	}
	if user != "" {
		request.SetBasicAuth(user, password)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	first := make([]byte, 300)
	n, _ := io.ReadAtLeast(response.Body, first, 1)
	return response.StatusCode, string(first[:n])
}

// secrets are those that install has made for Mesos and Marathon, by name.
func (b *bench) secrets() map[string]string {
	b.t.Helper()
	all := map[string]string{}
	for _, name := range []string{"mesos-agent", "mesos-marathon", "marathon"} {
		path := b.path(".jomctl", "secrets", name)
		data, err := os.ReadFile(path)
		require.NoError(b.t, err)
		info, err := os.Stat(path)
		require.NoError(b.t, err)
		require.Equal(b.t, os.FileMode(0o600), info.Mode().Perm(), path)
		all[name] = strings.TrimSpace(string(data))
	}
	return all
}

// leaks are the places where a secret can be read by others than its owner, or where it has no business.
func (b *bench) leaks(secrets map[string]string) []string {
	b.t.Helper()
	holds := func(text []byte) bool {
		for _, secret := range secrets {
			if strings.Contains(string(text), secret) || strings.Contains(string(text), base64.StdEncoding.EncodeToString([]byte("admin:"+secret))) {
				return true
			}
		}
		return false
	}
	var found []string
	entries, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(b.t, err)
	for _, entry := range entries {
		line, _ := os.ReadFile(entry + "/cmdline")
		environ, _ := os.ReadFile(entry + "/environ")
		if holds(line) || holds(environ) && !strings.Contains(string(line), "\x00marathon\x00") {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	require.NoError(b.t, filepath.WalkDir(b.path(".jomctl"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil // a sandbox that has just gone
		}
		info, err := entry.Info()
		data, readErr := os.ReadFile(path)
		if err != nil || readErr != nil || !holds(data) {
			return nil
		}
		rel, _ := filepath.Rel(b.path(".jomctl"), path)
		first, _, _ := strings.Cut(rel, "/")
		if info.Mode().Perm()&0o077 != 0 || first != "secrets" && first != "hosts" || strings.HasSuffix(path, ".log") || strings.Contains(path, "/work/") {
			found = append(found, rel)
		}
		return nil
	}))
	return found
}

func TestAuthenticationIsTurnedOnAndOffByAnInstall(t *testing.T) {
	needs(t)
	b := newBench(t)
	b.quick("auth")
	b.run("install", "--yes", "--proof-sleep", "1s").ok()
	task := b.status().Controller.Task
	b.quick("auth", authenticated)
	require.Contains(t, b.run("doctor").exits(4).out, "answers without a password")
	outputs := b.run("install", "--yes").ok()
	require.Contains(t, outputs.out, "Marathon:  http://"+b.host(10)+":8091 as admin, password in "+b.path(".jomctl", "secrets", "marathon"))
	require.Contains(t, outputs.errOut, "can still register a framework", "what stays open is said")
	s := b.ready(time.Minute)
	require.Equal(t, task, s.Controller.Task, "the controller is not touched")
	require.NotContains(t, b.run("doctor").out, "although components.")
	proof := b.run("prove", "--yes", "--sleep", "1s").ok()
	require.Contains(t, b.run("install", "--yes").ok().errOut, "nothing to do")

	secrets := b.secrets()
	b.refused(secrets)
	require.Empty(t, b.leaks(secrets))
	bundle := b.path("bundle.tgz")
	for _, r := range []result{outputs, proof, b.run("status"), b.run("status", "-o", "json"), b.run("doctor"), b.run("config", "show"),
		b.run("support-bundle", "-o", bundle).ok()} {
		for name, secret := range secrets {
			require.NotContains(t, r.out+r.errOut, secret, "%s in %s", name, r.args)
		}
	}

	require.NoError(t, os.Remove(b.path(".jomctl", "secrets", "marathon")))
	require.Contains(t, b.run("status").out, "run `jomctl install`, which makes a password that is missing")
	b.run("install", "--yes").ok()
	b.ready(time.Minute)
	require.NotEqual(t, secrets["marathon"], b.secrets()["marathon"])

	b.quick("auth")
	b.run("install", "--yes").ok()
	s = b.ready(time.Minute)
	require.Equal(t, task, s.Controller.Task)
	status, _ := door(t, http.MethodGet, "http://"+b.host(10)+":8090/ping", "", "", "")
	require.Equal(t, http.StatusOK, status)
	require.NoFileExists(t, b.path(".jomctl", "hosts", "c1", "mesos-master", "credentials.json"))
}

// refused tries what strangers may try at the master, at Marathon, and at Marathon through the edge.
func (b *bench) refused(secrets map[string]string) {
	t := b.t.(*testing.T)
	master, agent := "http://"+b.host(10)+":5050", `{"agent":{"hostname":"127.0.0.1","port":1}}`
	subscribe := `{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"stranger","roles":["*"],"capabilities":[{"type":"MULTI_ROLE"}]}}}`
	for _, try := range []struct {
		name, url, body, user, password string
		driver                          bool
		status                          int
	}{
		{"an agent without a credential", master + wire.PathRegister, agent, "", "", false, http.StatusUnauthorized},
		{"an agent with a wrong one", master + wire.PathRegister, agent, "mesos-agent", secrets["marathon"], false, http.StatusForbidden},
		{"a framework without one", master + "/api/v1/scheduler", subscribe, "", "", true, http.StatusForbidden},
		{"a framework with a wrong one", master + "/api/v1/scheduler", subscribe, "marathon", secrets["mesos-agent"], true, http.StatusForbidden},
	} {
		var headers []string
		if try.driver {
			headers = append(headers, wire.DriverHeader)
		}
		status, text := door(t, http.MethodPost, try.url, try.body, try.user, try.password, headers...)
		assert.Equal(t, try.status, status, "%s: %s", try.name, text)
	}
	for _, port := range []string{":8090", ":8091"} {
		for _, path := range []string{"/ping", "/v2/apps", "/ui/"} {
			status, _ := door(t, http.MethodGet, "http://"+b.host(10)+port+path, "", "", "")
			assert.Equal(t, http.StatusUnauthorized, status, port+path)
			status, _ = door(t, http.MethodGet, "http://"+b.host(10)+port+path, "", "admin", secrets["mesos-agent"])
			assert.Equal(t, http.StatusUnauthorized, status, port+path)
		}
		status, _ := door(t, http.MethodGet, "http://"+b.host(10)+port+"/ping", "", "admin", secrets["marathon"])
		assert.Equal(t, http.StatusOK, status, port)
	}
}
