package drill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/pause"
	"github.com/jomctl/jomctl/internal/probe"
	"github.com/jomctl/jomctl/internal/status"
)

// fake is a cluster of which the faults that are in force decide what it answers.
type fake struct {
	mu sync.Mutex
	// inForce are the lasting faults, ever those that were made at all, undone those that were taken back.
	inForce, ever, undone []string
	task, saved, builds   int
	// mark is whose the configuration is; there are the builds that are kept.
	mark  string
	there []int64
	// loses are configurations that a controller's start loses; never makes it stay away; two makes a second one run after a fault.
	loses int
	// reverts has a controller's start come up with the job of an earlier drill; countsAnew has it forget its builds and their numbers.
	reverts, countsAnew bool
	// losesMeanwhile loses what is saved while a fault lasts.
	losesMeanwhile bool
	never, two     bool
	restartsAlso   bool
	// stuck has nobody start a killed controller again; unkept has a history that gets nothing any more.
	stuck, unkept bool
	deadUntil     time.Time
	injectFails   bool
	undoFails     bool
	buildsHang    bool
	// unregistered has no framework that answers.
	unregistered bool
	// commandFails is how often the commands of the user's fail; commands are those that were run.
	commandFails int
	commands     []string
	// change is what a look finds otherwise; away is a host that cannot be reached to take a fault back.
	change  func(*Facts)
	away    string
	fate    string
	removed bool
}

var (
	_ World  = (*fake)(nil)
	_ Canary = (*fake)(nil)
)

func (f *fake) healthy() bool {
	return len(f.inForce) == 0 && time.Now().After(f.deadUntil) && !f.never
}

func (f *fake) Look(context.Context) (Facts, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	facts := Facts{Cluster: testCluster(), Controller: "a1", MasterLeader: "c2", MarathonLeader: "c1", ZooKeeperLeader: "c3", Task: fmt.Sprint("t", f.task),
		Control: []string{"c1", "c2", "c3"}, Agents: []string{"a1", "a2"}, Home: "/home", Git: "git@git.example:home.git", GitPath: "/srv/home.git", Kept: !f.unkept || len(f.ever) == 0}
	facts.Report.Ready = f.healthy()
	if !facts.Report.Ready {
		facts.Report.Findings = []status.Finding{{Severity: status.Error, Subject: "controller", Problem: "does not serve"}}
	}
	facts.Report.Mesos.Frameworks = []status.Framework{{Tasks: []status.Task{{ID: "build-1", Host: "10.0.0.22"}}}}
	if f.change != nil {
		f.change(&facts)
	}
	return facts, nil
}

func testCluster() *config.Cluster {
	c := &config.Cluster{Name: "ci", Target: config.TargetHosts}
	for i, name := range []string{"c1", "c2", "c3"} {
		c.Hosts = append(c.Hosts, config.Host{Name: name, Address: fmt.Sprintf("10.0.0.%d", 10+i), Roles: []config.Role{config.RoleControl}})
	}
	for i, name := range []string{"a1", "a2"} {
		c.Hosts = append(c.Hosts, config.Host{Name: name, Address: fmt.Sprintf("10.0.0.%d", 21+i), Roles: []config.Role{config.RoleMesosAgent}})
	}
	return c
}

func (f *fake) Inject(_ context.Context, i Injection) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ever = append(f.ever, i.String())
	if i.lasting() && i.Kind != HomeAway { // a controller serves on the home that it restores
		f.inForce = append(f.inForce, i.String())
	}
	if f.injectFails {
		return errors.New("the hand slipped")
	}
	if i.Kind == KillController || f.restartsAlso {
		f.task++
		f.saved -= f.loses
		if f.reverts {
			f.mark, f.saved = "an-earlier-drill", 9
		}
		if f.countsAnew {
			f.builds, f.there = 0, nil
		}
		f.deadUntil = time.Now().Add(20 * time.Millisecond)
		f.never = f.stuck
	}
	if i.Kind == HomeAway {
		f.saved -= f.loses
	}
	return nil
}

func (f *fake) Undo(_ context.Context, i Injection) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.undoFails || f.away != "" && i.Host == f.away {
		return errors.New("the host is away")
	}
	f.undone = append(f.undone, i.String())
	if f.losesMeanwhile {
		f.saved--
	}
	f.inForce = slices.DeleteFunc(f.inForce, func(s string) bool { return s == i.String() })
	return nil
}

func (f *fake) Probe(ctx context.Context, sink func(probe.Sample)) {
	for ctx.Err() == nil {
		f.mu.Lock()
		ok, gone := f.healthy(), f.never
		task := fmt.Sprint("t", f.task)
		f.mu.Unlock()
		now := time.Now()
		for _, target := range probe.Targets() {
			s := probe.Sample{Target: target, At: now, OK: ok, Value: task}
			if target == probe.Task {
				s.OK, s.Tasks = true, []probe.AppTask{{ID: task, State: "TASK_RUNNING"}}
				if gone {
					s.OK, s.Tasks, s.Detail = false, nil, "no task"
				}
			}
			if target == probe.Framework && f.unregistered {
				s.OK, s.Detail = false, "not registered"
			}
			sink(s)
		}
		_ = pause.For(ctx, 2*time.Millisecond)
	}
}

func (f *fake) Owners(context.Context) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.two && len(f.ever) > 0 {
		return 2, nil
	}
	return 1, nil
}

func (f *fake) Command(_ context.Context, on, command string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.commands = append(f.commands, on+": "+command)
	if len(f.commands) <= f.commandFails {
		return errors.New("exit status 1")
	}
	return nil
}
func (f *fake) Canary() Canary { return f }

func (f *fake) Save(_ context.Context, mark string, n int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mark, f.saved = mark, n
	return nil
}

func (f *fake) Saved(_ context.Context, mark string) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if mark != f.mark {
		return 0, nil
	}
	return f.saved, nil
}

func (f *fake) Build(ctx context.Context) (int64, error) {
	if f.buildsHang {
		<-ctx.Done()
		return 0, errors.New("the queue stands still")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.healthy() {
		return 0, errors.New("the controller is away")
	}
	f.builds++
	f.there = append(f.there, int64(f.builds))
	return int64(f.builds), nil
}

func (f *fake) Builds(_ context.Context, numbers []int64) ([]int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(numbers), func(n int64) bool { return !slices.Contains(f.there, n) }), nil
}

func (f *fake) Begin(context.Context, time.Duration) (int64, string, error) {
	return 7, "build-1", nil
}
func (f *fake) Fate(context.Context, int64) (string, error) { return f.fate, nil }
func (f *fake) Remove(context.Context) error                { f.removed = true; return nil }

func readyReport() status.Report { return status.Report{Ready: true} }

// quickly is a pace for fakes.
func quickly() Pace {
	return Pace{Settle: 10 * time.Millisecond, SaveEvery: time.Millisecond, Before: 10 * time.Millisecond, Tick: 2 * time.Millisecond, Abort: time.Minute,
		Extra: time.Minute, Undo: time.Minute, Build: time.Second, First: time.Minute, Calm: time.Minute}
}

// scenarioOf is a built-in scenario whose fault does not last long.
func scenarioOf(t *testing.T, name string) Scenario {
	t.Helper()
	for _, s := range Builtin() {
		if s.Name == name {
			s.Hold = min(s.Hold, 10*time.Millisecond)
			return s
		}
	}
	t.Fatalf("no scenario %s", name)
	return Scenario{}
}
