package health

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

func target(t *testing.T, addr, protocol string) Target {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	n, err := strconv.Atoi(port)
	require.NoError(t, err)
	return Target{Protocol: protocol, Host: host, Port: n, Timeout: 2 * time.Second}
}

func TestHTTP(t *testing.T) {
	status, asked := 200, ""
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.Path
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	})
	for name, start := range map[string]func(http.Handler) *httptest.Server{"HTTP": httptest.NewServer, "HTTPS": httptest.NewTLSServer} {
		server := start(handler)
		t.Cleanup(server.Close)
		for code, want := range map[int]Result{200: {OK: true}, 302: {OK: true}, 399: {OK: true}, 404: {Cause: "404 Not Found"}, 503: {Cause: "503 Service Unavailable"}} {
			status = code
			got := Probe(context.Background(), target(t, server.Listener.Addr().String(), name))
			assert.Equal(t, want.OK, got.OK, "%s %d", name, code)
			assert.Equal(t, want.Cause, got.Cause, "%s %d", name, code)
			assert.Equal(t, code, got.Status)
		}
		to := target(t, server.Listener.Addr().String(), name)
		to.Path = "x"
		Probe(context.Background(), to)
		assert.Equal(t, "/x", asked, "a path without slash gets one, redirects are not followed")
	}
}

func TestTCPAndRefusal(t *testing.T) {
	l, err := net.Listen("tcp", testkit.FreeAddr(t, "127.0.0.1")) // nobody else takes it when it is closed
	require.NoError(t, err)
	assert.True(t, Probe(context.Background(), target(t, l.Addr().String(), "TCP")).OK)
	require.NoError(t, l.Close())
	for _, protocol := range []string{"TCP", "HTTP"} {
		got := Probe(context.Background(), target(t, l.Addr().String(), protocol))
		assert.False(t, got.OK)
		assert.NotEmpty(t, got.Cause)
	}
}

func TestEveryEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	calls := make(chan struct{}, 100)
	done := make(chan struct{})
	go func() {
		Every(ctx, 10*time.Millisecond, func() { calls <- struct{}{} })
		close(done)
	}()
	testkit.Eventually(t, time.Minute, "two calls", func(context.Context) bool { return len(calls) >= 2 })
	cancel()
	<-done
}
