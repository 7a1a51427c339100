package config

import (
	"fmt"
	"strings"
	"time"
)

// Stage says how much is at stake when a drill goes wrong.
type Stage string

// The stages.
const (
	// StageProduction asks for the cluster's name to be typed before a drill.
	StageProduction Stage = "production"
	// StageRehearsal asks for a yes.
	StageRehearsal Stage = "rehearsal"
)

// Stages are all stages.
func Stages() []Stage { return []Stage{StageProduction, StageRehearsal} }

// Drill is what failover drills are measured by.
type Drill struct {
	// Stage is production, where a drill begins when the cluster's name was typed, or rehearsal, where a yes is enough.
	Stage Stage `yaml:"stage,omitempty"`
	// Targets are what a recovery may cost, by scenario; the others keep the program's own.
	Targets []DrillTarget `yaml:"targets,omitempty"`
	// Scenarios are files of your own scenarios.
	Scenarios []string `yaml:"scenarios,omitempty"`
	// Power are commands of this machine that take the power of a host away and give it back.
	Power *Power `yaml:"power,omitempty"`
}

// DrillTarget is what one scenario's recovery may cost.
type DrillTarget struct {
	// Scenario is its name, as `jomctl drill list` has it.
	Scenario string `yaml:"scenario"`
	// Recovery is the time from the fault until people are served and Jenkins is registered with Mesos; left out, the program's own.
	Recovery Duration `yaml:"recovery,omitempty"`
	// Configurations is how many saved configurations may be missing afterwards.
	Configurations int `yaml:"configurations,omitempty"`
	// Builds is how many finished builds may be missing afterwards; left out, the program's own.
	Builds int `yaml:"builds,omitempty"`
}

// Power are commands for `sh -c`, with the host's name in $HOST and its address in $ADDRESS. They end with 0 when it is done.
type Power struct {
	// Off takes the power away at once, as a pulled plug does: `ipmitool ... power off`.
	Off string `yaml:"off"`
	// On gives it back.
	On string `yaml:"on"`
}

// Tuning are the times in which faults are noticed and mended. `jomctl tune` chooses them from measured starts.
type Tuning struct {
	// HealthInterval is the time between two looks at the controller's health.
	HealthInterval Duration `yaml:"healthInterval,omitempty"`
	// HealthTimeout is how long one look may take.
	HealthTimeout Duration `yaml:"healthTimeout,omitempty"`
	// HealthFailures is after how many bad looks in a row the controller is started again.
	HealthFailures int `yaml:"healthFailures,omitempty"`
	// Backoff is how long Marathon waits before it starts a controller again that has failed.
	Backoff Duration `yaml:"backoff,omitempty"`
	// MaxBackoff is the longest such wait, after many failures.
	MaxBackoff Duration `yaml:"maxBackoff,omitempty"`
	// AgentPing is the time between two pings of a Mesos agent.
	AgentPing Duration `yaml:"agentPing,omitempty"`
	// AgentPings is after how many lost pings a Mesos agent, with all on it, is given up.
	AgentPings int `yaml:"agentPings,omitempty"`
	// ZooKeeperSession is how long masters and Marathon may be unheard by ZooKeeper before another one leads.
	ZooKeeperSession Duration `yaml:"zookeeperSession,omitempty"`
}

// DefaultTuning are the times of a cluster whose file says nothing about them.
func DefaultTuning() Tuning {
	return Tuning{HealthInterval: seconds(3), HealthTimeout: seconds(10), HealthFailures: 5, Backoff: seconds(1), MaxBackoff: seconds(10),
		AgentPing: seconds(5), AgentPings: 3, ZooKeeperSession: seconds(10)}
}

func seconds(n int) Duration { return Duration(time.Duration(n) * time.Second) }

// Tuned are the times that are in force: those of the file, and the defaults for what it leaves out.
func (c *Cluster) Tuned() Tuning {
	t := Tuning{}
	if c.Tuning != nil {
		t = *c.Tuning
	}
	d := DefaultTuning()
	set(&t.HealthInterval, d.HealthInterval)
	set(&t.HealthTimeout, d.HealthTimeout)
	set(&t.HealthFailures, d.HealthFailures)
	set(&t.Backoff, d.Backoff)
	set(&t.MaxBackoff, d.MaxBackoff)
	set(&t.AgentPing, d.AgentPing)
	set(&t.AgentPings, d.AgentPings)
	set(&t.ZooKeeperSession, d.ZooKeeperSession)
	return t
}

// DrillStage is that of the file; left out, a cluster on this machine alone is a rehearsal and every other one production.
func (c *Cluster) DrillStage() Stage {
	switch {
	case c.Drill != nil && c.Drill.Stage != "":
		return c.Drill.Stage
	case c.Target == TargetLocal || c.Target == TargetDocker:
		return StageRehearsal
	}
	return StageProduction
}

func (k *checker) drill(d *Drill) {
	if d == nil {
		return
	}
	if d.Stage != "" {
		k.oneOf("drill.stage", string(d.Stage), words(Stages()))
	}
	seen := map[string]int{}
	for i, t := range d.Targets {
		at := fmt.Sprintf("drill.targets[%d]", i)
		k.label(at+".scenario", t.Scenario)
		k.unique(at+".scenario", t.Scenario, i, seen)
		if t.Recovery < 0 {
			k.add(at+".recovery", t.Recovery, "must not be negative", "")
		}
		if t.Configurations < 0 || t.Builds < 0 {
			k.add(at, fmt.Sprintf("configurations %d, builds %d", t.Configurations, t.Builds), "must not be negative", "")
		}
	}
	for i, path := range d.Scenarios {
		if strings.TrimSpace(path) == "" || strings.ContainsFunc(path, unprintable) {
			k.add(fmt.Sprintf("drill.scenarios[%d]", i), path, "must be the path of a file", "")
		}
	}
	if p := d.Power; p != nil && (strings.TrimSpace(p.Off) == "" || strings.TrimSpace(p.On) == "") {
		k.add("drill.power", nil, "needs both off and on", "who takes the power away must be able to give it back")
	}
}

func (k *checker) tuning(t *Tuning) {
	if t == nil {
		return
	}
	for _, one := range []struct {
		key         string
		value       Duration
		least, most time.Duration
	}{
		{"healthInterval", t.HealthInterval, time.Second, 5 * time.Minute}, {"healthTimeout", t.HealthTimeout, time.Second, 5 * time.Minute},
		{"backoff", t.Backoff, time.Second, 5 * time.Minute}, {"maxBackoff", t.MaxBackoff, time.Second, time.Hour},
		{"agentPing", t.AgentPing, time.Second, 5 * time.Minute}, {"zookeeperSession", t.ZooKeeperSession, 4 * time.Second, 40 * time.Second},
	} {
		d := one.value.Duration()
		switch {
		case d == 0:
		case d < one.least || d > one.most:
			k.add("tuning."+one.key, one.value, fmt.Sprintf("must be %v to %v", Duration(one.least), Duration(one.most)), "")
		case d%time.Second != 0:
			k.add("tuning."+one.key, one.value, "must be whole seconds, as Marathon and Mesos count in them", "")
		}
	}
	for key, n := range map[string]int{"healthFailures": t.HealthFailures, "agentPings": t.AgentPings} {
		if n < 0 || n > 100 {
			k.add("tuning."+key, n, "must be 1 to 100", "")
		}
	}
	if t.MaxBackoff > 0 && t.MaxBackoff < t.Backoff {
		k.add("tuning.maxBackoff", t.MaxBackoff, "must not be shorter than tuning.backoff, "+t.Backoff.String(), "")
	}
}
