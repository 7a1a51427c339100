package lifecycle

import (
	"context"

	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/status"
)

// Status looks at the whole cluster.
func (e *Env) Status(ctx context.Context) status.Report {
	client, err := e.Jenkins()
	if err != nil {
		client = jenkins.New(e.URL(), "", "")
	}
	defer client.Close()
	return status.Collect(ctx, status.Sources{
		Cluster: e.Cluster, Machines: e.Fleet.Machines(), ZooKeeper: e.ZooKeeper, Mesos: e.Mesos, Marathon: e.Marathon,
		Jenkins: client, JenkinsError: err, URL: e.URL(), AppID: e.AppID(),
	})
}

// Component is one program as the preview and the summary name it.
type Component struct {
	Name string `json:"name"`
	// Kind is "real" or "stand-in".
	Kind    string `json:"kind"`
	Version string `json:"version,omitempty"`
	// Note is where it comes from, or what is special.
	Note string `json:"note,omitempty"`
}

// Components are the programs that an install uses, and which of them are real.
func (e *Env) Components() []Component {
	p := e.Programs
	c := e.controller()
	kind := func(standin bool) string {
		if standin {
			return "stand-in"
		}
		return "real"
	}
	jenkinsNote := c.war.source
	if c.war.real() && c.war.sha256 == "" {
		jenkinsNote += ", a war of your own: its checksum is not compared with the release's"
	}
	return []Component{
		{"zookeeper", "real", p.ZooKeeper.Version, p.ZooKeeper.Classpath},
		{"edge", "real", p.HAProxy.Version, p.HAProxy.Path},
		{"mesos", kind(p.Mesos.Standin), p.Mesos.Version, p.Mesos.Master},
		{"marathon", kind(p.Marathon.Standin), p.Marathon.Version, p.Marathon.Start},
		{"jenkins", kind(p.Jenkins.Standin), c.version(), jenkinsNote},
	}
}
