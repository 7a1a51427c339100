package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fakeEngine is a docker program that runs the container's shell command on this machine and writes down its calls.
func fakeEngine(t *testing.T) (dir, program string) {
	t.Helper()
	dir = t.TempDir()
	program = filepath.Join(dir, "docker")
	script := strings.ReplaceAll(`#!/bin/sh
echo "$*" >> DIR/calls
shift 2
case $1 in
ps|rm) ;;
inspect) [ -e DIR/image ] ;;
pull) [ "$2" = good ] && touch DIR/image || { echo "no such image" >&2; exit 1; } ;;
run) name=$(echo "$*" | sed 's/.*--name \([^ ]*\).*/\1/'); for last; do :; done; echo $$ > "DIR/$name"; exec /bin/sh -c "$last" ;;
exec) shift 2; exec "$@" ;;
stop) kill -TERM "$(cat "DIR/$4")" ;;
kill) kill -KILL "$(cat "DIR/$2")" ;;
*) echo "unexpected $1" >&2; exit 9 ;;
esac
`, "DIR", dir)
	require.NoError(t, os.WriteFile(program, []byte(script), 0o700))
	return dir, program
}

func inDocker(image string, change func(*mesos.ContainerInfo)) func(*mesos.TaskInfo) {
	return func(info *mesos.TaskInfo) {
		info.Container = &mesos.ContainerInfo{Type: p(mesos.ContainerInfo_DOCKER), Docker: &mesos.ContainerInfo_DockerInfo{Image: image}}
		info.Command.Environment = &mesos.Environment{Variables: []mesos.Environment_Variable{{Name: "HOST", Value: p("here")}}}
		if change != nil {
			change(info.Container)
		}
	}
}

func TestDockerTasks(t *testing.T) {
	dir, program := fakeEngine(t)
	master := newMaster(t)
	agent := startAgent(t, master.addr(), "--containerizers=docker,mesos", "--docker="+program)
	master.awaitRegister(1)
	calls := func() string {
		content, _ := os.ReadFile(filepath.Join(dir, "calls"))
		return string(content)
	}
	t.Run("a task runs with what its description says", func(t *testing.T) {
		master.run("box", "echo out; exit 4", inDocker("good", func(c *mesos.ContainerInfo) {
			c.Docker.Network, c.Docker.Privileged = p(mesos.ContainerInfo_DockerInfo_BRIDGE), p(true)
			c.Docker.Parameters = []mesos.Parameter{{Key: "init", Value: "true"}}
			c.Docker.PortMappings = []mesos.ContainerInfo_DockerInfo_PortMapping{{HostPort: 31000, ContainerPort: 8080, Protocol: p("tcp")}}
			c.Volumes = []mesos.Volume{{ContainerPath: "/data", HostPath: p("/srv/data"), Mode: p(mesos.RO)}, {ContainerPath: "/in", HostPath: p("in"), Mode: p(mesos.RW)}}
		}))
		last := master.await("box", mesos.TASK_FAILED)
		assert.Equal(t, "Container exited with status 4", last.GetMessage())
		sandbox := agent.sandboxOf("box")
		assert.Equal(t, "out\n", agent.file("box", "stdout"))
		name := "mesos-" + filepath.Base(sandbox)
		assert.Contains(t, calls(), "-H unix:///var/run/docker.sock pull good\n")
		assert.Contains(t, calls(), "-H unix:///var/run/docker.sock run --cpu-shares 102 --memory 33554432 --name "+name+" --net bridge --privileged"+
			" -v /srv/data:/data:ro -v "+sandbox+"/in:/in:rw -v "+sandbox+":/mnt/mesos/sandbox -p 31000:8080/tcp --init=true"+
			" -e MESOS_SANDBOX=/mnt/mesos/sandbox -e MESOS_CONTAINER_NAME="+name+" -e HOST=here --entrypoint /bin/sh good -c echo out; exit 4\n")
	})
	t.Run("an image that is there is not pulled again unless asked", func(t *testing.T) {
		before := strings.Count(calls(), " pull good")
		master.run("there", "true", inDocker("good", nil))
		master.await("there", mesos.TASK_FINISHED)
		assert.Equal(t, before, strings.Count(calls(), " pull good"))
		master.run("fresh", "true", inDocker("good", func(c *mesos.ContainerInfo) { c.Docker.ForcePullImage = p(true) }))
		master.await("fresh", mesos.TASK_FINISHED)
		assert.Equal(t, before+1, strings.Count(calls(), " pull good"))
	})
	t.Run("a kill stops the container", func(t *testing.T) {
		master.run("long", "echo $$; exec sleep 1000", inDocker("good", nil))
		lines := agent.awaitLineOf(master, "long")
		master.kill("long", nil)
		master.await("long", mesos.TASK_KILLED)
		agent.awaitDead(lines...)
		assert.Contains(t, calls(), "stop -t 3 mesos-")
	})
	t.Run("no image, no task", func(t *testing.T) {
		require.NoError(t, os.Remove(filepath.Join(dir, "image")))
		master.run("bad", "true", inDocker("bad", nil))
		last := master.await("bad", mesos.TASK_FAILED)
		assert.Equal(t, mesos.REASON_CONTAINER_LAUNCH_FAILED, last.GetReason())
		assert.Equal(t, "Failed to launch container: Failed to run 'docker -H unix:///var/run/docker.sock pull bad': exited with status 1; stderr='no such image\n'", last.GetMessage())
	})
}

func TestDockerCommandLine(t *testing.T) {
	shell, none := &mesos.CommandInfo{Value: p("a b")}, &mesos.CommandInfo{Shell: p(false)}
	args := &mesos.CommandInfo{Shell: p(false), Value: p("x"), Arguments: []string{"y z"}}
	assert.Equal(t, []string{"--entrypoint", "/bin/sh", "img", "-c", "a b"}, commandArgs(shell, "img"))
	assert.Equal(t, []string{"img"}, commandArgs(none, "img"))
	assert.Equal(t, []string{"img", "x", "y z"}, commandArgs(args, "img"))
}

func TestDockerEngineThatDoesNotAnswer(t *testing.T) {
	program := filepath.Join(t.TempDir(), "docker")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n"), 0o700))
	agent := startAgent(t, "127.0.0.1:1", "--containerizers=docker,mesos", "--docker="+program)
	assert.Equal(t, 1, agent.code())
	assert.Contains(t, agent.log(), "EXIT with status 1: Failed to perform recovery: Collect failed: Failed to run 'docker -H unix:///var/run/docker.sock ps -a': exited with status 1; stderr='Cannot connect to the Docker daemon\n'")
}
