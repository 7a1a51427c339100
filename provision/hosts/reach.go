package hosts

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/provision"
)

//go:embed reach.sh
var reachScript string

// Port is a TCP port that a unit of the cluster listens on.
type Port struct {
	Number int
	Unit   string
}

// PortsOf are the ports of a host: those of its units, and of the tasks on it with a fixed port.
func PortsOf(c *config.Cluster, h config.Host) []Port {
	var all []Port
	if h.Is(config.RoleControl) {
		all = append(all, Port{provision.ZooKeeperPort, provision.RoleZooKeeper})
		if len(c.HostsWith(config.RoleControl)) > 1 {
			all = append(all, Port{provision.ZooKeeperPeerPort, provision.RoleZooKeeper}, Port{provision.ZooKeeperElectionPort, provision.RoleZooKeeper})
		}
		all = append(all, Port{provision.MasterPort, provision.RoleMesosMaster},
			Port{provision.MarathonPort, provision.RoleMarathon}, Port{provision.MarathonMesosPort, provision.RoleMarathon},
			Port{provision.EdgeControllerPort, provision.RoleEdge}, Port{provision.EdgeMasterPort, provision.RoleEdge},
			Port{provision.EdgeMarathonPort, provision.RoleEdge}, Port{provision.EdgeAgentPort(c), provision.RoleEdge})
	}
	if r, own := provision.RegistryHost(c); own && r.Name == h.Name {
		if port := portOf(provision.RegistryAddress(c)); port > 0 {
			all = append(all, Port{port, provision.RoleRegistry})
		}
	}
	if h.Is(config.RoleMesosAgent) {
		app := c.Jenkins.App
		all = append(all, Port{provision.AgentPort, provision.RoleMesosAgent}, Port{provision.OwnerPort, provision.RoleMesosAgent}, Port{app.HTTPPort, provision.RoleMesosAgent}, Port{app.AgentPort, provision.RoleMesosAgent})
	}
	return all
}

func portOf(address string) int {
	_, port, _ := net.SplitHostPort(address)
	number, _ := strconv.Atoi(port)
	return number
}

// needs are the ports of to that programs on from connect to.
func needs(c *config.Cluster, from, to config.Host) []int {
	var ports []int
	for _, p := range PortsOf(c, to) {
		peers := p.Number == provision.ZooKeeperPeerPort || p.Number == provision.ZooKeeperElectionPort || p.Number == provision.MarathonMesosPort
		if peers && !from.Is(config.RoleControl) {
			continue
		}
		if !slices.Contains(ports, p.Number) {
			ports = append(ports, p.Number)
		}
	}
	slices.Sort(ports)
	return ports
}

// reachable asks one host which ports of the others it cannot reach: by the other's name, port and what came of it.
func reachable(ctx context.Context, c *config.Cluster, others []config.Host, from config.Host, m host.Machine) (map[string]map[string][]int, error) {
	argv := []string{"/bin/sh", "-c", reachScript, "jomctl-reach"}
	names := map[string]string{}
	for _, to := range others {
		if to.Name == from.Name {
			continue
		}
		for _, port := range needs(c, from, to) {
			target := to.Address + ":" + strconv.Itoa(port) // also for IPv6: the script cuts at the last colon
			names[target] = to.Name
			argv = append(argv, target)
		}
	}
	if len(names) == 0 {
		return nil, nil //nolint:nilnil // a host alone reaches all
	}
	out, err := host.Ask(ctx, m, argv...)
	if err != nil {
		return nil, fmt.Errorf("try the ways from host %s: %w", from.Name, err)
	}
	blocked := map[string]map[string][]int{}
	for line := range strings.Lines(out.Stdout) {
		target, result, _ := strings.Cut(strings.TrimSpace(line), " ")
		name, asked := names[target]
		delete(names, target)
		if !asked || result == "open" || result == "refused" {
			continue
		}
		if blocked[name] == nil {
			blocked[name] = map[string][]int{}
		}
		blocked[name][result] = append(blocked[name][result], portOf(target))
	}
	if len(names) > 0 {
		return nil, fmt.Errorf("try the ways from host %s: %d of them have no result", from.Name, len(names))
	}
	return blocked, nil
}

// Blocked says, one sentence for each, which ports of the control hosts cannot be reached from a host; none when all ways are open.
func Blocked(ctx context.Context, c *config.Cluster, from config.Host, m host.Machine) ([]string, error) {
	blocked, err := reachable(ctx, c, c.HostsWith(config.RoleControl), from, m)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(blocked)) {
		for _, result := range slices.Sorted(maps.Keys(blocked[name])) {
			ports := blocked[name][result]
			slices.Sort(ports)
			all = append(all, fmt.Sprintf("%s cannot reach TCP %s of %s (%s)", from.Name, numbers(ports), name, result))
		}
	}
	return all, nil
}

func numbers(ports []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(ports), "[]"), " ", ", ")
}

// openPorts is how ports are opened on a host.
func openPorts(firewall string, ports []int) string {
	var words []string
	for _, port := range ports {
		words = append(words, strconv.Itoa(port))
	}
	switch firewall {
	case "firewalld running":
		return "firewall-cmd --permanent --add-port=" + strings.Join(words, "/tcp --add-port=") + "/tcp && firewall-cmd --reload"
	case "ufw active":
		return "ufw allow proto tcp from ADDRESS to any port " + strings.Join(words, ",")
	}
	return "open TCP " + strings.Join(words, ", ") + " in its firewall, or in the network's (security group)"
}
