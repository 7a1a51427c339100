package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/wholefile"
)

// process is a rehearsal on this machine.
type process struct {
	at     string
	output bytes.Buffer
	cmd    *exec.Cmd
	gone   chan struct{}
}

// rehearseHere restores the backup below the run's folder and boots the new version on it.
func (u *Upgrade) rehearseHere(ctx context.Context, id string, say op.Say) (run rehearsal, clean func() error, err error) {
	dir := u.file("rehearsal")
	clean = func() error { return os.RemoveAll(dir) }
	if err := os.RemoveAll(dir); err != nil {
		return nil, clean, fmt.Errorf("removing an earlier rehearsal: %w", err)
	}
	say("restoring backup %s for the rehearsal", id[:8])
	if _, err := u.backups.Repository.Restore(ctx, id, filepath.Join(dir, "home")); err != nil {
		return nil, clean, err
	}
	if err := os.RemoveAll(filepath.Join(dir, "home", "queue.xml")); err != nil {
		return nil, clean, fmt.Errorf("shutting the rehearsal's queue: %w", err)
	}
	run, err = u.startHere(dir)
	return run, clean, err
}

func (u *Upgrade) startHere(dir string) (rehearsal, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p := &process{at: "http://" + net.JoinHostPort(rehearsalHost, strconv.Itoa(port)), gone: make(chan struct{})}
	_, files, err := u.rehearsalOf(dir, p.at)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		if err := wholefile.Put(file.Path, file.Data, file.Mode); err != nil {
			return nil, err
		}
	}
	p.cmd = exec.Command(u.New.controller().program("jomhome"), "run", "--config", filepath.Join(dir, "controller.json"))
	p.cmd.Dir = dir
	p.cmd.Env = append(os.Environ(), "HOST="+rehearsalHost, "PORT0="+strconv.Itoa(port), "PORT1=0", "MESOS_SANDBOX="+dir)
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	// It must not outlive this run, however that ends.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go func() {
		defer close(p.gone)
		runtime.LockOSThread() // the parent-death signal is tied to the thread
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // how it ended is read from the process
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting the rehearsal: %w", err)
	}
	return p, nil
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(rehearsalHost, "0"))
	if err != nil {
		return 0, fmt.Errorf("finding a port for the rehearsal: %w", err)
	}
	address, ok := listener.Addr().(*net.TCPAddr)
	if err := listener.Close(); err != nil || !ok {
		return 0, errors.Join(err, errors.New("finding a port for the rehearsal"))
	}
	return address.Port, nil
}

func (p *process) url() string      { return p.at }
func (*process) dial() cluster.Dial { return nil }

func (p *process) ended(context.Context) error {
	select {
	case <-p.gone:
		return fmt.Errorf("it has ended with code %d", p.cmd.ProcessState.ExitCode())
	default:
		return nil
	}
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.gone:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.gone
	}
}

func (p *process) said(context.Context) string { return p.output.String() }
