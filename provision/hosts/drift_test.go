package hosts

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/host/hostfake"
	"github.com/jomctl/jomctl/provision"
)

// withServices is a rig whose host has all of its services, too.
func withServices(t *testing.T, name string) (*rig, []provision.Item) {
	t.Helper()
	r := newRig(t, name)
	r.machine.On("haproxy", func([]string) (host.Output, error) { return hostfake.Said("") })
	require.NoError(t, r.apply(t.Context()))
	services := r.services(t)
	for _, item := range services {
		_, err := item.Apply(t.Context())
		require.NoError(t, err)
	}
	return r, services
}

// services are those of the rig's host, kept in its record.
func (r *rig) services(t *testing.T) []provision.Item {
	t.Helper()
	machines := map[string]host.Machine{}
	for _, h := range r.c.Hosts {
		machines[h.Name] = hostfake.New(h.Name, h.Address)
	}
	machines[r.h.Name] = r.machine
	facts := goodFacts(r.h)
	programs, findings := Programs(r.c, r.h, facts, Installed{})
	require.Empty(t, findings)
	values := map[string]provision.HostValues{r.h.Name: Values(r.h, facts, []int{1, 2}, nil)}
	f, err := provision.NewHostFleet(r.c, machines, func(string) provision.Programs { return programs }, values)
	require.NoError(t, err)
	var items []provision.Item
	for _, s := range f.AllServices() {
		if s.Host.Name() == r.h.Name {
			items = append(items, r.keeper.Keep(r.machine, s))
		}
	}
	return items
}

func TestDriftIsSeenAndPutRight(t *testing.T) {
	const cfg, jar = "/var/lib/jomctl/zookeeper/zoo.cfg", "/var/lib/jomctl/bin/standin"
	units := func(r *rig) *hostfake.Units { return r.machine.FakeUnits() }
	for want, damage := range map[string]func(*rig){
		"c1: file " + cfg + " was changed":                               func(r *rig) { r.machine.Put(cfg, "x", 0o644) },
		"c1: file " + cfg + " is gone":                                   func(r *rig) { _ = r.machine.Remove(context.Background(), cfg) },
		"c1: file " + cfg + " has mode 600 and was written with 644":     func(r *rig) { r.machine.Put(cfg, r.machine.Text(cfg), 0o600) },
		"c1: file " + jar + " was changed":                               func(r *rig) { r.machine.Put(jar, "another", 0o755) },
		"c1: unit marathon was changed: it is not started with the host": func(r *rig) { units(r).Change("marathon", "it is not started with the host") },
		"c1: unit marathon does not run":                                 func(r *rig) { _ = units(r).Stop(context.Background(), "marathon") },
		"c1: unit marathon is gone":                                      func(r *rig) { _ = units(r).Remove(context.Background(), "marathon") },
		"c1: package haproxy is 2.0 and was 1.0":                         func(r *rig) { r.debian.Installed["haproxy"] = "2.0" },
		"c1: package haproxy is gone":                                    func(r *rig) { delete(r.debian.Installed, "haproxy") },
		"c1: mask haproxy can be started again":                          func(r *rig) { _, _ = units(r).Unmask(context.Background(), "haproxy") },
	} {
		t.Run(want, func(t *testing.T) {
			r, services := withServices(t, "c1")
			found, err := r.keeper.Drift(t.Context(), r.machine)
			require.NoError(t, err)
			require.Empty(t, found)
			damage(r)
			found, err = r.keeper.Drift(t.Context(), r.machine)
			require.NoError(t, err)
			require.Len(t, found, 1)
			assert.Equal(t, want, found[0].String())

			for _, item := range append(r.items(), services...) {
				_, err := item.Apply(t.Context())
				require.NoError(t, err)
			}
			found, err = r.keeper.Drift(t.Context(), r.machine)
			require.NoError(t, err)
			assert.Empty(t, found)
			assert.LessOrEqual(t, units(r).Starts("mesos-master"), 1, "what has not changed is not started anew")
		})
	}
}

func TestAHostWithoutRecordHasNoDrift(t *testing.T) {
	r := newRig(t, "c1")
	found, err := r.keeper.Drift(t.Context(), r.machine)
	require.NoError(t, err)
	assert.Empty(t, found)
}

func TestAServiceThatIsNotInTheRecordIsPutThere(t *testing.T) {
	r, services := withServices(t, "c1")
	r.machine.Put(RecordPath, `{"cluster": "ci", "id": "id1"}`, 0o600)
	for _, item := range services {
		done, changes, err := item.Probe(t.Context())
		require.NoError(t, err)
		assert.False(t, done)
		assert.Equal(t, []string{"record it in c1:" + RecordPath}, changes)
		changed, err := item.Apply(t.Context())
		require.NoError(t, err)
		assert.True(t, changed)
		done, _, err = item.Probe(t.Context())
		require.NoError(t, err)
		assert.True(t, done)
	}
	assert.Equal(t, 1, r.machine.FakeUnits().Starts("zookeeper"))
	require.NoError(t, r.keeper.Forget(t.Context(), r.machine, "/var/lib/jomctl/zookeeper", "zookeeper"))
	record, err := r.keeper.Read(t.Context(), r.machine)
	require.NoError(t, err)
	assert.NotContains(t, record.Units, "zookeeper")
	assert.Contains(t, record.Units, "marathon")
	for path := range record.Files {
		assert.NotContains(t, path, "/zookeeper/")
	}
}

func TestAnAgentOffersWhatItOfferedThoughTheKernelCountsOtherwise(t *testing.T) {
	r := newRig(t, "a1")
	facts := goodFacts(r.h)
	first := Values(r.h, facts, []int{1}, nil)
	assert.Equal(t, provision.HostValues{IP: "10.0.1.1", CPUs: 4, Mem: 8 * config.GiB, Disk: 100 * config.GiB}, first, "no hierarchy that both have")
	require.NoError(t, r.keeper.Offered(t.Context(), r.machine, first))
	record, err := r.keeper.Read(t.Context(), r.machine)
	require.NoError(t, err)
	facts.Memory.Total -= 200 << 20
	facts.Disks[0].Size += 1 << 30
	assert.Equal(t, first, Values(r.h, facts, []int{1}, record))
	facts.Memory.Total = 16 << 30
	again := Values(r.h, facts, []int{1, 2}, record)
	assert.Equal(t, 16*config.GiB, again.Mem, "a machine that has grown")
	assert.Equal(t, 2, again.Cgroup)
}
