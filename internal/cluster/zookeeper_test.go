package cluster

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// sayOnce serves one four-letter answer to everybody.
func sayOnce(t *testing.T, text string) string {
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
			_, _ = conn.Read(word)
			_, _ = conn.Write([]byte(text))
			_ = conn.Close()
		}
	}()
	return listener.Addr().String()
}

const srvr = "Zookeeper version: 3.8.0-5a02a05eddb59aee6ac762f7ea82e92a68eb9c0f, built on 2022-02-25 08:49 UTC\nLatency min/avg/max: 0/0.0/0\nMode: "

func TestModesOfAnEnsemble(t *testing.T) {
	leader, follower := sayOnce(t, srvr+"leader\n"), sayOnce(t, srvr+"follower\n")
	idle := sayOnce(t, "This ZooKeeper instance is not currently serving requests\n")
	z := ZooKeeper{Servers: []string{leader, follower, idle}}
	modes := z.Modes(context.Background())
	assert.Equal(t, Server{Addr: leader, Mode: ModeLeader, Version: "3.8.0"}, modes[0])
	assert.Equal(t, ModeFollower, modes[1].Mode)
	assert.ErrorContains(t, modes[2].Err, "not currently serving")

	err := z.Healthy(context.Background())
	assert.ErrorContains(t, err, "2 of 3 servers serve, with a quorum")
	assert.NotEmpty(t, hintOf(err))
	assert.NoError(t, ZooKeeper{Servers: []string{leader, follower, follower}}.Healthy(context.Background()))
}

func TestQuorum(t *testing.T) {
	down := Server{Err: errors.New("x")}
	for name, c := range map[string]struct {
		servers []Server
		serving int
		enough  bool
		healthy bool
	}{
		"one":                 {[]Server{{Mode: ModeStandalone}}, 1, true, true},
		"one down":            {[]Server{down}, 0, false, false},
		"three":               {[]Server{{Mode: ModeFollower}, {Mode: ModeLeader}, {Mode: ModeFollower}}, 3, true, true},
		"two of three":        {[]Server{{Mode: ModeFollower}, {Mode: ModeLeader}, down}, 2, true, false},
		"one of three":        {[]Server{down, {Mode: ModeLeader}, down}, 1, false, false},
		"standalone in three": {[]Server{{Mode: ModeFollower}, {Mode: ModeLeader}, {Mode: ModeStandalone}}, 3, true, false},
		"two leaders":         {[]Server{{Mode: ModeLeader}, {Mode: ModeLeader}, {Mode: ModeFollower}}, 3, false, false},
	} {
		serving, enough := Quorum(c.servers)
		assert.Equal(t, c.serving, serving, name)
		assert.Equal(t, c.enough, enough, name)
		assert.Equal(t, c.healthy, judge(c.servers) == nil, name)
	}
}

func TestMasterInfoAsRecorded(t *testing.T) {
	leader, err := parseMasterInfo([]byte(`{"address":{"hostname":"localhost","ip":"127.0.0.1","port":15050},"hostname":"localhost","id":"51a28fc7","ip":16777343,"pid":"master@127.0.0.1:15050","port":15050,"version":"1.11.0"}`))
	require.NoError(t, err)
	assert.Equal(t, MesosLeader{ID: "51a28fc7", Addr: "127.0.0.1:15050", Hostname: "localhost", Version: "1.11.0"}, leader)
	_, err = parseMasterInfo([]byte(`{"id":"x"}`))
	assert.ErrorContains(t, err, "without an address")
}

func put(t *testing.T, conn *zk.Conn, path, data string) {
	t.Helper()
	_, err := conn.Create(path, []byte(data), 0, zk.WorldACL(zk.PermAll))
	require.NoError(t, err)
}

func TestLeadersAndLeaseOnARealZooKeeper(t *testing.T) {
	server := testkit.StartZooKeeper(t)
	z := ZooKeeper{Servers: []string{server.Addr}}
	ctx := context.Background()
	require.NoError(t, z.Healthy(ctx))

	t.Run("leaders", func(t *testing.T) {
		_, err := z.MesosLeader(ctx, "/mesos")
		assert.ErrorIs(t, err, ErrNoLeader)
		require.NoError(t, z.ask(ctx, func(conn *zk.Conn) error {
			put(t, conn, "/mesos", "")
			put(t, conn, "/mesos/log_replicas", "")
			put(t, conn, "/mesos/json.info_0000000012", `{"address":{"ip":"127.0.0.2","port":5050}}`)
			put(t, conn, "/mesos/json.info_0000000009", `{"address":{"ip":"127.0.0.1","port":5050}}`)
			put(t, conn, "/marathon", "")
			put(t, conn, "/marathon/leader-curator", "")
			put(t, conn, "/marathon/leader-curator/_c_zz-latch-0000000003", "127.0.0.1:8090")
			put(t, conn, "/marathon/leader-curator/_c_aa-latch-0000000004", "127.0.0.2:8090")
			return nil
		}))
		leader, err := z.MesosLeader(ctx, "/mesos")
		require.NoError(t, err)
		assert.Equal(t, "127.0.0.1:5050", leader.Addr)
		marathon, err := z.MarathonLeader(ctx, "/marathon")
		require.NoError(t, err)
		assert.Equal(t, "127.0.0.1:8090", marathon)
	})
	t.Run("lease", func(t *testing.T) { leaseIsExclusive(t, z) })
	t.Run("broken lease", func(t *testing.T) { leaseCanBeBroken(t, z) })
	t.Run("outage", func(t *testing.T) { leaseAndOutage(t, z, server) })
}

func leaseIsExclusive(t *testing.T, z ZooKeeper) {
	ctx := context.Background()
	lease := &Lease{ZooKeeper: z, Path: LeasePath("ci")}
	lost, release, err := lease.Acquire(ctx, []byte(`{"pid":1}`))
	require.NoError(t, err)
	_, _, err = (&Lease{ZooKeeper: z, Path: LeasePath("ci")}).Acquire(ctx, []byte(`{"pid":2}`))
	var held *HeldError
	require.ErrorAs(t, err, &held)
	assert.JSONEq(t, `{"pid":1}`, string(held.Owner))
	assert.Contains(t, err.Error(), "/jomctl/ci/lock")
	assert.NotEmpty(t, held.Hint())
	release()
	release()
	_, second, err := lease.Acquire(ctx, []byte(`{"pid":3}`))
	require.NoError(t, err, "a released lease is free at once")
	second()
	select {
	case <-lost:
		t.Fatal("a released lease is not a lost one")
	default:
	}
}

func leaseCanBeBroken(t *testing.T, z ZooKeeper) {
	ctx := context.Background()
	lease := &Lease{ZooKeeper: z, Path: LeasePath("broken")}
	assert.ErrorIs(t, lease.Break(ctx, nil), ErrNotFound)
	lost, release, err := lease.Acquire(ctx, []byte("dead"))
	require.NoError(t, err)
	defer release()
	var held *HeldError
	require.ErrorAs(t, lease.Break(ctx, []byte("another")), &held)
	require.NoError(t, lease.Break(ctx, []byte("dead")))
	testkit.Eventually(t, time.Minute, "the owner learns that its lease is gone", closed(lost))
}

// A short outage leaves the lease alone, a long one ends it, and waiting for a dead server ends with the context.
func leaseAndOutage(t *testing.T, z ZooKeeper, server *testkit.ZooKeeper) {
	ctx := context.Background()
	patient := &Lease{ZooKeeper: z, Path: LeasePath("patient"), Session: 30 * time.Second}
	kept, release, err := patient.Acquire(ctx, []byte("x"))
	require.NoError(t, err)
	defer release()
	touchy := &Lease{ZooKeeper: z, Path: LeasePath("touchy"), Session: 2 * time.Second}
	lost, releaseTouchy, err := touchy.Acquire(ctx, []byte("x"))
	require.NoError(t, err)
	defer releaseTouchy()

	server.Signal(syscall.SIGSTOP)
	testkit.Eventually(t, time.Minute, "a silent server ends the lease with the short session", closed(lost))
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	_, _, err = (&Lease{ZooKeeper: z, Path: LeasePath("late")}).Acquire(short, []byte("x"))
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = z.MesosLeader(short, "/mesos")
	assert.ErrorIs(t, err, context.DeadlineExceeded)

	server.Signal(syscall.SIGCONT)
	var held *HeldError
	_, _, err = (&Lease{ZooKeeper: z, Path: LeasePath("patient")}).Acquire(ctx, []byte("y"))
	require.ErrorAs(t, err, &held, "the long session has survived")
	assert.False(t, closed(kept)(ctx))
}

func closed(lost <-chan struct{}) func(context.Context) bool {
	return func(context.Context) bool {
		select {
		case <-lost:
			return true
		default:
			return false
		}
	}
}
