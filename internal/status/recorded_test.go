package status

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/jenkins"
)

// answer is one answer of a real program. The paths of Jenkins have a word before them that says who asks.
type answer struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
}

// recorded serves what a real Mesos 1.11.0, Marathon 1.11.26 and Jenkins 2.568.2 have answered, each on its own.
func recorded(t *testing.T, program string, change map[string]answer) *httptest.Server {
	t.Helper()
	data, err := os.ReadFile("testdata/real.json")
	require.NoError(t, err)
	var all map[string]map[string]answer
	require.NoError(t, json.Unmarshal(data, &all))
	answers := all[program]
	for path, other := range change {
		answers[path] = other
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.ReplaceAll(r.URL.Path, "//", "/")
		if program == "jenkins" {
			who := "anonymous "
			if _, _, known := r.BasicAuth(); known {
				who = "admin "
			}
			path = who + path
		}
		answer, known := answers[path]
		if !known {
			http.NotFound(w, r)
			return
		}
		for name, value := range answer.Headers {
			w.Header().Set(name, value)
		}
		w.WriteHeader(answer.Status)
		var text string
		if json.Unmarshal(answer.Body, &text) == nil {
			_, _ = w.Write([]byte(text))
			return
		}
		_, _ = w.Write(answer.Body)
	}))
	t.Cleanup(server.Close)
	return server
}

// realReport is a report about the recorded programs; ZooKeeper and the units are those of a healthy cluster.
func realReport(t *testing.T, change map[string]answer) *Report {
	t.Helper()
	client := jenkins.New(recorded(t, "jenkins", change).URL, "admin", "secret")
	t.Cleanup(client.Close)
	s := Sources{
		Mesos:    cluster.Mesos{Masters: []string{recorded(t, "mesos", nil).URL}, Patience: 1},
		Marathon: cluster.Marathon{URLs: []string{recorded(t, "marathon", nil).URL}, Patience: 1},
		Jenkins:  client, AppID: "/m/hcmd",
	}
	report := healthy()
	report.Hosts[1].Address = "127.0.0.1"
	mesos, mesosStandin := collectMesos(t.Context(), s)
	marathon, marathonStandin := collectMarathon(t.Context(), s)
	controller, jenkinsStandin := collectController(t.Context(), s)
	report.Mesos, report.Marathon, report.Controller = mesos, marathon, controller
	for _, standin := range []*bool{mesosStandin, marathonStandin, jenkinsStandin} {
		require.NotNil(t, standin)
		require.False(t, *standin, "they are the real ones")
	}
	judge(report)
	return report
}

func TestThereIsNothingToSayAboutHealthyRealPrograms(t *testing.T) {
	report := realReport(t, nil)
	require.Empty(t, report.Findings)
	require.True(t, report.Ready)
	require.Equal(t, "1.11.0", report.Mesos.Version)
	require.Len(t, report.Mesos.Agents, 2)
	require.Equal(t, []Master{{Address: report.Mesos.Masters[0].Address, Leads: true, Version: "1.11.0"}}, report.Mesos.Masters)
	require.Equal(t, []string{"TASK_RUNNING"}, []string{report.Mesos.Frameworks[0].Tasks[0].State})
	require.Equal(t, "127.0.0.1", report.Mesos.Frameworks[0].Tasks[0].Host)
	require.Equal(t, "1.11.26", report.Marathon.Version)
	require.Equal(t, 1, report.Marathon.App.Running)
	require.Equal(t, 1, report.Marathon.App.Healthy)
	require.Equal(t, "agent-2", report.Marathon.App.Host)
	require.Empty(t, report.Controller.Error)
	require.Equal(t, "up", report.Controller.State)
	require.Equal(t, "2.568.2", report.Controller.Version)
	require.True(t, report.Controller.Secured)
	require.Equal(t, 50055, report.Controller.AgentPort)
}

func TestARealControllerThatIsNotAsItShouldBeIsFound(t *testing.T) {
	json200 := map[string]string{"X-Jenkins": "2.568.2", "Content-Type": "application/json;charset=utf-8"}
	for problem, change := range map[string]map[string]answer{
		"lets anonymous visitors in": {"anonymous /api/json": {Status: 200, Headers: json200, Body: json.RawMessage(`{}`)}},
		"has no open agent port":     {"anonymous /tcpSlaveAgentListener/": {Status: 404, Body: json.RawMessage(`"<html>"`)}},
		"does not serve (starting)": {"anonymous /login": {Status: 503, Headers: map[string]string{"Content-Type": "text/html;charset=utf-8"},
			Body: json.RawMessage(`"<title>Starting Jenkins</title>"`)}},
	} {
		report := &Report{}
		client := jenkins.New(recorded(t, "jenkins", change).URL, "admin", "secret")
		report.Controller, _ = collectController(t.Context(), Sources{Jenkins: client})
		report.Marathon.App = &App{Running: 1, Instances: 1}
		found := controller(report)
		require.Len(t, found, 1, problem)
		require.Contains(t, found[0].Problem, problem)
		client.Close()
	}
}
