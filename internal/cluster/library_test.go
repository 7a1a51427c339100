package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"time"

	marathon "github.com/gambol99/go-marathon"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// These are the library's faults themselves. A test that fails here says that the library has got better, and that a
// part of the fence is no longer needed.

func bare(t *testing.T, urls ...string) marathon.Marathon {
	t.Helper()
	config := marathon.NewDefaultConfig()
	config.URL = strings.Join(urls, ",")
	library, err := marathon.NewClient(config)
	require.NoError(t, err)
	return library
}

func TestLibraryHidesTheReasonAndStaysDown(t *testing.T) {
	m := newMarathon(t)
	m.answer(html(t, 502))
	library := bare(t, m.URL)
	_, err := library.Leader()
	assert.Equal(t, marathon.ErrMarathonDown, err)
	_, err = library.Leader()
	assert.Equal(t, marathon.ErrMarathonDown, err, "Marathon is back, the client is not")
	assert.Equal(t, 1, m.seen("GET /v2/leader"))
}

func TestLibrarySendsAPostToTheNextMemberToo(t *testing.T) {
	one, two := newMarathon(t), newMarathon(t)
	for _, m := range []*fakeMarathon{one, two} {
		m.app = map[string]any{"id": "/jenkins", "version": "v"}
	}
	restartThenFail := func(w http.ResponseWriter, r *http.Request) {
		one.change()
		html(t, 502)(w, r)
	}
	one.answer(restartThenFail)
	_, err := bare(t, one.URL, two.URL).RestartApplication("/jenkins", false)
	require.NoError(t, err)
	assert.Equal(t, 1, one.seen("POST"))
	assert.Equal(t, 1, two.seen("POST"), "the restart is made twice")
}

func TestLibraryLosesPartsOfADocument(t *testing.T) {
	var app marathon.Application
	require.NoError(t, json.Unmarshal([]byte(document), &app))
	text, err := json.Marshal(&app)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "delaySeconds")
	assert.NotContains(t, string(text), `"cpus"`)
	assert.NotContains(t, string(text), `"env"`)
}

// The library probes a failed member every 5 s for as long as the program lives; the fence tells it that all is well.
func TestFenceEndsTheProbesOfTheLibrary(t *testing.T) {
	f := &fence{ctx: context.Background()}
	probe, err := http.NewRequest(http.MethodGet, "http://127.0.0.1:1/ping", nil)
	require.NoError(t, err)
	resp, err := f.RoundTrip(probe)
	require.NoError(t, err, "nothing listens there")
	assert.Equal(t, http.StatusOK, resp.StatusCode)
}

func TestFenceEndsACallWithItsContext(t *testing.T) {
	m := newMarathon(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	m.answer(func(http.ResponseWriter, *http.Request) { close(entered); <-leave })
	defer close(leave)
	ctx, cancel := context.WithCancel(context.Background())
	failed := make(chan error, 1)
	go func() {
		_, err := m.client().App(ctx, "/jenkins")
		failed <- err
	}()
	<-entered
	cancel()
	var err error
	testkit.Eventually(t, time.Minute, "the call ends while the server says nothing", func(context.Context) bool {
		select {
		case err = <-failed:
			return true
		default:
			return false
		}
	})
	assert.ErrorIs(t, err, context.Canceled)
}

func TestFenceCarriesCredentialsAndQueries(t *testing.T) {
	m := newMarathon(t)
	c := m.client()
	c.Login = func() (string, string, error) { return "ops", "secret", nil }
	check := func(w http.ResponseWriter, r *http.Request) {
		user, password, ok := r.BasicAuth()
		assert.True(t, ok && user == "ops" && password == "secret", r.URL.Path)
		fmt.Fprint(w, `{"queue":[],"leader":"a:1"}`)
	}
	m.answer(check, check)
	_, err := c.Leader(context.Background())
	require.NoError(t, err)
	item, err := c.queued(context.Background(), "/jenkins")
	require.NoError(t, err)
	assert.Nil(t, item)
}

func TestARefusedLoginIsToldAndNotRepeated(t *testing.T) {
	m := newMarathon(t)
	c := m.client()
	c.Patience = time.Hour
	c.Login = func() (string, string, error) { return "ops", "wrong-one", nil }
	m.answer(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, "<html>\n<head>\n<title>Error 401 Unauthorized</title>\n</head>")
	})
	_, err := c.App(context.Background(), "/jenkins")
	require.ErrorContains(t, err, "HTTP 401: Error 401 Unauthorized")
	assert.NotContains(t, err.Error(), "wrong-one")
	assert.Contains(t, hintOf(err), "`jomctl install` puts that of the file in force")

	c.Login = func() (string, string, error) { return "", "", fs.ErrNotExist }
	_, err = c.App(context.Background(), "/jenkins")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "the password of Marathon")
	require.ErrorIs(t, c.get(context.Background(), "ask", "/v2/info", nil), fs.ErrNotExist)
	require.ErrorIs(t, c.Ping(context.Background()), fs.ErrNotExist)
}
