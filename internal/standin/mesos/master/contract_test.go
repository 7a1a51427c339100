package master_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/mesos/contract"
)

// TestContract runs the suites on the built stand-ins, as separate processes.
func TestContract(t *testing.T) {
	programs := contract.NewPrograms(t, build(t))
	suites := map[string]func(*testing.T, contract.Launcher){
		"Startup": contract.MasterStartup, "AgentLoss": contract.AgentLoss, "Election": contract.Election, "NoQuorum": contract.NoQuorum,
		"Restart": contract.Restart, "Maintenance": contract.Maintenance, "Authentication": contract.Authentication,
		"Cluster": func(t *testing.T, programs contract.Launcher) {
			target := contract.StartCluster(t, programs)
			t.Run("Master", func(t *testing.T) { contract.Master(t, target) })
			t.Run("Scheduler", func(t *testing.T) { contract.Scheduler(t, target) })
		},
	}
	for name, suite := range suites {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			suite(t, programs)
		})
	}
}

// build makes the stand-in binary once for the package's tests.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	command := exec.Command("go", "build", "-o", filepath.Join(dir, "standin"), "github.com/jomctl/jomctl/cmd/standin")
	command.Env = os.Environ()
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%s", output)
	return dir
}
