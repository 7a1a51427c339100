package clusterfile

import (
	"fmt"
	"os"
	"slices"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/config/edit"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/op"
)

// NewHost is a host that is to come into a cluster. Target local gives the address.
type NewHost struct {
	Name, Address string
	Attributes    map[string]string
}

// AddAgents is the cluster file with further Mesos agents. A host that is there as it is wanted changes nothing, so that a
// command that was cut off can be given again. What cannot be written is a *op.Refusal.
func AddAgents(c *config.Cluster, news []NewHost) (Change, error) {
	wanted, added := slices.Clone(c.Hosts), []config.Host{}
	counted := c.Target == config.TargetLocal && !listed(c)
	for _, n := range news {
		if old, there := c.Host(n.Name); there {
			if !old.Is(config.RoleMesosAgent) || n.Address != "" && n.Address != old.Address {
				return Change{}, &op.Refusal{Problem: fmt.Sprintf("%s is in %s already, at %s as %v", n.Name, c.File, old.Address, old.Roles), Fix: "take another name"}
			}
			continue
		}
		h := config.Host{Name: n.Name, Address: n.Address, Roles: []config.Role{config.RoleMesosAgent}, Attributes: n.Attributes}
		if counted {
			next, err := nextLocal(c, len(added), n)
			if err != nil {
				return Change{}, err
			}
			h = next
		}
		added, wanted = append(added, h), append(wanted, h)
	}
	if err := ownFile(c); err != nil {
		return Change{}, err
	}
	return changeHosts(c, added, func(e *edit.File) error {
		if len(added) == 0 {
			return nil
		}
		if counted {
			return e.SetNumber("local", "agents", len(c.HostsWith(config.RoleMesosAgent))+len(added))
		}
		return e.AddHosts(added)
	}, wanted)
}

// listed says whether a file of target local lists its hosts instead of giving their number.
func listed(c *config.Cluster) bool {
	text, err := os.ReadFile(c.File)
	if err != nil {
		return false
	}
	e, err := edit.Parse(text)
	return err == nil && e.Has("hosts")
}

// nextLocal is the next Mesos agent of a target local that says how many there are: they are called in turn.
func nextLocal(c *config.Cluster, ahead int, n NewHost) (config.Host, error) {
	more := c.Clone()
	more.Hosts, more.Local.Agents = nil, more.Local.Agents+ahead+1
	config.Default(more)
	h := more.Hosts[len(more.Hosts)-1]
	if n.Name != h.Name || n.Address != "" && n.Address != h.Address {
		return h, &op.Refusal{Problem: fmt.Sprintf("%s cannot be added: %s says how many Mesos agents there are (local.agents), and the next one is %s at %s", n.Name, c.File, h.Name, h.Address),
			Fix: "add " + h.Name + ", or list all hosts of the cluster under `hosts` in the file"}
	}
	if len(n.Attributes) > 0 {
		return h, &op.Refusal{Problem: n.Name + " cannot have attributes: " + c.File + " only says how many Mesos agents there are (local.agents)",
			Fix: "list all hosts of the cluster under `hosts` in the file"}
	}
	return h, nil
}

// RemoveAgents is the cluster file without these Mesos agents. One that is not in the file, but is installed, is left from
// a removal that was cut off. What cannot be done is a *op.Refusal.
func RemoveAgents(c *config.Cluster, names []string) (Change, error) {
	agents := c.HostsWith(config.RoleMesosAgent)
	counted := c.Target == config.TargetLocal && !listed(c)
	var gone []string
	for _, name := range names {
		h, there := c.Host(name)
		switch {
		case !there && !wasInstalled(c, name):
			return Change{}, NoAgent(c, name)
		case !there:
			continue
		case !h.Is(config.RoleMesosAgent):
			return Change{}, &op.Refusal{Problem: name + " is no Mesos agent but a control host", Fix: "see `jomctl control --help`"}
		case h.Is(config.RoleControl):
			return Change{}, &op.Refusal{Problem: name + " is a control host, too, so that it cannot go", Fix: "take the role mesos-agent away from it in " + c.File}
		}
		gone = append(gone, name)
	}
	if len(gone) == len(agents) {
		return Change{}, &op.Refusal{Problem: "no Mesos agent would be left, and so nothing that the controller could run on", Fix: "keep one, or end the cluster with `jomctl destroy`"}
	}
	if counted {
		for i := range gone {
			if last := agents[len(agents)-1-i].Name; !slices.Contains(gone, last) {
				return Change{}, &op.Refusal{Problem: fmt.Sprintf("%s cannot be removed: %s says how many Mesos agents there are (local.agents), so that the last one goes first, which is %s", gone[0], c.File, last),
					Fix: "remove " + last + ", or list all hosts of the cluster under `hosts` in the file"}
			}
		}
	}
	if err := ownFile(c); err != nil {
		return Change{}, err
	}
	wanted := slices.DeleteFunc(slices.Clone(c.Hosts), func(h config.Host) bool { return slices.Contains(gone, h.Name) })
	return changeHosts(c, nil, func(e *edit.File) error {
		if counted && len(gone) > 0 {
			return e.SetNumber("local", "agents", len(agents)-len(gone))
		}
		return e.RemoveHosts(gone)
	}, wanted)
}

// WithRemoved is a cluster with those of the named hosts that a removal which was cut off has taken out of its file, and that are still installed.
func WithRemoved(c *config.Cluster, names []string) (*config.Cluster, error) {
	all := c.Clone()
	for _, name := range names {
		if _, there := all.Host(name); there {
			continue
		}
		old, err := record.Installed(c.File)
		if err != nil {
			return nil, err
		}
		h, was := old.Host(name)
		if !was {
			return nil, NoAgent(c, name)
		}
		all.Hosts = append(all.Hosts, h)
	}
	return all, nil
}

// NoAgent is the refusal of a name that no Mesos agent has; it says which Mesos agents there are.
func NoAgent(c *config.Cluster, name string) error {
	var names []string
	for _, h := range c.HostsWith(config.RoleMesosAgent) {
		names = append(names, h.Name)
	}
	return &op.Refusal{Problem: fmt.Sprintf("there is no Mesos agent %s in %s", name, c.File), Fix: fmt.Sprintf("they are %v", names)}
}

func wasInstalled(c *config.Cluster, name string) bool {
	old, err := record.Installed(c.File)
	if err != nil {
		return false
	}
	_, there := old.Host(name)
	return there
}

// ownFile refuses targets whose hosts are not those of the file.
func ownFile(c *config.Cluster) error {
	if c.Target.FromTerraform() {
		return &op.Refusal{Problem: fmt.Sprintf("the machines of target %s are Terraform's, and this version of jomctl does not add or remove single ones", c.Target),
			Fix: "drain what has to go with `jomctl agents drain`, change `machines` in " + c.File + " and run `jomctl install`"}
	}
	return nil
}
