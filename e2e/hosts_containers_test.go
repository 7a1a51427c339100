package e2e

import (
	"context"
	"encoding/json"
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

// madeOf is what the lab's images are made of: its base has a user 1000 already.
const madeOf = `images: {base: "jomctl-lab/base:1", java: default-jre-headless, userID: 1500}`

// buildBase makes the lab's base image and, on it, what takes long of the images that an install makes, besides the test; what it sends
// says that they are there.
func (b *labBench) buildBase() <-chan error {
	b.t.Helper()
	dir := b.path("base")
	require.NoError(b.t, os.Mkdir(dir, 0o700))
	cache, _ := exec.Command("../scripts/lab-apt-cache.sh").Output() // without it packages come from the mirror
	text := "FROM jomctl-lab:bookworm\nRUN echo " + strings.TrimSpace(string(cache)) + " >/etc/lab-apt-cache\n"
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o600))
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, "cluster.yaml"), []byte("apiVersion: jomctl/v1\nname: base\ntarget: local\n"+madeOf+"\n"), 0o600))
	b.t.Cleanup(func() {
		for _, name := range []string{"agent", "controller", "core"} {
			_ = exec.Command("sh", "-c", "docker image ls -q jomctl/rehearsal-"+name+" | xargs -r docker image rm --force").Run()
		}
	})
	built := make(chan error, 1)
	go func() {
		for _, argv := range [][]string{
			{"docker", "build", "-q", "-t", "jomctl-lab/base:1", dir},
			{filepath.Join(bin, "jomctl"), "-f", filepath.Join(dir, "cluster.yaml"), "images", "build", "--agent"},
		} {
			if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
				built <- fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, out)
				return
			}
		}
		built <- nil
	}()
	return built
}

// running are the images that the cluster runs, by what they are for.
func (b *labBench) running() map[string]string {
	b.t.Helper()
	data, err := os.ReadFile(b.path(".jomctl", "images.json"))
	require.NoError(b.t, err)
	var all map[string][]struct{ Ref string }
	require.NoError(b.t, json.Unmarshal(data, &all))
	refs := map[string]string{}
	for kind, some := range all {
		refs[kind] = some[0].Ref
	}
	return refs
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

func intoContainers(b *labBench, built <-chan error) {
	require.NoError(b.t, <-built)
	client := b.jenkins()
	require.NoError(b.t, client.EnsureJob(b.t.Context(), "kept", jenkins.FreestyleJob("mesos", "true", "from before the containers")))
	registry := provision.RegistryAddress(b.cluster())
	racks := map[string]string{"a1": "attributes: {rack: r1}", "a2": "attributes: {rack: r2}"}
	b.describe(fmt.Sprintf("{war: standin, cloud: {templates: [{label: mesos, idle: 2s, image: %q}]}}", registry+"/agent:1"), racks, "m1", "a1", "a2")
	r := b.install().exits(3)
	require.Contains(b.t, r.errOut, "the cluster's registry has no "+registry+"/agent:1")
	require.Contains(b.t, r.errOut, "sudo docker push")
	require.True(b.t, b.status().Ready, "the controller was left alone")

	b.describe("{war: standin, cloud: {templates: [{label: mesos, idle: 2s}]}}\n"+madeOf, racks, "m1", "a1", "a2")
	plan := b.run("plan").ok()
	require.Contains(b.t, plan.out+plan.errOut, "make the image of the controller on jomctl-lab/base:1, and send it to "+registry)
	require.Regexp(b.t, `a1: stop the controller, and give /var/lib/jomctl/jenkins_home with all that is in it to the user 1500`, plan.out+plan.errOut)
	r = b.install().ok()
	require.Contains(b.t, r.out, "Proof passed")
	require.Regexp(b.t, `[0-9]+ of [0-9]+ layers, [0-9]+ of [0-9]+ MiB`, r.errOut, "what hosts pull is told")
	images := b.running()
	for kind, ref := range images {
		require.Regexp(b.t, "^"+registry+"/jomctl/rehearsal-"+kind+"@sha256:[0-9a-f]{64}$", ref)
		for _, host := range []string{"a1", "a2"} {
			require.NotEmpty(b.t, b.on(host, "docker image inspect -f '{{.Id}}' "+ref), "%s is on %s", kind, host)
		}
	}
	b.builtInContainers(images["agent"])
	b.ownUser(images["controller"])
	require.Contains(b.t, b.on("a1", "cat /var/lib/jomctl/jenkins_home/jobs/kept/config.xml"), "from before the containers")
	b.ready(time.Minute)
	require.Contains(b.t, b.install().ok().errOut, "nothing to do")
}

// builtInContainers says that the builds of the proof ran at once, each in a container of its own.
func (b *labBench) builtInContainers(agent string) {
	b.t.Helper()
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
}

// ownUser says that the controller runs by the digest of its image, as the image's user, on nothing of its host but what is the cluster's.
func (b *labBench) ownUser(image string) {
	b.t.Helper()
	require.Len(b.t, b.containers(image, "a1", "a2")["a1"], 1, "the controller runs in a container where its home is")
	inside := func(text string) string {
		return b.on("a1", "docker exec $(docker ps -q --filter ancestor="+image+") "+text)
	}
	require.Equal(b.t, "1500", inside("id -u"))
	require.Contains(b.t, inside("sh -c 'ps -o user=,args= -e'"), "/opt/jomctl/standin jenkins")
	require.Contains(b.t, inside("java -version 2>&1"), "OpenJDK")
	require.Equal(b.t, image, b.on("a1", "docker inspect -f '{{.Config.Image}}' $(docker ps -q --filter ancestor="+image+")"))
	mounts := b.on("a1", "docker inspect -f '{{range .Mounts}}{{println .Destination .RW}}{{end}}' $(docker ps -q --filter ancestor="+image+") | sort")
	require.Equal(b.t, []string{"/mnt/mesos/sandbox true", "/var/lib/jomctl/controller false", "/var/lib/jomctl/jenkins_home true"}, strings.Split(strings.TrimSpace(mounts), "\n"))
	require.Empty(b.t, b.on("a1", "find /var/lib/jomctl/jenkins_home ! -uid 1500"), "all of the home is the controller's")
	require.Equal(b.t, "400 1500", b.on("a1", "stat -c '%a %u' /var/lib/jomctl/controller/seed/users/admin/config.xml"))
}

func containerKilled(b *labBench) {
	before := b.ready(time.Minute)
	b.on("a1", "docker kill $(docker ps -q --filter ancestor="+b.running()["controller"]+")")
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
