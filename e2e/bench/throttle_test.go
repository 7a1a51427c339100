package bench

import (
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/stretchr/testify/require"
)

// throttled is a registry without TLS whose outgoing traffic has a limit, all connections together.
type throttled struct {
	address string
	sent    atomic.Int64
}

// newThrottled serves a registry that keeps what it gets in a folder, on a free port of an address, with so many bytes in a second.
func newThrottled(b *testing.B, ip, dir string, rate int64) *throttled {
	b.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		b.Fatal(err)
	}
	t, limit := &throttled{address: listener.Addr().String()}, &limiter{rate: rate}
	keeps := registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithBlobHandler(registry.NewDiskBlobHandler(dir)))
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		keeps.ServeHTTP(&slowWriter{ResponseWriter: w, ctx: q.Context(), limit: limit, sent: &t.sent}, q)
	})}
	go func() { _ = server.Serve(listener) }() // ends with Close
	b.Cleanup(func() { _ = server.Close() })
	return t
}

// limiter tells all who send when they may send on.
type limiter struct {
	rate int64 // bytes in a second
	mu   sync.Mutex
	next time.Time
}

// burst is how far behind its rate a sender may be and still catch up: timers wake up late.
const burst = 100 * time.Millisecond

// take waits until so many bytes more may have gone out.
func (l *limiter) take(ctx context.Context, n int) error {
	l.mu.Lock()
	if earliest := time.Now().Add(-burst); l.next.Before(earliest) {
		l.next = earliest
	}
	l.next = l.next.Add(time.Duration(n) * time.Second / time.Duration(l.rate))
	timer := time.NewTimer(time.Until(l.next))
	l.mu.Unlock()
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// slowWriter has no ReadFrom, so that everything goes through Write.
type slowWriter struct {
	http.ResponseWriter
	ctx   context.Context
	limit *limiter
	sent  *atomic.Int64
}

func (w *slowWriter) Write(p []byte) (int, error) {
	if err := w.limit.take(w.ctx, len(p)); err != nil {
		return 0, err
	}
	n, err := w.ResponseWriter.Write(p)
	w.sent.Add(int64(n))
	return n, err
}

func TestASlowWriterHoldsItsRate(t *testing.T) {
	limit, sent := &limiter{rate: 4 << 20}, atomic.Int64{}
	got := httptest.NewRecorder()
	w := &slowWriter{ResponseWriter: got, ctx: t.Context(), limit: limit, sent: &sent}
	began, text := time.Now(), strings.Repeat("x", 1<<20)
	_, err := io.Copy(w, struct{ io.Reader }{strings.NewReader(text)})
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(began), time.Second/4-burst, "1 MiB at 4 MiB/s")
	require.True(t, bytes.Equal(got.Body.Bytes(), []byte(text)))
	require.EqualValues(t, len(text), sent.Load())

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, limit.take(ctx, 10<<20), context.Canceled, "who has gone does not wait")
}
