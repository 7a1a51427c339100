package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/images"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/ui"
)

// imageTools are what images are made with.
type imageTools struct {
	// engine is the Docker Engine; what it says goes to log.
	engine func(log io.Writer) images.Engine
	// helper is the path of jomhome or standin on this machine.
	helper func(name string) (string, error)
}

func dockerTools() imageTools {
	return imageTools{
		engine: func(log io.Writer) images.Engine { return images.Docker{Log: log} },
		helper: func(name string) (string, error) {
			self, err := os.Executable()
			if err != nil {
				return "", fmt.Errorf("find the running program: %w", err)
			}
			path := filepath.Join(filepath.Dir(self), name)
			if _, err := os.Stat(path); err != nil {
				return "", &lifecycle.Refusal{Problem: fmt.Sprintf("the program %s, which goes into the image, is not at %s", name, path), Fix: "put it beside jomctl, as `make build` does"}
			}
			return path, nil
		},
	}
}

func newImagesCommand(a *app, tools imageTools) *cobra.Command {
	cmd := &cobra.Command{Use: "images", Short: "Images of controller and build agents: build, push, list, prune", Args: cobra.NoArgs,
		Long: "Images are made with the Docker Engine of this machine, in small links whose tags are the digest of all that goes into them: what is there is not made again.\n" +
			"With `images` in the cluster file an install makes, sends and takes them by itself; without it, the file names them (jenkins.image, image of a template)."}
	list := &cobra.Command{Use: "list", Short: "Print the images of this machine's Docker Engine, and which of them the cluster runs", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runImagesList(cmd.Context(), a, tools) }}
	cmd.AddCommand(newImagesBuildCommand(a, tools), newImagesPushCommand(a, tools), list, newImagesPruneCommand(a, tools))
	return cmd
}

// imageEngine is the engine; what it says is seen with --verbose.
func (a *app) imageEngine(tools imageTools) images.Engine {
	if a.global.Verbose {
		return tools.engine(a.streams.Err)
	}
	return tools.engine(nil)
}

// namedImages are the images that a cluster runs: those that the file names, and those that an install has made.
func namedImages(c *config.Cluster) ([]string, error) {
	named, err := lifecycle.RecordedImages(c)
	if c.Jenkins.Image != "" {
		named = append(named, c.Jenkins.Image)
	}
	for _, template := range c.Jenkins.Cloud.Templates {
		if template.Image != "" {
			named = append(named, template.Image)
		}
	}
	return named, err
}

// listedImage is an image of the list.
type listedImage struct {
	images.Image
	InUse bool `json:"inUse"`
}

func runImagesList(ctx context.Context, a *app, tools imageTools) error {
	var named []string
	if _, err := os.Stat(a.global.File); err == nil {
		cluster, err := config.Load(a.global.File)
		if err != nil {
			return err
		}
		if named, err = namedImages(cluster); err != nil {
			return err
		}
	}
	all, err := a.imageEngine(tools).List(ctx)
	if err != nil {
		return err
	}
	listed := []listedImage{}
	for _, image := range all {
		listed = append(listed, listedImage{image, image.NamedIn(named)})
	}
	if a.global.Output == formatJSON {
		return a.writeJSON(map[string]any{"images": listed})
	}
	table := ui.NewTable("IMAGE", "TAG", "SIZE", "CREATED", "IN USE", "CONTENT")
	for _, image := range listed {
		table.Row(image.Name(), tagOf(image.Ref), mebibytes(image.Bytes), image.Created.UTC().Format(time.DateTime), yesNo(image.InUse), image.Content)
	}
	return table.Write(a.streams.Out, 0)
}

func tagOf(ref string) string { return ref[strings.LastIndex(ref, ":")+1:] }

func mebibytes(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }

func yesNo(is bool) string {
	if is {
		return "yes"
	}
	return ""
}

type imagesPruneOptions struct {
	keep int
	plan bool
}

func newImagesPruneCommand(a *app, tools imageTools) *cobra.Command {
	opts := imagesPruneOptions{}
	cmd := &cobra.Command{Use: "prune", Short: "Remove old images of jomctl from this machine's Docker Engine", Args: cobra.NoArgs,
		Long: "What the cluster file names or an install has made for it stays, and the newest of each name. Nothing is removed from a registry or from hosts. What was removed can be built again.",
		RunE: func(cmd *cobra.Command, _ []string) error { return runImagesPrune(cmd.Context(), a, tools, opts) }}
	cmd.Flags().IntVar(&opts.keep, "keep", 2, "how many of each name are kept, the newest ones")
	cmd.Flags().BoolVar(&opts.plan, "plan", false, "show what would be removed, and remove nothing")
	return cmd
}

func runImagesPrune(ctx context.Context, a *app, tools imageTools, opts imagesPruneOptions) error {
	if opts.keep < 0 {
		return &usageError{fmt.Errorf("--keep %d: want 0 or more", opts.keep)}
	}
	cluster, err := config.Load(a.global.File)
	if err != nil {
		return err
	}
	engine := a.imageEngine(tools)
	all, err := engine.List(ctx)
	if err != nil {
		return err
	}
	named, err := namedImages(cluster)
	if err != nil {
		return err
	}
	removed, done := images.Old(all, opts.keep, named), "would be removed"
	var failed error
	if !opts.plan {
		removed, failed = images.Remove(ctx, engine, removed)
		done = "removed"
	}
	if a.global.Output == formatJSON {
		return errors.Join(a.writeJSON(map[string]any{"removed": removed, "kept": len(all) - len(removed), "plan": opts.plan}), failed)
	}
	for _, image := range removed {
		fmt.Fprintf(a.streams.Out, "%s  %s\n", image.Ref, image.Content)
	}
	_, err = fmt.Fprintf(a.streams.Out, "%d of %d images %s\n", len(removed), len(all), done)
	return errors.Join(failed, err)
}
