package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/probe"
	"github.com/jomctl/jomctl/internal/status"
	"github.com/jomctl/jomctl/internal/testkit"
)

func sample() Alert {
	return Alert{State: Begin, ID: "disk/a1", Cluster: "ci", Severity: status.Warning, Subject: "disk of a1", Problem: "is full", Began: begin()}
}

func TestTheCommandGetsJSON(t *testing.T) {
	file := filepath.Join(t.TempDir(), "got")
	require.NoError(t, Command{Line: "cat > " + file}.Send(t.Context(), sample()))
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	var got Alert
	require.NoError(t, json.Unmarshal(data, &got))
	require.Equal(t, sample(), got)
	err = Command{Line: "echo no mail >&2; exit 3"}.Send(t.Context(), sample())
	require.ErrorContains(t, err, "exit status 3: no mail")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, Command{Line: "sleep 1000"}.Send(ctx, sample()))
}

// hook is a webhook that answers with codes, one after the other.
func hook(t *testing.T, codes ...int) (url string, got func() []Alert) {
	t.Helper()
	var mu sync.Mutex
	var all []Alert
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		var a Alert
		data, _ := io.ReadAll(r.Body)
		if r.Method == http.MethodPost && r.Header.Get("Content-Type") == "application/json" && json.Unmarshal(data, &a) == nil {
			all = append(all, a)
		}
		w.WriteHeader(codes[min(len(all), len(codes))-1])
	}))
	t.Cleanup(server.Close)
	return server.URL + "/secret-token", func() []Alert { mu.Lock(); defer mu.Unlock(); return all }
}

func TestTheWebhookIsTriedAgainWithinBounds(t *testing.T) {
	for name, test := range map[string]struct {
		codes []int
		tries int
		want  string
	}{
		"taken":            {[]int{204}, 1, ""},
		"taken at last":    {[]int{500, 429, 200}, 3, ""},
		"never taken":      {[]int{503}, tries, "(5 tries): HTTP 503"},
		"refused for ever": {[]int{404}, 1, "(1 tries): HTTP 404"},
	} {
		t.Run(name, func(t *testing.T) {
			url, got := hook(t, test.codes...)
			err := Webhook{URL: url, Pause: time.Microsecond}.Send(t.Context(), sample())
			require.Len(t, got(), test.tries)
			require.Equal(t, sample(), got()[0])
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "secret-token")
		})
	}
	err := Webhook{URL: "http://127.0.0.1:1/secret-token", Pause: time.Microsecond}.Send(t.Context(), sample())
	require.ErrorContains(t, err, "refused")
	require.NotContains(t, err.Error(), "secret-token")
}

// running is a job over a report that can be changed.
type running struct {
	mu     sync.Mutex
	report status.Report
	alerts []string
	faults []string
}

func (r *running) set(change func(r *status.Report)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report = healthy()
	change(&r.report)
}

func (r *running) has(alert string) func(context.Context) bool {
	return func(context.Context) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.alerts) > 0 && r.alerts[len(r.alerts)-1] == alert
	}
}

func TestAJobTellsUntilItIsEnded(t *testing.T) {
	r := &running{}
	r.set(func(*status.Report) {})
	file := filepath.Join(t.TempDir(), "watch.json")
	limits := Defaults()
	limits.After, limits.Clear = 0, 0
	job := Job{Cluster: "ci", Limits: limits, Every: time.Millisecond, Step: time.Millisecond, File: file,
		Report: func(context.Context) status.Report { r.mu.Lock(); defer r.mu.Unlock(); return r.report },
		Probe: func(ctx context.Context, sink func(probe.Sample)) {
			sink(probe.Sample{Target: probe.Edge, OK: true})
			<-ctx.Done()
		},
		Tell: func(_ context.Context, a Alert) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.alerts = append(r.alerts, a.State+" "+a.ID)
			return nil
		},
		Failed: func(err error) { r.mu.Lock(); defer r.mu.Unlock(); r.faults = append(r.faults, err.Error()) }}
	start := func() (end func()) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- job.Run(ctx) }()
		return func() { cancel(); require.NoError(t, <-ended) }
	}
	end := start()
	r.set(func(r *status.Report) { r.Hosts[0].Disk = &status.Disk{Used: 99, Free: 1} })
	testkit.Eventually(t, time.Minute, "the begin", r.has("begin disk/a1"))
	end()
	require.FileExists(t, file)

	end = start()
	r.set(func(*status.Report) {})
	testkit.Eventually(t, time.Minute, "the end, told by another run", r.has("end disk/a1"))
	end()
	require.Equal(t, []string{"begin disk/a1", "end disk/a1"}, r.alerts)
	require.Empty(t, r.faults)

	require.NoError(t, os.WriteFile(file, []byte("{"), 0o600))
	require.ErrorContains(t, job.Run(t.Context()), "remove "+file)
}

func TestWhatNobodyTookIsToldAgainAlsoByTheNextRun(t *testing.T) {
	r := &running{}
	r.set(func(r *status.Report) { r.Hosts[0].Disk = &status.Disk{Used: 99, Free: 1} })
	file := filepath.Join(t.TempDir(), "watch.json")
	limits := Defaults()
	limits.After, limits.Clear = 0, 0
	var shown []string
	refusals := 0
	taken := false
	job := Job{Cluster: "ci", Limits: limits, Every: time.Millisecond, Step: time.Millisecond, Again: time.Millisecond, File: file,
		Report: func(context.Context) status.Report { r.mu.Lock(); defer r.mu.Unlock(); return r.report },
		Show: func(a Alert) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			shown = append(shown, a.State+" "+a.ID)
			return nil
		},
		Tell: func(_ context.Context, a Alert) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			if !taken {
				refusals++
				return errors.New("no mail today")
			}
			r.alerts = append(r.alerts, a.State+" "+a.ID)
			return nil
		},
		Failed: func(err error) { r.mu.Lock(); defer r.mu.Unlock(); r.faults = append(r.faults, err.Error()) }}
	run := func(until func(context.Context) bool) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- job.Run(ctx) }()
		testkit.Eventually(t, time.Minute, "it", until)
		cancel()
		require.NoError(t, <-ended)
	}
	run(func(context.Context) bool { r.mu.Lock(); defer r.mu.Unlock(); return refusals > 2 })
	require.Contains(t, r.faults[0], "begin of disk/a1 was not told, and will be told again: no mail today")
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(data), `"untold"`)

	taken = true
	run(r.has("begin disk/a1"))
	require.Equal(t, []string{"begin disk/a1"}, r.alerts)
	require.Equal(t, []string{"begin disk/a1"}, shown, "it is shown once")
	data, err = os.ReadFile(file)
	require.NoError(t, err)
	require.NotContains(t, string(data), `"untold"`)
}

func TestTheFileOfAnEarlierVersionIsRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "watch.json")
	require.NoError(t, os.WriteFile(file, []byte(`[{"state": "begin", "id": "disk/a1"}]`), 0o600))
	box, err := openOutbox(file)
	require.NoError(t, err)
	require.Equal(t, "disk/a1", box.memory.Open[0].ID)
}

func TestTooManyAlertsGiveUpTheOldestButTheOneThatIsBeingTold(t *testing.T) {
	box, err := openOutbox(filepath.Join(t.TempDir(), "watch.json"))
	require.NoError(t, err)
	var news []Alert
	for n := range backlog + 2 {
		news = append(news, Alert{ID: fmt.Sprint(n)})
	}
	lost, err := box.add(news, nil)
	require.NoError(t, err)
	require.Equal(t, 2, lost)
	var ids []string
	for a, there := box.first(); there; a, there = box.first() {
		ids = append(ids, a.ID)
		require.NoError(t, box.taken())
	}
	require.Len(t, ids, backlog)
	require.Equal(t, []string{"0", "3"}, ids[:2])
	require.Equal(t, fmt.Sprint(backlog+1), ids[len(ids)-1])
}
