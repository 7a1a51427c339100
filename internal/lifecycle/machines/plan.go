// Package machines makes the machines of a cluster with Terraform and removes them: a plan is shown and then carried out, new machines are met, and
// a plan that would take machines from under a cluster that lives is refused.
package machines

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision/terraform"
)

// driver is what makes machines: a terraform.Driver.
type driver interface {
	Plan(ctx context.Context) (*terraform.Plan, error)
	PlanDestroy(ctx context.Context) (*terraform.Plan, error)
	Apply(ctx context.Context, p *terraform.Plan) error
	Inventory(ctx context.Context) ([]terraform.Host, error)
}

var _ driver = (*terraform.Driver)(nil)

// Machines are the machines that Terraform makes for a cluster, with the plan of what it would change.
type Machines struct {
	cluster *config.Cluster
	access  inventory.Access
	driver  driver
	plan    *terraform.Plan
	kept    inventory.Machines
	// now are the machines that Terraform's state has.
	now []terraform.Host
	// notes are for after the run.
	notes []string
	// applied and gone say that the plan was carried out in this run.
	applied, gone bool
	// meet waits for a new machine.
	meet func(ctx context.Context, o host.Options, say op.Say) error

	mu  sync.Mutex
	say op.Say
}

// Error is an error of Terraform with the exit code that belongs to it. Its way out is Terraform's.
type Error struct {
	err  error
	code int
}

// Error is Terraform's.
func (e *Error) Error() string { return e.err.Error() }

// Unwrap returns it.
func (e *Error) Unwrap() error { return e.err }

// ExitCode is 5 for a locked state and 3 where nothing was begun.
func (e *Error) ExitCode() int { return e.code }

// withCode gives an error of Terraform its exit code.
func withCode(err error) error {
	var program *terraform.ProgramError
	var locked *terraform.LockedError
	var state *terraform.StateError
	switch {
	case errors.As(err, &locked):
		return &Error{err, 5}
	case errors.As(err, &program), errors.As(err, &state):
		return &Error{err, 3}
	}
	return err
}

// Offer is what can be downloaded where an error of Plan or PlanEnd is that there is no Terraform for the
// machines that jomctl makes; nil for any other error, and where the cluster file names the program.
func Offer(c *config.Cluster, err error) *terraform.Offer {
	var missing *terraform.ProgramError
	if !errors.As(err, &missing) || missing.Named || !c.Target.FromTerraform() {
		return nil
	}
	offer, err := terraform.NewOffer()
	if err != nil {
		return nil
	}
	return &offer
}

// Plan looks at the machines of a cluster before its hosts are opened, and changes none. It is nil where the hosts are
// not jomctl's to make; hosts from the user's own Terraform are read and kept. What is wrong with Terraform or its state has
// exit code 3, a locked state 5.
func Plan(ctx context.Context, c *config.Cluster, access inventory.Access) (*Machines, error) {
	if !inventory.FromTerraform(c) {
		return nil, nil
	}
	if !c.Target.FromTerraform() {
		return nil, withCode(readHosts(ctx, c, access))
	}
	m, err := newMachines(ctx, c, access)
	if err != nil {
		return nil, withCode(err)
	}
	if err := m.refused(); err != nil {
		return nil, err
	}
	if m.plan, err = m.driver.Plan(ctx); err != nil {
		return nil, withCode(err)
	}
	if err := m.refuseLoss(); err != nil {
		return nil, errors.Join(err, m.Discard())
	}
	return m, nil
}

// readHosts reads the hosts of the user's own Terraform and keeps them.
func readHosts(ctx context.Context, c *config.Cluster, access inventory.Access) error {
	from := c.HostsFrom
	found, err := terraform.InventoryOf(ctx, c.Resolve(from.Terraform), from.Output, c.Resolve(from.Program))
	if err != nil {
		return err
	}
	inv := inventory.Machines{Hosts: found}
	if err := inv.Fill(c); err != nil {
		return err
	}
	if err := unmoved(c); err != nil {
		return err
	}
	access.Tell("%d hosts from output %s of %s", len(found), from.Output, from.Terraform)
	return inv.Write(c)
}

// newMachines starts Terraform in the cluster's own folder.
func newMachines(ctx context.Context, c *config.Cluster, access inventory.Access) (*Machines, error) {
	m := &Machines{cluster: c, access: access}
	m.say = func(format string, args ...any) {
		if line := fmt.Sprintf(format, args...); strings.HasPrefix(line, "- Installing") { // takes minutes for a cloud's provider
			access.Tell("Terraform: %s", strings.TrimPrefix(line, "- "))
		}
	}
	key, err := publicKey(c)
	if err != nil {
		return nil, err
	}
	kept, keptErr := inventory.Read(c)
	if keptErr != nil && !errors.Is(keptErr, fs.ErrNotExist) {
		return nil, keptErr
	}
	m.kept = kept
	start := func(have []terraform.Host) (driver, error) {
		return terraform.New(ctx, terraform.Options{Dir: terraformDir(c), Target: string(c.Target), Variables: variables(c, key, have),
			Backend: backend(c), Program: c.Resolve(c.Machines.Terraform), Progress: m.progress})
	}
	if m.driver, err = start(kept.Hosts); err != nil {
		return nil, err
	}
	m.saying(nil)
	if m.now, err = m.driver.Inventory(ctx); err != nil {
		return nil, err
	}
	if keptErr != nil && len(m.now) > 0 { // the file is lost, and the numbers of the hosts are in the state, too
		if m.driver, err = start(m.now); err != nil {
			return nil, err
		}
	}
	m.meet = func(ctx context.Context, o host.Options, say op.Say) error {
		note, err := meet(ctx, c, o, say)
		m.note(note)
		return err
	}
	return m, nil
}

func terraformDir(c *config.Cluster) string {
	return filepath.Join(c.StateDir(), "terraform", string(c.Target))
}

func backend(c *config.Cluster) *terraform.Backend {
	b := c.Machines.Backend
	if b == nil {
		return nil
	}
	return &terraform.Backend{Type: b.Type, ConfigFile: c.Resolve(b.ConfigFile)}
}

// variables are the inputs of the module.
func variables(c *config.Cluster, key string, have []terraform.Host) terraform.Variables {
	var wanted []terraform.HostVar
	for _, h := range c.Hosts {
		one := terraform.HostVar{Name: h.Name, Attributes: h.Attributes}
		for _, role := range h.Roles {
			one.Roles = append(one.Roles, string(role))
		}
		wanted = append(wanted, one)
	}
	m := c.Machines
	return terraform.Variables{Cluster: c.Name, Hosts: terraform.Number(wanted, have), SSHPublicKey: key, SSHUser: c.SSH.User, CIDR: m.Network,
		AdminCIDRs: m.Admin, Image: m.Image, Flavor: m.Flavor, DiskGiB: int((m.Disk + config.GiB - 1) / config.GiB), Region: m.Region, Options: m.Options}
}

// progress passes on what Terraform does to whoever listens now.
func (m *Machines) progress(line string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.say != nil {
		m.say("%s", line)
	}
}

func (m *Machines) saying(say op.Say) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.say = say
}

func (m *Machines) note(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if text != "" {
		m.notes = append(m.notes, text)
	}
}

// Notes say whose keys were pinned without a question, and what else the inventory means for the one who runs jomctl.
func (m *Machines) Notes() []string {
	notes := slices.Clone(m.notes)
	slices.Sort(notes)
	for _, h := range m.kept.Hosts {
		if h.SSHAddress != "" && h.SSHAddress != h.Address {
			return append(notes, fmt.Sprintf("SSH goes to other addresses (%s is %s) than the cluster's own traffic (%s): ZooKeeper, Mesos, Marathon and Jenkins are asked at the latter, "+
				"so this machine must reach that network, by a VPN or from within", h.Name, h.SSHAddress, h.Address))
		}
	}
	return notes
}
