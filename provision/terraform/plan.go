package terraform

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/hashicorp/terraform-exec/tfexec"
)

// Plan is one plan file and what it will do. Each list has addresses of resources in order.
type Plan struct {
	Create, Change, Replace, Destroy []string
	// Outputs are the outputs that change; a plan with these alone changes no machine.
	Outputs []string

	driver       *Driver
	file, digest string
}

// Empty says that applying would change nothing.
func (p *Plan) Empty() bool {
	return len(p.Create)+len(p.Change)+len(p.Replace)+len(p.Destroy)+len(p.Outputs) == 0
}

// Text is the plan for a person: one line that sums up, then one line each.
func (p *Plan) Text() string {
	var b strings.Builder
	if p.Empty() {
		return "Terraform has nothing to change.\n"
	}
	fmt.Fprintf(&b, "Terraform will create %d, change %d, replace %d and destroy %d.\n", len(p.Create), len(p.Change), len(p.Replace), len(p.Destroy))
	for _, part := range []struct {
		sign  string
		names []string
	}{{"+", p.Create}, {"~", p.Change}, {"-/+", p.Replace}, {"-", p.Destroy}} {
		for _, name := range part.names {
			fmt.Fprintf(&b, "  %-3s %s\n", part.sign, name)
		}
	}
	for _, name := range p.Outputs {
		fmt.Fprintf(&b, "  ~   output %s\n", name)
	}
	return b.String()
}

// Discard removes the plan file of a plan that is not wanted.
func (p *Plan) Discard() error { return os.Remove(p.file) }

// Plan compares the machines with the inputs and writes a plan file. It changes nothing. Errors: *LockedError, *StateError (also for
// the state of another cluster), or Terraform's own.
func (d *Driver) Plan(ctx context.Context) (*Plan, error) { return d.plan(ctx, false) }

// PlanDestroy plans the end of all machines; Apply carries it out as any plan.
func (d *Driver) PlanDestroy(ctx context.Context) (*Plan, error) { return d.plan(ctx, true) }

func (d *Driver) plan(ctx context.Context, destroy bool) (*Plan, error) {
	if err := d.checkState(ctx); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(d.options.Dir, "*.tfplan") // mode 0600, which Terraform keeps when it writes into it
	if err != nil {
		return nil, fmt.Errorf("make a plan file: %w", err)
	}
	file.Close()
	p := &Plan{driver: d, file: file.Name()}
	if err := d.write(ctx, p, destroy); err != nil {
		return nil, errors.Join(err, p.Discard())
	}
	return p, nil
}

// write has Terraform write the plan file and reads what is in it.
func (d *Driver) write(ctx context.Context, p *Plan, destroy bool) error {
	l := &listener{progress: d.options.Progress}
	defer d.tf.SetStdout(io.Discard) // PlanJSON leaves its writer to the commands after it
	options := []tfexec.PlanOption{tfexec.Out(p.file), tfexec.Destroy(destroy)}
	var lost []string
	if !destroy {
		var err error
		if lost, err = d.lost(ctx); err != nil {
			return err
		}
		options = append(options, replacing(lost)...)
	}
	if _, err := d.tf.PlanJSON(ctx, l, options...); err != nil {
		return d.explain("plan", err, l.errors)
	}
	content, err := d.tf.ShowPlanFile(ctx, p.file)
	if err != nil {
		return d.explain("read the plan", err, nil)
	}
	p.fill(content, lost)
	p.digest, err = digest(p.file)
	return err
}

// fill sorts the changes by kind. What is lost is created, whatever Terraform calls it.
func (p *Plan) fill(content *tfjson.Plan, lost []string) {
	for _, r := range content.ResourceChanges {
		switch a := r.Change.Actions; {
		case r.Mode == tfjson.DataResourceMode || a.NoOp() || a.Read():
		case a.Replace() && slices.Contains(lost, r.Address):
			p.Create = append(p.Create, r.Address)
		case a.Replace():
			p.Replace = append(p.Replace, r.Address)
		case a.Create():
			p.Create = append(p.Create, r.Address)
		case a.Delete():
			p.Destroy = append(p.Destroy, r.Address)
		default:
			p.Change = append(p.Change, r.Address)
		}
	}
	for name, o := range content.OutputChanges {
		if !o.Actions.NoOp() {
			p.Outputs = append(p.Outputs, name)
		}
	}
	for _, list := range [][]string{p.Create, p.Change, p.Replace, p.Destroy, p.Outputs} {
		slices.Sort(list)
	}
}

// Apply carries out exactly the plan that was shown: its file must be as it was then, and the state too (*StalePlanError). The plan
// file is gone afterwards, whatever came of it. A cancelled ctx interrupts Terraform, which ends what is under way and writes the state.
func (d *Driver) Apply(ctx context.Context, p *Plan) error {
	if p.driver != d {
		return &StalePlanError{Reason: "it was made for other inputs"}
	}
	now, err := digest(p.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &StalePlanError{Reason: "it was applied or thrown away before"}
	case err != nil:
		return fmt.Errorf("read the plan file: %w", err)
	case now != p.digest:
		return &StalePlanError{Reason: filepath.Base(p.file) + " is not the file that was shown"}
	}
	defer os.Remove(p.file)
	l := &listener{progress: d.options.Progress}
	defer d.tf.SetStdout(io.Discard)
	if err := d.tf.ApplyJSON(ctx, l, tfexec.DirOrPlan(p.file)); err != nil {
		return d.explain("apply the plan", err, l.errors)
	}
	return nil
}

func digest(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}
