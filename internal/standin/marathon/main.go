// Package marathon is the stand-in for Marathon 1.11: a framework of Mesos' v1 scheduler API with Marathon's v2 REST API, its leader
// election and its way of ending. Pods, secrets, persistent and external volumes, plugins and TLS are left out and say so. The real
// program proves its Mesos credential by CRAM-MD5 through libmesos; this one shows it by basic authentication, to stand-in masters. These faults of the real program are imitated: a rolling restart within zero extra capacity never moves when Marathon
// itself makes the checks; a GROUP_BY without number ends the launch queue; a relaunch faster than a check's interval inherits its
// health; waiting instances count as started when a new leader takes a deployment over. Not imitated: a forced scale-down keeps waiting
// instances instead of running ones (here those that wait go first), and a hand-killed task of a restart that never moves leaves two
// instances running for minutes (here until the new one is healthy).
package marathon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/jomctl/jomctl/internal/standin/marathon/api"
	"github.com/jomctl/jomctl/internal/standin/marathon/zkstate"
)

// Exit codes of the real program.
const (
	exitUsage            = 1
	exitZooKeeperConnect = 100
	exitZooKeeperLost    = 101
	exitLostLeadership   = 103
	exitElection         = 104
	exitMesosError       = 106
	exitUncaught         = 107
	exitFrameworkID      = 108
	exitFrameworkRemoved = 110
	exitBind             = 111
	exitFlags            = 112
	exitTerminated       = 143
)

// Main runs marathon with the real program's flags and returns its exit code.
func Main(args []string) int {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	return run(args, os.Environ(), os.Stderr, signals)
}

type process struct {
	flags   *flags
	log     io.Writer
	logLock sync.Mutex
	id      string
	conn    *zkstate.Conn
	vote    *zkstate.Election
	server  *api.Server
	exit    chan int
}

func (p *process) logf(format string, args ...any) {
	p.logLock.Lock()
	defer p.logLock.Unlock()
	fmt.Fprintf(p.log, "[%s] INFO  %s\n", time.Now().Format("2006-01-02 15:04:05,000"), fmt.Sprintf(format, args...))
}

// end makes the process end with the code; the first call wins.
func (p *process) end(code int, why string) {
	p.logf("%s; shutting down with exit code %d", why, code)
	select {
	case p.exit <- code:
	default:
	}
}

func run(args, environ []string, log io.Writer, signals <-chan os.Signal) int {
	fmt.Fprintln(log, "This is jomctl's stand-in for Marathon 1.11, not Marathon.")
	if len(args) == 1 && args[0] == "--help" {
		fmt.Fprintln(log, "It takes the flags of Marathon 1.11; see Marathon's own documentation.")
		return 0
	}
	f, err := parseFlags(args, environ)
	if err != nil {
		fmt.Fprintln(log, err)
		return exitUsage
	}
	if feature := f.unknownFeature(); feature != "" {
		fmt.Fprintf(log, "Unknown features specified: %s\n", feature)
		return exitFlags
	}
	p := &process{flags: f, log: log, exit: make(chan int, 1), id: net.JoinHostPort(f.values["hostname"], f.values["http_port"])}
	return p.serve(signals)
}

func (p *process) serve(signals <-chan os.Signal) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	u, err := zkstate.ParseURL(p.flags.values["zk"])
	if err != nil {
		return exitUsage
	}
	p.conn, err = zkstate.Connect(ctx, u, p.flags.ms("zk_session_timeout"), p.flags.ms("zk_connection_timeout"))
	if err != nil {
		p.logf("Failed to connect to ZK. Marathon will exit now. %v", err)
		return exitZooKeeperConnect
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(p.flags.values["http_address"], p.flags.values["http_port"]))
	if err != nil {
		p.conn.Close()
		p.logf("Failed to bind: %v", err)
		return exitBind
	}
	p.server = &api.Server{ID: p.id, Credentials: p.flags.credentials(), Realm: p.flags.values["http_realm"], Leader: p.leader}
	web := &http.Server{Handler: p.server, ReadHeaderTimeout: 30 * time.Second}
	defer web.Close()
	p.vote, err = zkstate.Join(p.conn, u.Path, p.id)
	if err != nil {
		listener.Close()
		p.conn.Close()
		p.logf("%v", err)
		if errors.Is(err, zkstate.ErrSameID) {
			return exitElection
		}
		return exitZooKeeperLost
	}
	go func() { _ = web.Serve(listener) }()
	p.logf("listening on %s", listener.Addr())
	go p.watch(ctx, u.Path)
	code := 0
	select {
	case code = <-p.exit:
	case <-signals:
		p.logf("terminated by a signal")
		code = exitTerminated
	}
	cancel()
	if code != exitZooKeeperLost {
		p.vote.Resign()
	}
	p.conn.Close()
	return code
}

func (p *process) leader() string {
	if p.vote == nil {
		return ""
	}
	return p.vote.Leader()
}

func (p *process) watch(ctx context.Context, root string) {
	select {
	case <-ctx.Done():
		return
	case <-p.conn.Lost:
		p.end(exitZooKeeperLost, "lost the connection to ZooKeeper")
		return
	case <-p.vote.Lost():
		p.lostVote()
		return
	case <-p.vote.Won():
	}
	p.logf("elected as leader")
	go p.lead(ctx, root)
	select {
	case <-ctx.Done():
	case <-p.conn.Lost:
		p.end(exitZooKeeperLost, "lost the connection to ZooKeeper")
	case <-p.vote.Lost():
		p.lostVote()
	}
}

// lostVote tells a lost connection (which ends the election's watch too) from a lost leadership.
func (p *process) lostVote() {
	select {
	case <-p.conn.Lost:
		p.end(exitZooKeeperLost, "lost the connection to ZooKeeper")
	case <-time.After(200 * time.Millisecond):
		p.end(exitLostLeadership, "Lost leadership; crashing")
	}
}
