package cli

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/ui"
)

func TestAnInterruptEndsTheQuestionsOfAPlainTerminal(t *testing.T) {
	b := newBench(t)
	streams, _, _, _ := ui.Buffers()
	silent, typist := io.Pipe()
	defer typist.Close()
	streams.In, streams.Err, streams.InTTY, streams.ErrTTY = silent, io.Discard, true, true
	streams.Env = func(name string) string { return map[string]string{"TERM": "dumb"}[name] }
	ctx, interrupt := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	go func() { ended <- execute(ctx, []string{"-f", b.path("new.yaml"), "install"}, streams, b.commands) }()
	interrupt()
	select {
	case code := <-ended:
		require.Equal(t, 130, code)
	case <-time.After(time.Minute):
		t.Fatal("nobody heard the interrupt")
	}
	require.NoFileExists(t, b.path("new.yaml"))
}
