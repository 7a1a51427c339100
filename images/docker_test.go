package images

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// dockerBase brings a base image with one file into the machine's Docker Engine.
func dockerBase(t *testing.T) string {
	t.Helper()
	if os.Getenv("JOMCTL_TEST_LAB") != "1" {
		t.Skip("needs JOMCTL_TEST_LAB=1: it builds images with the machine's Docker Engine")
	}
	if err := exec.Command("docker", "info").Run(); err != nil {
		testkit.Missing(t, "a Docker Engine (apt-get install docker.io)")
	}
	var root bytes.Buffer
	archive := tar.NewWriter(&root)
	require.NoError(t, archive.WriteHeader(&tar.Header{Name: "of-the-base", Mode: 0o644, Size: 0}))
	require.NoError(t, archive.Close())
	ref := fmt.Sprintf("jomctl-test/base:%d", os.Getpid())
	cmd := exec.Command("docker", "import", "-", ref)
	cmd.Stdin = &root
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Cleanup(func() { _ = exec.Command("docker", "image", "rm", "--force", ref).Run() })
	return ref
}

// filesOf lists the regular files of an image with their sizes.
func filesOf(t *testing.T, ref string) map[string]int64 {
	t.Helper()
	id, err := exec.Command("docker", "create", ref, "none").Output()
	require.NoError(t, err)
	defer func() { _ = exec.Command("docker", "rm", strings.TrimSpace(string(id))).Run() }()
	out, err := exec.Command("docker", "export", strings.TrimSpace(string(id))).Output()
	require.NoError(t, err)
	files, archive := map[string]int64{}, tar.NewReader(bytes.NewReader(out))
	for {
		header, err := archive.Next()
		if err != nil {
			return files
		}
		files[header.Name] = header.Size
	}
}

func TestDocker(t *testing.T) {
	base := dockerBase(t)
	found := map[string]bool{}
	// Where an older one is beside the first on the path, the engine's own BuildKit is tried as well.
	for _, program := range []string{"docker", "/usr/bin/docker"} {
		path, err := exec.LookPath(program)
		if err != nil || found[path] {
			continue
		}
		found[path] = true
		t.Run(program, func(t *testing.T) { dockerBuilds(t, path, base) })
	}
}

func dockerBuilds(t *testing.T, program, base string) {
	r, ctx := release(t), context.Background()
	var said bytes.Buffer
	engine := Docker{Program: program, Log: &said}
	chain, err := Controller(runtime, r)
	require.NoError(t, err)
	chain = chain[1:2] // the runtime needs a Debian, and the controller its user
	built, err := Build(ctx, engine, base, chain, func(string) {})
	require.NoError(t, err, said.String())
	require.Len(t, built, 1)
	ref := built[0].Ref
	t.Cleanup(func() { _ = exec.Command("docker", "image", "rm", "--force", ref).Run() })
	if slices.Contains(engine.environment(ctx, []string{"build"}), "DOCKER_BUILDKIT=1") {
		assert.Contains(t, said.String(), "#1 ", "BuildKit numbers what it does")
	}
	files := filesOf(t, ref)
	assert.Contains(t, files, "of-the-base")
	assert.EqualValues(t, 2, files["opt/jomctl/jenkins.war"])
	assert.EqualValues(t, 3, files["opt/jomctl/plugins/git.jpi"])

	again, err := Build(ctx, engine, base, chain, func(string) {})
	require.NoError(t, err)
	assert.Equal(t, []Built{{Ref: ref}}, again)
	list, err := engine.List(ctx)
	require.NoError(t, err)
	refs := []string{}
	for _, image := range list {
		refs = append(refs, image.Ref)
	}
	assert.Contains(t, refs, ref)

	server := httptest.NewServer(registry.New())
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	pushed, err := engine.Push(ctx, ref, address, Login{})
	require.NoError(t, err, said.String())
	t.Cleanup(func() { _ = exec.Command("docker", "image", "rm", "--force", address+"/"+ref).Run() })
	assert.Regexp(t, "^"+address+"/jomctl/core@sha256:[0-9a-f]{64}$", pushed)

	require.NoError(t, engine.Remove(ctx, ref))
	there, err := engine.Has(ctx, ref)
	require.NoError(t, err)
	assert.False(t, there)
	_, err = Build(ctx, engine, "127.0.0.1:1/gone:1", chain, func(string) {})
	assert.ErrorContains(t, err, "fetch the base image 127.0.0.1:1/gone:1: "+program+" pull: exit status 1: ")
}

func TestNoDocker(t *testing.T) {
	_, err := Docker{Program: "no-such-docker"}.List(context.Background())
	assert.ErrorContains(t, err, "run no-such-docker: ")
	assert.ErrorContains(t, err, "apt-get install docker.io")
}

func TestWhatDockerSaysIsNotItsExitCode(t *testing.T) {
	docker := filepath.Join(t.TempDir(), "docker")
	require.NoError(t, os.WriteFile(docker, []byte("#!/bin/sh\nprintf 'a\\nb\\nc\\n\\033[91mE: no such package\\033[0m\\n\\033[0m\\n' >&2\nexit 100\n"), 0o700))
	_, err := Docker{Program: docker}.Has(context.Background(), "x")
	require.EqualError(t, err, docker+" image: exit status 100: a; b; c; E: no such package")
	var coder interface{ ExitCode() int }
	assert.NotErrorAs(t, err, &coder, "an exit code would become that of jomctl")
}

func TestAnOldDockerIsToldOfBuildKit(t *testing.T) {
	t.Setenv("DOCKER_BUILDKIT", "")
	require.NoError(t, os.Unsetenv("DOCKER_BUILDKIT"))
	t.Setenv("BUILDX_BUILDER", "")
	for version, told := range map[string]bool{"20.10.24+dfsg1": true, "28.2.2": false, "": false} {
		docker := filepath.Join(t.TempDir(), "docker")
		require.NoError(t, os.WriteFile(docker, []byte("#!/bin/sh\necho "+version+"\n"), 0o700))
		env := Docker{Program: docker}.environment(t.Context(), []string{"build"})
		assert.Equal(t, told, slices.Contains(env, "DOCKER_BUILDKIT=1"), version)
		assert.Contains(t, env, "BUILDX_BUILDER=default")
		assert.NotContains(t, Docker{Program: docker}.environment(t.Context(), []string{"push"}), "BUILDX_BUILDER=default")
	}
	t.Setenv("DOCKER_BUILDKIT", "0")
	assert.NotContains(t, Docker{Program: "/bin/false"}.environment(t.Context(), []string{"build"}), "DOCKER_BUILDKIT=1")
}

// TestAListWhileSomebodyRemovesImages has a docker that names an image which is gone when it is asked about.
func TestAListWhileSomebodyRemovesImages(t *testing.T) {
	for gone, works := range map[int]bool{1: true, 9: false} {
		dir := t.TempDir()
		docker := filepath.Join(dir, "docker")
		script := fmt.Sprintf(`#!/bin/sh
case "$2" in
ls) echo jomctl/agent:1 ;;
inspect)
	echo x >>%[1]s/asked
	if [ "$(wc -l <%[1]s/asked)" -le %[2]d ]; then echo '[]'; echo 'Error: No such image: jomctl/agent:1' >&2; exit 1; fi
	echo '[{"Id": "sha256:1", "RepoTags": ["jomctl/agent:1"]}]' ;;
esac
`, dir, gone)
		require.NoError(t, os.WriteFile(docker, []byte(script), 0o700))
		list, err := Docker{Program: docker}.List(t.Context())
		if !works {
			require.ErrorContains(t, err, "No such image: jomctl/agent:1", "what docker says is wrong comes last")
			continue
		}
		require.NoError(t, err)
		require.Len(t, list, 1)
	}
}
