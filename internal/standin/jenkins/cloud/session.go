package cloud

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
)

// errDetached is what every later launch ends with once the connection retries are used up, as in the real one.
var errDetached = errors.New("akka.stream.StreamDetachedException: the connection to the Mesos master was given up")

// session is one framework's connection to the master. It is never closed with a word, and forgets its pods when the stream is cut.
type session struct {
	cfg    Config
	opt    Options
	cloud  *Cloud
	wire   *wire
	ctx    context.Context
	notify chan struct{}

	mu      sync.Mutex
	pending []*pod
	pods    map[string]*pod // launched in this stream
	revives int             // REVIVEs not yet sent: one per launch
	revived bool
	dead    bool
	region  string // the master's own
	tokens  int    // role changes that may be sent now
}

func newSession(ctx context.Context, cfg Config, opt Options, c *Cloud) (*session, error) {
	base, err := resolveMaster(ctx, cfg.Master)
	if err != nil {
		return nil, err
	}
	if cfg.FrameworkID == "" {
		return nil, errors.New("the cloud has no framework id")
	}
	return &session{cfg: cfg, opt: opt, cloud: c, wire: newWire(base), ctx: ctx, notify: make(chan struct{}, 1), pods: map[string]*pod{}}, nil
}

// launch queues a pod and asks for offers.
func (s *session) launch(p *pod) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return errDetached
	}
	s.pending = append(s.pending, p)
	s.revives++
	s.wake()
	return nil
}

func (s *session) wake() {
	select {
	case s.notify <- struct{}{}:
	default:
	}
}

// kill ends the task of a node that was taken away: not launched yet = forgotten, unknown to this stream = left alone.
func (s *session) kill(name string) {
	s.mu.Lock()
	for i, p := range s.pending {
		if p.name == name {
			s.pending = append(s.pending[:i:i], s.pending[i+1:]...)
			s.mu.Unlock()
			s.wake()
			return
		}
	}
	p := s.pods[name]
	s.mu.Unlock()
	if p != nil {
		s.call(&scheduler.Call{Type: scheduler.Call_KILL, Kill: &scheduler.Call_Kill{TaskID: mesos.TaskID{Value: name}, AgentID: p.agent}})
	}
}

// run keeps the session connected until the cloud stops or the retries are used up.
func (s *session) run() {
	failures := 0
	for {
		subscribed, err := s.stream()
		if s.ctx.Err() != nil {
			return
		}
		s.forget()
		s.cloud.logf("connection to the Mesos master ended: %v", err)
		wait := s.opt.Reconnect
		if subscribed {
			failures = 0
		} else {
			failures++
			if s.opt.ConnectionRetries >= 0 && failures > s.opt.ConnectionRetries {
				s.die()
				return
			}
			wait = min(s.opt.MaxBackoff, s.opt.MinBackoff<<min(failures-1, 20))
		}
		if !pause(s.ctx, wait) {
			return
		}
	}
}

func (s *session) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pods = map[string]*pod{}
}

func (s *session) die() {
	s.cloud.logf("SEVERE Error during preStart in [akka.stream.scaladsl.RestartWithBackoffFlow]: connection retries used up")
	s.mu.Lock()
	s.dead = true
	pending := s.pending
	s.pending = nil
	s.mu.Unlock()
	for _, p := range pending {
		s.cloud.c.RemoveNode(p.name)
	}
}

func (s *session) frameworkInfo() *mesos.FrameworkInfo {
	info := &mesos.FrameworkInfo{User: s.cfg.User, Name: s.cfg.FrameworkName, ID: &mesos.FrameworkID{Value: s.cfg.FrameworkID},
		FailoverTimeout: ptr(s.opt.FailoverTimeout.Seconds()), Roles: []string{s.cfg.Role}}
	for _, t := range []mesos.FrameworkInfo_Capability_Type{mesos.FrameworkInfo_Capability_MULTI_ROLE, mesos.FrameworkInfo_Capability_REGION_AWARE,
		mesos.FrameworkInfo_Capability_PARTITION_AWARE} {
		info.Capabilities = append(info.Capabilities, mesos.FrameworkInfo_Capability{Type: t})
	}
	return info
}

// stream subscribes and reads events until the stream ends. subscribed says that a SUBSCRIBED was among them.
func (s *session) stream() (subscribed bool, err error) {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	call := &scheduler.Call{Type: scheduler.Call_SUBSCRIBE, FrameworkID: &mesos.FrameworkID{Value: s.cfg.FrameworkID},
		Subscribe: &scheduler.Call_Subscribe{FrameworkInfo: s.frameworkInfo()}}
	events, err := s.wire.subscribe(ctx, call)
	if err != nil {
		return false, err
	}
	defer events.close()
	var roles sync.WaitGroup
	defer roles.Wait()
	defer cancel()
	for {
		e, err := events.next()
		if err != nil {
			return subscribed, err
		}
		switch e.Type {
		case scheduler.Event_SUBSCRIBED:
			if err := s.begin(e.Subscribed); err != nil {
				return false, err
			}
			subscribed = true
			roles.Add(1)
			go func() {
				defer roles.Done()
				s.roleChanges(ctx)
			}()
		case scheduler.Event_OFFERS:
			s.offers(e.Offers.Offers)
		case scheduler.Event_UPDATE:
			s.update(e.Update.Status)
		case scheduler.Event_ERROR:
			return subscribed, errors.New(e.Error.Message)
		case scheduler.Event_HEARTBEAT:
			s.cloud.logf("WARNING No handler defined for event HEARTBEAT - type: HEARTBEAT")
		}
	}
}

func (s *session) begin(e *scheduler.Event_Subscribed) error {
	if m := e.GetMasterInfo(); m != nil {
		if m.Version != nil && tooOld(*m.Version) {
			return fmt.Errorf("requirement failed: Mesos master version %s is not compatible with required version 1.9.0", *m.Version)
		}
		s.mu.Lock()
		if m.Domain != nil && m.Domain.FaultDomain != nil {
			s.region = m.Domain.FaultDomain.Region.Name
		}
		s.mu.Unlock()
	}
	s.mu.Lock()
	s.revives, s.revived, s.tokens = len(s.pending), false, 0
	s.mu.Unlock()
	s.suppress()
	return nil
}

func tooOld(version string) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	return err1 == nil && err2 == nil && (major < 1 || major == 1 && minor < 9)
}

// offers launches what fits, everything on one offer in one ACCEPT with one LAUNCH each, and declines the rest without a filter.
func (s *session) offers(list []mesos.Offer) {
	for i := range list {
		offer := &list[i]
		operations := s.match(offer)
		if len(operations) == 0 {
			s.call(&scheduler.Call{Type: scheduler.Call_DECLINE, Decline: &scheduler.Call_Decline{OfferIDs: []mesos.OfferID{offer.ID}}})
			continue
		}
		s.call(&scheduler.Call{Type: scheduler.Call_ACCEPT, Accept: &scheduler.Call_Accept{OfferIDs: []mesos.OfferID{offer.ID}, Operations: operations}})
	}
	s.wake()
}

func (s *session) match(offer *mesos.Offer) []mesos.Offer_Operation {
	s.mu.Lock()
	defer s.mu.Unlock()
	rest := newRemaining(offer)
	var operations []mesos.Offer_Operation
	var kept []*pod
	for _, p := range s.pending {
		if !rest.take(p, s.region) {
			kept = append(kept, p)
			continue
		}
		p.agent = &mesos.AgentID{Value: offer.AgentID.Value}
		s.pods[p.name] = p
		operations = append(operations, mesos.Offer_Operation{Type: mesos.Offer_Operation_LAUNCH,
			Launch: &mesos.Offer_Operation_Launch{TaskInfos: []mesos.TaskInfo{p.task(offer, s.cfg.Role)}}})
	}
	s.pending = kept
	return operations
}

// update acknowledges a status and acts on it: an ended task takes its node away when that never connected; a task that this
// stream does not know is killed.
func (s *session) update(status mesos.TaskStatus) {
	name := status.TaskID.Value
	if len(status.UUID) > 0 && status.AgentID != nil {
		s.call(&scheduler.Call{Type: scheduler.Call_ACKNOWLEDGE, Acknowledge: &scheduler.Call_Acknowledge{AgentID: *status.AgentID, TaskID: status.TaskID, UUID: status.UUID}})
	}
	s.mu.Lock()
	known := s.pods[name] != nil
	over := terminal(status.GetState())
	if over {
		delete(s.pods, name)
	}
	s.mu.Unlock()
	s.cloud.logf("received status update for %s: %s %s", name, status.GetState(), status.GetMessage())
	switch {
	case over && known:
		s.cloud.c.LaunchFailed(name)
	case !over && !known:
		s.call(&scheduler.Call{Type: scheduler.Call_KILL, Kill: &scheduler.Call_Kill{TaskID: status.TaskID, AgentID: status.AgentID}})
	}
}

func terminal(state mesos.TaskState) bool {
	switch state {
	case mesos.TASK_STAGING, mesos.TASK_STARTING, mesos.TASK_RUNNING, mesos.TASK_KILLING, mesos.TASK_UNREACHABLE:
		return false
	}
	return true
}

// call sends one call of this framework; a failure is logged, the stream's end will tell the rest.
func (s *session) call(c *scheduler.Call) {
	c.FrameworkID = &mesos.FrameworkID{Value: s.cfg.FrameworkID}
	if err := s.wire.call(s.ctx, c); err != nil && s.ctx.Err() == nil {
		s.cloud.logf("WARNING %s: %v", c.Type, err)
	}
}
