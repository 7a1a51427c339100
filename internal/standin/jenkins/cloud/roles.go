package cloud

import (
	"context"
	"time"

	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
)

func (s *session) suppress() {
	s.call(&scheduler.Call{Type: scheduler.Call_UPDATE_FRAMEWORK, UpdateFramework: &scheduler.Call_UpdateFramework{
		FrameworkInfo: *s.frameworkInfo(), SuppressedRoles: []string{s.cfg.Role}}})
}

// roleChanges sends a REVIVE per launch and the suppression when nothing waits any more. What was seen of the plugin fits a
// bucket of two that gets one token per 5 s and is empty after SUBSCRIBED: two at once after a rest, else one per 5 s.
func (s *session) roleChanges(ctx context.Context) {
	tick := time.NewTicker(s.opt.Throttle)
	defer tick.Stop()
	for {
		for s.roleChange() {
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.mu.Lock()
			s.tokens = min(s.tokens+1, 2)
			s.mu.Unlock()
		case <-s.notify:
		}
	}
}

func (s *session) roleChange() bool {
	s.mu.Lock()
	waiting := len(s.pending)
	revive := s.tokens > 0 && waiting > 0 && s.revives > 0
	suppress := s.tokens > 0 && waiting == 0 && s.revived
	if revive || suppress {
		s.tokens--
	}
	switch {
	case revive:
		s.revives--
		s.revived = true
	case suppress:
		s.revived, s.revives = false, 0
	}
	s.mu.Unlock()
	switch {
	case revive:
		s.call(&scheduler.Call{Type: scheduler.Call_REVIVE, Revive: &scheduler.Call_Revive{Roles: []string{s.cfg.Role}}})
	case suppress:
		s.suppress()
	}
	return revive || suppress
}
