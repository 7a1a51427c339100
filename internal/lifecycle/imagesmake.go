package lifecycle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/bundles"
	"github.com/jomctl/jomctl/images"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/filesum"
	"github.com/jomctl/jomctl/internal/home"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/hosts"
)

// ImageRuntime is what the images of a cluster stand on.
func ImageRuntime(asked config.Images, release *bundles.Release) images.Runtime {
	runtime := images.Runtime{Base: asked.Base, Java: asked.Java, Packages: asked.Packages, UserID: asked.UserID}
	if runtime.Java == "" {
		runtime.Java = fmt.Sprintf("openjdk-%d-jre-headless", release.Java[0])
	}
	return runtime
}

// engine is the Docker Engine that makes images: that of this machine.
func (e *Env) engine() images.Engine {
	if e.Engine != nil {
		return e.Engine
	}
	return images.Docker{}
}

// recipe is the digest of all that an image is made of, as far as it can be known without a Docker Engine: of the base image its name.
func (e *Env) recipe(key wantedKey) (string, error) {
	sum := sha256.New()
	asked := *e.Cluster.Images
	fmt.Fprintf(sum, "%s %+v %s %q\n", key, ImageRuntime(asked, e.Release), images.Contexts(), e.Release.Name)
	c := e.controller()
	var programs []*hosts.Program
	if key == madeController {
		programs = append(programs, e.own.helpers.Jomhome)
	}
	if !c.war.Real() {
		programs = append(programs, e.own.helpers.Standin)
	}
	for _, program := range programs {
		digest, err := program.Sum()
		if err != nil {
			return "", fmt.Errorf("read a program that goes into the image: %w", err)
		}
		fmt.Fprintln(sum, filepath.Base(program.Path()), digest)
	}
	if key == madeController && c.war.Real() {
		if err := c.war.Recipe(sum); err != nil {
			return "", err
		}
		if err := c.pluginDigest(sum); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// makeImage builds an image and sends it to the registry.
func (e *Env) makeImage(ctx context.Context, key wantedKey, say op.Say) (runImage, error) {
	recipe, err := e.recipe(key)
	if err != nil {
		return runImage{}, err
	}
	runtime := ImageRuntime(*e.Cluster.Images, e.Release)
	chain, err := e.imageChain(key, runtime)
	if err != nil {
		return runImage{}, err
	}
	engine := e.engine()
	built, err := images.Build(ctx, engine, runtime.Base, chain, func(text string) { say("%s", text) })
	if err != nil {
		return runImage{}, BuildRefusal(err, runtime)
	}
	last := built[len(built)-1].Ref
	registry := provision.RegistryAddress(e.Cluster)
	say("sending %s to %s", last, registry)
	login, err := ImageLogin(e.Cluster)
	if err != nil {
		return runImage{}, err
	}
	ref, err := engine.Push(ctx, last, registry, login)
	if err != nil {
		return runImage{}, fmt.Errorf("send %s to the registry %s: %w", last, registry, err)
	}
	image := runImage{Ref: ref, Recipe: recipe, Release: e.Release.Name, Local: last}
	if key == madeController {
		image.User = runtime.UserID
	}
	return image, nil
}

func (e *Env) imageChain(key wantedKey, runtime images.Runtime) ([]images.Link, error) {
	c := e.controller()
	standin := ""
	if !c.war.Real() {
		standin = e.own.helpers.Standin.Path()
	}
	if key != madeController {
		return images.Agent(runtime, standin, key.access()), nil
	}
	release := images.Release{Jomhome: e.own.helpers.Jomhome.Path(), Standin: standin}
	if standin != "" {
		release.Content = fmt.Sprintf("stand-in for Jenkins %s (release %s)", e.Release.Core.Version, e.Release.Name)
		return images.Controller(runtime, release)
	}
	var err error
	if release.War, err = sealed(images.File{Source: c.war.Path(), SHA256: c.war.SHA256}); err != nil {
		return nil, err
	}
	if release.Plugins, err = c.imagePlugins(); err != nil {
		return nil, err
	}
	release.Content = fmt.Sprintf("Jenkins %s (release %s), %d plugins", c.version(), e.Release.Name, len(release.Plugins))
	return images.Controller(runtime, release)
}

// sealed is a file with its sha256, which is found where none is known.
func sealed(file images.File) (images.File, error) {
	if file.SHA256 != "" {
		return file, nil
	}
	var err error
	file.SHA256, err = filesum.SHA256(file.Source)
	return file, err
}

// imagePlugins are the plugins that an install lays down, under their short names.
func (c controller) imagePlugins() ([]images.File, error) {
	given, err := c.givenPlugins()
	if err != nil {
		return nil, err
	}
	locked := map[string]string{}
	for _, file := range c.war.Plugins.Files {
		locked[file.Name] = file.SHA256
	}
	files := make([]images.File, 0, len(given))
	for _, plugin := range given {
		file, err := sealed(images.File{Path: filepath.Base(plugin.Name) + ".jpi", Source: plugin.File, Version: plugin.Version, SHA256: locked[filepath.Base(plugin.File)]})
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// givenPlugins are those in the folder that a real war gets, without what its home may have besides.
func (c controller) givenPlugins() ([]home.Plugin, error) {
	dir := c.plugins()
	if dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("reading the plugins: %w", err)
	}
	var all []home.Plugin
	for _, entry := range entries {
		if ext := filepath.Ext(entry.Name()); entry.IsDir() || ext != ".hpi" && ext != ".jpi" {
			continue
		}
		plugin, err := home.ReadPlugin(filepath.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		all = append(all, plugin)
	}
	return all, nil
}

// pluginLock is what the home must have at each start. Of plugins that cannot be read the preflight tells.
func (c controller) pluginLock() []home.LockedPlugin {
	given, err := c.givenPlugins()
	if err != nil {
		return nil
	}
	var lock []home.LockedPlugin
	for _, plugin := range given {
		lock = append(lock, home.LockedPlugin{Name: plugin.Name, Version: plugin.Version})
	}
	slices.SortFunc(lock, func(a, b home.LockedPlugin) int { return strings.Compare(a.Name, b.Name) })
	return lock
}

// engineFindings says what keeps images from being made, where some are to be.
func (e *Env) engineFindings(ctx context.Context) []provision.Finding {
	if !e.makesImages() {
		return nil
	}
	if provision.RegistryAddress(e.Cluster) == "" {
		return []provision.Finding{{Subject: "images", Problem: "there is no registry that images could go to", Fix: "write `registry: {address: HOST:PORT}`"}}
	}
	if e.Cluster.Jenkins.Cloud.Line == config.LineLibmesos {
		return []provision.Finding{{Subject: "images", Problem: "the controller of the libmesos line needs Mesos in its image, and an install has no packages of it to put there",
			Fix: "`jomctl images build --mesos-package FILE.deb`, `jomctl images push`, and name the images in jenkins.image and in `image` of the templates"}}
	}
	stale := slices.ContainsFunc(e.wanted(), func(key wantedKey) bool {
		image, err := e.runs(key)
		if err != nil || !key.made() {
			return key.made()
		}
		recipe, err := e.recipe(key)
		return err != nil || recipe != image.Recipe
	})
	if !stale {
		return nil
	}
	if _, err := e.engine().List(ctx); err != nil {
		return []provision.Finding{{Subject: "images", Problem: "images are to be made, and the Docker Engine of this machine cannot be used: " + err.Error(),
			Fix: "apt-get install docker.io, as a user who may use it; or make them elsewhere (`jomctl images build`, `jomctl images push`), name them in jenkins.image and in `image` of the templates, and leave `images` out"}}
	}
	return nil
}

// BuildRefusal adds what can be done to what the engine said about a build.
func BuildRefusal(err error, runtime images.Runtime) error {
	for _, known := range []struct{ said, fix string }{
		{"has no installation candidate", fmt.Sprintf("%s has not all of the packages: another base image (images.base, --base), or a Java package that it has (images.java, --java)", runtime.Base)},
		{"Unable to locate package", fmt.Sprintf("%s has not all of the packages: another base image (images.base, --base), or a Java package that it has (images.java, --java)", runtime.Base)},
		{"fetch the base image", "name a base image that this machine's Docker Engine has or reaches, as that of a mirror (images.base, --base)"},
		{"useradd: UID", "the base image has a user of that number: take another (images.userID, --user-id)"},
		{"groupadd: GID", "the base image has a group of that number: take another (images.userID, --user-id)"},
	} {
		if strings.Contains(err.Error(), known.said) {
			return &hintedError{err, known.fix}
		}
	}
	return err
}

// hintedError is a refusal that keeps its cause.
type hintedError struct {
	error
	fix string
}

func (e *hintedError) Unwrap() error { return e.error }

// Hint is the fix, ExitCode that of a refusal.
func (e *hintedError) Hint() string { return e.fix }

// ExitCode is that of a refusal.
func (e *hintedError) ExitCode() int { return 3 }
