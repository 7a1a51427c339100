package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"github.com/jomctl/jomctl/internal/standin/edition"
	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
)

// session is one registration with a master. What the agent says goes out in order.
type session struct {
	addr   string
	client *http.Client
	id     *mesos.AgentID
	cancel context.CancelFunc

	mu    sync.Mutex
	queue []wire.FromAgent
	wake  chan struct{}
}

func (s *session) say(message wire.FromAgent) {
	message.AgentID = *s.id
	s.mu.Lock()
	s.queue = append(s.queue, message)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// deliver posts what is said until the session ends. A post that fails ends the session.
func (s *session) deliver(ctx context.Context) {
	for {
		s.mu.Lock()
		batch := s.queue
		s.queue = nil
		s.mu.Unlock()
		for _, message := range batch {
			if err := post(ctx, s.client, "http://"+s.addr+wire.PathCall, message); err != nil {
				s.cancel()
				return
			}
		}
		if len(batch) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
	}
}

// follow keeps the agent registered with whoever leads.
func (a *Agent) follow(d detector, stop <-chan struct{}) {
	var current leader
	for {
		select {
		case <-stop:
			return
		case current = <-d.leaders:
		}
		for current.addr != "" {
			a.mu.Lock()
			a.leader = current
			a.mu.Unlock()
			a.log.info("New master detected at master@%s", current.addr)
			next, changed := a.stay(current, d, stop)
			if !changed {
				return
			}
			current = next
		}
		a.mu.Lock()
		a.leader = leader{}
		a.mu.Unlock()
		a.log.warn("Lost leading master")
	}
}

// stay registers with one leader, again and again, until another one leads.
func (a *Agent) stay(current leader, d detector, stop <-chan struct{}) (leader, bool) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	defer func() {
		cancel()
		<-ended
	}()
	go func() {
		defer close(ended)
		wait := 50 * time.Millisecond
		for ctx.Err() == nil && !a.isLeaving() {
			began := time.Now()
			if err := a.register(ctx, current.addr); err != nil && ctx.Err() == nil {
				a.log.warn("Master disconnected! %v", err)
			}
			if time.Since(began) > 5*time.Second {
				wait = 50 * time.Millisecond
			}
			// Random, so that many agents do not come all at once.
			pause := time.Duration(float64(wait) * (0.5 + rand.Float64()/2))
			wait = min(2*wait, max(a.cfg.registerAfter, 100*time.Millisecond))
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
		}
	}()
	select {
	case <-stop:
		return leader{}, false
	case next := <-d.leaders:
		return next, true
	}
}

func (a *Agent) isLeaving() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.leaving
}

// register opens one registration and follows it until it breaks.
func (a *Agent) register(parent context.Context, addr string) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	client := newClient(a.cfg.flags.get("ip"), a.cfg.login)
	defer client.CloseIdleConnections()
	response, addr, err := a.knock(ctx, client, addr)
	if errors.Is(err, errRefused) {
		a.log.line('E', "EXIT with status 1: Master master@%s refused authentication", addr)
		a.done <- 1
	}
	if err != nil {
		return err
	}
	defer response.Body.Close()
	// A master that hangs before its first word must not hold the agent for ever.
	watchdog := time.AfterFunc(30*time.Second, cancel)
	defer watchdog.Stop()
	records := wire.NewRecordReader(response.Body)
	var first wire.ToAgent
	if err := next(records, &first); err != nil || first.Registered == nil {
		return fmt.Errorf("register with %s: no answer: %w", addr, err)
	}
	if err := a.accepted(*first.Registered); err != nil {
		a.log.line('E', "EXIT with status 1: %v", err)
		a.done <- 1
		return err
	}
	s := &session{addr: addr, client: client, id: &first.Registered.AgentID, cancel: cancel, wake: make(chan struct{}, 1)}
	go s.deliver(ctx)
	a.mu.Lock()
	a.session = s
	a.resend()
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		a.session = nil
		a.mu.Unlock()
	}()
	patience := time.Duration(first.Registered.PingTimeout * float64(time.Second))
	if patience <= 0 {
		patience = 75 * time.Second
	}
	for {
		watchdog.Reset(patience)
		var message wire.ToAgent
		if err := next(records, &message); err != nil {
			return fmt.Errorf("registration with %s broke: %w", addr, err)
		}
		if message.Ping != nil {
			s.say(wire.FromAgent{Pong: message.Ping})
			continue
		}
		a.receive(message)
	}
}

// knock posts the registration and follows redirects to the leader.
func (a *Agent) knock(ctx context.Context, client *http.Client, addr string) (*http.Response, string, error) {
	for range 5 {
		response, err := open(ctx, client, "http://"+addr+wire.PathRegister, a.registration())
		if err != nil {
			return nil, addr, err
		}
		if response.StatusCode == http.StatusOK {
			return response, addr, nil
		}
		text, _ := io.ReadAll(io.LimitReader(response.Body, 500))
		_ = response.Body.Close()
		if response.StatusCode == http.StatusForbidden {
			return nil, addr, errRefused
		}
		if response.StatusCode != http.StatusTemporaryRedirect {
			return nil, addr, fmt.Errorf("register with %s: %s: %s", addr, response.Status, text)
		}
		target, err := url.Parse(response.Header.Get("Location"))
		if err != nil || target.Host == "" {
			return nil, addr, fmt.Errorf("register with %s: redirected to nowhere", addr)
		}
		addr = target.Host
	}
	return nil, addr, errors.New("too many redirects to the leading master")
}

func (a *Agent) registration() wire.Register {
	a.mu.Lock()
	defer a.mu.Unlock()
	message := wire.Register{Agent: a.info, Version: edition.Version(Version)}
	for _, fw := range a.frameworks {
		for _, t := range fw.tasks {
			if t.silent {
				continue
			}
			one := wire.Task{Framework: fw.info, Info: t.info, Statuses: append([]mesos.TaskStatus(nil), t.statuses...)}
			one.Status = mesos.TaskStatus{TaskID: t.info.TaskID, State: p(t.state), AgentID: a.info.ID, Source: p(mesos.SOURCE_AGENT)}
			if n := len(one.Statuses); n > 0 {
				one.Status = one.Statuses[n-1]
			}
			message.Tasks = append(message.Tasks, one)
		}
	}
	return message
}

// accepted takes the id the master gives. An agent that has one keeps it.
func (a *Agent) accepted(answer wire.Registered) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	again := a.info.ID != nil
	if again && a.info.ID.Value != answer.AgentID.Value {
		return words("Re-registered but got wrong id: %s (expected: %s)", answer.AgentID.Value, a.info.ID.Value)
	}
	a.info.ID = &mesos.AgentID{Value: answer.AgentID.Value}
	if err := a.store.saveAgent(a.info); err != nil {
		return words("Failed to checkpoint agent info: %w", err)
	}
	if again {
		a.log.info("Re-registered with master; agent ID %s", a.info.ID.Value)
	} else {
		a.log.info("Registered with master; given agent ID %s", a.info.ID.Value)
	}
	return nil
}

// unregister tells the master that this agent goes for good, and goes.
func (a *Agent) unregister() {
	a.mu.Lock()
	s := a.session
	a.leaving = true
	a.mu.Unlock()
	if s != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		goodbye := wire.FromAgent{AgentID: *s.id, Unregister: &wire.Unregister{Message: "the agent unregistered"}}
		if err := post(ctx, s.client, "http://"+s.addr+wire.PathCall, goodbye); err != nil {
			a.log.warn("Failed to unregister: %v", err)
		}
	}
	a.leave(0)
}
