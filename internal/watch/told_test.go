package watch

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/probe"
	"github.com/jomctl/jomctl/internal/status"
	"github.com/jomctl/jomctl/internal/testkit"
)

// TestAWebhookThatHasMovedGotNoAlert has one that answers well to the GET that a redirect makes of a POST.
func TestAWebhookThatHasMovedGotNoAlert(t *testing.T) {
	for code, taken := range map[int]bool{301: false, 302: false, 303: false, 307: true, 308: true} {
		var got []string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/secret-token" {
				http.Redirect(w, r, "/new", code)
				return
			}
			body, _ := io.ReadAll(r.Body)
			got = append(got, r.Method+" "+string(body))
		}))
		err := Webhook{URL: server.URL + "/secret-token", Pause: time.Microsecond}.Send(t.Context(), sample())
		server.Close()
		if taken {
			require.NoError(t, err, code)
			require.Len(t, got, 1)
			require.Contains(t, got[0], `POST {"state":"begin","id":"disk/a1"`, "with the alert")
			continue
		}
		require.ErrorContains(t, err, "name its new address", code)
		require.NotContains(t, err.Error(), "secret-token")
		require.Empty(t, got, "nobody takes the answer to a GET for the alert's")
	}
}

// TestAWebhookThatIsEndedStops has one that is never there, and a watch that ends.
func TestAWebhookThatIsEndedStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	url, got := hook(t, 503)
	ended := make(chan error, 1)
	go func() { ended <- Webhook{URL: url, Pause: time.Hour}.Send(ctx, sample()) }()
	testkit.Eventually(t, time.Minute, "the first try", func(context.Context) bool { return len(got()) == 1 })
	cancel()
	require.ErrorContains(t, <-ended, "HTTP 503")
	require.ErrorContains(t, Webhook{URL: "http://\x7f/secret-token"}.Send(t.Context(), sample()), "its URL is not one")
}

// TestBeginAndEndAreToldInTheirOrder has a webhook that is away while something begins, ends and begins again.
func TestBeginAndEndAreToldInTheirOrder(t *testing.T) {
	r := &running{}
	disk := func(free int64) {
		r.set(func(r *status.Report) { r.Hosts[0].Disk = &status.Disk{Used: 100 - free, Free: free} })
	}
	disk(1)
	limits := Defaults()
	limits.After, limits.Clear = 0, 0
	var mu sync.Mutex
	away, failures := true, 0
	var shown []string
	file := filepath.Join(t.TempDir(), "watch.json")
	job := Job{Cluster: "ci", Limits: limits, Every: time.Millisecond, Step: time.Millisecond, Again: time.Millisecond, File: file,
		Report: func(context.Context) status.Report { r.mu.Lock(); defer r.mu.Unlock(); return r.report },
		Show: func(a Alert) error {
			mu.Lock()
			defer mu.Unlock()
			shown = append(shown, a.State+" "+a.ID)
			return errors.New("the terminal is gone")
		},
		Tell: func(_ context.Context, a Alert) error {
			mu.Lock()
			defer mu.Unlock()
			if away {
				return errors.New("HTTP 503")
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.alerts = append(r.alerts, a.State+" "+a.ID)
			return nil
		},
		Failed: func(error) { mu.Lock(); defer mu.Unlock(); failures++ }}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- job.Run(ctx) }()
	waiting := func(n int) func(context.Context) bool {
		return func(context.Context) bool {
			box, err := openOutbox(file)
			return err == nil && len(box.memory.Untold) == n
		}
	}
	testkit.Eventually(t, time.Minute, "the begin waits", waiting(1))
	disk(50)
	testkit.Eventually(t, time.Minute, "its end waits, too", waiting(2))
	disk(1)
	testkit.Eventually(t, time.Minute, "and the next begin", waiting(3))
	mu.Lock()
	away = false
	mu.Unlock()
	want := []string{"begin disk/a1", "end disk/a1", "begin disk/a1"}
	testkit.Eventually(t, time.Minute, "all are told", func(context.Context) bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.alerts) >= 3 })
	cancel()
	require.NoError(t, <-ended)
	require.Equal(t, want, r.alerts)
	require.Equal(t, want, shown, "each is shown once, also where showing fails")
	require.Positive(t, failures)
	box, err := openOutbox(file)
	require.NoError(t, err)
	require.Empty(t, box.memory.Untold)
	require.Len(t, box.memory.Open, 1, "the next run knows that it has begun")
}

// TestAnAlertIsToldAlsoWhereItCannotBeKept has a folder for the memory that is not there.
func TestAnAlertIsToldAlsoWhereItCannotBeKept(t *testing.T) {
	r := &running{}
	r.set(func(r *status.Report) { r.Hosts[0].Disk = &status.Disk{Used: 99, Free: 1} })
	limits := Defaults()
	limits.After = 0
	job := Job{Cluster: "ci", Limits: limits, Every: time.Millisecond, Step: time.Millisecond, File: filepath.Join(t.TempDir(), "none", "watch.json"),
		Report: func(context.Context) status.Report { r.mu.Lock(); defer r.mu.Unlock(); return r.report },
		Tell: func(_ context.Context, a Alert) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.alerts = append(r.alerts, a.State+" "+a.ID)
			return nil
		},
		Failed: func(err error) { r.mu.Lock(); defer r.mu.Unlock(); r.faults = append(r.faults, err.Error()) }}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- job.Run(ctx) }()
	testkit.Eventually(t, time.Minute, "it is told", r.has("begin disk/a1"))
	cancel()
	require.NoError(t, <-ended)
	require.NotEmpty(t, r.faults)
	require.Contains(t, r.faults[0], "keeping the alerts that have begun")
	require.Equal(t, []string{"begin disk/a1"}, r.alerts)
}

func TestARecoveryIsToldAndTheNextFailureAgain(t *testing.T) {
	w := watched(func(r *status.Report) { r.Controller.State = "refused" })
	told(w, 0)
	require.Equal(t, []string{"begin controller-down"}, told(w, 30))
	set(w, nil)
	told(w, 100)
	require.Equal(t, []string{"end controller-down"}, told(w, 160))
	set(w, func(r *status.Report) { r.Controller.State = "refused" })
	require.Empty(t, told(w, 200), "it is new, and must last again")
	require.Empty(t, told(w, 229))
	again := w.Step(begin().Add(230 * time.Second))
	require.Len(t, again, 1)
	require.Equal(t, begin().Add(200*time.Second), again[0].Began, "it has a beginning of its own")
	require.Zero(t, again[0].Ended)
}

// TestWhatHadBegunStaysWhileNothingAnswers has a network between the watch and the cluster that goes away and comes back.
func TestWhatHadBegunStaysWhileNothingAnswers(t *testing.T) {
	w := watched(func(r *status.Report) {
		r.ZooKeeper.Servers[0].Mode, r.Hosts[0].Disk.Free = "", 1
	})
	told(w, 0)
	require.Equal(t, []string{"begin disk/a1", "begin quorum-at-risk/zookeeper"}, told(w, 30))
	w.Probed(probe.Sample{Target: probe.Edge, Detail: "no answer in time"})
	w.Reported(status.Report{Checked: begin(), Mesos: status.Mesos{Error: "away"}, Marathon: status.Marathon{Error: "away"}, Controller: status.Controller{State: "refused"}})
	require.Empty(t, told(w, 40))
	require.Equal(t, []string{"begin cluster-unreachable"}, told(w, 70), "one alert, and none of what is behind it")
	require.Empty(t, told(w, 3600), "what cannot be seen has not ended")
	require.Len(t, w.Open(), 3)
	w.Probed(probe.Sample{Target: probe.Edge, OK: true})
	set(w, func(r *status.Report) { r.Hosts[0].Disk.Free = 1 })
	require.Empty(t, told(w, 3601))
	require.Equal(t, []string{"end cluster-unreachable", "end quorum-at-risk/zookeeper"}, told(w, 3661), "the disk is still full")
}
