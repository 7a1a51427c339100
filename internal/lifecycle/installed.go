package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/lifecycle/war"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/wholefile"
	"github.com/jomctl/jomctl/provision"
)

// recordStep keeps the copy. It comes before anything is started, so that whatever runs can be found again.
func (e *Env) recordStep() op.Step {
	path, text := record.InstalledFile(e.Cluster.StateDir()), record.InstalledText(e.Cluster)
	return op.Step{ID: "record", Title: "Record of what is installed",
		Probe: func(context.Context) (op.State, error) {
			old, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				return op.Needed, nil
			}
			if _, missing := os.Stat(record.IDFile(e.Cluster)); e.own != nil && missing != nil {
				return op.Needed, nil
			}
			return op.NeededUnless(bytes.Equal(old, text)), err
		},
		Changes: func(context.Context) []string { return []string{"write " + path} },
		Do: func(context.Context, op.Say) error {
			if e.own != nil {
				if err := wholefile.Put(record.IDFile(e.Cluster), []byte(record.ClusterID(e.Cluster)+"\n"), 0o600); err != nil {
					return err
				}
			}
			return wholefile.Put(path, text, 0o600)
		},
	}
}

// changed lists what the file says otherwise than what is installed and that cannot be carried out on a cluster that lives.
// Everything else is carried out by the plan.
func (e *Env) changed() ([]provision.Finding, error) {
	old, err := e.recorded.Installed(e.Cluster.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if findings, err := e.cutOff(); err != nil || len(findings) > 0 {
		return findings, err
	}
	d := record.Difference{File: e.Cluster.File, Intended: e.intended}
	was, is := old.Jenkins, e.Cluster.Jenkins
	d.Compare("name", old.Name, e.Cluster.Name, "the app and the framework are named after it")
	d.Compare("target", string(old.Target), string(e.Cluster.Target), "the cluster lives on those hosts")
	if len(d.Findings) > 0 {
		return d.Findings, nil
	}
	if record.Moved(old, e.Cluster) && e.own == nil && old.Local.Address != e.Cluster.Local.Address {
		d.Compare("local.address", old.Local.Address, e.Cluster.Local.Address, "ZooKeeper, the masters and the home know each other by it")
	} else {
		d.Hosts(old, e.Cluster)
	}
	d.Compare("components.mesos.source", kindOf(old.Components.Mesos.Source.Standin), kindOf(e.Cluster.Components.Mesos.Source.Standin), "neither reads what the other has kept")
	d.Compare("components.marathon.source", kindOf(old.Components.Marathon.Source.Standin), kindOf(e.Cluster.Components.Marathon.Source.Standin), "neither reads what the other has kept")
	d.Compare("jenkins.war", kindOf(!war.Of(old, e.Release).Real()), kindOf(!war.Of(e.Cluster, e.Release).Real()), "neither reads all of what the other has kept in the home")
	d.Compare("jenkins.admin.user", was.Admin.User, is.Admin.User, "the account is in the home already; make further ones in Jenkins")
	if len(d.Findings) == 0 {
		d.Compare("jenkins.home", homePath(old), homePath(e.Cluster), "the home, with all jobs, stays where it is: keep its host the first Mesos agent, and jenkins.home as it was")
	}
	return d.Findings, nil
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
