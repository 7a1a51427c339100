package e2e

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/e2e/lab/repo"
	"github.com/jomctl/jomctl/images"
	"github.com/jomctl/jomctl/internal/testkit"
)

// docker runs the program on this machine's Docker Engine and gives its stdout.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("docker", args...).CombinedOutput()
	require.NoError(t, err, "docker %s: %s", strings.Join(args, " "), out)
	return strings.TrimSpace(string(out))
}

// imageBase is the lab's base image with its cache of packages.
func imageBase(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cache, _ := exec.Command("../scripts/lab-apt-cache.sh").Output() // without it packages come from the mirror
	text := "FROM jomctl-lab:bookworm\nRUN echo " + strings.TrimSpace(string(cache)) + " >/etc/lab-apt-cache\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o600))
	docker(t, "build", "-q", "-t", "jomctl-lab/base:1", dir)
	return "jomctl-lab/base:1"
}

type builtImages struct {
	Standin bool
	Images  []struct {
		Ref   string
		Made  bool
		Bytes int64
	}
}

// refs are the images of the answer by the names of their links.
func (b builtImages) refs() map[string]string {
	refs := map[string]string{}
	for _, image := range b.Images {
		name, _, _ := strings.Cut(strings.TrimPrefix(image.Ref, "jomctl/"), ":")
		refs[name] = image.Ref
	}
	return refs
}

// buildRehearsal makes rehearsal images on the lab's base; they go with the test, but for the layers of the slowest link.
func buildRehearsal(t *testing.T, b *bench) builtImages {
	t.Helper()
	// The lab's base has a user 1000 already.
	r := b.run("images", "build", "--standin", "--base", imageBase(t), "--java", "default-jre-headless", "--user-id", "1500", "-o", "json").ok()
	var built builtImages
	require.NoError(t, json.Unmarshal([]byte(r.out), &built))
	t.Cleanup(func() {
		for _, image := range built.Images {
			if strings.HasPrefix(image.Ref, "jomctl/runtime:") {
				_ = exec.Command("docker", "tag", image.Ref, "jomctl-lab/runtime:1").Run()
			}
			_ = exec.Command("docker", "image", "rm", "--force", image.Ref).Run()
		}
	})
	return built
}

func TestHostsImagesOfARehearsalRun(t *testing.T) {
	if os.Getenv("JOMCTL_TEST_LAB") != "1" {
		t.Skip("needs JOMCTL_TEST_LAB=1: it builds and runs images with the machine's Docker Engine")
	}
	if out, err := exec.Command("../scripts/lab-image.sh").CombinedOutput(); err != nil {
		testkit.Missing(t, "a Docker Engine with the lab's base image: "+string(out))
	}
	b := newBench(t)
	b.write("apiVersion: jomctl/v1\nname: ci\ntarget: local\n")
	built := buildRehearsal(t, b)
	refs := built.refs()
	require.True(t, built.Standin)
	require.Len(t, refs, 4, "%v", refs)
	again := b.run("images", "build", "--standin", "--base", "jomctl-lab/base:1", "--java", "default-jre-headless", "--user-id", "1500").ok()
	require.Equal(t, 4, strings.Count(again.out, "already there"), again.out)

	controllerRuns(t, refs["rehearsal-controller"])
	agentRuns(t, refs["rehearsal-agent"])
	realAgentRuns(t, b)
	mesosBase(t, b)

	require.Contains(t, b.run("images", "list").ok().out, "stand-in for Jenkins 2.568.3 (release default)")
	require.Contains(t, b.run("images", "prune", "--plan", "--keep", "0").ok().out, refs["rehearsal-agent"], "the file names no image")
	pushes(t, b)
}

// realAgentRuns makes the image of build agents of a real release on the same links, and asks its java for the heap that the agent gets.
func realAgentRuns(t *testing.T, b *bench) {
	r := b.run("images", "build", "--agent", "--release", "default", "--base", "jomctl-lab/base:1", "--java", "default-jre-headless", "--user-id", "1500", "-o", "json").ok()
	var built builtImages
	require.NoError(t, json.Unmarshal([]byte(r.out), &built))
	ref := built.refs()["agent"]
	t.Cleanup(func() { _ = exec.Command("docker", "image", "rm", "--force", ref).Run() })
	agentRuns(t, ref)
	heap := docker(t, "run", "--rm", "--memory", "512m", ref, "java -server -Xmx32m -XX:+PrintFlagsFinal -cp agent.jar -version 2>/dev/null | awk '$2 == \"MaxHeapSize\" {print $4}'")
	require.Equal(t, "268435456", heap, "half of the container's memory instead of the plugin's 32 MB")
}

// mesosBase makes the link that has Mesos, of a package as the lab's hosts get it.
func mesosBase(t *testing.T, b *bench) {
	deb, err := repo.BuildPackage(b.dir, repo.VendorMesos, "1.11.0-2.0.1", runtime.GOARCH, filepath.Join(bin, "standin"))
	require.NoError(t, err)
	chain := images.Agent(images.Runtime{Base: "jomctl-lab/base:1", Mesos: []images.File{{Path: filepath.Base(deb), Source: deb}}}, "", images.AccessNone)
	built, err := images.Build(t.Context(), images.Docker{}, "jomctl-lab/base:1", chain[:1], func(string) {})
	require.NoError(t, err)
	require.Regexp(t, "^jomctl/mesos-base:", built[0].Ref)
	t.Cleanup(func() { _ = exec.Command("docker", "image", "rm", "--force", built[0].Ref).Run() })
	require.Equal(t, "install ok installed 1.11.0-2.0.1", docker(t, "run", "--rm", built[0].Ref, "dpkg-query", "-W", "-f", "${Status} ${Version}", "mesos"))
	require.Contains(t, docker(t, "run", "--rm", built[0].Ref, "sh", "-c", "dpkg -L mesos"), "libmesos")
}

// untold pushes to a registry without TLS that the engine was not told of, and which is on no loopback address.
func untold(t *testing.T, b *bench, ref string) {
	gateway := docker(t, "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}")
	listener, err := net.Listen("tcp", net.JoinHostPort(gateway, "0"))
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	require.NoError(t, server.Listener.Close())
	server.Listener = listener
	server.Start()
	defer server.Close()
	address := listener.Addr().String()
	t.Cleanup(func() {
		_ = exec.Command("sh", "-c", "docker image ls --format '{{.Repository}}:{{.Tag}}' | grep -E '^127\\.0\\.0\\.1:[0-9]+/"+strings.ReplaceAll(ref, ".", "\\.")+"$' | xargs -r docker image rm --force").Run()
	})
	r := b.run("images", "push", ref, "--registry", address).ok()
	pushed := regexp.MustCompile(address + `/jomctl/agent@(sha256:[0-9a-f]{64})`).FindStringSubmatch(r.out)
	require.Len(t, pushed, 2, r.out)
	there, err := name.ParseReference(pushed[0], name.Insecure)
	require.NoError(t, err)
	_, err = remote.Head(there)
	require.NoError(t, err)
}

// pushes sends a small image of the name of a build agent's to a registry that speaks plain HTTP: the real one's layers take a minute.
func pushes(t *testing.T, b *bench) {
	var root bytes.Buffer
	require.NoError(t, tar.NewWriter(&root).Close())
	ref := fmt.Sprintf("jomctl/agent:test-%d", os.Getpid())
	load := exec.Command("docker", "import", "--change", "LABEL org.jomctl.content=small", "-", ref)
	load.Stdin = &root
	out, err := load.CombinedOutput()
	require.NoError(t, err, "%s", out)
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	t.Cleanup(func() { _ = exec.Command("docker", "image", "rm", "--force", ref, address+"/"+ref).Run() })
	untold(t, b, ref)
	pushed := b.run("images", "push", ref, "--registry", address).ok()
	found := regexp.MustCompile(`(?m)^  cloud: \{templates: \[\{label: mesos, image: "(` + address + `/jomctl/agent@sha256:[0-9a-f]{64})"\}\]\}$`).FindStringSubmatch(pushed.out)
	require.Len(t, found, 2, pushed.out)
	b.write("apiVersion: jomctl/v1\nname: ci\ntarget: local\njenkins: {cloud: {templates: [{label: mesos, image: \"" + found[1] + "\"}]}}\n")
	require.NotContains(t, b.run("images", "prune", "--plan", "--keep", "0").ok().out, ref, "the file names it by its digest")
	docker(t, "image", "rm", ref, address+"/"+ref)
	docker(t, "pull", "-q", found[1])
	docker(t, "image", "rm", found[1])
}

// controllerRuns starts the image as it is, and looks at its first process and at what it answers.
func controllerRuns(t *testing.T, ref string) {
	id := docker(t, "run", "--detach", "--env", "HOST=127.0.0.1", "--env", "PORT0=8080", "--env", "PORT1=50000", ref)
	t.Cleanup(func() { _ = exec.Command("docker", "rm", "--force", id).Run() })
	testkit.Eventually(t, 2*time.Minute, "the controller answers", func(ctx context.Context) bool {
		return exec.CommandContext(ctx, "docker", "exec", id, "jomhome", "check", "http://127.0.0.1:8080/login").Run() == nil
	})
	require.Equal(t, "1500", docker(t, "exec", id, "id", "-u"))
	require.Equal(t, "jenkins /usr/local/bin/jomhome", docker(t, "exec", id, "sh", "-c", "ps -o user=,args= -p 1 | awk '{print $1, $2}'"))
	require.Equal(t, "403", docker(t, "exec", id, "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://127.0.0.1:8080/api/json"), "strangers are refused")
	require.Contains(t, docker(t, "exec", id, "cat", "/var/jenkins_home/config.xml"), "denyAnonymousReadAccess")
	docker(t, "stop", "--time", "30", id)
	require.Equal(t, "143", docker(t, "inspect", "--format", "{{.State.ExitCode}}", id), "it was ended in order, not killed")
}

// agentRuns gives the image one argument, as the Mesos plugin does.
func agentRuns(t *testing.T, ref string) {
	out, err := exec.Command("docker", "run", "--rm", ref, "echo one; java -DHUDSON_HOME=jenkins -server -Xmx32m -jar agent.jar -url http://127.0.0.1:1/ -name x -secret y; echo ended with $?").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Regexp(t, `(?s)^one\n.*agent\.jar.*ended with [1-9]`, string(out))
}
