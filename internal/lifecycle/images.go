package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

// images are those of the controller and of build agents, by the key of the file that names them first.
func (e *Env) images() map[string]string {
	all := map[string]string{}
	if image := e.Cluster.Jenkins.Image; image != "" {
		all["jenkins.image"] = image
	}
	for i, template := range e.Cluster.Jenkins.Cloud.Templates {
		if template.Image != "" {
			all[fmt.Sprintf("jenkins.cloud.templates[%d].image", i)] = template.Image
		}
	}
	return all
}

// ownImages are the images that the cluster's own registry must have.
func (e *Env) ownImages() []name.Reference {
	if _, own := provision.RegistryHost(e.Cluster); !own || e.own == nil {
		return nil
	}
	var all []name.Reference
	seen := map[string]bool{}
	for _, image := range e.images() {
		ref, err := name.ParseReference(image, name.Insecure)
		if err == nil && ref.Context().RegistryStr() == provision.RegistryAddress(e.Cluster) && !seen[ref.Name()] {
			seen[ref.Name()] = true
			all = append(all, ref)
		}
	}
	slices.SortFunc(all, func(a, b name.Reference) int { return strings.Compare(a.Name(), b.Name()) })
	return all
}

// imageFindings are images that are named in a way that no Docker Engine of the hosts would get them.
func (e *Env) imageFindings() []provision.Finding {
	h, own := provision.RegistryHost(e.Cluster)
	if !own {
		return nil
	}
	address := provision.RegistryAddress(e.Cluster)
	_, port, _ := net.SplitHostPort(address)
	var findings []provision.Finding
	for key, image := range e.images() {
		if rest, named := strings.CutPrefix(image, net.JoinHostPort(h.Name, port)+"/"); named && h.Name != h.Address {
			findings = append(findings, provision.Finding{Subject: key, Problem: image + " names the cluster's registry by " + h.Name + ", and the Docker Engines of the hosts know it as " + address,
				Fix: "write " + address + "/" + rest})
		}
	}
	slices.SortFunc(findings, func(a, b provision.Finding) int { return strings.Compare(a.Subject, b.Subject) })
	return findings
}

// missing are those of the images that the registry does not have.
func missing(ctx context.Context, images []name.Reference) ([]string, error) {
	var names []string
	for _, ref := range images {
		_, err := remote.Head(ref, remote.WithContext(ctx))
		var answer *transport.Error
		switch {
		case errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound:
			names = append(names, ref.String())
		case err != nil:
			return nil, fmt.Errorf("ask the cluster's registry for %s: %w", ref, err)
		}
	}
	return names, nil
}

// imageStages stop an install whose images nobody has pushed to the cluster's own registry, as their tasks would fail again and again.
func (e *Env) imageStages() []op.Stage {
	images := e.ownImages()
	if len(images) == 0 {
		return nil
	}
	step := op.Step{ID: "images", Title: "Images are in the cluster's registry", Budget: startBudget,
		Probe: func(ctx context.Context) (op.State, error) {
			names, err := missing(ctx, images)
			if err != nil {
				return op.Later, nil //nolint:nilerr // the registry is not there yet
			}
			return needed(len(names) == 0), nil
		},
		Changes: func(ctx context.Context) []string {
			names, _ := missing(ctx, images)
			return []string{"ends here until somebody has pushed " + strings.Join(names, ", ")}
		},
		Do: func(ctx context.Context, say op.Say) error {
			var names []string
			err := wait(ctx, say, func(ctx context.Context) (err error) {
				names, err = missing(ctx, images)
				return err
			})
			if err != nil || len(names) == 0 {
				return err
			}
			return &Refusal{Problem: "the cluster's registry has no " + strings.Join(names, ", "), Fix: e.pushHint(names[0])}
		},
	}
	return []op.Stage{{Name: "Images", Steps: []op.Step{step}}}
}

// pushHint is how an image comes into the registry by way of a host whose Docker Engine trusts it.
func (e *Env) pushHint(image string) string {
	h := e.Cluster.HostsWith(config.RoleMesosAgent)[0]
	return fmt.Sprintf("build and push it; from a machine whose Docker Engine does not trust %s, by way of a host: `docker save %s | ssh %s@%s 'sudo docker load && sudo docker push %s'`",
		provision.RegistryAddress(e.Cluster), image, e.Cluster.SSH.User, h.Address, image)
}
