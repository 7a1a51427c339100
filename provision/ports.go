package provision

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
)

// The ports that the programs listen on, each at its host's own address.
const (
	ZooKeeperPort         = 2181
	ZooKeeperPeerPort     = 2888
	ZooKeeperElectionPort = 3888
	MasterPort            = 5050
	AgentPort             = 5051
	MarathonPort          = 8090
	// MarathonMesosPort is where the masters reach the Marathon of a host of its own.
	MarathonMesosPort = 8092
	// OwnerPort is where the owner of the home says, beside the controller, that it owns it.
	OwnerPort = 8093
	// EdgeControllerPort, EdgeMasterPort and EdgeMarathonPort are where the edge of every control host leads to the
	// controller, the leading Mesos master and the leading Marathon.
	EdgeControllerPort = 8080
	EdgeMasterPort     = 5055
	EdgeMarathonPort   = 8091
)

// The task ports that every Mesos agent offers besides the controller's fixed ones.
const (
	firstTaskPort = 31000
	lastTaskPort  = 31999
)

// The ZooKeeper paths of the masters and of Marathon.
const (
	MastersPath  = "/mesos"
	MarathonPath = "/marathon"
)

// ZooKeeperServers are the addresses host:port of the ensemble.
func ZooKeeperServers(c *config.Cluster) []string {
	var servers []string
	for _, h := range c.HostsWith(config.RoleControl) {
		servers = append(servers, hostPort(h.Address, ZooKeeperPort))
	}
	return servers
}

// ZooKeeperURL is zk://host:port,host:port/path as Mesos and Marathon read it.
func ZooKeeperURL(c *config.Cluster, path string) string {
	return "zk://" + strings.Join(ZooKeeperServers(c), ",") + path
}

// EdgeURL is the URL of a port of the edge on the first control host, or "" when there is none.
func EdgeURL(c *config.Cluster, port int) string {
	control := c.HostsWith(config.RoleControl)
	if len(control) == 0 {
		return ""
	}
	return "http://" + hostPort(control[0].Address, port)
}

func hostPort(address string, port int) string { return net.JoinHostPort(address, strconv.Itoa(port)) }

// taskPorts is the ports resource of an agent: ranges that do not overlap, in order.
func taskPorts(app config.App) string {
	var ranges []string
	before := func(port int) bool { return port < firstTaskPort }
	after := func(port int) bool { return port > lastTaskPort }
	fixed := []int{min(app.HTTPPort, app.AgentPort), max(app.HTTPPort, app.AgentPort)}
	if fixed[0] == fixed[1] {
		fixed = fixed[:1]
	}
	add := func(wanted func(int) bool) {
		for _, port := range fixed {
			if wanted(port) {
				ranges = append(ranges, fmt.Sprintf("%d-%d", port, port))
			}
		}
	}
	add(before)
	ranges = append(ranges, fmt.Sprintf("%d-%d", firstTaskPort, lastTaskPort))
	add(after)
	return "[" + strings.Join(ranges, ",") + "]"
}
