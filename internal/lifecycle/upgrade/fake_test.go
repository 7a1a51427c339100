package upgrade_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/internal/op"
)

// errInjected is what a call fails with.
var errInjected = errors.New("injected")

// fake is a cluster in memory. What it holds outlives the process that upgrades it.
type fake struct {
	// runs is which version's controller is there, empty for none; shut says that nothing can start on it.
	runs upgrade.Side
	shut bool
	// quiet and message are the controller's own; quiet is forgotten when it ends.
	quiet   bool
	message string
	// home are the files, kept what Keep saw, backups by their ids.
	home, kept map[string]string
	backups    map[string]map[string]string
	failed     []map[string]string
	// held says that no backup is removed.
	held bool
	// queue waits, started are the builds that were started by which version.
	queue   []upgrade.Build
	running []upgrade.Build
	started map[upgrade.Side][]string
	// recorded is what the cluster file says.
	recorded upgrade.Side
	reasons  []upgrade.Reason
	unready  bool
	// endless builds end only when they are stopped; hang is a call that ends with its context.
	endless bool
	hang    string
	// lazy is a new version that writes nothing.
	lazy bool

	// calls counts every call; at fail of them the call fails, after its effect where late is set.
	calls int
	fail  int
	late  bool
	// at hears of every call before and after its effect.
	at         func()
	names      []string
	violations []string
}

var _ upgrade.Cluster = (*fake)(nil)

func newFake() *fake {
	return &fake{runs: upgrade.Old, recorded: upgrade.Old, message: "hello",
		home:    map[string]string{"config.xml": "old", "jobs/a/config.xml": "a", "plugins/x.jpi": "1", "jobs/a/nextBuildNumber": "7"},
		backups: map[string]map[string]string{}, started: map[upgrade.Side][]string{},
		queue: []upgrade.Build{{Job: "waits", Item: 3, Params: map[string]string{"P": "1"}}}}
}

// call is one call with an effect. It fails where it is told to.
func (f *fake) call(ctx context.Context, name string, effect func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.calls++
	f.names = append(f.names, name)
	bad := f.calls == f.fail
	f.cutHere()
	if name == f.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	if bad && !f.late {
		return fmt.Errorf("%s: %w", name, errInjected)
	}
	if err := effect(); err != nil {
		return err
	}
	f.cutHere()
	if bad {
		return fmt.Errorf("%s: %w", name, errInjected)
	}
	return nil
}

func (f *fake) cutHere() {
	if f.at != nil {
		f.at()
	}
}

// clone is the cluster as it stands when the process that upgrades it is killed.
func (f *fake) clone() *fake {
	c := *f
	c.at, c.fail, c.calls = nil, 0, 0
	c.home, c.kept, c.backups, c.started = maps.Clone(f.home), maps.Clone(f.kept), maps.Clone(f.backups), map[upgrade.Side][]string{}
	for side, jobs := range f.started {
		c.started[side] = slices.Clone(jobs)
	}
	c.queue, c.running, c.failed = slices.Clone(f.queue), slices.Clone(f.running), slices.Clone(f.failed)
	c.names, c.violations = slices.Clone(f.names), slices.Clone(f.violations)
	return &c
}

// live lets what waits start wherever it can. A controller takes its queue from the home.
func (f *fake) live() {
	if f.runs == "" || f.quiet || f.shut {
		return
	}
	for _, build := range f.queue {
		f.started[f.runs] = append(f.started[f.runs], build.Job)
	}
	f.queue = nil
}

func (f *fake) violate(format string, args ...any) {
	f.violations = append(f.violations, fmt.Sprintf(format, args...))
}

func (f *fake) up() error {
	if f.runs == "" {
		return errors.New("there is no controller")
	}
	return nil
}

func (f *fake) Check(context.Context) []upgrade.Reason { return f.reasons }

func (f *fake) BringNear(ctx context.Context, _ op.Say) error {
	return f.call(ctx, "near", func() error { return nil })
}

func (f *fake) BackUp(ctx context.Context, proven bool, _ op.Say) (id string, err error) {
	err = f.call(ctx, "backup", func() error {
		id = fmt.Sprintf("backup-%d", len(f.backups)+1)
		f.backups[id] = maps.Clone(f.home)
		return nil
	})
	return id, err
}

func (f *fake) Rehearse(ctx context.Context, id string, _ op.Say) (upgrade.Rehearsal, error) {
	return upgrade.Rehearsal{Seconds: 2}, f.call(ctx, "rehearse", func() error {
		if f.backups[id] == nil {
			return fmt.Errorf("no backup %s", id)
		}
		return nil
	})
}

func (f *fake) Message(ctx context.Context) (string, error) {
	return f.message, f.call(ctx, "message", f.up)
}

func (f *fake) Announce(ctx context.Context, message string) error {
	return f.call(ctx, "announce", func() error {
		if err := f.up(); err != nil {
			return err
		}
		f.message = message
		return nil
	})
}

func (f *fake) Quiet(ctx context.Context, _ string) error {
	return f.call(ctx, "quiet", func() error {
		f.quiet = f.runs != ""
		return f.up()
	})
}

func (f *fake) Loud(ctx context.Context) error {
	return f.call(ctx, "loud", func() error {
		f.quiet = false
		f.live()
		return f.up()
	})
}

func (f *fake) Work(ctx context.Context) (w upgrade.Work, err error) {
	err = f.call(ctx, "work", func() error {
		w = upgrade.Work{Running: slices.Clone(f.running), Queued: slices.Clone(f.queue)}
		if len(f.running) > 0 && f.quiet && !f.endless {
			f.running = f.running[1:] // one ends at each look
		}
		return f.up()
	})
	return w, err
}

func (f *fake) StopBuild(ctx context.Context, build upgrade.Build) error {
	return f.call(ctx, "stop-build", func() error {
		f.running = slices.DeleteFunc(f.running, func(b upgrade.Build) bool { return b.Job == build.Job })
		return nil
	})
}

func (f *fake) Requeue(ctx context.Context, builds []upgrade.Build, _ op.Say) ([]string, error) {
	return nil, f.call(ctx, "requeue", func() error {
		for _, build := range builds {
			if !slices.ContainsFunc(f.queue, func(b upgrade.Build) bool { return b.Job == build.Job }) {
				f.queue = append(f.queue, build)
			}
		}
		f.live()
		return f.up()
	})
}

func (f *fake) Push(ctx context.Context, _ op.Say) error {
	return f.call(ctx, "push", func() error { return nil })
}

func (f *fake) Listing(ctx context.Context) error {
	return f.call(ctx, "listing", func() error { f.held = true; return nil })
}

func (f *fake) LetGo(ctx context.Context) error {
	return f.call(ctx, "let-go", func() error {
		if f.runs != upgrade.Old || f.quiet {
			f.violate("users wait until old backups may be removed again")
		}
		f.held = false
		return nil
	})
}

func (f *fake) Stop(ctx context.Context, _ op.Say) error {
	return f.call(ctx, "stop", func() error {
		if f.runs == upgrade.Old && len(f.running) > 0 {
			f.violate("the stop has lost %s", f.running[0].Job)
		}
		if f.runs == upgrade.Old {
			data, err := json.Marshal(f.queue)
			if err != nil {
				return err
			}
			f.home["queue.xml"] = string(data)
		}
		f.runs, f.quiet, f.shut, f.queue = "", false, false, nil
		return nil
	})
}

func (f *fake) Keep(ctx context.Context, _ op.Say) error {
	return f.call(ctx, "keep", func() error {
		if f.runs != "" {
			f.violate("the home was kept while %s runs", f.runs)
		}
		f.kept = maps.Clone(f.home)
		return nil
	})
}

func (f *fake) Deploy(ctx context.Context, side upgrade.Side, _ op.Say) error {
	return f.call(ctx, "deploy-"+string(side), func() error {
		if f.runs != "" && f.runs != side {
			f.violate("%s is started beside %s", side, f.runs)
		}
		if side == upgrade.Old && f.home["config.xml"] != "old" {
			f.violate("the old version is started on a home of the new one")
		}
		if side == upgrade.New {
			delete(f.home, "queue.xml")
			if !f.lazy {
				f.home["config.xml"], f.home["plugins/x.jpi"] = "new", "2"
			}
		}
		if f.runs == side {
			return nil
		}
		f.runs, f.quiet, f.shut, f.queue = side, false, side == upgrade.New, nil
		if queue := f.home["queue.xml"]; queue != "" {
			if err := json.Unmarshal([]byte(queue), &f.queue); err != nil {
				return err
			}
		}
		f.live()
		return nil
	})
}

func (f *fake) Ready(ctx context.Context, side upgrade.Side, _ op.Say) error {
	return f.call(ctx, "ready-"+string(side), func() error {
		if f.runs != side || side == upgrade.New && f.unready {
			return fmt.Errorf("%q runs", f.runs)
		}
		f.quiet = f.quiet || side == upgrade.New
		return nil
	})
}

func (f *fake) Canary(ctx context.Context, _ op.Say) error {
	return f.call(ctx, "canary", func() error {
		f.quiet = true
		return f.up()
	})
}

func (f *fake) Open(ctx context.Context, _ op.Say) error {
	return f.call(ctx, "open", func() error {
		f.shut, f.quiet = false, true
		return f.up()
	})
}

func (f *fake) Touched(ctx context.Context) (touched bool, err error) {
	err = f.call(ctx, "touched", func() error {
		a, b := maps.Clone(f.home), maps.Clone(f.kept)
		delete(a, "queue.xml")
		delete(b, "queue.xml")
		touched = !maps.Equal(a, b)
		return nil
	})
	return touched, err
}

func (f *fake) Ahead(ctx context.Context, id string, _ op.Say) error {
	return f.call(ctx, "ahead", func() error {
		if f.backups[id] == nil {
			return fmt.Errorf("no backup %s", id)
		}
		return nil
	})
}

func (f *fake) Restore(ctx context.Context, id string, _ op.Say) (string, error) {
	return "failed-home", f.call(ctx, "restore", func() error {
		if f.runs != "" {
			f.violate("the home is restored under %s", f.runs)
		}
		if f.backups[id] == nil {
			return fmt.Errorf("no backup %s", id)
		}
		f.failed = append(f.failed, f.home)
		f.home = maps.Clone(f.kept)
		return nil
	})
}

func (f *fake) Untouched(ctx context.Context) error {
	return f.call(ctx, "untouched", func() error {
		f.home["queue.xml"] = f.kept["queue.xml"]
		return nil
	})
}

func (f *fake) Record(ctx context.Context, _ op.Say) error {
	return f.call(ctx, "record", func() error {
		f.recorded, f.held = upgrade.New, false
		return nil
	})
}
