package dashboard

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/status"
	"github.com/jomctl/jomctl/internal/testkit"
)

// stream reads the events of a page.
type stream struct {
	t     *testing.T
	lines *bufio.Scanner
}

func open(t *testing.T, url, lastID string) *stream {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/events", nil)
	require.NoError(t, err)
	if lastID != "" {
		request.Header.Set("Last-Event-ID", lastID)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	require.Equal(t, "text/event-stream; charset=utf-8", response.Header.Get("Content-Type"))
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	return &stream{t, lines}
}

// next is the next news with its id.
func (s *stream) next() (id string, n news) {
	s.t.Helper()
	kind := ""
	for s.lines.Scan() {
		name, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch {
		case name == "id":
			id = value
		case name == "event":
			kind = value
		case name == "data" && kind == "news":
			require.NoError(s.t, json.Unmarshal([]byte(value), &n))
			return id, n
		}
	}
	require.NoError(s.t, s.lines.Err())
	s.t.Fatal("the stream has ended")
	return "", n
}

func serveTest(t *testing.T, hub *Hub, access Access) string {
	t.Helper()
	handler, err := hub.Handler(access)
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func TestEveryBrowserGetsWhatHasChangedAndNothingElse(t *testing.T) {
	w := newWorld()
	hub := newTestHub(t, w)
	hub.Poll(t.Context())
	url := serveTest(t, hub, Access{})
	one, two := open(t, url, ""), open(t, url, "")
	id, all := one.next()
	require.Len(t, all.Sections, len(sectionNames()))
	require.Equal(t, "ci: ready", all.Title)
	two.next()

	w.change(func(r *status.Report) { r.Controller.Queue = nil })
	hub.Poll(t.Context())
	for _, browser := range []*stream{one, two} {
		_, changed := browser.next()
		require.Contains(t, changed.Sections["queue"], "No build waits")
		require.Contains(t, changed.Sections["summary"], "0 waiting")
		require.Len(t, changed.Sections, 2)
	}
	require.Equal(t, 2, w.polls, "however many look")

	_, missed := open(t, url, id).next()
	require.Len(t, missed.Sections, 2, "who comes back gets what was missed")
	_, other := open(t, url, "another-run-7").next()
	require.Len(t, other.Sections, len(sectionNames()), "versions of another run of the program mean nothing")
}

func TestWhatWasKnownLastIsKept(t *testing.T) {
	w := newWorld()
	hub := newTestHub(t, w)
	hub.Poll(t.Context())
	w.change(down)
	hub.Poll(t.Context())
	s := hub.Snapshot()
	require.Equal(t, seen().Add(time.Minute), s.Unreachable)
	require.Equal(t, seen(), s.Answered)
	require.Len(t, s.Mesos.Agents, 2)
	require.Equal(t, "2.568.2", s.Controller.Version)

	w.change(func(r *status.Report) { r.Checked = r.Checked.Add(time.Minute) })
	hub.Poll(t.Context())
	require.Equal(t, seen().Add(time.Minute), hub.Snapshot().Unreachable, "it is since then, not since the last look")

	w.change(func(r *status.Report) { r.ZooKeeper.Servers[0].Mode = "leader" })
	hub.Poll(t.Context())
	require.True(t, hub.Snapshot().Unreachable.IsZero())
}

func TestTheWorstFindingIsFirst(t *testing.T) {
	w := newWorld()
	w.change(down)
	hub := newTestHub(t, w)
	hub.Poll(t.Context())
	changed, _, _ := hub.since(0)
	html := changed["findings"]
	require.Less(t, strings.Index(html, "the ensemble has no quorum"), strings.Index(html, "no route to host"))
	require.Contains(t, html, "1 error and 1 warning")
	require.Contains(t, html, "bring back enough ZooKeeper servers")
	require.Contains(t, changed["summary"], "Nothing is known of it yet")
}

func TestAProbeThatChangesAsksTheWholeClusterAgain(t *testing.T) {
	w := newWorld()
	hub := newTestHub(t, w) // it would ask again in an hour
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); hub.Run(ctx) }()
	polls := func() int { w.mu.Lock(); defer w.mu.Unlock(); return w.polls }
	testkit.Eventually(t, time.Minute, "the first look", func(context.Context) bool { return polls() == 1 })
	hub.Probed(Probe{Target: "edge", Up: true, Since: seen()})
	hub.Probed(Probe{Target: "edge", Up: true, Since: seen().Add(time.Second)})
	require.Equal(t, []Probe{{Target: "edge", Up: true, Since: seen()}}, hub.Snapshot().Probes)
	require.Equal(t, 1, polls())
	hub.Probed(Probe{Target: "edge", Up: false, Since: seen().Add(time.Minute)})
	testkit.Eventually(t, time.Minute, "the second look", func(context.Context) bool { return polls() == 2 })
	cancel()
	<-ended
}

func TestHistoriesThatCannotBeReadSaySo(t *testing.T) {
	w := newWorld()
	sources := w.sources()
	sources.Drills = HistoryFunc(func(context.Context) ([]Entry, error) { return nil, errors.New("drills.jsonl: permission denied") })
	hub, err := NewHub(sources, time.Hour)
	require.NoError(t, err)
	hub.Poll(t.Context())
	changed, _, _ := hub.since(0)
	require.Contains(t, changed["histories"], "permission denied")
	require.Contains(t, changed["histories"], "None yet: no change of the release is recorded.")
	require.Contains(t, changed["histories"], `<rect class="span failed" x="77.7`, "the last 20 of 90 s")
}
