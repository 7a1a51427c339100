package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// killAfter is how long an aborted step may go on after SIGTERM.
const killAfter = 5 * time.Second

// RunShell runs one step as hudson.tasks.Shell does: a script file, `/bin/sh -xe`, in the workspace, output to out. When ctx
// ends, the step's process group gets SIGTERM. It returns the exit status.
func RunShell(ctx context.Context, step Step, root string, out io.Writer) (int, error) {
	workspace := step.Workspace
	if !filepath.IsAbs(workspace) {
		workspace = filepath.Join(root, workspace)
	}
	if err := os.MkdirAll(workspace, 0o755); err != nil {
		return -1, fmt.Errorf("make workspace: %w", err)
	}
	script, err := writeScript(step.Script)
	if err != nil {
		return -1, err
	}
	defer os.Remove(script)
	args := []string{"/bin/sh", "-xe", script}
	if line, _, _ := strings.Cut(step.Script, "\n"); strings.HasPrefix(line, "#!") {
		args = append(strings.Fields(line[2:]), script)
	}
	fmt.Fprintf(out, "[%s] $ %s\n", filepath.Base(workspace), strings.Join(args, " "))
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = workspace, out, out
	cmd.Env = environment(step.Env, workspace)
	// The group dies with an aborted build; Pdeathsig covers an agent that is killed itself.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return -1, fmt.Errorf("start %s: %w", args[0], err)
	}
	return waitOrKill(ctx, cmd)
}

func waitOrKill(ctx context.Context, cmd *exec.Cmd) (int, error) {
	ended := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-ended:
			return
		case <-ctx.Done():
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		}
		select {
		case <-ended:
		case <-time.After(killAfter):
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		}
	}()
	err := cmd.Wait()
	close(ended)
	<-watched
	if ctx.Err() != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	var exit *exec.ExitError
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
		return 0, nil
	case errors.As(err, &exit):
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return 128 + int(status.Signal()), nil
		}
		return exit.ExitCode(), nil
	}
	return -1, fmt.Errorf("wait for the step: %w", err)
}

func writeScript(text string) (string, error) {
	f, err := os.CreateTemp("", "jenkins*.sh")
	if err != nil {
		return "", fmt.Errorf("write script: %w", err)
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Chmod(0o700), f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return "", fmt.Errorf("write script: %w", err)
	}
	return f.Name(), nil
}

func environment(vars map[string]string, workspace string) []string {
	var env []string
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); vars[name] == "" {
			env = append(env, kv)
		}
	}
	for k, v := range vars {
		env = append(env, k+"="+v)
	}
	return append(env, "WORKSPACE="+workspace, "WORKSPACE_TMP="+workspace+"@tmp")
}
