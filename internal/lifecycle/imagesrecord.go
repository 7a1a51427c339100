package lifecycle

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/images"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/wholefile"
)

// runImage is an image that the cluster runs, as its registry has it.
type runImage struct {
	// Ref is REPOSITORY@sha256:DIGEST, so that a digest never means another one later.
	Ref string `json:"ref"`
	// Recipe is the digest of all that an image of our own making is made of, Release that of which it is; empty for one that the file names.
	Recipe  string `json:"recipe,omitempty"`
	Release string `json:"release,omitempty"`
	// Local is its name in the Docker Engine that made it.
	Local string `json:"local,omitempty"`
	// User is the number of the user that a controller runs as which brings war, plugins and jomhome itself. 0 is an image that gets them
	// from its host and runs as root.
	User int `json:"user,omitempty"`
}

// imageRecord is what is known of the images, by who wants them, the newest first: while a cluster goes from one release to another, it
// has images of both.
type imageRecord map[wantedKey][]runImage

// recordedImages is how many of one kind are remembered.
const recordedImages = 10

// wantedKey is the name of an image as the file has it, or what it is made for: "controller", "agent", "agent socket", "agent dind".
type wantedKey string

const (
	madeController wantedKey = "controller"
	madeAgent      wantedKey = "agent"
)

func imageFile(c *config.Cluster) string { return filepath.Join(c.StateDir(), "images.json") }

func readImages(c *config.Cluster) (imageRecord, error) {
	record := imageRecord{}
	data, err := os.ReadFile(imageFile(c))
	if errors.Is(err, fs.ErrNotExist) {
		return record, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what images the cluster runs: %w", err)
	}
	if err := json.Unmarshal(data, &record); err != nil {
		return nil, fmt.Errorf("read what images the cluster runs: %s: %w (`jomctl install` makes it anew when it is removed)", imageFile(c), err)
	}
	return record, nil
}

// add makes an image the newest of its kind. Of an image that somebody else has made only the newest counts. One of our own making stays known
// by its release, also where that of another release has come out as the same image: an upgrade goes back to it.
func (r imageRecord) add(key wantedKey, image runImage) {
	older := slices.DeleteFunc(r[key], func(old runImage) bool {
		return image.Recipe == "" || old.Recipe == image.Recipe && old.Release == image.Release
	})
	r[key] = append([]runImage{image}, older[:min(len(older), recordedImages-1)]...)
}

func (r imageRecord) write(c *config.Cluster) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write what images the cluster runs: %w", err)
	}
	return wholefile.Put(imageFile(c), append(data, '\n'), 0o644)
}

// RecordedImages are the names, here and in the registry, of the images that an install has made for the cluster.
func RecordedImages(c *config.Cluster) ([]string, error) {
	record, err := readImages(c)
	var all []string
	for _, kind := range record {
		for _, image := range kind {
			all = append(all, image.Ref)
			if image.Local != "" {
				all = append(all, image.Local)
			}
		}
	}
	slices.Sort(all)
	return all, err
}

// ImageAccess is the access of a template in the words of its image.
func ImageAccess(access config.DockerAccess) images.Access {
	if access == config.DockerNone {
		return images.AccessNone
	}
	return images.Access(access)
}

// makesImages says whether images are made for whatever names none of its own.
func (e *Env) makesImages() bool { return e.own != nil && e.Cluster.Images != nil }

// wantsController is the key of the controller's image; empty where it is a plain process.
func (e *Env) wantsController() wantedKey {
	switch {
	case e.own == nil:
		return ""
	case e.Cluster.Jenkins.Image != "":
		return wantedKey(e.Cluster.Jenkins.Image)
	case e.makesImages():
		return madeController
	}
	return ""
}

// wantsAgent is the same of a template.
func (e *Env) wantsAgent(t config.Template) wantedKey {
	switch access := ImageAccess(t.Docker); {
	case e.own == nil:
		return ""
	case t.Image != "":
		return wantedKey(t.Image)
	case !e.makesImages():
		return ""
	case access == images.AccessNone:
		return madeAgent
	default:
		return madeAgent + " " + wantedKey(access)
	}
}

// access is the kind of build agent that a made image is for.
func (k wantedKey) access() images.Access {
	_, access, _ := strings.Cut(string(k), " ")
	return images.Access(access)
}

// made says that the image is made by an install.
func (k wantedKey) made() bool {
	return k == madeController || k == madeAgent || strings.HasPrefix(string(k), string(madeAgent)+" ")
}

// wanted are all images of the cluster, each once.
func (e *Env) wanted() []wantedKey {
	all := []wantedKey{e.wantsController()}
	for _, t := range e.Cluster.Jenkins.Cloud.Templates {
		all = append(all, e.wantsAgent(t))
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(k wantedKey) bool { return k == "" })
}

// errNoImages says that what runs in containers cannot be described yet.
var errNoImages = errors.New("the digests of the images are not known yet")

// runs gives the image behind a key: the zero one for a plain process. As long as it is not known, that is errNoImages. One that is to be
// made anew, as with another jomctl, is the last one of the same release until then.
func (e *Env) runs(key wantedKey) (runImage, error) {
	if key == "" {
		return runImage{}, nil
	}
	record, err := readImages(e.Cluster)
	if err != nil {
		return runImage{}, err
	}
	known := record[key]
	if key.made() {
		if recipe, err := e.recipe(key); err == nil {
			if at := slices.IndexFunc(known, func(i runImage) bool { return i.Recipe == recipe }); at >= 0 {
				return known[at], nil
			}
		}
		known = slices.DeleteFunc(known, func(i runImage) bool { return i.Release != e.Release.Name })
	}
	if len(known) == 0 {
		return runImage{}, errNoImages
	}
	return known[0], nil
}

// RunImages are the digests of all images that the cluster runs, as REPOSITORY@sha256:DIGEST; an error as long as they are not known.
func (e *Env) RunImages() ([]string, error) {
	var all []string
	for _, key := range e.wanted() {
		image, err := e.runs(key)
		if err != nil {
			return nil, err
		}
		all = append(all, image.Ref)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// templates are those of the file with their images by digest.
func (e *Env) templates() ([]config.Template, error) {
	all := slices.Clone(e.Cluster.Jenkins.Cloud.Templates)
	for i := range all {
		if e.own == nil {
			continue
		}
		image, err := e.runs(e.wantsAgent(all[i]))
		if err != nil {
			return nil, err
		}
		all[i].Image = image.Ref
	}
	return all, nil
}
