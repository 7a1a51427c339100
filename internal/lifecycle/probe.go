package lifecycle

import (
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/probe"
	"github.com/jomctl/jomctl/provision"
)

// Probe says where an outside prober asks the cluster.
func (e *Env) Probe() probe.Config {
	c := probe.Config{URL: e.URL(), HTTPPort: e.Cluster.Jenkins.App.HTTPPort, AgentPort: e.Cluster.Jenkins.App.AgentPort,
		ZooKeepers: e.ZooKeeper.Servers, Masters: e.Mesos.Masters, Marathons: e.Marathon.URLs,
		AppID: e.AppID(), FrameworkID: e.frameworkID(), FrameworkName: e.frameworkName(), Login: e.Marathon.Login, Dial: e.Dial()}
	if h, ok := provision.HomeHost(e.Cluster); ok {
		c.Hosts = []string{h.Address}
		return c
	}
	for _, h := range e.Cluster.HostsWith(config.RoleMesosAgent) {
		c.Hosts = append(c.Hosts, h.Address)
	}
	return c
}

// HomePath is the folder of the controller's home on the hosts that it can run on.
func (e *Env) HomePath() string { return e.controller().home }

// Contained says that the controller runs in a container of the hosts' Docker Engines.
func (e *Env) Contained() bool { return e.wantsController() != "" }
