package e2e

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestHostsBehindAJumpHost installs hosts of which this machine reaches only one, and that one only by SSH.
func TestHostsBehindAJumpHost(t *testing.T) {
	b := newLabBench(t)
	b.file("mesos")
	text, err := os.ReadFile(b.path("cluster.yaml"))
	require.NoError(t, err)
	b.write(strings.Replace(string(text), "ssh: {", "ssh: {jump: admin@"+b.lab.Host("a2").Address+", ", 1))
	for _, host := range []string{"m1", "a1"} {
		b.lab.Shut(host, b.gateway())
	}
	b.lab.Shut("a2", b.gateway(), 22)

	r := b.install().ok()
	require.Contains(t, r.out, "-L 8080:"+b.lab.Host("m1").Address+":8080 -J admin@"+b.lab.Host("a2").Address+":22 admin@"+b.lab.Host("m1").Address)
	b.unreached("m1", "8080")
	require.Contains(t, b.run("install", "--yes").ok().errOut, "nothing to do")
	report := b.status()
	require.True(t, report.Ready, "%+v", report.Findings)
	b.run("prove", "--yes").ok()
	b.run("doctor").ok()
	b.run("destroy", "--yes", "--home", "/var/lib/jomctl/jenkins_home").ok()
	b.untouched()
}

// unreached makes sure that the hosts are as shut as the test believes.
func (b *labBench) unreached(host, port string) {
	b.t.Helper()
	client := &http.Client{Timeout: 3 * time.Second}
	_, err := client.Get("http://" + b.lab.Host(host).Address + ":" + port + "/login")
	var timeout *url.Error
	require.ErrorAs(b.t, err, &timeout)
	require.True(b.t, timeout.Timeout(), err)
}
