// Package jenkins is the stand-in for the Jenkins controller, its Mesos cloud and its build agents.
package jenkins

import (
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

	"github.com/jomctl/jomctl/internal/standin/jenkins/rest"
)

// Exit codes of the real process.
const (
	exitRestart = 5 // ExitLifecycle
	exitTerm    = 143
	exitInt     = 130
)

// Main runs the controller with the arguments of `java -jar jenkins.war` and returns its exit code: 0 after /exit, 5 after a
// restart under ExitLifecycle, 143 after SIGTERM, 1 when it cannot start, 2 for arguments that it cannot read.
func Main(args []string) int {
	log := &lockedWriter{w: os.Stderr}
	o, err := parseOptions(args, os.Getenv, log)
	if err != nil {
		fmt.Fprintln(log, "jenkins:", err)
		return 2
	}
	fmt.Fprintf(log, "jenkins: this is jomctl's stand-in for Jenkins %s, not Jenkins itself (home %s, http %s%s/)\n", o.version, o.home, o.address, o.prefix)
	for _, a := range o.unknown {
		fmt.Fprintf(log, "jenkins: argument %s means nothing to the stand-in\n", a)
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	p := &process{o: o, log: log, ends: make(chan ending, 1)}
	if err := p.listen(); err != nil {
		fmt.Fprintln(log, "jenkins:", err)
		return 1
	}
	booted := make(chan struct{})
	go func() {
		defer close(booted)
		p.boot()
	}()
	var end ending
	select {
	case s := <-signals:
		end = ending{code: exitTerm}
		if s == syscall.SIGINT {
			end.code = exitInt
		}
	case end = <-p.ends:
	}
	p.stop(end, booted)
	if end.reexec {
		err := reexec()
		fmt.Fprintln(log, "jenkins: restart in place:", err)
		return 1
	}
	return end.code
}

// reexec replaces the process by itself: the same pid, as on Unix with the real one.
func reexec() error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the program: %w", err)
	}
	return syscall.Exec(self, os.Args, os.Environ())
}

// ending is how the process is to end.
type ending struct {
	code    int
	aborted bool // running builds are recorded as aborted
	reexec  bool
}

// process is one life of the controller's process.
type process struct {
	o      *options
	log    io.Writer
	rest   *rest.Server
	server *http.Server
	ends   chan ending

	mu  sync.Mutex
	app *app
	// restartGen counts the planned safe restarts, so that a cancelled one knows.
	restartGen int
	stopping   bool
}

func (p *process) listen() error {
	p.rest = rest.New(p.o.prefix, p.o.version, p.control())
	listener, err := net.Listen("tcp", p.o.address)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", p.o.address, err)
	}
	p.server = &http.Server{Handler: p.rest, ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 60 * time.Second}
	go func() {
		if err := p.server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintln(p.log, "jenkins: serve:", err)
		}
	}()
	return nil
}

func (p *process) end(e ending) {
	select {
	case p.ends <- e:
	default:
	}
}

func (p *process) current() *app {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.app
}

// stop closes the port first, then ends the controller.
func (p *process) stop(end ending, booted <-chan struct{}) {
	_ = p.server.Close()
	p.mu.Lock()
	p.stopping = true
	p.mu.Unlock()
	select {
	case <-booted:
	case <-time.After(2 * time.Second):
	}
	if a := p.current(); a != nil {
		a.stop(end.aborted)
	} else {
		// What the real one leaves behind when it ends before "Loaded all jobs".
		emptyQueue(p.o.home)
	}
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}
