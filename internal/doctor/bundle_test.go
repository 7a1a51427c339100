package doctor

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/host"
)

// unpack reads a bundle: texts by name without the folder.
func unpack(t *testing.T, data []byte) map[string]string {
	t.Helper()
	packed, err := gzip.NewReader(bytes.NewReader(data))
	require.NoError(t, err)
	files, archive := map[string]string{}, tar.NewReader(packed)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		require.NoError(t, err)
		require.EqualValues(t, 0o600, header.Mode)
		_, name, _ := strings.Cut(header.Name, "/")
		text, err := io.ReadAll(archive)
		require.NoError(t, err)
		files[name] = string(text)
	}
}

// zooKeeper answers each command with its name.
func zooKeeper(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			word := make([]byte, 4)
			_, _ = io.ReadFull(conn, word)
			_, _ = fmt.Fprintf(conn, "answer to %s\n", word)
			_ = conn.Close()
		}
	}()
	return listener.Addr().String()
}

func bundleInputs(t *testing.T) (Inputs, *world) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		switch {
		case strings.HasPrefix(r.URL.Path, "/v2/") && (user != "ops" || password != "hunter2hunter2"):
			w.WriteHeader(http.StatusUnauthorized)
		case strings.HasPrefix(r.URL.Path, "/computer") && (user != "admin" || password != "topsecretvalue"):
			w.WriteHeader(http.StatusForbidden)
		case r.URL.Path == "/state":
			_, _ = io.WriteString(w, `{"env":{"GITHUB_TOKEN":"hunter2hunter2"},"flags":{"authenticate":"topsecretvalue"}}`)
		case r.URL.Path == "/flags":
			_, _ = io.WriteString(w, strings.Repeat("f", itemBytes+100))
		default:
			_, _ = io.WriteString(w, "answer to "+r.URL.Path)
		}
	}))
	t.Cleanup(web.Close)
	w := healthy()
	w.logs = map[string]string{"t1/stdout": "started with topsecretvalue", "t1/stderr": ""}
	w.app.LastFailure = &cluster.TaskFailure{TaskID: "../t9"}
	w.machines = []host.Machine{
		&machine{name: "a1", units: []host.Status{{Name: "mesos-agent", LogFile: "/log"}}, runs: map[string]string{
			fmt.Sprintf("tail -c %d /log", itemBytes): "export DB_PASSWORD=hunter2hunter2\n", "uname -a": "Linux"}},
		&machine{name: "a2", err: errors.New("no route to host")},
	}
	in := w.inputs(t)
	in.Raw = Raw{Masters: []string{web.URL}, Marathons: []string{"http://127.0.0.1:1", web.URL}, ZooKeepers: []string{zooKeeper(t)},
		MarathonUser: "ops", MarathonPassword: "hunter2hunter2",
		JenkinsURL: web.URL, JenkinsUser: "admin", JenkinsPassword: "topsecretvalue"}
	require.NoError(t, os.WriteFile(in.Cluster.File, []byte("name: ci\nregistry:\n  password: hunter2hunter2\n"), 0o600))
	journal := filepath.Join(in.Cluster.StateDir(), "journal")
	require.NoError(t, os.MkdirAll(journal, 0o700))
	for i := range filesKept + 2 {
		require.NoError(t, os.WriteFile(filepath.Join(journal, fmt.Sprintf("%03d-install.jsonl", i)), []byte(`{"kind":"begin-run"}`), 0o600))
	}
	return in, w
}

func TestBundleHoldsWhatThereIsWithoutSecrets(t *testing.T) {
	in, _ := bundleInputs(t)
	var data bytes.Buffer
	manifest, err := Bundle(context.Background(), in, &data)
	require.NoError(t, err)
	files := unpack(t, data.Bytes())
	for name, want := range map[string]string{
		"mesos/master-1/state.json": hidden, "mesos/master-1/metrics.json": "answer to /metrics/snapshot", "zookeeper/1/mntr.txt": "answer to mntr", "marathon/2/info.json": "answer to /v2/info",
		"jenkins/computer.json": "answer to /computer/api/json", "hosts/a1/log/mesos-agent.log": "DB_PASSWORD=" + hidden, "hosts/a1/uname.txt": "Linux",
		"hosts/a1/units.json": "mesos-agent", "sandboxes/t1/stdout": "started with " + hidden, "cluster.yaml": "password: " + hidden,
		"jomctl/journal/021-install.jsonl": "begin-run", "doctor.json": `"check": "disk"`, "status.json": "{",
	} {
		assert.Contains(t, files[name], want, name)
	}
	assert.NotContains(t, files, "jomctl/journal/001-install.jsonl", "only the newest are taken")
	for name, text := range files {
		assert.NotContains(t, text, "topsecretvalue", name)
		assert.NotContains(t, text, "hunter2hunter2", name)
		assert.NotContains(t, name, "..")
	}
	var written Manifest
	require.NoError(t, json.Unmarshal([]byte(files["MANIFEST.json"]), &written))
	require.Equal(t, manifest.Items, written.Items)
	items := map[string]Item{}
	for _, item := range written.Items {
		items[item.Name] = item
	}
	assert.Contains(t, items["marathon/1/apps.json"].Error, "refused")
	assert.Contains(t, items["hosts/a2/units.json"].Error, "no route to host")
	assert.Contains(t, items["hosts/not-looked-at-1"].Error, "the units of a2, because: no route to host")
	assert.True(t, items["mesos/master-1/flags"].Cut)
	assert.Equal(t, itemBytes, items["mesos/master-1/flags"].Bytes)
	assert.NotEmpty(t, written.Missing())
}

func TestBundleSaysWhenItCannotBeWritten(t *testing.T) {
	in, _ := bundleInputs(t)
	_, err := Bundle(context.Background(), in, brokenDisk{})
	require.ErrorContains(t, err, "no space left")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = Bundle(ctx, in, io.Discard)
	require.ErrorIs(t, err, context.Canceled)
}

type brokenDisk struct{}

func (brokenDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestAPartThatHangsOrPanicsHoldsUpNothing(t *testing.T) {
	f := newFacts(context.Background(), healthy().inputs(t))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	release := make(chan struct{})
	defer close(release)
	item, _ := f.fetch(ctx, part{"hangs", false, func(context.Context) (string, error) { <-release; return "", nil }})
	require.Contains(t, item.Error, "did not come in time")
	item, _ = f.fetch(context.Background(), part{"panics", false, func(context.Context) (string, error) { panic("oh") }})
	require.Contains(t, item.Error, "collecting it failed: oh")
}

func TestCut(t *testing.T) {
	long := "password=half\n" + strings.Repeat("x", itemBytes-5) + "end"
	require.True(t, strings.HasSuffix(cut(long, true), "end"))
	require.NotContains(t, cut(long, true), "half", "half a line may be half a secret")
	require.Len(t, cut(long, false), itemBytes)
}
