package jenkins

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/jomctl/jomctl/internal/standin/jenkins/agent"
)

// JavaMain stands where build agents look for java: it runs the stand-in's agent.jar itself, and hands any other command line
// to the real java further down the PATH, or in JAVA_HOME. It returns 0 when the controller has ended the connection, 1 when
// the agent could not connect, 127 when there is no real java.
func JavaMain(args []string) int {
	for i, a := range args {
		if a == "-jar" && i+1 < len(args) {
			if isAgentJar(args[i+1]) {
				return runAgent(args[i+2:])
			}
			break
		}
	}
	java, err := realJava()
	if err != nil {
		fmt.Fprintln(os.Stderr, "java:", err)
		return 127
	}
	_ = os.Setenv(triedVariable, tried()+java) // its name and value are always fit
	err = syscall.Exec(java, append([]string{java}, args...), os.Environ())
	fmt.Fprintf(os.Stderr, "java: start %s: %v\n", java, err)
	return 126
}

func isAgentJar(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, len(agent.Marker))
	_, err = io.ReadFull(f, head)
	return err == nil && string(head) == agent.Marker
}

func runAgent(args []string) int {
	client, err := agent.ParseArgs(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "agent.jar:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := client.Run(ctx); err != nil {
		if ctx.Err() != nil {
			return exitTerm
		}
		fmt.Fprintln(os.Stderr, "SEVERE:", err)
		return 1
	}
	return 0
}

// triedVariable keeps, as PID:PATH:PATH..., what the process has become already: a java that comes back here is a script around this
// program, which its path does not tell.
const triedVariable = "JOMCTL_STANDIN_JAVA_TRIED"

// tried is the value of triedVariable for this process, to be added to.
func tried() string {
	own := strconv.Itoa(os.Getpid()) + ":"
	if text := os.Getenv(triedVariable); strings.HasPrefix(text, own) {
		return text + ":"
	}
	return own
}

// realJava finds a java that is not this program, nor a script around it.
func realJava() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	own, err := os.Stat(self)
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	before := strings.Split(tried(), ":")
	var dirs []string
	for _, dir := range strings.Split(os.Getenv("PATH"), string(os.PathListSeparator)) {
		dirs = append(dirs, dir)
	}
	if home := os.Getenv("JAVA_HOME"); home != "" {
		dirs = append(dirs, filepath.Join(home, "bin"))
	}
	for _, dir := range dirs {
		path := filepath.Join(dir, "java")
		info, err := os.Stat(path)
		if err != nil || os.SameFile(info, own) || slices.Contains(before, path) {
			continue
		}
		if path, err = exec.LookPath(path); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no other java in PATH or JAVA_HOME; the stand-in's java runs only the stand-in's agent.jar")
}
