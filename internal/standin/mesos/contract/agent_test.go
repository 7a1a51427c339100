package contract

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// standIns builds the stand-in program.
func agentStandIns(t *testing.T) Programs {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "standin"), "github.com/jomctl/jomctl/cmd/standin")
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)
	return NewPrograms(t, dir)
}

func TestStandInAgent(t *testing.T) {
	programs := agentStandIns(t)
	t.Run("Agent", func(t *testing.T) { Agent(t, StartCluster(t, programs)) })
	t.Run("Startup", func(t *testing.T) { AgentStartup(t, programs) })
	t.Run("Faults", func(t *testing.T) { AgentFaults(t, programs) })
}
