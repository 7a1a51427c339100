package jenkins

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/bndr/gojenkins"

	"github.com/jomctl/jomctl/internal/pause"
)

// Phase is how far a controller is.
type Phase string

// The phases of a controller.
const (
	// PhaseRefused: nothing listens, or nothing answers.
	PhaseRefused    Phase = "refused"
	PhaseStarting   Phase = "starting"
	PhaseRestarting Phase = "restarting"
	// PhaseBootFailed is final: the process lives, and every page is a 500 until it is started anew.
	PhaseBootFailed Phase = "boot failed"
	PhaseUp         Phase = "up"
	// PhaseOther is an answer that Jenkins does not give, of a proxy for example.
	PhaseOther Phase = "other"
)

// State is what the login page tells without logging in.
type State struct {
	Phase   Phase
	Version string
	// Session is another one after each start of the JVM.
	Session string
	// StandIn says that this is a stand-in and not the real Jenkins.
	StandIn bool
	// Detail is the error of a refused connection, or what another answer said.
	Detail string
}

// Info is the root object.
type Info struct {
	Version   string
	Session   string
	StandIn   bool
	URL       string
	AgentPort int
	Executors int
	// Secure says that security is on; Crumbs that POSTs need one.
	Secure       bool
	Crumbs       bool
	QuietingDown bool
	Jobs         []string
}

// State asks /login, which answers 200 without a login once Jenkins is up.
func (c *Client) State(ctx context.Context) State {
	answer, err := c.do(ctx, call{method: http.MethodGet, path: "/login", anonymous: true, anyStatus: true})
	if err != nil {
		return State{Phase: PhaseRefused, Detail: err.Error()}
	}
	s := State{
		Version: answer.header.Get("X-Jenkins"), Session: answer.header.Get("X-Jenkins-Session"),
		StandIn: answer.header.Get(standInHeader) != "",
	}
	name := title(answer.body)
	switch {
	case answer.code == http.StatusOK && s.Version != "":
		s.Phase = PhaseUp
	case answer.code == http.StatusServiceUnavailable && strings.HasPrefix(name, "Restarting"):
		s.Phase = PhaseRestarting
	case answer.code == http.StatusServiceUnavailable && strings.Contains(name, "Jenkins"):
		s.Phase = PhaseStarting
	case answer.code == http.StatusInternalServerError && s.Version == "":
		s.Phase, s.Detail = PhaseBootFailed, "every page is HTTP 500; the reason is in the controller's log"
	default:
		s.Phase, s.Detail = PhaseOther, strings.TrimSpace(fmt.Sprintf("HTTP %d %s", answer.code, name))
	}
	return s
}

const standInHeader = "X-Jomctl-Standin"

// Info reads the root object.
func (c *Client) Info(ctx context.Context) (Info, error) {
	var info Info
	err := c.with(ctx, "read what Jenkins says about itself", func(j *gojenkins.Jenkins, root root) error {
		raw, err := j.Info(ctx)
		if err != nil {
			return err
		}
		info = Info{
			Version: j.Version, Session: root.header.Get("X-Jenkins-Session"), StandIn: root.header.Get(standInHeader) != "",
			URL: root.url, AgentPort: int(raw.SlaveAgentPort), Executors: int(raw.NumExecutors), Secure: raw.UseSecurity,
			Crumbs: raw.UseCrumbs, QuietingDown: raw.QuietingDown,
		}
		for _, job := range raw.Jobs {
			info.Jobs = append(info.Jobs, job.Name)
		}
		return nil
	})
	return info, err
}

// AnonymousRefused is nil when somebody without a login may neither read the controller nor run scripts on it.
func (c *Client) AnonymousRefused(ctx context.Context) error {
	for _, path := range []string{"/api/json", "/script"} {
		answer, err := c.do(ctx, call{method: http.MethodGet, path: path, anonymous: true, anyStatus: true})
		if err != nil {
			return c.failed("check that anonymous access is refused", err)
		}
		if answer.code != http.StatusForbidden && answer.code != http.StatusUnauthorized {
			return c.failed("check that anonymous access is refused", fmt.Errorf("GET %s without a login: HTTP %d, want 403: the controller is not secured", path, answer.code))
		}
	}
	return nil
}

// WhoAmI returns the name of the user that the credentials stand for.
func (c *Client) WhoAmI(ctx context.Context) (string, error) {
	var me struct {
		Name      string `json:"name"`
		Anonymous bool   `json:"anonymous"`
	}
	_, err := c.getJSON(ctx, "/whoAmI/api/json", &me)
	if err == nil && me.Anonymous && c.user != "" {
		err = errors.New("the credentials were not looked at: the answer is anonymous")
	}
	return me.Name, c.failed("log in as "+c.user, err)
}

// AgentListener returns the TCP port for inbound agents as the controller announces it. A 404 (an error here) means
// that the port could not be bound or is switched off: then no build agent can ever connect, however healthy
// everything else looks.
func (c *Client) AgentListener(ctx context.Context) (int, error) {
	const op = "look for the agent port"
	r := call{method: http.MethodGet, path: "/tcpSlaveAgentListener/", anonymous: true, anyStatus: true}
	answer, err := c.do(ctx, r)
	if err != nil {
		return 0, c.failed(op, err)
	}
	if answer.code == http.StatusNotFound {
		return 0, c.failed(op, errors.New("the controller listens on none: switched off, or the port was taken when it started (a restart helps)"))
	}
	if err := judge(r, answer); err != nil {
		return 0, c.failed(op, err)
	}
	port, err := strconv.Atoi(answer.header.Get("X-Jenkins-JNLP-Port"))
	if err != nil {
		return 0, c.failed(op, errors.New("the answer has no header X-Jenkins-JNLP-Port"))
	}
	return port, nil
}

// Want is what a ready controller has to be. Zero fields are not asked for.
type Want struct {
	Version string
	// NotSession is the X-Jenkins-Session of the controller before: it must be another one now.
	NotSession string
	AgentPort  int
	// Secured: anonymous access must be refused, and the client's credentials must work.
	Secured bool
	// FrameworkID is that of the Mesos cloud that must have been loaded, together with its plugin.
	FrameworkID string
	// Framework must be active. Plugin 2.0 subscribes at the first demand only, so this can hold only after a build.
	Framework Resources
}

// Ready says whether the controller is what is wanted: /login answers 200 with the wanted version in a new session, the
// agent port is open, it is secured, the framework is active. The error says what is missing; it wraps a
// *BootFailedError when waiting is in vain. Marathon's word plays no part: its health is stale after a relaunch.
func (c *Client) Ready(ctx context.Context, want Want) (State, error) {
	s := c.State(ctx)
	err := c.ready(ctx, s, want)
	if err == nil {
		return s, nil
	}
	return s, c.failed("check that the controller is ready", unwrapOwn(err))
}

func (c *Client) ready(ctx context.Context, s State, want Want) error {
	switch {
	case s.Phase == PhaseBootFailed:
		return &BootFailedError{Detail: s.Detail}
	case s.Phase != PhaseUp:
		return errors.New(strings.TrimSuffix(fmt.Sprintf("it is %s: %s", s.Phase, s.Detail), ": "))
	case want.Version != "" && coreVersion(s.Version) != coreVersion(want.Version):
		return fmt.Errorf("it is version %s, want %s", s.Version, want.Version)
	case want.NotSession != "" && s.Session == want.NotSession:
		return fmt.Errorf("it is still the session %s from before", s.Session)
	}
	port, err := c.AgentListener(ctx)
	if err != nil {
		return err
	}
	if want.AgentPort != 0 && port != want.AgentPort {
		return fmt.Errorf("the agent port is %d, want %d", port, want.AgentPort)
	}
	if want.Secured {
		if err := c.AnonymousRefused(ctx); err != nil {
			return err
		}
		if _, err := c.WhoAmI(ctx); err != nil {
			return err
		}
	}
	if want.FrameworkID != "" {
		if err := c.cloudLoaded(ctx, want.FrameworkID); err != nil {
			return err
		}
	}
	if want.Framework == nil {
		return nil
	}
	use, err := want.Framework.Framework(ctx)
	if err != nil {
		return fmt.Errorf("look for its framework: %w", err)
	}
	if !use.Active {
		return errors.New("its framework is not active at the Mesos master")
	}
	return nil
}

// coreVersion is the number of a version. A core that somebody has built says "2.568.2-SNAPSHOT (private-DATE-USER)", its
// war's manifest not always with the same words behind the number.
func coreVersion(version string) string {
	number, _, _ := strings.Cut(version, " ")
	return strings.TrimSuffix(number, "-SNAPSHOT")
}

// BootFailedError means that Jenkins has given up starting; only a new start helps.
type BootFailedError struct {
	Detail string
}

func (e *BootFailedError) Error() string { return "the boot has failed: " + e.Detail }

// Hint says what to do next.
func (e *BootFailedError) Hint() string {
	return "read the end of the controller's log (the task's stderr); usual causes are a broken config.xml or jenkins.yaml"
}

// WaitReady asks Ready each tick (0: 1 s) until it holds, says what is missing whenever that changes, and gives up at
// once when the boot has failed. At the context's end the error is the last thing that was missing.
func (c *Client) WaitReady(ctx context.Context, want Want, tick time.Duration, say func(string)) (State, error) {
	if tick == 0 {
		tick = time.Second
	}
	said := ""
	for {
		s, err := c.Ready(ctx, want)
		var boot *BootFailedError
		var cloud *CloudError
		if err == nil || errors.As(err, &boot) || errors.As(err, &cloud) {
			return s, err
		}
		if text := unwrapOwn(err).Error(); say != nil && text != said && ctx.Err() == nil {
			said = text
			say(text)
		}
		if stop := pause.For(ctx, tick); stop != nil {
			if said != "" {
				err = c.failed("wait for the controller", fmt.Errorf("%s (%w)", said, stop))
			}
			return s, err
		}
	}
}

// unwrapOwn drops what the caller says itself.
func unwrapOwn(err error) error {
	var own *Error
	for errors.As(err, &own) {
		err = own.Cause
	}
	return err
}
