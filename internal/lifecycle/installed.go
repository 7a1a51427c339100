package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

// installedFile is the copy of the cluster file, with all defaults, that the running cluster was made from. It knows what
// has to be found again when the user's file says something else, or is gone.
func installedFile(stateDir string) string { return filepath.Join(stateDir, "installed.yaml") }

// Installed is the cluster that was last installed beside the cluster file. The error is fs.ErrNotExist when there is none.
func Installed(file string) (*config.Cluster, error) {
	path := installedFile((&config.Cluster{File: file}).StateDir())
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading what is installed: %w", err)
	}
	c, err := config.Parse(data, file) // relative paths are those of the user's file
	if err != nil {
		return nil, fmt.Errorf("reading what is installed: %s cannot be used (mend it, or remove it): %w", path, err)
	}
	var unknown *notMadeError
	if err := knowMachines(c); err != nil && !errors.As(err, &unknown) {
		return nil, err
	}
	return c, nil
}

// recordStep keeps the copy. It comes before anything is started, so that whatever runs can be found again.
func (e *Env) recordStep() op.Step {
	path, text := installedFile(e.Cluster.StateDir()), config.Show(declared(e.Cluster))
	return op.Step{ID: "record", Title: "Record of what is installed",
		Probe: func(context.Context) (op.State, error) {
			old, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				return op.Needed, nil
			}
			if _, missing := os.Stat(idFile(e.Cluster)); e.own != nil && missing != nil {
				return op.Needed, nil
			}
			return needed(bytes.Equal(old, text)), err
		},
		Changes: func(context.Context) []string { return []string{"write " + path} },
		Do: func(context.Context, op.Say) error {
			if e.own != nil {
				if err := writeHere(idFile(e.Cluster), []byte(clusterID(e.Cluster)+"\n"), 0o600); err != nil {
					return err
				}
			}
			return writeHere(path, text, 0o600)
		},
	}
}

// changed lists what the file says otherwise than what is installed and that cannot be carried out on a cluster that lives.
// Everything else is carried out by the plan.
func (e *Env) changed() ([]provision.Finding, error) {
	old, err := Installed(e.Cluster.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if findings, err := e.cutOff(); err != nil || len(findings) > 0 {
		return findings, err
	}
	d := difference{file: e.Cluster.File, intended: e.intended}
	was, is := old.Jenkins, e.Cluster.Jenkins
	d.compare("name", old.Name, e.Cluster.Name, "the app and the framework are named after it")
	d.compare("target", string(old.Target), string(e.Cluster.Target), "the cluster lives on those hosts")
	if len(d.findings) > 0 {
		return d.findings, nil
	}
	if moved(old, e.Cluster) && e.own == nil && old.Local.Address != e.Cluster.Local.Address {
		d.compare("local.address", old.Local.Address, e.Cluster.Local.Address, "ZooKeeper, the masters and the home know each other by it")
	} else {
		d.hosts(old, e.Cluster)
	}
	d.compare("components.mesos.source", kindOf(old.Components.Mesos.Source.Standin), kindOf(e.Cluster.Components.Mesos.Source.Standin), "neither reads what the other has kept")
	d.compare("components.marathon.source", kindOf(old.Components.Marathon.Source.Standin), kindOf(e.Cluster.Components.Marathon.Source.Standin), "neither reads what the other has kept")
	d.compare("jenkins.war", kindOf(!warOf(old, e.Release).real()), kindOf(!warOf(e.Cluster, e.Release).real()), "neither reads all of what the other has kept in the home")
	d.compare("jenkins.admin.user", was.Admin.User, is.Admin.User, "the account is in the home already; make further ones in Jenkins")
	if len(d.findings) == 0 {
		d.compare("jenkins.home", homePath(old), homePath(e.Cluster), "the home, with all jobs, stays where it is: keep its host the first Mesos agent, and jenkins.home as it was")
	}
	return d.findings, nil
}

// sibling is the environment of the cluster as it was.
func (e *Env) sibling(c *config.Cluster) (*Env, error) {
	if e.own != nil {
		return lookHosts(c, e.own.access)
	}
	return open(c, e.Programs)
}

func kindOf(standin bool) string {
	if standin {
		return "stand-in"
	}
	return "real"
}

// difference collects what cannot be changed.
type difference struct {
	file string
	// intended are hosts that are meant to come or go.
	intended []string
	findings []provision.Finding
}

func (d *difference) compare(key, was, is, why string) {
	if was != is {
		d.add(key, is, fmt.Sprintf("%s is installed, and this cannot be changed: %s", was, why), "set it back to "+was)
	}
}

func (d *difference) add(key, is, problem, fix string) {
	d.findings = append(d.findings, provision.Finding{Subject: fmt.Sprintf("%s: %s: %s", d.file, key, is), Problem: problem,
		Fix: fix + ", or end the cluster first (`jomctl destroy`, with all its data), or use another folder for another cluster"})
}

// hosts allows that Mesos agents come and go, under names and addresses of their own.
func (d *difference) hosts(old, now *config.Cluster) {
	if was, is := hostNames(old, d.intended...), hostNames(now, d.intended...); was != is {
		d.add("the control hosts", is, was+" is installed, and ZooKeeper's ensemble and the masters' quorum are made of them",
			"go on with a change of them that was cut off (`jomctl resume`), or set it back to "+was+" and see `jomctl control --help`, whose commands change them in the safe order")
	}
	for _, was := range old.HostsWith(config.RoleMesosAgent) {
		if _, stays := now.Host(was.Name); !stays && !slices.Contains(d.intended, was.Name) && now.Target != config.TargetLocal {
			d.add("hosts", "without "+was.Name, "the host is installed, and its builds would be lost", "run `jomctl agents remove "+was.Name+"`, which drains it first")
		}
	}
	for _, h := range now.Hosts {
		for _, was := range old.Hosts {
			switch {
			case was.Name == h.Name && was.Address != h.Address:
				d.add("hosts."+h.Name+".address", h.Address, "the host is installed at "+was.Address, "set it back to "+was.Address)
			case was.Name != h.Name && was.Address == h.Address:
				d.add("hosts."+h.Name+".name", h.Name, "the host at "+h.Address+" is installed as "+was.Name, "set it back to "+was.Name)
			}
		}
	}
}

// moved says that a control host has another address, as all hosts have where local.address was changed.
func moved(old, now *config.Cluster) bool {
	return slices.ContainsFunc(old.HostsWith(config.RoleControl), func(was config.Host) bool {
		is, there := now.Host(was.Name)
		return there && is.Address != was.Address
	})
}

// hostNames are the control hosts but for some.
func hostNames(c *config.Cluster, but ...string) string {
	var names []string
	for _, h := range c.HostsWith(config.RoleControl) {
		if !slices.Contains(but, h.Name) {
			names = append(names, h.Name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
