package bench

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/jomctl/jomctl/images"
)

const (
	// changeLimit is how long the image of a changed configuration may take to be built and sent, in seconds, sentLimit how much is sent, in MB.
	changeLimit = 10.0
	sentLimit   = 1.0
	// What a war and the plugins of a team weigh.
	warBytes, pluginBytes, plugins = 90 << 20, 1 << 20, 60
)

// counted is a registry on an address that is no loopback one, as that of a cluster, which counts what it is sent.
type counted struct {
	address string
	sent    atomic.Int64
}

func newCounted(b *testing.B) *counted {
	b.Helper()
	out, err := exec.Command("docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}").Output()
	if err != nil {
		b.Fatalf("ask the Docker Engine of this machine for its bridge: %v", err)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(strings.TrimSpace(string(out)), "0"))
	if err != nil {
		b.Fatal(err)
	}
	c := &counted{address: listener.Addr().String()}
	keeps := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		q.Body = &countedBody{q.Body, &c.sent}
		keeps.ServeHTTP(w, q)
	})}
	go func() { _ = server.Serve(listener) }()
	b.Cleanup(func() { _ = server.Close() })
	return c
}

type countedBody struct {
	io.ReadCloser
	sent *atomic.Int64
}

func (c *countedBody) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.sent.Add(int64(n))
	return n, err
}

// noise is a file that no compression makes smaller, as wars and plugins are.
func noise(b *testing.B, path string, size int64) images.File {
	b.Helper()
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(file, sum), rand.Reader, size); err != nil {
		b.Fatal(err)
	}
	if err := file.Close(); err != nil {
		b.Fatal(err)
	}
	return images.File{Path: filepath.Base(path), Source: path, SHA256: hex.EncodeToString(sum.Sum(nil))}
}

// BenchmarkChangedConfiguration builds and sends the controller's image again and again, each time with another configuration.
func BenchmarkChangedConfiguration(b *testing.B) {
	base, there := os.Getenv("JOMCTL_BENCH_BASE"), newCounted(b)
	if base == "" {
		b.Skip("needs JOMCTL_BENCH_BASE, a Debian in this machine's Docker Engine (scripts/bench.sh images)")
	}
	dir := b.TempDir()
	runtime := images.Runtime{Base: base, Java: "default-jre-headless", UserID: 1500}
	release := images.Release{Content: "bench", War: noise(b, filepath.Join(dir, "jenkins.war"), warBytes), Jomhome: filepath.Join(bin, "jomhome")}
	for n := range plugins {
		release.Plugins = append(release.Plugins, noise(b, filepath.Join(dir, fmt.Sprintf("p%d.jpi", n)), pluginBytes))
	}
	made := map[string]bool{}
	b.Cleanup(func() {
		for ref := range made {
			if !strings.HasPrefix(ref, "jomctl/runtime:") { // it takes long, and is the same the next time
				_ = exec.Command("sh", "-c", "docker image ls --format '{{.Repository}}:{{.Tag}}' | grep -F "+ref+" | xargs -r docker image rm --force").Run()
			}
		}
	})
	engine := images.Docker{}
	change := func(text string) (time.Duration, int64) {
		release.Seed = []images.File{{Path: "jenkins.yaml", Content: []byte(text)}}
		before, began := there.sent.Load(), time.Now()
		chain, err := images.Controller(runtime, release)
		if err != nil {
			b.Fatal(err)
		}
		built, err := images.Build(b.Context(), engine, runtime.Base, chain, func(string) {})
		if err != nil {
			b.Fatal(err)
		}
		for _, link := range built {
			made[link.Ref] = true
		}
		if _, err := engine.Push(b.Context(), built[len(built)-1].Ref, there.address, images.Login{}); err != nil {
			b.Fatal(err)
		}
		return time.Since(began), there.sent.Load() - before
	}
	first, all := change("jenkins: {}")
	var times []time.Duration
	var most int64
	for n := range 5 {
		took, sent := change(fmt.Sprintf("jenkins: {numExecutors: %d}", n))
		times, most = append(times, took), max(most, sent)
	}
	t := &table{}
	t.note("first image: built and sent", first.Seconds(), "s")
	t.note("first image: sent", float64(all)/1e6, "MB")
	t.figure("changed configuration: built and sent", median(times), changeLimit, "s")
	t.figure("changed configuration: sent", float64(most)/1e6, sentLimit, "MB")
	t.judge(b)
}
