package images

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// engine is an engine in memory.
type engine struct {
	ids    map[string]string            // of images that were there from the start
	images map[string]map[string]string // arguments of each build
	files  map[string]map[string]string // context of each build
	times  map[string]int               // order of creation
	fail   string                       // name of the link whose build fails
	stuck  string                       // image that cannot be removed
}

func newEngine() *engine {
	return &engine{ids: map[string]string{"debian:trixie-slim": "sha256:one"}, images: map[string]map[string]string{}, files: map[string]map[string]string{}, times: map[string]int{}}
}

func (e *engine) ID(_ context.Context, ref string) (string, error) {
	if id := e.ids[ref]; id != "" {
		return id, nil
	}
	return "", errors.New("no such image: " + ref)
}

func (e *engine) Has(_ context.Context, ref string) (bool, error) { return e.images[ref] != nil, nil }

func (e *engine) Build(_ context.Context, ref string, args map[string]string, context io.Reader) error {
	if e.fail != "" && strings.HasPrefix(ref, Repository+e.fail) {
		return errors.New("apt-get failed") // with most of the context unread
	}
	files := map[string]string{}
	archive := tar.NewReader(context)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			return err
		}
		files[header.Name] = string(text)
	}
	e.images[ref], e.files[ref], e.times[ref] = args, files, len(e.times)
	return nil
}

func (e *engine) List(context.Context) ([]Image, error) {
	var list []Image
	for _, ref := range slices.Sorted(maps.Keys(e.images)) {
		list = append(list, Image{Ref: ref, Created: time.Unix(int64(e.times[ref]), 0)})
	}
	return list, nil
}

func (e *engine) Push(_ context.Context, ref, registry string, _ Login) (string, error) {
	return registry + "/" + ref, nil
}

func (e *engine) Remove(_ context.Context, ref string) error {
	if ref == e.stuck {
		return errors.New("in use")
	}
	delete(e.images, ref)
	return nil
}

const (
	warSum    = "8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4" // of hi
	pluginSum = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae" // of foo
)

var runtime = Runtime{Base: "debian:trixie-slim", Java: "openjdk-21-jre-headless", UserID: 1000}

// release has real files in a temporary folder.
func release(t *testing.T) Release {
	dir := t.TempDir()
	for name, text := range map[string]string{"j.war": "hi", "git.hpi": "foo", "jomhome": "program"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return Release{
		War:     File{Source: filepath.Join(dir, "j.war"), SHA256: warSum},
		Plugins: []File{{Path: "git.jpi", Source: filepath.Join(dir, "git.hpi"), SHA256: pluginSum}},
		Seed:    []File{{Path: "casc/jenkins.yaml", Content: []byte("jenkins: {}")}},
		Jomhome: filepath.Join(dir, "jomhome"),
	}
}

func make1(t *testing.T, e *engine, runtime Runtime, release Release) (names []string, made []bool, last string) {
	t.Helper()
	chain, err := Controller(runtime, release)
	require.NoError(t, err)
	built, err := Build(context.Background(), e, runtime.Base, chain, func(string) {})
	require.NoError(t, err)
	for _, b := range built {
		name, _, _ := strings.Cut(b.Ref, ":")
		names, made, last = append(names, name), append(made, b.Made), b.Ref
	}
	return names, made, last
}

func TestWhatIsThereIsNotBuiltAgain(t *testing.T) {
	e, r := newEngine(), release(t)
	names, made, first := make1(t, e, runtime, r)
	assert.Equal(t, []string{"jomctl/runtime", "jomctl/core", "jomctl/controller"}, names)
	assert.Equal(t, []bool{true, true, true}, made)
	assert.Equal(t, "jenkins: {}", e.files[first]["seed/casc/jenkins.yaml"])
	assert.Equal(t, "program", e.files[first]["jomhome"])
	assert.NotContains(t, e.files[first], "jenkins.war", "only the small files go with the last link")

	_, made, again := make1(t, e, runtime, r)
	assert.Equal(t, []bool{false, false, false}, made)
	assert.Equal(t, first, again)

	changed := r
	changed.Seed = []File{{Path: "casc/jenkins.yaml", Content: []byte("jenkins: {numExecutors: 0}")}}
	_, made, last := make1(t, e, runtime, changed)
	assert.Equal(t, []bool{false, false, true}, made, "a change of the configuration")
	assert.NotEqual(t, first, last)

	fewer := r
	fewer.Plugins = nil
	_, made, _ = make1(t, e, runtime, fewer)
	assert.Equal(t, []bool{false, true, true}, made, "a change of the plugins")

	e.ids["debian:trixie-slim"] = "sha256:two"
	_, made, _ = make1(t, e, runtime, r)
	assert.Equal(t, []bool{true, true, true}, made, "another base image of the same name")
	assert.Equal(t, "debian:trixie-slim", e.images[names[0]+":"+tagOf(e, names[0], 1)]["BASE"])

	_, err := Build(context.Background(), e, runtime.Base, Agent(runtime, "", AccessNone), func(string) {})
	require.NoError(t, err)
	list, err := e.List(context.Background())
	require.NoError(t, err)
	count := func(name string) int {
		return len(slices.DeleteFunc(slices.Clone(list), func(i Image) bool { return !strings.HasPrefix(i.Ref, Repository+name+":") }))
	}
	assert.Equal(t, 2, count("runtime"), "build agents stand on the controller's own link")
	assert.Equal(t, 1, count("agent"))
}

// tagOf gives the tag of the nth image of a name.
func tagOf(e *engine, name string, n int) string {
	var refs []string
	for ref := range e.images {
		if strings.HasPrefix(ref, name+":") {
			refs = append(refs, ref)
		}
	}
	slices.SortFunc(refs, func(a, b string) int { return e.times[a] - e.times[b] })
	_, tag, _ := strings.Cut(refs[n], ":")
	return tag
}

func TestWhatIsWrongIsNotBuilt(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(e *engine, run *Runtime, r *Release)
		want   string
	}{
		{"another war", func(_ *engine, _ *Runtime, r *Release) { r.War.SHA256 = pluginSum }, "make the image core: WAR has the sha256 " + warSum + ", and must have " + pluginSum},
		{"a plugin of which nothing is known", func(_ *engine, _ *Runtime, r *Release) { r.Plugins[0].SHA256 = "" }, "make the controller's image: no sha256 is known for "},
		{"no such file", func(_ *engine, _ *Runtime, r *Release) { r.Jomhome += "x" }, "make the image controller: read a file of an image: open "},
		{"a path out of the context", func(_ *engine, _ *Runtime, r *Release) { r.Seed[0].Path = "../../etc/passwd" }, `make the image controller: "../etc/passwd" is no path within a context`},
		{"a file twice", func(_ *engine, _ *Runtime, r *Release) { r.Seed = append(r.Seed, r.Seed[0]) }, "make the image controller: seed/casc/jenkins.yaml is there twice"},
		{"no base image", func(_ *engine, run *Runtime, _ *Release) { run.Base = "gone:1" }, "no such image: gone:1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, run, r := newEngine(), runtime, release(t)
			test.change(e, &run, &r)
			chain, err := Controller(run, r)
			if err == nil {
				_, err = Build(context.Background(), e, run.Base, chain, func(string) {})
			}
			require.Error(t, err)
			assert.Contains(t, strings.ReplaceAll(err.Error(), r.War.Source, "WAR"), test.want)
			assert.Empty(t, e.images, "nothing is built before everything is checked")
		})
	}
}

func TestABuildThatFails(t *testing.T) {
	e, r := newEngine(), release(t)
	e.fail = "core"
	chain, err := Controller(runtime, r)
	require.NoError(t, err)
	built, err := Build(context.Background(), e, runtime.Base, chain, func(string) {})
	assert.ErrorContains(t, err, "build jomctl/core:")
	assert.ErrorContains(t, err, "apt-get failed")
	assert.Len(t, built, 1)
	e.fail = ""
	_, made, _ := make1(t, e, runtime, r)
	assert.Equal(t, []bool{false, true, true}, made, "goes on where it was")
}

func TestMesosIsTheLowestLink(t *testing.T) {
	run := runtime
	run.Mesos = []File{{Path: "mesos.deb", Content: []byte("deb")}}
	e := newEngine()
	names, _, _ := make1(t, e, run, release(t))
	assert.Equal(t, []string{"jomctl/mesos-base", "jomctl/runtime", "jomctl/core", "jomctl/controller"}, names)
	assert.Equal(t, "deb", e.files["jomctl/mesos-base:"+tagOf(e, "jomctl/mesos-base", 0)]["packages/mesos.deb"])
}

func TestPrune(t *testing.T) {
	e, r := newEngine(), release(t)
	var refs []string
	for _, text := range []string{"a", "b", "c", "d"} {
		r.Seed[0].Content = []byte(text)
		_, _, ref := make1(t, e, runtime, r)
		refs = append(refs, ref)
	}
	all, err := e.List(context.Background())
	require.NoError(t, err)
	old := Old(all, 2, []string{refs[0]})
	require.Len(t, old, 1, "the two newest, and the one that is named")
	require.Equal(t, refs[1], old[0].Ref)
	newest, found := Newest(all, ControllerName)
	require.True(t, found)
	assert.Equal(t, refs[3], newest.Ref)

	old[0].Names = []string{"m1:5000/" + refs[1]}
	e.stuck = "m1:5000/" + refs[1]
	removed, err := Remove(context.Background(), e, append([]Image{old[0]}, all[0]))
	require.ErrorContains(t, err, "remove the image "+refs[1]+": in use")
	require.Len(t, removed, 1, "one that is stuck does not hold up the others")
	e.stuck = ""
	_, err = Remove(context.Background(), e, old)
	require.NoError(t, err)
	assert.NotContains(t, e.images, refs[1])
}

func TestWhatIsNamedByItsDigestIsKept(t *testing.T) {
	image := Image{Ref: "jomctl/agent:1", Names: []string{"m1:5000/jomctl/agent:1"}, Digests: []string{"m1:5000/jomctl/agent@sha256:12"}}
	for _, used := range []string{"jomctl/agent:1", "m1:5000/jomctl/agent:1", "m1:5000/jomctl/agent@sha256:12"} {
		assert.Empty(t, Old([]Image{image}, 0, []string{used}), used)
	}
	assert.Len(t, Old([]Image{image}, 0, []string{"m1:5000/jomctl/agent@sha256:13"}), 1)
}

func TestRehearsalsHaveNamesOfTheirOwn(t *testing.T) {
	e, r := newEngine(), release(t)
	r.Standin, r.War, r.Plugins = r.Jomhome, File{}, nil
	names, _, last := make1(t, e, runtime, r)
	assert.Equal(t, []string{"jomctl/runtime", "jomctl/rehearsal-core", "jomctl/rehearsal-controller"}, names)
	assert.Contains(t, e.files[last]["Dockerfile"], "USER jenkins")
	assert.Contains(t, e.files[last]["seed/config.xml"], "<denyAnonymousReadAccess>true")
	built, err := Build(context.Background(), e, runtime.Base, Agent(runtime, r.Standin, AccessNone), func(string) {})
	require.NoError(t, err)
	require.Len(t, built, 2)
	assert.False(t, built[0].Made)
	assert.Equal(t, "program", e.files[built[1].Ref]["standin"])
	assert.Contains(t, e.files[built[1].Ref]["java"], "standin java")
}

func TestAFileThatChangesWhileItIsSent(t *testing.T) {
	r := release(t)
	r.War.SHA256 = pluginSum // as if it had been another one when it was compared
	var wrong *MismatchError
	require.ErrorAs(t, writeContext(io.Discard, []File{r.War}), &wrong)
	assert.Equal(t, 3, wrong.ExitCode())
	assert.Equal(t, &MismatchError{r.War.Source, warSum, pluginSum}, wrong)
}

func TestWhatARegistryRefuses(t *testing.T) {
	for said, fix := range map[string]string{
		`docker push: exit status 1: Get "https://10.0.0.1:5000/v2/": http: server gave HTTP response to HTTPS client`: `{"insecure-registries": ["10.0.0.1:5000"]}`,
		"docker push: exit status 1: no basic auth credentials":                                                        "docker login 10.0.0.1:5000",
		`Get "http://10.0.0.1:5000/v2/": dial tcp 10.0.0.1:5000: connect: connection refused`:                          "`jomctl install`",
	} {
		var refused *PushError
		require.ErrorAs(t, explain(errors.New(said), "10.0.0.1:5000/team"), &refused)
		assert.Contains(t, refused.Hint(), fix)
		assert.EqualError(t, refused, said)
	}
	other := errors.New("disk full")
	assert.Equal(t, other, explain(other, "x:1"))
}

func TestContextsAreAlwaysTheSame(t *testing.T) {
	chain, err := Controller(runtime, release(t))
	require.NoError(t, err)
	var first, second bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &second} {
		files, err := chain[len(chain)-1].context()
		require.NoError(t, err)
		require.NoError(t, writeContext(out, files))
	}
	assert.Equal(t, first.Bytes(), second.Bytes())
}

// The wrapper is run by a real shell on a program that prints its arguments.
func TestJavaOfBuildAgents(t *testing.T) {
	text, err := contexts.ReadFile("contexts/agent/java")
	require.NoError(t, err)
	dir := t.TempDir()
	java := filepath.Join(dir, "java")
	require.NoError(t, os.WriteFile(java, []byte("#!/bin/sh\nprintf '<%s>' \"$@\"\n"), 0o700))
	wrapper := filepath.Join(dir, "wrapper")
	require.NoError(t, os.WriteFile(wrapper, bytes.ReplaceAll(text, []byte("/opt/jomctl/java"), []byte(java)), 0o700))
	for _, test := range []struct{ args, want []string }{
		{[]string{"-server", "-Xmx32m", "-Da=b c", "-jar", "/sandbox/agent.jar", "-name", "-Xmx32m x"}, []string{"-server", "-XX:MaxRAMPercentage=50", "-Da=b c", "-jar", "/sandbox/agent.jar", "-name", "-Xmx32m x"}},
		{[]string{"-Xmx32m", "-jar", "tool.jar"}, []string{"-Xmx32m", "-jar", "tool.jar"}},
		{[]string{"-Xmx64m", "-jar", "agent.jar"}, []string{"-Xmx64m", "-jar", "agent.jar"}},
		{[]string{"-version"}, []string{"-version"}},
	} {
		out, err := exec.Command(wrapper, test.args...).Output()
		require.NoError(t, err)
		assert.Equal(t, "<"+strings.Join(test.want, "><")+">", string(out))
	}
}
