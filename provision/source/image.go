package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// image asks the registry for the digest of an image.
func (c *Checker) image(ctx context.Context, r *Result, locked Locked) {
	ref, err := name.ParseReference(r.Plan.Image)
	if err != nil {
		r.find("image: "+err.Error(), "write repository:tag or repository@sha256:DIGEST")
		return
	}
	descriptor, err := remote.Head(ref, c.remote(ctx, r.Plan)...)
	if err != nil {
		r.fail(imageError(ref, err))
		return
	}
	r.Locked.Image = ref.Context().Digest(descriptor.Digest.String()).String()
	r.Plan.Image = r.Locked.Image
	if tag, ok := ref.(name.Tag); ok {
		r.Locked.Version = tag.TagStr()
	}
	if locked.Image == "" && r.Locked.Version != "" {
		r.note("%s is %s now; `jomctl sources lock` keeps it so", ref, descriptor.Digest)
		return
	}
	r.note("%s is there", r.Locked.Image)
}

// remote are the options for a registry: Docker's own credentials, this checker's transport, the platform of the hosts.
func (c *Checker) remote(ctx context.Context, p Plan) []remote.Option {
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithUserAgent("jomctl")}
	if transport := c.web().client.Transport; transport != nil {
		options = append(options, remote.WithTransport(transport))
	}
	if p.Facts.Arch != "" {
		options = append(options, remote.WithPlatform(v1.Platform{OS: "linux", Architecture: p.Facts.Arch}))
	}
	return options
}

// imageError tells an image that is not there from a registry that cannot be reached.
func imageError(ref name.Reference, err error) error {
	var answered *transport.Error
	if errors.As(err, &answered) {
		problem := fmt.Sprintf("the registry answers %d %s", answered.StatusCode, http.StatusText(answered.StatusCode))
		if answered.StatusCode == http.StatusUnauthorized {
			problem += ": there is no such repository, or it wants a login (`docker login " + ref.Context().RegistryStr() + "`)"
		}
		return &FetchError{URL: ref.String(), Status: answered.StatusCode, problem: problem, cause: err}
	}
	return &FetchError{URL: ref.String(), problem: unreachable(err), cause: err}
}

// pull puts an image as an archive, as `docker load` reads it, into the cache.
func (c *Checker) pull(ctx context.Context, p Plan, locked *Locked) error {
	ref, err := name.NewDigest(locked.Image)
	if err != nil {
		return fmt.Errorf("image %s: %w", locked.Image, err)
	}
	image, err := remote.Image(ref, c.remote(ctx, p)...)
	if err != nil {
		return imageError(ref, err)
	}
	config, err := image.ConfigName()
	if err != nil {
		return imageError(ref, err)
	}
	// A loaded archive has no digest of the repository; the tag is for people, the engine is asked by the id.
	tag := ref.Context().Tag("jomctl-" + config.Hex[:12])
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(tarball.Write(tag, image, writer)) }()
	defer reader.Close()
	sum, size, err := c.Cache.Add(ctx, ref.String(), reader, Artefact{SHA256: locked.SHA256})
	if err != nil {
		return err
	}
	locked.SHA256, locked.Size, locked.ImageID = sum, size, config.String()
	return nil
}
