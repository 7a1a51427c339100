package clusterfile

import (
	"fmt"
	"slices"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/config/edit"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/op"
)

// mostControl is the most control hosts that a cluster can have: every further one makes each write slower.
const mostControl = 5

// stepOfTwo is a *op.Refusal unless so many control hosts can become so many in one step. The quorum of the masters is changed by
// one at a time: "To increase the quorum by N, repeat this process" (Apache Mesos, Operational Guide, Changing the master quorum).
func stepOfTwo(was, will int) error {
	switch {
	case will < 1:
		return &op.Refusal{Problem: "no control host would be left", Fix: "keep one, or end the cluster with `jomctl destroy`"}
	case will > mostControl:
		return &op.Refusal{Problem: fmt.Sprintf("there would be %d control hosts, and %d are the most", will, mostControl),
			Fix: "more of them make the cluster slower and hardly safer; a dead one is replaced with `jomctl control replace`"}
	case will%2 == 0:
		return &op.Refusal{Problem: fmt.Sprintf("there would be %d control hosts, and they bear no more failures than %d: more than half of them must always agree", will, will-1),
			Fix: "add or remove two at a time"}
	case will-was > 2 || was-will > 2:
		return &op.Refusal{Problem: fmt.Sprintf("from %d control hosts to %d are two steps, as the quorum changes by one at a time", was, will), Fix: "name two hosts now and two in a second command"}
	}
	return nil
}

// AddControl is the cluster file with two further control hosts: 1 become 3, and 3 become 5. What cannot be done is a *op.Refusal.
func AddControl(c *config.Cluster, news []NewHost) (Change, error) {
	if err := ownFile(c); err != nil {
		return Change{}, err
	}
	before, err := record.InstalledOr(c)
	if err != nil {
		return Change{}, err
	}
	count := len(before.HostsWith(config.RoleControl))
	if err := stepOfTwo(count, count+len(news)); err != nil {
		return Change{}, err
	}
	wanted, added := slices.Clone(c.Hosts), []config.Host{}
	for _, n := range news {
		if was, there := before.Host(n.Name); there {
			return Change{}, &op.Refusal{Problem: fmt.Sprintf("%s is in the cluster already, at %s as %v", n.Name, was.Address, was.Roles), Fix: "take another host, or remove it as a Mesos agent first (`jomctl agents remove`)"}
		}
		if old, there := c.Host(n.Name); there { // written by a run that was cut off
			if !old.Is(config.RoleControl) || n.Address != "" && n.Address != old.Address {
				return Change{}, &op.Refusal{Problem: fmt.Sprintf("%s is in %s already, at %s as %v", n.Name, c.File, old.Address, old.Roles), Fix: "take another host"}
			}
			continue
		}
		h := config.Host{Name: n.Name, Address: n.Address, Roles: []config.Role{config.RoleControl}}
		added, wanted = append(added, h), append(wanted, h)
	}
	if counted(c) {
		return localControl(c, news, count+len(news))
	}
	return changeHosts(c, added, func(e *edit.File) error { return e.AddHosts(added) }, wanted)
}

// counted says that the file of target local only gives the number of its hosts.
func counted(c *config.Cluster) bool { return c.Target == config.TargetLocal && !listed(c) }

// localControl changes the number of control hosts of target local, which are called in turn.
func localControl(c *config.Cluster, news []NewHost, count int) (Change, error) {
	more := c.Clone()
	more.Hosts, more.Local.Control = nil, count
	config.Default(more)
	control := more.HostsWith(config.RoleControl)
	for _, n := range news {
		if !slices.ContainsFunc(control[count-len(news):], func(h config.Host) bool { return h.Name == n.Name }) {
			return Change{}, &op.Refusal{Problem: fmt.Sprintf("%s cannot be a control host: %s says how many there are (local.control), and the next ones are %s and %s",
				n.Name, c.File, control[count-2].Name, control[count-1].Name), Fix: "add these, or list all hosts of the cluster under `hosts` in the file"}
		}
	}
	return changeHosts(c, nil, localCount(c, count), more.Hosts)
}

// localCount is the edit of local.control.
func localCount(c *config.Cluster, count int) func(*edit.File) error {
	return func(e *edit.File) error {
		if c.Local.Control == count {
			return nil
		}
		return e.SetNumber("local", "control", count)
	}
}

// RemoveControl is the cluster file with two control hosts less: 5 become 3, and 3 become 1. What cannot be done is a *op.Refusal.
func RemoveControl(c *config.Cluster, names []string) (Change, error) {
	if err := ownFile(c); err != nil {
		return Change{}, err
	}
	before, err := record.InstalledOr(c)
	if err != nil {
		return Change{}, err
	}
	var inFile []string
	for _, name := range names {
		if err := onlyControl(c, before, name); err != nil {
			return Change{}, err
		}
		if _, still := c.Host(name); still { // otherwise a run that was cut off has taken it out
			inFile = append(inFile, name)
		}
	}
	control := before.HostsWith(config.RoleControl)
	count := len(control) - len(names)
	if err := stepOfTwo(len(control), count); err != nil {
		return Change{}, err
	}
	wanted := slices.DeleteFunc(slices.Clone(c.Hosts), func(h config.Host) bool { return slices.Contains(inFile, h.Name) })
	if !counted(c) {
		return changeHosts(c, nil, func(e *edit.File) error { return e.RemoveHosts(inFile) }, wanted)
	}
	for _, h := range control[count:] {
		if !slices.Contains(names, h.Name) {
			return Change{}, &op.Refusal{Problem: fmt.Sprintf("%s says how many control hosts there are (local.control), so that the last ones go first, and %s is one of them", c.File, h.Name),
				Fix: fmt.Sprintf("remove %s and %s, or list all hosts of the cluster under `hosts` in the file", control[count].Name, control[count+1].Name)}
		}
	}
	return changeHosts(c, nil, localCount(c, count), wanted)
}

// onlyControl is a *op.Refusal unless the host is a control host and nothing else.
func onlyControl(c, before *config.Cluster, name string) error {
	switch h, there := before.Host(name); {
	case !there || !h.Is(config.RoleControl):
		return &op.Refusal{Problem: fmt.Sprintf("there is no control host %s in %s", name, c.File), Fix: "they are " + record.ControlNames(before)}
	case h.Is(config.RoleMesosAgent):
		return &op.Refusal{Problem: name + " is a Mesos agent, too, and so cannot go as a control host alone", Fix: "keep Mesos agents on hosts of their own"}
	}
	return nil
}

// ReplaceControl is the cluster file with another host in place of one of several control hosts. What cannot be done is a
// *op.Refusal.
func ReplaceControl(c *config.Cluster, name string, n NewHost) (Change, error) {
	refuse := func(problem, fix string) (Change, error) {
		return Change{}, &op.Refusal{Problem: problem, Fix: fix}
	}
	if c.Target == config.TargetLocal {
		return refuse("the hosts of target local are one machine, so that none of them can be replaced", "`jomctl install` starts again what has ended")
	}
	if err := ownFile(c); err != nil {
		return Change{}, err
	}
	before, err := record.InstalledOr(c)
	if err != nil {
		return Change{}, err
	}
	if err := onlyControl(c, before, name); err != nil {
		return Change{}, err
	}
	if count := len(before.HostsWith(config.RoleControl)); count < 3 {
		return refuse(fmt.Sprintf("a control host can be replaced where there are three or five, and there is %d: the others must go on as a quorum", count),
			"add two more first (`jomctl control add`), or, where its disk is lost, destroy and install again")
	}
	if at := slices.IndexFunc(c.Hosts, func(h config.Host) bool { return h.Name == n.Name }); at >= 0 {
		if _, still := c.Host(name); still || c.Hosts[at].Address != n.Address {
			return refuse(fmt.Sprintf("%s is in %s already", n.Name, c.File), "take another host")
		}
		return changeHosts(c, nil, func(*edit.File) error { return nil }, c.Hosts) // a run that was cut off has written it
	}
	h := config.Host{Name: n.Name, Address: n.Address, Roles: []config.Role{config.RoleControl}}
	wanted := slices.Clone(c.Hosts)
	for i := range wanted {
		if wanted[i].Name == name {
			wanted[i] = h
		}
	}
	return changeHosts(c, []config.Host{h}, func(e *edit.File) error { return e.ReplaceHost(name, h) }, wanted)
}
