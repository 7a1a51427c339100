package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/jomctl/jomctl/bundles/fetch"
	"github.com/jomctl/jomctl/images"
	"github.com/jomctl/jomctl/internal/filesum"
	"github.com/jomctl/jomctl/internal/home"
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/lifecycle/war"
	"github.com/jomctl/jomctl/provision/source"
)

// imageChains are the links of the images that are wanted, with all their files at hand.
func (a *app) imageChains(ctx context.Context, tools imageTools, r imageRecipe, opts imagesBuildOptions) (chains [][]images.Link, err error) {
	standin := ""
	if r.standin {
		if standin, err = tools.helper("standin"); err != nil {
			return nil, err
		}
	}
	if opts.controller || !opts.agent {
		release, err := a.imageRelease(ctx, tools, r, standin, opts.from)
		if err != nil {
			return nil, err
		}
		chain, err := images.Controller(r.runtime, release)
		if err != nil {
			return nil, err
		}
		chains = append(chains, chain)
	}
	if opts.agent || !opts.controller {
		for _, access := range r.access {
			chains = append(chains, images.Agent(r.runtime, standin, access))
		}
	}
	return chains, nil
}

// imageRelease is what goes into the controller's image.
func (a *app) imageRelease(ctx context.Context, tools imageTools, r imageRecipe, standin, from string) (images.Release, error) {
	release := images.Release{Standin: standin}
	var err error
	if release.Jomhome, err = tools.helper("jomhome"); err != nil {
		return release, err
	}
	if r.standin {
		release.Content = fmt.Sprintf("stand-in for Jenkins %s (release %s)", r.release.Core.Version, r.release.Name)
		return release, nil
	}
	plans, err := jenkinsPlans(r.cluster)
	if err != nil {
		return release, err
	}
	files, err := a.imageFiles(ctx, r, plans, from)
	if err != nil {
		return release, err
	}
	release.War, release.Plugins = files[0], files[1:]
	what := fmt.Sprintf("Jenkins %s (release %s)", r.release.Core.Version, r.release.Name)
	if r.cluster.Jenkins.War != "" {
		what = "war " + filepath.Base(r.cluster.Jenkins.War) + " sha256 " + release.War.SHA256[:12]
	}
	release.Content = fmt.Sprintf("%s, %d plugins", what, len(release.Plugins))
	return release, nil
}

// imageFiles finds war and plugins: files of the user's own as they are, those of a release in a folder, in the stores, on the net.
func (a *app) imageFiles(ctx context.Context, r imageRecipe, plans []source.Plan, from string) ([]images.File, error) {
	user, err := fetch.UserStore()
	if err != nil {
		return nil, err
	}
	// The cluster's own store has the war that the cluster runs.
	stores := []fetch.Store{user, {Dir: filepath.Dir(filepath.Dir(war.CachePath(r.cluster, "x")))}}
	var files []images.File
	for _, plan := range plans {
		name := strings.TrimPrefix(plan.Component, "plugin ")
		file := images.File{Path: name + ".jpi", Source: plan.Artefact.File, SHA256: strings.ToLower(plan.Artefact.SHA256), Version: plan.Version}
		f := fetch.File{Name: name + ".hpi", Version: plan.Version, URL: plan.Artefact.URL, SHA256: strings.ToLower(plan.Artefact.SHA256), Size: plan.Artefact.Size}
		if plan.Component == jenkinsWar {
			file.Path, f.Name = jenkinsWar, jenkinsWar
		}
		if file.Source == "" {
			file.Source, err = a.imageFile(ctx, stores, from, f)
		} else {
			if file.SHA256 == "" {
				if file.SHA256, err = filesum.SHA256(file.Source); err != nil {
					err = fmt.Errorf("read a file for the image: %w", err)
				}
			}
			if plugin, problem := home.ReadPlugin(file.Source); problem == nil { // a file may have any name, Jenkins goes by the short one
				file.Path, file.Version = filepath.Base(plugin.Name)+".jpi", plugin.Version
			}
		}
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// imageFile is the path of a file of a release on this machine.
func (a *app) imageFile(ctx context.Context, stores []fetch.Store, from string, f fetch.File) (string, error) {
	if f.SHA256 == "" {
		return "", &lifecycle.Refusal{Problem: fmt.Sprintf("%s of %s cannot be verified: its sha256 is not known", f.Name, f.URL), Fix: "write the checksum you trust into jenkins.sha256"}
	}
	if from != "" {
		if path, err := fetch.In(from, f); !errors.Is(err, fs.ErrNotExist) {
			return path, err
		}
	}
	for _, store := range stores {
		if path, err := store.Have(f); !errors.Is(err, fs.ErrNotExist) {
			return path, err
		}
	}
	a.say("Downloading %s %s", f.Name, f.Version)
	path, err := stores[0].Get(ctx, f)
	var wrong *fetch.MismatchError
	if err != nil && ctx.Err() == nil && !errors.As(err, &wrong) {
		return "", &lifecycle.Refusal{Problem: err.Error(), Fix: "without a way to that server: `jomctl release fetch` on a machine that has one, then --from with its folder"}
	}
	return path, err
}
