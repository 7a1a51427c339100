package hosts

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/provision"
)

// Dial is net.Dialer.DialContext, or one of its kind.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// hereTimeout is how long a control host may take to answer this machine.
const hereTimeout = 5 * time.Second

// FromHere says which ports of the control hosts this machine cannot reach by dial, as jomctl asks ZooKeeper, the masters, Marathon and the
// edge itself. A port that nobody listens on yet is reached.
func FromHere(ctx context.Context, c *config.Cluster, dial Dial) []provision.Finding {
	ctx, cancel := context.WithTimeout(ctx, hereTimeout)
	defer cancel()
	ports := []int{provision.ZooKeeperPort, provision.MasterPort, provision.MarathonPort, provision.EdgeControllerPort, provision.EdgeMasterPort, provision.EdgeMarathonPort}
	var mu sync.Mutex
	blocked := map[string]map[string][]int{} // by host and by what came of it
	var group sync.WaitGroup
	for _, h := range c.HostsWith(config.RoleControl) {
		for _, port := range ports {
			group.Go(func() {
				result := try(ctx, dial, net.JoinHostPort(h.Address, strconv.Itoa(port)))
				if result == "" {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if blocked[h.Name] == nil {
					blocked[h.Name] = map[string][]int{}
				}
				blocked[h.Name][result] = append(blocked[h.Name][result], port)
			})
		}
	}
	group.Wait()
	var findings []provision.Finding
	for _, name := range slices.Sorted(maps.Keys(blocked)) {
		for _, result := range slices.Sorted(maps.Keys(blocked[name])) {
			closed := blocked[name][result]
			slices.Sort(closed)
			findings = append(findings, provision.Finding{Subject: name + ": network",
				Problem: fmt.Sprintf("this machine cannot reach TCP %s (%s), where jomctl asks ZooKeeper, Mesos and Marathon itself", numbers(closed), result), Fix: wayIn(name, result, closed)})
		}
	}
	return findings
}

// wayIn is what can be done about closed ports.
func wayIn(name, result string, ports []int) string {
	if result == noForwarding {
		return (&host.ForwardingError{Host: name}).Hint()
	}
	return "on " + name + ": " + openPorts("", ports) + " for this machine, or run jomctl on a machine of the hosts' network"
}

// noForwarding is what stands against ports that are asked through SSH.
const noForwarding = "its sshd opens no connections to other ports"

// try says why an address cannot be reached; "" where it can.
func try(ctx context.Context, dial Dial, address string) string {
	conn, err := dial(ctx, "tcp", address)
	var timeout net.Error
	var name *net.DNSError
	var forwarding *host.ForwardingError
	switch {
	case err == nil:
		_ = conn.Close()
		return ""
	case errors.Is(err, syscall.ECONNREFUSED):
		return ""
	case errors.As(err, &forwarding):
		return noForwarding
	case errors.As(err, &name):
		return "its name cannot be resolved here"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "no answer"
	}
	var number syscall.Errno
	if errors.As(err, &number) {
		return number.Error()
	}
	return err.Error()
}
