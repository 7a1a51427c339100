// Package agent is the stand-in for mesos-agent: it registers with the stand-in masters and runs command tasks as
// processes (or Docker containers), each under an executor process that outlives it.
package agent

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jomctl/jomctl/internal/standin/edition"
	"github.com/jomctl/jomctl/internal/standin/mesos/agent/execute"
)

// Version is the Mesos release whose behaviour is stood in for.
const Version = "1.11.0"

// aborted is the exit code of the real program's failed checks (SIGABRT).
const aborted = 134

// Main runs mesos-agent with the real program's flags and returns its exit code.
func Main(args []string) int {
	f := newFlags()
	if err := f.load(args, os.Environ()); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n\nSee `mesos-agent --help` for a list of supported flags.\n", err)
		return 1
	}
	if f.is("help") {
		fmt.Print(f.usage())
		return 0
	}
	if f.is("version") {
		fmt.Println("mesos " + edition.Version(Version) + " (stand-in)")
		return 0
	}
	if !f.has("work_dir") {
		fmt.Fprint(os.Stderr, "Flag 'work_dir' is required, but it was not provided\n\nSee `mesos-agent --help` for a list of supported flags.\n")
		return 1
	}
	log, err := openLog(f)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	log.info("This is the stand-in for mesos-agent %s: tasks are processes without isolation", Version)
	return start(f, log)
}

// ExecutorMain runs one command task under its own process, so that it outlives the agent, and returns the exit code.
func ExecutorMain(args []string) int { return execute.Main(args) }

func openLog(f *flags) (*logger, error) {
	var out io.Writer = os.Stderr
	if f.is("quiet") {
		out = io.Discard
	}
	if f.has("log_dir") {
		if err := os.MkdirAll(f.get("log_dir"), 0o755); err != nil {
			return nil, words("Could not create log directory '%s': %w", f.get("log_dir"), err)
		}
		file, err := os.OpenFile(filepath.Join(f.get("log_dir"), "mesos-agent.INFO"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return nil, words("Could not open the log: %w", err)
		}
		out = io.MultiWriter(out, file)
	}
	return &logger{out: out}, nil
}

// start prepares everything in the real agent's order, which decides which of several mistakes is told.
func start(f *flags, log *logger) int {
	if !f.has("master") && !f.has("master_detector") {
		return log.fail("Missing required option `--master` or `--master_detector`")
	}
	if f.has("master_detector") {
		return log.fail("Failed to create a master detector: the stand-in has no modules")
	}
	cfg, err := newConfig(f)
	if err != nil {
		return log.fail("%v", err)
	}
	listener, err := net.Listen("tcp", cfg.listen)
	if err != nil {
		log.line('F', "Failed to initialize: Failed to bind on %s: %s", cfg.listen, reason(err))
		return aborted
	}
	defer listener.Close()
	cfg.port = listener.Addr().(*net.TCPAddr).Port
	if err := prepare(cfg, f); err != nil {
		return log.fail("%v", err)
	}
	if err := cfg.describe(); err != nil {
		return log.fail("%v", err)
	}
	if cfg.info.Attributes, err = parseAttributes(f.get("attributes")); err != nil {
		log.line('F', "%v", err)
		return aborted
	}
	detector, err := newDetector(cfg, log)
	if err != nil {
		return log.fail("Failed to create a master detector: %v", err)
	}
	if err := checkDocker(cfg); err != nil {
		return log.fail("Failed to perform recovery: Collect failed: %v\n%s", err, advice(cfg))
	}
	log.info("Mesos agent started on (1)@%s", cfg.endpoint())
	log.info("Flags at startup: %s", f.startLine())
	return newAgent(cfg, log).serve(listener, detector)
}

// reason is the operating system's word for a failed listen, as the real program tells it.
func reason(err error) string {
	var number syscall.Errno
	if errors.As(err, &number) {
		text := number.Error()
		return string(text[0]-'a'+'A') + text[1:]
	}
	return err.Error()
}

func prepare(cfg config, f *flags) error {
	if f.is("systemd_enable_support") {
		dir := f.get("systemd_runtime_directory")
		_, missing := os.Stat(dir)
		if _, err := exec.LookPath("systemctl"); err == nil && missing != nil {
			return words("Failed to initialize systemd: Failed to locate systemd runtime directory: %s", dir)
		}
	}
	for _, dir := range []string{filepath.Join(cfg.workDir, "meta", "slaves"), filepath.Join(cfg.runtimeDir, "containers")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return words("Failed to create directory '%s': %w", dir, err)
		}
		probe := filepath.Join(dir, ".probe")
		err := os.WriteFile(probe, []byte("is there room and permission?\n"), 0o600)
		_ = os.Remove(probe)
		if err != nil {
			return words("Failed to write into '%s': %w", dir, err)
		}
	}
	return nil
}

func advice(cfg config) string {
	return fmt.Sprintf(`If recovery failed due to a change in configuration and you want to
keep the current agent id, you might want to change the
`+"`--reconfiguration_policy`"+` flag to a more permissive value.

To restart this agent with a new agent id instead, do as follows:
rm -f %s/meta/slaves/latest
This ensures that the agent does not recover old live executors.
`, cfg.workDir)
}

// serve runs until a signal or the master ends it.
func (a *Agent) serve(listener net.Listener, detector detector) int {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1)
	defer signal.Stop(signals)
	if err := a.recover(); err != nil {
		return a.log.fail("Failed to perform recovery: %v\n%s", err, advice(a.cfg))
	}
	a.destroyOrphans()
	a.log.info("Finished recovery")
	if a.cfg.flags.get("recover") == "cleanup" {
		a.leave(0)
		return <-a.done
	}
	server := &http.Server{Handler: a.handler(), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	stop := make(chan struct{})
	defer close(stop)
	go detector.run(stop)
	go a.follow(detector, stop)
	go a.collectGarbage(stop)
	for {
		select {
		case code := <-a.done:
			return code
		case sig := <-signals:
			if sig != syscall.SIGUSR1 {
				// As a crash: tasks of checkpointing frameworks live on, the master is not told.
				a.log.warn("Received signal %v, exiting", sig)
				return dieOf(sig.(syscall.Signal))
			}
			a.log.info("Received SIGUSR1 signal; unregistering and shutting down")
			go a.unregister()
		}
	}
}

// dieOf ends the process by the signal, as its parent expects of one that was terminated. It returns only where the
// signal is ignored.
func dieOf(sig syscall.Signal) int {
	signal.Reset(sig)
	_ = syscall.Kill(os.Getpid(), sig)
	time.Sleep(time.Second)
	return 128 + int(sig)
}
