package home

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// The test binary plays the controller when this variable names how it behaves.
const behaviour = "JOMHOME_TEST_CONTROLLER"

func TestMain(m *testing.M) {
	if Watchdog() {
		return
	}
	if how := os.Getenv(behaviour); how != "" {
		playController(how)
		return
	}
	if config := os.Getenv(runVariable); config != "" {
		os.Exit(playJomhome(config))
	}
	os.Exit(m.Run())
}

func playController(how string) {
	mux := http.NewServeMux()
	answer := func(path string, status int) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			if path == "/tcpSlaveAgentListener/" && status == 200 {
				w.Header().Set("X-Jenkins-JNLP-Port", "50000")
			}
			w.WriteHeader(status)
		})
	}
	statuses := map[string][3]int{ // /login, /api/json, /tcpSlaveAgentListener/
		"secured": {200, 403, 200}, "open": {200, 200, 200}, "boot-failed": {500, 500, 500}, "no-port": {200, 403, 404},
	}[how]
	answer("/login", statuses[0])
	answer("/api/json", statuses[1])
	answer("/tcpSlaveAgentListener/", statuses[2])
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("home is", os.Getenv("JENKINS_HOME"))
	_ = http.Serve(listener, mux)
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func controller(t *testing.T, how string) Controller {
	t.Helper()
	host, port, err := net.SplitHostPort(testkit.FreeAddr(t, "127.0.0.1"))
	require.NoError(t, err)
	t.Setenv("HOST", host)
	t.Setenv("PORT0", port)
	dir := t.TempDir()
	return Controller{Home: filepath.Join(dir, "home"), Seed: makeSeed(t, dir), Argv: []string{os.Args[0], "$HOST:$PORT0"},
		Env: []string{behaviour + "=" + how}, URL: "http://$HOST:$PORT0", AgentPort: true, BootSeconds: 1}
}

func makeSeed(t *testing.T, dir string) string {
	t.Helper()
	from := filepath.Join(dir, "seed")
	require.NoError(t, os.MkdirAll(filepath.Join(from, "users", "admin"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(from, "config.xml"), []byte("<hudson/>"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(from, "users", "admin", "config.xml"), []byte("<user/>"), 0o600))
	return from
}

func TestAControllerThatMustNotGoOnIsStopped(t *testing.T) {
	for how, want := range map[string]error{"open": ErrOpen, "boot-failed": ErrBootFailed, "no-port": ErrNoAgentPort} {
		t.Run(how, func(t *testing.T) {
			c := controller(t, how)
			var out lockedBuffer
			code, err := Run(context.Background(), c, Streams{Out: &out, Err: &out})
			require.ErrorIs(t, err, want)
			require.Equal(t, ExitUnsafe, code)
			_, err = net.Dial("tcp", os.Getenv("HOST")+":"+os.Getenv("PORT0"))
			require.ErrorIs(t, err, syscall.ECONNREFUSED, "the controller must be gone")
		})
	}
}

func TestASecuredControllerRunsUntilItIsTold(t *testing.T) {
	c := controller(t, "secured")
	var out lockedBuffer
	ctx, cancel := context.WithCancel(context.Background())
	type result struct {
		code int
		err  error
	}
	results := make(chan result, 1)
	go func() {
		code, err := Run(ctx, c, Streams{Out: &out, Err: &out})
		results <- result{code, err}
	}()
	testkit.Eventually(t, 20*time.Second, "the guard says that strangers are refused", func(context.Context) bool {
		return bytes.Contains([]byte(out.String()), []byte("refuses anonymous visitors"))
	})
	_, err := Run(context.Background(), c, Streams{Out: &out, Err: &out})
	require.ErrorContains(t, err, "is in use by another controller (pid")
	cancel()
	ended := <-results
	require.NoError(t, ended.err)
	require.Equal(t, 128+int(syscall.SIGTERM), ended.code)
	require.Contains(t, out.String(), "home is "+c.Home)
	release, err := Own(c.Home)
	require.NoError(t, err, "the home is free again")
	release()
}

func TestTheControllersOwnExitCodeIsKept(t *testing.T) {
	c := controller(t, "secured")
	c.Argv = []string{"/bin/sh", "-c", "exit 5"}
	code, err := Run(context.Background(), c, Streams{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}})
	require.NoError(t, err)
	require.Equal(t, 5, code)
	c.Argv = []string{"/no/such/java"}
	code, err = Run(context.Background(), c, Streams{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}})
	require.ErrorContains(t, err, "/no/such/java")
	require.Equal(t, ExitPrepare, code)
}

func TestACommandOutsideMarathonIsRefused(t *testing.T) {
	c := controller(t, "secured")
	t.Setenv("PORT0", "")
	_, err := Run(context.Background(), c, Streams{})
	require.ErrorContains(t, err, "$PORT0, which is not set")
	require.NoDirExists(t, c.Home, "nothing is touched before everything is known")
}
