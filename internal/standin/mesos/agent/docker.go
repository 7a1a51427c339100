package agent

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"github.com/jomctl/jomctl/internal/standin/mesos/agent/execute"
)

// docker is the engine's command line: the program and its socket.
type docker struct{ program, socket string }

func (c config) engine() docker {
	program := c.flags.get("docker")
	// Executors have another PATH, so they get the full name.
	if found, err := exec.LookPath(program); err == nil {
		program = found
	}
	return docker{program: program, socket: "unix://" + c.flags.get("docker_socket")}
}

// run runs one docker command. The error is the real agent's text.
func (d docker) run(args ...string) error {
	output, err := exec.Command(d.program, append([]string{"-H", d.socket}, args...)...).CombinedOutput()
	if err != nil {
		status := err.Error()
		if code, ok := strings.CutPrefix(status, "exit status "); ok {
			status = "exited with status " + code
		}
		return words("Failed to run 'docker -H %s %s': %s; stderr='%s'", d.socket, strings.Join(args, " "), status, output)
	}
	return nil
}

// checkDocker asks the engine for its containers when the docker containerizer is on, as the real recovery does.
func checkDocker(cfg config) error {
	if !cfg.docker {
		return nil
	}
	return cfg.engine().run("ps", "-a")
}

// removeContainer removes an ended container after --docker_remove_delay. One whose agent ends before stays.
func (a *Agent) removeContainer(container string) {
	delay, _ := parseDuration(a.cfg.flags.get("docker_remove_delay"))
	_ = a.cfg.engine().run("stop", "-t", "0", "mesos-"+container)
	time.AfterFunc(delay, func() { _ = a.cfg.engine().run("rm", "-f", "mesos-"+container) })
}

// dockerRun brings the image and gives the command line of the container.
func (a *Agent) dockerRun(t *task) (*execute.Docker, error) {
	info := t.info.Container.Docker
	if info == nil || info.Image == "" {
		return nil, launchFailed("No image in the docker container's description")
	}
	network := "host"
	switch info.GetNetwork() {
	case mesos.ContainerInfo_DockerInfo_BRIDGE:
		network = "bridge"
	case mesos.ContainerInfo_DockerInfo_NONE:
		network = "none"
	case mesos.ContainerInfo_DockerInfo_USER:
		if len(t.info.Container.NetworkInfos) == 0 || t.info.Container.NetworkInfos[0].Name == nil {
			return nil, launchFailed("No network info found in container info")
		}
		network = *t.info.Container.NetworkInfos[0].Name
	}
	if check := t.info.HealthCheck; network != "host" && check != nil && check.Type != mesos.HealthCheck_COMMAND {
		return nil, launchFailed("the stand-in agent makes HTTP and TCP checks of docker containers on the host's network only")
	}
	if err := a.pull(info); err != nil {
		return nil, launchFailed("%v", err)
	}
	run := &execute.Docker{Program: a.cfg.engine().program, Socket: a.cfg.engine().socket, Name: "mesos-" + t.container}
	run.Args = append(a.limits(t), "--name", run.Name, "--net", network)
	if info.Privileged != nil && *info.Privileged {
		run.Args = append(run.Args, "--privileged")
	}
	volumes, err := volumeArgs(t.info.Container, t.sandbox)
	if err != nil {
		return nil, err
	}
	run.Args = append(run.Args, volumes...)
	run.Args = append(run.Args, "-v", t.sandbox+":"+a.cfg.flags.get("sandbox_directory"))
	if name := t.info.Container.Hostname; name != nil && network != "host" {
		run.Args = append(run.Args, "--hostname", *name)
	}
	for _, port := range info.PortMappings {
		mapping := fmt.Sprintf("%d:%d", port.HostPort, port.ContainerPort)
		if port.Protocol != nil {
			mapping += "/" + strings.ToLower(*port.Protocol)
		}
		run.Args = append(run.Args, "-p", mapping)
	}
	for _, one := range info.Parameters {
		run.Args = append(run.Args, "--"+one.Key+"="+one.Value)
	}
	run.Args = append(run.Args, a.dockerEnvironment(t, run.Name)...)
	run.Args = append(run.Args, commandArgs(t.info.Command, info.Image)...)
	return run, nil
}

// pull brings the image when it is not there, or when the task always wants the newest.
func (a *Agent) pull(info *mesos.ContainerInfo_DockerInfo) error {
	always := info.ForcePullImage != nil && *info.ForcePullImage
	if !always && a.cfg.engine().run("inspect", "--type=image", info.Image) == nil {
		return nil
	}
	return a.cfg.engine().run("pull", info.Image)
}

func (a *Agent) limits(t *task) []string {
	var args []string
	for _, one := range t.info.Resources {
		switch {
		case one.Scalar == nil:
		case one.Name == "cpus":
			args = append(args, "--cpu-shares", strconv.Itoa(max(2, int(1024*one.Scalar.Value))))
		case one.Name == "mem":
			args = append(args, "--memory", strconv.FormatUint(uint64(max(32, one.Scalar.Value)*(1<<20)), 10))
		}
	}
	return args
}

// dockerEnvironment is what a task in a container sees: the command's variables and two of Mesos'.
func (a *Agent) dockerEnvironment(t *task, name string) []string {
	args := []string{"-e", "MESOS_SANDBOX=" + a.cfg.flags.get("sandbox_directory"), "-e", "MESOS_CONTAINER_NAME=" + name}
	if t.info.Command.Environment != nil {
		for _, one := range t.info.Command.Environment.Variables {
			if one.Value != nil {
				args = append(args, "-e", one.Name+"="+*one.Value)
			}
		}
	}
	return args
}

func volumeArgs(container *mesos.ContainerInfo, sandbox string) ([]string, error) {
	var args []string
	for _, one := range container.Volumes {
		if one.Source != nil || one.Image != nil {
			return nil, launchFailed("the stand-in agent mounts host paths only")
		}
		text := one.ContainerPath
		if one.HostPath != nil {
			host := *one.HostPath
			if !strings.HasPrefix(host, "/") {
				host = sandbox + "/" + host
			}
			text = host + ":" + text
			if one.Mode != nil && *one.Mode == mesos.RO {
				text += ":ro"
			} else {
				text += ":rw"
			}
		}
		args = append(args, "-v", text)
	}
	return args, nil
}

// commandArgs are the image and what runs in it: through a shell, as arguments, or what the image says.
func commandArgs(command *mesos.CommandInfo, image string) []string {
	if command.Shell == nil || *command.Shell {
		if command.GetValue() == "" {
			return []string{image}
		}
		return []string{"--entrypoint", "/bin/sh", image, "-c", command.GetValue()}
	}
	args := []string{image}
	if command.GetValue() != "" {
		args = append(args, command.GetValue())
	}
	return append(args, command.Arguments...)
}
