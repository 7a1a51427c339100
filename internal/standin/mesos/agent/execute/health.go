package execute

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// watchHealth runs the check for as long as the task lives. Defaults are the real ones: 15 s delay, 10 s interval,
// 20 s timeout, 3 failures, 10 s grace.
func (e *executor) watchHealth(check mesos.HealthCheck) {
	grace, start := seconds(check.GracePeriodSeconds, 10), time.Now()
	allowed := uint32(3)
	if check.ConsecutiveFailures != nil {
		allowed = *check.ConsecutiveFailures
	}
	time.Sleep(seconds(check.DelaySeconds, 15))
	failures, fresh := uint32(0), true
	for {
		err := e.probe(check)
		switch {
		case err == nil:
			if fresh || failures > 0 {
				e.events <- checked{healthy: true}
			}
			failures, fresh = 0, false
		case fresh && time.Since(start) <= grace:
			e.say("Ignoring failure of health check for task '%s': still in grace period (%v)", e.launch.Task.TaskID.Value, err)
		default:
			failures++
			e.say("Health check for task '%s' failed %d times consecutively: %v", e.launch.Task.TaskID.Value, failures, err)
			e.events <- checked{healthy: false, kill: failures >= allowed}
			fresh = false
		}
		time.Sleep(seconds(check.IntervalSeconds, 10))
	}
}

func (e *executor) healthResult(result checked) {
	if e.ended || e.killing {
		return
	}
	status := NewStatus(e.launch.Task.TaskID, mesos.TASK_RUNNING, "")
	status.Reason, status.Healthy = p(mesos.REASON_TASK_HEALTH_CHECK_STATUS_UPDATED), p(result.healthy)
	e.report(status)
	if result.kill {
		e.sick = true
		e.kill(Kill{})
	}
}

func seconds(value *float64, otherwise float64) time.Duration {
	if value != nil {
		otherwise = *value
	}
	return time.Duration(otherwise * float64(time.Second))
}

// probe makes one check. HTTP and TCP always ask the loopback address, as the real command executor does.
func (e *executor) probe(check mesos.HealthCheck) error {
	timeout := seconds(check.TimeoutSeconds, 20)
	if timeout <= 0 {
		timeout = time.Hour
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	switch check.Type {
	case mesos.HealthCheck_COMMAND:
		return e.probeCommand(ctx, check.Command)
	case mesos.HealthCheck_HTTP:
		return probeHTTP(ctx, check.HTTP)
	case mesos.HealthCheck_TCP:
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(loopback(check.TCP.Protocol), strconv.Itoa(int(check.TCP.Port))))
		if err != nil {
			return err
		}
		return conn.Close()
	}
	return fmt.Errorf("unknown health check type %v", check.Type)
}

func loopback(protocol *mesos.NetworkInfo_Protocol) string {
	if protocol != nil && *protocol == mesos.IPv6 {
		return "::1"
	}
	return "127.0.0.1"
}

func (e *executor) probeCommand(ctx context.Context, info *mesos.CommandInfo) error {
	if info == nil {
		return errors.New("no command")
	}
	env := e.launch.Env
	if info.Environment != nil {
		for _, one := range info.Environment.Variables {
			env = append(env[:len(env):len(env)], one.Name+"="+one.GetValue())
		}
	}
	cmd := &exec.Cmd{Dir: e.launch.Sandbox, Env: env, Stdout: os.Stdout, Stderr: os.Stderr}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.SysProcAttr.Credential = e.cmd.SysProcAttr.Credential
	argv := info.Arguments
	if info.Shell == nil || *info.Shell {
		argv = []string{"sh", "-c", info.GetValue()}
		cmd.Path = "/bin/sh"
	} else {
		cmd.Path = lookPath(info.GetValue(), env, e.launch.Sandbox)
	}
	cmd.Args = argv
	if docker := e.launch.Docker; docker != nil {
		inside := docker.command(append([]string{"exec", docker.Name}, argv...)...)
		cmd.Path, cmd.Args = inside.Path, inside.Args
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { KillTree(cmd.Process.Pid, syscall.SIGKILL) })
	defer stop()
	err := cmd.Wait()
	if ctx.Err() != nil {
		return errors.New("command timed out")
	}
	if err != nil {
		return errors.New(ended(cmd.ProcessState.Sys().(syscall.WaitStatus)))
	}
	return nil
}

func probeHTTP(ctx context.Context, check *mesos.HealthCheck_HTTPCheckInfo) error {
	if check == nil {
		return errors.New("no http check")
	}
	scheme, path := check.GetScheme(), check.GetPath()
	if scheme == "" {
		scheme = "http"
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	url := scheme + "://" + net.JoinHostPort(loopback(check.Protocol), strconv.Itoa(int(check.Port))) + path
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // as curl -k of the real executor
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
	code := response.StatusCode
	if len(check.Statuses) > 0 && slices.Contains(check.Statuses, uint32(code)) || len(check.Statuses) == 0 && code >= 200 && code < 400 {
		return nil
	}
	return fmt.Errorf("unexpected HTTP response code: %d", code)
}
