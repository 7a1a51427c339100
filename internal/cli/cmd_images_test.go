package cli

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/bundles/updatecenter/uctest"
	"github.com/jomctl/jomctl/images"
	"github.com/jomctl/jomctl/internal/ui"
)

// memoryEngine is a Docker Engine in memory.
type memoryEngine struct {
	all    []images.Image
	args   map[string]map[string]string // of each build
	files  map[string][]string          // paths of each build's context
	refuse error                        // what a push ends with
	broken error                        // what a build ends with
}

func (e *memoryEngine) at(ref string) int {
	return slices.IndexFunc(e.all, func(i images.Image) bool { return i.Ref == ref || slices.Contains(i.Names, ref) })
}

func (e *memoryEngine) ID(_ context.Context, ref string) (string, error) { return "sha256:" + ref, nil }

func (e *memoryEngine) Has(_ context.Context, ref string) (bool, error) { return e.at(ref) >= 0, nil }

func (e *memoryEngine) List(context.Context) ([]images.Image, error) {
	return slices.Clone(e.all), nil
}

func (e *memoryEngine) Build(_ context.Context, ref string, args map[string]string, in io.Reader) error {
	archive := tar.NewReader(in)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		e.files[ref] = append(e.files[ref], header.Name)
	}
	if e.broken != nil {
		return e.broken
	}
	e.args[ref] = args
	e.all = append(e.all, images.Image{Ref: ref, ID: "sha256:" + ref, Created: time.Unix(int64(len(e.all)), 0), Bytes: 3 << 19, Content: args["CONTENT"]})
	return nil
}

func (e *memoryEngine) Push(_ context.Context, ref, registry string, _ images.Login) (string, error) {
	if e.refuse != nil {
		return "", e.refuse
	}
	there, i := registry+"/"+ref, e.at(ref)
	sum := sha256.Sum256([]byte(ref))
	digest := there[:strings.LastIndex(there, ":")] + "@sha256:" + hex.EncodeToString(sum[:])
	e.all[i].Names, e.all[i].Digests = append(e.all[i].Names, there), append(e.all[i].Digests, digest)
	return digest, nil
}

func (e *memoryEngine) Remove(_ context.Context, ref string) error {
	i := e.at(ref)
	if i < 0 {
		return errors.New("no such image")
	}
	if names := e.all[i].Names; slices.Contains(names, ref) {
		e.all[i].Names = slices.DeleteFunc(names, func(name string) bool { return name == ref })
		return nil
	}
	e.all = slices.Delete(e.all, i, i+1)
	return nil
}

// imagesBench types commands on an engine in memory.
type imagesBench struct {
	*releaseSite
	engine *memoryEngine
}

func newImagesBench(t *testing.T) *imagesBench {
	b := &imagesBench{newReleaseSite(t), &memoryEngine{args: map[string]map[string]string{}, files: map[string][]string{}}}
	for _, name := range []string{"jomhome", "standin"} {
		b.write(name, name)
	}
	return b
}

func (b *imagesBench) images(args ...string) (int, string, string) {
	b.t.Helper()
	streams, _, out, errOut := ui.Buffers()
	tools := imageTools{engine: func(io.Writer) images.Engine { return b.engine }, helper: func(name string) (string, error) { return b.path(name), nil }}
	code := execute(context.Background(), append([]string{"-f", b.path("cluster.yaml"), "images"}, args...), streams,
		func(a *app) []*cobra.Command { return []*cobra.Command{newImagesCommand(a, tools)} })
	return code, out.String(), errOut.String()
}

func (b *imagesBench) done(args ...string) (string, string) {
	b.t.Helper()
	code, out, errOut := b.images(args...)
	require.Zero(b.t, code, out+errOut)
	return out, errOut
}

// lockedRelease is a release of one's own whose files the site serves.
func (b *imagesBench) lockedRelease() string {
	dir := b.own("git\n")
	center := b.center("center.json", uctest.Center(time.Now(), b.plugin("git", "5.0")))
	b.ok(append([]string{"release", "lock", dir}, b.trusting(center)...)...)
	return dir
}

func (b *imagesBench) last(name string) images.Image {
	b.t.Helper()
	image, found := images.Newest(b.engine.all, name)
	require.True(b.t, found, name)
	return image
}

func TestImagesOfARelease(t *testing.T) {
	b := newImagesBench(t)
	dir := b.lockedRelease()
	out, errOut := b.done("build", "--release", dir)
	require.Contains(t, errOut, "Downloading jenkins.war 2.568.9")
	require.Contains(t, errOut, "Downloading git.hpi 5.0")
	require.Regexp(t, `jomctl/runtime +[0-9a-f]{20} +1\.5 MiB +built`, out)
	require.Regexp(t, `jomctl/controller +[0-9a-f]{20} +1\.5 MiB +built +Jenkins 2\.568\.9 \(release mine\), 1 plugins`, out)
	require.Regexp(t, `jomctl/agent +[0-9a-f]{20} +1\.5 MiB +built +openjdk-21-jre-headless`, out)
	require.Equal(t, 1, strings.Count(out, "jomctl/runtime"), "both stand on one link")
	core := b.last("core")
	require.Subset(t, b.engine.files[core.Ref], []string{"jenkins.war", "plugins/git.jpi", "controller.json"})
	require.Equal(t, "debian:trixie-slim", b.engine.args[b.last("runtime").Ref]["BASE"])

	clear(b.files) // the site is gone: all is in the store
	out, _ = b.done("build", "--release", dir, "-o", "json")
	for _, image := range decode(t, out)["images"].([]any) {
		require.Equal(t, false, image.(map[string]any)["made"])
	}
	out, _ = b.done("build", "--release", dir, "--controller", "--base", "mirror.example/debian:13", "--package", "docker.io")
	require.NotContains(t, out, "jomctl/agent")
	require.NotContains(t, out, "already there")
	require.Equal(t, "docker.io", b.engine.args[b.last("runtime").Ref]["PACKAGES"])
}

func TestImagesOfTheClusterFile(t *testing.T) {
	b := newImagesBench(t)
	out, errOut := b.done("build")
	require.Contains(t, errOut, "has the stand-in for Jenkins: rehearsal images are made")
	require.Contains(t, out, "stand-in for Jenkins 2.568.3 (release default)")
	require.Contains(t, out, "Next: jomctl images push --standin")
	require.Equal(t, []string{"Dockerfile", "controller.json", "standin"}, b.engine.files[b.last("rehearsal-core").Ref])

	war := archiveWith(t, "Jenkins-Version: 2.568.9")
	b.write("own.war", war)
	require.NoError(t, os.Mkdir(b.path("plugins"), 0o700))
	b.write("plugins/git.hpi", "a plugin of my own")
	sum := sha256.Sum256([]byte(war))
	b.write("cluster.yaml", "apiVersion: jomctl/v1\nname: ci\ntarget: local\njenkins: {war: own.war, sha256: "+hex.EncodeToString(sum[:])+"}\n")
	out, _ = b.done("build", "--controller")
	require.Contains(t, out, "war own.war sha256 "+hex.EncodeToString(sum[:])[:12]+", 1 plugins")
	require.Contains(t, b.engine.files[b.last("core").Ref], "plugins/git.jpi")

	b.write("own.war", war+"x")
	before := len(b.engine.all)
	code, _, errOut := b.images("build")
	require.Equal(t, 3, code)
	wrong := sha256.Sum256([]byte(war + "x"))
	require.Contains(t, errOut, b.path("own.war")+" has the sha256 "+hex.EncodeToString(wrong[:])+", and must have "+hex.EncodeToString(sum[:]))
	require.Contains(t, errOut, "Hint:  the file is damaged, or another one")
	require.Len(t, b.engine.all, before, "nothing was built")
	b.done("build", "--war", b.path("own.war"), "--plugins", b.path("plugins"))
}

func TestImagesThatAreNotBuilt(t *testing.T) {
	b := newImagesBench(t)
	dir := b.lockedRelease()
	other := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(other, "jenkins.war"), []byte("another one"), 0o600))
	for _, test := range []struct {
		args string
		code int
		want string
	}{
		{"--plugins x", 2, "--plugins and --sha256 go with --war"},
		{"--docker all", 2, "--docker all: want none, socket or dind"},
		{"--user-id -1", 2, "the controller must not run as root"},
		{"--release nowhere", 1, `release "nowhere" is not shipped`},
		{"--release default --java openjdk-17-jre-headless", 3, "--java openjdk-17-jre-headless: Jenkins 2.568.3 of release default runs on Java 21 25"},
		{"--release legacy", 3, "--mesos-package FILE.deb"},
		{"--release " + dir + " --from " + other, 3, filepath.Join(other, "jenkins.war") + " has the sha256 "},
		{"--war " + b.path("jomhome") + " --sha256 " + strings.Repeat("0", 64), 3, "and must have 00000000"},
	} {
		code, _, errOut := b.images(append([]string{"build"}, strings.Fields(test.args)...)...)
		require.Equal(t, test.code, code, "%s: %s", test.args, errOut)
		require.Contains(t, errOut, test.want, test.args)
		require.Empty(t, b.engine.all, test.args)
	}
	clear(b.files)
	code, _, errOut := b.images("build", "--release", dir)
	require.Equal(t, 3, code)
	require.Contains(t, errOut, "`jomctl release fetch` on a machine that has one, then --from")
	b.engine.broken = errors.New("no room")
	code, _, errOut = b.images("build", "--standin")
	require.Equal(t, 1, code)
	require.Contains(t, errOut, "no room")
	for said, fix := range map[string]string{
		"E: Package 'openjdk-21-jre-headless' has no installation candidate": "a Java package that it has (images.java, --java)",
		"useradd: UID 1000 is not unique":                                    "take another (images.userID, --user-id)",
	} {
		b.engine.broken = errors.New(said)
		code, _, errOut = b.images("build", "--standin")
		require.Equal(t, 3, code)
		require.Contains(t, errOut, said)
		require.Contains(t, errOut, fix)
	}
}

func TestImagesPush(t *testing.T) {
	b := newImagesBench(t)
	code, _, errOut := b.images("push")
	require.Equal(t, 3, code)
	require.Contains(t, errOut, "cluster.yaml has no registry")
	b.write("cluster.yaml", "apiVersion: jomctl/v1\nname: ci\ntarget: hosts\nhosts: [{name: m1, address: 10.0.0.1, roles: [control, mesos-agent]}]\njenkins: {war: standin, cloud: {templates: [{label: linux}]}}\n")
	code, _, errOut = b.images("push")
	require.Equal(t, 3, code)
	require.Contains(t, errOut, "`jomctl images build` makes it")
	b.done("build")
	out, errOut := b.done("push", "--standin")
	require.Regexp(t, `(?m)^  image: 10\.0\.0\.1:5000/jomctl/rehearsal-controller@sha256:[0-9a-f]{64}$`, out)
	require.Regexp(t, `(?m)^  cloud: {templates: \[{label: linux, image: "10\.0\.0\.1:5000/jomctl/rehearsal-agent@sha256:[0-9a-f]{64}"}\]}$`, out)

	agent := b.last("rehearsal-agent").Ref
	out, errOut = b.done("push", agent, "-o", "json", "--registry", "other:1/team")
	answer := decode(t, out)
	require.Equal(t, "other:1/team", answer["registry"])
	pushed := answer["images"].([]any)[0].(map[string]any)
	require.Equal(t, "jenkins.cloud.templates[].image", pushed["key"])
	require.Contains(t, pushed["pushed"], "other:1/team/jomctl/rehearsal-agent@sha256:")

	code, _, errOut = b.images("push", "gone")
	require.Equal(t, 3, code)
	require.Contains(t, errOut, "has no image gone")
	b.engine.refuse = &images.PushError{Err: errors.New("no TLS"), Fix: "tell the engine"}
	code, _, errOut = b.images("push", "--standin")
	require.Equal(t, 3, code)
	require.Contains(t, errOut, "no TLS")
	require.Contains(t, errOut, "Hint:  tell the engine")
}

func TestImagesListAndPrune(t *testing.T) {
	b := newImagesBench(t)
	for i := range 4 {
		b.write("standin", fmt.Sprint("version ", i))
		b.done("build", "--agent")
		if i == 0 {
			b.done("push", b.last("rehearsal-agent").Ref, "--registry", "m1:5000")
		}
	}
	first := b.engine.all[1]
	b.write("cluster.yaml", "apiVersion: jomctl/v1\nname: ci\ntarget: local\njenkins: {cloud: {templates: [{label: mesos, image: \""+first.Digests[0]+"\"}]}}\n")
	out, _ := b.done("list")
	require.Regexp(t, tagOf(first.Ref)+` +1\.5 MiB +1970-01-01 00:00:01 +yes +the stand-in as java`, out)
	require.Equal(t, 1, strings.Count(out, " yes "))
	out, _ = b.done("list", "-o", "json")
	require.Len(t, decode(t, out)["images"], 5)

	out, _ = b.done("prune", "--plan", "--keep", "1")
	require.Contains(t, out, "2 of 5 images would be removed")
	require.Len(t, b.engine.all, 5)
	out, _ = b.done("prune")
	require.Contains(t, out, "1 of 5 images removed")
	out, _ = b.done("prune", "--keep", "0", "-o", "json")
	require.Len(t, decode(t, out)["removed"], 3)
	require.Equal(t, []images.Image{first}, b.engine.all, "what the file names stays")
	code, _, errOut := b.images("prune", "--keep", "-1")
	require.Equal(t, 2, code, errOut)
	require.NoError(t, os.Remove(b.path("cluster.yaml")))
	code, _, _ = b.images("prune")
	require.NotZero(t, code, "nobody knows what the cluster needs")
	b.done("list")
}
