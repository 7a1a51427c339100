package jenkins

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheNameOfAJobIsReadFromItsURL(t *testing.T) {
	for address, want := range map[string]string{
		"http://h:8080/job/one/": "one", "http://h/ci/job/one/7/": "one", "http://h/job/a/job/b%20c/12/": "a/b c", "http://h/job/job/job/job/3/": "job/job",
	} {
		require.Equal(t, want, jobOf(address), address)
	}
	require.Equal(t, "/job/a/job/b%20c", jobPath("a/b c"))
}

func TestWorkIsEveryBuildOnceAndTheWholeQueue(t *testing.T) {
	const params = `"actions":[{},{"parameters":[{"name":"S","value":"x"},{"name":"N","value":3},{"name":"B","value":true}]},{"causes":[{"shortDescription":"Started by user eva"}]}]`
	answers := map[string]string{
		"/computer/api/json": `{"computer":[{"executors":[{"currentExecutable":{"_class":"hudson.model.FreeStyleBuild","url":"http://h/job/f/4/","number":4,` + params + `}},{"currentExecutable":null}],"oneOffExecutors":[]},
			{"executors":[{"currentExecutable":{"_class":"org.jenkinsci.plugins.workflow.support.steps.ExecutorStepExecution$PlaceholderTask$PlaceholderExecutable"}}],
			 "oneOffExecutors":[{"currentExecutable":{"_class":"org.jenkinsci.plugins.workflow.job.WorkflowRun","url":"http://h/job/p/1/","number":1}}]},
			{"executors":[{"currentExecutable":{"_class":"hudson.model.FreeStyleBuild","url":"http://h/job/f/4/","number":4}}]}]}`,
		"/queue/api/json": `{"items":[{"id":9,"task":{"url":"http://h/job/d/job/q/"},"actions":[{"parameters":[{"name":"PASSWORD"}]}]},{"id":8,"task":{"url":"http://h/job/plain/"}}]}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, answers[r.URL.Path]) }))
	defer server.Close()
	running, queued, err := New(server.URL, "", "").Work(context.Background())
	require.NoError(t, err)
	require.Equal(t, []Pending{{Job: "f", Number: 4, Params: map[string]string{"S": "x", "N": "3", "B": "true"}, Causes: []string{"Started by user eva"}}, {Job: "p", Number: 1, Resumes: true}}, running)
	require.Equal(t, []Pending{{Job: "d/q", Item: 9, Params: map[string]string{}, Secret: true}, {Job: "plain", Item: 8}}, queued)
}

func TestFailedPluginsAreReadFromTheScriptsOutput(t *testing.T) {
	code, text := http.StatusOK, "FAILED mesos\nFAILED git\nEND\n"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/crumbIssuer") {
			http.NotFound(w, r)
			return
		}
		w.WriteHeader(code)
		fmt.Fprint(w, text)
	}))
	defer server.Close()
	client := New(server.URL, "admin", "x")
	failed, err := client.FailedPlugins(context.Background())
	require.NoError(t, err)
	require.Equal(t, []string{"mesos", "git"}, failed)
	text = "groovy.lang.MissingPropertyException: no such property"
	_, err = client.FailedPlugins(context.Background())
	require.ErrorContains(t, err, "MissingPropertyException", "an exception comes back as 200")
	code = http.StatusNotImplemented
	failed, err = client.FailedPlugins(context.Background())
	require.NoError(t, err, "a stand-in runs no scripts")
	require.Empty(t, failed)
}
