package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/bundles"
	"github.com/jomctl/jomctl/images"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/ui"
)

type imagesBuildOptions struct {
	release, war, sha256, plugins, from string
	base, java, docker                  string
	packages, mesos                     []string
	userID                              int
	controller, agent, standin          bool
}

func newImagesBuildCommand(a *app, tools imageTools) *cobra.Command {
	opts := imagesBuildOptions{}
	cmd := &cobra.Command{Use: "build", Short: "Make the images of the cluster's release: controller and build agents", Args: cobra.NoArgs,
		Long: "War and plugins are those of the cluster file: its own files, or those of its release, which are downloaded where they are not here. Each is compared with its sha256.\n" +
			"Where the file has the stand-in (jenkins.war: standin, as target local without a war), and with --standin, rehearsal images are made: the same with the stand-in controller.\n" +
			"Without a cluster file, --release says what to make.",
		RunE: func(cmd *cobra.Command, _ []string) error { return runImagesBuild(cmd.Context(), a, tools, opts) }}
	flags := cmd.Flags()
	flags.StringVar(&opts.release, "release", "", "another release than the file's, with its own war and plugins: NAME or DIR (see `jomctl release list`)")
	flags.StringVar(&opts.war, "war", "", "a jenkins.war of your own; plugins are then those in `plugins` beside it")
	flags.StringVar(&opts.sha256, "sha256", "", "the sha256 that --war must have")
	flags.StringVar(&opts.plugins, "plugins", "", "a folder of *.hpi or *.jpi files for --war")
	flags.StringVar(&opts.from, "from", "", "a folder that has files of the release already, as `jomctl release fetch` makes it")
	flags.StringVar(&opts.base, "base", "", "the base image: a Debian or Ubuntu, best with its digest; default: images.base of the file, debian:trixie-slim")
	flags.StringVar(&opts.java, "java", "", "the Debian package of the Java; default: images.java of the file, openjdk-N-jre-headless, N the first Java of the release")
	flags.StringSliceVar(&opts.packages, "package", nil, "a further Debian package for both images; may be given several times")
	flags.StringSliceVar(&opts.mesos, "mesos-package", nil, "a .deb file with Mesos, for the libmesos line; may be given several times")
	flags.IntVar(&opts.userID, "user-id", 0, "the number of the user jenkins, which the base image must not have yet; default: images.userID of the file, 1000")
	flags.StringVar(&opts.docker, "docker", "", "build agents with docker for templates of that access: none, socket or dind; default: what the templates of the file have")
	flags.BoolVar(&opts.controller, "controller", false, "the controller's image alone")
	flags.BoolVar(&opts.agent, "agent", false, "the build agents' image alone")
	flags.BoolVar(&opts.standin, "standin", false, "rehearsal images, with the stand-in controller")
	return cmd
}

// builtImage is one link of the answer.
type builtImage struct {
	images.Built
	ID      string `json:"id"`
	Bytes   int64  `json:"bytes"`
	Content string `json:"content"`
}

func runImagesBuild(ctx context.Context, a *app, tools imageTools, opts imagesBuildOptions) error {
	recipe, err := a.imageRecipe(opts)
	if err != nil {
		return err
	}
	chains, err := a.imageChains(ctx, tools, recipe, opts)
	if err != nil {
		return err
	}
	engine := a.imageEngine(tools)
	var built []images.Built
	for _, chain := range chains {
		links, err := images.Build(ctx, engine, recipe.runtime.Base, chain, func(text string) { a.say("%s", text) })
		if err != nil {
			return lifecycle.BuildRefusal(err, recipe.runtime)
		}
		for _, link := range links {
			if !slices.ContainsFunc(built, func(b images.Built) bool { return b.Ref == link.Ref }) {
				built = append(built, link)
			}
		}
	}
	all, err := engine.List(ctx)
	if err != nil {
		return err
	}
	answer := []builtImage{}
	for _, link := range built {
		one := builtImage{Built: link}
		if at := slices.IndexFunc(all, func(i images.Image) bool { return i.Ref == link.Ref }); at >= 0 {
			one.ID, one.Bytes, one.Content = all[at].ID, all[at].Bytes, all[at].Content
		}
		answer = append(answer, one)
	}
	return a.writeBuilt(recipe, answer)
}

func (a *app) writeBuilt(recipe imageRecipe, built []builtImage) error {
	if a.global.Output == formatJSON {
		return a.writeJSON(map[string]any{"release": recipe.release.Name, "standin": recipe.standin, "base": recipe.runtime.Base, "images": built})
	}
	table := ui.NewTable("IMAGE", "TAG", "SIZE", "STATE", "CONTENT")
	for _, image := range built {
		state := "already there"
		if image.Made {
			state = "built"
		}
		name, _, _ := strings.Cut(image.Ref, ":")
		table.Row(name, tagOf(image.Ref), mebibytes(image.Bytes), state, image.Content)
	}
	if err := table.Write(a.streams.Out, 0); err != nil {
		return err
	}
	next := "jomctl images push"
	if recipe.standin {
		next += " --standin"
	}
	_, err := fmt.Fprintf(a.streams.Out, "Next: %s\n", next)
	return err
}

// imageRecipe is what images are to be made of.
type imageRecipe struct {
	cluster *config.Cluster
	release *bundles.Release
	runtime images.Runtime
	access  []images.Access // of the build agents
	standin bool
}

// imageRecipe reads the cluster file and what the flags change of it.
func (a *app) imageRecipe(opts imagesBuildOptions) (r imageRecipe, err error) {
	if r.cluster, err = a.imageCluster(opts); err != nil {
		return r, err
	}
	if r.release, err = bundles.Load(releasePath(r.cluster)); err != nil {
		return r, err
	}
	r.standin = opts.standin || r.cluster.Jenkins.War == "standin"
	if r.standin && !opts.standin {
		a.say("Note: %s has the stand-in for Jenkins: rehearsal images are made; --release %s makes real ones", r.cluster.File, r.cluster.Release)
	}
	if r.runtime, err = runtimeOf(r, opts); err != nil {
		return r, err
	}
	if r.access, err = dockerAccess(r.cluster, opts.docker); err != nil {
		return r, err
	}
	for _, file := range opts.mesos {
		r.runtime.Mesos = append(r.runtime.Mesos, images.File{Path: filepath.Base(file), Source: file})
	}
	return r, r.check()
}

// runtimeOf is what the images stand on: what the flags say, or else the file.
func runtimeOf(r imageRecipe, opts imagesBuildOptions) (images.Runtime, error) {
	asked := config.Images{Base: "debian:trixie-slim", UserID: 1000}
	if r.cluster.Images != nil {
		asked = *r.cluster.Images
	}
	if opts.userID < 0 {
		return images.Runtime{}, &usageError{fmt.Errorf("--user-id %d: the controller must not run as root: want 1 or more", opts.userID)}
	}
	runtime := lifecycle.ImageRuntime(asked, r.release)
	if opts.base != "" {
		runtime.Base = opts.base
	}
	if opts.java != "" {
		runtime.Java = opts.java
	}
	if len(opts.packages) > 0 {
		runtime.Packages = opts.packages
	}
	if opts.userID > 0 {
		runtime.UserID = opts.userID
	}
	return runtime, nil
}

// dockerAccess are the kinds of build agents that are made.
func dockerAccess(c *config.Cluster, asked string) (all []images.Access, err error) {
	switch access := config.DockerAccess(asked); access {
	case "":
		for _, t := range c.Jenkins.Cloud.Templates {
			if access := lifecycle.ImageAccess(t.Docker); !slices.Contains(all, access) {
				all = append(all, access)
			}
		}
		return all, nil
	case config.DockerNone, config.DockerSocket, config.DockerDind:
		return []images.Access{lifecycle.ImageAccess(access)}, nil
	}
	return nil, &usageError{fmt.Errorf("--docker %s: want none, socket or dind", asked)}
}

// imageCluster is the cluster file with what the flags say instead of it.
func (a *app) imageCluster(opts imagesBuildOptions) (*config.Cluster, error) {
	if opts.war == "" && (opts.plugins != "" || opts.sha256 != "") {
		return nil, &usageError{errors.New("--plugins and --sha256 go with --war")}
	}
	c, err := config.Load(a.global.File)
	if errors.Is(err, fs.ErrNotExist) && (opts.release != "" || opts.war != "") {
		c, err = config.Parse([]byte("apiVersion: jomctl/v1\nname: images\ntarget: local\n"), a.global.File)
	}
	if err != nil {
		return nil, err
	}
	if opts.release != "" {
		c.Release, c.Jenkins.War, c.Jenkins.SHA256, c.Jenkins.Plugins = opts.release, "", "", ""
		if strings.ContainsRune(opts.release, '/') {
			if c.Release, err = filepath.Abs(opts.release); err != nil {
				return nil, err
			}
		}
	}
	if opts.war != "" {
		c.Jenkins.SHA256 = strings.ToLower(opts.sha256)
		if c.Jenkins.War, err = filepath.Abs(opts.war); err != nil {
			return nil, err
		}
		c.Jenkins.Plugins = ""
		if opts.plugins != "" {
			c.Jenkins.Plugins, err = filepath.Abs(opts.plugins)
		}
	}
	return c, err
}

var javaPackage = regexp.MustCompile(`^openjdk-(\d+)-`)

// check finds what would give an image that cannot run.
func (r imageRecipe) check() error {
	if r.standin {
		return nil
	}
	if found := javaPackage.FindStringSubmatch(r.runtime.Java); found != nil && r.cluster.Jenkins.War == "" {
		if major, err := strconv.Atoi(found[1]); err != nil || !slices.Contains(r.release.Java, major) {
			return &lifecycle.Refusal{Problem: fmt.Sprintf("--java %s: Jenkins %s of release %s runs on Java %s", r.runtime.Java, r.release.Core.Version, r.release.Name, strings.Trim(fmt.Sprint(r.release.Java), "[]")),
				Fix: fmt.Sprintf("--java openjdk-%d-jre-headless, with a base image that has it", r.release.Java[0])}
		}
	}
	if r.release.Line == "libmesos" && len(r.runtime.Mesos) == 0 {
		return &lifecycle.Refusal{Problem: fmt.Sprintf("release %s needs Mesos in its images, as its plugin is of the libmesos line", r.release.Name),
			Fix: "--mesos-package FILE.deb, the packages of Mesos for the base image"}
	}
	if problems := r.release.Audit(); len(problems) > 0 && r.cluster.Jenkins.War == "" {
		return &lifecycle.Refusal{Problem: fmt.Sprintf("release %s is not complete: %s", r.release.Name, problems[0]), Fix: "see `jomctl release check " + r.cluster.Release + "`"}
	}
	return nil
}
