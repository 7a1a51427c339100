package owner

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// The test binary plays a controller on another host when this variable names the ZooKeeper.
const playVariable = "JOMHOME_TEST_OWNER"

func TestMain(m *testing.M) {
	if server := os.Getenv(playVariable); server != "" {
		os.Exit(play(server))
	}
	os.Exit(m.Run())
}

func play(server string) int {
	held, err := Lock{Servers: []string{server}, Path: Path("c"), Session: 2 * time.Second}.Acquire(context.Background(), Holder{Host: "played"})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("held")
	<-held.Lost()
	fmt.Println("lost:", held.Reason())
	return 0
}

// player is a process that holds the lock.
type player struct {
	cmd *exec.Cmd
	out *bufio.Scanner
}

func newPlayer(t *testing.T, server string) *player {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), playVariable+"="+server)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	p := &player{cmd, bufio.NewScanner(out)}
	require.Equal(t, "held", p.line())
	return p
}

func (p *player) line() string {
	p.out.Scan()
	return p.out.Text()
}

func acquire(t *testing.T, lock Lock, me Holder) *Held {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	held, err := lock.Acquire(ctx, me)
	require.NoError(t, err)
	t.Cleanup(held.Release)
	return held
}

func lockOf(server string, session time.Duration) Lock {
	return Lock{Servers: []string{server}, Path: Path("c"), Session: session}
}

func isLost(t *testing.T, held *Held) {
	t.Helper()
	select {
	case <-held.Lost():
		require.ErrorIs(t, held.Reason(), ErrLost)
	case <-time.After(2 * time.Minute):
		t.Fatal("the lock must be lost")
	}
}

func TestOneOwnerAtATime(t *testing.T) {
	z := testkit.StartZooKeeper(t)
	first := acquire(t, lockOf(z.Addr, 0), Holder{Host: "a"})
	told := make(chan string, 1)
	lock := lockOf(z.Addr, 0)
	lock.Say = func(format string, args ...any) { told <- fmt.Sprintf(format, args...) }
	second := make(chan *Held, 1)
	go func() {
		if held, err := lock.Acquire(t.Context(), Holder{Host: "b"}); err == nil {
			second <- held
		}
	}()
	require.Contains(t, <-told, `held by {"host":"a"`)
	require.Empty(t, second)
	require.NoError(t, first.SetEpoch(t.Context(), Epoch{Number: 4, Home: "h"}))
	first.Release()
	held := <-second
	epoch, err := held.Epoch(t.Context())
	require.NoError(t, err)
	require.Equal(t, Epoch{Number: 4, Home: "h"}, epoch)
	require.ErrorContains(t, held.SetEpoch(t.Context(), Epoch{Number: 3}), "higher epoch, 4")
	require.NoError(t, held.SetEpoch(t.Context(), Epoch{Number: 5, Home: "h"}))
	require.NoError(t, held.Reason())
	require.Equal(t, 30*time.Second, held.wire.granted(0), "what is asked for is granted")
	held.Release()
	held.Release()
}

func TestADeadOwnerIsWaitedFor(t *testing.T) {
	z := testkit.StartZooKeeper(t)
	dead := newPlayer(t, z.Addr)
	require.NoError(t, dead.cmd.Process.Kill())
	acquire(t, lockOf(z.Addr, time.Second), Holder{Host: "next"})
}

func TestAnOwnerWhoseLockFileIsOursIsDead(t *testing.T) {
	z := testkit.StartZooKeeper(t)
	old := acquire(t, lockOf(z.Addr, 40*time.Second), Holder{Host: "a", Boot: "b1", File: "f1"})
	require.False(t, Holder{Boot: "b1", File: "f2"}.buried(old.me.json()))
	require.False(t, Holder{Boot: "b2", File: "f1"}.buried(old.me.json()))
	require.False(t, Holder{}.buried(Holder{}.json()))
	acquire(t, lockOf(z.Addr, 0), Holder{Host: "a", Boot: "b1", File: "f1"})
	isLost(t, old)
	require.NotEmpty(t, Boot())
}

func TestZooKeeperAwayForAMomentHarmsNothing(t *testing.T) {
	z := testkit.StartZooKeeper(t)
	held := acquire(t, lockOf(z.Addr, 40*time.Second), Holder{Host: "a"})
	for range 2 {
		z.Kill()
		z.Start()
		// It answers again, to us as well.
		epoch, err := held.Epoch(t.Context())
		require.NoError(t, err)
		require.Zero(t, epoch.Number)
	}
	require.NoError(t, held.Reason())
	node, stat, err := held.conn.Get(held.lock.node())
	require.NoError(t, err)
	require.Equal(t, held.conn.SessionID(), stat.EphemeralOwner)
	require.Contains(t, string(node), `"a"`)
}

func TestZooKeeperAwayForLongLosesTheLock(t *testing.T) {
	z := testkit.StartZooKeeper(t)
	held := acquire(t, lockOf(z.Addr, 3*time.Second), Holder{Host: "a"})
	z.Kill()
	isLost(t, held)
	require.ErrorContains(t, held.SetEpoch(t.Context(), Epoch{Number: 1}), "lost")
	z.Start()
	held.Release() // until then it stays ours where nobody could take it: the controller may not be dead yet
	acquire(t, lockOf(z.Addr, 3*time.Second), Holder{Host: "b"})
}

func TestAStoppedOwnerNoticesWhenItWakes(t *testing.T) {
	z := testkit.StartZooKeeper(t)
	sleeper := newPlayer(t, z.Addr)
	require.NoError(t, sleeper.cmd.Process.Signal(syscall.SIGSTOP))
	next := acquire(t, lockOf(z.Addr, 40*time.Second), Holder{Host: "next"})
	require.NoError(t, sleeper.cmd.Process.Signal(syscall.SIGCONT))
	require.Contains(t, sleeper.line(), "lost: the owner lock of the home is lost")
	require.NoError(t, next.Reason(), "and the new owner has it still")
}

// cut is a way to ZooKeeper that can be cut without a sign to either side, as a broken network does.
type cut struct {
	addr string
	mu   sync.Mutex
	dead bool
}

func newCut(t *testing.T, to string) *cut {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	c := &cut{addr: listener.Addr().String()}
	go func() {
		for {
			here, err := listener.Accept()
			if err != nil {
				return
			}
			there, err := net.Dial("tcp", to)
			if err != nil {
				here.Close()
				continue
			}
			go c.pass(here, there)
			go c.pass(there, here)
		}
	}()
	return c
}

func (c *cut) pass(from, to net.Conn) {
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		c.mu.Lock()
		dead := c.dead
		c.mu.Unlock()
		if dead {
			_, _ = io.Copy(io.Discard, from)
			return
		}
		if err != nil {
			to.Close()
			return
		}
		_, _ = to.Write(buffer[:n])
	}
}

// The order is what counts: the one that is cut off must know before another one can have the lock.
func TestAnOwnerThatIsCutOffKnowsFirst(t *testing.T) {
	z := testkit.StartZooKeeper(t)
	way := newCut(t, z.Addr)
	old := acquire(t, lockOf(way.addr, 12*time.Second), Holder{Host: "a"})
	way.mu.Lock()
	way.dead = true
	way.mu.Unlock()
	acquire(t, lockOf(z.Addr, 12*time.Second), Holder{Host: "b"})
	require.Error(t, old.Reason(), "two owners")
}

func TestAHigherEpochEndsTheOwner(t *testing.T) {
	z := testkit.StartZooKeeper(t)
	held := acquire(t, lockOf(z.Addr, 3*time.Second), Holder{Host: "a"})
	require.NoError(t, held.SetEpoch(t.Context(), Epoch{Number: 2}))
	conn, _, err := zk.Connect([]string{z.Addr}, time.Second, zk.WithLogger(silent{}))
	require.NoError(t, err)
	defer conn.Close()
	data, err := json.Marshal(Epoch{Number: 3})
	require.NoError(t, err)
	_, err = conn.Set(held.lock.epoch(), data, -1)
	require.NoError(t, err)
	isLost(t, held)
	require.ErrorContains(t, held.Reason(), "epoch 3 has begun, ours is 2")
}

// ZooKeeper tells of a new epoch as soon as it is written, which may be before the answer to the one who wrote it has come.
func TestAnOwnEpochThatIsSeenBeforeItsAnswerEndsNobody(t *testing.T) {
	z := testkit.StartZooKeeper(t)
	held := acquire(t, lockOf(z.Addr, 3*time.Second), Holder{Host: "a"})
	require.NoError(t, held.SetEpoch(t.Context(), Epoch{Number: 2}))
	conn, _, err := zk.Connect([]string{z.Addr}, time.Second, zk.WithLogger(silent{}))
	require.NoError(t, err)
	defer conn.Close()
	write := func(number int64) {
		data, err := json.Marshal(Epoch{Number: number})
		require.NoError(t, err)
		_, err = conn.Set(held.lock.epoch(), data, -1)
		require.NoError(t, err)
	}
	held.asked.Store(3)
	write(3)
	for range 2 { // the first look may have begun before the epoch was written
		last := held.until.Load()
		testkit.Eventually(t, time.Minute, "the lock is looked at again", func(context.Context) bool { return held.Reason() != nil || held.until.Load() != last })
	}
	require.NoError(t, held.Reason())
	write(4)
	isLost(t, held)
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	addr := testkit.FreeAddr(t, "127.0.0.1") // nobody is there
	ctx, cancel := context.WithCancel(t.Context())
	ended, told := make(chan error, 1), make(chan string, 100)
	lock := lockOf(addr, 300*time.Millisecond)
	lock.Say = func(format string, args ...any) { told <- fmt.Sprintf(format, args...) }
	go func() {
		_, err := lock.Acquire(ctx, Holder{})
		ended <- err
	}()
	require.Contains(t, <-told, "waiting for ZooKeeper, which does not answer at "+addr, "the log of a controller that waits says why")
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
}

func TestALeaseEndsBeforeTheSession(t *testing.T) {
	start := time.Now()
	l := newLease(start, 8*time.Second)
	require.Equal(t, start.Add(6*time.Second), l.end())
	l.confirm(start.Add(2*time.Second), 4*time.Second)
	require.Equal(t, start.Add(5*time.Second), l.end(), "from when the question was sent, and for what the server grants")
	l.confirm(start.Add(time.Second), 8*time.Second)
	require.Equal(t, start.Add(5*time.Second), l.end(), "an older answer says nothing new")
}

func TestTheGrantedSessionIsRead(t *testing.T) {
	z := testkit.StartZooKeeper(t)
	held := acquire(t, lockOf(z.Addr, 100*time.Millisecond), Holder{})
	require.Equal(t, time.Second, held.wire.granted(0), "the server's least is two of its ticks of 500 ms")
	require.True(t, strings.HasPrefix(held.lock.node(), "/jomctl/c/home/"))
}
