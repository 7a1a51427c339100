package machines

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/op"
)

// refused is what the file takes away from a cluster that lives, which must not reach Terraform.
func (m *Machines) refused() error {
	have := inventory.Machines{Hosts: m.now}
	if len(m.kept.Hosts) > 0 {
		have = m.kept
	}
	if len(have.Hosts) == 0 {
		return nil
	}
	if err := have.Fill(m.cluster); err != nil {
		var notMade *inventory.NotMadeError // new hosts
		if !errors.As(err, &notMade) {
			return err
		}
	}
	return unmoved(m.cluster)
}

// unmoved refuses hosts that went, or went elsewhere, though the cluster lives on them.
func unmoved(c *config.Cluster) error {
	old, err := record.Installed(c.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	d := record.Difference{File: c.File}
	d.Compare("name", old.Name, c.Name, "the app and the framework are named after it")
	d.Compare("target", string(old.Target), string(c.Target), "the cluster lives on those hosts")
	if len(d.Findings) == 0 {
		d.Hosts(old, c)
	}
	var problems []string
	for _, f := range d.Findings {
		problems = append(problems, f.Subject+": "+f.Problem)
	}
	if len(problems) == 0 {
		return nil
	}
	return &op.Refusal{Problem: strings.Join(problems, "\n"), Fix: d.Findings[0].Fix}
}

// machineAddress is a machine in a plan of Terraform; other resources of a host may come and go.
var machineAddress = regexp.MustCompile(`^(?:terraform_data|aws_instance|openstack_compute_instance_v2)\.host\["([^"]+)"\]$`)

func machinesIn(addresses ...[]string) []string {
	var names []string
	for _, address := range slices.Concat(addresses...) {
		if found := machineAddress.FindStringSubmatch(address); found != nil {
			names = append(names, found[1])
		}
	}
	return names
}

// refuseLoss stops a plan that would take machines from under a cluster that lives.
func (m *Machines) refuseLoss() error {
	old, err := record.Installed(m.cluster.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	lost := slices.DeleteFunc(machinesIn(m.plan.Replace, m.plan.Destroy), func(name string) bool {
		_, installed := old.Host(name)
		return !installed
	})
	if len(lost) == 0 {
		return nil
	}
	return &op.Refusal{Problem: fmt.Sprintf("Terraform would remove these machines or make them anew, with the loss of all that is on them: %s", strings.Join(lost, ", ")),
		Fix: "set back what was changed in `machines` or `hosts` of " + m.cluster.File + ", or end the cluster first (`jomctl destroy`, with all its data)"}
}

// lost are the machines to be made that the cluster had already: somebody has removed them behind its back.
func (m *Machines) lost() []string {
	old, err := record.Installed(m.cluster.File)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(machinesIn(m.plan.Create), func(name string) bool {
		_, installed := old.Host(name)
		_, made := m.kept.Host(name)
		return !installed || !made
	})
}
