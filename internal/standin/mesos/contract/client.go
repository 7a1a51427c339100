package contract

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
	"github.com/jomctl/jomctl/internal/testkit"
)

// patience is how long a suite waits for what a real program does in seconds.
const patience = time.Minute

type reply struct {
	status int
	header http.Header
	body   string
}

// plain asks without following redirects and without the transport's own compression.
func plain() *http.Client {
	return &http.Client{
		Timeout:       patience,
		Transport:     &http.Transport{DisableCompression: true, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func ask(t testing.TB, method, url string, header map[string]string, body string) reply {
	t.Helper()
	r, err := tryAsk(method, url, header, body)
	require.NoError(t, err, "%s %s", method, url)
	return r
}

func tryAsk(method, url string, header map[string]string, body string) (reply, error) {
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	for key, value := range header {
		request.Header.Set(key, value)
	}
	response, err := plain().Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, string(data)}, err
}

func get(t testing.TB, url string) reply { t.Helper(); return ask(t, http.MethodGet, url, nil, "") }

func jsonHeaders() map[string]string {
	return map[string]string{"Content-Type": "application/json", "Accept": "application/json"}
}

func v1(t testing.TB, base, body string) reply {
	t.Helper()
	return ask(t, http.MethodPost, base+"/api/v1", jsonHeaders(), body)
}

// Ready waits until a master leads and has finished its recovery: the v1 API answers GET_HEALTH with 200.
func Ready(t testing.TB, base string) {
	t.Helper()
	testkit.Eventually(t, patience, base+" leads", func(context.Context) bool {
		r, err := tryAsk(http.MethodPost, base+"/api/v1", jsonHeaders(), `{"type":"GET_HEALTH"}`)
		return err == nil && r.status == http.StatusOK
	})
}

// AgentsActive waits until the leader has so many active agents.
func AgentsActive(t testing.TB, base string, count int) {
	t.Helper()
	testkit.Eventually(t, patience, "agents register at "+base, func(context.Context) bool {
		active := 0
		for _, one := range fetch(t, base+"/slaves").list("slaves") {
			if one["active"] == true {
				active++
			}
		}
		return active == count
	})
}

// AgentRegistered waits until an agent listens and has read that it is registered, which its master knows a moment earlier.
func AgentRegistered(t testing.TB, base string) {
	t.Helper()
	testkit.Eventually(t, patience, "the agent at "+base+" is registered", func(context.Context) bool {
		r, err := tryAsk(http.MethodGet, base+"/metrics/snapshot", nil, "")
		return err == nil && r.status == http.StatusOK && parse(t, r.body)["slave/registered"] == 1.0
	})
}

// node is a JSON object.
type node map[string]any

func fetch(t testing.TB, url string) node {
	t.Helper()
	r := get(t, url)
	require.Equal(t, http.StatusOK, r.status, "GET %s: %s", url, r.body)
	return parse(t, r.body)
}

func parse(t testing.TB, body string) node {
	t.Helper()
	var n node
	require.NoError(t, json.Unmarshal([]byte(body), &n), "%.400s", body)
	return n
}

func (n node) at(keys ...string) node {
	for _, key := range keys {
		next, _ := n[key].(map[string]any)
		n = next
	}
	return n
}

func (n node) list(key string) []node {
	items, _ := n[key].([]any)
	out := make([]node, 0, len(items))
	for _, item := range items {
		one, _ := item.(map[string]any)
		out = append(out, one)
	}
	return out
}

func (n node) text(keys ...string) string {
	last := len(keys) - 1
	text, _ := n.at(keys[:last]...)[keys[last]].(string)
	return text
}

// events is an open event stream; what came is kept.
type events struct {
	header http.Header
	cancel context.CancelFunc

	mu     sync.Mutex
	all    []event
	closed bool
}

type event struct {
	raw  []byte
	node node
}

func (e event) kind() string { return e.node.text("type") }

// open POSTs and reads the stream that is the answer.
func open(t testing.TB, url, body string) *events {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader([]byte(body)))
	require.NoError(t, err)
	for key, value := range jsonHeaders() {
		request.Header.Set(key, value)
	}
	client := plain()
	client.Timeout = 0
	response, err := client.Do(request)
	require.NoError(t, err)
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		cancel()
		require.Equal(t, http.StatusOK, response.StatusCode, "%s", text)
	}
	require.Equal(t, []string{"chunked"}, response.TransferEncoding)
	e := &events{header: response.Header, cancel: cancel}
	t.Cleanup(cancel)
	go e.read(response.Body)
	return e
}

func (e *events) read(body io.ReadCloser) {
	defer body.Close()
	reader := wire.NewRecordReader(body)
	for {
		record, err := reader.Next()
		var n node
		if err == nil {
			err = json.Unmarshal(record, &n)
		}
		e.mu.Lock()
		if err != nil {
			e.closed = true
			e.mu.Unlock()
			return
		}
		e.all = append(e.all, event{record, n})
		e.mu.Unlock()
	}
}

func (e *events) seen() []event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]event{}, e.all...)
}

func (e *events) isClosed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closed
}

func (e *events) kinds() []string {
	var kinds []string
	for _, one := range e.seen() {
		kinds = append(kinds, one.kind())
	}
	return kinds
}

// await waits for the first event from position from on that fits, and returns it and the position after it.
func (e *events) await(t testing.TB, from int, what string, fits func(event) bool) (event, int) {
	t.Helper()
	var found event
	next := from
	testkit.Eventually(t, patience, what, func(context.Context) bool {
		all := e.seen()
		for ; next < len(all); next++ {
			if fits(all[next]) {
				found = all[next]
				next++
				return true
			}
		}
		return false
	})
	return found, next
}
