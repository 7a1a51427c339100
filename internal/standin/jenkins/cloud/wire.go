package cloud

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
)

const (
	protobuf     = "application/x-protobuf"
	streamHeader = "Mesos-Stream-Id"
	maxRedirects = 3
	// silence is how long a master may say nothing, heartbeats included, before the stream counts as dead.
	silence = 75 * time.Second
)

// wire speaks the v1 scheduler API with one master address, in protobuf as plugin 2.0 does.
type wire struct {
	base   string
	client *http.Client
	mu     sync.Mutex
	stream string
	// leader is where a call of this stream was redirected to; later calls go there at once, SUBSCRIBE never does.
	leader string
}

func newWire(base string) *wire {
	transport := &http.Transport{DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext, MaxIdleConnsPerHost: 2}
	return &wire{base: base, client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// events is an open event stream.
type events struct {
	body   io.ReadCloser
	reader *bufio.Reader
	idle   *time.Timer
	client *http.Client
}

func (w *wire) subscribe(ctx context.Context, call *scheduler.Call) (*events, error) {
	w.mu.Lock()
	w.leader = ""
	w.mu.Unlock()
	resp, err := w.post(ctx, call, "")
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, refused(resp)
	}
	w.mu.Lock()
	w.stream = resp.Header.Get(streamHeader)
	w.mu.Unlock()
	e := &events{body: resp.Body, reader: bufio.NewReader(resp.Body), client: w.client}
	e.idle = time.AfterFunc(silence, func() { _ = resp.Body.Close() })
	return e, nil
}

func (e *events) close() {
	e.idle.Stop()
	_ = e.body.Close()
	e.client.CloseIdleConnections()
}

// next reads one RecordIO record: a decimal length, a newline, so many bytes.
func (e *events) next() (*scheduler.Event, error) {
	line, err := e.reader.ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("read event: %w", err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || n < 0 || n > 64<<20 {
		return nil, fmt.Errorf("read event: bad length %q", line)
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(e.reader, data); err != nil {
		return nil, fmt.Errorf("read event: %w", err)
	}
	e.idle.Reset(silence)
	var event scheduler.Event
	if err := event.Unmarshal(data); err != nil {
		return nil, fmt.Errorf("decode event: %w", err)
	}
	return &event, nil
}

func (w *wire) call(ctx context.Context, call *scheduler.Call) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	w.mu.Lock()
	stream := w.stream
	w.mu.Unlock()
	resp, err := w.post(ctx, call, stream)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusAccepted {
		return refused(resp)
	}
	return resp.Body.Close()
}

func refused(resp *http.Response) error {
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
	return fmt.Errorf("master answered %s: %s", resp.Status, text)
}

// post follows 307 to the leader.
func (w *wire) post(ctx context.Context, call *scheduler.Call, stream string) (*http.Response, error) {
	body, err := call.Marshal()
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", call.Type, err)
	}
	address := w.address()
	for range maxRedirects + 1 {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
		if err != nil {
			return nil, fmt.Errorf("send %s: %w", call.Type, err)
		}
		req.Header.Set("Content-Type", protobuf)
		req.Header.Set("User-Agent", "jomctl-standin-jenkins")
		if stream == "" {
			req.Header.Set("Accept", protobuf)
		} else {
			req.Header.Set(streamHeader, stream)
		}
		resp, err := w.client.Do(req)
		if err != nil {
			return nil, fmt.Errorf("send %s: %w", call.Type, err)
		}
		if resp.StatusCode != http.StatusTemporaryRedirect {
			return resp, nil
		}
		_ = resp.Body.Close()
		next, err := req.URL.Parse(resp.Header.Get("Location"))
		if err != nil || resp.Header.Get("Location") == "" {
			return nil, fmt.Errorf("send %s: redirect without a usable Location", call.Type)
		}
		address = next.String()
		if stream != "" {
			w.mu.Lock()
			w.leader = address
			w.mu.Unlock()
		}
	}
	return nil, errors.New("too many redirects between masters")
}

func (w *wire) address() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.leader != "" {
		return w.leader
	}
	return w.base + "/api/v1/scheduler"
}

// resolveMaster turns mesosMasterUrl into http://host:port. A zk:// address is read once; the leader's hostname is used.
func resolveMaster(ctx context.Context, master string) (string, error) {
	if !strings.HasPrefix(master, "zk://") {
		if !strings.Contains(master, "://") {
			master = "http://" + master
		}
		return strings.TrimSuffix(master, "/"), nil
	}
	u, err := url.Parse(master)
	if err != nil {
		return "", fmt.Errorf("read mesosMasterUrl: %w", err)
	}
	conn, _, err := zk.Connect(strings.Split(u.Host, ","), 10*time.Second, zk.WithLogger(quietLogger{}))
	if err != nil {
		return "", fmt.Errorf("connect to ZooKeeper %s: %w", u.Host, err)
	}
	defer conn.Close()
	if u.User != nil {
		if err := conn.AddAuth("digest", []byte(u.User.String())); err != nil {
			return "", fmt.Errorf("log in to ZooKeeper: %w", err)
		}
	}
	return leaderIn(ctx, conn, u.Path)
}

type quietLogger struct{}

func (quietLogger) Printf(string, ...any) {}

func leaderIn(ctx context.Context, conn *zk.Conn, path string) (string, error) {
	type answer struct {
		address string
		err     error
	}
	got := make(chan answer, 1)
	go func() {
		address, err := readLeader(conn, path)
		got <- answer{address, err}
	}()
	select {
	case a := <-got:
		return a.address, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	case <-time.After(20 * time.Second):
		return "", errors.New("read the leading master from ZooKeeper: no answer in 20 s")
	}
}

func readLeader(conn *zk.Conn, path string) (string, error) {
	children, _, err := conn.Children(path)
	if err != nil {
		return "", fmt.Errorf("list masters in ZooKeeper %s: %w", path, err)
	}
	var masters []string
	for _, c := range children {
		if strings.HasPrefix(c, "json.info_") {
			masters = append(masters, c)
		}
	}
	if len(masters) == 0 {
		return "", fmt.Errorf("no leading master in ZooKeeper %s", path)
	}
	sort.Strings(masters)
	data, _, err := conn.Get(strings.TrimSuffix(path, "/") + "/" + masters[0])
	if err != nil {
		return "", fmt.Errorf("read the leading master in ZooKeeper %s: %w", path, err)
	}
	var info struct {
		Hostname string `json:"hostname"`
		Port     int    `json:"port"`
	}
	if err := json.Unmarshal(data, &info); err != nil {
		return "", fmt.Errorf("read the leading master in ZooKeeper %s: %w", path, err)
	}
	return "http://" + net.JoinHostPort(info.Hostname, strconv.Itoa(info.Port)), nil
}
