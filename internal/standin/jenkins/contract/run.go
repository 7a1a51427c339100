package contract

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

// Run runs the whole suite.
func Run(t *testing.T, p Program) {
	t.Run("rest", func(t *testing.T) { REST(t, p) })
	t.Run("lifecycle", func(t *testing.T) { Lifecycle(t, p) })
	t.Run("secured", func(t *testing.T) { Secured(t, p) })
}

// War is a real Jenkins: a java that its core runs on, and the path of its jenkins.war.
func War(java, war string) Program {
	return Program{Boot: 3 * time.Minute, Command: func(home string, properties, options []string) *exec.Cmd {
		return command(home, java, append(append(append([]string(nil), properties...), "-jar", war), options...)...)
	}}
}

// StandIn is the stand-in: the path of the program built from cmd/standin.
func StandIn(path string) Program {
	return Program{Boot: 15 * time.Second, Command: func(home string, properties, options []string) *exec.Cmd {
		return command(home, path, append(append([]string{"jenkins"}, properties...), options...)...)
	}}
}

func command(home, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "JENKINS_HOME="+home)
	return cmd
}
