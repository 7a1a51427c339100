package agent

import (
	"fmt"
	"os/exec"

	"github.com/jomctl/jomctl/internal/standin/mesos/agent/execute"
)

// checkDocker asks the engine for its containers when the docker containerizer is on, as the real recovery does.
func checkDocker(cfg config) error {
	if !cfg.docker {
		return nil
	}
	args := []string{"-H", "unix://" + cfg.flags.get("docker_socket"), "ps", "-a"}
	output, err := exec.Command(cfg.flags.get("docker"), args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("Failed to run 'docker -H unix://%s ps -a': exited with status 1; stderr='%s'", cfg.flags.get("docker_socket"), output) //nolint:staticcheck // as the real program
	}
	return nil
}

func (a *Agent) removeContainer(container string) {
	_ = exec.Command(a.cfg.flags.get("docker"), "rm", "-f", "mesos-"+container).Run()
}

func (a *Agent) dockerRun(t *task, env []string, out logs) (*execute.Docker, error) {
	return nil, launchFailed("docker containers are not done yet")
}
