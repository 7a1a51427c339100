package provision

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
)

func TestWhichOffersAnAgentMayComeBackWith(t *testing.T) {
	old := offer{Address: "127.0.10.21", CPUs: 4, Mem: 1000, Disk: 2000, Ports: "[8080-8080,31000-31999]", Attributes: map[string]string{"rack": "r1"}}
	for name, tc := range map[string]struct {
		change func(*offer)
		want   bool
	}{
		"the same":           {func(*offer) {}, true},
		"more":               {func(o *offer) { o.CPUs, o.Mem, o.Disk = 8, 2000, 3000 }, true},
		"one more port":      {func(o *offer) { o.Ports = "[8080-8080,31000-31999,50000-50000]" }, true},
		"one more attribute": {func(o *offer) { o.Attributes = map[string]string{"rack": "r1", "disk": "ssd"} }, true},
		"less cpus":          {func(o *offer) { o.CPUs = 3.9 }, false},
		"less mem":           {func(o *offer) { o.Mem = 999 }, false},
		"less disk":          {func(o *offer) { o.Disk = 1999 }, false},
		"another port":       {func(o *offer) { o.Ports = "[9080-9080,31000-31999]" }, false},
		"a longer port":      {func(o *offer) { o.Ports = "[8080-80801,31000-31999]" }, false},
		"another rack":       {func(o *offer) { o.Attributes = map[string]string{"rack": "r2"} }, false},
		"no rack":            {func(o *offer) { o.Attributes = nil }, false},
		"another address":    {func(o *offer) { o.Address = "127.0.11.21" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			next := old
			tc.change(&next)
			assert.Equal(t, tc.want, next.accepts(old))
		})
	}
}

// fakeAgent runs a script in place of a Mesos agent: it keeps its identity as the real one does, and writes down the
// signals it gets.
func fakeAgent(t *testing.T, c *config.Cluster, mem config.Size) Service {
	t.Helper()
	c.Local.Resources.Mem = mem
	p := standins()
	p.Standin = script(t, filepath.Join(c.Dir(), "agent"), `
		mkdir -p work/meta/slaves; touch work/meta/slaves/latest
		trap 'echo unregistered >> signals; exit 0' USR1
		trap 'echo terminated >> signals; exit 0' TERM
		echo ready >> signals
		while :; do sleep 0.05; done`)
	return newFleet(t, c, p).Services(RoleMesosAgent)[0]
}

func TestAnAgentThatOffersLessGetsANewIdentity(t *testing.T) {
	c := newConfig(t)
	s := fakeAgent(t, c, 1000*config.MiB)
	apply(t, s)
	signals := func() string {
		text, _ := os.ReadFile(filepath.Join(s.Unit.Dir, "signals"))
		return string(text)
	}
	awaitText(t, signals, "ready\n")

	more := fakeAgent(t, c, 2000*config.MiB)
	_, changes, err := more.Probe(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"change a1:mesos-agent/offer.json", "start mesos-agent anew with other settings"}, changes)
	builds, all, err := more.Ends(t.Context())
	require.NoError(t, err)
	assert.True(t, builds, "the plugin's framework has no checkpoint")
	assert.False(t, all, "Marathon's has")
	apply(t, more)
	awaitText(t, signals, "ready\nterminated\nready\n")

	less := fakeAgent(t, c, 500*config.MiB)
	_, changes, err = less.Probe(t.Context())
	require.NoError(t, err)
	require.Len(t, changes, 3)
	assert.Contains(t, changes[1], "its tasks end")
	for service, want := range map[*Service][2]bool{&more: {false, false}, &less: {true, true}, {}: {false, false}} {
		builds, all, err := service.Ends(t.Context())
		require.NoError(t, err)
		assert.Equal(t, want, [2]bool{builds, all}, service.Role)
	}
	identity := less.identity.latest
	marked := writeFile(t, identity, "old", 0o644)
	apply(t, less)
	awaitText(t, signals, "ready\nterminated\nready\nunregistered\nready\n")
	text, err := os.ReadFile(marked)
	require.NoError(t, err)
	assert.Empty(t, string(text), "the old identity is gone")
	var recorded offer
	data, err := os.ReadFile(less.identity.record)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &recorded))
	assert.Equal(t, 500, recorded.Mem)

	require.NoError(t, os.WriteFile(less.identity.record, []byte("{"), 0o644))
	ends, err := less.identity.mustEnd(t.Context())
	require.NoError(t, err)
	assert.True(t, ends, "an unreadable record allows nothing")
}
