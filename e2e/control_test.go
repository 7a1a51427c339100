package e2e

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/testkit"
	"github.com/jomctl/jomctl/provision"
)

// held is a build that runs until it is let go.
type held struct {
	b      *bench
	client *jenkins.Client
}

const heldJob = "held"

func hold(b *bench) held {
	b.t.Helper()
	c, err := config.Load(b.path("cluster.yaml"))
	require.NoError(b.t, err)
	password, err := c.Jenkins.Admin.Password.Resolve(c)
	require.NoError(b.t, err)
	h := held{b, jenkins.New(provision.EdgeURL(c, provision.EdgeControllerPort), c.Jenkins.Admin.User, password)}
	shell := "touch " + b.path("runs") + "; while [ ! -e " + b.path("ends") + " ]; do sleep 0.2; done"
	require.NoError(b.t, h.client.EnsureJob(context.Background(), heldJob, jenkins.FreestyleJob("mesos", shell, "a test's")))
	_, err = h.client.StartBuild(context.Background(), heldJob)
	require.NoError(b.t, err)
	testkit.Eventually(b.t, time.Minute, "the build runs", func(context.Context) bool {
		_, err := os.Stat(b.path("runs"))
		return err == nil
	})
	return h
}

// release lets the build end and returns its result.
func (h held) release() (result string) {
	h.b.t.Helper()
	defer h.client.Close()
	require.NoError(h.b.t, os.WriteFile(h.b.path("ends"), nil, 0o600))
	testkit.Eventually(h.b.t, time.Minute, "the build has ended", func(ctx context.Context) bool {
		build, err := h.client.Build(ctx, heldJob, 1)
		result = build.Result
		return err == nil && !build.Building
	})
	return result
}

// TestThreeControlHostsBecomeFiveAndThreeAgain is about the quorums of real ZooKeeper servers, and about a build that runs meanwhile.
func TestThreeControlHostsBecomeFiveAndThreeAgain(t *testing.T) {
	needs(t)
	b := newBench(t)
	b.write("apiVersion: jomctl/v1\nname: five\ntarget: local\nlocal: {control: 3, address: " + b.address + "}\njenkins: {cloud: {templates: [{label: mesos, idle: 2s}]}}\n")
	b.run("install", "--yes", "--proof-sleep", "1s").ok()
	task := b.ready(time.Minute).Controller.Task

	build := hold(b)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := b.command(ctx, "control", "add", "c4", "c5", "--yes", "--proof-sleep", "1s")
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	require.NoError(t, cmd.Start())
	testkit.Eventually(t, 4*time.Minute, "the build is waited for", func(context.Context) bool { return b.records()["end edge-c5"] })
	require.Equal(t, "SUCCESS", build.release())
	require.NoError(t, cmd.Wait(), "%s", &errOut)
	s := b.ready(time.Minute)
	require.Len(t, s.Hosts, 7)
	require.Equal(t, task, s.Controller.Task, "the controller was left alone")

	require.Contains(t, b.run("control", "remove", "c5", "--yes").exits(3).errOut, "bear no more failures than 3")
	b.run("control", "remove", "c4", "c5", "--yes", "--proof-sleep", "1s").ok()
	s = b.ready(time.Minute)
	require.Len(t, s.Hosts, 5)
	require.Equal(t, task, s.Controller.Task, "the controller was left alone")
	for _, gone := range []string{"c4", "c5"} {
		require.NoDirExists(t, b.path(".jomctl", "hosts", gone))
	}
	require.Contains(t, b.run("install", "--yes").ok().errOut, "nothing to do")
}
