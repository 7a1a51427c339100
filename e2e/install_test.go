package e2e

import (
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type installAnswer struct {
	URL   string
	Proof struct {
		Passed         bool
		Builds, Agents int
		Seconds        float64
		AtOnce         int
		Hosts          []string
		Returned       bool
	}
	Steps []struct{ ID, Outcome string }
}

func TestInstallProvesAndASecondInstallChangesNothing(t *testing.T) {
	needs(t)
	b := newBench(t)
	b.quick("ci")
	var answer installAnswer
	b.run("install", "--yes", "-o", "json", "--proof-sleep", "2s").ok().json(&answer)
	require.True(t, answer.Proof.Passed)
	require.Equal(t, 5, answer.Proof.Builds)
	require.Equal(t, 5, answer.Proof.Agents)
	require.Equal(t, 5, answer.Proof.AtOnce)
	require.Len(t, answer.Proof.Hosts, 2, "the agents are sized so that five build agents need both hosts")
	require.True(t, answer.Proof.Returned)
	require.NotEmpty(t, answer.Steps)

	response, err := http.Get(answer.URL + "/api/json")
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, http.StatusForbidden, response.StatusCode, "strangers are refused")
	info, err := os.Stat(b.path(".jomctl", "secrets", "admin"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	before := b.status()
	require.True(t, before.Ready)
	require.Empty(t, before.Findings)
	second := b.run("install", "--yes").ok()
	require.Contains(t, second.errOut, "nothing to do")
	after := b.status()
	require.Equal(t, before.pids(), after.pids(), "no process was started anew")
	require.Equal(t, before.Controller.Task, after.Controller.Task)

	b.run("prove", "--yes", "--sleep", "1s").ok()
	b.run("destroy", "--yes").ok()
	require.Empty(t, b.processes(), "nothing that was started is left")
	require.NoDirExists(t, b.path(".jomctl", "hosts"))
	require.NoFileExists(t, b.path(".jomctl", "secrets", "admin"))
	require.FileExists(t, b.path("cluster.yaml"))
	require.Contains(t, b.run("destroy", "--yes").ok().errOut, "nothing to do")
}

func TestTwoClustersSideBySide(t *testing.T) {
	needs(t)
	one, two := newBench(t), newBench(t)
	one.quick("one")
	two.quick("two")
	one.run("install", "--yes", "--proof-sleep", "1s").ok()
	two.run("install", "--yes", "--proof-sleep", "1s").ok()
	require.True(t, one.status().Ready)
	two.run("destroy", "--yes").ok()
	require.Empty(t, two.processes())
	require.True(t, one.ready(30*time.Second).Ready, "the other cluster goes on")
}
