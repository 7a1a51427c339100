package images

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// Image is an image of ours in the engine.
type Image struct {
	Ref     string    `json:"ref"` // jomctl/controller:0123456789abcdef0123
	ID      string    `json:"id"`  // sha256:...
	Created time.Time `json:"created"`
	Bytes   int64     `json:"bytes"`   // with all that it stands on
	Content string    `json:"content"` // what it was made of, for people; empty for a link that is not run
	// Names are further names, which it has for a registry, Digests those with its digest there.
	Names   []string `json:"names"`
	Digests []string `json:"digests"`
}

// Name is the reference without the tag.
func (i Image) Name() string {
	name, _, _ := strings.Cut(i.Ref, ":")
	return name
}

// Engine is a Docker Engine.
type Engine interface {
	// ID gives the id of an image, after fetching it where it is not there.
	ID(ctx context.Context, ref string) (string, error)
	// Has says whether an image is there.
	Has(ctx context.Context, ref string) (bool, error)
	// Build builds a context, a tar archive, and names the image.
	Build(ctx context.Context, ref string, args map[string]string, context io.Reader) error
	// List gives the images whose names begin with Repository.
	List(ctx context.Context) ([]Image, error)
	// Push sends an image to a registry (host:port, host:port/path) and gives its reference there with its digest. The zero login is whatever
	// the engine's user has logged in to.
	Push(ctx context.Context, ref, registry string, login Login) (string, error)
	// Remove takes a name from an image; what no other name holds is deleted.
	Remove(ctx context.Context, ref string) error
}

// Built is one link that Build has made or found.
type Built struct {
	Ref  string `json:"ref"`
	Made bool   `json:"made"` // false: it was there
}

// Build makes the links of a chain that are not there, on a base image, and gives all of them; the last is the image. All files are
// read and checked before the first is built.
func Build(ctx context.Context, engine Engine, base string, chain []Link, progress func(string)) ([]Built, error) {
	contents := make([][]File, len(chain))
	for i, link := range chain {
		var err error
		if contents[i], err = link.context(); err != nil {
			return nil, err
		}
	}
	// The id, not the name: a newer image of the same name makes all links anew.
	id, err := engine.ID(ctx, base)
	if err != nil {
		return nil, err
	}
	on, identity := base, id
	var built []Built
	for i, link := range chain {
		ref := Repository + link.Name + ":" + tag(identity, link.Args, contents[i])
		there, err := engine.Has(ctx, ref)
		if err != nil {
			return built, err
		}
		if !there {
			progress("building " + ref)
			if err := buildLink(ctx, engine, ref, on, link, contents[i]); err != nil {
				return built, fmt.Errorf("build %s: %w", ref, err)
			}
		}
		built = append(built, Built{Ref: ref, Made: !there})
		on, identity = ref, ref
	}
	return built, nil
}

func buildLink(ctx context.Context, engine Engine, ref, on string, link Link, files []File) error {
	args := map[string]string{"BASE": on}
	maps.Copy(args, link.Args)
	reader, writer := io.Pipe()
	wrote := make(chan error, 1)
	go func() {
		err := writeContext(writer, files)
		_ = writer.CloseWithError(err) // never fails
		wrote <- err
	}()
	err := engine.Build(ctx, ref, args, reader)
	_ = reader.CloseWithError(errors.New("the engine reads no further")) // never fails
	if wrong := <-wrote; err == nil && wrong != nil {
		return wrong
	}
	return err
}

// writeContext writes files as a tar archive, always the same bytes for the same files.
func writeContext(w io.Writer, files []File) error {
	archive := tar.NewWriter(w)
	for _, f := range files {
		if err := writeFile(archive, f); err != nil {
			return fmt.Errorf("send %s to the engine: %w", f.Path, err)
		}
	}
	return archive.Close()
}

func writeFile(archive *tar.Writer, f File) error {
	header := tar.Header{Name: f.Path, Mode: f.Mode, Size: int64(len(f.Content)), Format: tar.FormatPAX}
	if f.Source == "" {
		if err := archive.WriteHeader(&header); err != nil {
			return err
		}
		_, err := archive.Write(f.Content)
		return err
	}
	file, err := os.Open(f.Source)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	header.Size = info.Size()
	if err := archive.WriteHeader(&header); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err = io.Copy(io.MultiWriter(archive, sum), file); err != nil {
		return err
	}
	// It may have been changed since it was compared.
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.SHA256 {
		return &MismatchError{f.Source, got, f.SHA256}
	}
	return nil
}

// Newest gives the newest image of a name (ControllerName, ...).
func Newest(all []Image, name string) (Image, bool) {
	for _, image := range byAge(all) {
		if image.Name() == Repository+name {
			return image, true
		}
	}
	return Image{}, false
}

func byAge(all []Image) []Image {
	return slices.SortedFunc(slices.Values(all), func(a, b Image) int {
		if c := b.Created.Compare(a.Created); c != 0 {
			return c
		}
		return strings.Compare(a.Ref, b.Ref)
	})
}

// NamedIn says whether one of the references, with a tag or a digest, means the image. A digest means the same image in every registry.
func (i Image) NamedIn(used []string) bool {
	return slices.ContainsFunc(used, func(ref string) bool {
		_, digest, byDigest := strings.Cut(ref, "@")
		return ref == i.Ref || slices.Contains(i.Names, ref) || byDigest && slices.ContainsFunc(i.Digests, func(d string) bool { return strings.HasSuffix(d, "@"+digest) })
	})
}

// Old gives all images but the newest of each name, as many as keep, and those that are named in used.
func Old(all []Image, keep int, used []string) []Image {
	seen, old := map[string]int{}, []Image{}
	for _, image := range byAge(all) {
		if seen[image.Name()]++; seen[image.Name()] > keep && !image.NamedIn(used) {
			old = append(old, image)
		}
	}
	return old
}

// Remove takes all names from images, and gives those that it took them from. An image that another one stands on stays until that
// one goes; one that cannot be removed does not hold up the others.
func Remove(ctx context.Context, engine Engine, old []Image) ([]Image, error) {
	removed, failed := []Image{}, []error{}
	for _, image := range old {
		var err error
		for _, ref := range append(slices.Clone(image.Names), image.Ref) {
			err = errors.Join(err, engine.Remove(ctx, ref))
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("remove the image %s: %w", image.Ref, err))
			continue
		}
		removed = append(removed, image)
	}
	return removed, errors.Join(failed...)
}
