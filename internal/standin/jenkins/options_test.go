package jenkins

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/jenkins/agent"
)

func TestOptions(t *testing.T) {
	t.Parallel()
	env := func(name string) string {
		return map[string]string{"JENKINS_HOME": "/h", "CASC_JENKINS_CONFIG": "/c.yaml"}[name]
	}
	o, err := parseOptions([]string{"-Xmx1g", "-Dhudson.model.LoadStatistics.clock=2000", "-Dhudson.TcpSlaveAgentListener.hostName=h", "-Djenkins.model.Jenkins.slaveAgentPort=50001",
		"-Djenkins.model.Jenkins.slaveAgentPortEnforce=true", "-Djenkins.install.runSetupWizard=false", "-Dhudson.lifecycle=hudson.lifecycle.ExitLifecycle",
		"-Dusi.jenkins.connection-retries=-1", "-Dusi.jenkins.connection-min-backoff=500", "-Dusi.jenkins.connection-max-backoff=2s", "-Djomctl.standin.agentListenAddress=127.0.10.21", "-Djomctl.standin.idleSeconds=5", "-Djomctl.standin.version=2.555.3",
		"-Dsome.other=x", "-jar", "jenkins.war", "--httpListenAddress=127.0.10.21", "--httpPort=8081", "--webroot=/w", "--prefix=/x/", "--nosuch=1"}, env, io.Discard)
	require.NoError(t, err)
	require.Equal(t, "/h", o.home)
	require.Equal(t, "/c.yaml", o.casc)
	require.Equal(t, "127.0.10.21:8081", o.address)
	require.Equal(t, "/x", o.prefix)
	require.Equal(t, 2*time.Second, o.clock)
	require.Equal(t, -1, o.cloud.ConnectionRetries)
	require.Equal(t, 500*time.Millisecond, o.cloud.MinBackoff)
	require.Equal(t, 2*time.Second, o.cloud.MaxBackoff)
	require.Equal(t, 5*time.Second, o.cloud.Idle)
	require.Equal(t, "2.555.3", o.version)
	require.Equal(t, "50001", o.agentPort)
	require.True(t, o.agentPortEnforced)
	require.True(t, o.exitOnly)
	require.False(t, o.wizard)
	require.Equal(t, []string{"--nosuch=1"}, o.unknown)
	plain, err := parseOptions(nil, env, io.Discard)
	require.NoError(t, err)
	require.Equal(t, ":8080", plain.address)
	require.Equal(t, defaultVersion, plain.version)
	require.Equal(t, 10*time.Second, plain.clock)
	require.Equal(t, 5, plain.cloud.ConnectionRetries)
	for _, bad := range []string{"--httpPort=x", "-Dhudson.model.LoadStatistics.clock=soon", "-Djomctl.standin.idleSeconds=x", "-Dusi.jenkins.connection-max-backoff=later", "-Dusi.jenkins.connection-max-backoff=0"} {
		_, err := parseOptions([]string{bad}, env, io.Discard)
		require.Error(t, err, bad)
	}
}

func TestJavaHandsOtherCommandLinesOn(t *testing.T) {
	t.Parallel()
	path := withJava(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "java"), []byte("#!/bin/sh\necho real java: $*\n"), 0o755))
	run := func(path string, args ...string) (string, error) {
		cmd := exec.Command(filepath.Join(filepath.SplitList(path)[0], "java"), args...)
		cmd.Env = []string{"PATH=" + path}
		out, err := cmd.CombinedOutput()
		return string(bytes.TrimSpace(out)), err
	}
	link := filepath.SplitList(path)[0]
	out, err := run(link+":"+dir, "-Xmx1g", "-jar", "other.jar", "x")
	require.NoError(t, err)
	require.Equal(t, "real java: -Xmx1g -jar other.jar x", out)
	around := t.TempDir() // as Mesos agents and containers have it
	require.NoError(t, os.WriteFile(filepath.Join(around, "java"), []byte("#!/bin/sh\nexec "+link+"/java \"$@\"\n"), 0o755))
	out, err = run(around+":"+dir, "-version")
	require.NoError(t, err)
	require.Equal(t, "real java: -version", out)
	nested := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(nested, "java"), []byte("#!/bin/sh\nPATH="+around+":"+dir+" java nested\n"), 0o755))
	out, err = run(around+":"+nested+":"+dir, "-version")
	require.NoError(t, err)
	require.Equal(t, "real java: nested", out)
	out, err = run(link, "-version")
	require.ErrorContains(t, err, "127")
	require.Contains(t, out, "no other java in PATH")
	jar := filepath.Join(dir, "agent.jar")
	require.NoError(t, os.WriteFile(jar, []byte(agent.Marker), 0o644))
	out, err = run(link+":"+dir, "-DHUDSON_HOME=jenkins", "-server", "-Xmx32m", "-jar", jar, "-url", "http://x")
	require.ErrorContains(t, err, "exit status 2")
	require.Contains(t, out, "not understood by the stand-in's agent.jar")
}
