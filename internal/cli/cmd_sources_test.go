package cli

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const hostsCluster = `apiVersion: jomctl/v1
name: ci
target: hosts
hosts:
  - {name: m1, address: 192.0.2.1, roles: [control]}
  - {name: a1, address: 192.0.2.2, roles: [mesos-agent]}
components:
  mesos: {source: MESOS}
  marathon: {source: MARATHON}
jenkins: {war: standin}
`

// serveFiles serves texts by their path.
func serveFiles(t *testing.T, files map[string]string) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		text, ok := files[q.URL.Path]
		if !ok {
			http.NotFound(w, q)
			return
		}
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(server.Close)
	return server
}

func (b *bench) sources(mesos, marathon string) {
	b.write("cluster.yaml", strings.NewReplacer("MESOS", mesos, "MARATHON", marathon).Replace(hostsCluster))
}

// archiveOf is a tar archive with one file.
func archiveOf(t *testing.T, name string) string {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o755}))
	require.NoError(t, w.Close())
	return out.String()
}

func hexSum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func TestSourcesList(t *testing.T) {
	b := newBench(t)
	out, _ := b.ok("sources", "list")
	for _, want := range []string{"clusterd", "2026-09-28", "marathon-image", "clusterd is not for Marathon outside its own image", "gone since 2023-02: downloads.mesosphere.com"} {
		require.Contains(t, out, want)
	}
	out, _ = b.ok("sources", "list", "-o", "json")
	value := decode(t, out)
	require.NotEmpty(t, value["gone"])
	first := value["sources"].([]any)[0].(map[string]any)
	require.Equal(t, "clusterd", first["name"])
	require.Equal(t, "2026-08-22", first["lastSeen"])
	require.NoDirExists(t, b.path(".jomctl"))
}

func TestSourcesOfTargetLocalNeedNothing(t *testing.T) {
	b := newBench(t)
	out, _ := b.ok("sources", "check")
	require.Contains(t, out, "the stand-in is part of jomctl")
	require.NoDirExists(t, b.path(".jomctl"))
}

func TestSourcesFromLockToAMachineWithoutInternet(t *testing.T) {
	mesosTar, marathonTar := archiveOf(t, "sbin/mesos-master"), archiveOf(t, "bin/marathon")
	server := serveFiles(t, map[string]string{"/mesos.tgz": mesosTar, "/marathon.tgz": marathonTar})
	mesos := `{archive: "` + server.URL + `/mesos.tgz", sha256: ` + hexSum(mesosTar) + `}`
	marathon := `{archive: "` + server.URL + `/marathon.tgz", sha256: ` + hexSum(marathonTar) + `}`
	b := newBench(t)
	b.sources(mesos, marathon)
	_, errOut := b.ok("sources", "check")
	require.Contains(t, errOut, "For hosts as this machine")
	out, _ := b.ok("sources", "check", "--for", "debian/bookworm/amd64")
	require.Contains(t, out, "ok        mesos: archive "+server.URL+"/mesos.tgz, for debian/bookworm/amd64")
	require.NoFileExists(t, b.path("cluster.lock.yaml"))

	b.ok("sources", "lock", "--for", "debian/bookworm/amd64")
	lock, err := os.ReadFile(b.path("cluster.lock.yaml"))
	require.NoError(t, err)
	require.Contains(t, string(lock), hexSum(marathonTar))
	b.ok("sources", "check", "--offline", "--for", "debian/bookworm/amd64")
	out, _ = b.ok("sources", "pack", b.path("all.tar"), "--for", "debian/bookworm/amd64")
	require.Contains(t, out, "2 files")
	code, _, errOut := b.run("sources", "pack", b.path("all.tar"))
	require.Equal(t, 2, code)
	require.Contains(t, errOut, "--yes replaces it")
	server.Close()

	away := newBench(t)
	away.sources(mesos, marathon)
	code, out, _ = away.run("sources", "check", "--offline", "--for", "debian/bookworm/amd64")
	require.Equal(t, 3, code)
	require.Contains(t, out, "`jomctl sources unpack` here")
	code, out, _ = away.run("sources", "check", "--for", "debian/bookworm/amd64")
	require.Equal(t, 3, code)
	require.Contains(t, out, "connection refused")
	out, _ = away.ok("sources", "unpack", b.path("all.tar"), "-o", "json")
	require.Len(t, decode(t, out)["files"], 2)
	away.ok("sources", "check", "--offline", "--for", "debian/bookworm/amd64")
	again, err := os.ReadFile(away.path("cluster.lock.yaml"))
	require.NoError(t, err)
	require.Equal(t, string(lock), string(again), "the lock travels too")
}

func TestSourcesCheckRefuses(t *testing.T) {
	server := serveFiles(t, map[string]string{"/marathon.tgz": "changed"})
	b := newBench(t)
	b.sources("{catalog: mesos-apache-source}", `{archive: "http://downloads.mesosphere.com/marathon.tgz", sha256: `+hexSum("")+`}`)
	code, out, errOut := b.run("sources", "check", "--for", "debian/bookworm/amd64", "-o", "json")
	require.Equal(t, 3, code)
	require.Empty(t, errOut)
	findings := decode(t, out)["findings"].([]any)
	require.Len(t, findings, 2)
	require.Contains(t, findings[0].(map[string]any)["problem"], "is source code")
	require.Contains(t, findings[1].(map[string]any)["problem"], "gone since 2023-02")

	b.sources("standin", `{archive: "`+server.URL+`/marathon.tgz", sha256: `+hexSum("wanted")+`}`)
	code, out, _ = b.run("sources", "lock", "--for", "debian/bookworm/amd64")
	require.Equal(t, 3, code)
	require.Contains(t, out, "the sha256 is "+hexSum("changed")+", but must be "+hexSum("wanted"))
	require.Contains(t, out, "the stand-in of Mesos has none")
	require.NoFileExists(t, b.path("cluster.lock.yaml"))

	for _, args := range [][]string{{"sources", "check", "--for", "debian"}, {"sources", "unpack", b.path("nothing.tar")}, {"sources", "pack"}} {
		code, _, _ = b.run(args...)
		require.Equal(t, 2, code, "%v", args)
	}
	b.write("no.tar", "no tar at all")
	code, _, errOut = b.run("sources", "unpack", b.path("no.tar"))
	require.Equal(t, 1, code)
	require.Contains(t, errOut, "no archive of `jomctl sources pack`")
}
