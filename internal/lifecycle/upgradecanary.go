package lifecycle

import (
	"context"
	"errors"
	"fmt"

	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/op"
)

// canaryPrefix is that of the labels and jobs of the canary.
const canaryPrefix = "jomctl-canary-"

// Canary lets every template start a build agent under a label that no other job has.
func (u *Upgrade) Canary(ctx context.Context, say op.Say) error {
	e := u.New
	cloud, err := e.cloud()
	if err != nil {
		return err
	}
	cloud.Exclusive = true
	cloud.Templates = append(cloud.Templates[:0:0], cloud.Templates...)
	for i := range cloud.Templates {
		cloud.Templates[i].Label = fmt.Sprintf("%s%d", canaryPrefix, i+1)
	}
	casc, err := jenkins.Casc(cloud)
	if err != nil {
		return err
	}
	client, err := e.Jenkins()
	if err != nil {
		return err
	}
	defer client.Close()
	if err := u.load(ctx, client, casc); err != nil {
		return err
	}
	if err := client.CancelQuietDown(ctx); err != nil {
		return err
	}
	u.canaries = nil
	names := make([]string, len(cloud.Templates))
	for i, template := range cloud.Templates {
		names[i] = template.Label
		if err := client.DeleteJob(ctx, template.Label); err != nil { // of a canary that was cut off
			return err
		}
		if err := client.EnsureJob(ctx, template.Label, jenkins.FreestyleJob(template.Label, "echo the new version starts build agents", "proves a template after an upgrade")); err != nil {
			return err
		}
		if err := client.Ask(ctx, template.Label, nil); err != nil {
			return err
		}
	}
	for i, name := range names {
		build, err := u.canaryBuild(ctx, client, name, say)
		if err != nil {
			return fmt.Errorf("the canary on template %s: %w", e.Cluster.Jenkins.Cloud.Templates[i].Label, err)
		}
		u.canaries = append(u.canaries, build)
	}
	if err := client.QuietDown(ctx, "The new version is proven; its queue opens at once."); err != nil {
		return err
	}
	for _, name := range names {
		if err := client.DeleteJob(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// canaryBuild waits until the newest build of a canary's job has succeeded on a build agent.
func (u *Upgrade) canaryBuild(ctx context.Context, client *jenkins.Client, name string, say op.Say) (jenkins.ProofBuild, error) {
	var found jenkins.Build
	err := wait(ctx, say, func(ctx context.Context) error {
		build, err := client.Build(ctx, name, 1)
		if jenkins.IsNotFound(err) {
			return fmt.Errorf("%s waits for a build agent", name)
		}
		if err == nil && build.Building {
			err = fmt.Errorf("%s builds", name)
		}
		found = build
		return err
	})
	switch {
	case err != nil:
		return jenkins.ProofBuild{}, err
	case found.Result != "SUCCESS":
		return jenkins.ProofBuild{}, fmt.Errorf("its build ended with %s", found.Result)
	case found.Node == "":
		return jenkins.ProofBuild{}, errors.New("its build ran on the controller and not on a build agent")
	}
	return jenkins.ProofBuild{Job: name, Number: 1, Node: found.Node, Started: found.Started, Duration: found.Duration, Result: found.Result}, nil
}

// recordProof records the canary as the proof of what runs now, so that the next install finds nothing to do.
func (u *Upgrade) recordProof(ctx context.Context) error {
	if record, ok := u.New.LastProof(); ok {
		if digest, err := u.New.deployed(ctx); err == nil && record.Digest == digest {
			return nil
		}
	}
	proof := jenkins.Proof{Passed: true, Builds: u.canaries, AtOnce: 1, Returned: true, Notes: []string{"by an upgrade: a build on an agent of each template"}}
	for _, build := range u.canaries {
		proof.Agents = append(proof.Agents, build.Node)
	}
	return u.New.record(ctx, proof)
}
