package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/testkit"
	"github.com/jomctl/jomctl/provision"
)

// The names of the images on this machine, where the layers stay for the next run.
const (
	controllerImage = "jomctl-lab/controller:1"
	agentImage      = "jomctl-lab/agent:1"
)

// buildImages builds the images of images/ on the lab's base image, besides the test; what it sends says that they are there. On top of the
// build agents' one lies the stand-in, as no JVM can run the agent.jar of a stand-in.
func (b *labBench) buildImages() <-chan error {
	b.t.Helper()
	base := b.path("base")
	require.NoError(b.t, os.Mkdir(base, 0o700))
	cache, _ := exec.Command("../scripts/lab-apt-cache.sh").Output() // without it packages come from the mirror
	for name, text := range map[string]string{
		"base":  "FROM jomctl-lab:bookworm\nRUN echo " + strings.TrimSpace(string(cache)) + " >/etc/lab-apt-cache\n",
		"agent": "FROM jomctl-lab/agent:real\nCOPY standin /usr/local/bin/\nRUN printf '#!/bin/sh\\nexec standin java \"$@\"\\n' >/usr/local/bin/java && chmod 755 /usr/local/bin/java\n",
	} {
		require.NoError(b.t, os.WriteFile(filepath.Join(base, name), []byte(text), 0o600))
	}
	b.must("cp", filepath.Join(bin, "standin"), base)
	built := make(chan error, 1)
	go func() { built <- buildAll(base) }()
	return built
}

// pushed brings the controller's image into the registry, besides the test, as soon as it is built.
func (b *labBench) pushed(built <-chan error) <-chan error {
	registry, done := provision.RegistryAddress(b.cluster()), make(chan error, 1)
	go func() {
		err := <-built
		if err == nil {
			err = b.push(registry, "a2", controllerImage)
		}
		done <- err
	}()
	return done
}

func buildAll(base string) error {
	for _, argv := range [][]string{
		{"-t", "jomctl-lab/base:1", "-f", filepath.Join(base, "base"), base},
		{"-t", controllerImage, "--build-arg", "BASE=jomctl-lab/base:1", "--build-arg", "JAVA=default-jre-headless", "../images/controller"},
		{"-t", "jomctl-lab/agent:real", "--build-arg", "BASE=jomctl-lab/base:1", "--build-arg", "JAVA=default-jre-headless", "../images/agent"},
		{"-t", agentImage, "-f", filepath.Join(base, "agent"), base},
	} {
		if out, err := exec.Command("docker", append([]string{"build", "-q"}, argv...)...).CombinedOutput(); err != nil {
			return fmt.Errorf("docker build %s: %w: %s", strings.Join(argv, " "), err, out)
		}
	}
	return nil
}

// push brings an image of this machine into the cluster's registry by way of a host, as docs/hosts.md says, and leaves nothing on that
// host, as what it runs it is to pull.
func (b *labBench) push(registry, host, image string) error {
	save := exec.Command("docker", "save", image)
	load := exec.Command("ssh", "-i", b.lab.KeyFile, "-o", "BatchMode=yes", "-o", "UserKnownHostsFile="+b.path(".jomctl", "known_hosts"), "-o", "LogLevel=ERROR",
		"admin@"+b.lab.Host(host).Address, "sudo docker load -q")
	var saved, loaded bytes.Buffer
	save.Stderr, load.Stderr = &saved, &loaded
	var err error
	if load.Stdin, err = save.StdoutPipe(); err != nil {
		return err
	}
	if err := save.Start(); err != nil {
		return err
	}
	if err := errors.Join(load.Run(), save.Wait()); err != nil {
		return fmt.Errorf("bring %s to %s: %w: %s%s", image, host, err, saved.String(), loaded.String())
	}
	there := registry + "/" + strings.TrimPrefix(image, "jomctl-lab/")
	_, err = b.lab.Run(host, "sh", "-c", fmt.Sprintf("docker tag %s %s && docker push -q %s && docker rmi %s %s", image, there, there, image, there))
	return err
}

// container is what a host's Docker Engine says of one.
type container struct {
	Name  string
	State struct {
		Running               bool
		StartedAt, FinishedAt time.Time
	}
}

// containers are those of an image, running or not, by host.
func (b *labBench) containers(image string, hosts ...string) map[string][]container {
	b.t.Helper()
	all := map[string][]container{}
	for _, host := range hosts {
		text := b.on(host, "docker ps -aq --filter ancestor="+image+" | xargs -r docker inspect")
		if text == "" {
			continue
		}
		var some []container
		require.NoError(b.t, json.Unmarshal([]byte(text), &some), text)
		all[host] = some
	}
	return all
}

// most is how many containers ran at the same time.
func most(all map[string][]container) int {
	type event struct {
		at   time.Time
		step int
	}
	var events []event
	for _, some := range all {
		for _, one := range some {
			events = append(events, event{one.State.StartedAt, 1})
			if !one.State.Running {
				events = append(events, event{one.State.FinishedAt, -1})
			}
		}
	}
	sort.Slice(events, func(i, j int) bool { return events[i].at.Before(events[j].at) })
	now, top := 0, 0
	for _, e := range events {
		now += e.step
		top = max(top, now)
	}
	return top
}

func intoContainers(b *labBench, pushed <-chan error) {
	require.NoError(b.t, <-pushed)
	client := b.jenkins()
	require.NoError(b.t, client.EnsureJob(b.t.Context(), "kept", jenkins.FreestyleJob("mesos", "true", "from before the containers")))
	registry := provision.RegistryAddress(b.cluster())
	controller, agent := registry+"/controller:1", registry+"/agent:1"
	b.describe(fmt.Sprintf("{war: standin, image: %q, cloud: {templates: [{label: mesos, idle: 2s, image: %q}]}}", controller, agent),
		map[string]string{"a1": "attributes: {rack: r1}", "a2": "attributes: {rack: r2}"}, "m1", "a1", "a2")
	r := b.install().exits(3)
	require.Contains(b.t, r.errOut, "the cluster's registry has no "+agent)
	require.Contains(b.t, r.errOut, "sudo docker push")
	require.True(b.t, b.status().Ready, "the controller was left alone")

	require.NoError(b.t, b.push(registry, "a2", agentImage))
	require.Empty(b.t, b.on("a2", "docker images -q"))
	require.Contains(b.t, b.run("resume", "--yes").ok().out, "Proof passed")
	var proof struct {
		Proof struct {
			Builds []struct{ Node, Host, Result string }
		}
	}
	data, err := os.ReadFile(b.path(".jomctl", "proof.json"))
	require.NoError(b.t, err)
	require.NoError(b.t, json.Unmarshal(data, &proof))
	require.Len(b.t, proof.Proof.Builds, 5)
	builds := b.containers(agent, "a1", "a2")
	for _, build := range proof.Proof.Builds {
		require.NotEmpty(b.t, builds[build.Host], "%+v ran in no container", build)
	}
	require.GreaterOrEqual(b.t, most(builds), 5, "five builds at once, each in a container of its own: %+v", builds)
	require.Len(b.t, b.containers(controller, "a1", "a2")["a1"], 1, "the controller runs in a container where its home is")
	require.Contains(b.t, b.on("a1", "docker exec $(docker ps -q --filter ancestor="+controller+") java -version 2>&1"), "OpenJDK")
	require.Contains(b.t, b.on("a1", "cat /var/lib/jomctl/jenkins_home/jobs/kept/config.xml"), "from before the containers")
	b.ready(time.Minute)
}

func containerKilled(b *labBench) {
	before := b.ready(time.Minute)
	b.on("a1", "docker kill $(docker ps -q --filter ancestor="+b.cluster().Jenkins.Image+")")
	testkit.Eventually(b.t, 3*time.Minute, "another controller is ready", func(context.Context) bool {
		s := b.status()
		return s.Ready && s.Controller.Task != before.Controller.Task
	})
	number, err := b.jenkins().StartBuild(b.t.Context(), "kept")
	require.NoError(b.t, err, "the home is the same one")
	require.Positive(b.t, number)
	require.Equal(b.t, "SUCCESS", b.ended("kept"))
	require.Contains(b.t, b.install().ok().errOut, "nothing to do")
}

func containersDestroyed(b *labBench) {
	b.run("destroy", "--yes", "--home", "/var/lib/jomctl/jenkins_home").ok()
	b.untouched()
	for _, host := range []string{"a1", "a2"} {
		require.Empty(b.t, b.on(host, "docker ps -aq"), host)
	}
}
