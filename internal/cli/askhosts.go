package cli

import (
	"errors"
	"fmt"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/ui"
)

const (
	roleControl = "control: ZooKeeper, Mesos master, Marathon"
	roleAgent   = "Mesos agent: runs the controller and the build agents"
	roleBoth    = "both"
)

// hostSteps are the questions about one host.
const hostSteps = 4

// askHosts asks for the hosts one by one. Back goes to the question before, also to that of the host before.
func askHosts(w *wizard) error {
	before := w.answers.Hosts
	for step := 0; ; {
		i := step / hostSteps
		for len(w.answers.Hosts) <= i {
			w.answers.Hosts = append(w.answers.Hosts, config.Host{})
		}
		done, err := w.askHost(i, step%hostSteps)
		switch {
		case errors.Is(err, ui.ErrBack) && step > 0:
			step--
			continue
		case err != nil:
			w.answers.Hosts = before
			return err
		case done:
			return nil
		}
		step++
	}
}

// askHost asks one question about host i; done says that it was the last of all.
func (w *wizard) askHost(i, question int) (done bool, err error) {
	at := fmt.Sprintf("hosts[%d]", i)
	host := func(c *config.Cluster) *config.Host {
		for len(c.Hosts) <= i {
			c.Hosts = append(c.Hosts, config.Host{})
		}
		return &c.Hosts[i]
	}
	switch question {
	case 0:
		return false, w.text(field{label: fmt.Sprintf("Name of host %d", i+1), help: "One machine after the other: 1, 3 or 5 control hosts and at least one Mesos agent.",
			current: func(c *config.Cluster) string { return host(c).Name },
			set:     func(c *config.Cluster, v string) error { host(c).Name = v; return nil }, paths: []string{at + ".name"}})
	case 1:
		return false, w.text(field{label: "Address of " + host(w.answers).Name, current: func(c *config.Cluster) string { return host(c).Address },
			set: func(c *config.Cluster, v string) error { host(c).Address = v; return nil }, paths: []string{at + ".address"}})
	case 2:
		return false, w.askRoles(host(w.answers))
	}
	return w.askMore(i)
}

func (w *wizard) askRoles(h *config.Host) error {
	options := []string{roleControl, roleAgent, roleBoth}
	roles := [][]config.Role{{config.RoleControl}, {config.RoleMesosAgent}, {config.RoleControl, config.RoleMesosAgent}}
	now := roleControl
	switch {
	case h.Is(config.RoleControl) && h.Is(config.RoleMesosAgent):
		now = roleBoth
	case h.Is(config.RoleMesosAgent), len(h.Roles) == 0 && len(w.answers.HostsWith(config.RoleControl)) > 0:
		now = roleAgent
	}
	i, err := w.pick(ui.Question{Label: "Role of " + h.Name, Default: now}, options)
	if err == nil {
		h.Roles = roles[i]
	}
	return err
}

// askMore asks whether there is another host, and says what is still missing when there must be.
func (w *wizard) askMore(i int) (done bool, err error) {
	standing := "no"
	if i+1 < len(w.answers.Hosts) {
		standing = "yes"
	}
	first := w.answers.Clone()
	first.Hosts = first.Hosts[:i+1]
	missing := w.problem(first, "hosts")
	if missing != nil {
		standing = "yes"
	}
	for {
		more, err := w.Confirm(ui.Question{Label: "Another host", Default: standing, Back: true})
		if err != nil || more {
			return false, err
		}
		if missing == nil {
			w.answers.Hosts = first.Hosts
			return true, nil
		}
		w.Say("  %v", missing)
	}
}

// askSSH asks how the hosts are reached.
func (w *wizard) askSSH() error {
	return w.several(
		field{label: "SSH user", help: "An account on all hosts: root, or one that may use sudo without a password.",
			current: func(c *config.Cluster) string { return c.SSH.User },
			set:     func(c *config.Cluster, v string) error { sshOf(c).User = v; return nil }, paths: []string{"ssh.user"}},
		field{label: "File of the private SSH key, or none", none: "none", help: "For example ~/.ssh/id_ed25519; none takes the SSH agent and the usual files.",
			current: func(c *config.Cluster) string { return or(c.SSH.IdentityFile, "none") },
			set:     func(c *config.Cluster, v string) error { sshOf(c).IdentityFile = v; return nil }, paths: []string{"ssh.identityFile"}})
}
