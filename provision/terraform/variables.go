package terraform

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

const (
	variablesFile   = "jomctl.auto.tfvars.json"
	inventoryOutput = "inventory"
)

// Variables are the inputs of a module. What is empty is the module's default, and every value ends in the state: no secret is among
// them. The modules check the rest (names, ranges) and say what is wrong.
type Variables struct {
	Cluster string    `json:"cluster"`
	Hosts   []HostVar `json:"hosts"`
	// SSHPublicKey is the content of a .pub file.
	SSHPublicKey string `json:"ssh_public_key"`
	SSHUser      string `json:"ssh_user,omitempty"`
	// CIDR is the hosts' private network.
	CIDR string `json:"cidr,omitempty"`
	// AdminCIDRs may reach SSH, the edge and the registry from outside.
	AdminCIDRs []string   `json:"admin_cidrs,omitempty"`
	TaskPorts  *PortRange `json:"task_ports,omitempty"`
	Image      string     `json:"image,omitempty"`
	Flavor     string     `json:"flavor,omitempty"`
	DiskGiB    int        `json:"disk_gib,omitempty"`
	Region     string     `json:"region,omitempty"`
	// Options are what only one target knows: docker apt_cache; aws zones; openstack external_network.
	Options map[string]string `json:"options,omitempty"`
}

// HostVar is one machine that is wanted.
type HostVar struct {
	Name string `json:"name"`
	// Number is the host's place in the network, 1 to 200, kept for its life (see Number).
	Number     int               `json:"number"`
	Roles      []string          `json:"roles"`
	Attributes map[string]string `json:"attributes,omitempty"`
}

// PortRange is a range of ports, both included.
type PortRange struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// Host is one machine that exists.
type Host struct {
	Name string `json:"name"`
	// Number is 0 in the user's own Terraform.
	Number int `json:"number"`
	// Address is where the cluster's own traffic goes.
	Address string `json:"address"`
	// SSHAddress is set where SSH from outside needs another address than Address.
	SSHAddress string            `json:"ssh_address"`
	Roles      []string          `json:"roles"`
	Attributes map[string]string `json:"attributes"`
	User       string            `json:"user"`
	Port       int               `json:"port"`
}

// Number gives every wanted host its number: the one it has in the inventory, else the lowest that nobody has or had there.
func Number(wanted []HostVar, have []Host) []HostVar {
	used, of := map[int]bool{}, map[string]int{}
	for _, h := range have {
		used[h.Number], of[h.Name] = true, h.Number
	}
	for _, h := range wanted {
		used[h.Number] = true
	}
	numbered := slices.Clone(wanted)
	next := 1
	for i, h := range numbered {
		if n, ok := of[h.Name]; ok && n > 0 {
			numbered[i].Number = n
			continue
		}
		if h.Number > 0 {
			continue
		}
		for used[next] {
			next++
		}
		numbered[i].Number, used[next] = next, true
	}
	return numbered
}

func (v Variables) check() error {
	if strings.Contains(v.SSHPublicKey, "PRIVATE KEY") {
		return fmt.Errorf("the SSH key is a private one, which must never reach Terraform's state: use the .pub file beside it")
	}
	return nil
}

func (v Variables) json() ([]byte, error) {
	v.SSHPublicKey = strings.TrimSpace(v.SSHPublicKey)
	data, err := json.MarshalIndent(v, "", "  ")
	return append(data, '\n'), err
}

// parseInventory reads a list of hosts and reports everything that is wrong with it at once.
func parseInventory(raw json.RawMessage, dir, output string) ([]Host, error) {
	bad := func(reason string) error {
		return &StateError{Dir: dir, Reason: fmt.Sprintf("output %q is no list of hosts: %s", output, reason),
			Fix: `make it a list of objects {name, address, roles, attributes, user, port}; name and address are required`}
	}
	var hosts []Host
	if err := json.Unmarshal(raw, &hosts); err != nil {
		return nil, bad(err.Error())
	}
	names, addresses := map[string]bool{}, map[string]bool{}
	var problems []string
	for i := range hosts {
		h := &hosts[i]
		switch {
		case h.Name == "" || h.Address == "":
			problems = append(problems, fmt.Sprintf("entry %d has no name or no address", i+1))
		case names[h.Name]:
			problems = append(problems, fmt.Sprintf("name %s is there twice", h.Name))
		case addresses[h.Address]:
			problems = append(problems, fmt.Sprintf("address %s is there twice", h.Address))
		}
		names[h.Name], addresses[h.Address] = true, true
		if h.Port == 0 {
			h.Port = 22
		}
	}
	if len(problems) > 0 {
		return nil, bad(strings.Join(problems, "; "))
	}
	return hosts, nil
}
