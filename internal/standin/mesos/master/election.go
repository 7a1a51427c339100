package master

import (
	"errors"
	"fmt"
	"net"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
	"github.com/jomctl/jomctl/internal/zkclient"
)

// zkURL is where masters meet: zk://[user:password@]host:port,.../path.
type zkURL struct {
	servers []string
	path    string
	auth    string
}

func parseZKURL(text string) (zkURL, error) {
	rest, ok := strings.CutPrefix(text, "zk://")
	if !ok {
		return zkURL{}, errors.New("Error parsing ZooKeeper URL: Expecting 'zk://' at the beginning of the URL")
	}
	var u zkURL
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		u.auth, rest = rest[:at], rest[at+1:]
	}
	hosts, chroot, _ := strings.Cut(rest, "/")
	u.servers, u.path = strings.Split(hosts, ","), "/"+strings.Trim(chroot, "/")
	if u.path == "/" {
		return zkURL{}, errors.New("Failed to create a master contender: Expecting a (chroot) path for ZooKeeper ('/' is not supported)")
	}
	return u, nil
}

func (u zkURL) acl() []zk.ACL {
	if u.auth == "" {
		return zk.WorldACL(zk.PermAll)
	}
	return append(zk.AuthACL(zk.PermAll), zk.WorldACL(zk.PermRead)...)
}

// connect opens a session, trying until a host name resolves.
func (u zkURL) connect(timeout time.Duration, log func(string, ...any)) (*zk.Conn, <-chan zk.Event) {
	for {
		conn, events, err := zk.Connect(u.servers, timeout, zk.WithLogger(silent{}), zk.WithDialer(zkclient.Hasty(net.DialTimeout, timeout/3)))
		if err == nil {
			if u.auth != "" {
				_ = conn.AddAuth("digest", []byte(u.auth)) // sent again by the library with every session
			}
			return conn, events
		}
		log("zookeeper_init failed: %v ; retrying in 1 second", err)
		time.Sleep(time.Second)
	}
}

type silent struct{}

func (silent) Printf(string, ...any) {}

// election takes part in the masters' election and watches it.
type election struct {
	url     zkURL
	timeout time.Duration
	info    []byte // JSON of MasterInfo with the capability that the v1 API has no name for
	log     func(string, ...any)
	// changed hears of a new leader, nil for none, and whether it is this master.
	changed func(leader *mesos.MasterInfo, isSelf bool)
	// lost hears that this master is out of the election, whether it leads or not.
	lost func()

	conn       *zk.Conn
	own        string // own node's name
	ownSession int64  // the session that has made it
}

// run takes part for ever.
func (e *election) run() {
	conn, events := e.url.connect(e.timeout, e.log)
	e.conn = conn
	var session int64
	var connected bool
	var expiry *time.Timer
	var watch <-chan zk.Event
	for {
		var timeUp <-chan time.Time
		if expiry != nil {
			timeUp = expiry.C
		}
		select {
		case event := <-events:
			switch event.State {
			case zk.StateHasSession:
				if expiry != nil {
					expiry.Stop()
					expiry = nil
				}
				if session != 0 && session != conn.SessionID() && e.ownSession != conn.SessionID() {
					e.lost()
				}
				session, connected = conn.SessionID(), true
				watch = e.look()
			case zk.StateDisconnected:
				connected = false
				if expiry == nil {
					expiry = time.NewTimer(e.timeout)
				}
			}
		case <-timeUp:
			expiry = time.NewTimer(time.Duration(1<<62 - 1)) // only once per outage
			e.log("Lost connection to ZooKeeper for %s, session considered expired", e.timeout)
			e.lost()
		case <-watch:
			watch = nil
			if connected { // else the next session looks
				watch = e.look()
			}
		}
	}
}

// look joins if need be, finds the leader, and returns a watch on the next change; nil when ZooKeeper cannot be asked.
func (e *election) look() <-chan zk.Event {
	if err := e.join(); err != nil {
		e.log("%v", err)
		return retry()
	}
	names, _, watch, err := e.conn.ChildrenW(e.url.path)
	if err != nil {
		e.log("watch the masters at %s: %v", e.url.path, err)
		return retry()
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, "json.info_") })
	if len(names) == 0 {
		e.changed(nil, false)
		return watch
	}
	first := slices.Min(names)
	data, _, err := e.conn.Get(path.Join(e.url.path, first))
	if errors.Is(err, zk.ErrNoNode) {
		return retry()
	}
	var leader mesos.MasterInfo
	if err == nil {
		err = wire.DecodeJSON(data, "MasterInfo", &leader)
	}
	if err != nil {
		e.log("read the leader at %s: %v", first, err)
		return retry()
	}
	e.changed(&leader, first == e.own)
	return watch
}

// retry is a watch that fires after a second.
func retry() <-chan zk.Event {
	again := make(chan zk.Event, 1)
	time.AfterFunc(time.Second, func() { again <- zk.Event{} })
	return again
}

func (e *election) join() error {
	if e.own != "" {
		found, stat, err := e.conn.Exists(path.Join(e.url.path, e.own))
		if err != nil {
			return fmt.Errorf("look for the own node %s: %w", e.own, err)
		}
		if found && stat.EphemeralOwner == e.conn.SessionID() {
			return nil
		}
	}
	if err := ensurePath(e.conn, e.url.path, e.url.acl()); err != nil {
		return err
	}
	node, err := e.conn.Create(path.Join(e.url.path, "json.info_"), e.info, zk.FlagEphemeral|zk.FlagSequence, e.url.acl())
	if err != nil {
		return fmt.Errorf("join the masters at %s: %w", e.url.path, err)
	}
	e.own, e.ownSession = path.Base(node), e.conn.SessionID()
	e.log("New candidate (id='%s') has entered the contest for leadership", e.own)
	return nil
}

// replica keeps the node that the real master's replicated log has, in a session of its own, and counts all of them.
type replica struct {
	url     zkURL
	timeout time.Duration
	address string // ip:port
	log     func(string, ...any)
	members atomic.Int64
}

func (r *replica) run() {
	conn, events := r.url.connect(r.timeout, r.log)
	folder := r.url.path + "/log_replicas"
	var session int64
	var watch <-chan zk.Event
	for {
		select {
		case event := <-events:
			if event.State != zk.StateHasSession {
				continue
			}
			if session != conn.SessionID() {
				if !r.join(conn, folder) {
					watch = retry()
					continue
				}
				session = conn.SessionID()
			}
		case <-watch:
			if session == 0 && r.join(conn, folder) {
				session = conn.SessionID()
			}
		}
		names, _, next, err := conn.ChildrenW(folder)
		if err != nil {
			watch = retry()
			continue
		}
		r.members.Store(int64(len(names)))
		watch = next
	}
}

func (r *replica) join(conn *zk.Conn, folder string) bool {
	err := ensurePath(conn, folder, r.url.acl())
	if err == nil {
		_, err = conn.Create(folder+"/", []byte("log-replica(1)@"+r.address), zk.FlagEphemeral|zk.FlagSequence, r.url.acl())
	}
	if err != nil {
		r.log("join the log replicas at %s: %v", folder, err)
	}
	return err == nil
}

// hostPort is the address that a MasterInfo names, with the host name.
func hostPort(info *mesos.MasterInfo) string {
	return net.JoinHostPort(info.GetHostname(), fmt.Sprint(info.GetPort()))
}
