package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/provision/hosts"
)

// An agent registers within seconds of its start. One that does not is late, and then its host is asked for the ways to the
// control hosts, which takes up to four seconds.
const (
	lateAfter = 10 * time.Second
	askEvery  = 10 * time.Second
)

var errUnregistered = errors.New("not registered with the leading master yet")

// lateness explains why a Mesos agent has not registered. Its times begin anew where nobody has asked for a while.
type lateness struct {
	// blocked asks the host which ways are closed; nil where there is nothing to ask.
	blocked func(context.Context) ([]string, error)

	mu                  sync.Mutex
	began, last, looked time.Time
	found               []string
}

func (e *Env) latenessOf(h config.Host) *lateness {
	l := &lateness{}
	if e.own != nil {
		l.blocked = func(ctx context.Context) ([]string, error) {
			return hosts.Blocked(ctx, e.Cluster, h, e.own.remotes[h.Name])
		}
	}
	return l
}

// explain is the reason, as an error, why there is no registered agent at this time.
func (l *lateness) explain(ctx context.Context, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.last) > lateAfter {
		l.began, l.looked, l.found = now, time.Time{}, nil
	}
	l.last = now
	if l.blocked != nil && now.Sub(l.began) >= lateAfter && now.Sub(l.looked) >= askEvery {
		l.looked = now
		if found, err := l.blocked(ctx); err == nil {
			l.found = found
		}
	}
	if len(l.found) == 0 {
		return errUnregistered
	}
	return fmt.Errorf("%w: %s; open them in the firewalls, or in the network's (security group)", errUnregistered, strings.Join(l.found, "; "))
}
