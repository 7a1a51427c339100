package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	alerts "github.com/jomctl/jomctl/internal/watch"
)

func TestTheDashboardRefusesWhatOthersWouldSee(t *testing.T) {
	b := newBench(t)
	b.write("empty", "\n")
	for want, args := range map[string][]string{
		"--insecure-listen":              {"--listen", "0.0.0.0:0"},
		"belong together":                {"--user", "ann"},
		"has no password":                {"--user", "ann", "--password-file", b.path("empty")},
		"no such file":                   {"--user", "ann", "--password-file", b.path("none")},
		"--every 1ms is too often":       {"--every", "1ms"},
		"is not HOST:PORT, for example ": {"--listen", "7080"},
	} {
		code, out, err := b.run(append([]string{"dashboard"}, args...)...)
		require.Equal(t, 2, code, err)
		require.Empty(t, out)
		require.Contains(t, err, want)
	}
}

func TestTheGrafanaDashboardIsPrinted(t *testing.T) {
	out, _ := newBench(t).ok("dashboard", "--grafana")
	require.Equal(t, "Jenkins on Mesos (jomctl)", decode(t, out)["title"])
}

func TestWatchRefusesWhatCannotWork(t *testing.T) {
	b := newBench(t)
	for want, args := range map[string][]string{
		"not both":            {"--alert-command", "true", "--alert-webhook", "http://localhost/"},
		"is no http":          {"--alert-webhook", "localhost:80"},
		"names no file":       {"--alert-webhook", "env:JOMCTL_NO_SUCH_VARIABLE"},
		"no such file":        {"--alert-webhook", "file:" + b.path("none")},
		"1s at least":         {"--every", "1ms"},
		"is not a percentage": {"--disk", "101"},
		"more than 0":         {"--reregistered", "0"},
	} {
		code, out, err := b.run(append([]string{"watch"}, args...)...)
		require.Equal(t, 2, code, err)
		require.Empty(t, out)
		require.Contains(t, err, want)
	}
}

func TestATestAlertArrives(t *testing.T) {
	b := newBench(t)
	arrived := make(chan alerts.Alert, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var got alerts.Alert
		if json.NewDecoder(r.Body).Decode(&got) == nil {
			arrived <- got
		}
	}))
	defer server.Close()
	b.write("hook", server.URL+"/token\n")
	out, _ := b.ok("watch", "--test", "--alert-webhook", "file:"+b.path("hook"), "-o", "json")
	require.Equal(t, "test", decode(t, out)["state"])
	require.Equal(t, "ci", (<-arrived).Cluster)
	out, _ = b.ok("watch", "--test", "--alert-command", "cat > "+b.path("got"))
	require.Contains(t, out, "watch: this is a test: nothing is wrong")
	require.FileExists(t, b.path("got"))
	text, readErr := os.ReadFile(b.path("cluster.yaml"))
	require.NoError(t, readErr)
	b.write("cluster.yaml", string(text)+"watch: {webhook: file:hook, disk: 50}\n")
	b.ok("watch", "--test")
	require.Equal(t, "ci", (<-arrived).Cluster, "the file names whom to tell, by a path from its own folder")
	code, _, err := b.run("watch", "--test", "--alert-command", "exit 7")
	require.Equal(t, 1, code)
	require.Contains(t, err, "running the alert command: exit status 7")
}

func TestWatchTakesItsLimitsFromTheFileAndThenFromFlags(t *testing.T) {
	zero, hour := config.Duration(0), config.Duration(time.Hour)
	c := &config.Cluster{File: "/srv/ci/cluster.yaml", Watch: &config.Watch{After: &zero, ClearAfter: &hour, Unpushed: hour, Disk: 50, Reregistered: 9, Webhook: "file:hook"}}
	opts := watchOptions{limits: alerts.Defaults()}
	opts.from(c, func(flag string) bool { return flag == "disk" })
	require.Equal(t, alerts.Limits{Clear: time.Hour, Unpushed: time.Hour, Disk: alerts.Defaults().Disk, Reregistered: 9, Window: alerts.Defaults().Window}, opts.limits)
	require.Equal(t, "file:/srv/ci/hook", opts.webhook)
	opts.from(&config.Cluster{}, func(string) bool { return false })
	require.Equal(t, 9, opts.limits.Reregistered)
}
