package lifecycle

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

// pullBudget is how long one host may take for all images.
const pullBudget = time.Hour

// PullStage brings images to every Mesos agent, all at once, so that nothing waits for them after it was stopped. images gives them as
// REPOSITORY@sha256:DIGEST; its error means that they are not known yet.
func (e *Env) PullStage(images func() ([]string, error)) op.Stage {
	stage := op.Stage{Name: "Images on the Mesos agents", Parallel: true}
	for _, h := range e.Cluster.HostsWith(config.RoleMesosAgent) {
		stage.Steps = append(stage.Steps, e.pullStep(h, images))
	}
	return stage
}

// serviceStages start what tasks need. In a cluster that serves, a Mesos agent that comes new is offered as soon as it has registered: so
// its host has the images before.
func (e *Env) serviceStages() []op.Stage {
	registry, images := e.serviceSteps(provision.RoleRegistry), e.imageStages()
	programs := op.Stage{Name: "Mesos agents, Marathon, edge", Parallel: true, Steps: slices.Concat(e.agentSteps(), e.marathonSteps(), e.serviceSteps(provision.RoleEdge))}
	if len(images) == 0 || e.fresh() {
		programs.Steps = append(programs.Steps, registry...)
		return append([]op.Stage{programs}, images...)
	}
	if len(registry) > 0 {
		images = append([]op.Stage{{Name: "Registry", Steps: registry}}, images...)
	}
	return append(images, programs)
}

func (e *Env) pullStep(h config.Host, images func() ([]string, error)) op.Step {
	machine := func() host.Machine { return e.Fleet.Machine(h.Name) }
	missing := func(ctx context.Context) ([]string, bool, error) {
		wanted, err := images()
		if err != nil || !e.own.known() {
			return nil, false, nil // without programs there is no Docker Engine to ask either
		}
		missing, err := notPulled(ctx, machine(), wanted)
		return missing, true, err
	}
	return op.Step{ID: "pull-" + h.Name, Title: "images on " + h.Name, Budget: pullBudget,
		Probe: func(ctx context.Context) (op.State, error) {
			missing, known, err := missing(ctx)
			if !known || err != nil {
				return op.Later, nil // an engine that does not run is started before
			}
			return op.NeededUnless(len(missing) == 0), nil
		},
		Changes: func(ctx context.Context) []string {
			missing, _, _ := missing(ctx) // the probe has said what is wrong
			var lines []string
			for _, image := range missing {
				lines = append(lines, h.Name+": pull "+image)
			}
			return lines
		},
		Do: func(ctx context.Context, say op.Say) error {
			missing, known, err := missing(ctx)
			if err == nil && !known {
				err = errNoImages
			}
			for _, image := range missing {
				if err := e.Pull(ctx, machine(), image, say); err != nil {
					return err
				}
			}
			return err
		},
	}
}

// notPulled are those of the images that a host does not have.
func notPulled(ctx context.Context, m host.Machine, images []string) ([]string, error) {
	const script = `docker version >/dev/null || exit 1
for image in "$@"; do docker image inspect "$image" >/dev/null 2>&1 || echo "$image"; done`
	out, err := host.Ask(ctx, m, append([]string{"sh", "-c", script, "sh"}, images...)...)
	if err != nil {
		return nil, fmt.Errorf("ask the Docker Engine of host %s for its images: %w", m.Name(), err)
	}
	return strings.Fields(out.Stdout), nil
}

const pullScript = `if [ -n "$3" ]; then set -- "$1" "$2" --config "$3"; else set -- "$1" "$2"; fi
image=$1 log=$2; shift 2
docker "$@" pull "$image" >"$log" 2>&1 || { code=$?; tail -n 3 "$log" >&2; rm -f "$log"; exit $code; }; rm -f "$log"`

// Pull brings an image, REPOSITORY@sha256:DIGEST, to a host, and tells how far it is.
func (e *Env) Pull(ctx context.Context, m host.Machine, image string, say op.Say) error {
	_, digest, _ := strings.Cut(image, "@sha256:")
	log, login := host.Path(m, ".pull-"+shortID(digest)), ""
	if e.loginFor(image) {
		login = provision.DockerLogin(m)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := m.Run(ctx, "sh", "-c", pullScript, "sh", image, log, login)
		ended <- err
	}()
	p := progress{image: image, sizes: e.layers(ctx, image)}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	said := ""
	for {
		select {
		case err := <-ended:
			if err != nil {
				return fmt.Errorf("pull %s: %w", image, err)
			}
			return nil
		case <-ticker.C:
		}
		text, err := m.ReadFile(ctx, log)
		if err != nil {
			continue // not begun, or just ended
		}
		if now := p.of(string(text)); now != "" && now != said {
			said = now
			say("%s", now)
		}
	}
}

// layers are the sizes of an image's layers in bytes, by what docker calls them; none where its registry does not tell this machine.
func (e *Env) layers(ctx context.Context, image string) map[string]int64 {
	sizes := map[string]int64{}
	ref, err := e.parse(image)
	if err != nil {
		return sizes
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	found, err := remote.Image(ref, e.askRegistry(ctx)...)
	if err != nil {
		return sizes
	}
	manifest, err := found.Manifest()
	if err != nil {
		return sizes
	}
	for _, layer := range manifest.Layers {
		sizes[shortID(layer.Digest.Hex)] = layer.Size
	}
	return sizes
}

// shortID is what docker shows of a digest.
func shortID(digest string) string { return digest[:min(12, len(digest))] }

// progress reads what `docker pull` says.
type progress struct {
	image string
	sizes map[string]int64
}

// of is how far a pull is; empty before it says anything of layers.
func (p progress) of(text string) string {
	state := map[string]string{}
	for line := range strings.Lines(text) {
		if id, now, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && len(id) == 12 {
			state[id] = now
		}
	}
	if len(state) == 0 {
		return ""
	}
	var here, all int64
	count := 0
	for id, now := range state {
		all += p.sizes[id]
		if now == "Download complete" || now == "Pull complete" || now == "Already exists" {
			here += p.sizes[id]
			count++
		}
	}
	short := p.image[strings.LastIndex(p.image, "/")+1:]
	short = short[:min(len(short), strings.Index(short+"@", "@")+1+len("sha256:")+12)]
	line := fmt.Sprintf("%s: %d of %d layers", short, count, len(state))
	if all > 0 {
		line += fmt.Sprintf(", %d of %d MiB", here>>20, all>>20)
	}
	return line
}
