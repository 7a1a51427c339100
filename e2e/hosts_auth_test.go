package e2e

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/e2e/lab"
	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/testkit"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/hosts"
)

// turn turns authentication on or off and brings the hosts there.
func (r *hostRig) turn(on bool) {
	r.t.Helper()
	r.c.Components.Mesos.Authentication, r.c.Components.Marathon.BasicAuth = on, nil
	if on {
		r.c.Components.Marathon.BasicAuth = &config.BasicAuth{}
		config.Default(r.c)
	}
	r.apply(r.services())
	r.serves()
	require.Empty(r.t, r.preview(append(r.base(), r.services()...)), "a second install has nothing to do")
	require.Empty(r.t, r.drift())
}

// serves waits until the edge leads to a master that knows the Mesos agent and to a Marathon that is registered.
func (r *hostRig) serves() {
	r.t.Helper()
	testkit.Eventually(r.t, 2*time.Minute, "the master knows the Mesos agent", func(ctx context.Context) bool { return r.agents(ctx) == 1 })
	marathon := cluster.Marathon{URLs: []string{provision.EdgeURL(r.c, provision.EdgeMarathonPort)}, Patience: time.Millisecond, Login: r.c.MarathonLogin}
	testkit.Eventually(r.t, 2*time.Minute, "Marathon is registered and the edge follows it", func(ctx context.Context) bool {
		info, err := marathon.Info(ctx)
		return err == nil && info.FrameworkID != ""
	})
}

func TestRealHostsGetAndLoseTheirCredentials(t *testing.T) {
	l := lab.Up(t, lab.Control("m1"), lab.Agent("a1"))
	r := newHostRig(t, l)
	secrets := map[string]string{"mesos-agent": "secret-of-the-agents", "mesos-marathon": "secret-of-marathon", "marathon": "password-of-marathon"}
	require.NoError(t, os.MkdirAll(filepath.Join(r.c.StateDir(), "secrets"), 0o700))
	for name, secret := range secrets {
		require.NoError(t, os.WriteFile(filepath.Join(r.c.StateDir(), "secrets", name), []byte(secret+"\n"), 0o600))
	}
	r.look()
	r.apply(r.base())
	r.look()
	r.apply(r.services()[:1])
	zookeeper := cluster.ZooKeeper{Servers: provision.ZooKeeperServers(r.c)}
	testkit.Eventually(t, 2*time.Minute, "ZooKeeper serves", func(ctx context.Context) bool { return zookeeper.Healthy(ctx) == nil })
	r.turn(false)
	edge := l.Exec("m1", "systemctl", "show", "-p", "MainPID", "--value", "jomctl-edge")
	r.turn(true)
	assert.Equal(t, edge, l.Exec("m1", "systemctl", "show", "-p", "MainPID", "--value", "jomctl-edge"), "the edge reads its file again, as root, and goes on")

	for _, path := range []string{"/v2/info", "/ping"} {
		response, err := http.Get(provision.EdgeURL(r.c, provision.EdgeMarathonPort) + path)
		require.NoError(t, err)
		response.Body.Close()
		assert.Equal(t, http.StatusUnauthorized, response.StatusCode, path)
	}
	words := []string{base64.StdEncoding.EncodeToString([]byte("admin:" + secrets["marathon"]))}
	for _, secret := range secrets {
		words = append(words, secret)
	}
	var hidden []string // a bracket keeps a pattern from finding the command that looks for it
	for _, word := range words {
		hidden = append(hidden, "["+word[:1]+"]"+word[1:])
	}
	pattern := strings.Join(hidden, `\|`)
	for _, h := range r.c.Hosts {
		seen := l.Exec(h.Name, "sh", "-c", fmt.Sprintf(`for f in /proc/[0-9]*/cmdline; do tr '\0' ' ' <$f 2>/dev/null | grep -e '%s'; done; journalctl -q --no-pager | grep -e '%s'; true`, pattern, pattern))
		assert.Empty(t, seen, h.Name)
		open := l.Exec(h.Name, "sh", "-c", fmt.Sprintf(`grep -rlsI -e '%s' /etc /var/lib/jomctl /run/jomctl | xargs -r stat -c '%%a %%U %%n' | grep -v '^600 root '; true`, pattern))
		assert.Empty(t, open, "%s: files that others may read", h.Name)
	}
	assert.NotEmpty(t, l.Exec("m1", "grep", "-rls", "-e", pattern, "/etc/jomctl", "/var/lib/jomctl"), "the search finds what there is")

	r.turn(false)
	assert.Empty(t, l.Exec("m1", "sh", "-c", "grep -rls -e '"+pattern+"' /etc /var/lib/jomctl || true"), "nothing of it stays")
	assert.Empty(t, l.Exec("a1", "sh", "-c", "grep -rls -e '"+pattern+"' /etc /var/lib/jomctl || true"))
	for _, h := range r.c.Hosts {
		r.apply([]provision.Item{hosts.NewRemoval(r.c, h, r.machines[h.Name], r.keeper, true)})
	}
}
