package jenkins

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/jenkins/contract"
)

// program starts the stand-in as the tests' own binary.
func program(t testing.TB) contract.Program {
	self, err := os.Executable()
	require.NoError(t, err)
	return contract.Program{Boot: 15 * time.Second, Command: func(home string, properties, options []string) *exec.Cmd {
		cmd := exec.Command(self, append(append([]string(nil), properties...), options...)...)
		cmd.Env = append(os.Environ(), runVariable+"=jenkins", "JENKINS_HOME="+home)
		return cmd
	}}
}

func TestContractREST(t *testing.T) {
	t.Parallel()
	contract.REST(t, program(t))
}

func TestContractLifecycle(t *testing.T) {
	t.Parallel()
	contract.Lifecycle(t, program(t))
}

func TestContractSecured(t *testing.T) {
	t.Parallel()
	contract.Secured(t, program(t))
}
