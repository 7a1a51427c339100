package lifecycle

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/terraform"
)

// machineList are the machines as they were read from Terraform last. Every command but install goes by it.
type machineList struct {
	// Making are hosts whose machine this cluster has begun to make and has not logged in to yet. Only their keys are pinned
	// without a question. It is written before Terraform begins.
	Making []string         `json:"making,omitempty"`
	Hosts  []terraform.Host `json:"hosts"`
}

// inventoryFile is where it is kept.
func inventoryFile(c *config.Cluster) string { return filepath.Join(c.StateDir(), "inventory.json") }

// fromTerraform says that the addresses of the hosts are not in the cluster file.
func fromTerraform(c *config.Cluster) bool {
	return c.Target.FromTerraform() || c.Target == config.TargetHosts && c.HostsFrom != nil
}

// readInventory returns what is kept; the error is fs.ErrNotExist where there is nothing yet.
func readInventory(c *config.Cluster) (machineList, error) {
	data, err := os.ReadFile(inventoryFile(c))
	if err != nil {
		return machineList{}, fmt.Errorf("read the inventory of the machines: %w", err)
	}
	var inv machineList
	if err := json.Unmarshal(data, &inv); err != nil {
		return machineList{}, &Refusal{Problem: fmt.Sprintf("the inventory of the machines, %s, cannot be read: %v", inventoryFile(c), err),
			Fix: "remove the file and run `jomctl install`, which reads it from Terraform again"}
	}
	return inv, nil
}

func (inv machineList) write(c *config.Cluster) error {
	data, err := json.MarshalIndent(inv, "", "  ")
	if err != nil {
		return err
	}
	return writeHere(inventoryFile(c), append(data, '\n'), 0o600)
}

func (inv machineList) host(name string) (terraform.Host, bool) {
	for _, h := range inv.Hosts {
		if h.Name == name {
			return h, true
		}
	}
	return terraform.Host{}, false
}

// notMadeError says that there is a host without a machine.
type notMadeError struct{ Refusal }

// knowMachines gives the hosts of a cluster their addresses, as they are kept.
func knowMachines(c *config.Cluster) error {
	if !fromTerraform(c) {
		return nil
	}
	inv, err := readInventory(c)
	if errors.Is(err, fs.ErrNotExist) {
		return &notMadeError{Refusal{Problem: fmt.Sprintf("the machines of cluster %s are not known yet", c.Name),
			Fix: "run `jomctl install`, which makes them or reads them from Terraform"}}
	}
	if err != nil {
		return err
	}
	return inv.fill(c)
}

// fill writes the addresses into the cluster, and with hostsFrom the hosts themselves. Hosts without a machine are left as they
// are and named in the error.
func (inv machineList) fill(c *config.Cluster) error {
	if !c.Target.FromTerraform() {
		return inv.fillHosts(c)
	}
	var missing []string
	for i, h := range c.Hosts {
		made, ok := inv.host(h.Name)
		if !ok {
			missing = append(missing, h.Name)
			continue
		}
		c.Hosts[i].Address = made.Address
	}
	if len(missing) > 0 {
		return &notMadeError{Refusal{Problem: fmt.Sprintf("there are no machines yet for the hosts %v", missing), Fix: "run `jomctl install`, which makes them"}}
	}
	config.Default(c) // the registry's address is that of a host
	return nil
}

// fillHosts makes the hosts of hostsFrom, and checks them as those of a file are checked.
func (inv machineList) fillHosts(c *config.Cluster) error {
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
		return &Refusal{Problem: fmt.Sprintf("output %q of the Terraform in %s gives hosts that cannot be used: %v", c.HostsFrom.Output, c.HostsFrom.Terraform, err),
			Fix: "mend the output and apply it; roles are " + string(config.RoleControl) + " and " + string(config.RoleMesosAgent)}
	}
	return nil
}

// declared is the cluster as a file may say it: without what Terraform gave.
func declared(c *config.Cluster) *config.Cluster {
	if !fromTerraform(c) {
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

// reach are the inventory's facts about logging in; empty for hosts that the file gives.
func reach(c *config.Cluster) (machineList, error) {
	if !fromTerraform(c) {
		return machineList{}, nil
	}
	return readInventory(c)
}

// options are how a host is logged in to.
func (inv machineList) options(c *config.Cluster, h config.Host, access Access, jump *host.Remote) host.Options {
	o := host.Options{Name: h.Name, Address: h.Address, User: c.SSH.User, Port: c.SSH.Port,
		IdentityFile: identityFile(c), KnownHosts: c.Resolve(c.SSH.KnownHosts), Passphrase: access.Passphrase, Jump: jump}
	made, ok := inv.host(h.Name)
	if !ok {
		return o
	}
	if made.SSHAddress != "" && jump == nil { // a jump host is inside
		o.Address, o.ClusterAddress = made.SSHAddress, h.Address
	}
	if made.User != "" {
		o.User = made.User
	}
	if made.Port != 0 {
		o.Port = made.Port
	}
	return o
}
