package agent

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"path"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/jomctl/jomctl/internal/zkclient"
)

// leader is the leading master; its address is empty while there is none.
type leader struct {
	addr     string // host:port
	hostname string
}

// detector tells who leads, on a channel that holds the newest word only.
type detector struct {
	leaders chan leader
	run     func(stop <-chan struct{})
}

func (d detector) tell(l leader) {
	select {
	case <-d.leaders:
	default:
	}
	d.leaders <- l
}

// newDetector reads --master: host:port, zk://host1:port1,.../path, or file:///path of a file with one of these.
func newDetector(cfg config, log *logger) (detector, error) {
	master := cfg.master
	if name, ok := strings.CutPrefix(master, "file://"); ok {
		content, err := os.ReadFile(name)
		if err != nil {
			return detector{}, words("Failed to read from file at '%s': %w", name, err)
		}
		master = strings.TrimSpace(string(content))
	}
	d := detector{leaders: make(chan leader, 1)}
	if rest, ok := strings.CutPrefix(master, "zk://"); ok {
		servers, root, found := strings.Cut(rest, "/")
		if !found || root == "" {
			return d, words("Expecting a (chroot) path for ZooKeeper ('/' is not supported)")
		}
		credentials := ""
		if i := strings.LastIndex(servers, "@"); i >= 0 {
			credentials, servers = servers[:i], servers[i+1:]
		}
		d.run = func(stop <-chan struct{}) {
			watchZooKeeper(d, strings.Split(servers, ","), "/"+strings.TrimSuffix(root, "/"), credentials, cfg.sessionTimeout, log, stop)
		}
		return d, nil
	}
	if parsed, err := url.Parse(master); err == nil && (parsed.Scheme == "http" || parsed.Scheme == "https") {
		master = parsed.Host
	}
	master = strings.TrimPrefix(master, "master@")
	if !strings.Contains(master, ":") {
		master += ":5050"
	}
	host, port, err := net.SplitHostPort(master)
	if _, bad := strconv.Atoi(port); err != nil || bad != nil || host == "" {
		return d, words("Failed to parse '%s'", cfg.master)
	}
	d.run = func(<-chan struct{}) { d.tell(leader{addr: master, hostname: host}) }
	return d, nil
}

// watchZooKeeper follows the json.info nodes; the lowest number leads.
func watchZooKeeper(d detector, servers []string, root, credentials string, timeout time.Duration, log *logger, stop <-chan struct{}) {
	conn, events := connect(servers, credentials, timeout, log, stop)
	if conn == nil {
		return
	}
	lastNode, expired := "", time.Time{}
	for {
		found, node, changed, err := readLeader(conn, root)
		switch {
		case err == nil:
			expired = time.Time{}
			if node != lastNode {
				lastNode = node
				log.info("Detected a new leader: %s (%s)", node, found.addr)
				d.tell(found)
			}
		case expired.IsZero():
			expired = time.Now().Add(timeout)
		case time.Now().After(expired) && lastNode != "":
			// Without ZooKeeper nobody knows who leads; the session's end is when to stop believing.
			log.warn("ZooKeeper is away for %s, lost leading master", timeout)
			lastNode = ""
			d.tell(leader{})
		}
		// While a watch stands nothing needs to be asked again.
		var again <-chan time.Time
		if changed == nil {
			again = time.After(time.Second)
		}
		select {
		case <-stop:
			return
		case <-changed:
		case <-events:
		case <-again:
		}
	}
}

// connect goes on until the servers' names resolve; it returns nil when stopped. The connection ends with stop.
func connect(servers []string, credentials string, timeout time.Duration, log *logger, stop <-chan struct{}) (*zk.Conn, <-chan zk.Event) {
	for {
		conn, events, err := zk.Connect(servers, timeout, zk.WithLogger(quiet{}), zk.WithLogInfo(false), zk.WithDialer(zkclient.Hasty(net.DialTimeout, timeout/3)))
		if err == nil {
			go func() {
				<-stop
				conn.Close()
			}()
			if credentials != "" {
				_ = conn.AddAuth("digest", []byte(credentials))
			}
			return conn, events
		}
		log.warn("Failed to connect to ZooKeeper: %v", err)
		select {
		case <-stop:
			return nil, nil
		case <-time.After(time.Second):
		}
	}
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}

func readLeader(conn *zk.Conn, root string) (leader, string, <-chan zk.Event, error) {
	if state := conn.State(); state != zk.StateHasSession {
		return leader{}, "", nil, fmt.Errorf("no session: %v", state)
	}
	children, _, changed, err := conn.ChildrenW(root)
	if err == zk.ErrNoNode {
		return leader{}, "", nil, nil
	}
	if err != nil {
		return leader{}, "", nil, err
	}
	var nodes []string
	for _, name := range children {
		if strings.HasPrefix(name, "json.info_") {
			nodes = append(nodes, name)
		}
	}
	if len(nodes) == 0 {
		return leader{}, "", changed, nil
	}
	sort.Strings(nodes)
	content, _, err := conn.Get(path.Join(root, nodes[0]))
	if err != nil {
		return leader{}, "", nil, err
	}
	var master struct {
		Hostname string `json:"hostname"`
		Address  struct {
			IP   string `json:"ip"`
			Port int    `json:"port"`
		} `json:"address"`
	}
	if err := json.Unmarshal(content, &master); err != nil || master.Address.IP == "" {
		return leader{}, "", changed, fmt.Errorf("read %s: unexpected content %q", nodes[0], content)
	}
	return leader{addr: net.JoinHostPort(master.Address.IP, strconv.Itoa(master.Address.Port)), hostname: master.Hostname}, nodes[0], changed, nil
}
