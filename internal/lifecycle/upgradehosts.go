package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

// documentNow is the controller's app as it has to be.
func (e *Env) documentNow() ([]byte, error) {
	c := e.controller()
	files, err := c.files()
	if err != nil {
		return nil, err
	}
	return c.document(files)
}

// described refuses to describe a controller whose Java is on hosts that nobody has seen.
func (e *Env) described() error {
	if e.own.known() || e.controller().selfContained() {
		return nil
	}
	var problems []string
	for _, finding := range e.findings {
		problems = append(problems, finding.String())
	}
	return fmt.Errorf("the hosts cannot be looked at: %s", strings.Join(problems, "; "))
}

// bringThere makes everything of the new release ready on the hosts while the old one serves.
func (u *Upgrade) bringThere(ctx context.Context, say op.Say) error {
	e := u.New
	if len(e.wanted()) > 0 {
		if err := e.SettleImages(ctx, say); err != nil {
			return err
		}
		if err := e.pullAll(ctx, say); err != nil {
			return err
		}
		u.Store.State.To = e.VersionOf()
	}
	bring := e.bringStep()
	if state, err := bring.Probe(ctx); err != nil || state == op.Done {
		return err
	}
	return bring.Do(ctx, say)
}

// pullAll brings the images to all Mesos agents at once.
func (e *Env) pullAll(ctx context.Context, say op.Say) error {
	images, err := e.RunImages()
	if err != nil {
		return err
	}
	return host.Each(ctx, e.agentMachines(), parallel, func(ctx context.Context, m host.Machine) error {
		missing, err := notPulled(ctx, m, images)
		if err != nil || len(missing) == 0 {
			return err
		}
		if err := e.roomForImages(ctx, m, missing); err != nil {
			return err
		}
		for _, image := range missing {
			err := e.Pull(ctx, m, image, func(format string, args ...any) { say("%s: %s", m.Name(), fmt.Sprintf(format, args...)) })
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (e *Env) agentMachines() (all []host.Machine) {
	for _, h := range e.Cluster.HostsWith(config.RoleMesosAgent) {
		all = append(all, e.Fleet.Machine(h.Name))
	}
	return all
}

// unpacked is how much more room an image takes than the layers that are sent: they are packed, and kept until they are unpacked.
const unpacked = 4

// roomForImages refuses a host whose disk an image would fill.
func (e *Env) roomForImages(ctx context.Context, m host.Machine, images []string) error {
	var need int64
	for _, image := range images {
		for _, size := range e.layers(ctx, image) {
			need += unpacked * size
		}
	}
	out, err := host.Ask(ctx, m, "sh", "-c", `df -Pk -- "$(docker info --format '{{.DockerRootDir}}')" | awk 'END {print $4}'`)
	if err != nil {
		return fmt.Errorf("ask host %s for the room of its Docker Engine: %w", m.Name(), err)
	}
	free, err := strconv.ParseInt(strings.TrimSpace(out.Stdout), 10, 64)
	if err != nil {
		return fmt.Errorf("ask host %s for the room of its Docker Engine: %w", m.Name(), err)
	}
	if free <<= 10; free < need {
		return &Refusal{Problem: fmt.Sprintf("the Docker Engine of %s has %d MiB left, and the new images may take %d MiB", m.Name(), free>>20, need>>20), Fix: "make room there: `docker image prune -a` removes images that no container uses"}
	}
	return nil
}

type adder = func(subject, problem, fix string)

// checkHosts finds what stands against an upgrade on hosts of their own.
func (u *Upgrade) checkHosts(ctx context.Context, add adder) {
	if len(u.Old.findings) > 0 {
		return // that a host cannot be reached is said already, and explains the rest
	}
	if _, err := u.backups.List(ctx); err != nil {
		add("backup", err.Error(), hint(err, "see docs/backup.md"))
	}
	u.checkDeployed(ctx, add)
	u.checkImages(ctx, add)
	m, err := u.Old.homeMachine(ctx)
	if err == nil {
		err = u.roomToRehearse(ctx, m)
	}
	if err != nil {
		add("rehearsal", err.Error(), hint(err, ""))
	}
	lacking, err := u.lackingOld(ctx)
	if err != nil || len(lacking) > 0 {
		add("release that runs", fmt.Sprintf("its war and plugins are not on %s as this jomctl would need them for the way back (%v)", namesOf(lacking), err), "`jomctl install`")
	}
}

func (u *Upgrade) lackingOld(ctx context.Context) ([]host.Machine, error) {
	c := u.Old.controller()
	all, err := c.toBring()
	if err != nil {
		return nil, err
	}
	return c.lacking(ctx, all)
}

func namesOf(machines []host.Machine) string {
	names := make([]string, 0, len(machines))
	for _, m := range machines {
		names = append(names, m.Name())
	}
	return strings.Join(names, ", ")
}

// checkDeployed proves that the way back leads to what runs now.
func (u *Upgrade) checkDeployed(ctx context.Context, add adder) {
	doc, err := u.Old.documentNow()
	if err != nil {
		add("controller", "what runs cannot be described, so that it could not be started again: "+err.Error(), "`jomctl install`")
		return
	}
	app, err := u.Old.Marathon.App(ctx, u.Old.AppID())
	if err != nil {
		return // which is said elsewhere
	}
	if changes, err := cluster.Diff(doc, app.Raw); err != nil || len(changes) > 0 {
		add("controller", fmt.Sprintf("it is deployed in another way than the cluster file says, so that the way back would lead elsewhere: %s %v", strings.Join(changes, "; "), errOrNothing(err)),
			"bring it to what the cluster file says first: `jomctl install`")
	}
}

func errOrNothing(err error) any {
	if err == nil {
		return ""
	}
	return err
}

// checkImages asks from two hosts for the registry, and when the images are known for all of them on every host.
func (u *Upgrade) checkImages(ctx context.Context, add adder) {
	machines, e := u.New.agentMachines(), u.New
	if len(e.wanted()) == 0 {
		return
	}
	if _, own := provision.RegistryHost(e.Cluster); own {
		address := provision.RegistryAddress(e.Cluster)
		name, port, _ := net.SplitHostPort(address)
		for _, m := range machines[:min(2, len(machines))] {
			if err := reaches(ctx, m, name, port); err != nil {
				add("registry", fmt.Sprintf("%s does not reach %s: %v", m.Name(), address, err), "bring it back: `jomctl install`, or `systemctl start jomctl-registry` on its host")
			}
		}
	}
	if u.Store.State.FirstBackup == "" { // the images of the new release are brought before the first backup
		return
	}
	images, err := e.RunImages()
	if err != nil {
		add("images", err.Error(), "run it again")
		return
	}
	for _, m := range machines {
		if missing, err := notPulled(ctx, m, images); err != nil || len(missing) > 0 {
			add("images", fmt.Sprintf("%s does not have %s any more (%v)", m.Name(), strings.Join(missing, ", "), errOrNothing(err)), "run it again, which brings them there")
		}
	}
}

// recordThere lays down on the hosts what names the release, such as the file of the backups, and removes the files of releases before the
// last one.
func (u *Upgrade) recordThere(ctx context.Context, say op.Say) error {
	if u.New.own == nil {
		return nil
	}
	if err := u.LetGo(ctx); err != nil {
		return err
	}
	for _, step := range u.New.fileSteps() {
		state, err := step.Probe(ctx)
		if err == nil && state == op.Needed {
			err = step.Do(ctx, say)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", step.Title, err)
		}
	}
	c := u.New.controller()
	for _, m := range c.on {
		keep := []string{"find", filepath.Dir(c.programDir()), "-mindepth", "1", "-maxdepth", "1", "!", "-path", c.programDir(), "!", "-path", u.Old.controller().programDir(), "-exec", "rm", "-rf", "{}", "+"}
		if _, err := m.Stat(ctx, filepath.Dir(c.programDir())); err != nil {
			continue // a controller in an image has none
		}
		if _, err := m.Run(ctx, keep...); err != nil {
			return fmt.Errorf("remove the files of older releases: %w", err)
		}
	}
	return nil
}

var errNoMemory = errors.New("too little memory")

// roomToRehearse refuses a host that has not the memory for a second controller.
func (u *Upgrade) roomToRehearse(ctx context.Context, m host.Machine) error {
	out, err := host.Ask(ctx, m, "awk", "/^MemAvailable:/ {print $2}", "/proc/meminfo")
	if err != nil {
		return fmt.Errorf("ask host %s for its memory: %w", m.Name(), err)
	}
	free, err := strconv.Atoi(strings.TrimSpace(out.Stdout))
	if err != nil {
		return fmt.Errorf("ask host %s for its memory: %w", m.Name(), err)
	}
	if need := u.New.Cluster.Jenkins.App.Mem.MiB(); free>>10 < need {
		return &hintedError{fmt.Errorf("%w: %s has %d MiB left, and the new version is rehearsed there with %d MiB beside the old one", errNoMemory, m.Name(), free>>10, need), "let builds on that host end, or give it more memory"}
	}
	return nil
}
