// Package inventory says where the hosts of a cluster are and how they are logged in to: the machines as Terraform gave them last, and the
// settings for SSH of the cluster file. It makes no connection.
package inventory

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/wholefile"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/terraform"
)

// Machines are the machines as they were read from Terraform last. Every command but install goes by it.
type Machines struct {
	// Making are hosts whose machine this cluster has begun to make and has not logged in to yet. Only their keys are pinned
	// without a question. It is written before Terraform begins.
	Making []string `json:"making,omitempty"`
	// Hosts are all machines of the cluster.
	Hosts []terraform.Host `json:"hosts"`
}

// File is where the inventory is kept.
func File(c *config.Cluster) string { return filepath.Join(c.StateDir(), "inventory.json") }

// FromTerraform says that the addresses of the hosts are not in the cluster file.
func FromTerraform(c *config.Cluster) bool {
	return c.Target.FromTerraform() || c.Target == config.TargetHosts && c.HostsFrom != nil
}

// Read returns what is kept; the error is fs.ErrNotExist where there is nothing yet.
func Read(c *config.Cluster) (Machines, error) {
	data, err := os.ReadFile(File(c))
	if err != nil {
		return Machines{}, fmt.Errorf("read the inventory of the machines: %w", err)
	}
	var inv Machines
	if err := json.Unmarshal(data, &inv); err != nil {
		return Machines{}, &op.Refusal{Problem: fmt.Sprintf("the inventory of the machines, %s, cannot be read: %v", File(c), err),
			Fix: "remove the file and run `jomctl install`, which reads it from Terraform again"}
	}
	return inv, nil
}

// Write keeps the inventory.
func (inv Machines) Write(c *config.Cluster) error {
	data, err := json.MarshalIndent(inv, "", "  ")
	if err != nil {
		return err
	}
	return wholefile.Put(File(c), append(data, '\n'), 0o600)
}

// Host is the machine of a host, if it is there.
func (inv Machines) Host(name string) (terraform.Host, bool) {
	for _, h := range inv.Hosts {
		if h.Name == name {
			return h, true
		}
	}
	return terraform.Host{}, false
}

// NotMadeError says that there is a host without a machine.
type NotMadeError struct{ op.Refusal }

// Complete gives the hosts of a cluster their addresses, as they are kept. A host without a machine is a *NotMadeError.
func Complete(c *config.Cluster) error {
	if !FromTerraform(c) {
		return nil
	}
	inv, err := Read(c)
	if errors.Is(err, fs.ErrNotExist) {
		return &NotMadeError{op.Refusal{Problem: fmt.Sprintf("the machines of cluster %s are not known yet", c.Name),
			Fix: "run `jomctl install`, which makes them or reads them from Terraform"}}
	}
	if err != nil {
		return err
	}
	return inv.Fill(c)
}

// Fill writes the addresses into the cluster, and with hostsFrom the hosts themselves. Hosts without a machine are left as they
// are and named in the error.
func (inv Machines) Fill(c *config.Cluster) error {
	if !c.Target.FromTerraform() {
		return inv.fillHosts(c)
	}
	var missing []string
	for i, h := range c.Hosts {
		made, ok := inv.Host(h.Name)
		if !ok {
			missing = append(missing, h.Name)
			continue
		}
		c.Hosts[i].Address = made.Address
	}
	if len(missing) > 0 {
		return &NotMadeError{op.Refusal{Problem: fmt.Sprintf("there are no machines yet for the hosts %v", missing), Fix: "run `jomctl install`, which makes them"}}
	}
	config.Default(c) // the registry's address is that of a host
	return nil
}

// fillHosts makes the hosts of hostsFrom, and checks them as those of a file are checked.
func (inv Machines) fillHosts(c *config.Cluster) error {
	c.Hosts = nil
	for _, h := range inv.Hosts {
		one := config.Host{Name: h.Name, Address: h.Address, Attributes: h.Attributes}
		for _, role := range h.Roles {
			one.Roles = append(one.Roles, config.Role(role))
		}
		if one.Is(config.RoleControl) && one.Is(config.RoleMesosAgent) && c.Jenkins.App.HTTPPort == provision.EdgeControllerPort {
			c.Jenkins.App.HTTPPort = 8088 // as the defaults have it where a control host is also a Mesos agent
		}
		c.Hosts = append(c.Hosts, one)
	}
	config.Default(c)
	listed := *c
	listed.HostsFrom = nil
	if err := config.Validate(&listed); err != nil {
		return &op.Refusal{Problem: fmt.Sprintf("output %q of the Terraform in %s gives hosts that cannot be used: %v", c.HostsFrom.Output, c.HostsFrom.Terraform, err),
			Fix: "mend the output and apply it; roles are " + string(config.RoleControl) + " and " + string(config.RoleMesosAgent)}
	}
	return nil
}

// Declared is the cluster as a file may say it: without what Terraform gave.
func Declared(c *config.Cluster) *config.Cluster {
	if !FromTerraform(c) {
		return c
	}
	plain := *c
	if control := c.HostsWith(config.RoleControl); plain.Registry != nil && len(control) > 0 && *plain.Registry == (config.Registry{Address: control[0].Address + ":5000"}) {
		plain.Registry = nil
	}
	plain.Hosts = nil
	if c.Target.FromTerraform() {
		plain.Hosts = slices.Clone(c.Hosts)
		for i := range plain.Hosts {
			plain.Hosts[i].Address = ""
		}
	}
	return &plain
}

// Of is the inventory of a cluster; empty where its file gives the hosts.
func Of(c *config.Cluster) (Machines, error) {
	if !FromTerraform(c) {
		return Machines{}, nil
	}
	return Read(c)
}
