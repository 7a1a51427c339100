package fetch

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func p[T any](v T) *T { return &v }

func tarGz(t *testing.T, name, content string) []byte {
	var b bytes.Buffer
	packed := gzip.NewWriter(&b)
	archive := tar.NewWriter(packed)
	require.NoError(t, archive.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content))}))
	_, err := archive.Write([]byte(content))
	require.NoError(t, err)
	require.NoError(t, archive.Close())
	require.NoError(t, packed.Close())
	return b.Bytes()
}

func zipped(t *testing.T, name, content string) []byte {
	var b bytes.Buffer
	archive := zip.NewWriter(&b)
	file, err := archive.Create(name)
	require.NoError(t, err)
	_, err = file.Write([]byte(content))
	require.NoError(t, err)
	require.NoError(t, archive.Close())
	return b.Bytes()
}

func gzipped(t *testing.T, content string) []byte {
	var b bytes.Buffer
	packed := gzip.NewWriter(&b)
	_, err := packed.Write([]byte(content))
	require.NoError(t, err)
	require.NoError(t, packed.Close())
	return b.Bytes()
}

func TestFetch(t *testing.T) {
	files := map[string][]byte{
		"/plain.txt": []byte("plain"), "/a.tar.gz": tarGz(t, "dir/inside", "in tar"), "/a.zip": zipped(t, "zdir/inside", "in zip"),
		"/notes.gz": gzipped(t, "in gzip"), "/evil.zip": zipped(t, "../outside", "x"), "/broken.tgz": []byte("no archive"),
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, ok := files[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write(content)
	}))
	defer server.Close()
	home := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(home, "local.sh"), []byte("#!/bin/sh\n"), 0o600))
	for _, c := range []struct {
		name    string
		uri     mesos.CommandInfo_URI
		home    string
		result  string // path in the sandbox, "" where it must fail
		content string
	}{
		{"http", mesos.CommandInfo_URI{Value: server.URL + "/plain.txt?token=1"}, "", "plain.txt", "plain"},
		{"tar", mesos.CommandInfo_URI{Value: server.URL + "/a.tar.gz"}, "", "dir/inside", "in tar"},
		{"tar kept as it is", mesos.CommandInfo_URI{Value: server.URL + "/a.tar.gz", Extract: p(false)}, "", "a.tar.gz", string(files["/a.tar.gz"])},
		{"zip", mesos.CommandInfo_URI{Value: server.URL + "/a.zip"}, "", "zdir/inside", "in zip"},
		{"gzip", mesos.CommandInfo_URI{Value: server.URL + "/notes.gz"}, "", "notes", "in gzip"},
		{"output file", mesos.CommandInfo_URI{Value: server.URL + "/plain.txt", OutputFile: p("sub/other")}, "", "sub/other", "plain"},
		{"absolute path", mesos.CommandInfo_URI{Value: home + "/local.sh"}, "", "local.sh", "#!/bin/sh\n"},
		{"file", mesos.CommandInfo_URI{Value: "file://" + home + "/local.sh"}, "", "local.sh", "#!/bin/sh\n"},
		{"relative path", mesos.CommandInfo_URI{Value: "local.sh"}, home, "local.sh", "#!/bin/sh\n"},
		{"relative path without home", mesos.CommandInfo_URI{Value: "local.sh"}, "", "", ""},
		{"missing", mesos.CommandInfo_URI{Value: server.URL + "/nope"}, "", "", ""},
		{"other scheme", mesos.CommandInfo_URI{Value: "hdfs://x/y"}, "", "", ""},
		{"folder", mesos.CommandInfo_URI{Value: home}, "", "", ""},
		{"output outside", mesos.CommandInfo_URI{Value: server.URL + "/plain.txt", OutputFile: p("../x")}, "", "", ""},
		{"archive with a way out", mesos.CommandInfo_URI{Value: server.URL + "/evil.zip"}, "", "", ""},
		{"broken archive", mesos.CommandInfo_URI{Value: server.URL + "/broken.tgz"}, "", "", ""},
		{"no name", mesos.CommandInfo_URI{Value: server.URL + "/"}, "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			sandbox := filepath.Join(t.TempDir(), "sandbox")
			require.NoError(t, os.Mkdir(sandbox, 0o755))
			var log bytes.Buffer
			err := All([]mesos.CommandInfo_URI{c.uri}, sandbox, c.home, 5*time.Second, &log)
			assert.Contains(t, log.String(), "Fetching URI '"+c.uri.Value+"'")
			assert.NoFileExists(t, filepath.Join(sandbox, "..", "outside"))
			if c.result == "" {
				require.Error(t, err)
				assert.Contains(t, log.String(), "Failed to fetch")
				return
			}
			require.NoError(t, err)
			content, err := os.ReadFile(filepath.Join(sandbox, c.result))
			require.NoError(t, err)
			assert.Equal(t, c.content, string(content))
		})
	}
}

func TestExecutableIsNotExtracted(t *testing.T) {
	sandbox, source := t.TempDir(), filepath.Join(t.TempDir(), "run.tgz")
	require.NoError(t, os.WriteFile(source, []byte("#!/bin/sh\n"), 0o600))
	require.NoError(t, All([]mesos.CommandInfo_URI{{Value: source, Executable: p(true)}}, sandbox, "", time.Second, &bytes.Buffer{}))
	info, err := os.Stat(filepath.Join(sandbox, "run.tgz"))
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&0o111)
}

func TestStalledDownloadEnds(t *testing.T) {
	gate := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("begin"))
		w.(http.Flusher).Flush()
		<-gate
	}))
	defer server.Close()
	defer close(gate)
	assert.Error(t, All([]mesos.CommandInfo_URI{{Value: server.URL + "/slow"}}, t.TempDir(), "", 100*time.Millisecond, &bytes.Buffer{}))
}
