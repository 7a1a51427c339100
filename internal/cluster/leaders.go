package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/go-zookeeper/zk"
)

// MesosLeader is the master that ZooKeeper names as the leader. For up to one session timeout (10 s) after its death
// the dead leader's node stays, so this says who leads, not that it lives: Mesos.Ready does.
type MesosLeader struct {
	// ID is the id of the master's present life.
	ID string
	// Addr is ip:port.
	Addr string
	// Hostname is what the master calls itself; its redirects use it.
	Hostname string
	Version  string
}

// MesosLeader reads the leading master below path ("/mesos").
func (z ZooKeeper) MesosLeader(ctx context.Context, path string) (MesosLeader, error) {
	var leader MesosLeader
	err := z.ask(ctx, func(conn *zk.Conn) error {
		name, data, err := lowest(conn, path, func(name string) bool { return strings.HasPrefix(name, "json.info_") })
		if err != nil {
			return err
		}
		leader, err = parseMasterInfo(data)
		if err != nil {
			return fmt.Errorf("%s/%s: %w", path, name, err)
		}
		return nil
	})
	return leader, failed("read the leading Mesos master in ZooKeeper", strings.Join(z.Servers, ",")+path, err)
}

func parseMasterInfo(data []byte) (MesosLeader, error) {
	var info struct {
		ID       string `json:"id"`
		Hostname string `json:"hostname"`
		Version  string `json:"version"`
		Address  struct {
			Hostname string `json:"hostname"`
			IP       string `json:"ip"`
			Port     int    `json:"port"`
		} `json:"address"`
	}
	if err := json.Unmarshal(data, &info); err != nil {
		return MesosLeader{}, fmt.Errorf("read MasterInfo: %w", err)
	}
	// The top-level ip is the address as a little-endian number, hence address.ip.
	host := info.Address.IP
	if host == "" {
		host = info.Address.Hostname
	}
	if host == "" || info.Address.Port == 0 {
		return MesosLeader{}, fmt.Errorf("MasterInfo without an address: %s", shorten(string(data), 200))
	}
	leader := MesosLeader{ID: info.ID, Hostname: info.Hostname, Version: info.Version}
	leader.Addr = net.JoinHostPort(host, strconv.Itoa(info.Address.Port))
	return leader, nil
}

// MarathonLeader reads host:port of the leading Marathon below path ("/marathon"). The same delay as for MesosLeader
// applies.
func (z ZooKeeper) MarathonLeader(ctx context.Context, path string) (string, error) {
	var leader string
	err := z.ask(ctx, func(conn *zk.Conn) error {
		_, data, err := lowest(conn, path+"/leader-curator", func(name string) bool { return strings.Contains(name, "-latch-") })
		leader = string(data)
		return err
	})
	return leader, failed("read the leading Marathon in ZooKeeper", strings.Join(z.Servers, ",")+path, err)
}
