package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

// images are those that the file names, by the key of the file that names them first.
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

// parse reads the name of an image. The cluster's registry may be without TLS.
func (e *Env) parse(image string) (name.Reference, error) {
	ref, err := name.ParseReference(image)
	if err == nil && ref.Context().RegistryStr() == provision.RegistryAddress(e.Cluster) && e.Cluster.Registry.User == "" {
		ref, err = name.ParseReference(image, name.Insecure)
	}
	if err != nil {
		return nil, &Refusal{Problem: fmt.Sprintf("%s is no name of an image: %v", image, err), Fix: "write REPOSITORY:TAG or REPOSITORY@sha256:DIGEST"}
	}
	return ref, nil
}

// ofOurs says whether an image is in the cluster's own registry.
func (e *Env) ofOurs(ref name.Reference) bool {
	_, own := provision.RegistryHost(e.Cluster)
	return own && ref.Context().RegistryStr() == provision.RegistryAddress(e.Cluster)
}

// errNotPushed is an image that its registry does not have.
var errNotPushed = errors.New("the registry does not have it")

func registryError(ref name.Reference, err error) error {
	var answer *transport.Error
	if errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound {
		return errNotPushed
	}
	return fmt.Errorf("ask the registry for %s: %w", ref, err)
}

// find asks a registry for the digest of an image, and for the user of one that brings war and plugins itself.
func (e *Env) find(ctx context.Context, image string) (runImage, error) {
	ref, err := e.parse(image)
	if err != nil {
		return runImage{}, err
	}
	found, err := remote.Get(ref, e.askRegistry(ctx)...)
	if err != nil {
		return runImage{}, registryError(ref, err)
	}
	run := runImage{Ref: ref.Context().Name() + "@" + found.Digest.String()}
	described, err := found.Image()
	if err != nil {
		return run, registryError(ref, err)
	}
	config, err := described.ConfigFile()
	if err != nil {
		return run, registryError(ref, err)
	}
	if user := config.Config.Labels["org.jomctl.user"]; user != "" {
		if run.User, err = strconv.Atoi(user); err != nil {
			return run, fmt.Errorf("image %s: its label org.jomctl.user: %w", image, err)
		}
	}
	return run, nil
}

// imageState says whether an image is in its registry as the record has it. line is what is to be done.
func (e *Env) imageState(ctx context.Context, key wantedKey) (state op.State, line string, err error) {
	known, err := e.runs(key)
	if err != nil && !errors.Is(err, errNoImages) {
		return op.Needed, "", err
	}
	if key.made() {
		return e.madeState(ctx, key, known)
	}
	ref, err := e.parse(string(key))
	if err != nil {
		return op.Needed, "", err
	}
	if !e.ofOurs(ref) {
		// Where others' registries are asked at each look, a cluster could not be looked at without them.
		return op.NeededUnless(known.Ref != ""), fmt.Sprintf("look for the digest of %s", key), nil
	}
	asked, err := remote.Head(ref, e.askRegistry(ctx)...)
	if err != nil {
		if errors.Is(registryError(ref, err), errNotPushed) {
			return op.Needed, "ends here until somebody has pushed " + string(key), nil
		}
		return op.Later, "", nil // the registry is not there yet
	}
	is := ref.Context().Name() + "@" + asked.Digest.String()
	if known.Ref != "" && known.Ref != is {
		return op.Needed, fmt.Sprintf("%s is another image now, %s", key, asked.Digest), nil
	}
	return op.NeededUnless(known.Ref == is), fmt.Sprintf("take %s as %s", key, asked.Digest), nil
}

// madeState is imageState of an image of our own making.
func (e *Env) madeState(ctx context.Context, key wantedKey, known runImage) (op.State, string, error) {
	recipe, err := e.recipe(key)
	if err != nil {
		return op.Later, "", nil //nolint:nilerr // the war or the plugins are not fetched yet
	}
	registry := provision.RegistryAddress(e.Cluster)
	makeIt := fmt.Sprintf("make the image of the %s on %s, and send it to %s", key, e.Cluster.Images.Base, registry)
	if known.Ref == "" || known.Recipe != recipe || !strings.HasPrefix(known.Ref, registry+"/") {
		return op.Needed, makeIt, nil
	}
	ref, err := e.parse(known.Ref)
	if err != nil {
		return op.Needed, "", err
	}
	if _, err := remote.Head(ref, e.askRegistry(ctx)...); err != nil {
		if errors.Is(registryError(ref, err), errNotPushed) {
			return op.Needed, makeIt, nil
		}
		return op.Later, "", nil
	}
	return op.Done, "", nil
}

// settleImage makes an image, or finds the digest of one that somebody else has made.
func (e *Env) settleImage(ctx context.Context, key wantedKey, say op.Say) (runImage, error) {
	if key.made() {
		return e.makeImage(ctx, key, say)
	}
	ref, err := e.parse(string(key))
	if err != nil {
		return runImage{}, err
	}
	var found runImage
	if e.ofOurs(ref) { // which may just have been started
		err = wait(ctx, say, func(ctx context.Context) (err error) {
			found, err = e.find(ctx, string(key))
			if errors.Is(err, errNotPushed) {
				return nil
			}
			return err
		})
		if err == nil && found.Ref == "" {
			return found, &Refusal{Problem: "the cluster's registry has no " + string(key), Fix: e.pushHint(string(key))}
		}
		return found, err
	}
	found, err = e.find(ctx, string(key))
	if _, byDigest := ref.(name.Digest); err != nil && byDigest {
		return runImage{Ref: string(key)}, nil // the hosts may reach what this machine does not
	}
	if err != nil {
		return found, &Refusal{Problem: fmt.Sprintf("the digest of the image %s cannot be found: %v", key, err),
			Fix: "images run by their digest: name it as REPOSITORY@sha256:DIGEST, or let this machine reach the registry (`docker login` for an account)"}
	}
	return found, nil
}

// imageStages make images and find the digests of others, then bring them to the hosts. An install stops at images that nobody has pushed
// to the cluster's own registry, as their tasks would fail again and again.
func (e *Env) imageStages() []op.Stage {
	keys := e.wanted()
	if len(keys) == 0 || e.own == nil {
		return nil
	}
	var steps []op.Step
	for _, key := range keys {
		steps = append(steps, e.imageStep(key))
	}
	return []op.Stage{{Name: "Images", Steps: steps}, e.PullStage(e.RunImages)}
}

// SettleImages makes the images of the cluster that are not made, and finds the digests of the others. RunImages gives them from then on, and
// PullStage brings them to the hosts.
func (e *Env) SettleImages(ctx context.Context, say op.Say) error {
	for _, key := range e.wanted() {
		step := e.imageStep(key)
		if state, err := step.Probe(ctx); err != nil || state == op.Done {
			if err != nil {
				return err
			}
			continue
		}
		if err := step.Do(ctx, say); err != nil {
			return err
		}
	}
	return nil
}

func (e *Env) imageStep(key wantedKey) op.Step {
	title, budget := "Image "+string(key)+" is in its registry", startBudget
	if key.made() {
		title, budget = "Image of the "+string(key)+" made and in the registry", time.Hour
	}
	return op.Step{ID: "image-" + strings.ReplaceAll(string(key), " ", "-"), Title: title, Budget: budget,
		Probe: func(ctx context.Context) (op.State, error) {
			state, _, err := e.imageState(ctx, key)
			return state, err
		},
		Changes: func(ctx context.Context) []string {
			_, line, _ := e.imageState(ctx, key) // the probe has said what is wrong
			return []string{line}
		},
		Do: func(ctx context.Context, say op.Say) error {
			image, err := e.settleImage(ctx, key, say)
			if err != nil {
				return err
			}
			record, err := readImages(e.Cluster)
			if err != nil {
				return err
			}
			record.add(key, image)
			return record.write(e.Cluster)
		},
	}
}

// pushHint is how an image comes into the registry by way of a host whose Docker Engine trusts it.
func (e *Env) pushHint(image string) string {
	h := e.Cluster.HostsWith(config.RoleMesosAgent)[0]
	return fmt.Sprintf("build and push it; from a machine whose Docker Engine does not trust %s, by way of a host: `docker save %s | ssh %s@%s 'sudo docker load && sudo docker push %s'`",
		provision.RegistryAddress(e.Cluster), image, e.Cluster.SSH.User, h.Address, image)
}
