package agent

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credential.json")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestAnAgentShowsItsCredential(t *testing.T) {
	known := written(t, `{"credentials": [{"principal": "mesos-agent", "secret": "the-right-one"}]}`)
	leader := startMaster(t, t.TempDir(), freeAddr(t), "", "--authenticate_agents", "--credentials="+known)

	none := startAgent(t, leader.addr)
	wrong := startAgent(t, leader.addr, "--credential="+written(t, `{"principal": "mesos-agent", "secret": "another-one"}`))
	right := startAgent(t, leader.addr, "--credential=file://"+written(t, `{"principal": "mesos-agent", "secret": "the-right-one"}`))
	right.awaitRegistered()
	assert.Equal(t, 1, wrong.code())
	assert.Contains(t, wrong.log(), "EXIT with status 1: Master master@"+leader.addr+" refused authentication")
	testkit.Eventually(t, time.Minute, "the one without is refused again and again", func(context.Context) bool {
		return strings.Count(leader.log(), "Refusing registration of agent") > 1
	})
	assert.Contains(t, body(none.url("/metrics/snapshot")), `"slave/registered":0.0`, "and stays alive")
	for _, one := range []*program{leader, none, wrong, right} {
		assert.NotContains(t, one.log(), "-one\"")
	}
}

func TestCredentialFilesThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{"": "Empty credential file", "mesos-agent hunter2": "Invalid json format", `{"secret":"hunter2"}`: "Invalid json format"} {
		_, err := configOf(t, "--credential="+written(t, text))
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "hunter2")
	}
	_, err := configOf(t, "--credential=/nonexistent")
	require.ErrorContains(t, err, "Failed to read credential file '/nonexistent'")
}
