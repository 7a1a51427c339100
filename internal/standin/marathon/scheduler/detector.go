// Package scheduler is a client of Mesos' v1 scheduler HTTP API, as Marathon's framework needs it.
package scheduler

import (
	"context"
	"encoding/json"
	"net"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/jomctl/jomctl/internal/standin/marathon/zkstate"
)

// Leader is the leading master: Addr is host:port or empty, Node tells two leaderships on one address apart.
type Leader struct{ Addr, Node string }

// Detect reports the leading master and each change until the context ends. master is zk://..., http://host:port or host:port;
// with an address the only report is that address, and the master's own redirects lead further.
func Detect(ctx context.Context, master string, session time.Duration) (<-chan Leader, error) {
	out := make(chan Leader)
	if !strings.HasPrefix(master, "zk://") {
		addr := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(master, "http://"), "https://"), "/")
		go send(ctx, out, Leader{Addr: addr})
		return out, nil
	}
	u, err := zkstate.ParseURL(master)
	if err != nil {
		return nil, err
	}
	go detect(ctx, u, session, out)
	return out, nil
}

func send(ctx context.Context, out chan<- Leader, l Leader) bool {
	select {
	case out <- l:
		return true
	case <-ctx.Done():
		return false
	}
}

func detect(ctx context.Context, u zkstate.URL, session time.Duration, out chan<- Leader) {
	last, told := Leader{}, false
	for ctx.Err() == nil {
		conn, err := zkstate.Connect(ctx, u, session, session)
		if err != nil {
			continue
		}
		for ctx.Err() == nil {
			now, watch, err := lookup(conn, u.Path)
			if err != nil {
				break
			}
			if !told || now != last {
				last, told = now, true
				if !send(ctx, out, now) {
					break
				}
			}
			select {
			case <-watch:
			case <-ctx.Done():
			case <-conn.Lost:
			}
		}
		conn.Close()
	}
}

type masterNode struct {
	Hostname string `json:"hostname"`
	Port     int    `json:"port"`
	Address  struct {
		Hostname string `json:"hostname"`
		IP       string `json:"ip"`
		Port     int    `json:"port"`
	} `json:"address"`
}

// lookup reads the node json.info_N with the lowest number; a missing folder is watched by its existence.
func lookup(conn *zkstate.Conn, dir string) (Leader, <-chan zk.Event, error) {
	names, _, watch, err := conn.ChildrenW(dir)
	if err == zk.ErrNoNode {
		_, _, watch, err = conn.ExistsW(dir)
		return Leader{}, watch, err
	}
	if err != nil {
		return Leader{}, nil, err
	}
	sort.Strings(names)
	for _, name := range names {
		if !strings.HasPrefix(name, "json.info_") {
			continue
		}
		data, _, err := conn.Get(dir + "/" + name)
		if err == zk.ErrNoNode {
			continue
		}
		if err != nil {
			return Leader{}, nil, err
		}
		var m masterNode
		if json.Unmarshal(data, &m) != nil {
			continue
		}
		return Leader{Addr: net.JoinHostPort(m.Address.IP, strconv.Itoa(m.Address.Port)), Node: name}, watch, nil
	}
	return Leader{}, watch, nil
}
