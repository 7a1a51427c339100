package master

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
)

// credentials is a file of two.
func credentials(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"credentials": [{"principal": "mesos-agent", "secret": "secret-a"}, {"principal": "marathon", "secret": "secret-m"}]}`), 0o600))
	return path
}

// shows is a POST that shows a credential, where user is set, and ends with its first bytes.
func shows(t *testing.T, url, body, user, secret string, headers ...string) (int, http.Header, string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	if user != "" {
		request.SetBasicAuth(user, secret)
	}
	for _, name := range headers {
		request.Header.Set(name, "1")
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	first := make([]byte, 400)
	n, err := response.Body.Read(first)
	require.True(t, err == nil || err == io.EOF, err)
	return response.StatusCode, response.Header, string(first[:n])
}

func registration(t *testing.T) string {
	t.Helper()
	port := int32(5051)
	data, err := json.Marshal(wire.Register{Agent: mesos.AgentInfo{Hostname: "127.0.0.1", Port: &port}})
	require.NoError(t, err)
	return string(data)
}

func TestAgentsShowTheirCredential(t *testing.T) {
	file := credentials(t)
	_, asks := startAlone(t, "--authenticate_agents", "--credentials="+file)
	_, knows := startAlone(t, "--credentials=file://"+file)
	_, asksNobody := startAlone(t)
	for _, c := range []struct {
		name, base, user, secret string
		status                   int
	}{
		{"right", asks, "mesos-agent", "secret-a", 200},
		{"wrong secret", asks, "mesos-agent", "secret-m", 403},
		{"unknown principal", asks, "nobody", "", 403},
		{"none", asks, "", "", 401},
		{"none where none is needed", knows, "", "", 200},
		{"wrong where none is needed", knows, "mesos-agent", "x", 403},
		{"any where none is known", asksNobody, "mesos-agent", "secret-a", 403},
		{"none where none is known", asksNobody, "", "", 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, _, _ := shows(t, c.base+wire.PathRegister, registration(t), c.user, c.secret)
			require.Equal(t, c.status, status)
		})
	}
	status, _, _ := shows(t, asks+wire.PathCall, "{}", "", "")
	require.Equal(t, 401, status, "and whatever else an agent has to say")
}

const subscribeAs = `{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"n","roles":["*"],"principal":"PRINCIPAL",` +
	`"capabilities":[{"type":"MULTI_ROLE"}]}}}`

func TestFrameworksShowTheirCredential(t *testing.T) {
	file := credentials(t)
	_, driversOnly := startAlone(t, "--authenticate_frameworks", "--credentials="+file)
	_, all := startAlone(t, "--authenticate_frameworks", "--authenticate_http_frameworks", "--http_framework_authenticators=basic", "--credentials="+file)
	named := strings.Replace(subscribeAs, "PRINCIPAL", "marathon", 1)
	for _, c := range []struct {
		name, base, body, user, secret string
		driver                         bool
		status                         int
		text                           string
	}{
		{"libmesos, right", driversOnly, named, "marathon", "secret-m", true, 200, "SUBSCRIBED"},
		{"libmesos, wrong", driversOnly, named, "marathon", "secret-a", true, 403, "refused authentication"},
		{"libmesos, none", driversOnly, named, "", "", true, 403, "is not authenticated"},
		{"libmesos, as another", driversOnly, named, "mesos-agent", "secret-a", true, 400, "Authenticated principal 'mesos-agent' does not match principal 'marathon'"},
		{"HTTP, none, nobody asks", driversOnly, named, "", "", false, 200, "SUBSCRIBED"},
		{"HTTP, wrong, nobody asks", driversOnly, named, "marathon", "x", false, 200, "SUBSCRIBED"},
		{"HTTP, none", all, named, "", "", false, 401, "401 Unauthorized."},
		{"HTTP, wrong", all, named, "marathon", "x", false, 401, "401 Unauthorized."},
		{"HTTP, right", all, named, "marathon", "secret-m", false, 200, "SUBSCRIBED"},
		{"HTTP, as another", all, named, "mesos-agent", "secret-a", false, 400, "does not match"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var headers []string
			if c.driver {
				headers = append(headers, wire.DriverHeader)
			}
			status, header, text := shows(t, c.base+"/api/v1/scheduler", c.body, c.user, c.secret, headers...)
			require.Equal(t, c.status, status, text)
			require.Contains(t, text, c.text)
			if status == 401 {
				require.Equal(t, `Basic realm="mesos-master-scheduler"`, header.Get("WWW-Authenticate"))
			}
		})
	}
}

func TestAFrameworkNeverTakesAnotherPrincipal(t *testing.T) {
	_, base := startAlone(t)
	body := func(principal string) string {
		return strings.Replace(strings.Replace(subscribeAs, "PRINCIPAL", principal, 1), `"name":"n"`, `"name":"n","id":{"value":"f1"},"failover_timeout":600`, 1)
	}
	withID := func(principal string) string {
		return strings.Replace(body(principal), `"type":"SUBSCRIBE"`, `"type":"SUBSCRIBE","framework_id":{"value":"f1"}`, 1)
	}
	for principal, want := range map[string]string{"marathon": "SUBSCRIBED", "other": "Changing framework's principal is not allowed.", "": "Changing framework's principal"} {
		if principal != "marathon" {
			_, _, text := shows(t, base+"/api/v1/scheduler", withID("marathon"), "", "")
			require.Contains(t, text, "SUBSCRIBED")
		}
		_, _, text := shows(t, base+"/api/v1/scheduler", withID(principal), "", "")
		require.Contains(t, text, want, principal)
	}
}

func TestWrongAuthenticationFlags(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		return filepath.Join(dir, name)
	}
	for want, args := range map[string][]string{
		"Failed to read credentials file '" + dir + "/none'":  {"--credentials=" + dir + "/none"},
		"must contain at least one credential":                {"--credentials=" + write("empty", "")},
		"Invalid json format":                                 {"--credentials=" + write("text", "marathon hunter2")},
		"Missing `--http_framework_authenticators` flag":      {"--authenticate_http_frameworks", "--credentials=" + credentials(t)},
		"for realm 'mesos-master-scheduler'":                  {"--authenticate_http_frameworks", "--http_framework_authenticators=basic"},
		"The stand-in has no modules (--authenticators=mine)": {"--authenticators=mine"},
	} {
		f := newFlags()
		require.NoError(t, f.load(append(args, "--work_dir="+dir), nil))
		_, err := checkFlags(f)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "hunter2")
	}
	var out bytes.Buffer
	require.Error(t, run([]string{"--credentials=" + dir + "/none", "--work_dir=" + dir}, nil, &out, &out))
}
