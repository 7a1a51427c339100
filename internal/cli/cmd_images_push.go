package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/images"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/ui"
	"github.com/jomctl/jomctl/provision"
)

type imagesPushOptions struct {
	registry string
	standin  bool
}

func newImagesPushCommand(a *app, tools imageTools) *cobra.Command {
	opts := imagesPushOptions{}
	cmd := &cobra.Command{Use: "push [IMAGE]...", Short: "Send images to the cluster's registry, and print how the cluster file names them",
		Long: "Without names the newest controller and the newest build agent of this machine are sent. The registry is that of the cluster file; one without TLS is reached\n" +
			"through a loopback address of this machine, so that its Docker Engine need not be told of it. Accounts are those of docker login.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return runImagesPush(cmd.Context(), a, tools, opts, args)
		}}
	cmd.Flags().StringVar(&opts.registry, "registry", "", "another registry, HOST:PORT or HOST:PORT/PATH")
	cmd.Flags().BoolVar(&opts.standin, "standin", false, "the newest rehearsal images")
	return cmd
}

// pushedImage is an image and its reference in the registry.
type pushedImage struct {
	Ref     string `json:"ref"`
	Pushed  string `json:"pushed"` // NAME@sha256:DIGEST
	Key     string `json:"key"`    // where the cluster file names it; empty for a link that is not run
	Content string `json:"content"`
}

func runImagesPush(ctx context.Context, a *app, tools imageTools, opts imagesPushOptions, names []string) error {
	cluster, err := config.Load(a.global.File)
	if err != nil && (!errors.Is(err, fs.ErrNotExist) || opts.registry == "") {
		return err
	}
	registry := opts.registry
	if registry == "" {
		registry = provision.RegistryAddress(cluster)
	}
	if registry == "" {
		return &lifecycle.Refusal{Problem: a.global.File + " has no registry", Fix: "write `registry: {address: HOST:PORT}` into it, or say --registry HOST:PORT"}
	}
	engine := a.imageEngine(tools)
	all, err := engine.List(ctx)
	if err != nil {
		return err
	}
	wanted, err := wantedImages(all, names, opts.standin)
	if err != nil {
		return err
	}
	var login images.Login
	if cluster != nil && registry == provision.RegistryAddress(cluster) {
		if login, err = lifecycle.ImageLogin(cluster); err != nil {
			return err
		}
	}
	pushed := []pushedImage{}
	for _, image := range wanted {
		a.say("pushing %s to %s", image.Ref, registry)
		there, err := engine.Push(ctx, image.Ref, registry, login)
		if err != nil {
			return fmt.Errorf("push %s to %s: %w", image.Ref, registry, err)
		}
		pushed = append(pushed, pushedImage{image.Ref, there, fileKey(image.Name()), image.Content})
	}
	if a.global.Output == formatJSON {
		return a.writeJSON(map[string]any{"registry": registry, "images": pushed})
	}
	return a.writePushed(cluster, pushed)
}

// wantedImages are those with the names, or the newest ones.
func wantedImages(all []images.Image, names []string, rehearsal bool) (wanted []images.Image, err error) {
	for _, name := range names {
		at := slices.IndexFunc(all, func(i images.Image) bool { return i.Ref == name || i.Ref == images.Repository+name || i.ID == name })
		if at < 0 {
			return nil, &lifecycle.Refusal{Problem: "this machine's Docker Engine has no image " + name, Fix: "`jomctl images list` prints those that there are"}
		}
		wanted = append(wanted, all[at])
	}
	if len(names) > 0 {
		return wanted, nil
	}
	prefix, build := "", "`jomctl images build`"
	if rehearsal {
		prefix, build = images.Rehearsal, "`jomctl images build --standin`"
	}
	for _, name := range []string{images.ControllerName, images.AgentName} {
		if image, found := images.Newest(all, prefix+name); found {
			wanted = append(wanted, image)
		}
	}
	if len(wanted) == 0 {
		return nil, &lifecycle.Refusal{Problem: fmt.Sprintf("this machine's Docker Engine has no image %s%s%s", images.Repository, prefix, images.ControllerName), Fix: build + " makes it"}
	}
	return wanted, nil
}

const (
	controllerKey = "jenkins.image"
	agentKey      = "jenkins.cloud.templates[].image"
)

func fileKey(name string) string {
	kind := strings.TrimPrefix(strings.TrimPrefix(name, images.Repository), images.Rehearsal)
	switch {
	case kind == images.ControllerName:
		return controllerKey
	case kind == images.AgentName || strings.HasPrefix(kind, images.AgentName+"-"):
		return agentKey
	}
	return ""
}

func (a *app) writePushed(cluster *config.Cluster, pushed []pushedImage) error {
	table := ui.NewTable("IMAGE", "PUSHED AS", "CONTENT")
	lines := []string{}
	for _, image := range pushed {
		table.Row(image.Ref, image.Pushed, image.Content)
		switch image.Key {
		case controllerKey:
			lines = append(lines, "  image: "+image.Pushed)
		case agentKey:
			lines = append(lines, fmt.Sprintf("  cloud: {templates: [{label: %s, image: %q}]}", firstLabel(cluster), image.Pushed))
		}
	}
	if err := table.Write(a.streams.Out, 0); err != nil || len(lines) == 0 {
		return err
	}
	_, err := fmt.Fprintf(a.streams.Out, "In the cluster file:\njenkins:\n%s\n", strings.Join(lines, "\n"))
	return err
}

func firstLabel(c *config.Cluster) string {
	if c == nil || len(c.Jenkins.Cloud.Templates) == 0 {
		return "LABEL"
	}
	return c.Jenkins.Cloud.Templates[0].Label
}
