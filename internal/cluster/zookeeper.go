package cluster

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/jomctl/jomctl/internal/zkclient"
)

// ZooKeeper is an ensemble; Servers are host:port.
type ZooKeeper struct {
	Servers []string
	// Dial leads to the servers; nil is the direct way.
	Dial Dial
}

// The modes of a ZooKeeper server.
const (
	ModeLeader     = "leader"
	ModeFollower   = "follower"
	ModeStandalone = "standalone"
)

// Server is what one ZooKeeper server says about itself. Err is set, and Mode empty, when it does not serve.
type Server struct {
	Addr    string
	Mode    string
	Version string
	Err     error
}

const fourLetterTimeout = 3 * time.Second

// Modes asks every server at the same time; the answer has the order of Servers.
func (z ZooKeeper) Modes(ctx context.Context) []Server {
	servers := make([]Server, len(z.Servers))
	var group sync.WaitGroup
	for i, addr := range z.Servers {
		group.Go(func() { servers[i] = z.askServer(ctx, addr) })
	}
	group.Wait()
	return servers
}

func (z ZooKeeper) askServer(ctx context.Context, addr string) Server {
	server := Server{Addr: addr}
	text, err := z.fourLetters(ctx, addr, "srvr")
	if err != nil {
		server.Err = failed("ask ZooKeeper for its mode", addr, err)
		return server
	}
	scanner := bufio.NewScanner(strings.NewReader(text))
	for scanner.Scan() {
		key, value, _ := strings.Cut(scanner.Text(), ": ")
		switch key {
		case "Mode":
			server.Mode = value
		case "Zookeeper version":
			server.Version, _, _ = strings.Cut(value, "-")
		}
	}
	if server.Mode == "" {
		// Without a quorum the answer is "This ZooKeeper instance is not currently serving requests".
		server.Err = failed("ask ZooKeeper for its mode", addr, fmt.Errorf("it does not serve: %s", firstLine(text)))
	}
	return server
}

func (z ZooKeeper) fourLetters(ctx context.Context, addr, word string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, fourLetterTimeout)
	defer cancel()
	conn, err := z.Dial.within(fourLetterTimeout)(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := io.WriteString(conn, word); err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(conn, 64<<10))
	if err != nil && len(text) == 0 {
		return "", err
	}
	return string(text), nil
}

// Healthy is nil when every server serves and exactly one of several leads. Its error names each server that is in
// the way and says whether the ensemble still has a quorum.
func (z ZooKeeper) Healthy(ctx context.Context) error {
	return judge(z.Modes(ctx))
}

// Quorum says how many servers serve, and whether they are enough for writes.
func Quorum(servers []Server) (serving int, enough bool) {
	leaders := 0
	for _, s := range servers {
		if s.Mode != "" {
			serving++
		}
		if s.Mode == ModeLeader || s.Mode == ModeStandalone && len(servers) == 1 {
			leaders++
		}
	}
	return serving, leaders == 1 && serving > len(servers)/2
}

func judge(servers []Server) error {
	var faults []string
	leaders := 0
	for _, s := range servers {
		switch {
		case s.Err != nil:
			faults = append(faults, s.Err.Error())
		case s.Mode == ModeStandalone && len(servers) > 1:
			faults = append(faults, s.Addr+" runs standalone, it does not know the others")
		case s.Mode == ModeLeader:
			leaders++
		}
	}
	if len(servers) > 1 && leaders != 1 {
		faults = append(faults, fmt.Sprintf("%d servers lead, want 1", leaders))
	}
	if len(faults) == 0 {
		return nil
	}
	serving, enough := Quorum(servers)
	state := "without a quorum"
	if enough {
		state = "with a quorum"
	}
	return &Error{
		Op:    "check ZooKeeper",
		Cause: fmt.Errorf("%d of %d servers serve, %s: %s", serving, len(servers), state, strings.Join(faults, "; ")),
		Next:  "start the missing servers and read their logs; writes need more than half of them",
	}
}

type silent struct{}

func (silent) Printf(string, ...any) {}

// session opens a session; the library gets no chance to log.
func (z ZooKeeper) session(timeout time.Duration) (*zk.Conn, <-chan zk.Event, error) {
	dial := func(network, address string, limit time.Duration) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		return z.Dial.within(limit)(ctx, network, address)
	}
	return zk.Connect(z.Servers, timeout, zk.WithLogger(silent{}), zk.WithLogInfo(false), zk.WithDialer(zkclient.Hasty(dial, timeout/3)))
}

// ask runs one piece of work in a session of its own. The library blocks without end while no server answers, so
// the session is closed under the work when the context ends.
func (z ZooKeeper) ask(ctx context.Context, work func(*zk.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	conn, _, err := z.session(10 * time.Second)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- work(conn) }()
	select {
	case err = <-done:
		conn.Close()
		return err
	case <-ctx.Done():
		conn.Close()
		return context.Cause(ctx)
	}
}

// lowest returns the data of the child with the lowest sequence number among those that match.
func lowest(conn *zk.Conn, path string, match func(name string) bool) (name string, data []byte, err error) {
	for range 5 {
		children, _, err := conn.Children(path)
		if err == zk.ErrNoNode {
			return "", nil, ErrNoLeader
		}
		if err != nil {
			return "", nil, err
		}
		var candidates []string
		for _, child := range children {
			if match(child) {
				candidates = append(candidates, child)
			}
		}
		if len(candidates) == 0 {
			return "", nil, ErrNoLeader
		}
		sort.Slice(candidates, func(i, j int) bool { return sequence(candidates[i]) < sequence(candidates[j]) })
		data, _, err := conn.Get(path + "/" + candidates[0])
		if err == zk.ErrNoNode {
			continue // it went away between the two reads
		}
		return candidates[0], data, err
	}
	return "", nil, ErrNoLeader
}

func sequence(name string) int64 {
	if len(name) < 10 {
		return -1
	}
	n, err := strconv.ParseInt(name[len(name)-10:], 10, 64)
	if err != nil {
		return -1
	}
	return n
}
